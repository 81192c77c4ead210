from __future__ import annotations

import pytest

from chalicelib.live.store import Audience, Connection
from chalicelib.live.subscriptions import (
    DASHBOARD_EVENTS,
    Subscription,
    dashboard_subscription,
    router_subscription,
)
from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.errors import SubscriptionError
from eventyard.core.event import Event

KEY = ulid.new_ulid()


def connection(name, *subscriptions, channel="router", **more):
    return Connection(
        **{
            "id": name,
            "channel": channel,
            "client_id": f"client_{name}",
            "endpoint": "https://x.test/api",
            "since": KEY,
            "connected_at": 0.0,
            "batch": False,
            "allowed": None,
            "may_publish": None,
            "subscriptions": subscriptions,
            **more,
        }
    )


def reached(*connections, event, only=None):
    plan = Audience.of(1, connections).plan([Placed(KEY, event)], only)
    return {name: [reason for _, reason in wanted] for name, wanted in plan.items()}


ALL = Subscription("all", ("*",))


@pytest.mark.parametrize("events", [None, "", " , "])
def test_a_dashboard_that_asks_for_nothing_gets_the_usual(events):
    assert dashboard_subscription({"events": events or ""}).topics == DASHBOARD_EVENTS


def test_a_dashboard_asks_with_commas_and_spaces():
    assert dashboard_subscription({"events": " a.* ,b "}).topics == ("a.*", "b")


def test_a_router_that_asks_for_nothing_gets_everything():
    assert router_subscription("s", {}) == Subscription("s", ("*",), {})


def test_types_are_topics_where_none_are_given():
    found = router_subscription("s", {"types": ["a", "b"]})

    assert found.topics == ("a", "b")


def test_one_condition_stands_alone_and_several_must_all_hold():
    one = router_subscription("s", {"filter": {"source": "x"}})
    several = router_subscription(
        "s", {"filter": {"source": "x"}, "sources": ["y"], "priorities": [9, 3]}
    )

    assert one.filter == {"source": "x"}
    assert several.filter == {
        "$and": [
            {"source": "x"},
            {"source": {"$in": ["y"]}},
            {"priority": {"$gte": 3}},
        ]
    }


@pytest.mark.parametrize(
    "wish",
    [
        None,
        [],
        "x",
        {"topics": 5},
        {"topics": [5]},
        {"topics": ["a*"]},
        {"topics": [""]},
        {"topics": [f"t.{n}" for n in range(101)]},
        {"types": {"a": 1}},
        {"sources": [None]},
        {"priorities": 9},
        {"priorities": [True]},
        {"priorities": [9.5]},
        {"filter": "x"},
        {"filter": {"a": {"$like": 1}}},
        {"filter": {"a": {"$regex": "(a+)+$"}}},
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(wish):
    with pytest.raises(SubscriptionError):
        router_subscription("s", wish)


def test_a_subscription_is_written_for_storage():
    found = router_subscription("s", {"topics": ["a"], "filter": {"n": 1}})

    assert found.to_dict() == {"id": "s", "topics": ["a"], "filter": {"n": 1}}


def test_a_connection_gains_replaces_and_loses_subscriptions():
    one = connection("c1", Subscription("x", ("a",)), Subscription("y", ("b",)))

    changed = one.with_subscription(Subscription("x", ("c",)))

    assert [s.id for s in changed.subscriptions] == ["y", "x"]
    assert changed.subscriptions[1].topics == ("c",)
    assert [s.id for s in changed.without_subscription("y").subscriptions] == ["x"]
    assert [s.id for s in one.subscriptions] == ["x", "y"]


def test_an_event_reaches_those_who_want_it_and_says_why():
    first = connection("c1", ALL, Subscription("users", ("user.*",)))
    second = connection("c2", Subscription("orders", ("order.*",)))

    assert reached(first, second, event=Event("user.created")) == {
        "c1": ["all", "users"]
    }


def test_a_plan_may_be_limited_to_some():
    rows = [connection(f"c{n}", ALL) for n in range(4)]

    found = reached(*rows, event=Event("a"), only={"c1", "c3", "gone"})

    assert set(found) == {"c1", "c3"}


def test_an_addressed_event_is_for_its_addressee_and_for_dashboards():
    rows = [
        connection("c1", ALL),
        connection("c2", ALL),
        connection("c3", ALL, channel="dashboard"),
    ]

    found = reached(*rows, event=Event("a", target="client_c2"))

    assert set(found) == {"c2", "c3"}


@pytest.mark.parametrize("channel", ["router", "dashboard"])
def test_nobody_sees_beyond_their_scopes(channel):
    rows = [
        connection("c1", ALL, channel=channel, allowed=("user.*", "order.paid")),
        connection("c2", ALL, channel=channel, allowed=()),
        connection("c3", ALL, channel=channel, allowed=None),
    ]

    assert set(reached(*rows, event=Event("user.created"))) == {"c1", "c3"}
    assert set(reached(*rows, event=Event("order.paid"))) == {"c1", "c3"}
    assert set(reached(*rows, event=Event("order.lost"))) == {"c3"}


def test_filters_see_attributes_and_the_payload():
    row = connection("c1", Subscription("s", ("*",), {"payload.n": 1, "circle": "x"}))

    assert reached(row, event=Event("a", {"n": 1}, circle="x")) == {"c1": ["s"]}
    assert reached(row, event=Event("a", {"n": 2}, circle="x")) == {}
    assert reached(row, event=Event("a", {"n": 1})) == {}
