"""`/api/v1/events/stream`: the log as server-sent events, in bounded answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._parameters import CURSOR, FILTER, SINCE, TOPICS, Parameter
from chalicelib.api._wanted import wanted_by

if TYPE_CHECKING:
    from chalicelib.events.feed import Answer, Position, Wanted

READ: Final = "events:subscribe"
MEDIA: Final = "text/event-stream"

routes = Routes(__name__)
_WAIT: Final = Parameter(
    "wait", "Seconds to wait for the first event.", "integer", 10, 0, 20
)
#: What it stands for is longer than a key of the table may be.
_FROM: Final = replace(CURSOR, kind="text")
#: A browser comes back so many milliseconds after an answer.
_RETRY: Final = "retry: 1000\n\n"


@routes.get(
    "/api/v1/events/stream",
    scope=READ,
    query=(TOPICS, FILTER, _WAIT, SINCE, _FROM),
    media=MEDIA,
)
def stream(call: Call) -> Response:
    """
    Follow the log as server-sent events; an `EventSource` comes back for the next.

    An answer ends when there is something, or after `wait` seconds; its ids carry
    what is needed to go on without a gap or a repeat. It begins now, after the header
    `Last-Event-ID`, after `cursor`, or at `since`.
    """
    wanted = wanted_by(call)
    answer = call.platform.feed.read(_position(call, wanted), wanted, call.take(_WAIT))
    return Response(
        body=_RETRY + written(answer),
        headers={
            "Content-Type": f"{MEDIA}; charset=utf-8",
            "Cache-Control": "no-store",
        },
    )


def _position(call: Call, wanted: Wanted) -> Position:
    from chalicelib.events.feed import Position

    # A browser that comes back knows better than the address it began with.
    place = call.header("last-event-id") or call.take(_FROM)
    since = call.take(SINCE)
    if place:
        return Position.read(place)
    if since is not None:
        return call.platform.feed.since(max(int(since.timestamp() * 1000), 0))
    return call.platform.feed.now(wanted)


def written(answer: Answer) -> str:
    """Write an answer as server-sent events; it always tells from where to go on."""
    frames = "".join(f"id: {name}\ndata: {text}\n\n" for name, text in answer.frames)
    # Without data it is no event, but the browser remembers its id.
    end = answer.frames[-1][0] if answer.frames else None
    rest = "" if end == answer.id else f"id: {answer.id}\n\n"
    return frames + (rest if answer.frames else f": nothing new\n{rest}")
