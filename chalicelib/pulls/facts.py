"""What deliveries and analysts tell of pull requests: values that merge in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: When something was so (ISO 8601, UTC), how late it is among what was so at the same
#: second, and what tells apart what is neither: the highest wins, whoever comes first.
Stamp = tuple[str, int, str]
NEVER: Final[Stamp] = ("", 0, "")


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody said of a commit; `state` is `approved`, `commented` and so on."""

    id: str
    stamp: Stamp
    reviewer: str
    state: str
    sha: str
    at: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the timeline; the same one is the same line, however often it is told."""

    at: str
    kind: str
    actor: str | None
    text: str
    sha: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PullFacts:
    """What one delivery tells of one pull request."""

    repository: str
    number: int
    stamp: Stamp = NEVER
    #: What every pull request in a payload has; empty when nothing was told.
    core: Mapping[str, Any] = field(default_factory=dict)
    #: How large it is, which only some payloads tell.
    size: Mapping[str, Any] = field(default_factory=dict)
    #: `opened`, `updated`, or nothing: what kind of event told it.
    seen: str = ""
    reviews: tuple[Review, ...] = ()
    moments: tuple[Moment, ...] = ()
    #: The head commit that was left behind or reached, and when.
    heads: Mapping[str, str] = field(default_factory=dict)
    first_commit_at: str | None = None
    #: What an analyst made of it, and which files it has.
    insight: Mapping[str, Any] | None = None
    files: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """The newest that is known of one check of one commit."""

    repository: str
    sha: str
    #: What tells it apart at its commit.
    key: str
    stamp: Stamp
    kind: str
    name: str
    #: `running`, `passed`, `failed` or `ignored`.
    state: str
    conclusion: str | None
    url: str | None
    started_at: str | None
    completed_at: str | None


@dataclass(frozen=True, slots=True)
class Push:
    """Commits that came to a branch."""

    repository: str
    branch: str
    sha: str
    at: str
    #: When the earliest of the commits was made.
    first_commit_at: str
    created: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """What was last told of a repository."""

    full_name: str
    stamp: Stamp
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one delivery tells."""

    repository: Repository | None = None
    pulls: tuple[PullFacts, ...] = ()
    checks: tuple[Check, ...] = ()
    push: Push | None = None
