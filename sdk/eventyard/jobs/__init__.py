"""
Jobs: say what a valid one is and how it is done; the rest is done for you.

What is not needed to write a service is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from eventyard.jobs.base import BaseService, JobStore
from eventyard.jobs.context import Job, current_job
from eventyard.jobs.errors import JobCancelled, JobFailed, JobPaused

if TYPE_CHECKING:
    from eventyard.jobs.database import DatabaseManager
    from eventyard.jobs.dispatcher import Dispatcher, Node
    from eventyard.jobs.memory import MemoryJob, perform
    from eventyard.jobs.remote import PlatformQueue
    from eventyard.jobs.scraper import ScraperService
    from eventyard.jobs.task import Task, TaskPriority, TaskStatus
    from eventyard.jobs.task_queue import TaskQueue, until_ended

__all__ = [
    "BaseService",
    "DatabaseManager",
    "Dispatcher",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobPaused",
    "JobStore",
    "MemoryJob",
    "Node",
    "PlatformQueue",
    "ScraperService",
    "Task",
    "TaskPriority",
    "TaskQueue",
    "TaskStatus",
    "current_job",
    "perform",
    "until_ended",
]

_LATER: Final = {
    "DatabaseManager": "database",
    "Dispatcher": "dispatcher",
    "MemoryJob": "memory",
    "Node": "dispatcher",
    "PlatformQueue": "remote",
    "ScraperService": "scraper",
    "Task": "task",
    "TaskPriority": "task",
    "TaskQueue": "task_queue",
    "TaskStatus": "task",
    "perform": "memory",
    "until_ended": "task_queue",
}


def __getattr__(name: str) -> Any:
    """Load what was not needed until now."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
