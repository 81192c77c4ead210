"""Events gathered by when they happened: windows, tumbling or sliding."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from eventyard.core import moments
from eventyard.core.clocks import monotonic, wall
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.patterns.subscription import Subscription

#: An event may belong to so many windows.
_MOST_OVERLAPPING: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
#: Of a durable subscription so many events are not yet handled, in windows that are open.
MOST_OPEN: Final = 10_000


@dataclass(slots=True)
class Windows:
    """
    Windows [start, end) of event time, in microseconds, aligned to the epoch.

    Time is that of the newest event, and goes on from there as the clock does: so
    windows of what happens now close by the clock, and those of what is read again
    close as it is read. What claims to be of the future does not close anything before
    that is here. Behind the end it is waited for `grace`, for who is late; who is later
    counts in no window that has closed, and in `late`.
    """

    size: int
    slide: int
    grace: int = 0
    clock: Callable[[], float] = monotonic
    wall: Callable[[], float] = wall
    late: int = 0
    _open: dict[int, list[Event]] = field(default_factory=dict)
    _newest: int | None = None
    _newest_at: float = 0.0
    #: No window that begins before this is opened any more.
    _closed_before: int | None = None

    def add(self, event: Event) -> None:
        """Put an event into the windows that it belongs to."""
        moment = _moment(event)
        here = min(moment, int(self.wall() * _SECOND))
        now = self.now
        if now is None or here > now:
            self._newest, self._newest_at = here, self.clock()
        last = moment // self.slide
        first = (moment - self.size) // self.slide + 1
        for index in range(first, last + 1):
            if self._closed_before is not None and index < self._closed_before:
                self.late += 1
            else:
                self._open.setdefault(index, []).append(event)

    def is_past(self, event: Event) -> bool:
        """Tell whether all windows that an event belongs to have closed."""
        before = self._closed_before
        return before is not None and _moment(event) // self.slide < before

    @property
    def now(self) -> int | None:
        """Return the time in which windows are counted; None: it has not begun."""
        if self._newest is None:
            return None
        passed = max(self.clock() - self._newest_at, 0.0)
        return self._newest + int(passed * _SECOND)

    def close(self) -> list[list[Event]]:
        """Return the windows that are over, the oldest first; none is empty."""
        now = self.now
        if now is None:
            return []
        # All windows that are over, also those that were empty.
        before = (now - self.size - self.grace) // self.slide + 1
        self._closed_before = max(before, self._closed_before or before)
        over = sorted(index for index in self._open if index < self._closed_before)
        return [self._open.pop(index) for index in over]

    def next_in_s(self) -> float | None:
        """Return how long it is until the next window is over; None: none is open."""
        now = self.now
        if not self._open or now is None:
            return None
        end = min(self._open) * self.slide + self.size + self.grace
        return max(end - now, 0) / _SECOND

    def rest(self) -> list[list[Event]]:
        """Return what is open still, the oldest first."""
        rest = [self._open[index] for index in sorted(self._open)]
        self._open.clear()
        return rest


def _moment(event: Event) -> int:
    """Return when an event happened, in microseconds since 1970."""
    return (event.timestamp - _EPOCH) // _MICROSECOND


def windows(
    size: str | float, slide: str | float | None, grace: str | float
) -> Windows:
    """Return windows by their durations, as `30s`; raises InvalidRequestError."""
    length = microseconds(size)
    step = length if slide is None else microseconds(slide)
    if length <= 0 or step <= 0 or step > length:
        raise InvalidRequestError(
            "A window slides by more than nothing, up to its size."
        )
    if length / step > _MOST_OVERLAPPING:
        raise InvalidRequestError(
            f"An event would belong to more than {_MOST_OVERLAPPING} windows."
        )
    return Windows(length, step, max(microseconds(grace), 0))


def microseconds(duration: str | float) -> int:
    """Read a duration: seconds, or a number with `ms`, `s`, `m`, `h`, `d`."""
    if isinstance(duration, int | float):
        if not math.isfinite(duration):
            raise InvalidRequestError(f"{duration} is no duration.")
        return round(duration * _SECOND)
    try:
        return moments.duration(duration) // _MICROSECOND
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(str(error)) from None


async def windowed(
    subscription: Subscription, gathered: Windows
) -> AsyncIterator[list[Event]]:
    """
    Yield the events of each window when it is over, and what is open at the end.

    Of a durable subscription what is open at the end is not handled: it comes again.
    """
    async with subscription:
        while True:
            closed = gathered.close()
            for window in closed:
                yield window
            if closed:
                subscription.settle(gathered.is_past)
            event = await subscription.take(gathered.next_in_s())
            if event is not None:
                gathered.add(event)
            elif not subscription.is_active:
                break
        for window in () if subscription.is_durable else gathered.rest():
            yield window


async def batched(
    subscription: Subscription, size: int, timeout_s: float | None
) -> AsyncIterator[list[Event]]:
    """Yield lists of events: full ones, or what there is after a time."""
    async with subscription:
        while (first := await subscription.next()) is not None:
            yield await _batch(subscription, first, size, timeout_s)


async def _batch(
    subscription: Subscription, first: Event, size: int, timeout_s: float | None
) -> list[Event]:
    batch = [first]
    until = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while len(batch) < size:
        left = None if timeout_s is None else max(until - time.monotonic(), 0.0)
        event = await subscription.take(left)
        if event is None:
            break
        batch.append(event)
    return batch
