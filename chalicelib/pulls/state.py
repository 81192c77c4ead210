"""The state of one pull request: facts merged in any order, and what follows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from chalicelib.pulls.checks import STATES, build, counted
from chalicelib.pulls.facts import NEVER, PullFacts, Review, Stamp
from eventyard.core.wire import dumps, loads

#: So many commits are remembered as heads, for the timeline: the last ones.
_MOST_HEADS: Final = 50
_MOST_REVIEWS: Final = 500
#: So many names of files are told, of so many bytes, as a frame has 128 KB;
#: `changed_files` says how many there are.
MOST_FILES: Final = 200
_FILES_BYTES: Final = 30_000
_VERDICTS: Final = ("approved", "changes_requested", "dismissed")
Register = tuple[Stamp, Mapping[str, Any]]
_UNTOLD: Final[Register] = (NEVER, {})


@dataclass(frozen=True, slots=True)
class PullState:
    """
    All that was told of one pull request.

    Merging keeps of everything what is newest by the payloads' own times, so any
    order of deliveries, with any repeats, ends the same. Merged stays merged.
    """

    repository: str
    number: int
    core: Register = _UNTOLD
    size: Register = _UNTOLD
    merged_at: str | None = None
    merged_by: str | None = None
    seen: frozenset[str] = frozenset()
    reviews: Mapping[str, Review] = field(default_factory=dict)
    heads: Mapping[str, str] = field(default_factory=dict)
    first_commit_at: str | None = None
    insight: Mapping[str, Any] | None = None
    #: The commit that files were read of, and their names.
    files: tuple[str, ...] = ()
    #: What the checks of the head commit make: its `sha`, counts, and the last moment.
    checks: Mapping[str, Any] = field(default_factory=dict)

    def merge(self, told: PullFacts) -> PullState:
        """Return the state with what a delivery tells."""
        core = (
            max(self.core, (told.stamp, told.core), key=_stamp) if told.core else None
        )
        size = (
            max(self.size, (told.stamp, told.size), key=_stamp) if told.size else None
        )
        return replace(
            self,
            core=core or self.core,
            size=size or self.size,
            merged_at=self._merged_at(told),
            merged_by=told.size.get("merged_by") or self.merged_by,
            seen=self.seen | {told.seen} if told.seen else self.seen,
            reviews=_newest_of(self.reviews, told.reviews),
            heads=_earliest(self.heads, told.heads),
            first_commit_at=_first(self.first_commit_at, told.first_commit_at),
            insight=_newer(self.insight, told.insight),
            files=self.files if told.files is None else _bounded(told.files),
        )

    def _merged_at(self, told: PullFacts) -> str | None:
        if not told.core.get("merged"):
            return self.merged_at
        core = told.core
        return _first(
            self.merged_at, core["merged_at"] or core["closed_at"] or told.stamp[0]
        )

    def with_checks(self, sha: str, found: Sequence[Mapping[str, Any]]) -> PullState:
        """Return the state with what the checks of a commit make."""
        last = max((_end(check) for check in found), default="")
        made = {"sha": sha, "last": last, "build": build(found), **counted(found)}
        return replace(self, checks=made)

    @property
    def sha(self) -> str | None:
        """Return the head commit."""
        sha: str | None = self.core[1].get("sha")
        return sha

    @property
    def is_told(self) -> bool:
        """Tell whether there is anything to show."""
        return bool(self.core[1])

    @property
    def counts(self) -> dict[str, int]:
        """Return how many checks of the head commit are in which state."""
        return {name: int(self._current.get(name, 0)) for name in STATES}

    @property
    def build(self) -> str:
        """Return `pending`, `running`, `passed` or `failed`."""
        return str(self._current.get("build", "pending"))

    @property
    def _current(self) -> Mapping[str, Any]:
        # A new head has no checks yet, whatever those of the one before said.
        return self.checks if self.checks.get("sha") == self.sha else {}

    @property
    def merge_status(self) -> str:
        """Return `merged`, `closed` or `pending`."""
        if self.merged_at:
            return "merged"
        return "closed" if self.core[1].get("closed") else "pending"

    @property
    def is_open(self) -> bool:
        """Tell whether it waits to be merged."""
        return self.merge_status == "pending"

    def verdicts(self) -> list[Review]:
        """Return the last verdict of each reviewer on the head commit."""
        latest: dict[str, Review] = {}
        for review in sorted(self.reviews.values(), key=_by_time):
            if review.sha == self.sha and review.state in _VERDICTS:
                latest[review.reviewer] = review
        return [one for one in latest.values() if one.state != "dismissed"]

    @property
    def updated_at(self) -> str:
        """Return when anything last happened to it, of which our own reading is none."""
        moments = [self.core[0][0], self.size[0][0], self.merged_at or ""]
        moments += [review.at for review in self.reviews.values()]
        moments.append(str(self._current.get("last", "")))
        return max(moments)

    def to_text(self) -> str:
        """Write it as it is kept."""
        return dumps(
            {
                "core": self.core,
                "size": self.size,
                "merged_at": self.merged_at,
                "merged_by": self.merged_by,
                "seen": sorted(self.seen),
                "reviews": [_written(review) for review in self.reviews.values()],
                "heads": self.heads,
                "first_commit_at": self.first_commit_at,
                "insight": self.insight,
                "files": self.files,
                "checks": self.checks,
            }
        )

    @classmethod
    def from_text(cls, repository: str, number: int, text: str) -> Self:
        """Read what `to_text` wrote."""
        kept = loads(text)
        reviews = [_review(fields) for fields in kept["reviews"]]
        return cls(
            repository,
            number,
            core=_register(kept["core"]),
            size=_register(kept["size"]),
            merged_at=kept["merged_at"],
            merged_by=kept["merged_by"],
            seen=frozenset(kept["seen"]),
            reviews={review.id: review for review in reviews},
            heads=kept["heads"],
            first_commit_at=kept["first_commit_at"],
            insight=kept["insight"],
            files=tuple(kept["files"]),
            checks=kept["checks"],
        )


def status_of(merge: str, approval: str, built: str) -> str:
    """Return the one word that a board shows; the first that says something."""
    if merge != "pending":
        return merge
    if approval == "approved":
        return "approved"
    shown = {"passed": "buildPassed", "failed": "buildFailed", "running": "building"}
    return shown.get(built, "pending")


def pipeline(state: PullState) -> dict[str, str]:
    """Return the four states that a pull request has at the same time."""
    verdicts = {review.state for review in state.verdicts()}
    opened = next((s for s in ("updated", "opened") if s in state.seen), "pending")
    wanted = ("changes_requested", "approved")
    return {
        "status_pr": opened,
        "status_build": state.build,
        "status_approval": next((s for s in wanted if s in verdicts), "pending"),
        "status_merge": state.merge_status,
    }


def _bounded(names: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    left = _FILES_BYTES
    for name in names[:MOST_FILES]:
        left -= len(name.encode(errors="replace"))
        if left < 0:
            break
        kept.append(name)
    return tuple(kept)


def _end(check: Mapping[str, Any]) -> str:
    return str(check.get("completed_at") or check.get("started_at") or "")


def _stamp(register: Register) -> Stamp:
    return register[0]


def _by_time(review: Review) -> tuple[str, str]:
    return review.at, review.id


def _newest_of(
    known: Mapping[str, Review], told: Iterable[Review]
) -> Mapping[str, Review]:
    merged = dict(known)
    for review in told:
        before = merged.get(review.id)
        merged[review.id] = max(before or review, review, key=lambda one: one.stamp)
    if len(merged) > _MOST_REVIEWS:
        kept = sorted(merged.values(), key=_by_time)[-_MOST_REVIEWS:]
        merged = {review.id: review for review in kept}
    return dict(sorted(merged.items()))


def _earliest(known: Mapping[str, str], told: Mapping[str, str]) -> Mapping[str, str]:
    merged = dict(known)
    for sha, when in told.items():
        merged[sha] = min(merged.get(sha, when), when)
    last = sorted(merged.items(), key=lambda one: (one[1], one[0]))[-_MOST_HEADS:]
    return dict(last)


def _first(*moments: str | None) -> str | None:
    return min((one for one in moments if one), default=None)


def _newer(
    known: Mapping[str, Any] | None, told: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if known is None or told is None:
        return told or known
    # The same again is told when more is known of it: the flow, since it was scanned.
    return max(told, known, key=lambda one: (one["created_at"], one["id"]))


def _register(kept: Any) -> Register:
    stamp, value = kept
    return _stamped(stamp), value


def _stamped(kept: Any) -> Stamp:
    moment, rank, digest = kept
    return str(moment), int(rank), str(digest)


def _written(review: Review) -> dict[str, Any]:
    return {name: getattr(review, name) for name in Review.__slots__}


def _review(kept: Mapping[str, Any]) -> Review:
    return Review(**{**kept, "stamp": _stamped(kept["stamp"])})
