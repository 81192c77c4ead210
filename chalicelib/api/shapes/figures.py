"""How the platform and the processes that use it do at present."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Moment


class Before(Answer):
    """The counts of the report before: what came since is how much there is a minute."""

    at: Moment
    cache: dict[str, Any] | None
    bus: dict[str, Any] | None


class Process(Answer):
    """What a process told last, as it told it (`client.report()`)."""

    process: str = Field(examples=["shop:4711"])
    source: str | None = Field(description="Its client.")
    started_at: str
    every_s: float = Field(description="How often it reports, in seconds.")
    ended: bool = Field(description="It said that it ends.")
    at: Moment = Field(description="When it told this.")
    cache: dict[str, Any] | None = Field(
        description="`enabled`, `hits`, `misses`, `hit_rate` in percent, `local`; null "
        "where it has none.",
        examples=[{"enabled": True, "hits": 9, "misses": 1, "hit_rate": 90.0}],
    )
    bus: dict[str, Any] | None = Field(
        description="`events_published`, `events_delivered`, `handler_errors` and so on, "
        "since it started."
    )
    telemetry: dict[str, Any] | None = Field(
        description="`enabled`, `traces`, `metrics`."
    )
    client: dict[str, Any] | None = Field(
        description="`pending`: how many events wait to be sent."
    )
    before: Before | None = Field(description="Null after the first report.")


class Sums(Answer):
    """What was published, and what arrived."""

    published: int
    published_rate: float = Field(description="Of these, how many a second.")
    delivered: int
    delivered_rate: float
    errors: int = Field(description="Attempts to deliver that failed.")
    p95_lag_ms: float | None = Field(
        description="Within how many milliseconds of being published 95 % arrived, to "
        "10 %; null where nothing did."
    )


class TopicSums(Sums):
    """The same of one topic."""

    topic: str


class Flowing(Sums):
    """The last minutes in all, without the platform's own events and reports."""

    window_s: int
    topics: list[TopicSums] = Field(description="The busiest, at most 20.")


class Figures(Answer):
    """How processes that report do, and what flowed of late."""

    processes: list[Process] = Field(
        description="Those that reported within ten minutes, by name."
    )
    platform: Flowing
