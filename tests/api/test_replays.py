"""Replays over HTTP: begun, bounded, narrowed, counted, watched, cancelled."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eventyard.core import moments
from tests.steps import bearer, ids, listed, publish, subscribe

PATH = "/api/v1/replays"


@pytest.fixture
def subscription(platform, receiver):
    return subscribe(platform, receiver.url, topics=["a.*"])


@pytest.fixture
def told(platform, clock, pump, receiver, subscription):
    """The ids of four events, ten seconds apart, that were delivered already."""
    given = []
    for n in range(4):
        clock.tick(10)
        event = {"type": f"a.t{n % 2}", "payload": {"n": n}}
        given += ids(publish(platform, event))
    publish(platform, {"type": "b.c"})
    pump.run()
    assert sorted(receiver.ids()) == given
    receiver.received.clear()
    clock.tick(10)
    return given


@pytest.fixture
def replay(http, subscription):
    """Begin a replay with a wish."""
    return lambda **wish: http.post(PATH, {"subscription": subscription.id, **wish})


def at(clock, seconds):
    return moments.write(datetime.fromtimestamp(clock.now + seconds, UTC))


def test_all_comes_again_in_its_order_and_marked(
    http, pump, receiver, told, replay, subscription
):
    answer = replay()
    pump.run()

    begun = answer.json()
    assert (answer.status, begun["state"], begun["kind"]) == (202, "RUNNING", "replay")
    assert receiver.ids() == told
    marks = {one.headers["eventyard-replay"] for one in receiver.received}
    assert marks == {begun["id"]}
    ended = http.get(f"{PATH}/{begun['id']}").json()
    assert (ended["state"], ended["matched"], ended["progress"]) == ("DONE", 4, 1)
    assert ended["subscription"] == subscription.id
    assert ended["ended_at"]


def test_it_begins_and_ends_with_the_events_that_are_named(
    pump, receiver, told, replay
):
    assert replay(**{"from": told[1], "to": told[2]}).status == 202
    pump.run()

    assert receiver.ids() == told[1:3]


def test_one_event_can_be_replayed_alone(pump, receiver, told, replay):
    assert replay(**{"from": told[2], "to": told[2]}).status == 202
    pump.run()

    assert receiver.ids() == [told[2]]


def test_it_begins_and_ends_at_times(pump, receiver, told, replay, clock):
    # The events were 40, 30, 20 and 10 seconds ago; an end is not included.
    assert replay(**{"from": at(clock, -30), "to": at(clock, -10)}).status == 202
    pump.run()

    assert receiver.ids() == told[1:3]


def test_topics_and_a_filter_narrow_it(pump, receiver, told, replay):
    wish = {"topics": "a.t1", "filter": {"payload.n": {"$lt": 3}}}
    begun = replay(**wish).json()
    pump.run()

    assert receiver.ids() == [told[1]]
    assert (begun["topics"], begun["filter"]) == (["a.t1"], wish["filter"])


def test_what_the_subscription_itself_does_not_want_stays_out(
    pump, receiver, told, replay
):
    replay(topics=["**"])
    pump.run()

    assert receiver.ids() == told


def test_a_dry_run_only_counts(http, pump, receiver, told, replay):
    answer = replay(dry_run=True, topics=["a.t0"])
    pump.run()

    count = answer.json()
    assert (answer.status, count["dry_run"], count["matched"]) == (200, True, 2)
    assert count["complete"]
    assert receiver.received == []
    assert http.get(PATH).json()["replays"] == []


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "evt_01M7XZWQJYDFMFZR88CEXSY7JH"}, "to"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"from": 7}, "from"),
        ({"topics": []}, "topics"),
        ({"topics": "a..b"}, "a..b"),
        ({"filter": {"n": {"$near": 1}}}, "$near"),
        ({"filter": "n"}, "filter"),
        ({"since": "2026-01-02T00:00:00Z"}, "since"),
    ],
)
def test_a_wish_that_makes_no_sense_begins_nothing(http, replay, dry_run, wish, named):
    answer = replay(**wish, dry_run=dry_run)

    assert answer.status == 400
    assert named in answer.json()["error"]["message"]
    assert http.get(PATH).json()["replays"] == []


def test_a_wish_names_its_subscription(http):
    answer = http.post(PATH, {})

    assert answer.status == 400
    assert "subscription" in answer.json()["error"]["message"]


def test_what_is_not_there_is_not_found(http):
    assert http.post(PATH, {"subscription": "sub_none"}).status == 404
    assert http.get(f"{PATH}/rpl_none").status == 404
    assert http.post(f"{PATH}/rpl_none/cancel").status == 404


def test_nothing_is_replayed_to_a_subscription_that_does_not_run(
    http, told, replay, subscription
):
    http.post(f"/api/v1/subscriptions/{subscription.id}/pause")

    answer = replay()

    assert (answer.status, answer.json()["error"]["code"]) == (409, "conflict")
    assert "resume it first" in answer.json()["error"]["message"]
    assert replay(dry_run=True).status == 200


def test_one_is_cancelled_before_it_sends_anything(http, pump, receiver, told, replay):
    begun = replay().json()

    cancelled = http.post(f"{PATH}/{begun['id']}/cancel").json()
    pump.run()
    again = http.post(f"{PATH}/{begun['id']}/cancel")

    assert cancelled["state"] == "CANCELLED"
    assert receiver.received == []
    assert http.get(f"{PATH}/{begun['id']}").json()["matched"] == 0
    assert (again.status, again.json()["error"]["code"]) == (409, "conflict")


def test_they_are_listed_newest_first_page_by_page_with_catch_ups(
    http, platform, pump, told, replay, receiver
):
    late = subscribe(platform, receiver.url, start="earliest")
    begun = [replay().json()["id"] for _ in range(3)]
    pump.run()

    seen, cursor = [], ""
    while cursor is not None:
        page = http.get(f"{PATH}?limit=2&cursor={cursor}").json()
        seen += page["replays"]
        cursor = page["cursor"]
    (caught_up,) = [one for one in seen if one["kind"] == "catch_up"]
    assert caught_up["subscription"] == late.id
    assert [one["id"] for one in seen if one["kind"] == "replay"] == begun[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x"])
def test_a_page_that_makes_no_sense_is_refused(http, query):
    assert http.get(f"{PATH}?{query}").status == 400


def test_a_failed_event_of_a_replay_is_a_dead_letter_of_that_replay(
    http, pump, receiver, told, replay, subscription
):
    change = {"retry": {"schedule_s": []}}
    http.patch(f"/api/v1/subscriptions/{subscription.id}", change)
    receiver.reaction = lambda *_: (500, {})
    begun = replay(**{"from": told[0], "to": told[0]}).json()
    pump.run()

    (letter,) = http.get("/api/v1/dead-letters").json()["dead_letters"]
    assert (letter["event_id"], letter["replay"]) == (told[0], begun["id"])


def test_the_trail_tells_who_began_and_who_stopped_one(http, platform, locked, replay):
    bearer(http, "admin", name="ops")
    begun = replay().json()
    http.post(f"{PATH}/{begun['id']}/cancel")

    cancelled, started = [e for e in listed(platform) if "replay" in e.type]
    assert started.type == "eventyard.replay.started"
    assert cancelled.type == "eventyard.replay.cancelled"
    for note in (started, cancelled):
        assert (note.payload["id"], note.payload["by"]["name"]) == (begun["id"], "ops")


def test_scopes_apply(http, locked, told, subscription, replay):
    bearer(http, "admin")
    begun = replay().json()

    for scopes, shown in ((["events:subscribe:a.*"], 1), (["events:subscribe:b.*"], 0)):
        bearer(http, *scopes)
        assert replay().status == 403
        assert len(http.get(PATH).json()["replays"]) == shown
        assert http.get(f"{PATH}/{begun['id']}").status == (200 if shown else 404)


def test_one_whose_subscription_is_gone_is_shown_to_whoever_may_see_everything(
    http, locked, pump, replay, subscription
):
    bearer(http, "admin")
    begun = replay().json()
    http.delete(f"/api/v1/subscriptions/{subscription.id}")
    pump.run()

    ended = http.get(f"{PATH}/{begun['id']}").json()
    assert (ended["state"], ended["reason"]) == (
        "CANCELLED",
        "its subscription is gone",
    )
    bearer(http, "events:subscribe:a.*")
    assert http.get(f"{PATH}/{begun['id']}").status == 404
