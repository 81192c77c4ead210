"""Events gathered by when they happened: windows, tumbling or sliding."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from eventyard.core import moments
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.patterns.subscription import Subscription

#: An event may belong to so many windows.
_MOST_OVERLAPPING: Final = 1_000


@dataclass(slots=True)
class Windows:
    """
    Windows [start, end) of event time, aligned to the epoch.

    Time is that of the newest event, and goes on from there as the clock does: so
    windows of what happens now close by the clock, and those of what is read again
    close as it is read. Behind the end it is waited for `grace_s`, for who is late;
    who is later counts in no window that has closed.
    """

    size_s: float
    slide_s: float
    grace_s: float = 0.0
    clock: Callable[[], float] = time.monotonic
    late: int = 0
    _open: dict[int, list[Event]] = field(default_factory=dict)
    _newest: float = -math.inf
    _newest_at: float = 0.0
    #: No window that begins before this is opened any more.
    _closed_before: int | None = None

    def add(self, event: Event) -> None:
        """Put an event into the windows that it belongs to."""
        moment = event.timestamp.timestamp()
        if moment > self._newest:
            self._newest, self._newest_at = moment, self.clock()
        last = math.floor(moment / self.slide_s)
        first = math.floor((moment - self.size_s) / self.slide_s) + 1
        for index in range(first, last + 1):
            if self._closed_before is not None and index < self._closed_before:
                self.late += 1
            else:
                self._open.setdefault(index, []).append(event)

    @property
    def now(self) -> float:
        """Return the time in which windows are counted."""
        return self._newest + max(self.clock() - self._newest_at, 0.0)

    def close(self) -> list[list[Event]]:
        """Return the windows that are over, the oldest first; none is empty."""
        over = [index for index in sorted(self._open) if self._is_over(index)]
        if over:
            self._closed_before = max(over[-1] + 1, self._closed_before or over[-1] + 1)
        return [self._open.pop(index) for index in over]

    def next_in_s(self) -> float | None:
        """Return how long it is until the next window is over; None: none is open."""
        if not self._open:
            return None
        end = min(self._open) * self.slide_s + self.size_s + self.grace_s
        return max(end - self.now, 0.0)

    def _is_over(self, index: int) -> bool:
        return index * self.slide_s + self.size_s + self.grace_s <= self.now

    def rest(self) -> list[list[Event]]:
        """Return what is open still, the oldest first."""
        rest = [self._open[index] for index in sorted(self._open)]
        self._open.clear()
        return rest


def windows(
    size: str | float, slide: str | float | None, grace: str | float
) -> Windows:
    """Return windows by their durations, as `30s`; raises InvalidRequestError."""
    size_s = seconds(size)
    slide_s = size_s if slide is None else seconds(slide)
    if size_s <= 0 or slide_s <= 0 or slide_s > size_s:
        raise InvalidRequestError(
            "A window slides by more than nothing, up to its size."
        )
    if size_s / slide_s > _MOST_OVERLAPPING:
        raise InvalidRequestError(
            f"An event would belong to more than {_MOST_OVERLAPPING} windows."
        )
    return Windows(size_s, slide_s, seconds(grace))


def seconds(duration: str | float) -> float:
    """Read a duration: seconds, or a number with `ms`, `s`, `m`, `h`, `d`."""
    if isinstance(duration, int | float):
        return float(duration)
    try:
        return moments.duration(duration).total_seconds()
    except ValueError as error:
        raise InvalidRequestError(str(error)) from None


async def windowed(
    subscription: Subscription, gathered: Windows
) -> AsyncIterator[list[Event]]:
    """Yield the events of each window when it is over."""
    async with subscription:
        while subscription.is_active:
            for window in gathered.close():
                yield window
            event = await subscription.next(gathered.next_in_s())
            if event is not None:
                gathered.add(event)


async def batched(
    subscription: Subscription, size: int, timeout_s: float | None
) -> AsyncIterator[list[Event]]:
    """Yield lists of events: full ones, or what there is after a time."""
    loop_time = time.monotonic
    async with subscription:
        while subscription.is_active:
            first = await subscription.next()
            if first is None:
                return
            batch, until = [first], loop_time() + (timeout_s or math.inf)
            while len(batch) < size:
                left = None if timeout_s is None else max(until - loop_time(), 0.0)
                event = await subscription.next(left)
                if event is None:
                    break
                batch.append(event)
            yield batch
