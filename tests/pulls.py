"""Pull requests as tests need them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

from chalicelib.pulls import github as reader
from chalicelib.pulls.facts import Check, PullFacts, Reading
from chalicelib.pulls.patches import read_files
from chalicelib.pulls.request import Request
from chalicelib.pulls.state import PullState
from tests.github import NUMBER, REPOSITORY, Sample
from tests.githubserver import changed

HEAD = "a" * 40
BASE = "b" * 40


def read(sample: Sample) -> Reading:
    """What a webhook tells."""
    return reader.read(sample.event, sample.body, sample.delivery)


def told(
    samples: Iterable[Sample], repository: str = REPOSITORY, number: int = NUMBER
) -> PullState:
    """Do what the projection does, in memory: merge facts, keep newest checks."""
    state, newest = PullState(repository, number), {}
    for reading in map(read, samples):
        state = reduce(_merged, reading.pulls, state)
        for check in reading.checks:
            kept = newest.get((check.sha, check.key))
            if kept is None or kept.stamp < check.stamp:
                newest[check.sha, check.key] = check
    found = [_item(check) for check in newest.values() if check.sha == state.sha]
    return state.with_checks(state.sha, found) if state.sha else state


def _merged(state: PullState, facts: PullFacts) -> PullState:
    mine = (facts.repository, facts.number) == (state.repository, state.number)
    return state.merge(facts) if mine else state


def _item(check: Check) -> dict[str, Any]:
    return {name: getattr(check, name) for name in check.__slots__}


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
