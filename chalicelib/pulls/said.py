"""Insights: what an analyst said, with what is certain and what only we can see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from chalicelib.pulls.analysis import SUMMARY, Analysis, Issue, clip
from chalicelib.pulls.analyst import Answer
from chalicelib.pulls.patches import FileChange
from chalicelib.pulls.request import Request
from chalicelib.pulls.signs import certain
from eventyard.core import moments, ulid

#: So many files are told that were not read, with the reason.
_MOST_SKIPPED: Final = 20
#: So many events are told of that lost their publisher.
_MOST_LOST: Final = 3
_MILLION: Final = 1_000_000


def hardened(analysis: Analysis, files: Iterable[FileChange]) -> Analysis:
    """Add what must not be merged, whatever was said of it."""
    found = certain(files)
    return analysis.raised(found.risk).joined(found.issues, found.security)


def with_flow(analysis: Analysis, flow: Mapping[str, Any] | None) -> Analysis:
    """Add what a change of the event flow breaks."""
    lost: Sequence[str] = flow["lost_last_publisher"] if flow else ()
    if not lost:
        return analysis
    issues = [
        Issue(
            path="",
            line=None,
            severity="high",
            message=f"{event} loses its last publisher, and somebody still listens.",
        )
        for event in lost[:_MOST_LOST]
    ]
    names = ", ".join(lost[:_MOST_LOST]) + (" …" if len(lost) > _MOST_LOST else "")
    warning = clip(f"Still listened to, but published no more: {names}.", SUMMARY // 2)
    said = clip(analysis.summary, SUMMARY - len(warning) - 1)
    told = replace(analysis.raised("high"), summary=f"{said} {warning}")
    return told.joined(issues)


def made(
    request: Request,
    answer: Answer,
    analysis: Analysis,
    *,
    cached: bool,
    prices: tuple[float, float] | None,
    now: float,
) -> dict[str, Any]:
    """Return the insight, as it is stored and told."""
    asked = bool(answer.tokens_in or answer.tokens_out)
    return {
        "id": f"ins_{ulid.new_ulid(int(now * 1000))}",
        "repository_name": request.repository,
        "pr_number": request.number,
        "commit_sha": request.sha,
        **analysis.to_dict(),
        "tests_touched": request.tests_touched,
        "flow": None if request.flow is None else dict(request.flow),
        "analyst": answer.analyst,
        "model": answer.model,
        "fallback_reason": answer.fallback_reason,
        "basis": _basis(request, answer),
        "cached": cached,
        "tokens": (
            {"input": answer.tokens_in, "output": answer.tokens_out} if asked else None
        ),
        "cost_usd": cost(answer, prices) if asked else None,
        "created_at": moments.at(now),
    }


def cost(answer: Answer, prices: tuple[float, float] | None) -> float | None:
    """Return what an answer cost in USD; None where prices are not known."""
    if prices is None:
        return None
    whole = answer.tokens_in * prices[0] + answer.tokens_out * prices[1]
    return round(whole / _MILLION, 6)


def _basis(request: Request, answer: Answer) -> dict[str, Any]:
    skipped = list(_skipped(request, answer))
    more = len(skipped) - _MOST_SKIPPED
    told = skipped[:_MOST_SKIPPED] + ([f"and {more} more"] if more > 0 else [])
    return {
        "files": None if request.files is None else len(request.files),
        "read": len(answer.read),
        "skipped": told,
        "incremental": request.fresh is not None and answer.model is not None,
    }


def _skipped(request: Request, answer: Answer) -> Iterator[str]:
    read = set(answer.read)
    fresh = None
    if request.fresh is not None and answer.model is not None:
        fresh = {file.path for file in request.fresh}
    for file in request.files or ():
        # What is not fresh was read before.
        if file.path not in read and (fresh is None or file.path in fresh):
            yield f"{file.name}: {_why(file)}"


def _why(file: FileChange) -> str:
    if file.skipped:
        return file.skipped
    if file.patch is None:
        return "no patch"
    if not any(hunk.adds for hunk in file.hunks):
        return "nothing added"
    return "over the token budget"
