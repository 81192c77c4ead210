"""Pull requests as tests need them."""

from __future__ import annotations

from typing import Any

from chalicelib.pulls.patches import read_files
from chalicelib.pulls.request import Request
from tests.githubserver import changed

HEAD = "a" * 40
BASE = "b" * 40


def added(*lines: str, start: int = 1) -> str:
    """A patch that adds lines."""
    return f"@@ -0,0 +{start},{len(lines)} @@\n" + "\n".join(f"+{one}" for one in lines)


def many(count: int, text: str = "x = 1") -> str:
    return added(*[f"{text}  # {n}" for n in range(count)])


def file(path: str, patch: str | None = None, **more: Any) -> dict[str, Any]:
    """A changed file as GitHub lists it; without a patch one line is added."""
    return changed(path, added("x = 1") if patch is None else patch, **more)


def pull(**changes: Any) -> dict[str, Any]:
    """The state of a pull request."""
    usual = {
        "repository_name": "octo/shop",
        "pr_number": 7,
        "title": "Retry payments",
        "description": "So that a broken connection costs nobody an order.",
        "author": "ada",
        "commit_sha": HEAD,
        "branch_name": "retry",
        "base_branch": "main",
        "base_sha": BASE,
        "additions": 15,
        "deletions": 12,
        "changed_files": 3,
        "status": "pending",
    }
    return {**usual, **changes}


def request(*files: dict[str, Any], known: bool = True, **changes: Any) -> Request:
    """What an analyst is told, of files as GitHub lists them."""
    told = {name: changes.pop(name) for name in _TOLD if name in changes}
    read = tuple(read_files(files)) if known else None
    sizes = {}
    if known:
        sizes = {
            "additions": sum(one["additions"] for one in files),
            "deletions": sum(one["deletions"] for one in files),
            "changed_files": len(files),
        }
    return Request.of(pull(**{**sizes, **changes}), read, **told)


_TOLD = ("fresh", "previous", "flow")
