"""Cut off at the worst moment: whatever was not sent yet is sent to who comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.live import service
from chalicelib.live.store import ConnectionStore
from tests.steps import connect, greeted, one_update_at_a_time, publish, say

SUBSCRIBE = {"type": "subscribe", "subscription": {"topics": ["*"]}}


def routed(pump, clock, *types):
    """Publish events, route them, and let a second pass; returns their ids."""
    told = publish(pump.platform, *({"type": name} for name in types))
    pump.relay()
    pump.queue("routing")
    clock.tick(1)
    return [one.event_id for one in told]


def missed_by(pump, clock, *types):
    """Publish events while a dashboard is away; returns its cursor, and their ids."""
    cursor = greeted(pump, events="*")[0]["data"]["cursor"]
    pump.platform.live.disconnect("c1")
    clock.tick(60)
    return cursor, routed(pump, clock, *types)


def highest(frames):
    """Return the cursor that a client keeps."""
    cursors = [frame.get("data") or {} for frame in frames[:1]] + frames
    return max(found["cursor"] for found in cursors if found.get("cursor"))


def shown(frames):
    return [frame["event_id"] for frame in frames if "event_id" in frame]


def test_cut_off_before_the_greeting_nothing_missed_is_forgotten(
    platform, pump, gateway, clock
):
    """A live frame may overtake the greeting that brings what was missed."""
    cursor, missed = missed_by(pump, clock, "a", "b")
    connect(platform, "c2", events="*", cursor=cursor)
    (live,) = routed(pump, clock, "c")
    frames = gateway.frames("c2")
    platform.live.disconnect("c2")
    pump.run()

    _, *again = greeted(pump, "c3", events="*", cursor=highest(frames))

    assert shown(frames) == [live]
    assert shown(again) == [*missed, live]


def test_cut_off_while_it_is_sent_what_was_missed_it_is_sent_the_rest(
    platform, pump, gateway, clock, monkeypatch
):
    cursor, missed = missed_by(pump, clock, "a", "b", "c")
    post, taken = gateway.post, []

    def two(endpoint, connection_id, text):
        taken.append(text)
        if len(taken) > 2:  # the greeting, and one event
            gateway.gone.add(connection_id)
        return post(endpoint, connection_id, text)

    monkeypatch.setattr(gateway, "post", two)
    frames = greeted(pump, "c2", events="*", cursor=cursor)
    monkeypatch.undo()

    _, *again = greeted(pump, "c3", events="*", cursor=highest(frames))

    assert [*shown(frames), *shown(again)] == missed
    assert platform.connections.get("c2") is None


def test_who_does_not_take_what_was_missed_is_closed_so_that_it_comes_back(
    platform, pump, gateway, clock
):
    cursor, missed = missed_by(pump, clock, "a")
    connect(platform, "c2", events="*", cursor=cursor)
    greet = platform.live._post_hello

    def then_fail(connection, hello):
        told = greet(connection, hello)
        gateway.failing.add("c2")
        return told

    platform.live._post_hello = then_fail
    pump.run()
    del platform.live._post_hello

    assert gateway.closed == ["c2"]
    _, *again = greeted(pump, "c3", events="*", cursor=highest(gateway.frames("c2")))
    assert shown(again) == missed


def test_once_all_was_sent_live_frames_tell_how_far_it_is(platform, pump, clock):
    cursor, _ = missed_by(pump, clock, "a")
    greeted(pump, "c2", events="*", cursor=cursor)

    (live,) = routed(pump, clock, "b")

    *_, last = platform.gateway.frames("c2")
    assert last["cursor"] == live.removeprefix("evt_")


def test_the_greeting_of_who_resumes_brings_the_cursor_it_came_with(pump, clock):
    cursor, _ = missed_by(pump, clock, "a")

    hello, *_ = greeted(pump, "c2", events="*", cursor=cursor)

    assert hello["data"]["cursor"] == cursor


def test_a_greeting_that_comes_twice_sends_what_was_missed_twice(
    platform, pump, gateway, clock
):
    cursor, missed = missed_by(pump, clock, "a")
    connect(platform, "c2", events="*", cursor=cursor)
    records = pump.messages("live")

    for _ in range(2):
        pump.handle("live", records)

    assert shown(gateway.frames("c2")) == missed * 2


def test_what_is_routed_long_after_the_cursor_was_left_behind_comes(
    platform, pump, clock
):
    """A function died with it; it comes again when nobody looks so far back."""
    greeted(pump, events="*")
    (late,) = publish(platform, {"type": "late"})
    held = pump.records()
    clock.tick(40)
    routed(pump, clock, "seen")
    frames = platform.gateway.frames("c1")
    platform.live.disconnect("c1")
    pump.relay(held)
    pump.queue("routing")
    clock.tick(5)

    _, *again = greeted(pump, "c2", events="*", cursor=highest(frames))

    assert shown(again) == [late.event_id]


def test_what_was_put_off_and_is_not_sent_by_the_end_comes(
    platform, pump, gateway, clock
):
    greeted(pump, events="*")
    gateway.failing.add("c1")
    (put_off,) = routed(pump, clock, "put.off")
    gateway.failing.clear()
    clock.tick(20)
    routed(pump, clock, "seen")
    frames = gateway.frames("c1")
    platform.live.disconnect("c1")

    _, *again = greeted(pump, "c2", events="*", cursor=highest(frames))

    assert shown(again) == [put_off]


def test_what_was_put_off_in_a_large_fan_out_comes_too(
    platform, pump, gateway, clock, monkeypatch
):
    monkeypatch.setattr(service, "DIRECT", 0)
    greeted(pump, events="*")
    gateway.failing.add("c1")
    (put_off,) = routed(pump, clock, "put.off")
    pump.queue("live")
    gateway.failing.clear()
    clock.tick(20)
    routed(pump, clock, "seen")
    pump.queue("live")
    frames = gateway.frames("c1")
    platform.live.disconnect("c1")

    _, *again = greeted(pump, "c2", events="*", cursor=highest(frames))

    assert put_off in shown(again)


def test_what_was_sent_late_and_long_ago_does_not_come_again(platform, pump, clock):
    greeted(pump, events="*")
    publish(platform, {"type": "late"})
    clock.tick(40)
    pump.run()
    clock.tick(20)
    routed(pump, clock, "seen")
    frames = platform.gateway.frames("c1")
    platform.live.disconnect("c1")

    _, *again = greeted(pump, "c2", events="*", cursor=highest(frames))

    assert not again


def test_a_cursor_read_from_the_log_promises_nothing_of_what_was_routed_before_it(
    platform, pump, gateway, clock
):
    """What is read from the log may be routed later than what appears after it."""
    cursor = greeted(pump, events="*")[0]["data"]["cursor"]
    platform.live.disconnect("c1")
    clock.tick(60)
    (hidden,) = publish(platform, {"type": "hidden"})
    key = hidden.event_id.removeprefix("evt_")
    item = platform.table.get(platform.log.partition(key), key)
    held = pump.records()
    platform.table.delete(item["pk"], item["sk"])
    clock.tick(1)
    (read,) = publish(platform, {"type": "read"})
    unrouted = pump.records()
    hello, *frames = greeted(pump, "c2", events="*", cursor=cursor)
    platform.table.put(item)
    clock.tick(1)
    gateway.posted["c2"].clear()
    for records in (held, unrouted):
        pump.relay(records)
        pump.queue("routing")
        clock.tick(1)
    platform.live.disconnect("c2")

    _, *again = greeted(pump, "c3", events="*", cursor=highest([hello, *frames]))

    assert shown(frames) == [read.event_id]
    assert hidden.event_id in shown(again)


def test_a_router_cut_off_while_it_resumes_begins_there_again(
    platform, pump, gateway, clock
):
    (welcome,) = greeted(pump, channel="router")
    clock.tick(60)
    (missed,) = routed(pump, clock, "a")
    catch_up = platform.live._catch_up
    platform.live._catch_up = lambda *_: None  # what it was to be sent gets lost
    say(platform, "c1", {**SUBSCRIBE, "cursor": welcome["cursor"]})
    platform.live._catch_up = catch_up
    (live,) = routed(pump, clock, "b")
    *_, frame = gateway.frames("c1")
    connect(platform, "c2", channel="router")

    _, *again = say(platform, "c2", {**SUBSCRIBE, "cursor": frame["cursor"]})

    assert frame["event"]["id"] == live
    assert [one["event"]["id"] for one in again] == [missed, live]


def test_a_router_that_resumed_is_told_how_far_it_is(platform, pump, gateway, clock):
    (welcome,) = greeted(pump, channel="router")
    clock.tick(60)
    routed(pump, clock, "a")
    answer, *_ = say(platform, "c1", {**SUBSCRIBE, "cursor": welcome["cursor"]})

    (live,) = routed(pump, clock, "b")

    assert answer["cursor"] == welcome["cursor"]
    assert gateway.frames("c1")[-1]["cursor"] == live.removeprefix("evt_")


def test_messages_answered_side_by_side_keep_every_subscription(platform, pump):
    greeted(pump, channel="router")
    one_update_at_a_time(platform)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: say(platform, "c1", SUBSCRIBE), range(4)))

    assert len(platform.connections.get("c1").subscriptions) == 4


def test_a_subscription_to_a_connection_that_left_does_not_bring_it_back(
    platform, pump, monkeypatch
):
    greeted(pump, channel="router")
    change = ConnectionStore.change

    def leave_first(*args):
        platform.live.disconnect("c1")
        return change(*args)

    monkeypatch.setattr(ConnectionStore, "change", leave_first)
    say(platform, "c1", SUBSCRIBE)

    assert platform.connections.get("c1") is None


@pytest.mark.parametrize("cursor", ["x", "~", "01J~1", "7" * 27, "0" * 26 + "~12"])
def test_a_cursor_that_nobody_brought_is_refused(platform, cursor):
    assert connect(platform, cursor=cursor)["statusCode"] == 400
