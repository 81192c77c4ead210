"""`/api/v1/replays`: deliver again what the log holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._parameters import CURSOR, limit
from eventyard.core import moments, ulid
from eventyard.core.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from chalicelib.api.shapes.deliveries import NewReplay

routes = Routes(__name__)
READ: Final = "events:subscribe"
ADMIN: Final = "admin"
_PATH: Final = "/api/v1/replays"
_LIMIT: Final = limit(50, highest=200)


@routes.post(
    _PATH,
    scope=ADMIN,
    body="deliveries.NewReplay",
    answer="deliveries.ReplayOrCount",
    status=202,
    also={
        200: ("The count of a dry run.", "deliveries.ReplayOrCount"),
        404: "There is no such subscription.",
        409: "The subscription does not run.",
    },
)
def start_replay(call: Call) -> Response:
    """Deliver a stretch of the log to one subscription again, in its order."""
    from chalicelib.api.shapes.deliveries import NewReplay
    from chalicelib.subscriptions.walks import show

    wish = call.body(NewReplay)
    subscribed = call.platform.subscribed
    target = subscribed.service.get(wish.subscription, call.principal)
    stretch = {**_stretch(call, wish.start, wish.end), **_narrowed(wish)}
    if wish.dry_run:
        return answer_json({"dry_run": True, **subscribed.walks.count(target, stretch)})
    return answer_json(
        show(subscribed.walks.replay(target, stretch, call.principal)), 202
    )


def _stretch(call: Call, start: str | None, end: str | None) -> dict[str, str]:
    after, until = _first(call, start), _last(call, end)
    if after >= until:
        raise InvalidRequestError("from must be before to.", details={"field": "from"})
    return {"after": after, "until": until}


def _narrowed(wish: NewReplay) -> dict[str, Any]:
    topics = [wish.topics] if isinstance(wish.topics, str) else wish.topics
    asked = {"topics": topics, "filter": wish.filter}
    return {name: value for name, value in asked.items() if value is not None}


def _first(call: Call, text: str | None) -> str:
    place = ulid.floor(0) if text is None else _place(call, text, "from")
    return ulid.add(place, -1) if place > ulid.floor(0) else place


def _last(call: Call, text: str | None) -> str:
    if text is None:
        # What was accepted just now is replayed as well.
        return ulid.floor(int(call.platform.subscribed.walks.clock() * 1000) + 1000)
    return _place(call, text, "to")


def _place(call: Call, text: str, name: str) -> str:
    try:
        return ulid.floor(int(moments.read(text).timestamp() * 1000))
    except ValueError:
        pass
    try:
        return call.platform.events.locate(text).place
    except NotFoundError:
        raise InvalidRequestError(
            f"{name} must be a time or the id of an event, not {text[:80]!r}.",
            details={"field": name},
        ) from None


@routes.get(_PATH, scope=READ, query=(_LIMIT, CURSOR), answer="deliveries.Replays")
def list_replays(call: Call) -> Any:
    """List replays, and subscriptions that are catching up, the newest first."""
    from chalicelib.subscriptions.walks import show

    walks = call.platform.subscribed.walks
    rows, cursor = walks.all(call.take(CURSOR), call.take(_LIMIT))
    seen = walks.visible(rows, call.principal)
    return {"replays": [show(row) for row in seen], "cursor": cursor}


@routes.get(_PATH + "/{replay_id}", scope=READ, answer="deliveries.Replay")
def get_replay(call: Call, replay_id: str) -> Any:
    """Tell how far a replay has come."""
    from chalicelib.subscriptions.walks import show

    walks = call.platform.subscribed.walks
    row = walks.get(replay_id)
    if not walks.visible([row], call.principal):
        # Whoever may not see its subscription is not told that it exists.
        raise NotFoundError(f"There is no replay {replay_id}.")
    return show(row)


@routes.post(
    _PATH + "/{replay_id}/cancel",
    scope=ADMIN,
    answer="deliveries.Replay",
    also={409: "It has ended."},
)
def cancel_replay(call: Call, replay_id: str) -> Any:
    """Stop a replay at its next page; what was sent stays sent."""
    from chalicelib.subscriptions.walks import show

    return show(call.platform.subscribed.walks.cancel(replay_id, call.principal))
