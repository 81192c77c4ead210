"""Keeps what is near true: what changes in Redis, or may have, is forgotten here."""

from __future__ import annotations

import os
import weakref
from threading import RLock

from eventyard.cache._far import Client
from eventyard.cache._listening import Listener
from eventyard.cache._near import Near


class Watch:
    """
    Says when entries may be kept near.

    That is while every change is heard of, or while Redis is away and there is nothing
    but this process.
    """

    def __init__(self, near: Near, prefix: str) -> None:
        self.near = near
        self._prefix = prefix
        self._lock = RLock()
        self._heard = False
        self._away = True
        self._listener: Listener | None = None
        near.open = True
        myself = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forked(myself()))

    def far_changed(self, client: Client) -> None:
        """Take note that Redis is back, or, with None, away."""
        with self._lock:
            self._away = client is None
            self._settle()
            if client is not None:
                self.near.clear()
                self.listen(client)

    def listen(self, client: Client) -> None:
        """Listen from now on; again and again, while Redis is away."""
        with self._lock:
            if self._listener is None:
                self._listener = Listener(
                    client, self._prefix, self._changed, self._state
                )
            self._listener.start()

    def _state(self, heard: bool) -> None:  # noqa: FBT001 - it is what is told
        with self._lock:
            self._heard = heard
            self._settle()
            self.near.clear()

    def _settle(self) -> None:
        self.near.open = self._heard or self._away

    def _changed(self, keys: list[str] | None) -> None:
        if keys is None:
            self.near.clear()
        else:
            self.near.drop(keys)

    def after_fork(self) -> None:
        """Begin anew: threads, and what they held, are the parent's."""
        self._lock, self._heard, self._listener = RLock(), False, None
        self.near.begin_anew()
        self.near.open = False

    def ensure(self, client: Client) -> None:
        """Listen, where a fork ended that."""
        if self._listener is None and client is not None:
            self.listen(client)

    def close(self) -> None:
        """End listening, and forget everything."""
        if self._listener is not None:
            self._listener.close()
        with self._lock:
            self.near.open = False
            self.near.clear()


def _forked(watch: Watch | None) -> None:
    if watch is not None:
        watch.after_fork()
