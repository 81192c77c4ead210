"""The end of a try: what becomes of the job, in one transaction with its event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from chalicelib.aws import Item
from chalicelib.jobs import reminders
from chalicelib.jobs.again import Repeats
from chalicelib.jobs.model import JobRow, run_key
from chalicelib.jobs.outcomes import Outcome, Seen, after
from chalicelib.jobs.store import JobStore
from chalicelib.jobs.texts import SMALL, Texts, size, text_key
from chalicelib.table import Put, Remove, Write
from chalicelib.telemetry import log
from eventyard.core.wire import loads

RESULT: Final = "result"
#: What becomes of a job; False: it is somebody else's by now; None: begin again.
Done = JobRow | Literal[False] | None


@dataclass(slots=True)
class Settler:
    """Ends tries, whoever made them, and lets go on what does."""

    store: JobStore
    texts: Texts
    repeats: Repeats
    later: reminders.Later
    #: Wakes a worker of a queue up: the queue, what for, after how many seconds.
    wake: Callable[[str, Item, float], None]

    def end_run(
        self,
        job_id: str,
        owner: str,
        outcome: Outcome,
        *,
        seen: Mapping[str, Any] | None = None,
        silent_since: float | None = None,
    ) -> JobRow | None:
        """
        End the run of an owner; None when it is somebody else's by now.

        `seen` is what the owner knows beyond what the run says. `silent_since`: only if
        the lease still ends then.
        """
        body = self._body(outcome)

        def act() -> Done:
            found = self.store.get(job_id)
            run = found[1] if found else None
            if found is None or run is None or not _is(run, owner, silent_since):
                return False
            same = {"owner": owner, "cancel": run.get("cancel")}
            if silent_since is not None:  # else its own sign of life may come between
                same["until"] = silent_since
            gone = Remove(run_key(job_id), only_if=same)
            known = _seen({**run, **(seen or {})})
            return self._write(found[0], outcome, known, gone, body=body)

        return self._told(job_id, self.store.patiently(act))

    def end_waiting(
        self,
        job_id: str,
        outcome: Outcome,
        still: Callable[[JobRow], bool],
        told: Mapping[str, Any] | None = None,
    ) -> JobRow | None:
        """End a job that nobody does; None when that does not hold any more."""

        def act() -> Done:
            found = self.store.get(job_id)
            if found is None or not found[0].waits or not still(found[0]):
                return False
            row = found[0]
            return self._write(row, outcome, _kept(row), told=told)

        return self._told(job_id, self.store.patiently(act))

    def _told(self, job_id: str, done: JobRow | Literal[False]) -> JobRow | None:
        if done:
            return done
        log("a job is somebody else's by now", job=job_id)
        return None

    def _write(
        self,
        row: JobRow,
        outcome: Outcome,
        seen: Seen,
        *more: Write,
        body: Item | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> JobRow | None:
        now = self.store.clock()
        new, kind = after(row, outcome, seen, now)
        new, beside = _with_result(new, outcome, body)
        beside += reminders.of_due(new, self.later)
        then, besides = self.repeats.after(new, now)
        new = new if then is None else replace(new, next=then.id)
        writes = [*more, *beside, *besides]
        done, _ = self.store.change(row, new, kind, *writes, told=told, then=then)
        if done is not None:
            self._go_on(done)
            self._go_on(then)
        return done

    def _body(self, outcome: Outcome) -> Item | None:
        """Return what holds a result that does not rest in its job."""
        if outcome.result is None or size(outcome.result) <= SMALL:
            return None
        return self.texts.body(outcome.result)

    def _go_on(self, row: JobRow | None) -> None:
        """Wake somebody up; where this is never done the schedule finds out."""
        if row is None:
            return
        if row.due is not None:
            self.wake(row.queue, {"job": row.id}, row.due - self.store.clock())
        elif row.ready is not None:
            self.wake(row.queue, {}, 0)


def _with_result(
    row: JobRow, outcome: Outcome, body: Item | None
) -> tuple[JobRow, list[Put]]:
    if body is None:
        whole = row.result if outcome.result is None else outcome.result
        return replace(row, result=whole), []
    pk, sk = text_key(row.id, RESULT)
    beside = [Put({"pk": pk, "sk": sk, "ttl": row.ttl, **body})]
    return replace(row, beside=(*row.beside, RESULT)), beside


def _is(run: Item, owner: str, silent_since: float | None) -> bool:
    return run["owner"] == owner and silent_since in (None, run["until"])


def _seen(run: Mapping[str, Any]) -> Seen:
    return Seen(
        float(run["progress"]),
        loads(run["facts"]),
        int(run["revision"]),
        run["place"],
        bool(run.get("cancel")),
    )


def _kept(row: JobRow) -> Seen:
    return Seen(row.progress, row.facts, row.revision, row.place)
