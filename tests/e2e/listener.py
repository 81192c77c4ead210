"""Live clients on threads: they keep what they hear, and come back with their cursor."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter
from typing import Any, ClassVar, Self
from urllib.parse import urlencode

import aiohttp


class Client:
    """A live connection that reconnects by itself; each kind knows its messages."""

    path: ClassVar[str]

    def __init__(self, live: str, **query: str) -> None:
        self._live = live
        self._query = {"client_id": "listener", **query}
        self.cursor = ""
        self.hellos: list[dict[str, Any]] = []
        self.connected = threading.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
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

    def cut(self) -> None:
        """Lose the connection as a network does: nobody says goodbye."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        if self._socket is not None and not self._socket.closed:
            self._socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def hear(self, message: dict[str, Any]) -> None:
        """Keep a message, and the place in the log that it brings."""
        raise NotImplementedError

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
        address = f"{self._live}{self.path}?{urlencode(query)}"
        async with session.ws_connect(address) as self._socket:
            stopping = asyncio.create_task(self._stop.wait())
            while not stopping.done():
                receiving = asyncio.create_task(self._socket.receive())
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
            self.hear(message)
        return True

    def _greeted(self, hello: dict[str, Any]) -> None:
        self.hellos.append(hello)
        self.cursor = self.cursor or hello["data"]["cursor"]
        self.connected.set()


class Listener(Client):
    """
    A dashboard connection.

    `heard` counts each event id: at least once is promised, once is usual.
    """

    path = "/ws/dashboard"

    def __init__(self, live: str, events: str = "*", **query: str) -> None:
        super().__init__(live, events=events, **query)
        self.heard: dict[str, int] = {}
        self.messages: list[dict[str, Any]] = []

    def hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "connection.established":
            self._greeted(message)
            return
        self.messages.append(message)
        identity = message["event_id"]
        self.heard[identity] = self.heard.get(identity, 0) + 1
        self.cursor = max(self.cursor, message["cursor"])


class Watcher(Client):
    """
    A connection that names no channel: it watches pull requests.

    `told` has what each connection was told of each pull request, in its order.
    """

    path = "/ws"

    def __init__(self, live: str, **query: str) -> None:
        super().__init__(live, **query)
        self.told: list[dict[tuple[str, int], list[dict[str, Any]]]] = []

    def hear(self, message: dict[str, Any]) -> None:
        if message["event"] == "hello":
            self.told.append({})
            self._greeted(message)
            return
        pull = message["data"]
        self.cursor = max(self.cursor, pull.pop("cursor"))
        key = (pull["repository_name"], pull["pr_number"])
        self.told[-1].setdefault(key, []).append(pull)

    def states(self, repository: str, number: int) -> list[dict[str, Any]]:
        """Return all that was told of one pull request, by whichever connection."""
        return [
            one
            for told in list(self.told)
            for one in told.get((repository, number), [])
        ]

    @property
    def count(self) -> int:
        """Return how much was told in all."""
        return sum(
            len(states) for told in list(self.told) for states in list(told.values())
        )


class JobsListener(Client):
    """A connection that is told of jobs; it keeps each message with its event's id."""

    path = "/ws/jobs"

    def __init__(self, live: str, **query: str) -> None:
        super().__init__(live, **query)
        self.told: list[tuple[str, str, str]] = []

    def hear(self, message: dict[str, Any]) -> None:
        if message["event"] == "hello":
            self._greeted(message)
            return
        data = message["data"]
        self.told.append((data["job_id"], message["event"], data["event_id"]))
        self.cursor = max(self.cursor, data["cursor"])

    def of(self, job_id: str) -> Counter[tuple[str, str]]:
        """Count the messages of a job by their names and events."""
        return Counter(told[1:] for told in list(self.told) if told[0] == job_id)
