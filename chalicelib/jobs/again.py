"""Jobs that are repeated: the end of each is the beginning of the next one's wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.jobs import reminders
from chalicelib.jobs.model import CANCELLED, PREFIX, JobRow, ready_key
from chalicelib.jobs.store import DATA
from chalicelib.jobs.texts import Texts
from chalicelib.table import Put
from chalicelib.telemetry import log


@dataclass(frozen=True, slots=True)
class Repeats:
    """
    Makes the next of a job that is repeated.

    It is written in the transaction of the end that it follows. So there is one of it
    whoever ends the job, and none without that end; nobody has to look for what was
    left out.
    """

    texts: Texts
    later: reminders.Later
    new_key: Callable[[], str]

    def after(self, row: JobRow, now: float) -> tuple[JobRow | None, list[Put]]:
        """Return the next job, and what is written with it; None: there is none."""
        if not row.is_over or row.status == CANCELLED or row.repeat_s is None:
            return None, []
        new = following(row, PREFIX + self.new_key(), now)
        beside = []
        if DATA in row.beside:
            text = self.texts.read(row.id, DATA)
            if text is None:
                log("what was asked for is gone: it is not repeated", job=row.id)
                return None, []
            beside.append(Put(self.texts.item(new.id, DATA, text)))
        due = reminders.of_due(new, self.later)
        return new, [*beside, *due, *reminders.of_expiry(new, self.later)]


def following(row: JobRow, job_id: str, now: float) -> JobRow:
    """
    Return the job that follows one that has ended.

    Turns are counted from turn to turn: how long a job takes moves none of them, unless
    it takes longer than they are apart.
    """
    turn = max(now, row.turn_at + (row.repeat_s or 0))
    new = JobRow(
        id=job_id,
        service=row.service,
        queue=row.queue,
        by=row.by,
        priority=row.priority,
        created=now,
        keep_s=row.keep_s,
        expires=None if row.expires is None else turn + row.expires - row.turn_at,
        singleton=row.singleton,
        repeat_s=row.repeat_s,
        turn=turn,
        previous=row.id,
        data=row.data,
        beside=(DATA,) if DATA in row.beside else (),
    )
    waits = turn > now
    return replace(new, due=turn) if waits else replace(new, ready=ready_key(new))
