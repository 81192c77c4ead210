"""
GitHub's REST API on loopback, after https://docs.github.com/en/rest.

It refuses what GitHub refuses: requests without a User-Agent, wrong tokens, versions
of the API that there are not, pages of over a hundred.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Loopback, Reply, Request, reply

TOKEN = "github_pat_" + "0" * 22
_VERSIONS = {"2022-11-28", "2026-03-10"}
_DOCS = "https://docs.github.com/rest"


def refusal(status: int, message: str, **headers: str) -> Reply:
    """An error as GitHub writes it."""
    body = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    return reply(status, body, **headers)


@dataclass
class Repository:
    """What one repository has; a hook's deliveries are in the order they were sent."""

    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    commits: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    compared: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    deliveries: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    #: Whether the token may see and use the hooks.
    admin: bool = True
    #: Under which number it is found when its name has changed.
    moved: int | None = None


class GitHub(Loopback):
    """`repositories` by their full names; `trouble` is answered first, one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.repositories: dict[str, Repository] = {}
        self.trouble: list[Reply | Callable[[], Reply]] = []
        self.redelivered: list[tuple[int, int]] = []
        self.prefix = ""

    @property
    def url(self) -> str:
        return f"{self.origin}{self.prefix}"

    def add(self, name: str, **held: Any) -> Repository:
        self.repositories[name] = made = Repository(**held)
        return made

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def answer(self, request: Request) -> Reply:
        refused = self._refused(request)
        if refused is not None:
            return refused
        if self.trouble:
            trouble = self.trouble.pop(0)
            return trouble if isinstance(trouble, Reply) else trouble()
        return self._route(request)

    def _refused(self, request: Request) -> Reply | None:
        headers = request.headers
        if not headers.get("user-agent"):
            text = b"Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
            return Reply(403, text, {"Content-Type": "text/html"})
        if headers.get("authorization") != f"Bearer {self.token}":
            return refusal(401, "Bad credentials")
        version = headers.get("x-github-api-version")
        if version is not None and version not in _VERSIONS:
            return refusal(400, "Invalid API version")
        if "application/vnd.github" not in headers.get("accept", ""):
            return refusal(415, "Unsupported 'Accept' header")
        return None

    def _route(self, request: Request) -> Reply:
        path = request.path.removeprefix(self.prefix)
        by_number = re.fullmatch(r"/repositories/(\d+)(/.*)?", path)
        if by_number:
            name = next(
                n
                for n, one in self.repositories.items()
                if one.moved == int(by_number[1])
            )
            return self._inside(request, name, by_number[2] or "")
        named = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", path)
        if not named or named[1] not in self.repositories:
            return refusal(404, "Not Found")
        moved = self.repositories[named[1]].moved
        if moved is not None:
            where = f"{self.url}/repositories/{moved}{named[2] or ''}"
            return refusal(301, "Moved Permanently", Location=where)
        return self._inside(request, named[1], named[2] or "")

    def _inside(self, request: Request, name: str, rest: str) -> Reply:
        repository = self.repositories[name]
        for form, verb in _ROUTES:
            found = re.fullmatch(form, rest)
            if found:
                return verb(self, repository, request, *found.groups())
        return refusal(404, "Not Found")

    def _page(self, request: Request, found: list[Any]) -> Reply:
        each = min(int(request.query.get("per_page", "30")), 100)
        page = int(request.query.get("page", "1"))
        here = found[(page - 1) * each : page * each]
        more = {}
        if len(found) > page * each:
            base = f"{self.origin}{request.path}?per_page={each}"
            last = -(-len(found) // each)
            more["Link"] = (
                f'<{base}&page={page + 1}>; rel="next", <{base}&page={last}>; rel="last"'
            )
        return reply(200, here, **more)

    def _pulls(self, repository: Repository, request: Request) -> Reply:
        state = request.query.get("state", "open")
        # A list tells less of each than the pull request itself does.
        kept = ("additions", "deletions", "changed_files", "commits", "mergeable")
        found = [
            {name: value for name, value in pull.items() if name not in kept}
            for pull in repository.pulls.values()
            if state in ("all", pull["state"])
        ]
        return self._page(request, found)

    def _pull(self, repository: Repository, _: Request, number: str) -> Reply:
        found = repository.pulls.get(int(number))
        return reply(200, found) if found else refusal(404, "Not Found")

    def _files(self, repository: Repository, request: Request, number: str) -> Reply:
        found = repository.files.get(int(number))
        if found is None:
            return refusal(404, "Not Found")
        return self._page(request, found[:3_000])

    def _commits(self, repository: Repository, request: Request, number: str) -> Reply:
        found = repository.commits.get(int(number))
        if found is None:
            return refusal(404, "Not Found")
        return self._page(request, found[:250])

    def _compare(
        self, repository: Repository, _: Request, base: str, head: str
    ) -> Reply:
        found = repository.compared.get((base, head))
        return reply(200, found) if found else refusal(404, "Not Found")

    def _hooks(self, repository: Repository, request: Request) -> Reply:
        if not repository.admin:
            return refusal(404, "Not Found")
        return self._page(request, repository.hooks)

    def _deliveries(self, repository: Repository, request: Request, hook: str) -> Reply:
        newest = repository.deliveries.get(int(hook), [])[::-1]
        each = min(int(request.query.get("per_page", "30")), 100)
        start = int(request.query.get("cursor", "v1_0").removeprefix("v1_"))
        more = {}
        if len(newest) > start + each:
            url = f"{self.origin}{request.path}?per_page={each}"
            more["Link"] = f'<{url}&cursor=v1_{start + each}>; rel="next"'
        return reply(200, newest[start : start + each], **more)

    def _attempt(
        self, repository: Repository, request: Request, hook: str, delivery: str
    ) -> Reply:
        known = {one["id"] for one in repository.deliveries.get(int(hook), [])}
        if request.method != "POST" or int(delivery) not in known:
            return refusal(404, "Not Found")
        self.redelivered.append((int(hook), int(delivery)))
        return reply(202, {})


_ROUTES: list[tuple[str, Callable[..., Reply]]] = [
    (r"/pulls", GitHub._pulls),
    (r"/pulls/(\d+)", GitHub._pull),
    (r"/pulls/(\d+)/files", GitHub._files),
    (r"/pulls/(\d+)/commits", GitHub._commits),
    (r"/compare/([^/]+)\.\.\.([^/]+)", GitHub._compare),
    (r"/hooks", GitHub._hooks),
    (r"/hooks/(\d+)/deliveries", GitHub._deliveries),
    (r"/hooks/(\d+)/deliveries/(\d+)/attempts", GitHub._attempt),
]


def changed(name: str, patch: str | None = None, **more: Any) -> dict[str, Any]:
    """A changed file as GitHub lists it."""
    lines = (patch or "").splitlines()
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    told = {
        "sha": "b" * 40,
        "filename": name,
        "status": "modified",
        "additions": added,
        "deletions": removed,
        "changes": added + removed,
        "blob_url": "https://github.com/blob",
        **({} if patch is None else {"patch": patch}),
    }
    return {**told, **more}
