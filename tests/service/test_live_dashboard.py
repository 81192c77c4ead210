"""The dashboard channel: who is admitted, what they are sent, what they may say."""

from __future__ import annotations

import dataclasses
import json

import pytest

from chalicelib.live.subscriptions import DASHBOARD_EVENTS
from eventyard.core import moments, ulid
from tests.steps import connect, greeted, publish, say


def types(gateway, connection_id="c1"):
    return [frame["type"] for frame in gateway.frames(connection_id)[1:]]


def test_a_dashboard_is_greeted_with_a_cursor(pump):
    (hello,) = greeted(pump)

    assert hello.keys() == {"type", "data", "timestamp"}
    assert hello["type"] == "connection.established"
    assert hello["data"].keys() == {"client_id", "message", "cursor"}
    assert hello["data"]["client_id"] == "client_c1"
    assert ulid.is_ulid(hello["data"]["cursor"])
    assert hello["timestamp"].endswith("Z")
    moments.read(hello["timestamp"])


def test_nothing_is_sent_from_inside_of_the_connect_call(platform, gateway):
    connect(platform)

    assert gateway.posted == {}


def test_a_client_may_name_itself(pump):
    (hello,) = greeted(pump, client_id="wall screen 1")

    assert hello["data"]["client_id"] == "wall screen 1"


def test_a_dashboard_is_sent_the_usual_events_unless_it_asks(platform, pump, gateway):
    greeted(pump)

    publish(platform, *[{"type": t} for t in (*DASHBOARD_EVENTS, "user.created")])
    pump.run()

    assert len(DASHBOARD_EVENTS) == 13
    assert sorted(types(gateway)) == sorted(DASHBOARD_EVENTS)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ("*", ["order.paid", "user.created", "user.created.v2"]),
        ("user.*", ["user.created"]),
        ("user.**", ["user.created", "user.created.v2"]),
        ("order.paid, user.created", ["order.paid", "user.created"]),
        ("nobody.*", []),
    ],
)
def test_a_dashboard_is_sent_what_it_asks_for(
    platform, pump, gateway, events, expected
):
    greeted(pump, events=events)

    publish(
        platform,
        {"type": "user.created"},
        {"type": "user.created.v2"},
        {"type": "order.paid"},
    )
    pump.run()

    assert sorted(types(gateway)) == expected


def test_an_event_has_the_shape_that_dashboards_read(platform, pump, gateway):
    greeted(pump, events="*")

    (told,) = publish(
        platform,
        {
            "type": "task.completed",
            "payload": {"n": 1},
            "source": "agent",
            "priority": 8,
            "circle_id": "c",
            "project_id": "p",
            "source_agent_id": "a",
            "correlation_id": "x",
        },
    )
    pump.run()

    frame = gateway.frames("c1")[1]
    assert frame == {
        "type": "task.completed",
        "data": {"n": 1},
        "source_agent_id": "a",
        "circle_id": "c",
        "project_id": "p",
        "event_id": told.event_id,
        "timestamp": told.timestamp,
        "cursor": told.event_id.removeprefix("evt_"),
        "source": "agent",
        "priority": 8,
        "correlation_id": "x",
        "attributes": {"circle_id": "c", "project_id": "p", "source_agent_id": "a"},
    }


def test_what_was_not_said_reads_as_null(platform, pump, gateway):
    greeted(pump, events="*")

    publish(platform, {"type": "a"})
    pump.run()

    frame = gateway.frames("c1")[1]
    assert frame["circle_id"] is frame["project_id"] is frame["source_agent_id"] is None
    assert frame["data"] == {}


