"""What was done by each service, counted together with what is counted."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.table import Change, Table
from eventyard.core import moments

#: Transactions at one item hinder each other: counters are spread over so many.
_SHARDS: Final = 8
_SEEN: Final = "seen"
#: The events that are counted, and the names of their counters.
COUNTED: Final = {
    "submitted": "total",
    "started": "begun",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass(slots=True)
class Counts:
    """Counters of each service, exact because a change carries its own."""

    table: Table
    clock: Callable[[], float] = time.time

    def change(self, service: str, *kinds: str) -> list[Change]:
        """Return what counts events that are told together."""
        adds = {COUNTED[kind]: 1 for kind in kinds if kind in COUNTED}
        if not adds:
            return []
        shard = str(random.randrange(_SHARDS))  # noqa: S311 - spreads, hides nothing
        now = self.clock()
        key = (_partition(service), shard)
        return [Change(key, adds=adds, firsts={"since": now})]

    def read(self, service: str) -> dict[str, Any]:
        """Return the counters of a service, and when it was first heard of."""
        rows = list(self.table.query(_partition(service)))
        if not rows:
            seen = {"pk": _partition(service), "sk": _SEEN, "since": self.clock()}
            self.table.put_new(seen)
            rows = [seen]
        total: Counter[str] = Counter()
        for row in rows:
            total.update({name: int(row.get(name, 0)) for name in COUNTED.values()})
        since = min(float(row["since"]) for row in rows)
        return {**total, "since": since}


def statistics(counts: dict[str, Any]) -> dict[str, Any]:
    """Say what counters mean; rates are of what came to an end by itself."""
    good, bad = counts["completed"], counts["failed"]
    ended = good + bad
    return {
        "total_jobs": counts["total"],
        "successful_jobs": good,
        "failed_jobs": bad,
        "cancelled_jobs": counts["cancelled"],
        "active_jobs": max(counts["total"] - ended - counts["cancelled"], 0),
        "success_rate": _percent(good, ended),
        "failure_rate": _percent(bad, ended),
        "created_at": moments.at(counts["since"]),
    }


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _partition(service: str) -> str:
    return f"jobs#counts#{service}"
