"""`/api/v1/subscriptions`: who wants which events, and how they get them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._parameters import CURSOR, limit
from chalicelib.subscriptions.model import Subscription

routes = Routes(__name__)
SCOPE: Final = "events:subscribe"
_PATH: Final = "/api/v1/subscriptions"
_ONE: Final = _PATH + "/{subscription_id}"
_LIMIT: Final = limit(50, highest=200)
_CHANGED: Final = {409: "Somebody else changed it meanwhile."}


@routes.post(
    _PATH,
    scope=SCOPE,
    body="subscriptions.NewSubscription",
    answer="subscriptions.MadeSubscription",
    status=201,
)
def create_subscription(call: Call) -> Response:
    """Subscribe: what is accepted after the answer is matched for certain."""
    from chalicelib.api.shapes.subscriptions import NewSubscription

    wish = call.body(NewSubscription).model_dump(exclude_none=True)
    made, shown = call.platform.subscribed.service.create(wish, call.principal)
    return answer_json({**_shown(call, [made])[0], **shown}, 201)


@routes.get(
    _PATH,
    scope=SCOPE,
    query=(_LIMIT, CURSOR),
    answer="subscriptions.SubscriptionPage",
)
def list_subscriptions(call: Call) -> Any:
    """List subscriptions in the order of creation; the first page has live ones too."""
    service = call.platform.subscribed.service
    page, cursor = service.page(call.principal, call.take(CURSOR), call.take(_LIMIT))
    live = (
        []
        if call.take(CURSOR)
        else call.platform.live.subscriptions(call.principal.topics(SCOPE))
    )
    return {"subscriptions": _shown(call, page), "live": live, "cursor": cursor}


@routes.get(_ONE, scope=SCOPE, answer="subscriptions.Subscription")
def get_subscription(call: Call, subscription_id: str) -> Any:
    """Read one with its counters."""
    found = call.platform.subscribed.service.get(subscription_id, call.principal)
    return _shown(call, [found])[0]


@routes.patch(
    _ONE,
    scope=SCOPE,
    body="subscriptions.ChangedSubscription",
    answer="subscriptions.Subscription",
    also=_CHANGED,
)
def change_subscription(call: Call, subscription_id: str) -> Any:
    """Change what is named; a new filter counts for events routed from now on."""
    from chalicelib.api.shapes.subscriptions import ChangedSubscription

    wish = _said(call.body(ChangedSubscription).model_dump(exclude_unset=True))
    service = call.platform.subscribed.service
    after = service.change(subscription_id, wish, call.principal)
    return _shown(call, [after])[0]


def _said(wish: dict[str, Any]) -> dict[str, Any]:
    # null takes away what may be absent, and says nothing of the rest.
    absent = ("name", "concurrency", "rate_limit", "filter")
    kept = {n: v for n, v in wish.items() if v is not None or n in absent}
    if "retry" in kept:
        kept["retry"] = {n: v for n, v in kept["retry"].items() if v is not None}
    return kept


@routes.delete(_ONE, scope=SCOPE, answer="subscriptions.RemovedSubscription")
def remove_subscription(call: Call, subscription_id: str) -> Any:
    """Unsubscribe; dead letters stay until they are purged."""
    call.platform.subscribed.service.remove(subscription_id, call.principal)
    return {"removed": subscription_id}


@routes.post(
    _ONE + "/pause",
    scope=SCOPE,
    body="subscriptions.Pause",
    answer="subscriptions.Subscription",
    also=_CHANGED,
)
def pause_subscription(call: Call, subscription_id: str) -> Any:
    """Stop delivering; what comes meanwhile can be caught up with."""
    from chalicelib.api.shapes.subscriptions import Pause

    reason = call.body(Pause).reason
    service = call.platform.subscribed.service
    return _shown(call, [service.pause(subscription_id, reason, call.principal)])[0]


@routes.post(
    _ONE + "/resume",
    scope=SCOPE,
    body="subscriptions.Resume",
    answer="subscriptions.Subscription",
    also=_CHANGED,
)
def resume_subscription(call: Call, subscription_id: str) -> Any:
    """Deliver again, from the last processed event or only the latest."""
    from chalicelib.api.shapes.subscriptions import Resume

    start = call.body(Resume).start
    service = call.platform.subscribed.service
    return _shown(call, [service.resume(subscription_id, start, call.principal)])[0]


@routes.post(
    _ONE + "/rotate-secret",
    scope=SCOPE,
    body="subscriptions.SecretRotation",
    answer="subscriptions.RotatedSecret",
    also=_CHANGED,
)
def rotate_secret(call: Call, subscription_id: str) -> Any:
    """Sign with a new secret, and for a while with the old one as well."""
    from chalicelib.api.shapes.subscriptions import SecretRotation
    from chalicelib.subscriptions.service import describe

    wish = call.body(SecretRotation)
    after, secret = call.platform.subscribed.service.rotate(
        subscription_id, wish.secret, wish.grace_s, call.principal
    )
    secrets = describe(after)["target"]["secrets"]
    return {"id": after.id, "secret": secret, "secrets": secrets}


@routes.post(_ONE + "/test", scope=SCOPE, answer="subscriptions.TestResult")
def test_subscription(call: Call, subscription_id: str) -> Any:
    """Send an event `eventyard.test` to the target, now and once."""
    service = call.platform.subscribed.service
    event, outcome = service.test(subscription_id, call.principal)
    return {
        "delivered": outcome.delivered,
        "status": outcome.status,
        "error": outcome.error,
        "duration_ms": outcome.duration_ms,
        "event": event.to_dict(),
    }


def _shown(call: Call, page: Iterable[Subscription]) -> list[dict[str, Any]]:
    from chalicelib.subscriptions.service import describe

    rows = list(page)
    subscribed = call.platform.subscribed
    counted = subscribed.store.counters(rows)
    return [
        {
            **describe(row),
            "counters": counted[row.id],
            "stopped_s": round(subscribed.service.lag_s(row), 3),
        }
        for row in rows
    ]
