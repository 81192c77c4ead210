"""The scraper for programs of one's own: in this program, or by the platform."""

from __future__ import annotations

import os
from typing import Any

from eventyard.core.addresses import Allowances
from eventyard.jobs.base import JobStore
from eventyard.jobs.scraping.service import Scraper, Setup
from eventyard.jobs.task_queue import TaskQueue
from eventyard.jobs.web import AiohttpWeb


def usual_setup(allowances: Allowances | None = None, **more: Any) -> Setup:
    """
    Return a setup that asks with aiohttp; `more` is what a `Setup` has besides.

    `allowances` are those of `EVENTYARD_ALLOW_PRIVATE_HOSTS`, unless others are given.
    """
    told = os.environ.get("EVENTYARD_ALLOW_PRIVATE_HOSTS", "")
    allowed = Allowances(told) if allowances is None else allowances
    return Setup(lambda: AiohttpWeb(allowed), allowed, **more)


class ScraperService(Scraper):
    """
    Scrapes sites in this program, or has the platform do it.

    Args:
        dispatcher: Who does what is queued here.
        task_queue: A `TaskQueue`, or a `PlatformQueue`.
        database: Where jobs are kept, in the place of a queue.
        redis_client: Not needed: events go to the queue's listeners.
        setup: How sites are asked; see `usual_setup`.
    """

    def __init__(
        self,
        dispatcher: Any = None,
        task_queue: JobStore | None = None,
        database: Any = None,
        redis_client: Any = None,
        *,
        setup: Setup | None = None,
    ) -> None:
        queue = TaskQueue(database) if task_queue is None and database else task_queue
        super().__init__(setup or usual_setup(), dispatcher, queue, redis_client)

    async def submit_scrape_job(
        self,
        url: str,
        max_pages: int = 10,
        timeout_s: float = 10,
        same_origin_only: bool = True,  # noqa: FBT001, FBT002 - as callers know it
        priority: int = 1,
        **more: Any,
    ) -> dict[str, Any]:
        """Check and queue a scrape; `more` is what `Options` has besides."""
        asked = {
            "url": url,
            "max_pages": max_pages,
            "timeout_s": timeout_s,
            "same_origin_only": same_origin_only,
        }
        return await self.submit_job({**asked, **more}, priority)

    async def get_scrape_history(
        self, limit: int = 50, status: str | None = None
    ) -> list[dict[str, Any]]:
        """Tell what became of scrapes, the newest first."""
        return await self.list_jobs(status, limit)

    async def get_scrape_results(self, job_id: str) -> dict[str, Any]:
        """Tell how a scrape does, with a row for each of its pages."""
        found = await self.get_job_status(job_id)
        if found["status"] == "not_found":
            return found
        rows = await self._jobs.rows(self.service_name, job_id)
        good = sum(1 for row in rows if row["error"] is None)
        return {**found, self.results_name: rows, self.total_name: good}
