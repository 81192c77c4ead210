"""Deliveries: dead letters, traces, replays, and trying filters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, model_validator

from chalicelib.api.shapes._base import Answer, Body, Moment
from chalicelib.api.shapes.events import Event
from chalicelib.api.shapes.subscriptions import Filter, Topics

Name = Annotated[str, Field(min_length=1, max_length=256)]


class Attempt(Answer):
    """One attempt to deliver an event."""

    at: Moment
    status: int | None = Field(description="The HTTP status of the answer, if any.")
    error: str | None = Field(description="What was wrong; null for a success.")
    duration_ms: int


class DeadLetter(Answer):
    """An event that could not be delivered to one subscription."""

    id: str
    event_id: str
    type: str
    subscription: str
    replay: str | None = Field(description="The replay it belonged to.")
    reason: str | None = Field(description="What was wrong with the last attempt.")
    last_status: int | None
    last_attempt_at: Moment | None
    tries: int = Field(description="How often it was tried in this round.")
    attempts: list[Attempt] = Field(description="The last 20.")


class NewDeadLetter(Body):
    """An event that a handler in a client gave up."""

    event_id: Name
    source: str | None = Field(
        default=None, max_length=256, description="Whose, where ids are chosen."
    )
    subscription: str = Field(
        pattern=r"^[^/\x00-\x1f]{1,128}/[^\x00-\x1f]{1,128}$",
        max_length=200,
        description="The client's id, a slash, and which handler it was.",
        examples=["billing/on_order"],
    )
    error: str = Field(max_length=4096, description="What went wrong at last.")
    attempts: int = Field(ge=1, le=1_000_000, description="How often it was tried.")


class ListedDeadLetter(DeadLetter):
    """A dead letter, with its event where that was asked for."""

    event: Event | None = Field(
        default=None,
        description="There where `events` asks for it, up to 4 MB, and it is still kept.",
    )


class DeadLetterPage(Answer):
    """Dead letters, those of the newest events first."""

    dead_letters: list[ListedDeadLetter]
    cursor: str | None


class DeadLetterWithEvent(DeadLetter):
    """A dead letter with the event as it would be sent."""

    event: Event | None = Field(description="Null when its retention has ended.")


class Chosen(Body):
    """Which dead letters: some by id, those of a subscription, or all."""

    ids: list[Name] | None = Field(default=None, min_length=1, max_length=500)
    subscription: Name | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> Chosen:
        if sum(map(bool, (self.ids, self.subscription, self.all))) != 1:
            raise ValueError("give one of ids, subscription, all")
        return self


class ChosenForGood(Chosen):
    """Which dead letters to throw away; `confirm` says that it is meant."""

    confirm: Literal[True]


class NotDone(Answer):
    """A dead letter that stays where it is, and why."""

    id: str
    reason: str


class Retried(Answer):
    """How many are on their way again."""

    retried: int
    failed: list[NotDone]
    more: bool = Field(description="Whether there may be more: call again.")


class Purged(Answer):
    """How many are gone."""

    purged: int
    failed: list[NotDone]
    more: bool = Field(description="Whether there may be more: call again.")


class Miss(Answer):
    """The first condition that failed."""

    condition: dict[str, Any] = Field(examples=[{"payload.amount": {"$gt": 100}}])
    message: str = Field(examples=["payload.amount is 40, which is not $gt 100"])
    found: Any = Field(description="What stands there instead.")


class Matched(Answer):
    """A subscription that wanted the event, and what became of it."""

    subscription: str
    name: str | None
    topics: list[str]
    filter: dict[str, Any]
    target: str
    outcome: Literal[
        "queued",
        "waiting",
        "retrying",
        "held",
        "delivered",
        "dead",
        "expired",
        "skipped",
    ]
    note: str | None
    attempts: list[Attempt]
    next_attempt_at: Moment | None
    replay: str | None
    dead_letter: str | None = Field(description="The id of the dead letter.")


class Unmatched(Answer):
    """A subscription that did not want it, and why."""

    subscription: str
    name: str | None
    topics: list[str]
    filter: dict[str, Any]
    target: str
    reason: Miss


class Trace(Answer):
    """Why an event was delivered, or was not."""

    event: Event
    matched: list[Matched]
    unmatched: list[Unmatched] = Field(description="The first 200.")
    unmatched_count: int


class FilterTest(Body):
    """A filter to try: on one event, or on the last ones of the log."""

    topics: Topics = "**"
    filter: Filter | None = None
    event: dict[str, Any] | None = None
    last: int | None = Field(default=None, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_of(self) -> FilterTest:
        if (self.event is None) == (self.last is None):
            raise ValueError("give either event or last")
        return self


class Tried(Answer):
    """What a filter does with one event."""

    event_id: str
    type: str
    matched: bool
    reason: Miss | None = Field(description="Why not; null when it matches.")


class FailedCondition(Answer):
    """How often a condition was the first to fail."""

    condition: dict[str, Any]
    count: int
    message: str = Field(description="As for the newest of these events.")


class FilterResult(Answer):
    """What a filter does."""

    matched: bool = Field(description="Whether any event matched.")
    examined: int
    matches: int
    events: list[Tried] = Field(description="The newest 100 that were looked at.")
    failed: list[FailedCondition] = Field(description="The most frequent first.")


class NewReplay(Body):
    """What is delivered again, and to whom."""

    subscription: Name
    start: str | None = Field(
        default=None,
        alias="from",
        max_length=256,
        description="A time or the id of an event, which is the first.",
    )
    end: str | None = Field(
        default=None,
        alias="to",
        max_length=256,
        description="A time or the id of an event, which is the last; now.",
    )
    topics: Topics | None = None
    filter: Filter | None = None
    dry_run: bool = Field(default=False, description="Only count.")


class Replay(Answer):
    """A walk through the log for one subscription."""

    id: str
    kind: Literal["replay", "catch_up"]
    subscription: str
    state: Literal["RUNNING", "DONE", "CANCELLED"]
    reason: str | None
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    scanned: int = Field(description="Events looked at.")
    matched: int = Field(description="Events handed on for delivery.")
    progress: float = Field(ge=0, le=1)
    created_at: Moment
    ended_at: Moment | None
    topics: list[str] | None = None
    filter: dict[str, Any] | None = None


class Replays(Answer):
    """Replays and catch-ups, the newest first."""

    replays: list[Replay]
    cursor: str | None


class ReplayCount(Answer):
    """What a replay would deliver."""

    dry_run: Literal[True]
    scanned: int
    matched: int
    complete: bool = Field(description="False when counting took too long.")


class ReplayOrCount(RootModel[Replay | ReplayCount]):
    """A replay, or for a dry run its count."""
