"""Jobs as the server tells of them, for the browser alone: made, told, refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Locator, Page, Request, Route

from tests.e2e.routed import Json, Query, RoutedServer, ago

ENDS = ("completed", "failed", "cancelled")
_JOB = re.compile(r"/api/(?:v1|(\w+)s)/jobs/([^/]+)(/results)?")
_SERVICE = re.compile(r"/api/(?!v1/)(\w+)s/(submit|stats)")
_KINDS = {"pending": "submitted", "running": "progress"}


def job(number: int, status: str = "pending", **changes: Any) -> Json:
    """Return a job of the scraper; higher numbers are older."""
    begun = status in ("running", "completed", "failed")
    crawled = ["https://shop.example/"] * 12
    whole = {"crawled": crawled, "pii_by_url": {}, "errors": {}, "pages": 12}
    made: Json = {
        "job_id": f"job_{number:026d}",
        "task_id": f"task_{number:026d}",
        "service_name": "scraper",
        "status": status,
        "priority": 1,
        "progress": {"running": 0.24, "completed": 1.0, "failed": 0.1}.get(status, 0.0),
        "created_at": ago(minutes=number),
        "started_at": ago(minutes=number - 0.5) if begun else None,
        "completed_at": ago(minutes=number - 0.9) if status in ENDS else None,
        "assigned_node": f"node-{number}" if begun else None,
        "attempts": 1 if begun else 0,
        "data": {
            "url": f"https://site{number}.example/",
            "max_pages": 50,
            "timeout_s": 10,
            "same_origin_only": True,
        },
        "result": whole if status == "completed" else None,
        "error": "It could not be reached." if status == "failed" else None,
        "submitted_by": "ada",
        "queue_position": None,
        "cancel_requested": status == "cancelled",
    }
    return made | changes


def found(path: str, **changes: Any) -> Json:
    """Return what a page of a site had."""
    made: Json = {
        "url": f"https://shop.example/{path}",
        "emails": [],
        "phones": [],
        "links_count": 7,
        "error": None,
        "crawled_at": ago(minutes=1),
        "title": f"Page {path}",
        "status": 200,
    }
    return made | changes


def worker(node: str, state: str = "busy", job_id: str | None = None) -> Json:
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
        more = changes.pop("urls_crawled", None)
        known = self.jobs.get(job["job_id"], job)
        changed = known | changes
        self.jobs[job["job_id"]] = changed
        told = {} if more is None else {"urls_crawled": more}
        self.send(changed | told, kind)
        return changed

    def send(self, job: Json, kind: str | None = None) -> None:
        """Send how a job does, under both names, in one frame."""
        kind = kind or _KINDS.get(job["status"], job["status"])
        names = ("job_id", "service_name", "status", "progress", "attempts", "error")
        news = {name: job[name] for name in names if job[name] is not None}
        if "urls_crawled" in job:
            news["urls_crawled"] = job["urls_crawled"]
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
            status, told = self._of_job(found[2], found[3], request.method, query)
        else:
            status, told = 200, self._listed(path, query)
        route.fulfill(status=status, json=told)

    def _file(self, route: Route, query: Query) -> None:
        page = self.pages("rows", self.results, query)
        text = "".join(f"{one['url']}\r\n" for one in page["rows"])
        more = {"Eventyard-Cursor": page["cursor"]} if page["cursor"] else {}
        headers = {"Content-Type": "text/csv", **more}
        route.fulfill(status=200, body=text, headers=headers)

    def _listed(self, path: str, query: Query) -> Json:
        if path.endswith("/workers"):
            return {"workers": self.workers}
        rows = [one for one in self.jobs.values() if _fits(one, query)]
        rows.sort(key=lambda one: str(one["created_at"]), reverse=True)
        names = sorted({"scraper", *(str(one["service_name"]) for one in rows)})
        services = [{"name": name, "path": f"/api/{name}s"} for name in names]
        told = {**self.pages("jobs", rows, query), "services": services}
        return told | ({"live": self.cursor} if self.tells_place else {})

    def _of_service(self, name: str, verb: str, request: Request) -> tuple[int, Json]:
        if verb == "stats":
            return 200, self._stats(name)
        if self.refusal is not None:
            told = {"success": False, "error": self.refusal, "job_id": None}
            return 400, {**told, "status": "rejected"}
        self.submitted.append(request.post_data_json)
        made = job(0, data=self.submitted[-1], queue_position=3)
        self.jobs[made["job_id"]] = made
        ids = {"job_id": made["job_id"], "task_id": made["task_id"]}
        return 200, {"success": True, **ids, "status": "submitted", "queue_position": 3}

    def _stats(self, name: str) -> Json:
        states = [j["status"] for j in self.jobs.values() if j["service_name"] == name]
        good, bad = states.count("completed"), states.count("failed")
        ended = good + bad + states.count("cancelled")
        counts = {
            "total_jobs": len(states),
            "successful_jobs": good,
            "failed_jobs": bad,
            "active_jobs": len(states) - ended,
        }
        rates = {"success_rate": 0.0, "failure_rate": 0.0, "created_at": ago(days=2)}
        queue = states.count("pending")
        return {"service_name": name, "stats": {**counts, **rates}, "queue_size": queue}

    def _of_job(
        self, job_id: str, part: str | None, method: str, query: Query
    ) -> tuple[int, Json]:
        known = self.jobs.get(job_id)
        if known is None:
            told = {"code": "not_found", "message": "There is none.", "details": {}}
            return 404, {"error": told}
        if method == "DELETE":
            return self._stop(known)
        if part is None:
            return 200, {"job": known}
        named = {name: known[name] for name in ("job_id", "status", "progress")}
        return 200, {**named, **self.pages("results_by_url", self.results, query)}

    def _stop(self, known: Json) -> tuple[int, Json]:
        told = {"success": False, "job_id": known["job_id"]}
        if known["status"] in ENDS:
            return 409, {**told, "error": f"It has ended: it is {known['status']}."}
        waits = known["status"] == "pending"
        ended = {"status": "cancelled", "completed_at": ago()} if waits else {}
        self.jobs[known["job_id"]] = known | {"cancel_requested": True} | ended
        words = "It is cancelled." if waits else "It stops at its next step."
        return 200, {**told, "success": True, "message": words}


def _fits(job: Json, query: Query) -> bool:
    wanted = {"status": job["status"], "service": job["service_name"]}
    return all(query.get(name, [one]) == [one] for name, one in wanted.items())
