"""
Every address and every channel, against every caller that must not come in.

The addresses are found, not listed: one that is added without a scope fails here by
itself, and so does one that looks at anything before it asks who is calling.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import app
from chalicelib import api
from chalicelib.api._endpoint import OURS, Address, Routes
from chalicelib.auth import ANYBODY
from chalicelib.events.drafts import drafts_of
from chalicelib.events.streams import Wish
from chalicelib.live.service import CHANNELS
from eventyard.core import errors, moments, ulid
from tests.addresses import by_family, name_of
from tests.contract import AnswersOnly, http_contract
from tests.http import Http
from tests.steps import bearer, connect, greeted, ids, listed, publish, say, subscribe

#: What everybody may ask for, and nothing else.
OPEN = {
    "GET /",
    "GET /health",
    "GET /api/v1/config",
    "GET /static/{name}",
    "GET /openapi.json",
    "GET /asyncapi.json",
    "GET /docs",
    "GET /redoc",
    # Pages: each is one and the same document, which asks for the rest with a key.
    "GET /events",
    "GET /events/{event_id}",
    "GET /subscriptions",
    "GET /subscriptions/{subscription_id}",
    "GET /dead-letters",
    "GET /dead-letters/{dead_id}",
    "GET /replays",
    "GET /replays/{replay_id}",
    "GET /flow",
    "GET /pulls",
    "GET /pulls/{owner}/{name}/{number}",
    "GET /jobs",
    "GET /jobs/{job_id}",
    "GET /memories",
    "GET /memories/{memory_id}",
    "GET /circles",
    "GET /circles/{circle}",
}
#: What any key opens, whatever it may do.
ANY_KEY = {"GET /api/v1/me"}
#: Where a signature decides instead of a key.
SIGNED = {
    "POST /webhook",
    "POST /webhooks/github",
    "POST /webhooks/{source}",
}
SCOPES = {
    "admin",
    "circles:read",
    "circles:write",
    "events:publish",
    "events:subscribe",
    "graph:read",
    "graph:write",
    "jobs:read",
    "jobs:submit",
    "memories:read",
    "memories:write",
    "pulls:read",
    "pulls:write",
}
#: What none of the keys below may see.
SECRET = "only-for-readers-of-orders"
EVENT = {"type": "order.paid", "payload": {"word": SECRET, SECRET: 1}}
#: What reads events and shows nothing of any topic: counts, and a ticket.
NO_TOPICS = {
    "GET /api/v1/stats",
    "GET /metrics",
    "GET /ws/stats",
    "GET /api/v1/queues",
    "POST /api/v1/tickets",
    "GET /api/v1/positions/{name}",
    "PUT /api/v1/positions/{name}",
}
#: What acts on a thing of one topic, or tells of it, and names no topic.
NAMELESS = {
    "GET /api/v1/streams/{stream_id}",
    "DELETE /api/v1/subscriptions/{subscription_id}",
    "POST /api/v1/subscriptions/{subscription_id}/rotate-secret",
    "POST /api/v1/subscriptions/{subscription_id}/test",
    "POST /api/v1/requests/{request_id}/reply",
}
FILTER = {"payload.word": SECRET}
#: A body for each address that takes one, beside those that take an event.
BODIES: dict[str, Any] = {
    "POST /api/v1/schemas/infer": {"topics": ["*"]},
    "POST /api/v1/filters/test": {"filter": {"payload.word": "else"}, "last": 10},
    "POST /api/v1/subscriptions": {
        "topics": ["order.*"],
        "filter": FILTER,
        "target": {"type": "webhook", "url": "https://example.com/"},
    },
    "PATCH /api/v1/subscriptions/{subscription_id}": {"batch_size": 2},
    "POST /api/v1/subscriptions/{subscription_id}/pause": {},
    "POST /api/v1/subscriptions/{subscription_id}/resume": {},
    "POST /api/v1/subscriptions/{subscription_id}/rotate-secret": {},
    "POST /api/v1/requests/{request_id}/reply": {"payload": {}},
    "PUT /api/v1/streams/{stream_id}/snapshot": {"version": 1, "state": 1},
    "PUT /api/v1/positions/{name}": {"cursor": "1"},
    "POST /api/v1/dead-letters": {
        "event_id": "x",
        "subscription": "c/h",
        "error": "e",
        "attempts": 1,
    },
}


def families() -> list[Routes]:
    modules = (
        importlib.import_module(f"{api.__name__}.{found.name}")
        for found in pkgutil.iter_modules(api.__path__)
    )
    named = (getattr(module, "routes", None) for module in modules)
    return [routes for routes in named if isinstance(routes, Routes)]


ADDRESSES = [address for family in families() for address in family.addresses]


CLOSED = [a for a in ADDRESSES if name_of(a) not in OPEN | SIGNED | ANY_KEY]
every_closed = pytest.mark.parametrize("address", CLOSED, ids=name_of)
#: Those that refuse are asked a family at a time: nothing comes of it.
closed_families = by_family(CLOSED)


def ask(http: Any, address: Address, body: Any = None) -> Any:
    path = re.sub(r"{\w+}", "x", address.path)
    # Whoever is let in would wait for events that do not come.
    query = "?wait=0" if path.endswith("/events/stream") else ""
    return http._call(address.method, path + query, body, {})


@pytest.fixture
def stranger(http):
    """A caller who asks what no document names; the answers still are as documented."""
    made = Http(http._client, AnswersOnly(http_contract().document))
    made.headers = http.headers
    return made


@pytest.fixture
def orders(platform, pump, receiver):
    """One of each thing that has a topic, of `order.paid`: its id by its name."""
    receiver.reaction = lambda *_: (500, {})
    wish = {"topics": ["order.*"], "filter": FILTER, "retry": {"schedule_s": []}}
    subscription = subscribe(platform, receiver.url, **wish)
    walk = platform.subscribed.walks.replay(
        subscription,
        {"after": ulid.floor(0), "until": ulid.floor(1), "filter": FILTER},
        ANYBODY,
    )
    stream = Wish(drafts_of([EVENT]), "tester")
    platform.streams.append("order-1", stream)
    head = platform.streams.existing("order-1")
    platform.streams.save_snapshot(head, 1, {"word": SECRET})
    later = {**EVENT, "deliver_at": moments.write(datetime.now(UTC) + timedelta(1))}
    (scheduled,) = ids(publish(platform, later))
    definition = {"description": SECRET}
    schema, _ = platform.schemas.save("order.*", definition, "warn", SECRET)
    with contextlib.suppress(errors.TimeoutError):
        platform.requests.request(drafts_of([EVENT])[0], "tester", 0.1)
    asked = next(event for event in listed(platform) if event.reply_to)
    (event_id,) = ids(publish(platform, EVENT))
    pump.run()
    greeted(pump, channel="router")
    say(platform, "c1", {"type": "subscribe", "subscription": {"topics": ["order.*"]}})
    letters, _ = platform.subscribed.dead_letters.page(ANYBODY, None, None, 1)
    return {
        "event_id": event_id,
        "scheduled": scheduled,
        "stream_id": "order-1",
        "request_id": asked.id,
        "schema_id": schema.id,
        "subscription_id": subscription.id,
        "dead_id": letters[0].id,
        "replay_id": walk["sk"],
        "graph_type": "complete",
        "name": "mine",
    }


def at(address: Address, things: dict[str, str]) -> str:
    """The path of an address for the thing of that kind."""
    found = things
    if "/scheduled/" in address.path:
        found = {**things, "event_id": things["scheduled"]}
    return re.sub(r"{(\w+)}", lambda name: found[name[1]], address.path)


def lacking(scope: str) -> list[str]:
    """All that a key can have without having this scope."""
    others = SCOPES - {scope, "admin"}
    events = {other for other in others if other.startswith("events:")}
    return sorted(others | {f"{other}:order.*" for other in events})


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

    assert unguarded == OPEN | SIGNED | ANY_KEY


@pytest.mark.parametrize(
    "address", [a for a in ADDRESSES if name_of(a) in SIGNED], ids=name_of
)
def test_no_key_stands_for_a_signature(http, locked, address):
    bearer(http, "admin")

    assert ask(http, address, EVENT).status == 401
    assert listed(locked) == []


def test_every_scope_that_is_asked_for_can_be_granted():
    assert {address.scope for address in CLOSED} <= SCOPES


@closed_families
def test_without_a_key_nobody_comes_in(http, locked, addresses):
    for address in addresses:
        told = ask(http, address, "not even JSON")

        assert told.status == 401, name_of(address)
        assert told.headers["www-authenticate"] == "Bearer", name_of(address)
        if address.faults is OURS:
            assert told.json()["error"]["code"] == "unauthenticated", name_of(address)


@closed_families
@pytest.mark.parametrize("secret", ["ey_" + "u" * 43, "a.b.c", "tkt_" + "u" * 43])
def test_with_a_wrong_key_nobody_comes_in(http, locked, addresses, secret):
    http.headers["Authorization"] = f"Bearer {secret}"

    told = {name_of(one): ask(http, one, "not even JSON").status for one in addresses}

    assert told == dict.fromkeys(told, 401)


@closed_families
def test_with_an_expired_key_nobody_comes_in(http, locked, clock, addresses):
    http.headers["Authorization"] = f"Bearer {expired(locked, clock)}"

    for address in addresses:
        told = ask(http, address, "not even JSON")

        assert told.status == 401, name_of(address)
        assert "expired" in told.fault()["message"], name_of(address)


@closed_families
def test_without_its_scope_nobody_comes_in(http, locked, addresses):
    for address in addresses:
        bearer(http, *lacking(address.scope))

        told = ask(http, address, "not even JSON")

        assert told.status == 403, name_of(address)
        assert f"This needs the scope {address.scope}." in told.fault()["message"]
        if address.faults is OURS:
            assert told.json()["error"]["details"] == {"scope": address.scope}


@every_closed
def test_with_its_scope_one_is_past_the_door(http, locked, address):
    bearer(http, address.scope)

    assert ask(http, address).status not in (401, 403, 500)


@by_family(ADDRESSES)
def test_a_key_in_the_address_opens_no_http(stranger, locked, addresses):
    secret, _ = locked.keys.create("k", ["admin"])
    for address in addresses:
        path = re.sub(r"{\w+}", "x", address.path)

        told = stranger._call(address.method, f"{path}?token={secret}", None, {})

        opened = name_of(address) in OPEN
        assert (told.status == 401) is not opened, name_of(address)


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
def test_no_address_publishes_a_topic_outside_of_the_key(http, locked, orders, address):
    bearer(http, "events:publish:user.*")
    before = ids_of(listed(locked))
    body = BODIES.get(name_of(address), EVENT)

    told = http._call(address.method, at(address, orders), body, {})

    assert told.status == 403
    assert told.json()["error"]["details"]["topic"] == "order.paid"
    assert ids_of(listed(locked)) == before


def ids_of(events: list[Any]) -> list[str]:
    return [event.id for event in events]


READING = [a for a in CLOSED if a.scope == "events:subscribe"]


@pytest.mark.parametrize("address", READING, ids=name_of)
def test_no_address_shows_a_topic_outside_of_the_key_and_each_those_within(
    stranger, locked, pump, orders, address
):
    publish(locked, {"type": "user.created"})
    pump.run()
    path, name = at(address, orders), name_of(address)
    body = BODIES.get(name)
    if body and "event_id" in body:
        body = {**body, "event_id": orders["event_id"]}
    # Whatever reads a stretch of time reads all of it.
    times = "since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z"

    def shown(key: str, query: str) -> Any:
        bearer(stranger, f"events:subscribe:{key}")
        asked = f"{path}?wait=0&{times}{query}"
        return stranger._call(address.method, asked, body, {})

    for query in (
        "",
        "&topics=order.*",
        "&topics=*",
        f"&filter=payload.word:eq:{SECRET}",
    ):
        answer = shown("user.*", query)
        assert SECRET not in answer.text
        assert answer.status != 500
        assert answer.status >= 400 or "order.paid" not in answer.text
        if path != address.path and name not in NO_TOPICS:
            assert answer.status in (403, 404)

    answer = shown("order.*", "")
    # The request has been over for long: its answer comes too late.
    assert answer.status == 409 if path.endswith("/reply") else answer.status < 300
    if name not in NAMELESS | NO_TOPICS:
        assert SECRET in answer.text or "order.paid" in answer.text
    if name in NO_TOPICS:
        assert "order." not in answer.text


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
    needed = CHANNELS.get(channel or "pulls", "events:subscribe")
    publisher, _ = locked.keys.create("p", lacking(needed))
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


@pytest.mark.parametrize("channel", ["dashboard", "router"])
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
