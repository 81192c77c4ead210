"""Subscriptions: what makes one, and what is told of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Body, Moment
from chalicelib.api.shapes.events import Event

_TOPICS = [["user.*"]]
_FILTERS = [{"priority": {"$gte": 7}}]
Filter = Annotated[
    dict[str, Any],
    Field(description="Conditions that must all hold.", examples=_FILTERS),
]
Topics = Annotated[
    Annotated[list[str], Field(min_length=1, max_length=100)] | str,
    Field(description="1 to 100 topic patterns, or one.", examples=_TOPICS),
]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class WebhookTarget(Body):
    """A URL that gets each event in a signed request (Standard Webhooks 1.0)."""

    type: Literal["webhook"]
    url: str = Field(max_length=2048, examples=["https://example.com/hooks"])
    secret: str | None = Field(
        default=None,
        max_length=120,
        description="whsec_ and the base64 of 24 to 64 bytes; made when left out.",
    )
    headers: dict[str, str] | None = Field(
        default=None, description="Up to 20 headers that each request carries."
    )


class QueueTarget(Body):
    """An SQS queue of the platform's account."""

    type: Literal["queue"]
    queue: str = Field(
        max_length=80,
        description="Its name, which begins with EVENTYARD_TARGET_QUEUES.",
        examples=["eventyard-target-orders"],
    )


Target = Annotated[WebhookTarget | QueueTarget, Field(discriminator="type")]


class RetryPolicy(Body):
    """What happens after a failed attempt."""

    schedule_s: list[Seconds] | None = Field(
        default=None,
        max_length=50,
        description="The waits between attempts in seconds: one more attempt than "
        "entries, then the dead letters. 5 s to 10 h over 27.6 hours unless told.",
        examples=[[5, 300]],
    )
    jitter: float | None = Field(
        default=None, ge=0, le=1, description="The part of a wait left to chance: 0.2."
    )
    timeout_s: float | None = Field(
        default=None, ge=0.1, le=30, description="How long one request may take: 15."
    )
    disable_after_s: float | None = Field(
        default=None,
        ge=60,
        le=31_536_000,
        description="After so long without one success it is disabled: five days.",
    )


class NewSubscription(Body):
    """What makes a subscription."""

    topics: Topics
    filter: Filter | None = None
    target: Target
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="What an event's `target` may call it.",
    )
    retry: RetryPolicy | None = None
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Requests at a time; no limit unless told.",
    )
    rate_limit: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Events a second; no limit unless told.",
    )
    batch_size: int | None = Field(
        default=None, ge=1, le=20, description="Events in one request: 1."
    )
    start: str | None = Field(
        default=None,
        max_length=256,
        description="Where it begins: `latest`, `earliest`, a time, the id of an event.",
        examples=["latest"],
    )


class ChangedSubscription(Body):
    """What changes of a subscription; what is not named stays."""

    topics: Topics | None = None
    filter: Filter | None = None
    target: Target | None = None
    name: str | None = Field(default=None, min_length=1, max_length=64)
    retry: RetryPolicy | None = None
    concurrency: int | None = Field(default=None, ge=1, le=100)
    rate_limit: float | None = Field(default=None, gt=0, le=10_000)
    batch_size: int | None = Field(default=None, ge=1, le=20)


class Pause(Body):
    """Why it is paused."""

    reason: str = Field(default="paused by hand", max_length=500)


class Resume(Body):
    """Where it goes on."""

    start: Literal["last_processed", "latest"] = Field(
        default="last_processed", alias="from"
    )


class SecretRotation(Body):
    """A new secret, and for how long the old one signs as well."""

    secret: str | None = Field(default=None, max_length=120)
    grace_s: float = Field(default=86_400, ge=0, le=604_800)


class ShownSecret(Answer):
    """A secret, as far as it is shown."""

    hint: str = Field(examples=["whsec_...k3Y="])
    expires_at: Moment | None = None


class ShownTarget(Answer):
    """Where events go; the values of headers are not shown."""

    type: Literal["webhook", "queue", "websocket"]
    url: str | None = None
    headers: dict[str, str] | None = None
    secrets: list[ShownSecret] | None = None
    queue: str | None = None
    client_id: str | None = None


class ShownRetry(Answer):
    """What happens after a failed attempt."""

    schedule_s: list[float]
    jitter: float
    timeout_s: float
    disable_after_s: float


class Counters(Answer):
    """Counted since the subscription was made, each event at least once."""

    matched: int = Field(description="Events that were to be delivered.")
    delivered: int
    failed: int = Field(description="Attempts that failed.")
    filtered_out: int = Field(description="Events whose topic fitted, not the filter.")
    dead: int = Field(description="Events that became dead letters and stayed dead.")
    expired: int = Field(description="Events whose time was over before their turn.")
    skipped: int = Field(description="Events left out when it was resumed.")
    repeated: int = Field(description="Events that came twice and were dropped once.")
    waiting: int = Field(description="The lag: events matched and not yet done with.")


class Subscription(Answer):
    """A subscription, without what is secret."""

    id: str = Field(examples=["sub_01K2..."])
    topics: list[str]
    filter: dict[str, Any]
    target: ShownTarget
    name: str | None
    retry: ShownRetry
    concurrency: int | None
    rate_limit: float | None
    batch_size: int
    state: Literal["RUNNING", "PAUSED", "DISABLED"]
    reason: str | None = Field(description="Why it does not run.")
    created_at: Moment
    created_by: str
    revision: int
    counters: Counters
    stopped_s: float = Field(description="For how many seconds it has not run.")


class MadeSubscription(Subscription):
    """A subscription just made, with the secret that was made for it."""

    secret: str | None = Field(
        default=None, description="Shown once, and only if it was made here."
    )


class LiveSubscription(Answer):
    """What a live connection listens to; it ends with the connection."""

    id: str
    topics: list[str]
    filter: dict[str, Any]
    target: ShownTarget
    state: Literal["RUNNING"]


class SubscriptionPage(Answer):
    """Subscriptions in the order of creation, and those of live connections."""

    subscriptions: list[Subscription]
    live: list[LiveSubscription]
    cursor: str | None


class RotatedSecret(Answer):
    """The secret that requests are signed with from now on."""

    id: str
    secret: str
    secrets: list[ShownSecret]


class RemovedSubscription(Answer):
    """What was removed."""

    removed: str


class TestResult(Answer):
    """What came of sending a test event."""

    delivered: bool
    status: int | None
    error: str | None
    duration_ms: int
    event: Event
