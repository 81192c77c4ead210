"""`/api/v1/streams`: append to event streams, read them, keep snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._parameters import Parameter, limit
from chalicelib.auth import require_topics
from eventyard.core.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from chalicelib.events.streams import Head

PUBLISH: Final = "events:publish"
READ: Final = "events:subscribe"

routes = Routes(__name__)
_NO_NAME: Final = {400: "This cannot be the name of a stream."}
_LIMIT: Final = limit(100, highest=500)
_MOST: Final = 999_999_999
_FROM: Final = Parameter(
    "from_version", "The first version wanted.", "integer", 0, 0, _MOST
)
_TO: Final = Parameter(
    "to_version", "The last version wanted.", "integer", _MOST, 0, _MOST
)


@routes.post(
    "/api/v1/streams/{stream_id}/events",
    scope=PUBLISH,
    body="streams.Append",
    answer="streams.Appended",
    status=201,
    also={409: "The stream is at another version, or the key was used."},
)
def append(call: Call, stream_id: str) -> Response:
    """Append one event, or `events`, to a stream and to the log, all or none."""
    from chalicelib.events import drafts
    from chalicelib.events.streams import Wish

    members, expected = _wanted(call.json())
    drafted = drafts.drafts_of(members)
    topics = [draft.event.type for draft in drafted]
    require_topics(PUBLISH, call.principal.topics(PUBLISH), topics)
    key = drafts.check_idempotency_key(call.header("idempotency-key"))
    wish = Wish(drafted, call.principal.id, expected, key)
    told = call.platform.streams.append(stream_id, wish)
    replayed = {"Idempotency-Replayed": "true"} if told.repeated else {}
    return answer_json(told.to_dict(), 201, replayed)


def _wanted(body: Any) -> tuple[list[Any], int | None]:
    if not isinstance(body, Mapping):
        raise InvalidRequestError("The body must be an event, or {events: [...]}.")
    rest = {name: body[name] for name in body if name != "expected_version"}
    several = "events" in rest
    if several and (len(rest) > 1 or not isinstance(rest["events"], list)):
        raise InvalidRequestError("Beside a list of events stands expected_version.")
    expected = body.get("expected_version")
    whole = isinstance(expected, int) and not isinstance(expected, bool)
    if expected is not None and not (whole and 0 <= expected <= _MOST):
        raise InvalidRequestError(
            "expected_version must be a whole number: 0 for a stream that is not there.",
            details={"field": "expected_version"},
        )
    return (rest["events"] if several else [rest]), expected


@routes.get(
    "/api/v1/streams/{stream_id}/events",
    scope=READ,
    query=(_FROM, _TO, _LIMIT),
    answer="streams.StreamPage",
)
def read(call: Call, stream_id: str) -> Any:
    """Read a stream, oldest first; both versions are included."""
    # What comes after this look may be of a type that the caller must not see.
    last = min(call.take(_TO), _readable(call, stream_id).version)
    page = call.platform.streams.read(
        stream_id, call.take(_FROM), last, call.take(_LIMIT)
    )
    return {
        "stream_id": stream_id,
        "events": [event.to_dict() for event in page.events],
        "next_version": page.next_version,
    }


def _readable(call: Call, stream_id: str) -> Head:
    # A part of a stream tells a wrong story: all of it, or nothing.
    head = call.platform.streams.existing(stream_id)
    require_topics(READ, call.principal.topics(READ), sorted(head.types))
    return head


@routes.get(
    "/api/v1/streams/{stream_id}",
    scope=READ,
    answer="streams.Stream",
    also=_NO_NAME,
)
def describe(call: Call, stream_id: str) -> Any:
    """Tell where a stream ends, and where its snapshot stands."""
    head = _readable(call, stream_id)
    return {
        "stream_id": stream_id,
        "version": head.version,
        "snapshot_version": call.platform.streams.snapshot_version(stream_id),
    }


@routes.put(
    "/api/v1/streams/{stream_id}/snapshot",
    scope=PUBLISH,
    body="streams.NewSnapshot",
    answer="streams.SavedSnapshot",
    also={409: "The stream has not come so far, or a newer snapshot is there."},
)
def save_snapshot(call: Call, stream_id: str) -> Any:
    """Keep what the events up to a version add up to."""
    from chalicelib.api.shapes.streams import NewSnapshot

    given = call.body(NewSnapshot)
    head = call.platform.streams.existing(stream_id)
    require_topics(PUBLISH, call.principal.topics(PUBLISH), sorted(head.types))
    call.platform.streams.save_snapshot(head, given.version, given.state)
    return {"stream_id": stream_id, "snapshot_version": given.version}


@routes.get(
    "/api/v1/streams/{stream_id}/snapshot",
    scope=READ,
    answer="streams.Snapshot",
    also=_NO_NAME,
)
def snapshot(call: Call, stream_id: str) -> Any:
    """Read the newest snapshot; read on from the version after it."""
    _readable(call, stream_id)
    found = call.platform.streams.snapshot(stream_id)
    if found is None:
        raise NotFoundError(f"There is no snapshot of the stream {stream_id}.")
    return found
