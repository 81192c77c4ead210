"""Payloads that only those read who have the key."""

# ruff: noqa: PLR0915 - one story

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard import (
    DecryptionError,
    Event,
    EventRouterClient,
    InvalidRequestError,
    RequestError,
    SubscriptionError,
)
from eventyard.patterns.encryption import Sealing
from tests.awaiting import address, awaited, until
from tests.properties import examples

KEY = bytes(range(32))
SECRET = "123-45-6789"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def encrypted(url, **more):
    return EventRouterClient(url=url, encryption={"enabled": True, "key": KEY, **more})


@given(payload=JSON)
@settings(max_examples=examples(50), deadline=None)
def test_what_is_sealed_opens_as_it_was(payload):
    sealing = Sealing.of({"key": KEY})
    event = Event("a.b", payload)

    sealed = sealing.sealed(event)

    assert set(sealed.payload) == {"ciphertext"}
    assert sealing.opened(sealed) == event
    assert sealing.sealed(sealed) is sealed
    assert sealing.sealed(event).payload != sealed.payload


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
@settings(max_examples=examples(100), deadline=None)
def test_any_bit_that_was_changed_is_noticed(place, bit):
    sealing = Sealing.of({"key": KEY})
    sealed = sealing.sealed(Event("a.b", {"ssn": SECRET}))
    raw = bytearray(base64.b64decode(sealed.payload["ciphertext"]))
    raw[place % len(raw)] ^= 1 << bit
    sealed.payload["ciphertext"] = base64.b64encode(raw).decode()
    with pytest.raises(DecryptionError):
        sealing.opened(sealed)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "evt_another"},
        {"type": "a.c"},
        {"encrypted": "2"},
        {"encrypted": "unknown"},
        {"stream_id": "s"},
        {"reply_to": "reply.x"},
        {"payload": {}},
        {"payload": []},
        {"payload": None},
        {"payload": {"ciphertext": 7}},
        {"payload": {"ciphertext": "no base64!"}},
        {"payload": {"ciphertext": ""}},
    ],
)
def test_a_payload_that_was_moved_or_is_none_is_noticed(change):
    sealing = Sealing.of({"key": KEY, "keys": {"2": b"2" * 32}})
    sealed = sealing.sealed(Event("a.b", {"ssn": SECRET}))
    with pytest.raises(DecryptionError):
        sealing.opened(sealed.copy(**change))


def test_keys_are_changed_without_losing_what_there_is():
    old = Sealing.of({"key": KEY, "key_id": "2025"})
    new = Sealing.of({"key": b"n" * 32, "key_id": "2026", "keys": {"2025": KEY}})
    event = Event("a.b", 1)
    assert new.opened(old.sealed(event)) == event
    assert new.sealed(event).encrypted == "2026"
    with pytest.raises(DecryptionError, match="2026"):
        old.opened(new.sealed(event))


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"key": "short"}, "32 bytes"),
        ({"key": KEY, "algorithm": "ROT13"}, "AES-256-GCM"),
        ({"enabled": True}, "no encryption key"),
        ({"key_id": "a", "keys": {"b": KEY}}, "'a'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(told, says):
    with pytest.raises(InvalidRequestError, match=says):
        EventRouterClient(url=address(), encryption=told)


@pytest.mark.parametrize(
    "key", [KEY, KEY.hex(), base64.b64encode(KEY).decode(), "k" * 32]
)
def test_a_key_is_bytes_hex_base64_or_text(key):
    sealing = Sealing.of({"key": key})
    assert sealing.opened(sealing.sealed(Event("a", 1))).payload == 1


@awaited
async def test_nothing_secret_is_with_the_router_whatever_way_it_went():
    client, got = encrypted(address()), []

    @client.on("**")
    async def note(event):
        got.append(event.payload)

    @client.respond("ask")
    async def answer(request):
        assert request.payload == {"ssn": SECRET}
        return {"ssn": SECRET}

    @client.respond("fail")
    async def fails(request):
        raise ValueError(f"not {SECRET}")

    @client.on("bad")
    @client.error_handler(max_retries=0)
    async def buries(event):
        raise ValueError

    secret = {"ssn": SECRET}
    async with client:
        await client.publish("one", secret)
        client.publish_nowait("later", secret)
        await client.publish_batch([("many", secret), Event("mine", secret)])
        async with client.transaction() as tx:
            await tx.publish("together", secret)
        stream = client.event_stream("s")
        await stream.append("appended", secret)
        assert [event.payload for event in await stream.read()] == [secret]
        assert (await client.request("ask", secret)).payload == secret
        with pytest.raises(RequestError, match=SECRET) as caught:
            await client.request("fail", secret)
        assert caught.value.details["message"] == f"not {SECRET}"
        await client.publish("bad", secret)
        router = client.transport._router
        await until(lambda: len(got) == 9 and router.dead)
        (letter,) = router.dead.values()
        held = [one.event for one in router._log] + router.streams["s"]
        held += [letter.event]

    assert got == [secret] * 9
    assert len(held) == 11
    assert all(set(event.payload) == {"ciphertext"} for event in held)
    assert SECRET not in "".join(event.to_json() for event in held)


@awaited
async def test_a_dead_letter_can_be_read_when_it_is_tried_again():
    client, got, fail = encrypted(address()), [], True

    @client.on("x")
    @client.error_handler(max_retries=0)
    async def handle(event):
        if fail:
            raise ValueError
        got.append(event.payload)

    async with client:
        await client.publish("x", SECRET)
        await client.event_stream("s").append("x", SECRET)
        await until(lambda: len(client.transport._router.dead) == 2)
        fail = False
        await client.transport.retry([*client.transport._router.dead])
        await until(lambda: got == [SECRET, SECRET])


@awaited
async def test_what_is_handled_can_be_published_again():
    client, got = encrypted(address()), []

    @client.on("x")
    async def pass_on(event):
        await client.publish(event.copy(type="y", id=None))

    client.on("y")(lambda event: got.append(event.payload))
    async with client:
        await client.publish("x", SECRET)
        await until(lambda: got == [SECRET])


@awaited
async def test_without_the_key_it_is_told_and_the_next_event_is_handled():
    url = address()
    other = EventRouterClient(url=url, encryption={"key": b"o" * 32})
    got, told = [], []
    other.on("x")(lambda event: got.append(event.payload))
    other.on_error(lambda error, event: told.append(type(error)))
    async with encrypted(url) as client, other:
        await client.publish("x", SECRET)
        await EventRouterClient(url=url).publish("x", "in the open")
        await until(lambda: got and told)

    assert (got, told) == (["in the open"], [DecryptionError])


@awaited
async def test_a_filter_that_the_router_could_not_look_at_is_refused():
    client, got = encrypted(address()), []
    for path in ("payload.amount", "data.amount", "payload"):
        with pytest.raises(SubscriptionError, match="local_filter"):
            client.on("x", filter={path: {"$gt": 1}})(print)
    with pytest.raises(SubscriptionError, match="local_filter"):
        client.on("x", filter={"$or": [{"a": 1}, {"$not": {"payload.b": 2}}]})(print)

    client.on("x", filter={"priority": 5}, local_filter={"payload.amount": {"$gt": 1}})(
        lambda event: got.append(event.payload["amount"])
    )
    async with client:
        for amount in (1, 2):
            await client.publish("x", {"amount": amount})
        await until(lambda: got)
    assert got == [2]
