"""`/api/v1/requests`: ask, and wait for the first answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes
from chalicelib.auth import require_topics
from eventyard.core.errors import InvalidRequestError, NotFoundError
from eventyard.core.topics import compile_pattern

PUBLISH: Final = "events:publish"
READ: Final = "events:subscribe"
_DEFAULT_SECONDS: Final = 5.0

routes = Routes(__name__)


@routes.post(
    "/api/v1/requests",
    scope=PUBLISH,
    body="requests.NewRequest",
    answer="requests.ReplyEvent",
    also={
        502: "The responder failed: `details` has its `type` and `message`.",
        504: "Nobody answered in time: `details` has the `request_id`.",
    },
)
def request(call: Call) -> Any:
    """Publish an event that asks, and wait for the first answer."""
    from chalicelib.events import drafts

    body = call.json()
    if not isinstance(body, Mapping):
        raise InvalidRequestError("The body must be an event, with timeout_s.")
    seconds = _seconds(body.get("timeout_s"))
    fields = {name: body[name] for name in body if name != "timeout_s"}
    (draft,) = drafts.drafts_of([fields])
    require_topics(PUBLISH, call.principal.topics(PUBLISH), [draft.event.type])
    requests = call.platform.requests
    return requests.request(draft, call.principal.id, seconds).to_dict()


def _seconds(given: Any) -> float:
    from chalicelib.events.requests import LONGEST, SHORTEST

    seconds = _DEFAULT_SECONDS if given is None else given
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not SHORTEST <= seconds <= LONGEST:
        raise InvalidRequestError(
            f"timeout_s must be a number from {SHORTEST:g} to {LONGEST:g}.",
            details={"field": "timeout_s"},
        )
    return float(seconds)


@routes.post(
    "/api/v1/requests/{request_id}/reply",
    scope=READ,
    body="requests.Reply",
    answer="requests.Replied",
    status=201,
    also={409: "The request was answered already, or nobody waits any more."},
)
def reply(call: Call, request_id: str) -> Any:
    """Answer a request with a payload or an error; the first answer counts."""
    from chalicelib.api.shapes.requests import Reply

    topic = call.platform.requests.waiting(request_id)["type"]
    allowed = call.principal.topics(READ)
    if allowed is not None and not any(
        compile_pattern(pattern).matches(topic) for pattern in allowed
    ):
        # Whoever may not read it is not told that it exists.
        raise NotFoundError(f"There is no request {request_id}.")
    said = call.body(Reply).model_dump(exclude_none=True)
    return call.platform.requests.reply(request_id, said, call.principal.id).to_dict()
