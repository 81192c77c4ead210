"""The verbs of jobs: submit, look, cancel, count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.jobs import reminders
from chalicelib.jobs.counts import statistics
from chalicelib.jobs.model import (
    PREFIX,
    STATES,
    JobRow,
    digest,
    ready_key,
    run_key,
    shown,
)
from chalicelib.jobs.outcomes import Outcome
from chalicelib.jobs.ready import Ready
from chalicelib.jobs.registry import Registry, queue_for
from chalicelib.jobs.rows import PAGE_BYTES, ResultRows
from chalicelib.jobs.settle import Settler
from chalicelib.jobs.store import DATA, JobStore, idempotency_key, singleton_key
from chalicelib.jobs.texts import LARGE, SMALL, Texts, size
from chalicelib.jobs.workers import Workers
from chalicelib.table import Change, Put, Remove, Write
from eventyard.core.errors import (
    ConflictError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
)
from eventyard.core.wire import dumps, loads
from eventyard.jobs.base import clamped

#: A key of the submitter's own is remembered for so long.
KEY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Wish:
    """What a submitter asks for besides the job itself."""

    priority: int = 1
    idempotency_key: str | None = None
    singleton_key: str | None = None
    expires_in_s: float | None = None
    repeat_every_s: float | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was taken; or the one that there is, for a second try."""

    row: JobRow
    position: int | None
    known: bool


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what came of a job, and where it goes on."""

    job: dict[str, Any]
    rows: list[dict[str, Any]]
    cursor: str | None


@dataclass(slots=True)
class JobService:
    """What people do with jobs."""

    registry: Registry
    store: JobStore
    ready: Ready
    texts: Texts
    rows: ResultRows
    settler: Settler
    workers: Workers
    new_key: Callable[[], str]
    #: The longest that anything is kept, in seconds.
    most_kept_s: int

    def submit(self, name: str, job_data: Any, wish: Wish, by: Principal) -> Submitted:
        """
        Check a job and queue it: one transaction with its event.

        Raises InvalidRequestError, PayloadTooLargeError, or ConflictError when the
        idempotency key stands for another job.
        """
        service = self.registry.get(name)
        data = service.prepared(job_data)
        keep_s = min(service.retention_s(data), self.most_kept_s)
        row = self._row(name, queue_for(service.requires), keep_s, wish, by)
        taken = self._take(row, _checked(dumps(data)), wish)
        known = taken.id != row.id
        if not known:
            self.settler.wake(row.queue, {}, 0)
        return Submitted(taken, self.ready.position(taken), known)

    def _row(
        self, name: str, queue: str, keep_s: int, wish: Wish, by: Principal
    ) -> JobRow:
        now = self.store.clock()
        lasts = wish.expires_in_s
        single = wish.singleton_key
        row = JobRow(
            id=PREFIX + self.new_key(),
            service=name,
            queue=queue,
            by=by.id,
            priority=clamped(wish.priority),
            created=now,
            keep_s=keep_s,
            expires=None if lasts is None else now + lasts,
            singleton=None if single is None else digest(single),
            repeat_s=wish.repeat_every_s,
        )
        return replace(row, ready=ready_key(row))

    def _take(self, row: JobRow, text: str, wish: Wish) -> JobRow:
        """Write a job unless one of its keys is taken; return the one that there is."""
        claims = list(_claims(row, text, wish))
        if size(text) <= SMALL:
            row, beside = replace(row, data=text), []
        else:
            row = replace(row, beside=(DATA,))
            beside = [Put(self.texts.item(row.id, DATA, text))]
        agenda = reminders.of_expiry(row, self.settler.later)

        def act() -> JobRow | None:
            more: list[Write] = [*claims, *beside, *agenda]
            done, failed = self.store.change(None, row, "submitted", *more)
            if done is None and failed[0] < len(claims):
                return self._holder(claims[failed[0]].item, text)
            return done

        return self.store.patiently(act)

    def _holder(self, claim: Item, text: str) -> JobRow | None:
        """Return who has a key; None when nobody has it any more."""
        held = self.store.table.get(claim["pk"], claim["sk"])
        if held is None:
            return None
        found = self.store.get(held["job"])
        if found is None or float(held.get("ttl", inf)) <= self.store.clock():
            # Forgotten, though the table has not removed it.
            gone = Remove((held["pk"], held["sk"]), only_if={"job": held["job"]})
            self.store.table.write_all([gone])
            return None
        if "digest" not in held:
            return None if found[0].is_over else found[0]
        if held["digest"] != digest(text):
            raise ConflictError(
                "This idempotency key was used for another job.",
                code="idempotency_key_reused",
                details={"job_id": held["job"]},
            )
        return found[0]

    def get(self, job_id: str, name: str | None = None) -> dict[str, Any]:
        """Tell all of a job; raises NotFoundError."""
        row, run = self._found(job_id, name)
        position = self.ready.position(row)
        return {**self._told(row, run), "queue_position": position}

    def _told(self, row: JobRow, run: Item | None) -> dict[str, Any]:
        told = shown(row, run)
        for text in told.pop("beside"):
            found = self.texts.read(row.id, text)
            told[text] = None if found is None else loads(found)
        return told

    def _found(self, job_id: str, name: str | None) -> tuple[JobRow, Item | None]:
        found = self.store.get(job_id)
        if found is None or name not in (None, found[0].service):
            raise NotFoundError(
                f"There is no job {job_id:.64}.", details={"job_id": job_id}
            )
        return found

    def page(
        self, name: str | None, status: str | None, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """
        Return jobs, the newest first, and where they go on.

        Their texts are left out where they are large; `large` names them.
        """
        services = self.registry.names if name is None else (name,)
        states = STATES if status is None else (status,)
        listed = self.store.listed(services, states, cursor)
        ids = list(islice(listed, limit + 1))
        # One that moves on while lists are read may stand in two of them.
        wanted = list(dict.fromkeys(ids[:limit]))
        more = ids[limit - 1].removeprefix(PREFIX) if len(ids) > limit else None
        found = [shown(*one) for one in self.store.get_each(wanted)]
        return [{"large": one.pop("beside"), **one} for one in found], more

    def cancel(self, job_id: str, name: str, by: Principal) -> tuple[JobRow, str]:
        """
        Cancel a job: at once where nobody does it, else at its next step.

        Returns it with what to tell. Raises NotFoundError, PermissionDeniedError when
        it is somebody else's, or ConflictError when it has ended.
        """

        def act() -> tuple[JobRow, str] | None:
            row, run = self._found(job_id, name)
            if by.id != row.by and not by.may("admin"):
                raise PermissionDeniedError(
                    "Somebody else submitted this job; that needs the scope admin.",
                    details={"scope": "admin"},
                )
            return self._cancel(row, run, by)

        return self.store.patiently(act)

    def _cancel(
        self, row: JobRow, run: Item | None, by: Principal
    ) -> tuple[JobRow, str] | None:
        if row.status == "cancelled":
            return row, "It was cancelled before."
        if row.is_over:
            raise ConflictError(
                f"This job has ended: it is {row.status}.",
                details={"job_id": row.id, "status": row.status},
            )
        if run is None:
            done = self.settler.end_waiting(
                row.id, Outcome("cancelled"), _always, {"cancelled_by": by.id}
            )
            return None if done is None else (done, "It is cancelled.")
        asked = Change(
            run_key(row.id), sets={"cancel": True}, only_if={"owner": run["owner"]}
        )
        if self.store.table.write_all([asked]):
            return None
        return row, "It stops at its next step."

    def results(
        self, job_id: str, name: str, cursor: str | None, limit: int
    ) -> Results:
        """Return a page of what came of a job; raises NotFoundError."""
        job = self._told(*self._found(job_id, name))
        # What came of it whole stands in the same answer.
        room = PAGE_BYTES - size(dumps(job["result"]))
        rows, further = self.rows.page(job_id, cursor, limit, room)
        return Results(job, rows, further)

    def stats(self, name: str) -> dict[str, Any]:
        """Count the jobs of a service."""
        counts = self.store.counts.read(self.registry.check(name))
        runs = list(self.store.runs())
        own = sum(1 for run in runs if run["service"] == name)
        workers = self.workers.all(runs)
        heard = sum(1 for one in workers if one["state"] != "lost")
        waiting = self._waiting(name)
        rates = statistics(counts)
        return {
            "service_name": name,
            "stats": rates,
            "dispatcher": {
                "total_dispatched": counts["begun"],
                "successful_dispatches": counts["completed"],
                "failed_dispatches": counts["failed"],
                "success_rate": rates["success_rate"],
                "failure_rate": rates["failure_rate"],
                "queue_size": waiting,
                "available_workers": heard,
                "total_workers": len(workers),
            },
            "dispy_cluster": {"status": "ready", "nodes": heard, "jobs": own},
            "queue_size": waiting,
        }

    def _waiting(self, name: str) -> int:
        found = self.store.listed([name], ["pending"], None)
        return sum(1 for _ in islice(found, 1_000))

    def all_workers(self) -> list[dict[str, Any]]:
        """Return who does jobs, or did within an hour."""
        return self.workers.all(self.store.runs())


def _claims(row: JobRow, text: str, wish: Wish) -> list[Put]:
    claims = []
    if wish.idempotency_key is not None:
        pk, sk = idempotency_key(row.service, row.by, wish.idempotency_key)
        kept = {"digest": digest(text), "ttl": int(row.created) + KEY_S}
        item = {"pk": pk, "sk": sk, "job": row.id, **kept}
        claims.append(Put(item, fresh=True))
    if row.singleton is not None:
        pk, sk = singleton_key(row.service, row.singleton)
        claims.append(Put({"pk": pk, "sk": sk, "job": row.id}, fresh=True))
    return claims


def _checked(text: str) -> str:
    if size(text) > LARGE:
        raise PayloadTooLargeError(
            f"A job may have {LARGE} bytes, not {size(text)}.",
            details={"limit": LARGE, "bytes": size(text)},
        )
    return text


def _always(_: JobRow) -> bool:
    return True
