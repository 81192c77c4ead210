"""Who is to have which events of a bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol
from weakref import WeakSet

from eventyard.core.event import Event
from eventyard.core.topics import TopicPattern, compile_pattern

#: A handler may be a function or a coroutine function.
Handler = Callable[[Event], Awaitable[None] | None]
Filter = Callable[[Event], object]
#: So many types of event are remembered with their subscribers.
_MOST_KNOWN: Final = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class Subscriber:
    """A handler and the events that it is for."""

    id: str
    #: A type, or a pattern of types.
    event_type: str
    handler: Handler
    passes: Filter | None
    name: str


class Observer(Protocol):
    """Looks at what all buses do; never raises."""

    def watched(
        self, event_type: str, wanted: tuple[Subscriber, ...]
    ) -> tuple[Subscriber, ...]:
        """Note that an event is published; return whom to hand it to in their place."""
        ...


class Subscribers:
    """Subscribers by the types of events that they are for."""

    #: While somebody looks nothing is remembered, so it hears of each event; while
    #: nobody does, that costs nothing.
    observer: ClassVar[Observer | None] = None

    def __init__(self) -> None:
        _EVERY.add(self)
        self._by_type: dict[str, tuple[Subscriber, ...]] = {}
        self._by_pattern: dict[str, tuple[TopicPattern, tuple[Subscriber, ...]]] = {}
        #: What was found for types of events; forgotten with each change.
        self.known: dict[str, tuple[Subscriber, ...]] = {}

    def __len__(self) -> int:
        """Count them."""
        patterns = (ones for _, ones in self._by_pattern.values())
        return sum(map(len, (*self._by_type.values(), *patterns)))

    def add(self, one: Subscriber) -> None:
        """Add one; raises SubscriptionError for a pattern that is none."""
        kind = one.event_type
        if "*" in kind or "#" in kind:
            pattern = compile_pattern(kind)
            _, before = self._by_pattern.get(kind, (pattern, ()))
            self._by_pattern[kind] = (pattern, (*before, one))
        else:
            self._by_type[kind] = (*self._by_type.get(kind, ()), one)
        self.known = {}

    def remove(self, subscription_id: str) -> bool:
        """Remove one; tell whether it was there."""
        kind = subscription_id.rpartition(":")[0]
        before = self._of(kind)
        after = tuple(one for one in before if one.id != subscription_id)
        if len(after) == len(before):
            return False
        self._replace(kind, after)
        self.known = {}
        return True

    def _of(self, kind: str) -> tuple[Subscriber, ...]:
        if kind in self._by_pattern:
            return self._by_pattern[kind][1]
        return self._by_type.get(kind, ())

    def _replace(self, kind: str, after: tuple[Subscriber, ...]) -> None:
        if kind in self._by_pattern:
            self._by_pattern[kind] = (self._by_pattern[kind][0], after)
        else:
            self._by_type[kind] = after
        if not after:
            self._by_pattern.pop(kind, None)
            self._by_type.pop(kind, None)

    def find(self, event_type: str) -> tuple[Subscriber, ...]:
        """Return whom an event of a type is for, and remember it."""
        found = self._by_type.get(event_type, ())
        for pattern, ones in self._by_pattern.values():
            if pattern.matches(event_type):
                found += ones
        if self.observer is not None:
            return self.observer.watched(event_type, found)
        known = self.known
        if len(known) >= _MOST_KNOWN:
            known.clear()
        known[event_type] = found
        return found


#: All that there are.
_EVERY: Final[WeakSet[Subscribers]] = WeakSet()


def observe(observer: Observer | None) -> None:
    """Have somebody look at all buses from now on; None: nobody."""
    Subscribers.observer = observer
    for one in [*_EVERY]:
        one.known = {}
