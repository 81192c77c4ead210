"""What time does to jobs: what waited is due, expires, died or lies about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from chalicelib.aws import Item
from chalicelib.jobs.claims import is_expired
from chalicelib.jobs.model import MOST_ATTEMPTS, JobRow, ready_key
from chalicelib.jobs.outcomes import DIED, EXPIRED, NEVER_ENDED, Outcome
from chalicelib.jobs.ready import Ready
from chalicelib.jobs.registry import QUEUES
from chalicelib.jobs.settle import Settler
from chalicelib.jobs.store import JobStore
from chalicelib.telemetry import log, log_error

#: The queue has so long before the schedule wakes somebody up instead.
GRACE_S: Final = 60.0
_WOKEN_A_TICK: Final = 20
#: Clocks of functions may differ so much.
_SKEW_S: Final = 1.0


@dataclass(slots=True)
class Repairs:
    """What the agenda and the minute schedule do for jobs."""

    store: JobStore
    ready: Ready
    settler: Settler
    wake: Callable[[str, Item, float], None]
    #: How many messages wait in a queue.
    depth: Callable[[str], int]

    def due(self, ref: Item) -> None:
        """Do what a row of the agenda asks for; doing it again changes nothing."""
        if ref["what"] == "expiry":
            expired = Outcome("failed", EXPIRED)
            self.settler.end_waiting(ref["job"], expired, self._is_expired)
        elif self.retry(ref["job"]) is not None:
            self.wake(self._queue(ref["job"]), {}, 0)

    def _is_expired(self, row: JobRow) -> bool:
        return is_expired(row, self.store.clock())

    def _queue(self, job_id: str) -> str:
        found = self.store.get(job_id)
        return found[0].queue if found else next(iter(QUEUES))

    def retry(self, job_id: str) -> JobRow | None:
        """Make a job ready that waited until now; None when there is none."""

        def act() -> JobRow | Literal[False] | None:
            found = self.store.get(job_id)
            if found is None or not self._is_due(found[0]):
                return False
            row = found[0]
            new = replace(row, due=None, ready=ready_key(row))
            return self.store.change(row, new, None)[0]

        done: JobRow | Literal[False] = self.store.patiently(act)
        return done or None

    def _is_due(self, row: JobRow) -> bool:
        soon = self.store.clock() + _SKEW_S
        return row.due is not None and row.due <= soon

    def sweep(self) -> int:
        """Take back what died, and wake up for what lies about; count the dead."""
        stalled = [run for run in self.store.runs() if self._is_silent(run)]
        taken = sum(map(self._take_back, stalled))
        for queue in QUEUES:
            self._wake_up(queue)
        return taken

    def _wake_up(self, queue: str) -> None:
        before = self.store.clock() - GRACE_S
        lying = self.ready.left_lying(queue, before, _WOKEN_A_TICK)
        # Where messages wait, it is workers that are missing.
        missing = lying - self.depth(queue) if lying else 0
        for _ in range(missing):
            self.wake(queue, {}, 0)

    def _is_silent(self, run: Item) -> bool:
        return float(run["until"]) <= self.store.clock()

    def _take_back(self, run: Item) -> bool:
        died = Outcome("failed", DIED, retryable=True, last_error=NEVER_ENDED)
        try:
            done = self.settler.end_run(
                run["sk"], run["owner"], died, silent_since=run["until"]
            )
        except Exception as error:  # noqa: BLE001 - one bad job never blocks others
            log_error("a job that died was not taken back", error, job=run["sk"])
            return False
        log("a job died", job=run["sk"], node=run["node"], most=MOST_ATTEMPTS)
        return done is not None
