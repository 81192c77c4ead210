"""The channel of jobs: what the log tells of them, under both names of each message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.live.subscriptions import Subscription
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.core.wire import dumps

CHANNEL: Final = "jobs"
#: What its connections are told of; nobody but the platform publishes there.
TOPICS: Final = ("eventyard.job.*",)
_LONGEST: Final = 64


def wish_of(query: Mapping[str, Any], behind: str | None) -> Subscription:
    """
    Read what a connection wants to be told of: a service, a job, or all.

    Raises InvalidRequestError.
    """
    wanted: dict[str, Any] = {}
    for name, path in (("service", "service_name"), ("job", "job_id")):
        value = str(query.get(name) or "")
        if len(value) > _LONGEST:
            raise InvalidRequestError(f"{name} must be the name of one.")
        if value:
            wanted[f"payload.{path}"] = value
    return Subscription(CHANNEL, TOPICS, wanted, behind)


def messages(cursor: str, event: Event) -> tuple[str, ...]:
    """Write an event as the messages of the channel, the general name first."""
    told: Mapping[str, Any] = event.payload
    kind = event.type.rpartition(".")[2]
    data = {
        **told,
        "event_type": f"job_{kind}",
        "event_id": event.id,
        "timestamp": event.to_dict()["timestamp"],
        "cursor": cursor,
    }
    names = (f"service_job_{kind}", f"{told['service_name']}_job_{kind}")
    return tuple(dumps({"event": name, "data": data}) for name in names)
