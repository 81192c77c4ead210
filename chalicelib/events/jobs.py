"""Jobs: long work on a stretch of the log, in steps that a crash cannot spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.table import Table
from chalicelib.telemetry import log as log_line
from chalicelib.wire import progress
from eventyard.core import moments, ulid
from eventyard.core.errors import ConflictError, NotFoundError

#: One step takes about so long, and finding one piece of work at most: ten chores may
#: come to one function at once, which has a minute. The next step is another chore.
STEP_SECONDS: Final = 4.0
RUNNING: Final = "RUNNING"
DONE: Final = "DONE"
CANCELLED: Final = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Jobs:
    """
    Rows of jobs of one kind, each with its `position` in the log.

    A piece of work is first *planned*: the row notes its end, by a conditional write.
    Whoever works then, also a second one or one that comes after a crash, does the
    same stretch, and only one of them moves the position behind it.
    """

    table: Table
    #: Also the kind of the chore that does a step.
    kind: str
    prefix: str
    kept_seconds: int
    #: Leaves a chore to the queue.
    later: Callable[[Item], None]
    now_ms: Callable[[], int]

    def start(self, stretch: tuple[str, str], fields: Item, by: Principal) -> Item:
        """Note a job on what is behind one place up to another, and let it begin."""
        after, until = stretch
        row = {
            "pk": self.kind,
            "sk": f"{self.prefix}{ulid.new_ulid(self.now_ms())}",
            "after": after,
            "until": max(after, until),
            "position": after,
            "ends": after,
            "state": RUNNING,
            "by": {"id": by.id, "name": by.name},
            "created_ms": self.now_ms(),
            "ttl": self.now_ms() // 1000 + self.kept_seconds,
            **fields,
        }
        self.table.put(row)
        self.go_on(row)
        return row

    def go_on(self, row: Item) -> None:
        """Leave the next step to the queue."""
        self.later({"kind": self.kind, "id": row["sk"]})

    def get(self, job_id: str) -> Item:
        """Read a job; raises NotFoundError."""
        row = self.table.get(self.kind, job_id)
        if row is None:
            raise NotFoundError(f"There is no {self.kind} {job_id}.")
        return row

    def all(self, cursor: str | None, limit: int) -> tuple[list[Item], str | None]:
        """Return a page of jobs, the newest first, and where it goes on."""
        return self.table.newest(self.kind, cursor, limit)

    def running(self, job_id: str) -> Item | None:
        """Return a job that there is something to do for."""
        row = self.table.get(self.kind, job_id)
        return row if row is not None and row["state"] == RUNNING else None

    def plan(self, row: Item, end: str, planned: Item) -> Item | None:
        """Note where the piece of work ends; None when another one plans or works."""
        changes = {"ends": end, **planned}
        return self._change(row, changes)

    def advance(self, row: Item, changes: Item) -> Item | None:
        """Move behind the planned piece; None when another one did, or cancelled."""
        return self._change(row, {"position": row["ends"], **changes})

    def finish(self, row: Item, state: str = DONE) -> bool:
        """End a job that runs; tell whether this call did."""
        ended = {"state": state, "ended_ms": self.now_ms()}
        return self.table.set(self.kind, row["sk"], ended, only_if={"state": RUNNING})

    def cancel(self, job_id: str) -> Item:
        """Stop a job before its next piece; ConflictError when it has ended."""
        if not self.finish(self.get(job_id), CANCELLED):
            state = self.get(job_id)["state"]
            raise ConflictError(f"{job_id} has ended: it is {state}.")
        return self.get(job_id)

    def _change(self, row: Item, changes: Item) -> Item | None:
        same = {name: row[name] for name in ("position", "ends", "state")}
        if self.table.set(self.kind, row["sk"], changes, only_if=same):
            return {**row, **changes}
        log_line("a job goes on elsewhere, or was cancelled", job=row["sk"])
        return None


def is_planned(row: Item) -> bool:
    """Tell whether a piece of work was begun and not yet left behind."""
    return bool(row["ends"] != row["position"])


def is_over(row: Item) -> bool:
    """Tell whether nothing is left of the stretch."""
    return bool(row["position"] >= row["until"])


def show(row: Item) -> dict[str, Any]:
    """Return what people are told of any job."""
    return {
        "id": row["sk"],
        "state": row["state"],
        "progress": 1.0 if row["state"] == DONE else progress(row),
        "created_at": moment(row["created_ms"]),
        "created_by": row["by"]["id"],
        "ended_at": moment(row["ended_ms"]) if "ended_ms" in row else None,
    }


def moment(ms: float) -> str:
    """Write Unix milliseconds as people read them."""
    return moments.at(ms / 1000)