def test_a_dashboard_sees_events_for_somebody_else_too(platform, pump, gateway):
    greeted(pump, events="*")

    publish(platform, {"type": "a", "target": "somebody"})
    pump.run()

    assert types(gateway) == ["a"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"events": "user.c*"}, "wildcard"),
        ({"events": "a..b"}, "empty segment"),
        ({"events": ",".join(f"t.{n}" for n in range(101))}, "At most 100"),
        ({"channel": "nothing"}, "dashboard, router"),
        ({"client_id": "<script>"}, "client_id"),
        ({"client_id": "x" * 129}, "client_id"),
        ({"cursor": "abc"}, "cursor"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(platform, query, reason):
    answer = connect(platform, **query)

    assert answer["statusCode"] == 400
    assert reason in answer["body"]
    assert list(platform.connections.all()) == []


def test_a_ping_is_answered_with_the_time_and_what_came_with_it(platform, pump):
    greeted(pump)

    (pong,) = say(platform, "c1", {"type": "ping", "echo": {"n": 7}})

    assert (pong["type"], pong["echo"]) == ("pong", {"n": 7})
    moments.read(pong["timestamp"])


def test_a_ping_may_carry_its_time_instead_of_an_echo(platform, pump):
    greeted(pump)

    (pong,) = say(platform, "c1", {"type": "ping", "timestamp": 123})

    assert pong["echo"] == 123


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"types": "task.*"}, [1, 2, 3]),
        ({"circle_id": "3"}, [1, 2, 5]),
        ({"types": "task.*,memory.*", "circle_id": "3,4"}, [1, 2, 3, 5]),
        ({"types": "**", "project_id": "p-1"}, [1, 4]),
        ({"circle_id": "3", "project_id": "p-1"}, [1]),
        ({"circle_id": "33"}, []),
    ],
)
@pytest.mark.parametrize("said", [True, False])
def test_a_dashboard_is_sent_what_is_of_its_circle_and_project(
    platform, pump, gateway, query, expected, said
):
    """Whether it asks in its address or by a message."""
    greeted(pump, **({} if said else query))
    if said:
        (changed,) = say(platform, "c1", {"type": "filter", **lists(query)})
        assert (changed["type"], changed["data"]) == ("filter.changed", lists(query))
        gateway.posted["c1"].pop()

    publish(
        platform,
        {"type": "task.created", "payload": 1, "circle_id": 3, "project_id": "p-1"},
        {"type": "task.failed", "payload": 2, "circle_id": "3"},
        {"type": "task.created", "payload": 3, "circle_id": 4},
        {"type": "agent.started", "payload": 4, "project_id": "p-1"},
        {"type": "memory.shared", "payload": 5, "circle_id": 3},
    )
    pump.run()

    assert sorted(frame["data"] for frame in gateway.frames("c1")[1:]) == expected


def lists(query):
    return {name: text.split(",") for name, text in query.items()}


@pytest.mark.parametrize(
    "wish",
    [{"types": "a..b"}, {"types": [1]}, {"circle_id": {}}, {"kind": "a"}],
)
def test_a_filter_that_makes_no_sense_changes_nothing(platform, pump, gateway, wish):
    greeted(pump, types="a")

    (error,) = say(platform, "c1", {"type": "filter", **wish})

    assert error["type"] == "error"
    (subscription,) = platform.connections.get("c1").subscriptions
    assert subscription.topics == ("a",)


def test_no_filter_shows_what_scopes_do_not_allow(platform, pump, gateway):
    greeted(pump, types="**")
    platform.connections.save(
        dataclasses.replace(platform.connections.get("c1"), allowed=("task.*",))
    )
    say(platform, "c1", {"type": "filter", "types": ["**"], "circle_id": 3})
    gateway.posted["c1"].pop()

    publish(
        platform,
        {"type": "task.created", "circle_id": 3},
        {"type": "memory.shared", "circle_id": 3},
    )
    pump.run()

    assert types(gateway) == ["task.created"]


@pytest.mark.parametrize("text", ["{", "", "NaN", '"\\ud800"', "[" * 70 + "]" * 70])
def test_what_is_no_json_closes_a_dashboard(platform, pump, gateway, text):
    greeted(pump)

    assert say(platform, "c1", text) == []
    assert gateway.closed == ["c1"]
    assert platform.connections.get("c1") is None


