"""Jobs: say what a valid one is and how it is done; the rest is done for you."""

from __future__ import annotations

from eventyard.jobs.base import BaseService, JobStore
from eventyard.jobs.context import Job, current_job
from eventyard.jobs.errors import JobCancelled, JobFailed, JobPaused

__all__ = [
    "BaseService",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobPaused",
    "JobStore",
    "current_job",
]
