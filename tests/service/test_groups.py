"""Ordered groups: in order within, and a failing one blocks only itself."""

from __future__ import annotations

import random
import time

from chalicelib.auth import ANYBODY
from tests.steps import counters, due, ids, publish, row_of, subscribe


def event(n, group="g", **more):
    time.sleep(0.002)  # within a millisecond no order is promised
    return {"type": "a.b", "payload": {"n": n}, "group": group, **more}


def numbers(receiver, group="g"):
    bodies = [one.event for one in receiver.received]
    return [body["data"]["n"] for body in bodies if body["group"] == group]


def test_a_group_arrives_in_the_order_of_the_log_whatever_order_messages_take(
    platform, pump, receiver
):
    subscribe(platform, receiver.url)
    for n in range(12):
        publish(platform, event(n))
    pump.relay()
    records = []
    while more := pump.messages("routing"):
        records += more
    random.Random(7).shuffle(records)
    for record in records:
        pump.handle("routing", [record])
    pump.run()

    assert numbers(receiver) == list(range(12))


def test_a_failing_event_holds_up_its_group_alone(platform, pump, receiver, clock):
    def fail_one(_, request):
        bad = request.event["data"]["n"] == 1 and request.event["group"] == "g"
        return (500 if bad else 200), {}

    receiver.reaction = fail_one
    made = subscribe(platform, receiver.url, retry={"schedule_s": [2000], "jitter": 0})
    told = []
    for n in range(4):
        clock.now += 0.01  # within a millisecond no order is promised
        told += ids(publish(platform, event(n)))
    publish(platform, event(0, "other"), event(1, "other"))
    publish(platform, {"type": "a.b", "payload": {"n": 9}, "group": "third"})
    pump.run()

    assert numbers(receiver) == [0, 1]
    assert numbers(receiver, "other") == [0, 1]
    assert numbers(receiver, "third") == [9]
    assert row_of(platform, told[1], made).status == "retrying"
    assert row_of(platform, told[2], made) is None

    receiver.reaction = lambda *_: (200, {})
    clock.now += 2001
    due(platform, pump)
    assert numbers(receiver) == [0, 1, 1, 2, 3]
    assert counters(platform, made)["waiting"] == 0


def test_an_exhausted_event_is_a_dead_letter_and_lets_the_next_ones_pass(
    platform, pump, receiver
):
    receiver.reaction = lambda _, r: (500 if r.event["data"]["n"] == 0 else 200, {})
    made = subscribe(platform, receiver.url, retry={"schedule_s": [0]})
    told = [ids(publish(platform, event(n)))[0] for n in range(3)]
    pump.run()

    assert numbers(receiver) == [0, 0, 1, 2]
    assert row_of(platform, told[0], made).status == "dead"


def test_new_events_do_not_shorten_the_wait_of_a_failing_group(
    platform, pump, receiver, clock
):
    receiver.reaction = lambda *_: (500, {})
    subscribe(platform, receiver.url, retry={"schedule_s": [2000], "jitter": 0})
    for n in range(5):
        clock.now += 0.01
        publish(platform, event(n))
        pump.run()

    assert numbers(receiver) == [0]


def test_a_group_that_somebody_works_on_is_left_to_them_and_nothing_is_forgotten(
    platform, pump, receiver
):
    made = subscribe(platform, receiver.url)
    publish(platform, event(0))
    pump.relay()
    pump.queue("routing")
    (first,) = pump.messages("deliveries")

    def meanwhile(number, _):
        if number == 1:
            # While the first is being delivered, the second comes to another function.
            publish(platform, event(1))
            pump.relay()
            pump.queue("routing")
            pump.queue("deliveries")
        return 200, {}

    receiver.reaction = meanwhile
    platform.subscribed.work.handle({"Records": [first]})

    assert numbers(receiver) == [0, 1]
    assert counters(platform, made)["waiting"] == 0


def test_a_function_that_died_with_a_group_leaves_it_to_the_next(
    platform, pump, receiver, clock
):
    made = subscribe(platform, receiver.url)
    table = platform.table
    table.lease(f"ordered#{made.id}", "g", "dead", clock.now, clock.now + 60)
    publish(platform, event(0))
    pump.run()
    assert receiver.received == []

    clock.now += 61
    publish(platform, event(1))
    pump.run()
    assert numbers(receiver) == [0, 1]


def test_a_group_waits_out_a_pause_in_order(platform, pump, receiver):
    made = subscribe(platform, receiver.url)
    publish(platform, event(0))
    pump.run()
    platform.subscribed.service.pause(made.id, "x", ANYBODY)
    for n in (1, 2):
        publish(platform, event(n))
    pump.run()
    platform.subscribed.service.resume(made.id, "last_processed", ANYBODY)
    publish(platform, event(3))
    pump.run()

    assert numbers(receiver) == [0, 1, 2, 3]


def test_a_group_that_is_resumed_from_the_latest_begins_there(
    platform, pump, receiver, clock
):
    made = subscribe(platform, receiver.url)
    platform.subscribed.service.pause(made.id, "x", ANYBODY)
    publish(platform, event(0))
    pump.run()
    clock.now += 1
    platform.subscribed.service.resume(made.id, "latest", ANYBODY)
    publish(platform, event(1))
    pump.run()

    assert numbers(receiver) == [1]


def test_only_what_the_filter_wants_of_a_group_arrives(platform, pump, receiver):
    subscribe(platform, receiver.url, filter={"payload.n": {"$ne": 1}})
    for n in range(3):
        publish(platform, event(n))
    pump.run()

    assert numbers(receiver) == [0, 2]
