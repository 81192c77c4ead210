"""Pull requests and what is made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from chalicelib.api.shapes._base import Answer, Moment
from chalicelib.api.shapes.insights import Insight, Risk

Status = Literal[
    "pending", "building", "buildPassed", "buildFailed", "approved", "merged", "closed"
]
#: The cursor of the live channel.
Live = Annotated[
    str,
    Field(description="Connect to `/ws/pulls` with this `cursor` and miss nothing."),
]


class SeedPull(Answer):
    """A pull request, as a dashboard shows it."""

    number: int
    title: str
    description: str
    author: str
    authorAvatar: str | None  # noqa: N815
    commitSha: str | None  # noqa: N815
    repositoryName: str  # noqa: N815
    createdAt: Moment  # noqa: N815
    updatedAt: Moment  # noqa: N815
    status: Status
    filesChanged: list[str]  # noqa: N815
    additions: int
    deletions: int
    branchName: str | None  # noqa: N815
    isDraft: bool  # noqa: N815


class SeedPulls(RootModel[list[SeedPull]]):
    """Pull requests, last updated first."""


class SeedInsight(Answer):
    """What was made of a commit."""

    id: str
    prNumber: int  # noqa: N815
    commitSha: str  # noqa: N815
    riskLevel: Risk  # noqa: N815
    summary: str
    recommendation: str
    createdAt: Moment  # noqa: N815
    keyChanges: list[str]  # noqa: N815
    confidenceScore: float  # noqa: N815


class SeedInsights(RootModel[list[SeedInsight]]):
    """Insights, the newest first."""


class SeedRepository(Answer):
    """A repository, as a dashboard shows it."""

    name: str
    fullName: str  # noqa: N815
    description: str
    owner: str
    ownerAvatar: str  # noqa: N815
    isPrivate: bool  # noqa: N815
    defaultBranch: str  # noqa: N815
    openPRs: int  # noqa: N815
    totalPRs: int  # noqa: N815
    lastActivity: Moment | None  # noqa: N815
    languages: list[str]
    stars: int
    forks: int


class Repository(Answer):
    """A repository that was heard of."""

    name: str
    full_name: str
    description: str | None
    owner: str
    owner_avatar: str | None
    url: str | None
    is_private: bool
    default_branch: str
    language: str | None
    stars: int
    forks: int
    open_prs: int
    total_prs: int
    last_activity: Moment | None


class Repositories(Answer):
    """All repositories."""

    repositories: list[Repository]


class Label(Answer):
    """A label."""

    name: str
    color: str


class Pipeline(Answer):
    """The four states that a pull request has at the same time."""

    status_pr: Literal["pending", "opened", "updated"]
    status_build: Literal["pending", "running", "passed", "failed"]
    status_approval: Literal["pending", "approved", "changes_requested"]
    status_merge: Literal["pending", "merged", "closed"]


class Counts(Answer):
    """Checks of the head commit, by state."""

    passed: int
    failed: int
    running: int
    ignored: int


class Verdict(Answer):
    """The last word of a reviewer on the head commit."""

    reviewer: str
    state: Literal["approved", "changes_requested"]
    at: Moment


class Pull(Answer):
    """The complete state of a pull request."""

    repository_name: str
    pr_number: int
    title: str
    description: str
    author: str
    author_avatar: str | None
    url: str | None
    commit_sha: str | None
    branch_name: str | None
    base_branch: str | None
    base_sha: str | None
    fork: bool
    additions: int
    deletions: int
    changed_files: int | None
    commits: int | None
    files_changed: list[str]
    is_draft: bool
    labels: list[Label]
    assignees: list[str]
    requested_reviewers: list[str]
    status: Status
    pipeline_status: Pipeline
    checks: Counts
    reviews: list[Verdict]
    ai_insight: Insight | None
    created_at: Moment
    updated_at: Moment
    merged_at: Moment | None
    closed_at: Moment | None
    first_commit_at: Moment | None
    first_review_at: Moment | None
    approved_at: Moment | None
    revision: int = Field(description="Counts its changes: a higher one is newer.")


class Pulls(Answer):
    """A page of pull requests."""

    pulls: list[Pull]
    cursor: str | None
    live: Live


class Check(Answer):
    """What a check of the head commit says."""

    name: str
    kind: Literal["check", "workflow", "job", "suite", "status"]
    state: Literal["failed", "running", "passed", "ignored"]
    conclusion: str | None
    url: str | None
    sha: str
    started_at: Moment | None
    completed_at: Moment | None


class Phases(Answer):
    """How long each phase took, in seconds; null: it is not over, or not known."""

    coding_s: float | None
    pickup_s: float | None
    review_s: float | None
    merge_s: float | None
    cycle_s: float | None


class Detail(Answer):
    """All about a pull request."""

    pull: Pull
    checks: list[Check]
    insights: list[Insight]
    files: list[File] | None = Field(description="Null: they are not known.")
    phases: Phases
    live: Live


class File(Answer):
    """A file that changes."""

    filename: str
    status: str
    additions: int
    deletions: int


class Line(Answer):
    """A line of the timeline."""

    at: Moment
    kind: str
    actor: str | None
    text: str
    sha: str | None
    url: str | None


class History(Answer):
    """A page of the timeline, the newest first."""

    history: list[Line]
    cursor: str | None


class Queued(Answer):
    """It is asked for."""

    status: Literal["queued"]


class Took(Answer):
    """How long a phase takes, and how good that is among other teams."""

    p50_s: float | None
    p75_s: float | None
    count: int
    band: Literal["elite", "good", "fair", "needs_focus"] | None


class CyclePhases(Answer):
    """From the first commit to the merge."""

    coding: Took
    pickup: Took
    review: Took
    merge: Took
    cycle: Took


class Stale(Answer):
    """A pull request that lies still."""

    repository_name: str
    pr_number: int
    title: str
    author: str
    idle_s: float
    why: Literal["no_review", "changes_requested", "idle"]


class Load(Answer):
    """How much a reviewer has to do, and did."""

    reviewer: str
    requested: int
    reviewed: int


class InsightCounts(Answer):
    """What insights took."""

    made: int
    cached: int
    fallbacks: int
    tokens_input: int
    tokens_output: int
    cost_usd: float


class Metrics(Answer):
    """How pull requests go."""

    days: int
    merged: int
    open: int
    phases: CyclePhases
    stale: list[Stale]
    load: list[Load]
    insights: InsightCounts


Detail.model_rebuild()
