"""How long pull requests take, what lies still, and who reviews how much. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chalicelib.pulls.shown import phases
from eventyard.core import moments

PHASES: Final = ("coding", "pickup", "review", "merge", "cycle")
_HOUR: Final = 3_600.0
#: Elite below the first, good below the second, fair below the third (hours, at the
#: 75th percentile). The cycle: LinearB's glossary of 2026 (8.1 million pull requests);
#: its parts: LinearB's community benchmarks (3.7 million), https://linearb.helpdocs.io
_BANDS: Final[Mapping[str, tuple[float, float, float]]] = {
    "coding": (0.5, 2.5, 24),
    "pickup": (1, 3, 14),
    "review": (0.5, 3, 18),
    "cycle": (25, 73, 162),
}
_NAMES: Final = ("elite", "good", "fair")
#: What is open and was not touched for so long lies still.
STALE_S: Final = 5 * 86_400.0
#: Somebody waits for a first review for so long.
UNREVIEWED_S: Final = 2 * 86_400.0
_MOST_STALE: Final = 50


def cycle(pulls: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return of each phase the median, the 75th percentile, and the band of that."""
    taken: dict[str, list[float]] = {name: [] for name in PHASES}
    for pull in pulls:
        for name, seconds in phases(pull).items():
            if seconds is not None:
                taken[name.removesuffix("_s")].append(seconds)
    return {name: _described(name, sorted(taken[name])) for name in PHASES}


def _described(name: str, taken: Sequence[float]) -> dict[str, Any]:
    p75 = percentile(taken, 0.75)
    return {
        "p50_s": percentile(taken, 0.5),
        "p75_s": p75,
        "count": len(taken),
        "band": None if p75 is None else band(name, p75),
    }


def percentile(taken: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of sorted ones is, between two of them."""
    if not taken:
        return None
    place = (len(taken) - 1) * share
    below = int(place)
    above = min(below + 1, len(taken) - 1)
    return round(taken[below] + (taken[above] - taken[below]) * (place - below), 1)


def band(name: str, seconds: float) -> str | None:
    """Return how good that is; None where nobody says."""
    bounds = _BANDS.get(name)
    if bounds is None:
        return None
    hours = seconds / _HOUR
    found = (word for word, most in zip(_NAMES, bounds, strict=True) if hours < most)
    return next(found, "needs_focus")


def stale(pulls: Iterable[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """Return open pull requests that lie still, the longest first, and why."""
    found = [_still(pull, now) for pull in pulls if not pull["is_draft"]]
    lying = [one for one in found if one is not None]
    return sorted(lying, key=lambda one: -one["idle_s"])[:_MOST_STALE]


def _still(pull: Mapping[str, Any], now: float) -> dict[str, Any] | None:
    idle = now - moments.read(pull["updated_at"]).timestamp()
    why = _reason(pull, idle)
    if why is None:
        return None
    return {
        "repository_name": pull["repository_name"],
        "pr_number": pull["pr_number"],
        "title": pull["title"],
        "author": pull["author"],
        "idle_s": round(idle, 1),
        "why": why,
    }


def _reason(pull: Mapping[str, Any], idle: float) -> str | None:
    if idle > STALE_S:
        asked = pull["pipeline_status"]["status_approval"] == "changes_requested"
        return "changes_requested" if asked else "idle"
    unseen = pull["first_review_at"] is None
    return "no_review" if unseen and idle > UNREVIEWED_S else None


def load(pulls: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return who is asked for how many reviews, and who gave how many."""
    asked: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for pull in pulls:
        if pull["pipeline_status"]["status_merge"] == "pending":
            asked.update(pull["requested_reviewers"])
        given.update({review["reviewer"] for review in pull["reviews"]})
    return [
        {"reviewer": who, "requested": asked[who], "reviewed": given[who]}
        for who in sorted({*asked, *given}, key=lambda w: (-asked[w], -given[w], w))
    ]
