"""Turns at a host: nobody asks it more often than it likes, whoever asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from eventyard.jobs.context import Job

#: Who has to wait longer pauses, so that nobody is paid for while it waits.
LONGEST_WAIT_S: Final = 20.0
#: A host that wants to be left alone for longer is left alone.
MOST_PATIENCE_S: Final = 3_600.0
_DIGITS: Final = 8


class LaterError(Exception):
    """The next turn is so far away that the job is to pause until then."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"in {seconds:g} s")
        self.seconds = seconds


@dataclass(slots=True)
class Turns:
    """
    Gives out turns, shared by all workers.

    A turn that was taken before a pause is taken up behind it.
    """

    job: Job
    clock: Callable[[], float] = time.time
    #: When the turn is that was taken at each place, in Unix seconds.
    taken: dict[str, float] = field(default_factory=dict)
    #: Until when nobody asks there, because it asked for that.
    quiet: dict[str, float] = field(default_factory=dict)

    async def wait(self, place: str, gap_s: float) -> None:
        """Wait for the next turn at a place; raises LaterError."""
        if place in self.taken:
            await self._until(place, self.taken[place])
            return
        if gap_s > 0:
            wait = await self.job.shared_gap(place, gap_s)
            await self._until(place, self.clock() + wait)

    async def leave_alone(self, place: str, seconds: float) -> None:
        """Let nobody ask at a place for so long; raises LaterError."""
        now = self.clock()
        until, before = now + seconds, max(self.quiet.get(place, now), now)
        if until > before:
            self.quiet[place] = until
            # Others begin behind this. Who was told so twice waits once.
            await self.job.shared_gap(place, until - before)
        await self._until(place, until)

    async def _until(self, place: str, when: float) -> None:
        left = max(when, self.quiet.get(place, 0.0)) - self.clock()
        if left > LONGEST_WAIT_S:
            self.taken[place] = max(self.clock() + left, self.taken.get(place, 0.0))
            raise LaterError(left)
        self.taken.pop(place, None)
        if left > 0:
            await asyncio.sleep(left)


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long a server wants to be left alone; None: it does not say."""
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:_DIGITS])
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(zoned.timestamp() - now, 0.0)
