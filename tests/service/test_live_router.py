"""The router channel: subscribe, publish, ask, and be told what was wrong."""

from __future__ import annotations

import pytest

from eventyard.core import moments, ulid
from tests.steps import greeted, listed, publish, say


def subscribe(platform, connection_id="c1", **wish):
    (answer,) = say(
        platform, connection_id, {"type": "subscribe", "subscription": wish}
    )
    return answer


def delivered(gateway, connection_id="c1"):
    return [f for f in gateway.frames(connection_id) if f["type"] == "event"]


def types(gateway, connection_id="c1"):
    return [frame["event"]["type"] for frame in delivered(gateway, connection_id)]


@pytest.fixture
def router(pump):
    """A router connection that was welcomed; returns the welcome."""
    (welcome,) = greeted(pump, channel="router", client_id="worker")
    return welcome


def test_a_router_is_welcomed(router):
    assert router.keys() == {"type", "client_id", "server_time", "cursor"}
    assert (router["type"], router["client_id"]) == ("welcome", "worker")
    assert ulid.is_ulid(router["cursor"])
    moments.read(router["server_time"])


def test_a_router_is_sent_nothing_until_it_subscribes(platform, pump, gateway, router):
    publish(platform, {"type": "agent.started"})
    pump.run()

    assert delivered(gateway) == []


def test_a_subscription_brings_the_events_of_its_topics(
    platform, pump, gateway, router
):
    answer = subscribe(platform, topics=["user.*", "order.paid"])

    (told, _, _) = publish(
        platform, {"type": "user.created"}, {"type": "order.paid"}, {"type": "other"}
    )
    pump.run()

    assert answer["type"] == "subscribed"
    assert answer["topics"] == ["user.*", "order.paid"]
    assert ulid.is_ulid(answer["cursor"])
    first = next(f for f in delivered(gateway) if f["event"]["type"] == "user.created")
    assert first == {
        "type": "event",
        "subscription_id": answer["subscription_id"],
        "cursor": told.event_id.removeprefix("evt_"),
        "event": platform.events.get(told.event_id).to_dict(),
    }
    assert sorted(types(gateway)) == ["order.paid", "user.created"]


def test_each_matching_subscription_is_named(platform, pump, gateway, router):
    names = {
        subscribe(platform, topics=["a"])["subscription_id"],
        subscribe(platform, topics=["*"])["subscription_id"],
    }

    publish(platform, {"type": "a"})
    pump.run()

    assert {frame["subscription_id"] for frame in delivered(gateway)} == names


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, ["a.high", "a.low", "b.high"]),
        ({"topics": "a.*"}, ["a.high", "a.low"]),
        ({"types": ["a.low", "b.high"]}, ["a.low", "b.high"]),
        ({"topics": ["a.*"], "types": ["a.low", "b.high"]}, ["a.low"]),
        ({"sources": ["shop"]}, ["a.low", "b.high"]),
        ({"sources": ["shop", "bank"]}, ["a.high", "a.low", "b.high"]),
        ({"sources": []}, ["a.high", "a.low", "b.high"]),
        ({"priorities": [9, 7]}, ["a.high", "b.high"]),
        ({"priorities": [9]}, ["b.high"]),
        ({"filter": {"payload.n": {"$gt": 1}}}, ["a.low", "b.high"]),
        ({"filter": {"payload.n": 1}}, ["a.high"]),
        ({"filter": {"payload.gone": {"$exists": False}}, "sources": ["bank"]}, None),
        (
            {"topics": ["a.*"], "filter": {"payload.n": {"$gt": 1}}, "priorities": [1]},
            ["a.low"],
        ),
    ],
)
def test_whatever_a_subscription_says_must_hold(
    platform, pump, gateway, router, wish, expected
):
    subscribe(platform, **wish)

    publish(
        platform,
        {"type": "a.high", "priority": 7, "source": "bank", "payload": {"n": 1}},
        {"type": "a.low", "priority": 2, "source": "shop", "payload": {"n": 2}},
        {"type": "b.high", "priority": 10, "source": "shop", "payload": {"n": 3}},
    )
    pump.run()

    assert sorted(types(gateway)) == (["a.high"] if expected is None else expected)


