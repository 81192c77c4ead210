"""The end of a try: what becomes of the job, in one transaction with its event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.jobs.model import JobRow, run_key
from chalicelib.jobs.outcomes import Outcome, Seen, after
from chalicelib.jobs.store import JobStore
from chalicelib.jobs.texts import SMALL, Texts, size
from chalicelib.table import Put, Remove, Write
from chalicelib.telemetry import log
from eventyard.core.wire import loads

AGENDA: Final = "job"
RESULT: Final = "result"
_GONE: Final = object()


@dataclass(slots=True)
class Settler:
    """Ends tries, whoever made them, and lets go on what does."""

    store: JobStore
    texts: Texts
    #: Returns the agenda's row for a moment: kind, name, milliseconds, ref.
    later: Callable[[str, str, int, Item], Item]
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
        result = self._result(job_id, outcome)

        def act() -> object:
            found = self.store.get(job_id)
            run = found[1] if found else None
            if found is None or run is None or not _is(run, owner, silent_since):
                return _GONE
            known = {**run, **(seen or {})}
            same = {"owner": owner, "cancel": run.get("cancel"), "until": run["until"]}
            # Its own sign of life may come in between; it is the same owner.
            same = same if silent_since is not None else _without_until(same)
            gone = Remove(run_key(job_id), only_if=same)
            return self._write(found[0], outcome, _seen(known), gone, *result)

        return self._told(job_id, self.store.patiently(act))

    def end_waiting(
        self,
        job_id: str,
        outcome: Outcome,
        still: Callable[[JobRow], bool],
        told: Mapping[str, Any] | None = None,
    ) -> JobRow | None:
        """End a job that nobody does; None when that does not hold any more."""

        def act() -> object:
            found = self.store.get(job_id)
            if found is None or not found[0].waits or not still(found[0]):
                return _GONE
            row = found[0]
            return self._write(row, outcome, _kept(row), told=told)

        return self._told(job_id, self.store.patiently(act))

    def _told(self, job_id: str, done: object) -> JobRow | None:
        if isinstance(done, JobRow):
            self._go_on(done)
            return done
        log("a job is somebody else's by now", job=job_id)
        return None

    def _write(
        self,
        row: JobRow,
        outcome: Outcome,
        seen: Seen,
        *more: Write,
        told: Mapping[str, Any] | None = None,
    ) -> JobRow | None:
        new, kind = after(row, outcome, seen, self.store.clock())
        new = _with_result(new, outcome)
        agenda = []
        if new.due is not None:
            ref = {"job": row.id, "what": "retry"}
            at_ms = int(new.due * 1000)
            agenda = [Put(self.later(AGENDA, f"{row.id}#retry", at_ms, ref))]
        done, _ = self.store.change(row, new, kind, *more, *agenda, told=told)
        return done

    def _result(self, job_id: str, outcome: Outcome) -> list[Write]:
        if outcome.result is None or size(outcome.result) <= SMALL:
            return []
        found = self.store.get(job_id)
        ttl = int(self.store.clock()) + found[0].keep_s if found else None
        return [Put(self.texts.item(job_id, RESULT, outcome.result, ttl))]

    def _go_on(self, row: JobRow) -> None:
        """Wake somebody up; where this is never done the schedule finds out."""
        if row.due is not None:
            self.wake(row.queue, {"job": row.id}, row.due - self.store.clock())
        elif row.ready is not None:
            self.wake(row.queue, {}, 0)


def _with_result(row: JobRow, outcome: Outcome) -> JobRow:
    if outcome.result is None:
        return row
    if size(outcome.result) <= SMALL:
        return replace(row, result=outcome.result)
    return replace(row, beside=(*row.beside, RESULT))


def _is(run: Item, owner: str, silent_since: float | None) -> bool:
    return run["owner"] == owner and silent_since in (None, run["until"])


def _without_until(same: Item) -> Item:
    return {name: value for name, value in same.items() if name != "until"}


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
