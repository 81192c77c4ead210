"""What is said on live connections, in both directions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from chalicelib.api.shapes import events, jobs, operations, pulls
from chalicelib.api.shapes._base import Answer, Moment
from chalicelib.api.shapes.events import Warned

Reference = str | int


class _Said(BaseModel):
    """What a client says; keys that are not named here are not looked at."""

    ref: Reference | None = Field(None, description="Comes back in the answer.")


class _Answered(Answer):
    """What a client is answered."""

    ref: Reference | None = Field(None, description="That of the message.")


class Wish(BaseModel):
    """What a subscription asks for: all of it must hold."""

    topics: list[str] | str | None = Field(
        None, description="Patterns, of which one must fit.", examples=[["order.*"]]
    )
    filter: dict[str, Any] | None = Field(
        None, examples=[{"payload.total": {"$gte": 50}}]
    )
    types: list[str] | str | None = Field(
        None, description="Topics, of which one must be the event's."
    )
    sources: list[str] | str | None = None
    priorities: list[int] | None = Field(
        None, description="The lowest of them is the least that is sent."
    )


class Subscribe(_Said):
    """Ask for events."""

    type: Literal["subscribe"]
    subscription: Wish
    cursor: str | None = Field(
        None, description="What came after it is sent first, up to 1,000 events."
    )


class Unsubscribe(_Said):
    """End a subscription."""

    type: Literal["unsubscribe"]
    subscription_id: str


class SaidEvent(events.NewEvent):
    """An event about to be published; its source is the client unless it is given."""


class Publish(_Said):
    """Publish `event`, or `events` as one commit."""

    type: Literal["publish"]
    event: SaidEvent | None = None
    events: list[SaidEvent] | None = None
    key: str | None = Field(
        None,
        pattern="^[!-~]{1,256}$",
        description="Names this call, as an `Idempotency-Key` does: sent again by the "
        "same `client_id`, it is answered as it was at first.",
    )


class GetHealth(_Said):
    """Ask how the platform does."""

    type: Literal["get_health"]


class Ping(BaseModel):
    """Ask for a sign of life."""

    type: Literal["ping"]
    echo: Any = Field(None, description="Comes back; else `timestamp` does.")
    timestamp: Any = None


class Filter(BaseModel):
    """Ask for other events; what is not said is as it is without asking."""

    type: Literal["filter"]
    types: list[str] | str | None = Field(
        None, description="Patterns of topics.", examples=[["task.*"]]
    )
    circle_id: list[int | str] | int | str | None = None
    project_id: list[int | str] | int | str | None = None


class Filtered(Answer):
    """What is sent from now on."""

    types: list[str] | None = None
    circle_id: list[int | str] | None = None
    project_id: list[int | str] | None = None


class FilterChanged(Answer):
    """A dashboard is sent other events."""

    type: Literal["filter.changed"]
    data: Filtered
    timestamp: Moment


class Welcome(Answer):
    """Greets a connection to the router."""

    type: Literal["welcome"]
    client_id: str
    server_time: Moment
    cursor: str = Field(description="Where this connection begins.")
    recovered: bool | None = Field(
        None, description="Whether all that was missed is sent; false: it was too much."
    )


class Greeting(Answer):
    """What a dashboard is told at first."""

    client_id: str
    message: str
    cursor: str
    recovered: bool | None = None


class Established(Answer):
    """Greets a dashboard."""

    type: Literal["connection.established"]
    data: Greeting
    timestamp: Moment


class Subscribed(_Answered):
    """A subscription holds."""

    type: Literal["subscribed"]
    subscription_id: str
    topics: list[str]
    cursor: str
    recovered: bool | None = None


class Unsubscribed(_Answered):
    """A subscription ended."""

    type: Literal["unsubscribed"]
    subscription_id: str


#: `queued` says that it is in the log, and on its way.
Status = Literal["queued", "scheduled", "cancelled"]


class QueuedEvent(Answer):
    """What became of one event."""

    event_id: str
    status: Status
    timestamp: Moment
    deliver_at: Moment | None = None
    deduplicated: Literal[True] | None = None
    warnings: list[Warned] | None = None


class Published(_Answered):
    """What became of one event, or in `events` what became of each of several."""

    type: Literal["published"]
    event_id: str | None = None
    status: Status | None = None
    timestamp: Moment | None = None
    deliver_at: Moment | None = Field(
        None, description="When it will be published, while it is `scheduled`."
    )
    deduplicated: Literal[True] | None = None
    warnings: list[Warned] | None = Field(
        None, description="What schemas have against it; it was accepted all the same."
    )
    events: list[QueuedEvent] | None = None


class Wellbeing(_Answered):
    """How the platform does."""

    type: Literal["health"]
    health: operations.Health


class Pong(Answer):
    """Answers a ping."""

    type: Literal["pong"]
    timestamp: Moment
    echo: Any


class Delivered(Answer):
    """An event, for one subscription."""

    type: Literal["event"]
    subscription_id: str
    cursor: str = Field(description="To resume after this event.")
    event: events.Event


class Shown(events.Circumstances):
    """An event, as a dashboard shows it."""

    type: str = Field(description="Its topic.")
    data: Any = Field(description="Its payload.")
    source_agent_id: Any
    circle_id: Any
    project_id: Any
    event_id: str
    timestamp: Moment
    cursor: str = Field(description="To resume after this event.")
    source: str | None
    priority: int


class Error(_Answered):
    """What was wrong."""

    type: Literal["error"]
    error: str
    timestamp: Moment
    code: str | None = None
    details: dict[str, Any] | None = None
    limit: int | None = None


class PullsGreeting(Answer):
    """What who watches pull requests is told at first."""

    client_id: str
    cursor: str
    recovered: bool | None = None


class PullsHello(Answer):
    """Greets a connection that watches pull requests."""

    event: Literal["hello"]
    data: PullsGreeting


class ChangedPull(pulls.Pull):
    """A pull request, and where to resume after its change."""

    cursor: str


class PullUpdate(Answer):
    """A pull request changed."""

    event: Literal["pr_update"]
    data: ChangedPull


class PongData(Answer):
    """A sign of life."""

    timestamp: Moment
    echo: Any


class JobsHello(Answer):
    """Greets a connection that is told of jobs."""

    event: Literal["hello"]
    data: PullsGreeting


class ChangedJob(jobs.JobNews):
    """A job as it is now, and where to resume after this."""

    event_type: str = Field(
        description="Its name without that of anybody.", examples=["job_progress"]
    )
    event_id: str
    timestamp: Moment
    cursor: str


class JobChange(Answer):
    """What happened to a job."""

    event: str = Field(
        description="`service_job_progress`, and besides the same under the name of "
        "the service.",
        examples=["service_job_progress", "scraper_job_progress"],
    )
    data: ChangedJob


class PullsPong(Answer):
    """Answers a ping of who watches pull requests, or jobs."""

    event: Literal["pong"]
    data: PongData