def test_an_addressed_event_reaches_its_addressee_alone(
    platform, pump, gateway, router
):
    greeted(pump, "c2", channel="router", client_id="other")
    subscribe(platform, "c1", topics=["*"])
    subscribe(platform, "c2", topics=["*"])

    publish(
        platform,
        {"type": "for.worker", "target": "worker"},
        {"type": "for.all"},
        {"type": "for.nobody", "target": "nobody"},
    )
    pump.run()

    assert sorted(types(gateway, "c1")) == ["for.all", "for.worker"]
    assert types(gateway, "c2") == ["for.all"]


def test_after_unsubscribing_nothing_comes(platform, pump, gateway, router):
    name = subscribe(platform, topics=["*"])["subscription_id"]

    answers = say(platform, "c1", {"type": "unsubscribe", "subscription_id": name})
    publish(platform, {"type": "a"})
    pump.run()

    assert answers == [{"type": "unsubscribed", "subscription_id": name}]
    assert delivered(gateway) == []


def test_a_published_event_is_acknowledged_and_delivered(
    platform, pump, gateway, router
):
    subscribe(platform, topics=["*"])

    (answer,) = say(
        platform, "c1", {"type": "publish", "event": {"type": "a", "payload": {"n": 1}}}
    )
    pump.run()

    (frame,) = delivered(gateway)
    assert answer["type"] == "published"
    assert answer["status"] == "queued"
    assert frame["event"]["id"] == answer["event_id"]
    assert frame["event"]["payload"] == {"n": 1}


def test_publishing_without_a_source_is_publishing_as_oneself(platform, router):
    say(platform, "c1", {"type": "publish", "event": {"type": "a"}})
    say(platform, "c1", {"type": "publish", "event": {"type": "a", "source": "x"}})

    assert [event.source for event in listed(platform)] == ["x", "worker"]


def test_a_topic_stands_for_a_type(platform, router):
    say(platform, "c1", {"type": "publish", "event": {"topic": "a.b"}})
    say(platform, "c1", {"type": "publish", "event": {"type": "c", "topic": "ignored"}})

    assert [event.type for event in listed(platform)] == ["c", "a.b"]


def test_several_events_are_published_as_one_commit(platform, router):
    (answer,) = say(
        platform, "c1", {"type": "publish", "events": [{"type": "a"}, {"type": "b"}]}
    )

    assert answer["type"] == "published"
    told = [one["event_id"] for one in answer["events"]]
    assert [one["status"] for one in answer["events"]] == ["queued", "queued"]
    commit = platform.log.get(told[0].removeprefix("evt_"))
    assert [event.id for event in commit.events] == told


def test_one_bad_event_refuses_all_of_them(platform, router):
    (answer,) = say(
        platform,
        "c1",
        {"type": "publish", "events": [{"type": "a"}, {"type": "b", "priority": 0}]},
    )

    assert answer["type"] == "error"
    assert answer["details"] == {"index": 1, "field": "priority"}
    assert listed(platform) == []


def test_health_can_be_asked_for(platform, router):
    (answer,) = say(platform, "c1", {"type": "get_health"})

    assert answer == {"type": "health", "health": platform.health()}
    assert answer["health"]["status"] == "healthy"


