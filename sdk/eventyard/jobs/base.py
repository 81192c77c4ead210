"""The base of all job services: what differs between them, and what does not."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Protocol

from eventyard.core.errors import EventRouterError, InvalidRequestError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DAY_S: Final = 86_400
LOWEST: Final = 1
HIGHEST: Final = 10


class JobStore(Protocol):
    """Where a program keeps the jobs of its services."""

    async def submit(
        self,
        service: BaseService,
        job_data: Mapping[str, Any],
        *,
        priority: int,
        requires: tuple[str, ...],
    ) -> dict[str, Any]:
        """Queue a job that was checked; return what the submitter is told."""
        ...

    async def status(self, service_name: str, job_id: str) -> dict[str, Any] | None:
        """Return how a job does, or None."""
        ...

    async def listed(
        self, service_name: str, status: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return the jobs of a service, the newest first."""
        ...

    async def cancel(self, service_name: str, job_id: str) -> dict[str, Any]:
        """Cancel a job; return what the caller is told."""
        ...

    async def stats(self, service_name: str) -> dict[str, Any]:
        """Return the counts of a service."""
        ...

    async def record(self, service_name: str, *, success: bool) -> None:
        """Count a job that ended."""
        ...

    async def rows(self, service_name: str, job_id: str) -> list[dict[str, Any]]:
        """Return the rows that a job kept, in the order of their keys."""
        ...


class BaseService(ABC):
    """
    One kind of job. Say in a subclass what a valid one is, and how it is done.

    The platform brings the rest: queue, priorities, retries, cancellation, results,
    history, statistics, events, endpoints under `/api/<service_name>s`. In a program
    of your own, a task queue does.
    """

    service_name: str
    #: What a worker must be able to do; it chooses the queue.
    requires: tuple[str, ...] = ()
    #: How long a job and its results are kept when it has ended.
    retention_days: float = 7
    #: What rows of results are called where they are shown, and how many there are.
    results_name: ClassVar[str] = "results"
    total_name: ClassVar[str] = "total_results"
    #: The columns of rows as CSV; without any, what the rows have.
    result_columns: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        service_name: str,
        dispatcher: Any = None,
        task_queue: JobStore | None = None,
        redis_client: Any = None,
    ) -> None:
        if not is_name(service_name):
            raise InvalidRequestError(
                "A service is named by 1 to 40 of a-z, 0-9 and _, beginning with a "
                f"letter, and not `service`; not {service_name!r:.60}."
            )
        self.service_name = service_name
        self.dispatcher = dispatcher
        self.task_queue = task_queue
        self.redis_client = redis_client

    @abstractmethod
    def validate_job_data(self, job_data: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Tell whether a job is valid, and if not, what is wrong."""

    @abstractmethod
    async def process_job(self, job_data: dict[str, Any]) -> dict[str, Any]:
        """
        Do a job; return what came of it, as a JSON object.

        `current_job()` tells progress, keeps results and goes on after a pause.
        Raise JobFailed to say that it failed, and whether another try may help; any
        other error is tried again. A result with `"success": False` failed for good.
        """

    def job_defaults(self, job_data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a job has unless it says otherwise."""
        return dict(job_data)

    def retention_s(self, job_data: Mapping[str, Any]) -> int:  # noqa: ARG002 - a hook
        """Return for how many seconds a job is kept when it has ended."""
        return int(self.retention_days * _DAY_S)

    def prepared(self, job_data: Any) -> dict[str, Any]:
        """Fill in the defaults of a job and check it; raises InvalidRequestError."""
        if not isinstance(job_data, Mapping):
            raise InvalidRequestError("A job is an object.", code="invalid_job")
        whole = {**self.job_defaults(job_data), **job_data}
        valid, error = self.validate_job_data(whole)
        if not valid:
            told = error or f"This is no job that {self.service_name} does."
            raise InvalidRequestError(told, code="invalid_job")
        return whole

    # What follows is for programs that do jobs themselves, with a task queue.

    async def submit_job(
        self,
        job_data: Mapping[str, Any],
        priority: int = LOWEST,
        requires: tuple[str, ...] | None = None,
    ) -> dict[str, Any]:
        """Check and queue a job; higher priorities, from 1 to 10, go first."""
        try:
            whole = self.prepared(job_data)
        except InvalidRequestError as error:
            return rejected(error.message)
        return await self._jobs.submit(
            self,
            whole,
            priority=clamped(priority),
            requires=self.requires if requires is None else tuple(requires),
        )

    async def get_job_status(self, job_id: str) -> dict[str, Any]:
        """Tell how a job does."""
        found = await self._jobs.status(self.service_name, job_id)
        return not_found(job_id) if found is None else found

    async def list_jobs(
        self, status: str | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """List the jobs of this service, the newest first."""
        return await self._jobs.listed(self.service_name, status, limit)

    async def cancel_job(self, job_id: str) -> dict[str, Any]:
        """Cancel a job: at once, or at its next step where it runs."""
        return await self._jobs.cancel(self.service_name, job_id)

    async def get_service_stats(self) -> dict[str, Any]:
        """Count the jobs of this service."""
        return await self._jobs.stats(self.service_name)

    async def record_job_result(self, success: bool) -> None:  # noqa: FBT001 - as it was
        """Count a job that ended."""
        await self._jobs.record(self.service_name, success=success)

    @property
    def _jobs(self) -> JobStore:
        if self.task_queue is None:
            raise EventRouterError(
                f"{type(self).__name__} has no task queue: give it one to do jobs in "
                "this program, or submit them to the platform.",
                code="no_task_queue",
            )
        return self.task_queue


def is_name(text: str) -> bool:
    """Tell whether a service may have this name."""
    # `service_job_*` are messages of every service.
    return bool(_NAME.fullmatch(text)) and text != "service"


def clamped(priority: int) -> int:
    """Return the nearest priority that there is."""
    return min(max(priority, LOWEST), HIGHEST)


def rejected(error: str) -> dict[str, Any]:
    """Return what is told of a job that is not taken."""
    return {"success": False, "error": error, "job_id": None, "status": "rejected"}


def not_found(job_id: str) -> dict[str, Any]:
    """Return what is told of a job that is not there."""
    error = f"There is no job {job_id}."
    return {"job_id": job_id, "status": "not_found", "error": error}
