"""A job service for the running platform: it takes as many steps as long as it is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from eventyard.jobs import BaseService, current_job


class Paced(BaseService):
    """Does `steps` steps of `step_s` seconds; before step `pause_at` it pauses a while."""

    def __init__(self) -> None:
        super().__init__("paced")

    def job_defaults(self, job_data: Mapping[str, Any]) -> dict[str, Any]:
        return {"steps": 1, "step_s": 0, "pause_at": None}

    def validate_job_data(self, job_data: Mapping[str, Any]) -> tuple[bool, str | None]:
        if type(job_data["steps"]) is not int:
            return False, "steps must be a whole number."
        return True, None

    async def process_job(self, job_data: dict[str, Any]) -> dict[str, Any]:
        job, steps = current_job(), job_data["steps"]
        begin, paused = job.checkpoint or (0, False)
        for n in range(begin, steps):
            if n == job_data["pause_at"] and not paused:
                await job.save((n, True))
                await job.pause(1)
            await asyncio.sleep(job_data["step_s"])
            done = {"key": f"step {n}", "n": n, "attempt": job.attempt}
            await job.results([{**done, "process": os.getpid()}])
            await job.save((n + 1, paused))
            await job.progress((n + 1) / steps, steps_done=n + 1)
        return {"success": True, "steps": steps}
