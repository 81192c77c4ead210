"""Pull requests as the server tells of them, for the browser alone: made, told, refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import Page, Request, Route

from tests.e2e.routed import Json, Query, RoutedServer, ago

DONE = ("merged", "closed")
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


class PullsServer(RoutedServer):
    """Answers a page's requests for pull requests, and tells it of changes."""

    addresses = re.compile(r"/api/v1/(pulls|repositories|webhooks/deliveries)\b")
    channel = "pulls"

    def __init__(self, page: Page, pulls: Iterable[Json] = ()) -> None:
        super().__init__(page)
        self.pulls = {key_of(one): one for one in pulls}
        self.metrics = metrics()
        self.checks: list[Json] = []
        self.files: list[Json] | None = None
        self.insights: list[Json] = []
        self.history: list[Json] = []
        self.deliveries: list[Json] = []

    def tell(self, pull: Json, **changes: Any) -> Json:
        """Change a pull request, and tell everybody who is connected."""
        known = self.pulls.get(key_of(pull), pull)
        changed = known | changes | {"revision": known["revision"] + 1}
        self.pulls[key_of(pull)] = changed
        self.send([changed])
        return changed

    def send(self, pulls: Iterable[Json]) -> None:
        """Send states as they are, in one frame."""
        self.frame({"event": "pr_update", "data": one} for one in pulls)

    def answer(self, route: Route, request: Request, path: str, query: Query) -> None:
        """Answer one request."""
        status, told = self._told(path, query)
        route.fulfill(status=status, json=told)

    def _told(self, path: str, query: Query) -> tuple[int, Json]:
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

    def _one(self, key: str, verb: str | None, query: Query) -> tuple[int, Json]:
        if verb == "/analyse":
            return 202, {"status": "queued"}
        if verb == "/history":
            return 200, self.pages("history", self.history, query)
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

    def _list(self, query: Query) -> Json:
        found = [one for one in self.pulls.values() if _fits(one, query)]
        found.sort(key=lambda one: str(one["updated_at"]), reverse=True)
        return {**self.pages("pulls", found, query), "live": self.cursor}

    def _repositories(self) -> Json:
        names = sorted({str(one["repository_name"]) for one in self.pulls.values()})
        return {"repositories": [{"full_name": name} for name in names]}


def _fits(pull: Json, query: Query) -> bool:
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
