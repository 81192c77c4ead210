"""A job without a queue, for scripts and tests: what it keeps, it keeps in memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from eventyard.core.errors import InvalidRequestError
from eventyard.jobs.base import BaseService
from eventyard.jobs.context import running
from eventyard.jobs.errors import JobCancelled, JobPaused


class MemoryJob:
    """
    What `current_job()` returns within `perform`.

    `cancel_requested` makes the next report of progress end it. One that is given the
    `checkpoint` and the `rows` of another goes on where that was.
    """

    previous_job_id: str | None = None

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        checkpoint: Any = None,
        rows: Sequence[Mapping[str, Any]] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = "job"
        self.data = data
        self.attempt = 1
        self.checkpoint = checkpoint
        self.cancel_requested = False
        self.share = 0.0
        self.facts: dict[str, Any] = {}
        #: How often each row was kept, and what the rows are, by their keys.
        self.kept: dict[str, int] = {}
        self.rows: dict[str, dict[str, Any]] = {row["key"]: dict(row) for row in rows}
        #: The rows of other jobs, by their ids.
        self.others: dict[str, list[dict[str, Any]]] = {}
        self._clock = clock
        self._turns: dict[str, float] = {}

    async def progress(self, share: float, **facts: Any) -> None:
        """Note how much is done; raises JobCancelled when that was asked for."""
        self.share = min(max(float(share), 0.0), 1.0)
        self.facts |= facts
        if self.cancel_requested:
            raise JobCancelled

    async def save(self, checkpoint: Any) -> None:
        """Keep what to go on from."""
        self.checkpoint = checkpoint

    async def results(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows; one with the same `key` is replaced."""
        for row in rows:
            if not isinstance(row.get("key"), str):
                raise InvalidRequestError("A row of results has a text as its key.")
            self.rows[row["key"]] = dict(row)
            self.kept[row["key"]] = self.kept.get(row["key"], 0) + 1

    async def rows_of(self, job_id: str) -> list[dict[str, Any]]:
        """Return the rows of a job."""
        return (
            [*self.rows.values()] if job_id == self.id else self.others.get(job_id, [])
        )

    def seconds_left(self) -> float:
        """Return how much time is left: as much as one likes."""
        return math.inf

    async def pause(self, after_s: float = 0) -> NoReturn:
        """Stop, to go on from the checkpoint."""
        raise JobPaused(after_s)

    async def shared_gap(self, name: str, seconds: float) -> float:
        """Take the next turn at something; return how long to wait for it."""
        now = self._clock()
        start = max(now, self._turns.get(name, 0.0))
        self._turns[name] = start + seconds
        return start - now


async def perform(
    service: BaseService, job_data: Mapping[str, Any], job: MemoryJob | None = None
) -> dict[str, Any]:
    """
    Do a job here and now; return what came of it.

    Raises InvalidRequestError for one that is not valid, and whatever its service
    raises.
    """
    whole = service.prepared(job_data)
    job = job or MemoryJob(whole)
    job.data = whole
    with running(job):
        return await service.process_job(dict(whole))
