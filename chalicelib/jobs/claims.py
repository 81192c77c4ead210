"""Beginning a job: the best there is, by one worker alone."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from chalicelib.aws import Item
from chalicelib.jobs.lease import Lease, new_run
from chalicelib.jobs.model import PENDING, RUNNING, JobRow, who
from chalicelib.jobs.outcomes import EXPIRED, Outcome
from chalicelib.jobs.ready import Ready
from chalicelib.jobs.settle import Settler
from chalicelib.jobs.store import JobStore
from chalicelib.table import Put, Remove, ThrottledError
from eventyard.core.errors import UnavailableError

_TRIES: Final = 25


@dataclass(frozen=True, slots=True)
class Turn:
    """A job that somebody is to do, and their lease."""

    row: JobRow
    lease: Lease


@dataclass(slots=True)
class Claims:
    """Gives out turns."""

    store: JobStore
    ready: Ready
    settler: Settler

    def take(self, queue: str, node: str) -> Turn | None:
        """
        Begin the next job of a queue, or let one go on; None: there is none.

        Raises UnavailableError when others are always faster.
        """
        for attempt in range(_TRIES):
            item = self.ready.pick(queue, self._running(queue), attempt)
            if item is None:
                return None
            turn = self._begin(item, node)
            if turn is not None:
                return turn
            self.store.sleep(random.uniform(0, 0.002 * attempt))  # noqa: S311
        raise UnavailableError("Others take every job; try again.")

    def _running(self, queue: str) -> Counter[str]:
        runs = self.store.runs()
        return Counter(who(run["by"]) for run in runs if run["queue"] == queue)

    def _begin(self, item: Item, node: str) -> Turn | None:
        found = self.store.get(item["job"])
        row = found[0] if found else None
        if row is None or row.is_over:
            # Nobody leaves such a thing; it would be in everybody's way.
            same = {"since": item["since"]}
            key = (item["pk"], item["sk"])
            self.store.table.write_all([Remove(key, only_if=same)])
            return None
        if row.ready != item["sk"]:
            return None
        if is_expired(row, self.store.clock()):
            expired = Outcome("failed", EXPIRED)
            self.settler.end_waiting(row.id, expired, lambda one: one.ready is not None)
            return None
        return self._take(row, node)

    def _take(self, row: JobRow, node: str) -> Turn | None:
        now, owner = self.store.clock(), uuid4().hex
        new = _begun(row, node, now)
        kind = "started" if row.status == PENDING else None
        run = Put(new_run(new, owner, now), fresh=True)
        try:
            done, _ = self.store.change(row, new, kind, run)
        except ThrottledError:  # somebody else takes it at this very moment
            return None
        return Turn(done, Lease(self.store, row.id, owner)) if done else None


def is_expired(row: JobRow, now: float) -> bool:
    """Tell whether a job is too old to begin."""
    return row.status == PENDING and row.expires is not None and row.expires <= now


def _begun(row: JobRow, node: str, now: float) -> JobRow:
    goes_on = row.status == RUNNING
    return replace(
        row,
        status=RUNNING,
        node=node,
        attempts=row.attempts if goes_on else row.attempts + 1,
        started=now if row.started is None else row.started,
        error=None,
        ready=None,
        due=None,
    )
