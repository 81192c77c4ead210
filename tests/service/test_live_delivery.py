"""Sending: retries, the gone, the failing, the many, and what is counted."""

from __future__ import annotations

import json

import pytest

from chalicelib.live.gateway import GatewayError
from tests.steps import connect, greeted, publish, without_delay


def types(gateway, connection_id="c1"):
    return [frame["type"] for frame in gateway.frames(connection_id)[1:]]


def deliver(platform, pump, *types):
    """Publish and route, but leave what was put off in the live queue."""
    publish(platform, *[{"type": one} for one in types])
    pump.relay()
    while pump.queue("routing"):
        pass


def rows(platform):
    return sorted(row.id for row in platform.connections.all())


def test_a_connection_that_is_gone_is_removed(platform, pump, gateway, clock):
    greeted(pump, events="*")
    greeted(pump, "c2", events="*")
    clock.tick(11)
    gateway.gone.add("c1")

    deliver(platform, pump, "a")

    assert rows(platform) == ["c2"]
    assert types(gateway, "c2") == ["a"]
    assert platform.queues.depth() == 0


def test_a_connection_gone_within_ten_seconds_is_tried_again(
    platform, pump, gateway, clock
):
    delays = without_delay(platform)
    greeted(pump, events="*")
    clock.tick(9)
    gateway.gone.add("c1")
    deliver(platform, pump, "a", "a")
    assert rows(platform) == ["c1"]

    gateway.gone.clear()
    pump.queue("live")

    assert types(gateway) == ["a", "a"]
    assert delays[1:] == [1]


def test_a_greeting_waits_for_a_connection_that_is_not_registered_yet(
    platform, pump, gateway
):
    delays = without_delay(platform)
    gateway.gone.add("c1")
    connect(platform)
    pump.queue("live")
    pump.queue("live")
    assert gateway.posted == {}

    gateway.gone.clear()
    pump.queue("live")

    assert [frame["type"] for frame in gateway.frames("c1")] == [
        "connection.established"
    ]
    assert delays == [0, 1, 1]


def test_a_connection_that_never_registers_is_forgotten(platform, pump, gateway):
    delays = without_delay(platform)
    gateway.gone.add("c1")
    connect(platform)

    pump.run()

    assert rows(platform) == []
    assert delays == [0] + [1] * 10


def test_a_failing_connection_does_not_hold_up_the_others(platform, pump, gateway):
    for name in ("c1", "c2", "c3"):
        greeted(pump, name, events="*")
    gateway.failing.add("c2")

    deliver(platform, pump, "a")

    assert types(gateway, "c1") == types(gateway, "c3") == ["a"]
    assert rows(platform) == ["c1", "c2", "c3"]
    (put_off,) = [q for q in platform.queues.all() if q["name"] == "live"]
    # On a slow machine its second may be over already.
    assert put_off["delayed"] + put_off["waiting"] == 1


def test_what_a_failing_connection_did_not_take_comes_later_in_order(
    platform, pump, gateway
):
    delays = without_delay(platform)
    greeted(pump, events="*")
    gateway.failing.add("c1")
    deliver(platform, pump, "a", "a", "a")
    pump.queue("live")

    gateway.failing.clear()
    pump.queue("live")

    assert types(gateway) == ["a", "a", "a"]
    assert delays[1:] == [1, 2]


def test_only_what_was_not_taken_comes_again(platform, pump, gateway):
    without_delay(platform)
    greeted(pump, events="*")
    post, taken = gateway.post, []

    def fail_after_the_first(endpoint: str, connection_id: str, text: str) -> bool:
        taken.append(text)
        if len(taken) == 2:
            raise GatewayError("told to fail")
        return post(endpoint, connection_id, text)

    gateway.post = fail_after_the_first

    publish(platform, *[{"type": "a", "payload": n} for n in range(4)])
    pump.run()

    assert [frame["data"] for frame in gateway.frames("c1")[1:]] == [0, 1, 2, 3]


def test_after_its_attempts_a_failing_connection_is_closed_and_counted(
    platform, pump, gateway
):
    delays = without_delay(platform)
    greeted(pump, events="*")
    gateway.failing.add("c1")

    publish(platform, {"type": "a"}, {"type": "a"})
    pump.run()

    assert gateway.closed == ["c1"]
    assert rows(platform) == []
    assert platform.live.stats()["total_messages_failed"] == 2
    assert delays[1:] == [1, 2, 4, 8, 16]


def test_a_connection_that_cannot_even_be_closed_is_forgotten(platform, pump, gateway):
    without_delay(platform)
    greeted(pump, events="*")
    gateway.failing.add("c1")

    def broken(*_: object) -> None:
        raise GatewayError("told to fail")

    gateway.close = broken

    publish(platform, {"type": "a"})
    pump.run()

    assert rows(platform) == []


def test_what_is_put_off_for_one_who_left_is_dropped(platform, pump, gateway):
    without_delay(platform)
    greeted(pump, events="*")
    gateway.failing.add("c1")
    deliver(platform, pump, "a")
    platform.live.disconnect("c1")
    gateway.failing.clear()

    pump.run()

    assert types(gateway) == []
    assert platform.queues.depth() == 0


