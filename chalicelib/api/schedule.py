"""`/api/v1/scheduled`: events that wait for their moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._parameters import CURSOR, Parameter, limit
from chalicelib.auth import require_topics
from eventyard.core.errors import NotFoundError
from eventyard.core.topics import compile_pattern

PUBLISH: Final = "events:publish"
READ: Final = "events:subscribe"

routes = Routes(__name__)
_LIMIT: Final = limit(50, highest=500)
_SOURCE: Final = Parameter("source", "Whose, where senders chose the same id.")


@routes.get(
    "/api/v1/scheduled",
    scope=READ,
    query=(_LIMIT, CURSOR),
    answer="schedule.ScheduledPage",
)
def list_scheduled(call: Call) -> Any:
    """List the events that wait, soonest first."""
    page = call.platform.schedule.page(
        _visible(call), call.take(_LIMIT), call.take(CURSOR)
    )
    return {"scheduled": [e.to_dict() for e in page.events], "cursor": page.cursor}


def _visible(call: Call) -> Callable[[str], bool]:
    allowed = call.principal.topics(READ)
    patterns = None if allowed is None else [compile_pattern(p) for p in allowed]

    def visible(topic: str) -> bool:
        return patterns is None or any(p.matches(topic) for p in patterns)

    return visible


@routes.get(
    "/api/v1/scheduled/{event_id}",
    scope=READ,
    query=(_SOURCE,),
    answer="schedule.ScheduledEvent",
)
def get_scheduled(call: Call, event_id: str) -> Any:
    """Read an event that waits; 404 once it is published or cancelled."""
    found = call.platform.schedule.get(event_id, call.take(_SOURCE))
    if not _visible(call)(found.fields["type"]):
        # Whoever may not read it is not told that it exists.
        raise NotFoundError(f"There is no scheduled event {event_id}.")
    return found.to_dict()


@routes.delete(
    "/api/v1/scheduled/{event_id}",
    scope=PUBLISH,
    query=(_SOURCE,),
    answer="schedule.CancelledEvent",
)
def cancel_scheduled(call: Call, event_id: str) -> Any:
    """Cancel an event that waits; the others of its commit are published."""
    source = call.take(_SOURCE)
    topic = call.platform.schedule.get(event_id, source).fields["type"]
    require_topics(PUBLISH, call.principal.topics(PUBLISH), [topic])
    call.platform.schedule.cancel(event_id, source)
    call.audit("schedule.cancelled", {"event_id": event_id, "type": topic})
    return {"event_id": event_id, "status": "cancelled"}
