"""Who gets what comes on one live connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

Said = Mapping[str, Any]


class Subscriber(Protocol):
    """Takes what is for it, and never holds up anybody else."""

    def put(self, told: Said) -> None:
        """Take an event."""
        ...

    def overrun(self) -> None:
        """Note that events were not kept for it."""
        ...

    def lose(self) -> None:
        """Note that the connection broke."""
        ...


class Subscribers:
    """Subscribers by the ids that the platform gives them on this connection."""

    #: Events may be faster than the answer that says whose they are; so many are kept.
    MOST_EARLY: Final = 1_000

    def __init__(self) -> None:
        self._known: dict[str, Subscriber] = {}
        self._early: dict[str, list[Said]] = {}
        self._kept = 0
        self._dropped = False
        self._entering = 0

    def hear(self, told: Said) -> None:
        """Hand an event on to whose it is."""
        if told.get("type") != "event":
            return
        name = str(told.get("subscription_id"))
        subscriber = self._known.get(name)
        if subscriber is not None:
            subscriber.put(told)
        elif self._entering:
            self._keep(name, told)

    def _keep(self, name: str, told: Said) -> None:
        if self._kept == self.MOST_EARLY:
            self._dropped = True
            return
        self._kept += 1
        self._early.setdefault(name, []).append(told)

    @contextmanager
    def entering(self) -> Iterator[None]:
        """Keep what comes for whoever is not known yet."""
        self._entering += 1
        try:
            yield
        finally:
            self._entering -= 1
            if not self._entering:
                self._early.clear()
                self._kept, self._dropped = 0, False

    def add(self, name: str, subscriber: Subscriber) -> None:
        """Note an id, and hand on what came before it was known."""
        self._known[name] = subscriber
        for told in self._early.pop(name, ()):
            subscriber.put(told)
        if self._dropped:
            subscriber.overrun()

    def remove(self, subscriber: Subscriber) -> str | None:
        """Forget a subscriber; return its id, where it has one."""
        for name, one in self._known.items():
            if one is subscriber:
                del self._known[name]
                return name
        return None

    def lose(self) -> None:
        """Tell all that the connection broke."""
        lost = [*self._known.values()]
        self._known.clear()
        for subscriber in lost:
            subscriber.lose()
