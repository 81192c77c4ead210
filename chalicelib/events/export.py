"""Export: the log as it is, oldest first, a bounded stretch at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.events.formats import Format
from chalicelib.events.log import EventLog, place_before, time_key
from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError
from eventyard.core.filters import compile_filter
from eventyard.core.topics import compile_pattern

#: Several processes write, and a lower place may appear so long after a higher one:
#: who goes on from a place must not have looked further.
SETTLE_MS: Final = 10_000
#: Clocks of callers may be ahead by so much.
_AHEAD_MS: Final = 1_000
_MOST_PATTERNS: Final = 100
Wanted = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one reading goes; it always takes one event, however large."""

    events: int
    #: Of what is written, as `weight` counts it.
    size: int
    weight: Callable[[str], int]
    #: An event above this comes without its payload, which rests in S3.
    largest: int
    commits: int = 2_000
    seconds: float = 10.0


@dataclass(slots=True)
class Batch:
    """Events as text, and up to which place the log was looked at."""

    end: str
    rows: list[str] = field(default_factory=list)
    size: int = 0
    scanned: int = 0
    more: bool = True


def answer_weight(text: str) -> int:
    """Return what a text weighs in an answer: Lambda hands it on as a JSON string."""
    return len(json.dumps(text))


def page_bounds(limit: int) -> Bounds:
    """Return the bounds of one page: Lambda answers with at most 6 MB."""
    return Bounds(limit, 4_000_000, answer_weight, largest=5_900_000)


def wanted_of(topics: Sequence[str], conditions: Mapping[str, Any] | None) -> Wanted:
    """Tell what fits topic patterns (none: all) and a filter; SubscriptionError."""
    if len(topics) > _MOST_PATTERNS:
        raise InvalidRequestError(f"An export has at most {_MOST_PATTERNS} topics.")
    patterns = [compile_pattern(topic) for topic in topics]
    passes = compile_filter(conditions)

    def wanted(view: Mapping[str, Any]) -> bool:
        fits = not patterns or any(p.matches(view["type"]) for p in patterns)
        return fits and passes(view)

    return wanted


@dataclass(frozen=True, slots=True)
class Exporter:
    """Reads stretches of the log; payloads that rest in S3 come whole."""

    log: EventLog
    clock: Callable[[], float] = time.monotonic

    def stretch(self, since_ms: int, until_ms: int | None) -> tuple[str, str]:
        """
        Return the places between which an export reads, both moments included.

        Without an end it is ten seconds ago, where nothing appears out of order any
        more; with one, there is what is there now.
        """
        now_ms = self.log.now_ms()
        settled = now_ms - SETTLE_MS
        last_ms = settled if until_ms is None else min(until_ms, now_ms + _AHEAD_MS)
        return place_before(since_ms), place_before(last_ms + 1)

    def read(
        self,
        stretch: tuple[str, str],
        wanted: Wanted,
        form: Format,
        bounds: Bounds | None,
    ) -> Batch:
        """Read what is wanted behind one place up to another, as far as bounds let."""
        after, until = stretch
        batch = Batch(after)
        give_up = self.clock() + bounds.seconds if bounds else None
        commits = 0
        for commit in self.log.through(time_key(ulid.timestamp_ms(after)), until):
            new = [p for p in commit.placed() if after < p.place <= until]
            if not all(self._take(batch, p, wanted, form, bounds) for p in new):
                return batch
            commits += bool(new)
            late = give_up is not None and self.clock() > give_up
            if bounds and (commits == bounds.commits or (new and late)):
                return batch
        batch.end, batch.more = max(after, until), False
        return batch

    def _take(
        self,
        batch: Batch,
        placed: Placed,
        wanted: Wanted,
        form: Format,
        bounds: Bounds | None,
    ) -> bool:
        """Add an event if it is wanted; tell whether there may be room for more."""
        event = self.log.fetched(placed.event)
        if wanted(event.view()):
            row = form.row(event)
            if bounds and bounds.weight(row) > bounds.largest:
                row = form.row(placed.event)
            weight = bounds.weight(row) if bounds else 0
            if bounds and batch.rows and batch.size + weight > bounds.size:
                return False
            batch.rows.append(row)
            batch.size += weight
        batch.scanned += 1
        batch.end = placed.place
        return bounds is None or len(batch.rows) < bounds.events
