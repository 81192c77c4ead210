"""
Every address and every channel, against every caller that must not come in.

The addresses are found, not listed: one that is added without a scope fails here by
itself, and so does one that looks at anything before it asks who is calling.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

import pytest

from app import app
from chalicelib import api
from chalicelib.api._endpoint import Address, Routes
from chalicelib.live.service import CHANNELS
from tests.steps import bearer, connect, greeted, listed, publish, say

#: What everybody may ask for, and nothing else.
OPEN = {
    "GET /",
    "GET /health",
    "GET /api/v1/config",
    "GET /static/{name}",
}
SCOPES = {"admin", "events:publish", "events:subscribe"}
#: What none of the keys below may see.
SECRET = "only-for-readers-of-orders"
#: A body for each address that takes none of the usual ones.
BODIES: dict[str, Any] = {
    "POST /api/v1/schemas/infer": {"topics": ["*"]},
}
EVENT = {"type": "order.paid", "payload": {"word": SECRET}}


def families() -> list[Routes]:
    modules = (
        importlib.import_module(f"{api.__name__}.{found.name}")
        for found in pkgutil.iter_modules(api.__path__)
    )
    named = (getattr(module, "routes", None) for module in modules)
    return [routes for routes in named if isinstance(routes, Routes)]


ADDRESSES = [address for family in families() for address in family.addresses]


def name_of(address: Address) -> str:
    return f"{address.method} {address.path}"


CLOSED = [address for address in ADDRESSES if name_of(address) not in OPEN]
every_closed = pytest.mark.parametrize("address", CLOSED, ids=name_of)


def ask(http: Any, address: Address, body: Any = None) -> Any:
    path = re.sub(r"{\w+}", "x", address.path)
    return http._call(address.method, path, body, {})


def lacking(scope: str) -> list[str]:
    """All that a key can have without having this scope."""
    others = SCOPES - {scope, "admin"}
    return sorted(others | {f"{other}:order.*" for other in others})


def expired(platform: Any, clock: Any) -> str:
    secret, _ = platform.keys.create("old", ["admin"], 10)
    clock.tick(10)
    return secret


def test_what_is_deployed_is_what_is_walked_through_here():
    deployed = {
        f"{method} {path}" for path, views in app.routes.items() for method in views
    }

    assert {name_of(address) for address in ADDRESSES} == deployed


def test_nothing_is_open_but_what_is_named_here():
    unguarded = {name_of(a) for a in ADDRESSES if a.scope is None}

    assert unguarded == OPEN


def test_every_scope_that_is_asked_for_can_be_granted():
    assert {address.scope for address in CLOSED} <= SCOPES


@every_closed
def test_without_a_key_nobody_comes_in(http, locked, address):
    told = ask(http, address, "not even JSON")

    assert told.status == 401
    assert told.json()["error"]["code"] == "unauthenticated"


@every_closed
@pytest.mark.parametrize("secret", ["ey_" + "u" * 43, "a.b.c", "tkt_" + "u" * 43])
def test_with_a_wrong_key_nobody_comes_in(http, locked, address, secret):
    http.headers["Authorization"] = f"Bearer {secret}"

    assert ask(http, address, "not even JSON").status == 401


@every_closed
def test_with_an_expired_key_nobody_comes_in(http, locked, clock, address):
    http.headers["Authorization"] = f"Bearer {expired(locked, clock)}"

    told = ask(http, address, "not even JSON")

    assert told.status == 401
    assert "expired" in told.json()["error"]["message"]


@every_closed
def test_without_its_scope_nobody_comes_in(http, locked, address):
    bearer(http, *lacking(address.scope))

    told = ask(http, address, "not even JSON")

    assert told.status == 403
    assert told.json()["error"]["details"] == {"scope": address.scope}


@every_closed
def test_with_its_scope_one_is_past_the_door(http, locked, address):
    bearer(http, address.scope)

    assert ask(http, address).status not in (401, 403, 500)


@pytest.mark.parametrize("address", ADDRESSES, ids=name_of)
def test_a_key_in_the_address_opens_no_http(http, locked, address):
    secret, _ = locked.keys.create("k", ["admin"])
    path = re.sub(r"{\w+}", "x", address.path)

    told = http._call(address.method, f"{path}?token={secret}", None, {})

    assert (told.status == 401) is (name_of(address) not in OPEN)


def test_nothing_that_was_refused_has_left_a_trace(http, locked):
    bearer(http, "events:subscribe:nothing")
    before = list(locked.keys.all())

    for address in CLOSED:
        if address.scope != "events:subscribe":
            assert ask(http, address, EVENT).status == 403

    assert listed(locked) == []
    assert list(locked.keys.all()) == before


@pytest.mark.parametrize(
    "address", [a for a in CLOSED if a.scope == "events:publish"], ids=name_of
)
def test_no_address_publishes_a_topic_outside_of_the_key(http, locked, address):
    bearer(http, "events:publish:user.*")

    told = ask(http, address, BODIES.get(name_of(address), EVENT))

    assert told.status == 403
    assert told.json()["error"]["details"]["topic"] == "order.paid"
    assert listed(locked) == []


@pytest.mark.parametrize(
    "address", [a for a in CLOSED if a.scope == "events:subscribe"], ids=name_of
)
def test_no_address_shows_a_topic_outside_of_the_key(http, locked, pump, address):
    told = publish(locked, EVENT, {"type": "user.created"})
    pump.run()
    bearer(http, "events:subscribe:user.*")
    path = re.sub(r"{\w+}", told[0].event_id, address.path)
    body = BODIES.get(name_of(address))

    for query in (
        "",
        "?topics=order.*",
        "?topics=*",
        f"?filter=payload.word:eq:{SECRET}",
    ):
        answer = http._call(address.method, path + query, body, {})
        assert SECRET not in answer.text
        assert answer.status != 500


def test_cloudevents_obey_the_topics_of_a_key_as_all_others_do(http, locked):
    bearer(http, "events:publish:user.*")
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "order.paid"}

    for body, media in (
        (event, "cloudevents+json"),
        ([event], "cloudevents-batch+json"),
    ):
        told = http.post("/api/v1/events", body, Content_Type=f"application/{media}")
        assert told.status == 403
    assert listed(locked) == []


@pytest.mark.parametrize("channel", [*CHANNELS, "", "unknown"])
def test_no_channel_is_open(http, locked, clock, channel):
    publisher, _ = locked.keys.create("p", lacking("events:subscribe"))
    callers = [
        ({}, 401),
        ({"token": "ey_unknown"}, 401),
        ({"token": "a.b.c"}, 401),
        ({"ticket": "tkt_unknown"}, 401),
        ({"token": expired(locked, clock)}, 401),
        ({"token": publisher}, 403),
    ]

    for query, status in callers:
        # The rest of the query makes no sense: it must not matter yet.
        query |= {"channel": channel, "cursor": "none", "client_id": "<>"}
        assert connect(locked, **query)["statusCode"] == status, query
    assert list(locked.connections.all()) == []


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("by_ticket", [False, True])
def test_no_channel_shows_a_topic_outside_of_the_key(
    http, locked, pump, gateway, channel, by_ticket
):
    shown = {"token": bearer(http, "events:subscribe:user.*")}
    before = publish(locked, EVENT, {"type": "user.early"})
    if by_ticket:
        shown = {"ticket": http.post("/api/v1/tickets").json()["ticket"]}
    # With a cursor from before, what was missed obeys the key as well.
    cursor = before[0].event_id.removeprefix("evt_")[:10] + "0" * 16
    greeted(pump, channel=channel, events="*,order.*", cursor=cursor, **shown)
    wish = {"topics": ["*", "order.*"]}
    say(locked, "c1", {"type": "subscribe", "subscription": wish, "cursor": cursor})
    publish(locked, EVENT, {"type": "user.created"})
    pump.run()

    told = str(gateway.frames("c1"))
    assert SECRET not in told
    assert "user.created" in told
    assert "user.early" in told


@pytest.mark.parametrize("several", [False, True])
def test_no_socket_publishes_a_topic_outside_of_the_key(http, locked, pump, several):
    secret = bearer(http, "events:subscribe", "events:publish:user.*")
    greeted(pump, channel="router", token=secret)
    body = {"events": [{"type": "user.a"}, EVENT]} if several else {"event": EVENT}

    (told,) = say(locked, "c1", {"type": "publish", **body})

    assert told["code"] == "permission_denied"
    assert listed(locked) == []
