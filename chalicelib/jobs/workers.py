"""Who does jobs: one row for each invocation, and whether it is still heard of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.jobs.model import JobRow, digest
from chalicelib.table import Table
from eventyard.core import moments, ulid

_PARTITION: Final = "jobs#workers"
#: What ended is shown for so long.
_KEPT_S: Final = 3_600
_MOST: Final = 500


@dataclass(slots=True)
class Workers:
    """The registry of workers; what a busy one does is told by its run."""

    table: Table
    clock: Callable[[], float] = time.time

    def began(self, node: str, row: JobRow, capabilities: Sequence[str]) -> Item:
        """Note that somebody does a job."""
        now = self.clock()
        item = {
            "pk": _PARTITION,
            "sk": f"{ulid.floor(int(now * 1000))}#{digest(node)[:16]}",
            "node": node,
            "queue": row.queue,
            "capabilities": list(capabilities),
            "job": row.id,
            "service": row.service,
            "since": now,
            "heard": now,
            "ttl": int(now) + _KEPT_S,
        }
        self.table.put(item)
        return item

    def ended(self, item: Item) -> None:
        """Note that somebody is through with it."""
        now = self.clock()
        done = {"ended": now, "heard": now, "ttl": int(now) + _KEPT_S}
        self.table.set(item["pk"], item["sk"], done)

    def all(self, runs: Iterable[Item]) -> list[dict[str, Any]]:
        """Return those that were heard of within an hour, the newest first."""
        now, busy = self.clock(), {run["job"]: run for run in map(_named, runs)}
        rows = self.table.query(_PARTITION, newest_first=True, limit=_MOST)
        return [_shown(row, busy, now) for row in rows if int(row["ttl"]) > now]


def _named(run: Item) -> Item:
    return {**run, "job": run["sk"]}


def _shown(row: Item, busy: dict[str, Item], now: float) -> dict[str, Any]:
    run = busy.get(row["job"])
    run = run if run is not None and run["node"] == row["node"] else None
    heard = float(run["heard"]) if run else float(row["heard"])
    return {
        "id": row["node"],
        "queue": row["queue"],
        "capabilities": row["capabilities"],
        "state": _state(row, run, now),
        "job_id": row["job"],
        "service_name": row["service"],
        "started_at": moments.at(float(row["since"])),
        "heartbeat_at": moments.at(heard),
        "ended_at": moments.at(float(row["ended"])) if "ended" in row else None,
    }


def _state(row: Item, run: Item | None, now: float) -> str:
    if "ended" in row:
        return "ended"
    # Not heard of for longer than a lease: its job is, or will be, somebody else's.
    return "busy" if run is not None and float(run["until"]) > now else "lost"
