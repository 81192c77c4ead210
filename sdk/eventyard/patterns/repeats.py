"""Events like one that was just published: told of that one, and not sent."""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.transports.base import Published

Key = tuple[str, str | None, str | None, str]


@dataclass(slots=True)
class Repeats:
    """Knows the last `size` events for `ttl_s` seconds; of size 0 it knows none."""

    size: int
    ttl_s: float
    clock: Callable[[], float] = time.monotonic
    _seen: OrderedDict[Key, tuple[float, Future[Published] | None]] = field(
        default_factory=OrderedDict
    )

    def known(self, event: Event) -> Future[str] | None:
        """Return the id of the event that this one repeats, once that is known."""
        found = self._find(event)
        if found is None or found[1] is None:
            return None
        return asyncio.ensure_future(_id_of(found[1]))

    def is_known(self, event: Event) -> bool:
        """Tell whether an event repeats another one."""
        return self._find(event) is not None

    def _find(self, event: Event) -> tuple[float, Future[Published] | None] | None:
        if self.size == 0:
            return None
        key = _key(event)
        found = self._seen.get(key)
        if found is None or self.clock() - found[0] >= self.ttl_s:
            return None
        sent = found[1]
        # What was not published is not known.
        if sent is not None and sent.done() and (sent.cancelled() or sent.exception()):
            del self._seen[key]
            return None
        return found

    def note(self, event: Event, sent: Future[Published] | None) -> None:
        """Know an event from now on."""
        if self.size == 0:
            return
        self._seen[_key(event)] = (self.clock(), sent)
        self._seen.move_to_end(_key(event))
        if len(self._seen) > self.size:
            self._seen.popitem(last=False)


def _key(event: Event) -> Key:
    return event.type, event.source, event.target, dumps(event.payload)


async def _id_of(sent: Future[Published]) -> str:
    return (await asyncio.shield(sent)).event_id
