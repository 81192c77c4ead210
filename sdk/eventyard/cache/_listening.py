"""Hears from Redis which keys changed, so that this process forgets them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event as Flag
from threading import Thread
from typing import Any, Final

from eventyard.cache._far import Client

#: The channel on which Redis tells a connection what changed (CLIENT TRACKING).
_CHANNEL: Final = "__redis__:invalidate"
_LOOK_S: Final = 1.0
_PING_S: Final = 5.0
_SILENCE_S: Final = 12.0
_AGAIN_S: Final = 0.5

#: Called with the keys that changed, None for all of them.
Changed = Callable[[list[str] | None], None]


class Listener:
    """
    One connection, in a thread of its own, told of every change below a prefix.

    `on_state(True)` says that from now on nothing goes unheard, `on_state(False)` that
    something may have.
    """

    def __init__(
        self, client: Client, prefix: str, changed: Changed, on_state: Any
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._changed = changed
        self._on_state: Callable[[bool], None] = on_state
        self._ended, self._hurry = Flag(), Flag()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin, unless it is at work; look at once where Redis was away."""
        self._hurry.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(
                target=self._work, name="eventyard-cache", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End the thread and its connection."""
        self._ended.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(_SILENCE_S)

    def _work(self) -> None:
        while not self._ended.is_set():
            self._hurry.clear()
            # Redis away, or too old to tell: it is tried again, quietly.
            with suppress(Exception):
                self._listen()
            self._hurry.wait(_AGAIN_S)

    def _listen(self) -> None:
        pool = self._client.connection_pool
        connection = pool.connection_class(**pool.connection_kwargs)
        try:
            self._begin(connection)
            self._heed(connection)
        finally:
            connection.disconnect()

    def _heed(self, connection: Any) -> None:
        self._on_state(True)
        try:
            self._hear(connection)
        finally:
            self._on_state(False)

    def _begin(self, connection: Any) -> None:
        connection.connect()
        own = _ask(connection, "CLIENT", "ID")
        words = ["ON", "REDIRECT", own, "BCAST"]
        if self._prefix:
            words += ["PREFIX", self._prefix]
        _ask(connection, "CLIENT", "TRACKING", *words)
        _ask(connection, "SUBSCRIBE", _CHANNEL)

    def _hear(self, connection: Any) -> None:
        heard = asked = time.monotonic()
        while not self._ended.is_set():
            if connection.can_read(_LOOK_S):
                self._take(connection.read_response())
                heard = time.monotonic()
                continue
            now = time.monotonic()
            if now - heard > _SILENCE_S:
                return
            if now - max(heard, asked) > _PING_S:
                connection.send_command("PING", check_health=False)
                asked = now

    def _take(self, told: Any) -> None:
        if told[0] != b"message":
            return
        keys = told[2]
        self._changed(
            None if keys is None else [key.decode("utf-8", "replace") for key in keys]
        )


def _ask(connection: Any, *words: Any) -> Any:
    connection.send_command(*words)
    return connection.read_response()
