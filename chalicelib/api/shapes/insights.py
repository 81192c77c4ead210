"""What is made of a commit of a pull request."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Moment

Risk = Literal["low", "medium", "high"]


class Issue(Answer):
    """What deserves a look."""

    path: str
    line: int | None
    severity: Risk
    message: str


class Edge(Answer):
    """An agent and the event that it publishes or listens to."""

    event: str
    agent: str


class Orphan(Answer):
    """An event that nobody publishes any more, or nobody hears."""

    event: str
    kind: Literal["unpublished", "unheard"]


class Scan(Answer):
    """A graph that was compared."""

    ref: str
    version: int
    commit: str | None


class FlowDifference(Answer):
    """How the flow of events changes."""

    project: str
    base: Scan
    head: Scan
    publishers_added: list[Edge]
    publishers_removed: list[Edge]
    subscribers_added: list[Edge]
    subscribers_removed: list[Edge]
    orphans_made: list[Orphan]
    lost_last_publisher: list[str] = Field(
        description="Events that are listened to, and that nobody publishes any more."
    )
    empty: bool


class Basis(Answer):
    """What an insight was made from."""

    files: int | None = Field(description="How many files changed; null: not known.")
    read: int
    skipped: list[str]
    incremental: bool


class Tokens(Answer):
    """What a model read and wrote."""

    input: int
    output: int


class Insight(Answer):
    """What was made of a commit."""

    id: str
    repository_name: str
    pr_number: int
    commit_sha: str
    risk_level: Risk
    confidence_score: float
    summary: str
    recommendation: str
    key_changes: list[str]
    effort: int = Field(ge=1, le=5, description="To review it: 1 minutes, 5 a day.")
    issues: list[Issue]
    tests_touched: bool | None
    security: list[str]
    flow: FlowDifference | None
    analyst: Literal["offline", "gemini", "bedrock"]
    model: str | None
    fallback_reason: str | None = Field(
        description="Why the rules answered in the place of a model."
    )
    basis: Basis
    cached: bool
    tokens: Tokens | None
    cost_usd: float | None
    created_at: Moment
