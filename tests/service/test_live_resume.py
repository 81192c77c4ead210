"""Coming back with a cursor: what was missed, once, or the truth that it is too much."""

from __future__ import annotations

import pytest

from chalicelib.live import resume
from eventyard.core import ulid
from tests.steps import connect, greeted, ids, publish, say


def missed(pump, clock, *events):
    """Publish what nobody who listens now wants, and let a second pass."""
    told = publish(pump.platform, *events)
    pump.run()
    clock.tick(1)
    return told


def place(told):
    return told.event_id.removeprefix("evt_")


def subscribed(platform, cursor, **wish):
    """Subscribe a router with a cursor; returns the answer and what came after it."""
    answer, *frames = say(
        platform, "c1", {"type": "subscribe", "subscription": wish, "cursor": cursor}
    )
    return answer, [frame["event"]["type"] for frame in frames]


def test_a_dashboard_that_comes_back_is_sent_what_it_missed(
    platform, pump, gateway, clock
):
    cursor = greeted(pump, events="a.*")[0]["data"]["cursor"]
    platform.live.disconnect("c1")
    clock.tick(3_600)
    told = ids(missed(pump, clock, {"type": "a.1"}, {"type": "b"}, {"type": "a.2"}))
    pump.run()

    hello, *frames = greeted(pump, "c2", events="a.*", cursor=cursor)

    assert hello["data"]["recovered"] is True
    assert [frame["event_id"] for frame in frames] == [told[0], told[2]]
    assert gateway.frames("c1")[1:] == []


def test_what_was_missed_in_several_buckets_comes_oldest_first(platform, pump, clock):
    cursor = greeted(pump)[0]["data"]["cursor"]
    for number in range(5):
        clock.tick(700)
        missed(pump, clock, {"type": f"a.{number}"})

    _, *frames = greeted(pump, "c2", events="*", cursor=cursor)

    assert [frame["type"] for frame in frames] == [f"a.{n}" for n in range(5)]


def test_the_cursor_of_an_event_leaves_that_event_out(platform, pump, clock):
    seen, unseen = missed(pump, clock, {"type": "seen"}, {"type": "unseen"})

    _, *frames = greeted(pump, events="*", cursor=place(seen))

    assert [frame["event_id"] for frame in frames] == [unseen.event_id]


def routed_late(platform, pump, clock):
    """Write one event, then another that is routed first, as slow processes may."""
    (late,) = publish(platform, {"type": "written.by.a.slow.process"})
    held = pump.records()
    clock.tick(9)
    (seen,) = publish(platform, {"type": "seen"})
    pump.run()
    clock.tick(1)
    return late, seen, held


def test_what_is_routed_late_is_not_missed(platform, pump, clock):
    late, seen, held = routed_late(platform, pump, clock)
    pump.relay(held)
    pump.queue("routing")

    _, *frames = greeted(pump, events="*", cursor=place(seen))

    assert [frame["event_id"] for frame in frames] == [late.event_id]


def test_what_is_not_routed_yet_is_sent_at_once(platform, pump, clock):
    late, seen, _ = routed_late(platform, pump, clock)

    _, *frames = greeted(pump, events="*", cursor=place(seen))

    assert [frame["event_id"] for frame in frames] == [late.event_id]


def test_what_was_sent_before_the_cursor_does_not_come_again(platform, pump, clock):
    greeted(pump, events="*")
    for name in ("a", "b", "c"):
        (last,) = missed(pump, clock, {"type": name})
    platform.live.disconnect("c1")
    (unseen,) = missed(pump, clock, {"type": "d"})

    _, *frames = greeted(pump, "c2", events="*", cursor=place(last))

    assert [frame["event_id"] for frame in frames] == [unseen.event_id]


def test_what_somebody_did_not_take_at_once_comes_again(platform, pump, gateway, clock):
    """Who it was is not known any more: twice is better than never."""
    greeted(pump, events="*")
    gateway.failing.add("c1")
    (put_off,) = missed(pump, clock, {"type": "put.off"})
    gateway.failing.clear()
    (seen,) = missed(pump, clock, {"type": "seen"})
    platform.live.disconnect("c1")

    _, *frames = greeted(pump, "c2", events="*", cursor=place(seen))

    assert [frame["event_id"] for frame in frames] == [put_off.event_id]


def test_what_came_long_before_the_cursor_does_not_come_again(platform, pump, clock):
    missed(pump, clock, {"type": "old"})
    clock.tick(11)
    (seen,) = missed(pump, clock, {"type": "seen"})

    _, *frames = greeted(pump, events="*", cursor=place(seen))

    assert not frames


def test_without_a_cursor_nothing_is_said_of_recovery(pump):
    (hello,) = greeted(pump)

    assert "recovered" not in hello["data"]


