"""Circles as tests have them: in memory, and on the platform over real HTTP."""

from __future__ import annotations

import threading
from typing import Any

from eventyard.events import EventBus, EventType
from eventyard.orchestration import CircleStore
from tests.loopback import Loopback, Reply, Request

_TYPES = {one.value for one in EventType}


class Served(Loopback):
    """The application behind a port; it takes one request at a time, as moto must."""

    def __init__(self, http: Any) -> None:
        super().__init__()
        self._http = http
        self._turn = threading.Lock()

    def answer(self, request: Request) -> Reply:
        passed = ("authorization", "content-type", "idempotency-key")
        headers = {n: v for n, v in request.headers.items() if n in passed}
        with self._turn:
            told = self._http._call(
                request.method, request.target, request.body, headers
            )
        return Reply(told.status, told.text.encode(), told.headers)


class World:
    """A store, and what was told of its changes: the same whatever is behind it."""

    def __init__(self, store: CircleStore, events: Any) -> None:
        self.store = store
        self._events = events

    @property
    def told(self) -> list[Any]:
        """The events that have a type of their own, in their order."""
        return [event for event in self._events() if event.type in _TYPES]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.told]


def in_memory() -> World:
    bus = EventBus.separate()
    return World(CircleStore(bus), lambda: bus.get_history(limit=1000)[::-1])


def on_platform(platform: Any, address: str) -> World:
    from tests.steps import listed

    return World(CircleStore.connect(address), lambda: listed(platform)[::-1])
