"""A platform on loopback that says what a test wants it to, its live channel too."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any, Self

from aiohttp import WSMsgType, web

_CONFIG = {"version": "0.1.0", "stage": "dev", "auth": "open", "live_url": ""}
_STATS = {
    "events_published": 10_234,
    "events_delivered": 10_100,
    "active_subscriptions": 45,
    "queue_depth": 123,
    "error_rate": 0.01,
    "undelivered": 0,
}
_CHECKS = {"transport": "ok", "persistence": "ok", "queue": "ok"}


class FakePlatform:
    """Answers from `answers`, by path: a value, or (status, value, headers)."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/api/v1/config": {**_CONFIG},
            "/api/v1/stats": {**_STATS},
            "/health": {"status": "healthy", "checks": {**_CHECKS}},
        }
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        #: What the live channel sends, behind its welcome; None: it refuses.
        self.frames: list[Any] | None = []
        self.live: list[dict[str, str]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("GET", "/ws/{channel}", self._listen)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])

    async def _answer(self, request: web.Request) -> web.Response:
        text = await request.text()
        body = json.loads(text) if text else None
        named = dict(request.headers)
        self.requests.append((request.method, request.path_qs, named, body))
        told = self.answers.get(request.path)
        if isinstance(told, list) and told and isinstance(told[0], tuple):
            told = told.pop(0)
        if told is None:
            error = {"code": "not_found", "message": "There is no such address."}
            return web.json_response({"error": error}, status=404)
        status, value, headers = told if isinstance(told, tuple) else (200, told, {})
        if isinstance(value, str):
            return web.Response(status=status, text=value, headers=headers)
        return web.json_response(value, status=status, headers=headers)

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        named = {**request.query, "channel": request.match_info["channel"]}
        self.live.append(
            {**named, "authorization": request.headers.get("Authorization", "")}
        )
        if self.frames is None:
            raise web.HTTPForbidden
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in [{"type": "welcome", "data": {"cursor": "0"}}, *self.frames]:
            await socket.send_str(json.dumps(frame))
        async for message in socket:
            if message.type is WSMsgType.CLOSE:
                break
        return socket
