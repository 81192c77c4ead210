"""Deliveries of senders become events: each once, whatever happens on the way."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from chalicelib.auth import ANYBODY
from chalicelib.sources.reading import Delivery
from chalicelib.sources.service import _NOBODYS
from eventyard.core.errors import AuthenticationError, ConflictError
from tests.steps import Crash, crash_before_append, listed, subscribe

KEY = "a secret of some length"
STANDARD = {"name": "shop", "scheme": {"type": "standard"}, "type_from": "type"}
PLAIN = {
    "name": "till",
    "scheme": {"type": "hmac", "header": "X-Signature"},
    "secret": KEY,
}


@pytest.fixture
def sources(platform, clock):
    return platform.sources


@pytest.fixture
def secret(sources):
    """The secret of `shop`, which signs as the standard says."""
    return sources.create(STANDARD, ANYBODY)[1]["secret"]


@pytest.fixture
def till(sources):
    """A source that has neither ids nor types."""
    return sources.create(PLAIN, ANYBODY)[0]


def signed(secret, body, at, ident="msg_1"):
    raw = json.dumps(body)
    moment = datetime.fromtimestamp(int(at), UTC)
    headers = {
        "webhook-id": ident,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": Webhook(secret).sign(ident, moment, raw),
    }
    return Delivery(headers, raw.encode())


def coded(body, key=KEY, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    code = hmac.new(key.encode(), raw, "sha256").hexdigest()
    return Delivery({"x-signature": code, **headers}, raw)


def refused(sources, name, delivery):
    with pytest.raises(AuthenticationError) as told:
        sources.take(name, delivery)
    return told.value.message


def events_of(platform):
    return [e for e in listed(platform) if not e.type.startswith("eventyard.")]


def test_a_delivery_becomes_an_event_of_its_type(platform, sources, secret, clock):
    body = {"type": "order.paid", "data": {"n": 1}}

    told = sources.take("shop", signed(secret, body, clock()))

    (event,) = events_of(platform)
    assert told["event_id"] == event.id == "msg_1"
    assert (event.type, event.source) == ("shop.order.paid", "webhooks/shop")
    assert event.payload == body


def test_the_same_delivery_twice_is_one_event(platform, sources, secret, clock):
    first = sources.take("shop", signed(secret, {"type": "a"}, clock()))
    clock.tick(3 * 86_400)
    # A sender signs a retry anew, and may have changed what it tells of it.
    again = sources.take("shop", signed(secret, {"type": "a", "try": 2}, clock()))

    assert again["event_id"] == first["event_id"]
    assert again["deduplicated"] is True
    assert platform.events.get("msg_1").payload == {"type": "a"}


def test_ids_of_different_sources_do_not_meet(platform, sources, secret, clock):
    sources.create({**STANDARD, "name": "other", "secret": secret}, ANYBODY)

    for name in ("shop", "other"):
        sources.take(name, signed(secret, {"type": "a"}, clock()))

    assert sorted(e.source for e in events_of(platform)) == [
        "webhooks/other",
        "webhooks/shop",
    ]


def test_without_an_id_the_same_body_is_one_event_for_a_day(platform, sources, till):
    first = sources.take("till", coded({"n": 1}))
    again = sources.take("till", coded({"n": 1}))
    other = sources.take("till", coded({"n": 2}))

    assert again["event_id"] == first["event_id"] != other["event_id"]
    assert again["deduplicated"] is True
    assert "deduplicated" not in other
    assert {event.type for event in events_of(platform)} == {"till.received"}


def test_the_same_body_as_json_and_as_a_form_are_two_events(platform, sources, till):
    sources.take("till", coded(b"1"))
    form = coded(b"1")
    sources.take("till", Delivery(form.headers, form.body, form=True))

    told = [event.payload for event in events_of(platform)]
    assert len(told) == 2
    assert {"1": ""} in told
    assert 1 in told


def test_type_and_id_may_stand_in_headers(platform, sources):
    ways = {"type_from": "header:X-Topic", "id_from": "header:X-Delivery"}
    sources.create({**PLAIN, **ways, "topic": "shop.orders"}, ANYBODY)
    headers = {"x-topic": "orders/create", "x-delivery": "b54557e4"}

    sources.take("till", coded([], **headers))
    sources.take("till", coded([], **headers))

    (event,) = events_of(platform)
    assert (event.type, event.id) == ("shop.orders.orders/create", "b54557e4")


@pytest.mark.parametrize(
    "kind", ["eventyard.key.created", "x" * 9_000, "*", "\n", 7, -1, None, {}, [], True]
)
def test_no_type_keeps_a_genuine_delivery_out(platform, sources, secret, clock, kind):
    sources.take("shop", signed(secret, {"type": kind}, clock()))

    (event,) = events_of(platform)
    assert event.type.startswith("shop.")


@pytest.mark.parametrize("ident", ["two words", "x" * 300, "ä" * 200, "\n", "a.b.c"])
def test_no_id_keeps_a_genuine_delivery_out(platform, sources, ident):
    sources.create({**PLAIN, "id_from": "id"}, ANYBODY)

    told = [sources.take("till", coded({"id": ident})) for _ in "ab"]

    (event,) = events_of(platform)
    assert [one["event_id"] for one in told] == [event.id] * 2


@pytest.mark.parametrize("ident", [None, "", True, {"a": 1}, [1], 1.5])
def test_what_is_no_id_is_not_taken_for_one(platform, sources, ident):
    sources.create({**PLAIN, "id_from": "id"}, ANYBODY)

    for n in range(2):
        sources.take("till", coded({"id": ident, "n": n}))

    assert len(events_of(platform)) == 2


def test_a_wrong_signature_and_a_name_of_nobody_are_refused_alike(
    platform, sources, secret, till, clock, capsys
):
    wrong = "whsec_" + base64.b64encode(b"x" * 32).decode()
    stranger = signed(wrong, {"type": "a"}, clock())
    empty = Delivery({}, b"{}")

    told = {
        refused(sources, name, delivery)
        for name in ("shop", "till", "nobody", "github", "../shop", "shop\n", "")
        for delivery in (stranger, empty)
    }

    assert len(told) == 1
    assert events_of(platform) == []
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    reasons = {(one.get("source"), one.get("reason")) for one in lines}
    assert ("shop", "no signature fits") in reasons
    assert ("nobody", "there is no such source") in reasons
    assert wrong not in str(lines)


def test_what_signs_for_nobody_is_nobodys(sources, secret, clock):
    refused(sources, "nobody", signed(_NOBODYS, {}, clock()))
    refused(sources, "shop", signed(_NOBODYS, {}, clock()))


def test_a_body_is_read_only_once_its_signature_is_right(sources, secret):
    refused(sources, "shop", Delivery({}, b"not JSON"))


def test_what_was_signed_long_ago_is_refused(platform, sources, secret, clock):
    delivery = signed(secret, {"type": "a"}, clock())
    clock.tick(300)
    sources.take("shop", delivery)
    clock.tick(1)

    refused(sources, "shop", delivery)

    assert len(events_of(platform)) == 1


def test_for_a_while_both_secrets_count(platform, sources, secret, clock):
    after, shown = sources.rotate("shop", None, 3600, ANYBODY)

    assert len(after.secrets) == 2
    clock.tick(3599)
    for ident, one in (("old", secret), ("new", shown["secret"])):
        sources.take("shop", signed(one, {"type": "a"}, clock(), ident))
    clock.tick(1)
    refused(sources, "shop", signed(secret, {"type": "a"}, clock(), "late"))
    sources.take("shop", signed(shown["secret"], {"type": "a"}, clock(), "later"))
    assert {event.id for event in events_of(platform)} == {"old", "new", "later"}


def test_without_grace_the_old_secret_is_over_at_once(sources, secret, clock):
    after, _ = sources.rotate("shop", None, 0, ANYBODY)

    assert len(after.secrets) == 1
    refused(sources, "shop", signed(secret, {"type": "a"}, clock()))


def test_no_more_than_two_secrets_count_however_often_they_are_rotated(
    sources, secret, clock
):
    made = [
        secret,
        *(sources.rotate("shop", None, 60, ANYBODY)[1]["secret"] for _ in "ab"),
    ]

    refused(sources, "shop", signed(made[0], {"type": "a"}, clock()))
    for ident, one in enumerate(made[1:]):
        sources.take("shop", signed(one, {"type": "a"}, clock(), f"msg_{ident}"))


def test_a_rotation_never_lengthens_what_was_about_to_end(sources, secret, clock):
    sources.rotate("shop", None, 60, ANYBODY)
    back, shown = sources.rotate("shop", secret, 3600, ANYBODY)
    again, _ = sources.rotate("shop", secret, 10, ANYBODY)

    assert shown == {}
    assert back.secrets[0].value == secret
    assert [s.expires_at for s in back.secrets] == [None, clock() + 3600]
    assert [s.expires_at for s in again.secrets] == [None, clock() + 10]


def test_two_changes_at_once_do_not_mix(sources, till):
    read = sources.get("till")
    sources.change("till", {"topic": "a"}, ANYBODY)

    with pytest.raises(ConflictError):
        sources.store.save(read.changed(topic="b"))

    assert sources.get("till").topic == "a"


def test_a_retry_goes_on_where_a_call_died(platform, sources, secret, clock):
    delivery = signed(secret, {"type": "a"}, clock())
    crash_before_append(platform)
    with pytest.raises(Crash):
        sources.take("shop", delivery)
    assert events_of(platform) == []

    told = [sources.take("shop", delivery) for _ in "ab"]

    assert len(events_of(platform)) == 1
    assert {one["event_id"] for one in told} == {"msg_1"}


def test_a_large_delivery_is_kept_whole(platform, sources, secret, clock):
    body = {"type": "a", "text": "x" * 1_000_000}

    told = sources.take("shop", signed(secret, body, clock()))

    assert platform.events.get(told["event_id"]).payload == body


def test_events_of_deliveries_are_routed_as_all_others_are(
    platform, sources, secret, clock, pump, receiver
):
    subscribe(platform, receiver.url, topics=["shop.**"])
    sources.take("shop", signed(secret, {"type": "order.paid"}, clock()))
    pump.run()

    assert receiver.ids() == ["msg_1"]


def test_a_delivery_costs_one_read_and_what_any_event_with_an_id_costs(
    platform, calls, clock
):
    platform.sources.clock = clock
    secret = platform.sources.create(STANDARD, ANYBODY)[1]["secret"]
    calls.clear()

    platform.sources.take("shop", signed(secret, {"type": "a"}, clock()))

    assert calls.counted == {"GetItem": 1, "PutItem": 2}
