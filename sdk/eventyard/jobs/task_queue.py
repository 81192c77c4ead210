"""A queue of tasks in a program of one's own, kept in a database."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from eventyard.core import moments
from eventyard.jobs.base import BaseService, clamped, not_found
from eventyard.jobs.database import DatabaseManager, Row
from eventyard.jobs.task import ENDED, Task, TaskStatus, now, rates

#: A worker that dies lets its tasks go after so long; one that lives says so earlier.
LEASE_S: Final = 30.0
MOST_ATTEMPTS: Final = 3
_LONGEST_WAIT_S: Final = 60.0
_CLAIM: Final = """UPDATE jobs SET status = 'running', assigned_node = ?,
    attempts = attempts + 1, lease_until = ?, started_at = COALESCE(started_at, ?)
    WHERE status = 'pending' AND job_id = (
        SELECT job_id FROM jobs WHERE status = 'pending' AND not_before <= ?
        {wanted} ORDER BY priority DESC, place LIMIT 1
    ) RETURNING *"""


class TaskQueue:
    """
    Tasks by priority, 10 before 1, and of one priority in the order they came.

    They are kept in a database, by default in memory; with a file or a server they
    outlive the program, and several programs may share them. It is what services of
    `eventyard.jobs` submit to; a `Dispatcher` has its tasks done.
    """

    def __init__(
        self,
        database: DatabaseManager | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database = database or DatabaseManager()
        self.clock = clock
        #: Told of everything that happens: the kind of event, and the task.
        self.listeners: list[Callable[[str, Task], None]] = []
        self.services: dict[str, BaseService] = {}
        self._last_place = 0
        self._counted: dict[str, dict[str, int]] = {}

    # What services ask of it.

    async def submit(
        self,
        service: BaseService,
        job_data: Mapping[str, Any],
        *,
        priority: int,
        requires: tuple[str, ...],
    ) -> dict[str, Any]:
        """Queue a job that was checked, and have it done where there is a dispatcher."""
        self.services[service.service_name] = service
        task = Task(
            dict(job_data),
            requires=requires,
            priority=clamped(priority),
            service_name=service.service_name,
        )
        await self.push(task)
        dispatched = {"status": "queued", "reason": "no_dispatcher"}
        if service.dispatcher is not None:
            dispatched = await service.dispatcher.dispatch(self)
        return {
            "success": True,
            "job_id": task.job_id,
            "task_id": task.task_id,
            "status": "submitted",
            "dispatch_result": dispatched,
            "queue_position": await self.position(task),
        }

    async def status(self, service_name: str, job_id: str) -> dict[str, Any] | None:
        """Return how a job does, or None."""
        task = await self.of_job(job_id)
        if task is None or task.service_name != service_name:
            return None
        shown = ("status", "assigned_node", "progress", "created_at", "started_at")
        told = {name: getattr(task, name) for name in shown}
        more = {"completed_at": task.completed_at, "error": task.error}
        ended = {"status": str(task.status), "result": task.result}
        return {"job_id": job_id, **told, **more, **ended}

    async def listed(
        self, service_name: str, status: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return the tasks of a service, the newest first."""
        wanted = " AND status = ?" if status else ""
        values = [service_name, *([status] if status else []), limit]
        rows = await self.database.fetch_all(
            f"SELECT * FROM jobs WHERE service_name = ?{wanted} "  # noqa: S608 - no value
            "ORDER BY place DESC LIMIT ?",
            values,
        )
        return [Task.from_row(row).to_dict() for row in rows]

    async def cancel(self, service_name: str, job_id: str) -> dict[str, Any]:
        """Cancel a job: at once where it waits, at its next step where it runs."""
        task = await self.of_job(job_id)
        if task is None or task.service_name != service_name:
            return {"success": False, **not_found(job_id)}
        if await self.cancel_task(task.task_id):
            return {"success": True, "job_id": job_id, "message": "Job cancelled"}
        state = str((await self._task("job_id", job_id) or task).status)
        told = f"Job {job_id} has ended: it is {state}."
        return {"success": False, "job_id": job_id, "error": told, "status": state}

    async def stats(self, service_name: str) -> dict[str, Any]:
        """Return the counts of a service; rates are of what has ended."""
        counts = await self._counts("WHERE service_name = ?", [service_name])
        first = await self.database.fetch_one(
            "SELECT MIN(created_at) AS first FROM jobs WHERE service_name = ?",
            [service_name],
        )
        elsewhere = self._counted.get(service_name, {})
        return {
            "service_name": service_name,
            "stats": {
                **rates(counts, elsewhere),
                "created_at": (first or {}).get("first"),
            },
            "queue_size": counts["pending"],
            "timestamp": now(),
        }

    async def rows(self, service_name: str, job_id: str) -> list[dict[str, Any]]:
        """Return the rows that a job of a service kept, by their keys."""
        task = await self.of_job(job_id)
        mine = task is not None and task.service_name == service_name
        return await self.results(job_id) if mine else []

    async def record(self, service_name: str, *, success: bool) -> None:
        """Count a job that was done elsewhere."""
        counted = self._counted.setdefault(service_name, {})
        name = "done" if success else "failed"
        counted[name] = counted.get(name, 0) + 1

    # What a queue can do.

    async def push(self, task: Task) -> Task:
        """Put a task into the queue."""
        self._last_place = max(self._last_place + 1, time.time_ns())
        await self.database.execute(
            "INSERT INTO jobs (job_id, task_id, service_name, status, priority, "
            "requires, data, place, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(task.job_id, task.task_id, task.service_name, str(task.status)),
                *(int(task.priority), json.dumps(list(task.requires))),
                *(json.dumps(task.payload), self._last_place, task.created_at),
            ],
        )
        self._tell("submitted", task)
        return task

    async def pop(
        self, node: str = "local", services: Sequence[str] | None = None
    ) -> Task | None:
        """Take the next task, which runs from now on; None when none is due."""
        wanted, names = _of_services(services)
        moment = self.clock()
        values = [node, moment + LEASE_S, now(), moment, *names]
        found = await self.database.fetch_one(_CLAIM.format(wanted=wanted), values)
        if found is None:
            return None
        task = Task.from_row(found)
        self._tell("started", task)
        return task

    async def peek(self) -> Task | None:
        """Return the next task, which stays."""
        row = await self.database.fetch_one(
            "SELECT * FROM jobs WHERE status = 'pending' AND not_before <= ? "
            "ORDER BY priority DESC, place LIMIT 1",
            [self.clock()],
        )
        return Task.from_row(row) if row else None

    async def mark_running(self, task: Task, node: str) -> bool:
        """Note that a task is being done; False when it does not wait any more."""
        values = [node, self.clock() + LEASE_S, now(), task.task_id]
        return await self._changed(
            "UPDATE jobs SET status = 'running', assigned_node = ?, lease_until = ?, "
            "attempts = attempts + 1, started_at = COALESCE(started_at, ?) "
            "WHERE task_id = ? AND status = 'pending'",
            values,
            "started",
        )

    async def mark_completed(self, task_id: str, result: Any) -> bool:
        """Note what came of a task; False when it does not run any more."""
        return await self._changed(
            "UPDATE jobs SET status = 'completed', result = ?, progress = 1, "
            "completed_at = ? WHERE task_id = ? AND status = 'running'",
            [json.dumps(result), now(), task_id],
            "completed",
        )

    async def mark_failed(
        self, task_id: str, error: str, *, retryable: bool = True
    ) -> bool:
        """
        Note that a try failed; tells whether the task ended with it.

        It waits for another one, 1 s, 2 s and so on, up to three in all.
        """
        row = await self._row("task_id", task_id)
        if row is None or row["status"] != TaskStatus.RUNNING:
            return False
        if retryable and row["attempts"] < MOST_ATTEMPTS:
            wait = min(2.0 ** (row["attempts"] - 1), _LONGEST_WAIT_S)
            await self.put_back(task_id, error=error, wait_s=wait)
            return False
        return await self._changed(
            "UPDATE jobs SET status = 'failed', error = ?, completed_at = ? "
            "WHERE task_id = ? AND status = 'running'",
            [error, now(), task_id],
            "failed",
        )

    async def next_due_s(self, services: Sequence[str] | None = None) -> float | None:
        """Return in how many seconds the next task is due; None when none waits."""
        wanted, names = _of_services(services)
        found = await self.database.fetch_one(
            "SELECT MIN(not_before) AS due FROM jobs "  # noqa: S608 - marks, no value
            f"WHERE status = 'pending' {wanted}",
            names,
        )
        due = (found or {}).get("due")
        return None if due is None else max(float(due) - self.clock(), 0.0)

    async def put_back(
        self, task_id: str, *, error: str | None = None, wait_s: float = 0
    ) -> None:
        """Let a task that runs wait again; without an error that was no try."""
        # A try that was none is taken back.
        await self.database.execute(
            "UPDATE jobs SET status = 'pending', assigned_node = NULL, error = ?, "
            "not_before = ?, attempts = attempts - ? "
            "WHERE task_id = ? AND status = 'running'",
            [error, self.clock() + wait_s, int(error is None), task_id],
        )

    async def cancel_task(self, task_id: str) -> bool:
        """Cancel a task; False when it has ended otherwise."""
        waited = await self._changed(
            "UPDATE jobs SET status = 'cancelled', completed_at = ? "
            "WHERE task_id = ? AND status = 'pending'",
            [now(), task_id],
            "cancelled",
        )
        if waited:
            return True
        await self.database.execute(
            "UPDATE jobs SET cancel_requested = 1 "
            "WHERE task_id = ? AND status = 'running'",
            [task_id],
        )
        row = await self._row("task_id", task_id)
        return row is not None and row["status"] in ("running", "cancelled")

    async def mark_cancelled(self, task_id: str) -> bool:
        """Note that a task stopped because it was cancelled."""
        return await self._changed(
            "UPDATE jobs SET status = 'cancelled', completed_at = ? "
            "WHERE task_id = ? AND status = 'running'",
            [now(), task_id],
            "cancelled",
        )

    async def get_task(self, task_id: str) -> Task | None:
        """Return a task, whatever became of it."""
        return await self._task("task_id", task_id)

    async def of_job(self, job_id: str) -> Task | None:
        """Return the task of a job."""
        return await self._task("job_id", job_id)

    async def get_stats(self) -> dict[str, int]:
        """Count all tasks by their status."""
        return await self._counts("", [])

    async def get_recent_tasks(self, limit: int = 50) -> list[Task]:
        """Return the tasks that came last, the newest first."""
        rows = await self.database.fetch_all(
            "SELECT * FROM jobs ORDER BY place DESC LIMIT ?", [limit]
        )
        return [Task.from_row(row) for row in rows]

    async def cleanup_old_tasks(self, days: float = 7) -> int:
        """Forget what ended so long ago, with its results; return how many."""
        before = moments.write(datetime.now(UTC) - timedelta(days=days))
        old = "status NOT IN ('pending', 'running') AND completed_at < ?"
        results = "DELETE FROM job_results WHERE job_id IN (SELECT job_id FROM jobs"
        await self.database.execute(f"{results} WHERE {old})", [before])
        return await self.database.execute(f"DELETE FROM jobs WHERE {old}", [before])  # noqa: S608 - a constant

    async def release_stalled(self) -> int:
        """Put back what runs at workers that died; return how many there were."""
        rows = await self.database.fetch_all(
            "SELECT task_id FROM jobs WHERE status = 'running' AND lease_until < ?",
            [self.clock()],
        )
        for row in rows:
            await self.mark_failed(row["task_id"], "Its worker gave no sign of life.")
        return len(rows)

    async def size(self) -> int:
        """Return how many tasks wait."""
        return (await self._counts("", []))["pending"]

    async def position(self, task: Task) -> int | None:
        """Return how many are before a task that waits, and itself; None: it does not."""
        row = await self._row("task_id", task.task_id)
        if row is None or row["status"] != TaskStatus.PENDING:
            return None
        found = await self.database.fetch_one(
            "SELECT COUNT(*) AS n FROM jobs WHERE status = 'pending' AND "
            "(priority > ? OR (priority = ? AND place <= ?))",
            [row["priority"], row["priority"], row["place"]],
        )
        return int((found or {"n": 0})["n"])

    async def results(self, job_id: str) -> list[dict[str, Any]]:
        """Return the rows that a job kept, by their keys."""
        rows = await self.database.fetch_all(
            "SELECT row_data FROM job_results WHERE job_id = ? ORDER BY row_key",
            [job_id],
        )
        return [json.loads(row["row_data"]) for row in rows]

    async def close(self) -> None:
        """Let go of the database."""
        await self.database.close()

    async def _counts(self, where: str, values: list[Any]) -> dict[str, int]:
        rows = await self.database.fetch_all(
            f"SELECT status, COUNT(*) AS n FROM jobs {where} GROUP BY status",  # noqa: S608
            values,
        )
        found = {row["status"]: int(row["n"]) for row in rows}
        counts = {str(status): found.get(status, 0) for status in TaskStatus}
        return {**counts, "total": sum(counts.values())}

    async def _changed(self, sql: str, values: list[Any], event: str) -> bool:
        """Change a task, and tell of it if it was changed; its id is the last value."""
        if not await self.database.execute(sql, values):
            return False
        task = await self._task("task_id", values[-1])
        if task is not None:
            self._tell(event, task)
        return True

    async def _task(self, column: str, value: str) -> Task | None:
        row = await self._row(column, value)
        return Task.from_row(row) if row else None

    async def _row(self, column: str, value: str) -> Row | None:
        return await self.database.fetch_one(
            f"SELECT * FROM jobs WHERE {column} = ?",  # noqa: S608 - one of two words
            [value],
        )

    def _tell(self, event: str, task: Task) -> None:
        for listener in self.listeners:
            listener(event, task)


def _of_services(services: Sequence[str] | None) -> tuple[str, list[str]]:
    """Return what chooses the tasks of some services, and its values."""
    if services is None:
        return "", []
    marks = ", ".join("?" * len(services)) or "NULL"
    return f"AND service_name IN ({marks})", list(services)


async def until_ended(queue: TaskQueue, job_id: str, poll_s: float = 0.05) -> Task:
    """Wait for the end of a job; returns its task."""
    while True:
        task = await queue.of_job(job_id)
        if task is None or task.status in ENDED:
            break
        await asyncio.sleep(poll_s)
    if task is None:
        raise LookupError(f"There is no job {job_id}.")
    return task
