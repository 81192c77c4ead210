"""Pull requests as the server tells of them, for the browser alone: made, told, refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from playwright.sync_api import Page, Request, Route, WebSocketRoute

Json = dict[str, Any]

DONE = ("merged", "closed")
_ADDRESSES = re.compile(r"/api/v1/(pulls|repositories|webhooks/deliveries)\b")
_PULL = re.compile(r"/api/v1/pulls/([^/]+)/([^/]+)/(\d+)(/history|/analyse)?")
_STEPS: dict[str, tuple[str, str, str, str]] = {
    "pending": ("opened", "pending", "pending", "pending"),
    "building": ("updated", "running", "pending", "pending"),
    "buildFailed": ("updated", "failed", "changes_requested", "pending"),
    "buildPassed": ("opened", "passed", "pending", "pending"),
    "approved": ("opened", "passed", "approved", "pending"),
    "merged": ("opened", "passed", "approved", "merged"),
    "closed": ("opened", "failed", "pending", "closed"),
}
_CHECKS = {
    "pending": {},
    "building": {"passed": 2, "running": 2},
    "buildFailed": {"passed": 2, "failed": 1, "ignored": 1},
}


def ago(**span: float) -> str:
    """Return a moment some time ago, as the server writes it."""
    moment = datetime.now(UTC) - timedelta(**span)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pull(number: int, status: str = "pending", **changes: Any) -> Json:
    """Return the state of a pull request of `octo/shop`."""
    names = ("status_pr", "status_build", "status_approval", "status_merge")
    none = {"passed": 0, "failed": 0, "running": 0, "ignored": 0}
    approved = [{"reviewer": "cy", "state": "approved", "at": ago(hours=1)}]
    made: Json = {
        "repository_name": "octo/shop",
        "pr_number": number,
        "title": f"Change number {number}",
        "description": "",
        "author": "ada",
        "author_avatar": None,
        "url": f"https://github.com/octo/shop/pull/{number}",
        "commit_sha": f"{number:040x}",
        "branch_name": f"change/{number}",
        "base_branch": "main",
        "base_sha": "b" * 40,
        "fork": False,
        "additions": 15,
        "deletions": 12,
        "changed_files": 3,
        "commits": 2,
        "files_changed": ["shop/cart.py"],
        "is_draft": False,
        "labels": [],
        "assignees": [],
        "requested_reviewers": [],
        "status": status,
        "pipeline_status": dict(zip(names, _STEPS[status], strict=True)),
        "checks": none | _CHECKS.get(status, {"passed": 4}),
        "reviews": approved if status in ("approved", "merged") else [],
        "ai_insight": None,
        "created_at": ago(hours=number % 90 + 2),
        "updated_at": ago(minutes=number % 50 + 5),
        "merged_at": ago(minutes=9) if status == "merged" else None,
        "closed_at": ago(minutes=9) if status in DONE else None,
        "first_commit_at": None,
        "first_review_at": None,
        "approved_at": None,
        "revision": 1,
    }
    return made | changes


def insight(number: int, risk: str = "medium", **changes: Any) -> Json:
    """Return what the analyst said of a pull request."""
    made: Json = {
        "id": f"ins_{number:026d}",
        "repository_name": "octo/shop",
        "pr_number": number,
        "commit_sha": f"{number:040x}",
        "risk_level": risk,
        "confidence_score": 0.82,
        "summary": "Charges are made twice when the card's bank answers late.",
        "recommendation": "Ask for a test of the late answer before it is merged.",
        "key_changes": ["Retries move into the gateway", "A key for each charge"],
        "effort": 3,
        "issues": [],
        "tests_touched": False,
        "security": [],
        "flow": None,
        "analyst": "offline",
        "model": None,
        "fallback_reason": None,
        "basis": {"files": 3, "read": 3, "skipped": [], "incremental": False},
        "cached": False,
        "tokens": None,
        "cost_usd": None,
        "created_at": ago(minutes=3),
    }
    return made | changes


def flow(**changes: Any) -> Json:
    """Return what a pull request does to the flow of events: nothing, unless told."""
    made: Json = {
        "project": "octo/shop",
        "base": {"ref": "main", "version": 12, "commit": "b" * 40},
        "head": {"ref": "fix/pay", "version": 3, "commit": "a" * 40},
        "publishers_added": [],
        "publishers_removed": [],
        "subscribers_added": [],
        "subscribers_removed": [],
        "orphans_made": [],
        "lost_last_publisher": [],
        "empty": not changes,
    }
    return made | changes


def metrics(**changes: Any) -> Json:
    """Return figures of thirty days."""
    phase = {"p50_s": 5400, "p75_s": 86_400, "count": 12, "band": "good"}
    names = ("coding", "pickup", "review", "merge", "cycle")
    made: Json = {
        "days": 30,
        "merged": 12,
        "phases": {name: dict(phase) for name in names},
        "stale": [],
        "load": [],
        "insights": {
            "made": 10,
            "cached": 3,
            "fallbacks": 1,
            "tokens_input": 12_000,
            "tokens_output": 3_400,
            "cost_usd": 0.0123,
        },
    }
    return made | changes


def key_of(pull: Json) -> str:
    return f"{pull['repository_name']}/{pull['pr_number']}"


class PullsServer:
    """Answers a page's requests for pull requests, and tells it of changes."""

    def __init__(self, page: Page, pulls: Iterable[Json] = ()) -> None:
        self.page = page
        self.pulls = {key_of(one): one for one in pulls}
        self.metrics = metrics()
        self.checks: list[Json] = []
        self.files: list[Json] | None = None
        self.insights: list[Json] = []
        self.history: list[Json] = []
        self.deliveries: list[Json] = []
        self.asked: list[str] = []
        self.connected: list[dict[str, list[str]]] = []
        #: What is answered instead, by a part of the address: a status.
        self.failing: dict[str, int] = {}
        self.page_size = 100
        self.place = 0
        self.recovers = True
        self._sockets: list[WebSocketRoute] = []
        page.route(_ADDRESSES, self._answer)
        page.route_web_socket(re.compile(r"/ws/pulls\b"), self._connect)

    @property
    def cursor(self) -> str:
        return f"{self.place:026d}"

    def tell(self, pull: Json, **changes: Any) -> Json:
        """Change a pull request, and tell everybody who is connected."""
        known = self.pulls.get(key_of(pull), pull)
        changed = known | changes | {"revision": known["revision"] + 1}
        self.pulls[key_of(pull)] = changed
        self.send([changed])
        return changed

    def send(self, pulls: Iterable[Json]) -> None:
        """Send states as they are, in one frame."""
        messages = []
        for one in pulls:
            self.place += 1
            messages.append(
                {"event": "pr_update", "data": {**one, "cursor": self.cursor}}
            )
        for socket in self._sockets:
            socket.send(json.dumps(messages))

    def hang_up(self) -> None:
        """Lose every connection."""
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close()

    def _connect(self, socket: WebSocketRoute) -> None:
        query = parse_qs(urlsplit(socket.url).query)
        self.connected.append(query)
        self._sockets.append(socket)
        socket.on_message(lambda text: self._pong(socket, str(text)))
        told: Json = {"client_id": "page-1", "cursor": self.cursor}
        if "cursor" in query:
            told["recovered"] = self.recovers
        socket.send(json.dumps([{"event": "hello", "data": told}]))

    def _pong(self, socket: WebSocketRoute, text: str) -> None:
        if json.loads(text).get("type") == "ping":
            socket.send(json.dumps([{"event": "pong", "data": {}}]))

    def _answer(self, route: Route, request: Request) -> None:
        address = urlsplit(request.url)
        self.asked.append(f"{request.method} {address.path}?{address.query}")
        status = next((s for part, s in self.failing.items() if part in request.url), 0)
        if status:
            error = {"code": "broken", "message": "It is broken.", "details": {}}
            route.fulfill(status=status, json={"error": error})
            return
        status, told = self._told(request.method, address.path, parse_qs(address.query))
        route.fulfill(status=status, json=told)

    def _told(
        self, method: str, path: str, query: dict[str, list[str]]
    ) -> tuple[int, Json]:
        simple: dict[str, Callable[[], Json]] = {
            "/api/v1/pulls": lambda: self._list(query),
            "/api/v1/pulls/metrics": lambda: self.metrics,
            "/api/v1/repositories": self._repositories,
            "/api/v1/webhooks/deliveries": lambda: {
                "deliveries": self.deliveries,
                "cursor": None,
            },
        }
        if path in simple:
            return 200, simple[path]()
        found = _PULL.fullmatch(path)
        if not found:
            return 202, {"status": "queued"}
        return self._one("/".join(map(unquote, found.groups()[:3])), found[4], query)

    def _one(
        self, key: str, verb: str | None, query: dict[str, list[str]]
    ) -> tuple[int, Json]:
        if verb == "/analyse":
            return 202, {"status": "queued"}
        if verb == "/history":
            return 200, self._pages("history", self.history, query)
        if key not in self.pulls:
            told = {"code": "not_found", "message": "There is none.", "details": {}}
            return 404, {"error": told}
        pull = self.pulls[key]
        return 200, {
            "pull": pull,
            "checks": self.checks,
            "insights": self.insights or [one for one in [pull["ai_insight"]] if one],
            "files": self.files,
            "phases": {
                "coding_s": 7200,
                "pickup_s": 900,
                "review_s": None,
                "merge_s": None,
                "cycle_s": None,
            },
            "live": self.cursor,
        }

    def _list(self, query: dict[str, list[str]]) -> Json:
        found = [one for one in self.pulls.values() if _fits(one, query)]
        found.sort(key=lambda one: str(one["updated_at"]), reverse=True)
        return {**self._pages("pulls", found, query), "live": self.cursor}

    def _pages(self, name: str, rows: list[Json], query: dict[str, list[str]]) -> Json:
        start = int(query.get("cursor", ["0"])[0])
        end = start + min(self.page_size, int(query.get("limit", ["100"])[0]))
        return {name: rows[start:end], "cursor": str(end) if end < len(rows) else None}

    def _repositories(self) -> Json:
        names = sorted({str(one["repository_name"]) for one in self.pulls.values()})
        return {"repositories": [{"full_name": name} for name in names]}


def _fits(pull: Json, query: dict[str, list[str]]) -> bool:
    tests = {
        "repository": pull["repository_name"],
        "status": pull["status"],
        "risk": (pull["ai_insight"] or {}).get("risk_level"),
        "author": pull["author"],
        "state": "done" if pull["status"] in DONE else "open",
        "draft": "true" if pull["is_draft"] else "false",
    }
    wanted = [query[name] for name in tests if name in query]
    known = [tests[name] for name in tests if name in query]
    words = query.get("q", [""])[0].lower().split()
    return all(one in asked for one, asked in zip(known, wanted, strict=True)) and all(
        word in str(pull["title"]).lower() for word in words
    )
