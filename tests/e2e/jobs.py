"""Jobs as the server tells of them, for the browser alone: made, told, refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from playwright.sync_api import Locator, Page, Request, Route
from pydantic import BaseModel

from chalicelib.api import _jobs as answers
from chalicelib.api.shapes import jobs as shapes
from eventyard.jobs.base import not_found, rejected
from eventyard.jobs.scraping import html
from eventyard.jobs.scraping import rows as kept
from eventyard.jobs.scraping.crawl import Crawl
from eventyard.jobs.scraping.options import DEFAULTS
from eventyard.jobs.scraping.service import Scraper
from eventyard.jobs.scraping.visiting import Visit
from tests.e2e.routed import Json, Query, RoutedServer, ago

ENDS = ("completed", "failed", "cancelled")
_JOB = re.compile(r"/api/(?:v1|(\w+)s)/jobs/([^/]+)(/results)?")
_SERVICE = re.compile(r"/api/(?!v1/)(\w+)s/(submit|stats)")
_KINDS = {"pending": "submitted", "running": "progress"}
_NEWS = (
    *("service_name", "job_id", "status", "progress", "priority", "attempts"),
    *("assigned_node", "submitted_by", "revision"),
)


def job(number: int, status: str = "pending", **changes: Any) -> Json:
    """Return a job of the scraper; higher numbers are older."""
    begun = status in ("running", "completed", "failed")
    url = f"https://site{number}.example/"
    made: Json = {
        "job_id": f"job_{number:026d}",
        "task_id": f"task_{number:026d}",
        "service_name": "scraper",
        "status": status,
        "priority": 1,
        "progress": {"running": 0.24, "completed": 1.0, "failed": 0.1}.get(status, 0.0),
        "facts": {},
        "created_at": ago(minutes=number),
        "started_at": ago(minutes=number - 0.5) if begun else None,
        "completed_at": ago(minutes=number - 0.9) if status in ENDS else None,
        "assigned_node": f"node-{number}" if begun else None,
        "attempts": 1 if begun else 0,
        "next_try_at": None,
        "expires_at": None,
        "repeat_every_s": None,
        "previous_job_id": None,
        "next_job_id": None,
        "data": {**DEFAULTS, "url": url, "max_pages": 50},
        "result": result() if status == "completed" else None,
        "error": "It could not be reached." if status == "failed" else None,
        "submitted_by": "ada",
        "queue_position": None,
        "cancel_requested": status == "cancelled",
    }
    return made | changes


def result(pages: int = 12, **changes: Any) -> Json:
    """Return what a scrape came to, as the scraper tells it."""
    crawl = Crawl(50)
    crawl.crawled = [f"https://shop.example/{n}" for n in range(pages)]
    return {**kept.result(crawl, []), "difference": None, **changes}


def found(path: str, **changes: Any) -> Json:
    """Return what the scraper keeps of a page that it has read."""
    url = f"https://shop.example/{path}"
    page = html.Page(
        title=f"Page {path}",
        description=None,
        canonical=None,
        links=(),
        links_count=7,
        text="",
        contacts=(),
        json_ld=[],
        open_graph={},
        encoding="utf-8",
    )
    return {**kept.of_page(Visit(url, 200, page=page), 1, None), **changes}


def unread(path: str, error: str, status: int | None = None) -> Json:
    """Return what the scraper keeps of a page that it could not read."""
    url = f"https://shop.example/{path}"
    return kept.of_failure(url, Visit(url, status, error=error), 1)


def worker(node: str, state: str = "busy", job_id: str = "job_1") -> Json:
    """Return somebody who does jobs."""
    return {
        "id": node,
        "queue": "scraping",
        "capabilities": ["scraping"],
        "state": state,
        "job_id": job_id,
        "service_name": "scraper",
        "started_at": ago(seconds=9),
        "heartbeat_at": ago(seconds=4),
        "ended_at": None,
    }


def row(page: Page, number: int) -> Locator:
    """Find the row of a job."""
    key = job(number)["job_id"]
    return page.locator(f"tr[data-key='{key}']")


def rows(page: Page) -> Locator:
    """Find all rows."""
    table = page.get_by_role("table", name="Jobs")
    return table.locator("tbody tr[data-key]")


def drawer(page: Page, number: int) -> Locator:
    """Find the drawer of a job."""
    name = f"Job {job(number)['job_id']}"
    return page.get_by_role("complementary", name=name, exact=True)


class JobsServer(RoutedServer):
    """Answers a page's requests for jobs, and tells it of changes."""

    addresses = re.compile(
        r"/api/(v1/(jobs|workers)|(?!v1/)\w+s/(submit|stats|jobs))\b"
    )
    channel = "jobs"

    def __init__(self, page: Page, jobs: Iterable[Json] = ()) -> None:
        super().__init__(page)
        self.jobs = {str(one["job_id"]): one for one in jobs}
        self.results: list[Json] = []
        self.workers: list[Json] = []
        self.submitted: list[Json] = []
        #: Why what is submitted is refused, if it is.
        self.refusal: str | None = None
        #: Whether the list tells where to listen from.
        self.tells_place = True

    def tell(self, job: Json, kind: str | None = None, **changes: Any) -> Json:
        """Change a job, and tell everybody who is connected."""
        names = [name for name in changes if name.startswith("urls_")]
        facts = {name: changes.pop(name) for name in names}
        known = self.jobs.get(job["job_id"], job)
        changed = known | changes | {"facts": {**known["facts"], **facts}}
        changed["revision"] = known.get("revision", 0) + 1
        self.jobs[job["job_id"]] = changed
        self.send(changed, kind)
        return changed

    def send(self, job: Json, kind: str | None = None) -> None:
        """Send how a job does, under both names, in one frame."""
        kind = kind or _KINDS.get(job["status"], job["status"])
        news = {**job["facts"], **{name: job.get(name, 1) for name in _NEWS}}
        if job["error"] is not None:
            news["error"] = job["error"]
        checked(shapes.JobNews, news)
        both = ("service", job["service_name"])
        told = [{"event": f"{who}_job_{kind}", "data": news} for who in both]
        self.frame(told, of_one=True)

    def answer(self, route: Route, request: Request, path: str, query: Query) -> None:
        """Answer one request."""
        if "format" in query:
            self._file(route, query)
            return
        if found := _SERVICE.fullmatch(path):
            status, told = self._of_service(found[1], found[2], request)
        elif found := _JOB.fullmatch(path):
            status, told = self._of_job(*found.groups(), request.method, query)
        else:
            status, told = 200, self._listed(path, query)
        route.fulfill(status=status, json=told)

    def _file(self, route: Route, query: Query) -> None:
        page = self.pages("rows", self.results, query)
        rows, cursor = page["rows"], page["cursor"]
        told = (
            answers.as_csv(
                rows, Scraper.result_columns, cursor, first="cursor" not in query
            )
            if query["format"] == ["csv"]
            else answers.as_lines(rows, cursor)
        )
        headers = {name: str(value) for name, value in told.headers.items()}
        route.fulfill(status=200, body=told.body, headers=headers)

    def _listed(self, path: str, query: Query) -> Json:
        if path.endswith("/workers"):
            return checked(shapes.Workers, {"workers": self.workers})
        rows = [one for one in self.jobs.values() if _fits(one, query)]
        rows.sort(key=lambda one: str(one["created_at"]), reverse=True)
        names = sorted({"scraper", *(str(one["service_name"]) for one in rows)})
        services = [{"name": name, "path": f"/api/{name}s"} for name in names]
        page = self.pages("jobs", [_listed(one) for one in rows], query)
        told = {**page, "services": services, "live": self.cursor}
        checked(shapes.Jobs, told)
        return told if self.tells_place else {**page, "services": services}

    def _of_service(self, name: str, verb: str, request: Request) -> tuple[int, Json]:
        if verb == "stats":
            return 200, self._stats(name)
        if self.refusal is not None:
            return 400, checked(shapes.RefusedJob, rejected(self.refusal))
        self.submitted.append(request.post_data_json)
        asked = {**self.submitted[-1]}
        shapes.NewScrape.model_validate(asked)
        how = {"priority": asked.pop("priority")}
        how["repeat_every_s"] = asked.pop("repeat_every_s", None)
        made = job(0, data={**DEFAULTS, **asked}, queue_position=3, **how)
        self.jobs[made["job_id"]] = made
        told = {
            "success": True,
            "job_id": made["job_id"],
            "task_id": made["task_id"],
            "status": "submitted",
            "queue_position": 3,
            "deduplicated": False,
            "error": None,
        }
        return 202, checked(shapes.SubmittedJob, told)

    def _stats(self, name: str) -> Json:
        states = [j["status"] for j in self.jobs.values() if j["service_name"] == name]
        good, bad = states.count("completed"), states.count("failed")
        ended = good + bad + states.count("cancelled")
        rates = {"success_rate": 0.0, "failure_rate": 0.0}
        counts = {
            "total_jobs": len(states),
            "successful_jobs": good,
            "failed_jobs": bad,
            "cancelled_jobs": states.count("cancelled"),
            "active_jobs": len(states) - ended,
            "created_at": ago(days=2),
        }
        dispatched = {
            "total_dispatched": good + bad,
            "successful_dispatches": good,
            "failed_dispatches": bad,
            "queue_size": states.count("pending"),
            "available_workers": len(self.workers),
            "total_workers": len(self.workers),
        }
        told = {
            "service_name": name,
            "stats": {**counts, **rates},
            "dispatcher": {**dispatched, **rates},
            "dispy_cluster": {"status": "ready", "nodes": 0, "jobs": 0},
            "queue_size": states.count("pending"),
            "timestamp": ago(),
        }
        return checked(shapes.ServiceStats, told)

    def _of_job(
        self,
        service: str | None,
        job_id: str,
        part: str | None,
        method: str,
        query: Query,
    ) -> tuple[int, Json]:
        known = self.jobs.get(job_id)
        if known is None and service is not None:
            return 404, checked(shapes.MissingJob, not_found(job_id))
        if known is None:
            told = {"code": "not_found", "message": "There is none.", "details": {}}
            return 404, {"error": told}
        if method == "DELETE":
            return self._stop(known)
        if part is None:
            return 200, checked(shapes.OneJob, {"job": _shown(known)})
        return 200, self._results(known, query)

    def _results(self, known: Json, query: Query) -> Json:
        is_scrape = known["service_name"] == "scraper"
        name = Scraper.results_name if is_scrape else "results"
        total = Scraper.total_name if is_scrape else "total_results"
        bad = sum(1 for one in self.results if one.get("error"))
        counts = {total: len(self.results) - bad, "failed_results": bad}
        rows = self.pages(name, self.results, query)
        return checked(shapes.JobResults, {**answers.past(known), **rows, **counts})

    def _stop(self, known: Json) -> tuple[int, Json]:
        job_id, status = known["job_id"], known["status"]
        if status in ENDS:
            ended = rejected(f"This job has ended: it is {status}.")
            return 409, checked(
                shapes.RefusedJob, {**ended, "job_id": job_id, "status": status}
            )
        waits = status == "pending"
        ends = {"status": "cancelled", "completed_at": ago()} if waits else {}
        self.jobs[job_id] = known | {"cancel_requested": True} | ends
        told = {
            "success": True,
            "job_id": job_id,
            "status": self.jobs[job_id]["status"],
            "message": "It is cancelled." if waits else "It stops at its next step.",
        }
        return 200, checked(shapes.CancelledJob, told)


def checked(shape: type[BaseModel], told: Json) -> Json:
    """Return an answer that is what the server's own would be."""
    shape.model_validate(told)
    return told


def _shown(job: Mapping[str, Any]) -> Json:
    # How often it has changed is told live alone.
    return {name: job[name] for name in job if name != "revision"}


def _listed(job: Mapping[str, Any]) -> Json:
    # Lists do not count who is before whom.
    return {**_shown(job), "queue_position": None, "large": []}


def _fits(job: Json, query: Query) -> bool:
    wanted = {"status": job["status"], "service": job["service_name"]}
    return all(query.get(name, [one]) == [one] for name, one in wanted.items())