def test_nothing_missed_is_recovered_too(pump):
    cursor = greeted(pump)[0]["data"]["cursor"]

    (hello,) = greeted(pump, "c2", cursor=cursor)

    assert hello["data"]["recovered"] is True


def test_a_cursor_older_than_a_day_is_not_resumed(platform, pump, clock):
    cursor = greeted(pump)[0]["data"]["cursor"]
    missed(pump, clock, {"type": "a"})
    clock.tick(24 * 3_600 + 1)

    (hello,) = greeted(pump, "c2", events="*", cursor=cursor)

    assert hello["data"]["recovered"] is False


def test_more_than_a_thousand_missed_events_are_not_resumed(platform, pump, clock):
    cursor = greeted(pump)[0]["data"]["cursor"]
    clock.tick(60)
    for _ in range(10):
        missed(pump, clock, *[{"type": "a"}] * 100)

    hello, *frames = greeted(pump, "c2", events="*", frames="batch", cursor=cursor)
    missed(pump, clock, {"type": "a"})
    (other,) = greeted(pump, "c3", events="*", cursor=cursor)[:1]

    assert hello["data"]["recovered"] is True
    assert len(frames) == resume.MOST_EVENTS == 1_000
    assert other["data"]["recovered"] is False


@pytest.mark.parametrize("ahead_ms", [1, 11_000, 90_000, 2**45])
def test_a_cursor_of_the_future_misses_nothing(platform, pump, clock, ahead_ms):
    missed(pump, clock, {"type": "a"})
    clock.tick(60)
    ahead = ulid.floor(platform.log.now_ms() + ahead_ms)

    hello, *frames = greeted(pump, events="*", cursor=ahead)

    assert hello["data"]["recovered"] is True
    assert not frames


def test_a_resumed_connection_is_sent_what_comes_next_as_well(
    platform, pump, gateway, clock
):
    cursor = greeted(pump)[0]["data"]["cursor"]
    missed(pump, clock, {"type": "missed"})
    pump.run()
    greeted(pump, "c2", events="*", cursor=cursor)

    missed(pump, clock, {"type": "next"})
    pump.run()

    types = [frame["type"] for frame in gateway.frames("c2")[1:]]
    assert types == ["missed", "next"]


def test_a_router_subscribes_from_a_cursor(platform, pump, clock):
    (welcome,) = greeted(pump, channel="router")
    clock.tick(60)
    missed(pump, clock, {"type": "a.1"}, {"type": "b"}, {"type": "a.2"})

    answer, frames = subscribed(platform, welcome["cursor"], topics=["a.*"])

    assert answer["type"] == "subscribed"
    assert answer["recovered"] is True
    assert frames == ["a.1", "a.2"]


def test_a_router_is_told_when_its_cursor_is_too_old(platform, pump, clock):
    (welcome,) = greeted(pump, channel="router")
    missed(pump, clock, {"type": "a"})
    clock.tick(25 * 3_600)

    answer, frames = subscribed(platform, welcome["cursor"], topics=["a"])

    assert answer["recovered"] is False
    assert not frames
    assert len(platform.connections.get("c1").subscriptions) == 1


def test_a_router_without_a_cursor_is_told_nothing_of_recovery(platform, pump):
    greeted(pump, channel="router")

    answer, frames = subscribed(platform, None, topics=["*"])

    assert "recovered" not in answer
    assert not frames


def test_what_is_replayed_is_for_its_addressee_alone(platform, pump, clock):
    (welcome,) = greeted(pump, channel="router", client_id="worker")
    clock.tick(1)
    missed(
        pump,
        clock,
        {"type": "mine", "target": "worker"},
        {"type": "not.mine", "target": "other"},
    )

    _, frames = subscribed(platform, welcome["cursor"], topics=["*"])

    assert frames == ["mine"]


def test_what_is_replayed_is_within_the_scopes(locked, http, pump, clock):
    from tests.steps import bearer

    cursor = ulid.floor(locked.log.now_ms())
    clock.tick(1)
    missed(pump, clock, {"type": "user.created"}, {"type": "order.paid"})

    secret = bearer(http, "events:subscribe:user.*")
    _, *frames = greeted(pump, events="*", cursor=cursor, token=secret)

    assert [frame["type"] for frame in frames] == ["user.created"]


def test_the_cursor_of_an_answer_closes_the_gap(platform, pump, clock):
    greeted(pump, channel="router")
    answer, _ = subscribed(platform, None, topics=["*"])
    platform.live.disconnect("c1")
    clock.tick(60)
    missed(pump, clock, {"type": "a"})

    connect(platform, "c1", channel="router")
    _, frames = subscribed(platform, answer["cursor"], topics=["*"])

    assert frames == ["a"]
