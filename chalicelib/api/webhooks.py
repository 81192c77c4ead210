"""`/webhook`: what GitHub sends; and what became of it."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._parameters import CURSOR, Parameter, limit

routes = Routes(__name__)
READ: Final = "pulls:read"
ADMIN: Final = "admin"
_DELIVERIES: Final = "/api/v1/webhooks/deliveries"
_STATE: Final = Parameter(
    "state",
    "`open`: still worked on; `dead`: given up; `done`.",
    default="open",
    choices=("open", "done", "dead"),
)
_HEADERS: Final = (
    Parameter("X-Hub-Signature-256", "`sha256=` and the HMAC of the raw body."),
    Parameter("X-GitHub-Event", "Which event, such as `pull_request`."),
    Parameter("X-GitHub-Delivery", "The id of the delivery."),
)
_FORM: Final = "application/x-www-form-urlencoded"
_TAKEN: Final[dict[str, Any]] = {
    "headers": _HEADERS,
    "body": {"application/json": "webhooks.Payload", _FORM: "webhooks.FormPayload"},
    "answer": "webhooks.Accepted",
    "status": 202,
    "also": {
        401: "It is not signed, or not with the secret that is set here.",
        413: "It is too large.",
    },
}


@routes.post("/webhook", **_TAKEN)
@routes.post("/webhooks/github", **_TAKEN)
def take_github(call: Call) -> Any:
    """Take in a delivery of GitHub; it is in the log when this answers."""
    body = call.request.raw_body
    raw = body.encode() if isinstance(body, str) else body
    taken = call.platform.pulls.receiver.receive(call.header, raw, call.media_type)
    return {
        "success": True,
        "eventId": taken.event_id,
        "eventType": taken.topic,
        "message": taken.message,
    }


@routes.get(
    _DELIVERIES,
    scope=READ,
    query=(_STATE, limit(50, highest=200), CURSOR),
    answer="webhooks.Deliveries",
)
def list_deliveries(call: Call) -> Any:
    """List deliveries of GitHub in a state, the newest first."""
    from chalicelib.pulls.deliveries import shown

    rows, cursor = call.platform.pulls.deliveries.all(
        call.take(_STATE), call.take(CURSOR), call.take(limit(50, highest=200))
    )
    return {"deliveries": [shown(row) for row in rows], "cursor": cursor}


@routes.post(
    _DELIVERIES + "/{delivery_id}/retry",
    scope=ADMIN,
    answer="webhooks.RetriedDelivery",
    status=202,
    also={404: "There is no such delivery.", 409: "Its work is done."},
)
def retry_delivery(call: Call, delivery_id: str) -> Any:
    """Do the work of a delivery again that was given up."""
    call.platform.pulls.deliveries.retry(delivery_id)
    call.audit("delivery.retried", {"delivery": delivery_id})
    return {"status": "queued", "id": delivery_id}
