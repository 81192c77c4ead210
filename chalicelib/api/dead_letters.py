"""`/api/v1/dead-letters`: what could not be delivered, and what to do with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._parameters import CURSOR, Parameter, limit
from eventyard.core.errors import NotFoundError
from eventyard.core.wire import dumps

if TYPE_CHECKING:
    from chalicelib.events.log import EventLog
    from chalicelib.subscriptions.rows import Row

routes = Routes(__name__)
READ: Final = "events:subscribe"
ADMIN: Final = "admin"
_PATH: Final = "/api/v1/dead-letters"
_ONE: Final = _PATH + "/{dead_id}"
_LIMIT: Final = limit(50, highest=200)
_OF: Final = Parameter("subscription", "Those of one subscription.")
_EVENTS: Final = Parameter(
    "events", "Whether each comes with its event, up to 4 MB.", "flag", default=False
)
#: What events may weigh in one answer.
_MOST_BYTES: Final = 4_000_000
#: How many one call retries or throws away.
_MOST: Final = 500


@routes.get(
    _PATH,
    scope=READ,
    query=(_OF, _EVENTS, _LIMIT, CURSOR),
    answer="deliveries.DeadLetterPage",
)
def list_dead_letters(call: Call) -> Any:
    """List dead letters, those of the newest events first; a page may be short."""
    from chalicelib.subscriptions.dead import show

    rows, cursor = call.platform.subscribed.dead_letters.page(
        call.principal, call.take(_OF), call.take(CURSOR), call.take(_LIMIT)
    )
    shown = [show(row) for row in rows]
    if call.take(_EVENTS):
        _add_events(call.platform.log, shown, rows)
    return {"dead_letters": shown, "cursor": cursor}


def _add_events(log: EventLog, shown: list[Any], rows: Sequence[Row]) -> None:
    left = _MOST_BYTES
    for one, row in zip(shown, rows, strict=True):
        found = log.find(row.place)
        event = log.fetched(found).to_dict() if found else None
        # Lambda answers with at most 6 MB, and counts what it writes.
        left -= len(dumps(dumps(event)))
        if left < 0:
            return
        if event is not None:
            one["event"] = event


@routes.post(
    _PATH,
    scope=READ,
    body="deliveries.NewDeadLetter",
    answer="deliveries.DeadLetter",
    status=201,
    also={404: "There is no such event."},
)
def bury(call: Call) -> Any:
    """
    Tell that a handler in a client gave an event up.

    A retry publishes the event again, to that client alone: with a new id, the headers
    `retry-of` and `retry-for` (the handler), and the client as its `target`.
    """
    from chalicelib.api.shapes.deliveries import NewDeadLetter
    from chalicelib.subscriptions.dead import Buried, show

    wish = Buried(**call.body(NewDeadLetter).model_dump())
    service = call.platform.subscribed.dead_letters
    return show(service.bury(wish, call.principal))


@routes.get(_ONE, scope=READ, answer="deliveries.DeadLetterWithEvent")
def get_dead_letter(call: Call, dead_id: str) -> Any:
    """Read one with each attempt and the event."""
    from chalicelib.subscriptions.dead import show

    row = call.platform.subscribed.dead_letters.get(dead_id, call.principal)
    event = call.platform.log.find(row.place)
    whole = call.platform.log.fetched(event).to_dict() if event else None
    return {**show(row), "event": whole}


@routes.post(_ONE + "/retry", scope=ADMIN, answer="deliveries.Retried")
def retry_dead_letter(call: Call, dead_id: str) -> Any:
    """Deliver one again, as if it had never been tried."""
    return _retry(call, [dead_id], None, strict=True)


@routes.post(
    _PATH + "/retry",
    scope=ADMIN,
    body="deliveries.Chosen",
    answer="deliveries.Retried",
)
def retry_dead_letters(call: Call) -> Any:
    """Deliver some or all again, up to 500 a call."""
    from chalicelib.api.shapes.deliveries import Chosen

    wish = call.body(Chosen)
    return _retry(call, wish.ids, wish.subscription, strict=False)


def _retry(
    call: Call, ids: list[str] | None, subscription: str | None, *, strict: bool
) -> Any:
    service = call.platform.subscribed.dead_letters
    rows, missing = service.chosen(ids, subscription, _MOST)
    if strict and missing:
        raise NotFoundError(missing[0]["reason"])
    retried, failed = service.retry(rows, call.principal)
    more = ids is None and len(rows) == _MOST
    return {"retried": retried, "failed": [*missing, *failed], "more": more}


@routes.delete(_ONE, scope=ADMIN, answer="deliveries.Purged")
def purge_dead_letter(call: Call, dead_id: str) -> Any:
    """Throw one away; its event's trace keeps what happened."""
    service = call.platform.subscribed.dead_letters
    row = service.get(dead_id, call.principal)
    return {"purged": service.purge([row], call.principal), "failed": [], "more": False}


@routes.post(
    _PATH + "/purge",
    scope=ADMIN,
    body="deliveries.ChosenForGood",
    answer="deliveries.Purged",
)
def purge_dead_letters(call: Call) -> Any:
    """Throw some or all away, up to 500 a call."""
    from chalicelib.api.shapes.deliveries import ChosenForGood

    wish = call.body(ChosenForGood)
    service = call.platform.subscribed.dead_letters
    rows, missing = service.chosen(wish.ids, wish.subscription, _MOST)
    purged = service.purge(rows, call.principal)
    more = wish.ids is None and len(rows) == _MOST
    return {"purged": purged, "failed": missing, "more": more}
