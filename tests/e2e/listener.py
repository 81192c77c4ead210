"""A live client on a thread: keeps what it hears, comes back with its cursor."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp


class Listener:
    """
    A dashboard connection that reconnects by itself.

    `heard` counts each event id: at least once is promised, once is usual.
    """

    def __init__(self, live: str, events: str = "*", **query: str) -> None:
        self._live = live
        self._query = {"events": events, "client_id": "listener", **query}
        self.cursor = ""
        self.heard: dict[str, int] = {}
        self.messages: list[dict[str, Any]] = []
        self.hellos: list[dict[str, Any]] = []
        self.connected = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.connected.wait(30), "no hello within 30 s"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self) -> None:
        async with aiohttp.ClientSession() as session:
            while not self._stop.is_set():
                try:
                    await self._one_connection(session)
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.1)

    async def _one_connection(self, session: aiohttp.ClientSession) -> None:
        query = {**self._query, **({"cursor": self.cursor} if self.cursor else {})}
        address = f"{self._live}/ws/dashboard?{urlencode(query)}"
        async with session.ws_connect(address) as socket:
            stopping = asyncio.create_task(self._stop.wait())
            while not stopping.done():
                receiving = asyncio.create_task(socket.receive())
                await asyncio.wait(
                    {receiving, stopping}, return_when=asyncio.FIRST_COMPLETED
                )
                if not receiving.done() or not self._take(receiving.result()):
                    receiving.cancel()
                    stopping.cancel()
                    return

    def _take(self, frame: aiohttp.WSMessage) -> bool:
        if frame.type is not aiohttp.WSMsgType.TEXT:
            return False
        value = json.loads(frame.data)
        for message in value if isinstance(value, list) else [value]:
            if message["type"] == "connection.established":
                self.hellos.append(message)
                self.cursor = self.cursor or message["data"]["cursor"]
                self.connected.set()
            else:
                self.messages.append(message)
                identity = message["event_id"]
                self.heard[identity] = self.heard.get(identity, 0) + 1
                self.cursor = max(self.cursor, message["cursor"])
        return True
