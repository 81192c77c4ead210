"""The routing queue: each message once in effect, poison aside."""

from __future__ import annotations

import pytest

from tests.steps import greeted, ids, publish


def queued(platform, pump, *events):
    """Publish events and take their messages off the routing queue."""
    publish(platform, *events)
    pump.relay()
    return pump.messages("routing")


def types(gateway):
    return [frame["type"] for frame in gateway.frames("c1")[1:]]


@pytest.fixture
def listener(pump):
    """A dashboard that wants everything."""
    return greeted(pump, events="*")


def test_a_message_that_comes_twice_is_delivered_once(
    platform, pump, gateway, listener
):
    (record,) = queued(platform, pump, {"type": "a"})
    pump.handle("routing", [record])

    failed = pump.handle("routing", [{**record, "messageId": "again"}])

    assert failed == set()
    assert types(gateway) == ["a"]


def test_a_message_twice_in_one_batch_is_delivered_once(
    platform, pump, gateway, listener
):
    (record,) = queued(platform, pump, {"type": "a"})

    pump.handle("routing", [record, {**record, "messageId": "twin"}])

    assert types(gateway) == ["a"]


def test_poison_goes_aside_and_the_others_are_delivered(
    platform, pump, gateway, listener
):
    first, second = queued(platform, pump, {"type": "a"}, {"type": "b"})
    bodies = ["{", "null", "5", "[]", "{}", '["x"]', '[{"specversion":"1.0"}]']
    poison = [
        {"messageId": f"p{n}", "receiptHandle": first["receiptHandle"], "body": body}
        for n, body in enumerate(bodies)
    ]

    answer = platform.router.route({"Records": [first, *poison, second]})

    letters = platform.queues.dead_letters("routing", 100)
    assert answer == {"batchItemFailures": []}
    assert sorted(types(gateway)) == ["a", "b"]
    assert sorted(letter["body"] for letter in letters) == sorted(bodies)
    assert all("Error" in letter["reason"] for letter in letters)


def test_a_batch_that_cannot_be_offered_is_reported_whole_and_works_on_retry(
    platform, pump, gateway, listener
):
    records = queued(platform, pump, {"type": "a"}, {"type": "b"})
    offer = platform.router.offer

    def broken(*_: object) -> None:
        raise ConnectionError("the table is away")

    platform.router.offer = broken

    failed = pump.handle("routing", records)

    assert failed == {record["messageId"] for record in records}
    platform.router.offer = offer
    assert pump.handle("routing", records) == set()
    assert sorted(types(gateway)) == ["a", "b"]


def test_what_was_routed_is_not_reported_when_its_neighbour_fails(
    platform, pump, listener
):
    done, other = queued(platform, pump, {"type": "a"}, {"type": "b"})
    pump.handle("routing", [done])

    def broken(*_: object) -> None:
        raise ConnectionError

    platform.router.offer = broken

    assert pump.handle("routing", [done, other]) == {other["messageId"]}


def test_a_crash_before_the_mark_delivers_again_rather_than_never(
    platform, pump, gateway, listener
):
    (record,) = queued(platform, pump, {"type": "a"})
    put_many = platform.table.put_many

    def die(*_: object) -> None:
        raise ConnectionError

    platform.table.put_many = die
    with pytest.raises(ConnectionError):
        platform.router.route({"Records": [record]})
    platform.table.put_many = put_many

    pump.handle("routing", [record])

    assert types(gateway) == ["a", "a"]


def test_a_batch_costs_one_read_and_one_write_while_nobody_connects(
    platform, calls, pump, listener
):
    records = queued(platform, pump, *[{"type": f"t.{n}"} for n in range(5)])
    pump.handle("routing", [records[0]])
    calls.clear()

    platform.router.route({"Records": records[1:]})

    # Beside them the counter of what was sent, and the traffic.
    assert calls.counted == {"BatchGetItem": 1, "BatchWriteItem": 1, "UpdateItem": 2}


def test_a_connection_is_heard_from_its_first_moment(platform, pump, gateway, listener):
    first = queued(platform, pump, {"type": "before"})
    pump.handle("routing", first)
    greeted(pump, "c2", events="*")

    pump.handle("routing", queued(platform, pump, {"type": "after"}))

    assert [frame["type"] for frame in gateway.frames("c2")[1:]] == ["after"]


def test_a_connection_that_another_process_admitted_is_heard(
    platform, pump, gateway, listener
):
    from chalicelib.bootstrap import Platform
    from tests.steps import connect

    pump.handle("routing", queued(platform, pump, {"type": "warm"}))
    another = Platform(platform.settings)
    connect(another, "c2", events="*")

    pump.handle("routing", queued(platform, pump, {"type": "a"}))

    assert [frame["type"] for frame in gateway.frames("c2")] == ["a"]


def test_the_events_of_a_message_come_in_their_order(platform, pump, gateway, listener):
    told = ids(publish(platform, *[{"type": "a", "payload": n} for n in range(9)]))

    pump.run()

    assert [frame["event_id"] for frame in gateway.frames("c1")[1:]] == told
