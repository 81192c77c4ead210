"""Replays: a stretch of the log once more, in order, marked, to one subscription."""

from __future__ import annotations

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.subscriptions.walks import Walks
from eventyard.core import ulid
from eventyard.core.errors import ConflictError
from tests.receiver import Receiver
from tests.steps import counters, publish, row_of, subscribe

EVERYTHING = {"after": ulid.floor(0), "until": ulid.floor(2**47)}


@pytest.fixture
def filled(platform, pump, receiver):
    """A subscription that has had 50 events."""
    made = subscribe(platform, receiver.url, topics=["a.*"])
    for n in range(50):
        publish(platform, {"type": f"a.t{n % 2}", "payload": {"n": n}})
    publish(platform, {"type": "other.x", "payload": {}})
    pump.run()
    made_at = len(receiver.received)
    assert made_at == 50
    receiver.received.clear()
    return made


def replay(platform, made, **wish):
    return platform.subscribed.walks.replay(made, {**EVERYTHING, **wish}, ANYBODY)


def test_events_come_again_in_order_as_they_were_and_marked(
    platform, pump, receiver, filled
):
    with Receiver() as other:
        subscribe(platform, other.url)
        row = replay(platform, filled)
        pump.run()
        assert other.received == []

    assert [one.event["data"]["n"] for one in receiver.received] == list(range(50))
    assert {one.headers["eventyard-delivery"] for one in receiver.received} == {
        "replay"
    }
    assert {one.headers["eventyard-replay"] for one in receiver.received} == {row["sk"]}
    ended = platform.subscribed.walks.get(row["sk"])
    assert (ended["state"], ended["matched"]) == ("DONE", 50)


def test_a_replay_is_no_new_delivery_in_the_counters_of_waiting_events(
    platform, pump, filled, receiver
):
    before = counters(platform, filled)
    replay(platform, filled)
    pump.run()

    assert counters(platform, filled)["waiting"] == before["waiting"] == 0


def test_topics_and_filter_narrow_it(platform, pump, receiver, filled):
    replay(platform, filled, topics=["a.t1"], filter={"payload.n": {"$lt": 10}})
    pump.run()

    assert [one.event["data"]["n"] for one in receiver.received] == [1, 3, 5, 7, 9]


def test_places_bound_it(platform, pump, receiver, filled):
    page = platform.subscribed.walks._events(**EVERYTHING)
    places = [placed.place for placed in page if placed.event.type.startswith("a.")]
    replay(platform, filled, after=places[9], until=places[19])
    pump.run()

    assert [one.event["data"]["n"] for one in receiver.received] == list(range(10, 20))


def test_a_dry_run_counts_and_sends_nothing(platform, pump, receiver, filled):
    told = platform.subscribed.walks.count(filled, {**EVERYTHING, "topics": ["a.t0"]})
    pump.run()

    assert told["matched"] == 25
    assert told["complete"]
    assert receiver.received == []


def test_a_step_that_is_done_twice_goes_on_once(platform, pump, receiver, filled):
    row = replay(platform, filled)
    records = pump.messages("chores")
    platform.chores.run({"Records": records})
    platform.chores.run({"Records": records})
    pump.run()

    assert [one.event["data"]["n"] for one in receiver.received] == list(range(50))
    assert platform.subscribed.walks.get(row["sk"])["scanned"] >= 51


def test_a_crash_goes_on_from_the_last_page(
    platform, pump, receiver, filled, monkeypatch
):
    walks = type(platform.subscribed.walks)
    advance = walks._advance
    pages = []

    def die(self, *page):
        pages.append(page)
        if len(pages) == 2:
            raise SystemExit
        return advance(self, *page)

    replay(platform, filled)
    monkeypatch.setattr(walks, "_advance", die)
    records = pump.messages("chores")
    with pytest.raises(SystemExit):
        platform.chores.run({"Records": records})
    platform.chores.run({"Records": records})
    pump.run()

    # The second page was sent when the process died: its rows know that.
    assert [one.event["data"]["n"] for one in receiver.received] == list(range(50))


def test_one_that_ends_while_it_is_being_cancelled_stays_done(
    platform, pump, filled, monkeypatch
):
    row = replay(platform, filled)
    get = Walks.get

    def end_meanwhile(walks, walk_id):
        found = get(walks, walk_id)
        pump.run()
        return found

    monkeypatch.setattr(Walks, "get", end_meanwhile)

    with pytest.raises(ConflictError, match="DONE"):
        platform.subscribed.walks.cancel(row["sk"], ANYBODY)
    assert get(platform.subscribed.walks, row["sk"])["state"] == "DONE"


def test_it_can_be_cancelled_on_its_way(platform, pump, receiver, filled):
    row = replay(platform, filled)
    receiver.reaction = lambda number, _: (
        (platform.subscribed.walks.cancel(row["sk"], ANYBODY) and 200)
        if number == 1
        else 200,
        {},
    )
    pump.run()

    assert 0 < len(receiver.received) <= 20  # the page it was at
    assert platform.subscribed.walks.get(row["sk"])["state"] == "CANCELLED"
    with pytest.raises(ConflictError):
        platform.subscribed.walks.cancel(row["sk"], ANYBODY)


def test_a_failure_in_a_replay_is_retried_and_dies_like_any_other(
    platform, pump, receiver, filled
):
    receiver.reaction = lambda _, r: (500 if r.event["data"]["n"] == 3 else 200, {})
    platform.subscribed.service.change(
        filled.id, {"retry": {"schedule_s": [0]}}, ANYBODY
    )
    filled = platform.subscribed.store.get(filled.id)
    row = replay(platform, filled)
    pump.run()

    page, _ = platform.subscribed.dead_letters.page(ANYBODY, None, None, 10)
    assert [(one.replay, len(one.attempts)) for one in page] == [(row["sk"], 2)]
    live = row_of(platform, page[0].event_id, filled)
    assert live.status == "delivered"
    assert len(receiver.received) == 51


def test_a_subscription_that_does_not_run_is_not_replayed_to(platform, filled):
    paused = platform.subscribed.service.pause(filled.id, "x", ANYBODY)
    with pytest.raises(ConflictError, match="PAUSED"):
        replay(platform, paused)


def test_they_are_listed_newest_first_with_their_progress(platform, pump, filled):
    from chalicelib.subscriptions.walks import show

    made = [replay(platform, filled)["sk"] for _ in range(3)]
    pump.run()
    first, cursor = platform.subscribed.walks.all(None, 2)
    second, end = platform.subscribed.walks.all(cursor, 2)

    assert [row["sk"] for row in (*first, *second)] == made[::-1]
    assert end is None
    assert show(first[0])["progress"] == 1.0
