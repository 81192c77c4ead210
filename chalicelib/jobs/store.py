"""Jobs as items, and each change of one as one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from operator import itemgetter
from typing import Any, Final, TypeVar

from chalicelib.aws import Item
from chalicelib.jobs.counts import Counts
from chalicelib.jobs.model import (
    PREFIX,
    RUNS,
    JobRow,
    digest,
    from_item,
    job_key,
    list_key,
    run_key,
)
from chalicelib.jobs.ready import ready_item, ready_item_key
from chalicelib.jobs.tell import Teller
from chalicelib.jobs.texts import text_key
from chalicelib.table import Change, Put, Remove, Table, Write, patiently

_LONGEST_ID: Final = 64
#: What a program saved to go on from.
CHECKPOINT: Final = "checkpoint"
DATA: Final = "data"
Done = TypeVar("Done")


@dataclass(slots=True)
class JobStore:
    """Reads jobs, and writes each change with all that belongs to it."""

    table: Table
    teller: Teller
    counts: Counts
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def get(self, job_id: str) -> tuple[JobRow, Item | None] | None:
        """Read a job with its run, if somebody does it; None: there is none."""
        # The table takes no key that is empty.
        if not 0 < len(job_id) <= _LONGEST_ID:
            return None
        found = self.table.get_many([job_key(job_id), run_key(job_id)])
        item = found.get(job_key(job_id))
        if item is None or self._is_forgotten(item):
            return None
        return from_item(item), found.get(run_key(job_id))

    def get_each(self, job_ids: Iterable[str]) -> list[tuple[JobRow, Item | None]]:
        """Read jobs that there are, in the order of their ids."""
        wanted = list(job_ids)
        keys = [key(one) for one in wanted for key in (job_key, run_key)]
        found = self.table.get_many(keys)
        rows = [(found.get(job_key(one)), found.get(run_key(one))) for one in wanted]
        return [
            (from_item(item), run)
            for item, run in rows
            if item is not None and not self._is_forgotten(item)
        ]

    def _is_forgotten(self, item: Item) -> bool:
        # The table takes up to two days to remove what is over.
        return "ttl" in item and int(item["ttl"]) <= self.clock()

    def runs(self) -> Iterator[Item]:
        """Yield the runs of all jobs that somebody does."""
        yield from self.table.query(RUNS)

    def listed(
        self, services: Iterable[str], states: Iterable[str], before: str | None
    ) -> Iterator[str]:
        """Yield the ids of jobs, the newest first, behind one of them."""
        states = tuple(states)
        parts = [
            self.table.query(
                f"jobs#{service}#{state}",
                until=before,
                newest_first=True,
                fields=("sk",),
            )
            for service in services
            for state in states
        ]
        found = merge(*parts, key=itemgetter("sk"), reverse=True)
        return (PREFIX + one["sk"] for one in found if one["sk"] != before)

    def change(
        self,
        old: JobRow | None,
        new: JobRow,
        kind: str | None,
        *more: Write,
        told: Mapping[str, Any] | None = None,
        then: JobRow | None = None,
    ) -> tuple[JobRow | None, list[int]]:
        """
        Write a job in the place of the one that was read, and more with it.

        `kind` names the event that tells of it, with `told` besides; `then` is a job
        that begins with the end of this one. The job as it is now; or None and which of
        `more` may not be written, when somebody changed it meanwhile or one of those
        may not be. Raises ThrottledError.
        """
        new, writes = self._written(old, new, kind, told)
        kinds = [] if kind is None else [_counted(old, kind)]
        if then is not None:
            writes += self._written(None, then, "submitted", None)[1]
            kinds.append("submitted")
        # All is counted at once: a transaction takes no item twice.
        counted = self.counts.change(new.service, *kinds)
        failed = self.table.write_all([*more, *writes, *counted, *_ends(new, then)])
        return (None if failed else new), failed

    def _written(
        self,
        old: JobRow | None,
        new: JobRow,
        kind: str | None,
        told: Mapping[str, Any] | None,
    ) -> tuple[JobRow, list[Write]]:
        new = replace(new, version=new.version + 1)
        commits: list[Write] = []
        if kind is not None:
            new, commit = self.teller.told(new, kind, told)
            commits.append(Put(commit))
        first = (
            Put(new.to_item(), fresh=True)
            if old is None
            else Put(new.to_item(), only_if={"version": old.version})
        )
        return new, [first, *commits, *self._lists(old, new)]

    def _lists(self, old: JobRow | None, new: JobRow) -> Iterator[Write]:
        if old is None or old.status != new.status:
            pk, sk = list_key(new)
            yield Put({"pk": pk, "sk": sk, "ttl": new.ttl})
        if old is not None and old.status != new.status:
            yield Remove(list_key(old))
        was = old.ready if old is not None else None
        if was != new.ready:
            if old is not None and was is not None:
                yield Remove(ready_item_key(old))
            if new.ready is not None:
                yield Put(ready_item(new, self.clock()))

    def patiently(self, act: Callable[[], Done | None]) -> Done:
        """
        Do what others may hinder until it is done; None asks to begin again.

        Raises UnavailableError when that does not end.
        """
        return patiently(act, self.sleep, "Too much changes this job; try again.")


def _ends(new: JobRow, then: JobRow | None) -> Iterator[Write]:
    if not new.is_over:
        return
    yield Remove(text_key(new.id, CHECKPOINT))
    if DATA in new.beside:
        yield Change(text_key(new.id, DATA), sets={"ttl": new.ttl})
    if new.singleton is not None:
        pk, sk = singleton_key(new.service, new.singleton)
        # Who comes next has the key from then on: nobody else comes between.
        yield Put({"pk": pk, "sk": sk, "job": then.id}) if then else Remove((pk, sk))


def singleton_key(service: str, name: str) -> tuple[str, str]:
    """Return what keeps a second job of a name away."""
    return f"jobs#singleton#{service}", name


def idempotency_key(service: str, by: str, key: str) -> tuple[str, str]:
    """Return what tells a second try of a submission."""
    return f"jobs#key#{service}", digest(f"{by}\n{key}")


def _counted(old: JobRow | None, kind: str) -> str:
    # A job that is begun again counts once.
    again = kind == "started" and old is not None and old.attempts > 0
    return "" if again else kind
