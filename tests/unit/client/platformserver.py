"""A small platform on loopback, as far as a transport sees one; each test bends it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import WSMsgType, web

from eventyard.core import ulid

CONFIG = {"live_url": "", "wire": {"lowest": 1, "highest": 1}}
Reaction = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


class PlatformServer:
    """Answers as `react` says, or else with what is usual."""

    def __init__(self, prefix: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.prefix = prefix
        self._tls = tls
        self.config: dict[str, Any] = CONFIG
        self.scopes = ["admin"]
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.said: list[dict[str, Any]] = []
        self.sockets: list[web.WebSocketResponse] = []
        #: Says what a message is answered with; None: nothing.
        self.answer: Callable[[dict[str, Any]], list[dict[str, Any]]] = self.usual
        self.react: Reaction | None = None
        #: What is to be closed with it.
        self.clients: list[Any] = []

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=10**7)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}{self.prefix}"

    def asked(self, path: str) -> list[web.Request]:
        return [one for one in self.requests if one.path == self.prefix + path]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            text = await request.text()
            self.bodies.append(json.loads(text) if text else None)
        told = await self.react(request) if self.react else None
        if told is not None:
            return told
        if not request.path.startswith(self.prefix):
            return failure(404, "not_found", "nothing here")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._talk(request)
        return self._usual_answer(request.path.removeprefix(self.prefix))

    def _usual_answer(self, path: str) -> web.Response:
        if path == "/api/v1/config":
            return web.json_response(self.config)
        if path == "/api/v1/events":
            (*_, events) = self.bodies
            told = [{"event_id": f"evt_{n}", "status": "published"} for n in range(99)]
            return web.json_response({"events": told[: len(events)]}, status=201)
        if path == "/api/v1/me":
            return web.json_response({"id": "k", "name": "k", "scopes": self.scopes})
        if path == "/api/v1/stats":
            return web.json_response({"events_published": 1})
        return failure(404, "not_found", "There is nothing at this address.")

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                said = json.loads(message.data)
                self.said.append(said)
                for one in self.answer(said):
                    await socket.send_str(json.dumps(one))
        return socket

    def usual(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        ref = {"ref": said["ref"]} if "ref" in said else {}
        match said["type"]:
            case "ping":
                return [{"type": "pong"}]
            case "publish":
                told = [
                    {"event_id": f"evt_{n}", "status": "queued"}
                    for n, _ in enumerate(said["events"])
                ]
                return [{"type": "published", "events": told, **ref}]
            case "subscribe":
                count = sum(1 for one in self.said if one["type"] == "subscribe")
                return [subscribed(f"sub_{count}", **ref)]
        return [{"type": f"{said['type']}d", **ref}]

    async def push(self, *messages: Any) -> None:
        await self.sockets[-1].send_str(json.dumps(messages))

    async def cut(self) -> None:
        """End the newest connection as a network does."""
        transport = self.sockets[-1]._req.transport
        transport.abort()
        await asyncio.sleep(0)


def subscribed(name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "subscribed",
        "subscription_id": name,
        "topics": ["a"],
        "cursor": place(0),
        **more,
    }


def place(number: int) -> str:
    return ulid.floor(1_700_000_000_000 + number)


def delivered(name: str, number: int, **more: Any) -> dict[str, Any]:
    event = {"id": f"e{number}", "type": "a", "payload": {"n": number}}
    return {
        "type": "event",
        "subscription_id": name,
        "cursor": place(number),
        "event": event,
        **more,
    }


def failure(
    status: int, code: str, message: str = "so it is", **headers: str
) -> web.Response:
    body = {"error": {"code": code, "message": message, "details": {"field": "x"}}}
    return web.json_response(body, status=status, headers=headers)
