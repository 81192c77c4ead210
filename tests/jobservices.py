"""A job service for tests: it does steps, and each may be made to do anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chalicelib.auth import ANYBODY, Principal
from chalicelib.jobs.service import Wish
from eventyard.jobs import BaseService, Job, current_job
from tests.steps import listed

NAME = "scraper"
ANOTHER = "mender"


class Steps(BaseService):
    """
    Does `steps` steps, from where it was: each a row, a checkpoint and progress.

    It has the name of a service that has addresses.
    """

    #: What is done at a step, besides.
    at_step: ClassVar[Callable[[Job, int], Any]] = staticmethod(lambda *_: None)
    #: Each step as it was begun: the attempt, and the number of the step.
    done: ClassVar[list[tuple[int, int]]] = []
    name = NAME
    requires = ()
    result_columns = ("key", "n", "error")

    def __init__(self) -> None:
        super().__init__(self.name)

    def validate_job_data(self, job_data: Any) -> tuple[bool, str | None]:
        steps = job_data.get("steps")
        if type(steps) is not int or not 0 <= steps <= 100:
            return False, "steps must be a whole number from 0 to 100"
        return True, None

    def job_defaults(self, job_data: Any) -> dict[str, Any]:
        return {"steps": 2, "url": "https://example.com/"}

    async def process_job(self, job_data: dict[str, Any]) -> dict[str, Any]:
        job, steps = current_job(), job_data["steps"]
        for n in range(job.checkpoint or 0, steps):
            self.done.append((job.attempt, n))
            type(self).at_step(job, n)
            await job.results([{"key": f"step {n}", "n": n}])
            await job.progress((n + 1) / steps, steps_done=n + 1)
            await job.save(n + 1)
        return {"success": True, "steps": steps, **job_data.get("brings", {})}


class Mender(Steps):
    """Another one, that needs what other workers have."""

    name = ANOTHER
    requires = ("scraping",)
    retention_days = 1


PATHS = {NAME: "tests.jobservices:Steps", ANOTHER: "tests.jobservices:Mender"}


def registered(platform: Any, monkeypatch: Any) -> Any:
    """The parts of jobs, with these services and no others."""
    platform.jobs.registry.paths, platform.jobs.registry.makers = PATHS, {}
    monkeypatch.setattr(Steps, "done", [])
    monkeypatch.setattr(Steps, "at_step", staticmethod(lambda *_: None))
    return platform.jobs


def submit(jobs: Any, by: Principal = ANYBODY, name: str = NAME, **wish: Any) -> Any:
    """Submit a job; `data` is what it is, the rest how it is submitted."""
    data = wish.pop("data", {})
    return jobs.service.submit(name, data, Wish(**wish), by).row


def caller(name: str) -> Principal:
    return Principal(name, frozenset({"jobs:submit"}), name)


def work(jobs: Any, times: int = 1, *, seconds: float | None = None) -> None:
    """Let workers look so often, whatever messages there are; each has so long."""
    for _ in range(times):
        context = None if seconds is None else Invocation(seconds)
        jobs.work.run({"Records": [{"messageId": "m", "body": "{}"}]}, context)


class Invocation:
    """What Lambda tells a function of its invocation, at whatever pace."""

    def __init__(self, seconds: float, name: str = "request-1") -> None:
        self.seconds = seconds
        self.aws_request_id = name

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def events(platform: Any, job_id: str) -> list[Any]:
    """What the log was told of a job, the oldest first."""
    found = listed(platform, wanted=lambda e: e["type"].startswith("eventyard.job."))
    return [e for e in found[::-1] if e.payload["job_id"] == job_id]


def kinds(platform: Any, job_id: str) -> list[str]:
    return [e.type.rpartition(".")[2] for e in events(platform, job_id)]
