"""A queue from which the least important may be dropped, each in no time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Waiting(Generic[T]):
    """
    First in, first out; what was added with a priority may be dropped.

    Dropped ones stay in the queue, marked, until they are at its front, or until there
    are more of them than of others.
    """

    _queue: deque[T] = field(default_factory=deque)
    _droppable: dict[int, deque[T]] = field(default_factory=dict)
    _priorities: dict[int, int] = field(default_factory=dict)
    _dropped: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._queue) - len(self._dropped)

    @property
    def first(self) -> T | None:
        """Return what is taken next."""
        while self._queue and id(self._queue[0]) in self._dropped:
            self._dropped.discard(id(self._queue.popleft()))
        return self._queue[0] if self._queue else None

    def add(self, one: T, priority: int | None = None) -> None:
        """Put something at the end; without a priority it is never dropped."""
        self._queue.append(one)
        if priority is not None:
            self._priorities[id(one)] = priority
            self._droppable.setdefault(priority, deque()).append(one)

    def take(self) -> T:
        """Take what is first; raises IndexError."""
        if self.first is None:
            raise IndexError("nothing waits")
        one = self._queue.popleft()
        priority = self._priorities.pop(id(one), None)
        if priority is not None:
            # Of one priority, what is first of all is first of these.
            self._forget_first(priority)
        return one

    def drop(self, up_to: int) -> T | None:
        """Drop the oldest of the lowest priority, if that is not above another one."""
        lowest = min(self._droppable, default=None)
        if lowest is None or lowest > up_to:
            return None
        one = self._forget_first(lowest)
        del self._priorities[id(one)]
        self._dropped.add(id(one))
        if len(self._dropped) > len(self._queue) // 2:
            self._queue = deque(x for x in self._queue if id(x) not in self._dropped)
            self._dropped.clear()
        return one

    def _forget_first(self, priority: int) -> T:
        those = self._droppable[priority]
        one = those.popleft()
        if not those:
            del self._droppable[priority]
        return one