def test_a_put_off_connection_that_is_gone_is_removed(platform, pump, gateway, clock):
    without_delay(platform)
    greeted(pump, events="*")
    gateway.failing.add("c1")
    deliver(platform, pump, "a")
    clock.tick(11)
    gateway.failing.clear()
    gateway.gone.add("c1")

    pump.run()

    assert rows(platform) == []


def test_much_that_is_put_off_is_put_off_in_several_messages(platform, pump, gateway):
    without_delay(platform)
    greeted(pump, events="*")
    gateway.failing.add("c1")
    publish(platform, *[{"type": "a", "payload": '"' * 30_000} for _ in range(5)])
    pump.relay()
    pump.queue("routing")

    records = pump.messages("live")

    assert len(records) > 1
    assert all(len(record["body"].encode()) < 256_000 for record in records)
    gateway.failing.clear()
    pump.handle("live", records)
    assert types(gateway) == ["a"] * 5


def test_more_than_a_hundred_listeners_are_served_by_way_of_the_queue(
    platform, pump, gateway
):
    _admit(platform, pump, 205)

    deliver(platform, pump, "a", "b")
    assert len(gateway.posted) == 1
    works = [json.loads(record["body"]) for record in pump.messages("live")]

    platform.live.fan_out({"Records": _as_records(works)})
    assert sorted(len(work["to"]) for work in works) == [5, 5, 100, 100, 100, 100]
    served = [name for name in gateway.posted if name != "c0"]
    assert len(served) == 204
    assert all(
        [f["type"] for f in gateway.frames(name)] == ["a", "b"] for name in served
    )


def test_the_largest_event_reaches_many_listeners(platform, pump, gateway):
    _admit(platform, pump, 101)
    publish(platform, {"type": "a", "payload": '"\\' * 49_000, "note": '"' * 10_000})
    pump.relay()

    assert pump.queue("routing") == 1
    assert platform.queues.all()[1]["in_flight"] == 0
    works = [record["body"] for record in pump.messages("live")]

    assert len(works) == 2
    assert all(len(work.encode()) < 262_144 for work in works)


def _admit(platform, pump, number):
    from dataclasses import replace

    greeted(pump, "c0", events="*")
    row = platform.connections.get("c0")
    from chalicelib.live import store

    platform.table.put_many(
        store._to_item(replace(row, id=f"c{n}"), 2**31) for n in range(1, number)
    )
    platform.connections._changed()


def _as_records(works):
    return [
        {"messageId": str(n), "receiptHandle": "x", "body": json.dumps(work)}
        for n, work in enumerate(works)
    ]


def test_work_that_is_none_fails_alone(platform, pump, gateway):
    connect(platform)
    (greeting,) = pump.messages("live")
    bad = _as_records([{"kind": "dance"}, {}, {"kind": "greet"}])

    answer = platform.live.fan_out({"Records": [bad[0], greeting, *bad[1:]]})

    failed = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
    assert failed == ["0", "1", "2"]
    assert len(gateway.frames("c1")) == 1


def test_the_sweep_removes_the_gone_and_no_others(platform, pump, gateway, clock):
    for name in ("here", "gone", "unknown"):
        greeted(pump, name)
    clock.tick(61)
    greeted(pump, "new")
    gateway.gone |= {"gone", "new"}
    gateway.failing.add("unknown")

    assert platform.live.sweep() == 1
    assert rows(platform) == ["here", "new", "unknown"]


def test_what_was_sent_is_counted(platform, pump, gateway, clock):
    greeted(pump, events="*", client_id="first")
    greeted(pump, "c2", events="*", frames="batch", client_id="second")
    greeted(pump, "c3", channel="router", client_id="third")

    publish(platform, {"type": "a"}, {"type": "a"})
    pump.run()

    stats = platform.live.stats()
    counts = {name: value for name, value in stats.items() if name != "clients"}
    assert counts == {
        "active_connections": 3,
        "total_messages_sent": 3,
        "total_messages_failed": 0,
        "total_broadcasts": 1,
        "active_subscriptions": 2,
    }
    first, _, third = sorted(stats["clients"], key=lambda one: one["client_id"])
    assert first.keys() == {"client_id", "channel", "connected_at", "subscriptions"}
    assert (first["channel"], first["subscriptions"]) == ("dashboard", 1)
    assert (third["channel"], third["subscriptions"]) == ("router", 0)
    assert first["connected_at"].endswith("Z")


def test_what_is_taken_later_is_counted_too(platform, pump, gateway):
    without_delay(platform)
    greeted(pump, events="*")
    gateway.failing.add("c1")
    deliver(platform, pump, "a")
    gateway.failing.clear()

    pump.run()

    assert platform.live.stats()["total_messages_sent"] == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_counters_outlive_the_process(platform, pump, wanted):
    from chalicelib.bootstrap import Platform

    greeted(pump, events="a" if wanted else "b")
    publish(platform, {"type": "a"})
    pump.run()

    another = Platform(platform.settings)

    assert another.live.stats()["total_messages_sent"] == int(wanted)
