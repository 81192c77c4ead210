"""The scraper as the design document writes it, in process."""

from __future__ import annotations

import asyncio
from typing import Any

from eventyard.jobs import DatabaseManager, Dispatcher, TaskQueue, until_ended
from tests.site import Site

#: As it is written there, with this package in the place of its own.
_EXAMPLE = """
from eventyard.jobs import ScraperService
from eventyard.jobs import Dispatcher
from eventyard.jobs import TaskQueue

async def example(dispatcher, task_queue):
    # Initialiser le service
    service = ScraperService(
        dispatcher=dispatcher,
        task_queue=task_queue
    )

    # Soumettre un job
    result = await service.submit_scrape_job(
        url="https://example.com",
        max_pages=10
    )

    # Consulter le statut
    status = await service.get_job_status(result["job_id"])
    return service, result, status
"""


def example(site: Site, tmp_path: Any, monkeypatch: Any) -> Any:
    monkeypatch.setenv("EVENTYARD_ALLOW_PRIVATE_HOSTS", "127.0.0.1")
    scope: dict[str, Any] = {}
    exec(_EXAMPLE.replace("https://example.com", site.origin), scope)

    async def main() -> Any:
        queue = TaskQueue(DatabaseManager("sqlite", db_path=str(tmp_path / "jobs.db")))
        async with Dispatcher() as dispatcher:
            told = await scope["example"](dispatcher, queue)
            return await seen(queue, *told)

    return asyncio.run(main())


async def seen(queue: TaskQueue, service: Any, result: Any, status: Any) -> Any:
    job_id = result["job_id"]
    await until_ended(queue, job_id)
    pages = await queue.database.fetch_all(
        "SELECT url, emails, links_count, error FROM scraper_results WHERE job_id = ?",
        [job_id],
    )
    jobs = await queue.database.fetch_all("SELECT * FROM scraper_jobs")
    told = {
        "submitted": result,
        "status": status,
        "after": await service.get_job_status(job_id),
        "results": await service.get_scrape_results(job_id),
        "history": await service.get_scrape_history(),
        "none": await service.get_scrape_results("unknown"),
        "pages": pages,
        "jobs": jobs,
    }
    await queue.close()
    return told


def test_a_site_is_scraped_as_the_document_says(
    tmp_path: Any, monkeypatch: Any
) -> None:
    with Site() as site:
        site.odd = False
        told = example(site, tmp_path, monkeypatch)

    assert told["submitted"]["success"] is True
    assert told["status"]["status"] in ("pending", "running")
    assert told["after"]["status"] == "completed"
    assert len(told["after"]["result"]["crawled"]) == 10
    assert told["results"]["total_urls_crawled"] == 10
    assert told["none"]["status"] == "not_found"
    assert [one["status"] for one in told["history"]] == ["completed"]
    assert {page["links_count"] for page in told["pages"]} >= {4}
    assert all("office@example.com" in page["emails"] for page in told["pages"])
    assert [(job["url"], job["max_pages"]) for job in told["jobs"]] == [
        (site.origin, 10)
    ]


def test_what_makes_no_sense_is_refused_before_it_is_queued() -> None:
    from eventyard.jobs import ScraperService

    async def main() -> Any:
        service = ScraperService(database=DatabaseManager())
        told = await service.submit_scrape_job("ftp://example.com", 10)
        await service.task_queue.close()
        return told

    assert asyncio.run(main()) == {
        "success": False,
        "error": "url must begin with http:// or https://",
        "job_id": None,
        "status": "rejected",
    }
