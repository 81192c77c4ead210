"""What is said on live connections: one line for each kind of message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

_BOTH: Final = ("dashboard", "router")
_ROUTER: Final = ("router",)
_DASHBOARD: Final = ("dashboard",)
_PULLS: Final = ("pulls",)
_JOBS: Final = ("jobs",)
#: What is told of jobs: the last part of a message's name, and what it means.
_OF_JOBS: Final = {
    "submitted": "A job was taken.",
    "started": "Somebody began a job.",
    "progress": "How far a job is, once a second; or it waits for its next try.",
    "completed": "A job is done; its result is asked for over HTTP.",
    "failed": "A job failed, and is not tried again.",
    "cancelled": "A job was cancelled.",
}


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of message: who says it, where, and what it means."""

    type: str
    by: Literal["client", "platform"]
    channels: tuple[str, ...]
    meaning: str
    #: Its shape, as chalicelib/api/shapes has it.
    shape: str
    #: The types of what it is answered with, besides `error`.
    answers: tuple[str, ...] = ()
    #: Its name in the document, where its type is not its own.
    name: str = ""


#: Stands for the name of a service.
SERVICE: Final = "<service>"
#: On a dashboard the type of an event is its topic.
TOPIC: Final = "*"
MESSAGES: Final = (
    Message(
        "subscribe",
        "client",
        _ROUTER,
        "Ask for the events of some topics; with a cursor also for what was missed.",
        "live.Subscribe",
        ("subscribed",),
    ),
    Message(
        "unsubscribe",
        "client",
        _ROUTER,
        "End a subscription.",
        "live.Unsubscribe",
        ("unsubscribed",),
    ),
    Message(
        "publish",
        "client",
        _ROUTER,
        "Publish one event, or up to 100 as one commit.",
        "live.Publish",
        ("published",),
    ),
    Message(
        "get_health",
        "client",
        _ROUTER,
        "Ask how the platform does.",
        "live.GetHealth",
        ("health",),
    ),
    Message("ping", "client", _BOTH, "Ask for a sign of life.", "live.Ping", ("pong",)),
    Message(
        "filter",
        "client",
        _DASHBOARD,
        "Ask for other events from now on.",
        "live.Filter",
        ("filter.changed",),
    ),
    Message(
        "filter.changed",
        "platform",
        _DASHBOARD,
        "It holds now.",
        "live.FilterChanged",
    ),
    Message("welcome", "platform", _ROUTER, "Greets a new connection.", "live.Welcome"),
    Message(
        "connection.established",
        "platform",
        _DASHBOARD,
        "Greets a new connection.",
        "live.Established",
    ),
    Message("subscribed", "platform", _ROUTER, "It holds now.", "live.Subscribed"),
    Message("unsubscribed", "platform", _ROUTER, "It ended.", "live.Unsubscribed"),
    Message("published", "platform", _ROUTER, "It is accepted.", "live.Published"),
    Message("health", "platform", _ROUTER, "How it does.", "live.Wellbeing"),
    Message("pong", "platform", _BOTH, "Answers a ping.", "live.Pong"),
    Message(
        "event",
        "platform",
        _ROUTER,
        "An event that a subscription asked for. It may come more than once, always "
        "with the same id.",
        "live.Delivered",
    ),
    Message(
        TOPIC,
        "platform",
        _DASHBOARD,
        "An event; its type is its topic. It may come more than once, always with the "
        "same id.",
        "live.Shown",
    ),
    Message("error", "platform", _BOTH, "Says what was wrong.", "live.Error"),
    Message(
        "hello",
        "platform",
        _PULLS,
        "Greets a new connection.",
        "live.PullsHello",
    ),
    Message(
        "pr_update",
        "platform",
        _PULLS,
        "The complete state of a pull request that changed: each change once, in the "
        "order of its `revision`.",
        "live.PullUpdate",
    ),
    Message(
        "ping",
        "client",
        _PULLS,
        "Ask for a sign of life.",
        "live.Ping",
        ("pulls_pong",),
        name="pulls_ping",
    ),
    Message(
        "pong",
        "platform",
        _PULLS,
        "Answers a ping.",
        "live.PullsPong",
        name="pulls_pong",
    ),
    Message(
        "hello",
        "platform",
        _JOBS,
        "Greets a new connection.",
        "live.JobsHello",
        name="jobs_hello",
    ),
    Message(
        "ping",
        "client",
        _JOBS,
        "Ask for a sign of life.",
        "live.Ping",
        ("jobs_pong",),
        name="jobs_ping",
    ),
    Message(
        "pong",
        "platform",
        _JOBS,
        "Answers a ping.",
        "live.PullsPong",
        name="jobs_pong",
    ),
    *(
        Message(
            f"service_job_{kind}",
            "platform",
            _JOBS,
            f"{meaning} It may come more than once, always with the same `event_id`.",
            "live.JobChange",
        )
        for kind, meaning in _OF_JOBS.items()
    ),
    *(
        Message(
            f"{SERVICE}_job_{kind}",
            "platform",
            _JOBS,
            f"The same as `service_job_{kind}`, with the name of the service for "
            f"`{SERVICE}`.",
            "live.JobChange",
            name=f"named_job_{kind}",
        )
        for kind in _OF_JOBS
    ),
)
#: What may stand in the address of a connection: its name, and what it means.
QUERY: Final = {
    "client_id": "Who connects; events with this `target` come to nobody else.",
    "cursor": "The highest that the last connection brought: what was missed since is sent.",
    "ticket": "From `POST /api/v1/tickets`, for browsers: it works once.",
    "token": "An API key or a token, where no header can be sent.",
    "v": "Which version of these messages it speaks; the lowest, unless it says.",
    "frames": "`batch`: messages share frames, as arrays of up to 32 KB.",
    "events": "For a dashboard: topic patterns with commas between.",
    "types": "The same as `events`.",
    "circle_id": "For a dashboard: events of these circles alone, commas between.",
    "project_id": "For a dashboard: events of these projects alone, commas between.",
    "repository": "For pull requests: of this one alone, `owner/name`.",
    "number": "For pull requests: this one alone.",
    "service": "For jobs: those of this service alone.",
    "job": "For jobs: this one alone.",
}
