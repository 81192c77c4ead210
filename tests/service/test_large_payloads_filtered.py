"""A payload that rests in S3 is filtered on like any other."""

from __future__ import annotations

import pytest

from tests.steps import connect, greeted, listed, publish, say

SMALL = {"n": 1}
LARGE = {"n": 2, "text": "x" * 210_000}


@pytest.fixture
def both(platform):
    return publish(
        platform, {"type": "a", "payload": SMALL}, {"type": "a", "payload": LARGE}
    )


@pytest.mark.parametrize(("n", "expected"), [(1, SMALL), (2, LARGE)])
def test_a_listing_filters_on_it(platform, both, n, expected):
    page = platform.events.page(
        lambda view: view["payload"]["n"] == n,
        since_ms=0,
        until_ms=None,
        limit=10,
        cursor=None,
    )

    assert [event.payload for event in page.events] == [expected]
    assert len(listed(platform)) == 2


def test_live_subscriptions_filter_on_it(platform, pump, gateway):
    greeted(pump, channel="router")
    wish = {"topics": ["a"], "filter": {"payload.n": {"$gte": 2}}}
    say(platform, "c1", {"type": "subscribe", "subscription": wish})

    told = publish(
        platform, {"type": "a", "payload": SMALL}, {"type": "a", "payload": LARGE}
    )
    pump.run()

    events = [f["event"] for f in gateway.frames("c1") if f["type"] == "event"]
    assert [event["id"] for event in events] == [told[1].event_id]
    assert events[0]["dataref"] == f"api/v1/events/{told[1].event_id}"


def test_what_was_missed_is_filtered_on_it(platform, pump):
    cursor = platform.log.new_key()
    both = publish(
        platform, {"type": "a", "payload": SMALL}, {"type": "a", "payload": LARGE}
    )
    connect(platform, "c2", channel="router")
    pump.run()

    wish = {"topics": ["a"], "filter": {"payload.n": {"$gte": 2}}}
    message = {"type": "subscribe", "subscription": wish, "cursor": cursor}
    answers = say(platform, "c2", message)

    events = [f["event"] for f in answers if f["type"] == "event"]
    assert [event["id"] for event in events] == [both[1].event_id]
