from __future__ import annotations

import json

from chalicelib.events.log import Commit
from chalicelib.events.messages import (
    MESSAGE_LIMIT,
    bodies_of,
    calls_of,
    messages_of,
)
from chalicelib.wire import Placed, decode_batch, encode
from eventyard.core import ulid
from eventyard.core.event import Event

KEY = ulid.new_ulid(1_700_000_000_000, bytes(10))


def commit(*events):
    return Commit(KEY, events)


def numbers(message):
    return [placed.event.payload for placed in decode_batch(message.body)]


def test_events_alike_are_one_message():
    messages = list(messages_of(commit(*[Event("a", n) for n in range(3)])))

    assert [numbers(message) for message in messages] == [[0, 1, 2]]


def test_whatever_a_filter_policy_can_ask_for_divides():
    messages = messages_of(
        commit(
            Event("a", 0),
            Event("b", 1),
            Event("a", 2, source="s"),
            Event("a", 3, priority=9),
            Event("a", 4),
            Event("a", 5, target="t", tags=["x"]),
        )
    )

    assert sorted(numbers(message) for message in messages) == [
        [0, 4, 5],
        [1],
        [2],
        [3],
    ]


def test_a_message_is_named_by_the_place_of_its_first_event():
    messages = {
        message.name: numbers(message)
        for message in messages_of(commit(Event("b", 0), Event("a", 1), Event("b", 2)))
    }

    assert messages == {KEY: [0, 2], ulid.add(KEY, 1): [1]}


def test_the_same_commit_makes_the_same_messages_every_time():
    events = [Event(f"t.{n % 3}", n, priority=n % 2 + 1) for n in range(20)]

    assert list(messages_of(commit(*events))) == list(messages_of(commit(*events)))


def test_attributes_say_what_the_events_share():
    (message,) = messages_of(commit(Event("a.b", source="s", priority=7)))

    assert message.attributes == {
        "type": {"DataType": "String", "StringValue": "a.b"},
        "source": {"DataType": "String", "StringValue": "s"},
        "priority": {"DataType": "Number", "StringValue": "7"},
    }


def test_no_source_is_no_attribute():
    for source in (None, ""):
        (message,) = messages_of(commit(Event("a", source=source)))
        assert "source" not in message.attributes


def test_what_does_not_fit_one_message_is_split_in_order():
    events = [Event("a", [n, "x" * 50_000]) for n in range(12)]

    messages = list(messages_of(commit(*events)))

    assert len(messages) == 3
    assert all(len(message.body.encode()) <= MESSAGE_LIMIT + 2 for message in messages)
    assert [n for message in messages for n, _ in numbers(message)] == list(range(12))


def test_a_body_is_measured_in_bytes():
    placed = [Placed(ulid.add(KEY, n), Event("a", "ü" * 50_000)) for n in range(4)]

    bodies = [body for _, body in bodies_of(placed)]

    assert [len(decode_batch(body)) for body in bodies] == [2, 2]


def test_a_call_has_ten_messages_at_most():
    messages = list(messages_of(commit(*[Event(f"t.{n}") for n in range(25)])))

    assert [len(call) for call in calls_of(messages)] == [10, 10, 5]


def test_a_call_stays_within_what_sns_takes():
    events = [Event(f"t.{n}", "x" * 70_000) for n in range(7)]
    messages = list(messages_of(commit(*events)))

    calls = list(calls_of(messages))

    assert [len(call) for call in calls] == [3, 3, 1]
    for call in calls:
        weight = sum(
            len(message.body.encode()) + len(json.dumps(message.attributes))
            for message in call
        )
        assert weight <= 262_144


def test_no_messages_are_no_calls():
    assert list(calls_of([])) == []
    assert list(messages_of(commit())) == []


def test_an_event_travels_with_its_place_and_whole():
    event = Event(
        "a.b",
        {"n": [1, None, "\uffff"]},
        id="mine",
        source="",
        target="t",
        priority=9,
        ttl=5,
        version=3,
        headers={"h": "1"},
        tags=["x"],
        dataref="s3://b/k",
        circle_id={"odd": 1},
        region="eu",
    )

    (back,) = decode_batch("[" + encode(Placed(KEY, event)) + "]")

    assert back == Placed(KEY, event)
