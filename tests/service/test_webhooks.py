"""Webhooks, from a published event to a receiver on loopback."""

from __future__ import annotations

import pytest

from tests.receiver import Receiver
from tests.steps import ids, publish, subscribe

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


@pytest.fixture(autouse=True)
def private(platform):
    """Receivers stand on loopback here."""
    platform.subscribed.guard.__init__("127.0.0.1")


def row_of(platform, event_id, subscription):
    place = platform.events.locate(event_id).place
    rows = platform.subscribed.rows.of_event(place)
    return next(row for row in rows if row.subscription == subscription.id)


def counters(platform, subscription):
    return platform.subscribed.store.counters([subscription])[subscription.id]


def test_an_event_that_matches_arrives_signed_and_one_that_does_not_is_counted(
    platform, pump, receiver
):
    made = subscribe(
        platform,
        receiver.url,
        topics=["user.*"],
        filter={"priority": {"$gte": 7}},
        secret=SECRET,
    )

    told = publish(
        platform,
        {"type": "user.created", "payload": {"n": 1}, "priority": 7},
        {"type": "user.created", "payload": {"n": 2}, "priority": 6},
        {"type": "order.placed", "payload": {"n": 3}, "priority": 9},
    )
    pump.run()

    (one,) = receiver.received
    one.verify(SECRET)
    assert one.event["id"] == ids(told)[0]
    assert one.event["data"] == {"n": 1}
    assert one.headers["content-type"] == "application/cloudevents+json"
    assert counters(platform, made) == {
        "matched": 1,
        "delivered": 1,
        "filtered_out": 1,
        "failed": 0,
        "dead": 0,
        "expired": 0,
        "skipped": 0,
        "repeated": 0,
        "waiting": 0,
    }


def test_a_receiver_that_fails_three_times_gets_the_event_at_the_fourth(
    platform, pump, receiver, clock
):
    receiver.reaction = lambda number, _: (500 if number <= 3 else 200, {})
    made = subscribe(platform, receiver.url, retry={"schedule_s": [0, 0, 0]})

    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    assert receiver.ids() == [event_id] * 4
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    row = row_of(platform, event_id, made)
    assert row.status == "delivered"
    assert [attempt["status"] for attempt in row.attempts] == [500, 500, 500, 200]
    assert counters(platform, made)["failed"] == 3
