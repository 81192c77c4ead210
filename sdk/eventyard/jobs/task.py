"""A task of the queue, as programs that use one know it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, Self
from uuid import uuid4

from eventyard.core import moments


class TaskPriority(IntEnum):
    """Names for some of the priorities from 1 to 10; higher ones go first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4


class TaskStatus(StrEnum):
    """How far a task has come."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: What never changes any more, but by an explicit retry.
ENDED = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)


def now() -> str:
    """Return the time as tasks have it."""
    return moments.write(datetime.now(UTC))


def rates(counts: Mapping[str, int], elsewhere: Mapping[str, int]) -> dict[str, Any]:
    """Return counts as services tell them, with what was done elsewhere."""
    done = counts["completed"] + elsewhere.get("done", 0)
    failed = counts["failed"] + elsewhere.get("failed", 0)
    ended = done + failed
    return {
        "total_jobs": counts["total"],
        "successful_jobs": done,
        "failed_jobs": failed,
        "active_jobs": counts["pending"] + counts["running"],
        "success_rate": round(100 * done / ended, 2) if ended else 0.0,
        "failure_rate": round(100 * failed / ended, 2) if ended else 0.0,
    }


def new_task_id() -> str:
    """Return the id of a task that nobody has yet."""
    return f"task_{uuid4().hex[:16]}"


@dataclass(slots=True)
class Task:
    """Something to do, and how it does; `payload` is what its service is given."""

    payload: dict[str, Any]
    requires: Sequence[str] = ()
    priority: int = TaskPriority.NORMAL
    task_id: str = field(default_factory=new_task_id)
    service_name: str = "task"
    job_id: str = field(default_factory=lambda: str(uuid4()))
    status: TaskStatus = TaskStatus.PENDING
    progress: float = 0.0
    #: How often it was tried again.
    retry_count: int = 0
    max_retries: int = 3
    result: Any = None
    error: str | None = None
    created_at: str = field(default_factory=now)
    started_at: str | None = None
    completed_at: str | None = None
    assigned_node: str | None = None
    checkpoint: Any = None
    cancel_requested: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON shape."""
        shape = {name: getattr(self, name) for name in self.__slots__}
        return {**shape, "requires": list(self.requires), "status": str(self.status)}

    @classmethod
    def from_dict(cls, shape: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        named = {name: shape[name] for name in cls.__slots__ if name in shape}
        return cls(**{**named, "status": TaskStatus(shape.get("status", "pending"))})

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of the database."""
        return cls(
            payload=json.loads(row["data"]),
            requires=json.loads(row["requires"]),
            priority=row["priority"],
            task_id=row["task_id"],
            service_name=row["service_name"],
            job_id=row["job_id"],
            status=TaskStatus(row["status"]),
            progress=row["progress"],
            retry_count=max(row["attempts"] - 1, 0),
            result=_read(row["result"]),
            error=row["error"],
            created_at=row["created_at"],
            started_at=row["started_at"],
            completed_at=row["completed_at"],
            assigned_node=row["assigned_node"],
            checkpoint=_read(row["checkpoint"]),
            cancel_requested=bool(row["cancel_requested"]),
        )


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)
