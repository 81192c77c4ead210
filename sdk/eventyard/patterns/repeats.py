"""Events like one that was just published: told of that one, and not sent."""

from __future__ import annotations

from asyncio import Future
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from eventyard.core.clocks import monotonic
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.transports.base import Published

Key = tuple[str, str | None, str | None, str]


@dataclass(slots=True)
class Repeats:
    """Knows the last `size` events for `ttl_s` seconds; of size 0 it knows none."""

    size: int
    ttl_s: float
    clock: Callable[[], float] = monotonic
    _seen: OrderedDict[Key, tuple[float, Future[Published] | str]] = field(
        default_factory=OrderedDict
    )

    def known(self, event: Event) -> Future[Published] | str | None:
        """Return what is, or will be, told of the event that this one repeats."""
        if self.size == 0:
            return None
        key = key_of(event)
        found = self._seen.get(key)
        if found is None or self.clock() - found[0] >= self.ttl_s:
            return None
        if _failed(found[1]):
            # What was not published is not known.
            del self._seen[key]
            return None
        return found[1]

    def note(self, event: Event, sent: Future[Published] | str) -> None:
        """Know an event from now on: what will be told of it, or its id."""
        if self.size == 0:
            return
        key = key_of(event)
        self._seen[key] = (self.clock(), sent)
        self._seen.move_to_end(key)
        if len(self._seen) > self.size:
            self._seen.popitem(last=False)

    def forget(self, event: Event) -> None:
        """Know nothing of an event that was lost."""
        if self.size:
            self._seen.pop(key_of(event), None)


def key_of(event: Event) -> Key:
    """Return what an event has in common with its repeats."""
    return event.type, event.source, event.target, dumps(event.payload)


def _failed(sent: Future[Published] | str) -> bool:
    return (
        isinstance(sent, Future)
        and sent.done()
        and (sent.cancelled() or sent.exception() is not None)
    )
