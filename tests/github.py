"""
Webhooks as GitHub sends them, from files of `tests/samples/github`.

One story in octo/shop on one morning, second by second: pull request 101 with all
that happens to it, a fork's 102 (whose checks name no pull request), a bot's 103.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

FOLDER = Path(__file__).parent / "samples" / "github"
REPOSITORY, NUMBER, FORKS_NUMBER, BOTS_NUMBER = "octo/shop", 101, 102, 103

#: Every sample, in the order in which GitHub would have sent them.
SAMPLES = (
    "ping.repository",
    "ping.organization",
    "star.created",
    "push.created",
    "pull_request.opened",
    "check_suite.requested",
    "workflow_run.requested",
    "workflow_job.queued",
    "check_run.created",
    "status.pending",
    "workflow_run.in_progress",
    "workflow_job.in_progress",
    "pull_request.labeled",
    "pull_request.assigned",
    "pull_request.review_requested",
    "pull_request.review_requested.team",
    "pull_request.edited",
    "workflow_job.completed.failure",
    "check_run.completed.failure",
    "workflow_run.completed.failure",
    "check_suite.completed.failure",
    "status.failure",
    "pull_request.review_request_removed",
    "pull_request.converted_to_draft",
    "pull_request_review.submitted.commented",
    "pull_request_review_comment.created",
    "pull_request_review.submitted.changes_requested",
    "check_suite.rerequested",
    "check_run.rerequested",
    "pull_request.opened.fork",
    "workflow_run.requested.fork",
    "check_run.created.fork",
    "check_run.completed.fork",
    "workflow_run.completed.fork",
    "check_suite.completed.fork",
    "pull_request.opened.bot",
    "check_run.completed.bot",
    "push.updated",
    "pull_request.synchronize",
    "check_run.completed.skipped",
    "workflow_job.completed.success",
    "check_run.completed.success",
    "workflow_run.completed.success",
    "check_suite.completed.success",
    "check_run.completed.neutral",
    "status.success",
    "pull_request.ready_for_review",
    "pull_request_review.dismissed",
    "pull_request_review.submitted.approved",
    "pull_request.unlabeled",
    "pull_request.unassigned",
    "pull_request.closed",
    "pull_request.reopened",
    "pull_request.closed.merged",
    "push.merged",
    "push.deleted",
)

#: What of `SAMPLES` tells of pull request 101.
STORY = tuple(
    name
    for name in SAMPLES
    if not name.endswith((".fork", ".bot")) and not name.startswith(("ping", "star"))
)

_NUMBERED = ("number",)
_SECONDS = ("created_at", "pushed_at")  # whole seconds in the repository of a push
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(Z|\+00:00)")


def sign(secret: str, raw: bytes) -> str:
    """Return what GitHub puts into X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Sample:
    """One webhook; what changes it returns another one with a delivery id of its own."""

    name: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def event(self) -> str:
        return self.headers["X-GitHub-Event"]

    @property
    def delivery(self) -> str:
        return self.headers["X-GitHub-Delivery"]

    @property
    def raw(self) -> bytes:
        """The bytes on the wire: GitHub sends compact JSON."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()

    def signed(self, secret: str) -> dict[str, str]:
        """Return the headers of a request whose body is `raw`."""
        return {
            **self.headers,
            "Content-Type": "application/json",
            "X-Hub-Signature-256": sign(secret, self.raw),
        }

    def fresh(self) -> Self:
        """Return the same under another delivery id."""
        headers = {**self.headers, "X-GitHub-Delivery": str(uuid.uuid4())}
        return replace(self, headers=headers)

    def having(self, **values: Any) -> Self:
        """Set values: `having(pull_request__draft=True)`."""
        body = json.loads(json.dumps(self.body))
        for path, value in values.items():
            *way, last = path.split("__")
            place = body
            for key in way:
                place = place[key]
            place[last] = value
        return replace(self.fresh(), body=body)

    def without(self, path: str) -> Self:
        """Leave one value out: `without("pull_request__user")`."""
        *way, last = path.split("__")
        other = self.having()
        place = other.body
        for key in way:
            place = place[key]
        del place[last]
        return other

    def in_repository(self, full_name: str) -> Self:
        """Say it of another repository, its id and addresses included."""
        owner, name = full_name.split("/")
        ident = int.from_bytes(hashlib.sha256(full_name.encode()).digest()[:4], "big")

        def other(key: str, value: Any) -> Any:
            if value == 700100200:
                return ident
            if value in {"octo", "shop"}:
                return owner if value == "octo" else name
            return value.replace("octo/shop", full_name) if _is_text(value) else value

        return self._each(other)

    def of_number(self, number: int) -> Self:
        """Say it of another pull request."""
        mine = {NUMBER, FORKS_NUMBER, BOTS_NUMBER}

        def other(key: str, value: Any) -> Any:
            if key in _NUMBERED and value in mine:
                return number
            if not _is_text(value):
                return value
            return re.sub(r"(?<=/pull/)10\d|(?<=/pulls/)10\d", str(number), value)

        return self._each(other)

    def at_commit(self, old: str, new: str) -> Self:
        """Say it of another commit."""
        return self._each(
            lambda _, value: value.replace(old, new) if _is_text(value) else value
        )

    def later(self, seconds: float) -> Self:
        """Move every time of it."""
        shift = timedelta(seconds=seconds)

        def moved(found: re.Match[str]) -> str:
            return (datetime.fromisoformat(found[1]) + shift).isoformat() + found[2]

        def other(key: str, value: Any) -> Any:
            if key in _SECONDS and isinstance(value, int):
                return value + int(seconds)
            return _TIME.sub(moved, value) if _is_text(value) else value

        return self._each(other)

    def _each(self, change: Callable[[str, Any], Any]) -> Self:
        return replace(self.fresh(), body=_mapped(change, "", self.body))


def load(name: str) -> Sample:
    """Read a sample: `load("pull_request.opened")`."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return Sample(name, **json.loads(text))


def _mapped(change: Callable[[str, Any], Any], key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _mapped(change, name, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(change, key, inner) for inner in value]
    return change(key, value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
