"""Counting the traffic where it passes: in memory, then in one write a batch."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from chalicelib.graphs.flows import (
    LEFT_OUT,
    Flow,
    Sheet,
    Update,
    Way,
    counts_events,
    updates_of,
    way,
)
from chalicelib.table import Table
from chalicelib.telemetry import log_error
from chalicelib.wire import Placed
from eventyard.core import ulid

#: So long minutes and hours are kept: the longest window, and a day more.
KEPT_SECONDS: Final = 8 * 86_400
#: One process names so many edges a minute; what goes along others is counted as one.
MOST_EDGES: Final = 400
#: Over so many items one minute is spread: an item takes some hundred writes a second.
SHARDS: Final = 4
#: After a write that failed, so long none is tried: counting must not hold up the rest.
_REST_SECONDS: Final = 10.0


@dataclass
class TrafficCounter:
    """
    Counts what is published and delivered, and writes it when a batch is done.

    It never raises: a batch is not worth less because nobody counted it. What was not
    written because the process died is not counted.
    """

    table: Table
    clock: Callable[[], float] = time.time
    #: A process keeps to one of the items of a minute.
    shard: int = field(default_factory=lambda: random.randrange(SHARDS))  # noqa: S311
    _sheet: Sheet = field(default_factory=Sheet)
    _minute: int = 0
    _named: set[Way] = field(default_factory=set)
    _rests_until: float = 0.0

    def published(self, events: Iterable[Placed]) -> None:
        """Count events by who published them."""
        for placed in events:
            event = placed.event
            self._note(way("publishes", event.source, event.type), None)

    def delivered(self, agent: str, event: str, place: str | None) -> None:
        """
        Count one event that arrived at a subscription or a client.

        Its place tells how long it took; None where that says nothing, as for a replay.
        """
        self._note(way("subscribes", agent, event), place)

    def failed(self, agent: str, event: str) -> None:
        """Count one attempt that did not arrive."""
        flow = self._flow(way("subscribes", agent, event))
        if flow is not None:
            flow.failed(self._now_ms())

    def _note(self, edge: Way, since: str | None) -> None:
        flow = self._flow(edge)
        if flow is not None:
            now = self._now_ms()
            # Clocks differ: nothing arrives before it was published.
            lag = None if since is None else max(now - ulid.timestamp_ms(since), 0)
            flow.arrived(now, lag)

    def _flow(self, edge: Way) -> Flow | None:
        """Return where to count, or None when there are too many edges this minute."""
        minute = self._now_ms() // 60_000
        if minute != self._minute:
            self._minute, self._named = minute, set(self._sheet.flows)
        if edge not in self._named and len(self._named) >= MOST_EDGES:
            self._sheet.left_out += 1
            return None
        self._named.add(edge)
        return self._sheet.flow(edge)

    def flush(self) -> None:
        """Write what was counted: one call for some 30 edges, none for nothing."""
        sheet = self._sheet
        if not (sheet.flows or sheet.left_out) or self.clock() < self._rests_until:
            return
        self._sheet = Sheet()
        try:
            self._write(sheet)
        except Exception as error:  # noqa: BLE001 - whatever it was, the batch was done
            log_error("traffic was not counted", error, edges=len(sheet.flows))
            self._rests_until = self.clock() + _REST_SECONDS

    def _write(self, sheet: Sheet) -> None:
        updates = list(updates_of(sheet.flows.items()))
        if sheet.left_out:
            updates = updates or [Update({}, {})]
            updates[-1].amounts[LEFT_OUT] = sheet.left_out
        for update in updates:
            if not self._add(str(self.shard), update):
                # The item is full; that there was more is told at least.
                amounts = {LEFT_OUT: _total(update)}
                self._add("full", Update(amounts, {}))

    def _add(self, name: str, update: Update) -> bool:
        now = self._now_ms()
        key = minute_key(now // 60_000, name)
        facts = {**update.facts, "ttl": now // 1000 + KEPT_SECONDS}
        return self.table.tally(*key, update.amounts, facts)

    def _now_ms(self) -> int:
        return int(self.clock() * 1000)


def _total(update: Update) -> int:
    return sum(n for name, n in update.amounts.items() if counts_events(name))


def hour_partition(hour: int) -> str:
    """Return the partition of the minutes of an hour, by its number since 1970."""
    return f"traffic#{hour}"


def minute_key(minute: int, name: str) -> tuple[str, str]:
    """Return the key of one of the items of a minute, by its number since 1970."""
    return hour_partition(minute // 60), f"{minute:09d}#{name}"