def test_a_router_is_ponged_too(platform, router):
    (pong,) = say(platform, "c1", {"type": "ping", "echo": 1})

    assert (pong["type"], pong["echo"]) == ("pong", 1)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "dance"}, "Unknown message type: dance"),
        ({"type": None}, "Unknown message type: None"),
        ({"type": ["publish"]}, "Unknown message type: ['publish']"),
        ({}, "Unknown message type: None"),
        ([1], "Unknown message type: None"),
        ("{", "Invalid JSON: "),
        ('{"n":NaN}', "Invalid JSON: "),
        (
            {"type": "unsubscribe", "subscription_id": "sub_x"},
            "Subscription not found",
        ),
        ({"type": "unsubscribe"}, "Subscription not found"),
        ({"type": "unsubscribe", "subscription_id": {}}, "Subscription not found"),
        ({"type": "subscribe"}, "subscription must be an object"),
        ({"type": "subscribe", "subscription": {"topics": ["a*"]}}, "wildcard"),
        ({"type": "subscribe", "subscription": {"topics": 5}}, "list of texts"),
        ({"type": "subscribe", "subscription": {"types": [5]}}, "list of texts"),
        ({"type": "subscribe", "subscription": {"priorities": ["9"]}}, "numbers"),
        ({"type": "subscribe", "subscription": {"filter": []}}, None),
        ({"type": "subscribe", "subscription": {"filter": "x"}}, "object"),
        (
            {"type": "subscribe", "subscription": {"filter": {"a": {"$like": 1}}}},
            "unknown operator '$like'",
        ),
        ({"type": "subscribe", "subscription": {}, "cursor": "x"}, "cursor"),
        ({"type": "subscribe", "subscription": {}, "cursor": 5}, "cursor"),
        ({"type": "publish"}, "event must be an object"),
        ({"type": "publish", "event": {"payload": 1}}, "type is required"),
        ({"type": "publish", "events": {}}, "events must be a list"),
        ({"type": "publish", "events": []}, "1 to 100 events"),
        ({"type": "publish", "events": [1]}, "event must be an object"),
    ],
)
def test_what_was_wrong_is_said(platform, router, message, error):
    (answer,) = say(platform, "c1", message)

    if error is None:
        assert answer["type"] == "subscribed"
    else:
        assert answer["type"] == "error"
        assert error in answer["error"]
        moments.read(answer["timestamp"])
        assert listed(platform) == []


def test_a_foreign_subscription_cannot_be_ended(platform, pump, router):
    greeted(pump, "c2", channel="router")
    name = subscribe(platform, "c2", topics=["*"])["subscription_id"]

    (answer,) = say(platform, "c1", {"type": "unsubscribe", "subscription_id": name})

    assert answer["error"] == "Subscription not owned by client"
    assert len(platform.connections.get("c2").subscriptions) == 1


@pytest.mark.parametrize("ref", ["r-1", 7])
def test_a_reference_comes_back_with_the_answer(platform, router, ref):
    asked = [
        {"type": "publish", "event": {"type": "a"}},
        {"type": "subscribe", "subscription": {}},
        {"type": "get_health"},
        {"type": "dance"},
        {"type": "publish", "event": {}},
    ]

    answers = [say(platform, "c1", {**one, "ref": ref})[0] for one in asked]

    assert [answer["ref"] for answer in answers] == [ref] * 5


def test_a_connection_has_a_hundred_subscriptions_at_most(platform, router):
    from dataclasses import replace

    from chalicelib.live.subscriptions import Subscription

    row = platform.connections.get("c1")
    full = tuple(Subscription(f"s{n}", ("a",)) for n in range(100))
    platform.connections.save(replace(row, subscriptions=full))

    answer = subscribe(platform, topics=["a"])

    assert answer["type"] == "error"
    assert "100 subscriptions" in answer["error"]
    assert len(platform.connections.get("c1").subscriptions) == 100


def test_a_publish_with_a_key_again_is_answered_as_before(platform, pump, router):
    message = {"type": "publish", "events": [{"type": "a"}, {"type": "b"}], "key": "k"}
    (first,) = say(platform, "c1", message)
    greeted(pump, "c2", channel="router", client_id="worker")
    (again,) = say(platform, "c2", {**message, "ref": 1})

    assert [e["event_id"] for e in again["events"]] == [
        e["event_id"] for e in first["events"]
    ]
    assert [e["deduplicated"] for e in again["events"]] == [True, True]
    assert len(listed(platform)) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 257, 1, ["k"]])
def test_a_key_that_is_none_is_refused(platform, router, key):
    message = {"type": "publish", "events": [{"type": "a"}], "key": key}

    (answer,) = say(platform, "c1", message)

    assert (answer["type"], answer["code"]) == ("error", "invalid_request")
    assert listed(platform) == []
