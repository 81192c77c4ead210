"""The job that a worker of this program does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from eventyard.core.errors import InvalidRequestError
from eventyard.jobs.errors import JobCancelled, JobPaused
from eventyard.jobs.task import Task
from eventyard.jobs.task_queue import LEASE_S, TaskQueue


class LocalJob:
    """What `current_job()` returns while a task of a `TaskQueue` is done."""

    def __init__(self, queue: TaskQueue, task: Task) -> None:
        self.id = task.job_id
        self.data: Mapping[str, Any] = task.payload
        self.attempt = task.retry_count + 1
        self.checkpoint = task.checkpoint
        before = task.payload.get("previous_job_id")
        self.previous_job_id = before if isinstance(before, str) else None
        self._queue = queue
        self._task = task

    async def progress(self, share: float, **facts: Any) -> None:
        """Tell how much is done; raises JobCancelled when somebody asked for that."""
        done = min(max(float(share), 0.0), 1.0)
        found = await self._queue.database.fetch_one(
            "UPDATE jobs SET progress = ?, lease_until = ? "
            "WHERE task_id = ? AND status = 'running' AND assigned_node = ? "
            "RETURNING cancel_requested",
            [done, self._queue.clock() + LEASE_S, *self._mine],
        )
        if found is None or found["cancel_requested"]:
            raise JobCancelled
        self._task.progress = done
        for listener in self._queue.listeners:
            listener("progress", self._task)
        del facts

    async def beat(self) -> None:
        """Say that somebody is still at it."""
        await self._queue.database.execute(
            "UPDATE jobs SET lease_until = ? "
            "WHERE task_id = ? AND status = 'running' AND assigned_node = ?",
            [self._queue.clock() + LEASE_S, *self._mine],
        )

    async def save(self, checkpoint: Any) -> None:
        """Keep what to go on from."""
        await self._queue.database.execute(
            "UPDATE jobs SET checkpoint = ? "
            "WHERE task_id = ? AND status = 'running' AND assigned_node = ?",
            [json.dumps(checkpoint), *self._mine],
        )
        self.checkpoint = checkpoint

    async def results(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows; one with the same `key` is replaced."""
        for row in rows:
            if not isinstance(row.get("key"), str):
                raise InvalidRequestError("A row of results has a text as its key.")
            await self._queue.database.execute(
                "INSERT INTO job_results (job_id, row_key, row_data) VALUES (?, ?, ?) "
                "ON CONFLICT (job_id, row_key) DO UPDATE SET "
                "row_data = excluded.row_data",
                [self.id, row["key"], json.dumps(dict(row))],
            )

    async def rows_of(self, job_id: str) -> list[dict[str, Any]]:
        """Return all rows of another job of this service; none when there is none."""
        task = await self._queue.of_job(job_id)
        if task is None or task.service_name != self._task.service_name:
            return []
        return await self._queue.results(job_id)

    def seconds_left(self) -> float:
        """Return how much time is left: a program has as much as it likes."""
        return math.inf

    async def pause(self, after_s: float = 0) -> NoReturn:
        """Wait, so long at least, to go on from the checkpoint."""
        raise JobPaused(after_s)

    async def shared_gap(self, name: str, seconds: float) -> float:
        """Take the next turn at something shared; return how long to wait for it."""
        moment = self._queue.clock()
        found = await self._queue.database.fetch_one(
            "INSERT INTO job_turns (name, next_at) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET next_at = ? + CASE "
            "WHEN job_turns.next_at > ? THEN job_turns.next_at ELSE ? END "
            "RETURNING next_at",
            [name, moment + seconds, seconds, moment, moment],
        )
        next_at = float(found["next_at"]) if found else moment + seconds
        return max(next_at - seconds - moment, 0.0)

    @property
    def _mine(self) -> tuple[str, str | None]:
        return self._task.task_id, self._task.assigned_node
