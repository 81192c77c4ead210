"""Reading pull requests: lists by what is asked for, one with all about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.pulls.shown import phases, show
from chalicelib.pulls.store import STATES, PullStore, Row, pull_in
from eventyard.core.errors import NotFoundError

#: How many one listing looks at before it answers with a cursor.
_LOOKED_AT: Final = 2_000
#: Lambda answers with at most 6 MB.
_PAGE_BYTES: Final = 4_000_000
_STATES: Final = ("failed", "running", "passed", "ignored")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which pull requests are asked for; nothing named is all."""

    repository: str = ""
    state: str | None = None
    status: tuple[str, ...] = ()
    risk: str | None = None
    author: str = ""
    reviewer: str = ""
    label: str = ""
    text: str = ""
    draft: bool | None = None

    def fits(self, pull: Mapping[str, Any]) -> bool:
        """Tell whether a pull request is one of them."""
        insight = pull["ai_insight"] or {}
        return all(
            (
                self.repository.lower() in ("", pull["repository_name"].lower()),
                not self.status or pull["status"] in self.status,
                self.risk in (None, insight.get("risk_level")),
                self.author.lower() in ("", pull["author"].lower()),
                not self.reviewer or self.reviewer in _reviewers(pull),
                not self.label or self.label in [one["name"] for one in pull["labels"]],
                self.draft in (None, pull["is_draft"]),
                self._is_said(pull),
            )
        )

    def _is_said(self, pull: Mapping[str, Any]) -> bool:
        named = ("title", "author", "branch_name", "repository_name", "pr_number")
        said = " ".join(str(pull[name]) for name in named).lower()
        return all(word in said for word in self.text.lower().split())


def _reviewers(pull: Mapping[str, Any]) -> list[str]:
    return [*pull["requested_reviewers"], *(r["reviewer"] for r in pull["reviews"])]


@dataclass(frozen=True, slots=True)
class PullReads:
    """What is asked of pull requests."""

    store: PullStore
    #: The insights of a pull request, the newest first.
    insights: Callable[[str, int], list[dict[str, Any]]]
    #: The place in the log up to which everything is told here.
    now: Callable[[], str]

    def page(
        self, wish: Wish, limit: int, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """
        Return pull requests, last updated first, and where the list goes on.

        A page may be shorter than `limit` and still have a cursor.
        """
        states = (wish.state,) if wish.state else STATES
        found: list[dict[str, Any]] = []
        size, sk = 0, cursor
        items = self.store.listed(states, cursor)
        for looked_at, item in enumerate(items, start=1):
            pull = pull_in(item)
            if wish.fits(pull):
                found.append(pull)
                size += len(item["shown"])
            sk = item["sk"]
            if len(found) == limit or size > _PAGE_BYTES or looked_at == _LOOKED_AT:
                return found, sk
        return found, None

    def row(self, repository: str, number: int) -> Row:
        """Return a pull request as it is stored; raises NotFoundError."""
        row = self.store.read(repository, number)
        if not row.state.is_told:
            raise NotFoundError(f"There is no pull request {repository}#{number} here.")
        return row

    def current(self, repository: str, number: int) -> dict[str, Any] | None:
        """Return a pull request as it is shown, or None."""
        row = self.store.read(repository, number)
        if not row.state.is_told:
            return None
        return {**show(row.state), "revision": row.revision}

    def detail(self, repository: str, number: int) -> dict[str, Any]:
        """Return a pull request with its checks and insights; raises NotFoundError."""
        live = self.now()
        row = self.row(repository, number)
        pull = {**show(row.state), "revision": row.revision}
        sha = row.state.sha
        found = self.store.at_commit(repository, sha)[0] if sha else []
        checks = [_check(item, str(sha)) for item in found]
        return {
            "pull": pull,
            "checks": sorted(checks, key=_by_state),
            "insights": self.insights(repository, number),
            "files": self.store.files(repository, number, sha),
            "phases": phases(pull),
            "live": live,
        }

    def history(
        self, repository: str, number: int, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """Return lines of the timeline, the newest first; raises NotFoundError."""
        self.row(repository, number)
        lines = self.store.history(repository, number, cursor, limit)
        more = len(lines) == limit
        return {
            "history": [_line(item) for item in lines],
            "cursor": lines[-1]["sk"].partition("#")[2] if more else None,
        }

    def with_number(self, number: int, repository: str) -> str | None:
        """Return the repository that has a pull request of this number, if any."""
        if repository:
            row = self.store.read(repository, number)
            return repository if row.state.is_told else None
        rows = [
            (row.state.updated_at, one["sk"])
            for one in self.store.repositories()
            if (row := self.store.read(one["sk"], number)).state.is_told
        ]
        return max(rows)[1] if rows else None

    def repositories(self) -> list[dict[str, Any]]:
        """Return all repositories with how many pull requests they have."""
        return [self.repository(item) for item in self.store.repositories()]

    def repository(self, item: Item) -> dict[str, Any]:
        """Return one repository with how many pull requests it has."""
        numbers, total = self.store.numbers(item["sk"])
        return {
            "name": item["name"],
            "full_name": item["sk"],
            "description": item.get("description"),
            "owner": item["owner"],
            "owner_avatar": item.get("owner_avatar"),
            "url": item.get("url"),
            "is_private": item["is_private"],
            "default_branch": item["default_branch"],
            "language": item.get("language"),
            "stars": int(item["stars"]),
            "forks": int(item["forks"]),
            "open_prs": len(numbers),
            "total_prs": total,
            "last_activity": item["stamp"].partition("!")[0] or None,
        }

    def listed_since(self, wish: Wish, since: str) -> Iterator[dict[str, Any]]:
        """Yield what is open, and what was done since a moment."""
        for item in self.store.listed(("open",), None):
            if wish.fits(pull := pull_in(item)):
                yield pull
        for item in self.store.listed(("done",), None):
            if item["sk"] < since:
                return
            if wish.fits(pull := pull_in(item)):
                yield pull


def _check(item: Item, sha: str) -> dict[str, Any]:
    return {
        "name": item["name"],
        "kind": item["kind"],
        "state": item["state"],
        "conclusion": item.get("conclusion"),
        "url": item.get("url"),
        "sha": sha,
        "started_at": item.get("started_at"),
        "completed_at": item.get("completed_at"),
    }


def _by_state(check: Mapping[str, Any]) -> tuple[int, str]:
    return _STATES.index(check["state"]), check["name"]


def _line(item: Item) -> dict[str, Any]:
    return {
        "at": item["at"],
        "kind": item["kind"],
        "actor": item.get("actor"),
        "text": item["text"],
        "sha": item.get("sha"),
        "url": item.get("url"),
    }


def as_seed(repository: Mapping[str, Any]) -> dict[str, Any]:
    """Return a repository as `GET /api/repository` shows it."""
    return {
        "name": repository["name"],
        "fullName": repository["full_name"],
        "description": repository["description"] or "",
        "owner": repository["owner"],
        "ownerAvatar": repository["owner_avatar"] or "",
        "isPrivate": repository["is_private"],
        "defaultBranch": repository["default_branch"],
        "openPRs": repository["open_prs"],
        "totalPRs": repository["total_prs"],
        "lastActivity": repository["last_activity"],
        "languages": [repository["language"]] if repository["language"] else [],
        "stars": repository["stars"],
        "forks": repository["forks"],
    }