@pytest.mark.parametrize("message", [{}, {"type": "subscribe"}, [], 7, None, "hi"])
def test_whatever_else_a_dashboard_says_is_ignored(platform, pump, gateway, message):
    greeted(pump)

    assert say(platform, "c1", json.dumps(message)) == []
    assert gateway.closed == []


def test_a_message_of_nobody_is_ignored(platform, gateway):
    assert say(platform, "nobody", {"type": "ping"}) == []
    assert gateway.posted == {}


def test_after_disconnecting_nothing_is_sent(platform, pump, gateway):
    greeted(pump, events="*")
    platform.live.disconnect("c1")
    platform.live.disconnect("c1")

    publish(platform, {"type": "a"})
    pump.run()

    assert types(gateway) == []


def test_a_greeting_for_one_who_left_is_dropped(platform, pump, gateway):
    connect(platform)
    platform.live.disconnect("c1")

    pump.run()

    assert gateway.posted == {}
    assert platform.queues.depth() == 0


def test_a_connection_at_its_limit_is_told_and_closed(platform, pump, gateway):
    platform.live.max_clients = 2
    greeted(pump, "c1", events="*")
    greeted(pump, "c2", events="*")

    (error,) = greeted(pump, "c3", events="*")

    assert (error["type"], error["error"]) == ("error", "max_clients_reached")
    assert error["limit"] == 2
    assert gateway.closed == ["c3"]
    publish(platform, {"type": "a"})
    pump.run()
    assert (types(gateway), types(gateway, "c2"), types(gateway, "c3")) == (
        ["a"],
        ["a"],
        [],
    )


def test_a_place_that_becomes_free_is_given_away(platform, pump):
    platform.live.max_clients = 1
    greeted(pump, "c1")
    platform.live.disconnect("c1")

    (hello,) = greeted(pump, "c2")

    assert hello["type"] == "connection.established"


def test_shared_frames_are_arrays_of_at_most_32_kilobytes(platform, pump, gateway):
    greeted(pump, events="*", frames="batch")

    sent = [{"type": "a", "payload": [n, "ü" * 1_000]} for n in range(60)]
    publish(platform, *sent)
    pump.run()

    texts = gateway.posted["c1"][1:]
    assert len(texts) < 10
    assert all(len(text.encode()) <= 32_000 for text in texts)
    assert all(isinstance(json.loads(text), list) for text in texts)
    numbers = [frame["data"][0] for frame in gateway.frames("c1")[1:]]
    assert numbers == list(range(60))


def test_without_asking_every_event_is_a_message_of_its_own(platform, pump, gateway):
    greeted(pump, events="*")

    publish(platform, {"type": "a"}, {"type": "a"})
    pump.run()

    assert [type(json.loads(text)) for text in gateway.posted["c1"]] == [dict] * 3


def test_a_payload_too_large_for_a_frame_is_pointed_at(platform, pump, gateway):
    greeted(pump, events="*")

    (told,) = publish(platform, {"type": "a", "payload": "x" * 150_000})
    pump.run()

    frame = gateway.frames("c1")[1]
    assert frame["data"] is None
    assert frame["dataref"] == f"api/v1/events/{told.event_id}"


def test_a_greeting_that_the_gateway_did_not_take_comes_again(platform, pump, gateway):
    gateway.failing.add("c1")
    connect(platform, events="*")

    pump.queue("live")

    live = next(q for q in platform.queues.all() if q["name"] == "live")
    assert (live["name"], live["delayed"], live["in_flight"]) == ("live", 1, 0)
    assert platform.connections.get("c1") is not None


def test_an_event_that_has_expired_is_logged_but_not_sent(platform, pump, gateway):
    greeted(pump, events="*")

    old, fresh = publish(
        platform,
        {"type": "old", "expires_at": "2020-01-01T00:00:00Z"},
        {"type": "fresh", "ttl": 60},
    )
    pump.run()

    assert [f["event_id"] for f in gateway.frames("c1")[1:]] == [fresh.event_id]
    assert platform.events.get(old.event_id).type == "old"
