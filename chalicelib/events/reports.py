"""What processes tell of themselves, kept beside the log as events are routed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.events.log import time_key
from chalicelib.table import Table
from chalicelib.wire import Placed
from eventyard.core import moments, ulid
from eventyard.core.event import Event
from eventyard.core.wire import dumps, loads

#: The type of event in which a process tells how it does.
REPORTED: Final = "telemetry.reported"
_PARTITION: Final = "reports"
#: So long, in seconds, a process is told of after its last report.
SHOWN_SECONDS: Final = 600
#: A report has some 600 bytes; what is larger is none.
_MOST_BYTES: Final = 4_096
#: So many rows one batch may add, and one answer looks at: beyond that are the oldest.
_MOST_OF_BATCH: Final = 100
_MOST_ROWS: Final = 2_000
#: What a report tells, in this order.
_PARTS: Final = ("cache", "bus", "telemetry", "client")


@dataclass(slots=True)
class Reports:
    """A row for each report, in the order of the log; each is read for ten minutes."""

    table: Table
    clock: Callable[[], float] = time.time

    def rows(self, events: Iterable[Placed]) -> list[Item]:
        """Return what is to be written of events; writing it twice changes nothing."""
        ttl = int(self.clock()) + SHOWN_SECONDS
        rows = [
            {"pk": _PARTITION, "sk": one.place, "told": told, "ttl": ttl}
            for one in events
            if one.event.type == REPORTED and (told := _packed(one.event)) is not None
        ]
        return rows[-_MOST_OF_BATCH:]

    def newest(self) -> list[dict[str, Any]]:
        """
        Return the processes that reported of late, by name: one or two calls.

        Each with its newest report, and as `before` the counts of the one before it,
        from which whoever looks knows how much there is a minute.
        """
        since = time_key(int((self.clock() - SHOWN_SECONDS) * 1000))
        rows = self.table.query(
            _PARTITION, after=since, newest_first=True, limit=_MOST_ROWS
        )
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in rows:
            one = _read(row)
            known = found.setdefault(_who(one), one)
            if known is not one and known["before"] is None:
                known["before"] = {name: one[name] for name in ("at", "cache", "bus")}
        return sorted(found.values(), key=_who)


def _who(one: Mapping[str, Any]) -> tuple[str, ...]:
    # Two may have the same name, and one that begins again counts from nothing.
    return one["process"], one["source"] or "", one["started_at"]


def _packed(event: Event) -> str | None:
    """Return what is kept of a report, or None for what is none."""
    told = event.payload
    if not isinstance(told, Mapping) or not _is_report(told):
        return None
    kept = {
        "process": told["process"],
        "source": event.source,
        "started_at": told["started_at"],
        "every_s": told["every_s"],
        "ended": told.get("ended") is True,
        **{name: _object(told.get(name)) for name in _PARTS},
    }
    text = dumps(kept)
    return text if len(text.encode()) <= _MOST_BYTES else None


def _is_report(told: Mapping[str, Any]) -> bool:
    every_s = told.get("every_s")
    return (
        isinstance(told.get("process"), str)
        and isinstance(told.get("started_at"), str)
        and isinstance(every_s, int | float)
        and not isinstance(every_s, bool)
        and every_s > 0
    )


def _object(value: Any) -> Any:
    return value if isinstance(value, Mapping) else None


def _read(row: Item) -> dict[str, Any]:
    at = moments.at(ulid.timestamp_ms(row["sk"]) / 1000)
    return {**loads(row["told"]), "at": at, "before": None}
