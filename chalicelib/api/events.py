"""`/api/v1/events`: publish, list, read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._parameters import (
    CURSOR,
    FILTER,
    SINCE,
    TOPICS,
    UNTIL,
    Parameter,
    limit,
)
from chalicelib.api._wanted import wanted_by
from chalicelib.auth import require_topics
from eventyard.core.errors import InvalidRequestError, NotFoundError
from eventyard.core.topics import compile_pattern
from eventyard.core.ulid import is_ulid
from eventyard.core.wire import MEDIA_BATCH, MEDIA_CLOUDEVENT

PUBLISH: Final = "events:publish"
READ: Final = "events:subscribe"

routes = Routes(__name__)
_LIMIT: Final = limit(50, highest=500)
_PLACE: Final = replace(CURSOR, kind="text", pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")
_SOURCE: Final = Parameter("source", "Whose, where senders chose the same id.")
_RETRY_KEY: Final = Parameter(
    "Idempotency-Key",
    "Names this call: a retry with the same key is answered as the first one was.",
    pattern="^[!-~]{1,256}$",
)
_TRACE: Final = Parameter(
    "traceparent",
    "The trace (W3C Trace Context) of events that have none; what is none is dropped.",
)
_PUBLISHING: Final[dict[str, Any]] = {
    "headers": (_RETRY_KEY, _TRACE),
    "body": {
        "application/json": "events.Publication",
        MEDIA_CLOUDEVENT: "events.CloudEvent",
        MEDIA_BATCH: "events.CloudEvents",
    },
    "status": 201,
    "answer": "events.Publications",
    "also": {409: "The Idempotency-Key was used for something else."},
}


@routes.post("/api/v1/events", scope=PUBLISH, **_PUBLISHING)
@routes.post("/api/v1/events/batch", scope=PUBLISH, **_PUBLISHING)
def publish(call: Call) -> Response:
    """Append one event, or an array of 1 to 100 as one commit."""
    from chalicelib.events import drafts

    body = call.json()
    several = isinstance(body, list)
    members = body if isinstance(body, list) else [body]
    read = _reader(call.media_type, several=several)
    drafted = read(members)
    require_topics(
        PUBLISH, call.principal.topics(PUBLISH), [d.event.type for d in drafted]
    )
    key = drafts.check_idempotency_key(call.header(_RETRY_KEY.name))
    told = call.platform.events.publish(
        drafted, by=call.principal.id, idempotency_key=key
    )
    results = [one.to_dict() for one in told]
    replayed = {"Idempotency-Replayed": "true"} if _all_repeated(results, key) else {}
    if not several:
        return answer_json(results[0], 201, replayed)
    status = results[0]["status"]
    answer = {"events": results, "count": len(results), "status": status}
    return answer_json(answer, 201, replayed)


def _all_repeated(results: Sequence[Mapping[str, Any]], key: str | None) -> bool:
    return key is not None and all("deduplicated" in one for one in results)


def _reader(media_type: str, *, several: bool) -> Callable[[Sequence[Any]], Any]:
    from chalicelib.events import drafts

    if media_type == MEDIA_BATCH and not several:
        raise InvalidRequestError("A CloudEvents batch must be a JSON array.")
    if media_type == MEDIA_CLOUDEVENT and several:
        raise InvalidRequestError(f"An array of CloudEvents is {MEDIA_BATCH}.")
    if media_type in (MEDIA_BATCH, MEDIA_CLOUDEVENT):
        return drafts.cloud_drafts_of
    return drafts.drafts_of


@routes.get(
    "/api/v1/events",
    scope=READ,
    query=(TOPICS, FILTER, SINCE, UNTIL, _LIMIT, _PLACE),
    answer="events.EventPage",
)
def list_events(call: Call) -> Any:
    """List events newest first, by topics, filters and time."""
    since, until = call.take(SINCE), call.take(UNTIL)
    cursor = call.take(_PLACE)
    if cursor is not None and not is_ulid(cursor):
        raise InvalidRequestError("cursor must be one that a page brought.")
    page = call.platform.events.page(
        wanted_by(call),
        since_ms=int(since.timestamp() * 1000) if since else 0,
        until_ms=int(until.timestamp() * 1000) if until else None,
        limit=call.take(_LIMIT),
        cursor=cursor,
    )
    return {"events": [e.to_dict() for e in page.events], "cursor": page.cursor}


@routes.get(
    "/api/v1/events/{event_id}", scope=READ, query=(_SOURCE,), answer="events.Event"
)
def get_event(call: Call, event_id: str) -> Any:
    """Read one event, whole; `source` tells apart ids that senders chose."""
    event = call.platform.events.get(event_id, call.take(_SOURCE))
    allowed = call.principal.topics(READ)
    if allowed is not None and not any(
        compile_pattern(pattern).matches(event.type) for pattern in allowed
    ):
        # Whoever may not read it is not told that it exists.
        raise NotFoundError(f"There is no event {event_id}.")
    return event.to_dict()
