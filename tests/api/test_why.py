"""Why an event was delivered or was not, and filters before they count."""

from __future__ import annotations

import pytest

from tests.steps import bearer, due, ids, publish, subscribe

TRY = "/api/v1/filters/test"


def trace(http, event_id, query=""):
    return http.get(f"/api/v1/events/{event_id}/trace{query}").json()


def only(http, event_id):
    (matched,) = trace(http, event_id)["matched"]
    return matched


@pytest.fixture
def paid(platform):
    """Publish one `order.paid` of some amount; returns its id."""

    def publish_one(amount=40, **more):
        event = {"type": "order.paid", "payload": {"amount": amount}, **more}
        return ids(publish(platform, event))[0]

    return publish_one


def test_a_delivered_event_tells_its_attempts(http, platform, pump, receiver, paid):
    receiver.reaction = lambda number, _: (500 if number == 1 else 204, {})
    made = subscribe(platform, receiver.url, name="shop", retry={"schedule_s": [0]})
    event_id = paid()
    pump.run()

    told = trace(http, event_id)
    (matched,) = told["matched"]
    assert told["event"] == http.get(f"/api/v1/events/{event_id}").json()
    assert (matched["subscription"], matched["name"]) == (made.id, "shop")
    assert (matched["outcome"], matched["target"]) == ("delivered", "webhook")
    assert [a["status"] for a in matched["attempts"]] == [500, 204]
    assert [a["error"] for a in matched["attempts"]] == [
        "the receiver answered 500",
        None,
    ]
    assert (told["unmatched"], told["unmatched_count"]) == ([], 0)


def test_an_event_that_is_retried_tells_when(
    http, platform, clock, pump, receiver, paid
):
    receiver.reaction = lambda *_: (503, {})
    subscribe(platform, receiver.url, retry={"schedule_s": [3600], "jitter": 0})
    event_id = paid()
    pump.run()

    told = only(http, event_id)
    assert (told["outcome"], len(told["attempts"])) == ("retrying", 1)
    # An hour after the attempt.
    first = told["attempts"][0]["at"]
    clock.tick(3600)
    due(platform, pump)
    assert told["next_attempt_at"] > first
    assert only(http, event_id)["outcome"] == "dead"


def test_an_event_that_died_names_its_dead_letter(http, platform, pump, receiver, paid):
    receiver.reaction = lambda *_: (500, {})
    subscribe(platform, receiver.url, retry={"schedule_s": []})
    event_id = paid()
    pump.run()

    told = only(http, event_id)
    letter = http.get(f"/api/v1/dead-letters/{told['dead_letter']}").json()
    assert told["outcome"] == "dead"
    assert (letter["event_id"], letter["attempts"]) == (event_id, told["attempts"])


def test_an_event_on_its_way_is_queued_and_one_that_waits_says_for_what(
    http, platform, pump, receiver, paid
):
    made = subscribe(platform, receiver.url)
    event_id = paid()
    assert only(http, event_id)["outcome"] == "queued"

    http.post(f"/api/v1/subscriptions/{made.id}/pause")
    told = only(http, event_id)
    assert (told["outcome"], told["note"]) == ("waiting", "the subscription is PAUSED")


def test_an_event_that_fits_only_since_a_change_is_not_said_to_be_on_its_way_for_sure(
    http, platform, pump, receiver, paid
):
    made = subscribe(platform, receiver.url, topics=["user.*"])
    event_id = paid()
    pump.run()
    http.patch(f"/api/v1/subscriptions/{made.id}", {"topics": ["order.*"]})

    told = only(http, event_id)
    assert (told["outcome"], told["attempts"]) == ("queued", [])
    assert "changed after the event" in told["note"]


def test_a_replay_is_told_beside_the_first_delivery(
    http, platform, pump, receiver, paid
):
    made = subscribe(platform, receiver.url)
    event_id = paid()
    pump.run()
    begun = http.post("/api/v1/replays", {"subscription": made.id}).json()
    pump.run()

    told = trace(http, event_id)["matched"]
    assert [one["replay"] for one in told] == [None, begun["id"]]
    assert {one["outcome"] for one in told} == {"delivered"}


def test_what_a_removed_subscription_got_is_still_told(
    http, platform, pump, receiver, paid
):
    made = subscribe(platform, receiver.url)
    event_id = paid()
    pump.run()
    http.delete(f"/api/v1/subscriptions/{made.id}")

    told = only(http, event_id)
    assert (told["subscription"], told["target"]) == (made.id, "removed")
    assert told["outcome"] == "delivered"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (
            {"topics": ["user.*"]},
            {
                "condition": {"topics": ["user.*"]},
                "message": "order.paid does not fit user.*",
                "found": "order.paid",
            },
        ),
        (
            {"filter": {"priority": 5, "payload.amount": {"$gt": 100}}},
            {
                "condition": {"payload.amount": {"$gt": 100}},
                "message": "payload.amount is 40, which is not $gt 100",
                "found": 40,
            },
        ),
        (
            {"filter": {"amount": 40}},
            {
                "condition": {"amount": 40},
                "message": "amount is missing; did you mean payload.amount?",
                "found": None,
            },
        ),
    ],
)
def test_an_event_that_was_not_wanted_tells_the_first_condition_that_failed(
    http, platform, receiver, paid, wish, reason
):
    made = subscribe(platform, receiver.url, **wish)

    told = trace(http, paid())
    (unmatched,) = told["unmatched"]
    assert (told["matched"], told["unmatched_count"]) == ([], 1)
    assert (unmatched["subscription"], unmatched["reason"]) == (made.id, reason)


def test_an_event_for_somebody_else_says_so(http, platform, pump, receiver, paid):
    subscribe(platform, receiver.url, name="shop")
    event_id = paid(target="desk")
    pump.run()

    (unmatched,) = trace(http, event_id)["unmatched"]
    assert unmatched["reason"]["message"] == "the event is for desk alone"


def test_an_event_from_before_the_subscription_says_so(
    http, platform, clock, pump, receiver, paid
):
    event_id = paid()
    clock.tick(2)
    subscribe(platform, receiver.url)
    pump.run()

    (unmatched,) = trace(http, event_id)["unmatched"]
    assert "older than" in unmatched["reason"]["message"]


def test_an_id_that_two_senders_chose_is_told_apart_by_source(http, platform):
    for source in ("a", "b"):
        publish(platform, {"type": "a.b", "id": "1", "source": source})

    assert trace(http, "1", "?source=a")["event"]["source"] == "a"
    assert trace(http, "1", "?source=b")["event"]["source"] == "b"


def test_a_trace_of_nothing_is_not_found(http):
    assert http.get("/api/v1/events/evt_none/trace").status == 404


def test_scopes_hide_the_event_and_subscriptions_that_reach_further(
    http, platform, locked, pump, receiver, paid
):
    subscribe(platform, receiver.url)
    mine = subscribe(platform, receiver.url, topics=["order.*"])
    subscribe(platform, receiver.url, topics=["user.*"])
    event_id = paid()
    pump.run()

    bearer(http, "events:subscribe:order.*")
    told = trace(http, event_id)
    assert [one["subscription"] for one in told["matched"]] == [mine.id]
    assert (told["unmatched"], told["unmatched_count"]) == ([], 0)
    bearer(http, "events:subscribe:user.*")
    assert http.get(f"/api/v1/events/{event_id}/trace").status == 404


def test_a_filter_is_tried_on_one_event_that_nobody_published(http, platform):
    event = {"type": "order.paid", "payload": {"amount": 140}}
    wish = {"topics": ["order.*"], "filter": {"payload.amount": {"$gt": 100}}}

    fits = http.post(TRY, {**wish, "event": event}).json()
    event["payload"]["amount"] = 40
    fails = http.post(TRY, {**wish, "event": event}).json()

    assert (fits["matched"], fits["examined"], fits["matches"]) == (True, 1, 1)
    assert fits["events"][0]["reason"] is None
    assert fails["matched"] is False
    assert fails["events"][0]["reason"] == {
        "condition": {"payload.amount": {"$gt": 100}},
        "message": "payload.amount is 40, which is not $gt 100",
        "found": 40,
    }
    assert http.get("/api/v1/events").json()["events"] == []


def test_a_filter_that_matches_nothing_of_the_log_says_what_fails_most_often(
    http, paid, platform
):
    told = [paid(amount) for amount in (40, 50, 60)]
    publish(platform, {"type": "user.created"})
    wish = {"topics": ["order.*"], "filter": {"payload.amount": {"$gt": 100}}}

    answer = http.post(TRY, {**wish, "last": 10}).json()

    assert (answer["matched"], answer["examined"], answer["matches"]) == (False, 4, 0)
    assert [one["event_id"] for one in answer["events"][1:]] == told[::-1]
    assert answer["failed"] == [
        {
            "condition": {"payload.amount": {"$gt": 100}},
            "count": 3,
            "message": "payload.amount is 60, which is not $gt 100",
        },
        {
            "condition": {"topics": ["order.*"]},
            "count": 1,
            "message": "user.created does not fit order.*",
        },
    ]


def test_the_last_events_are_counted_and_a_hundred_are_shown(http, platform):
    for _ in range(3):
        publish(platform, *({"type": "a.b", "payload": {"n": n}} for n in range(50)))

    answer = http.post(TRY, {"filter": {"payload.n": {"$lt": 25}}, "last": 150}).json()

    assert (answer["examined"], answer["matches"]) == (150, 75)
    assert len(answer["events"]) == 100


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "either event or last"),
        ({"event": {"type": "a.b"}, "last": 1}, "either event or last"),
        ({"last": 0}, "last"),
        ({"last": 1001}, "last"),
        ({"last": "5"}, "last"),
        ({"last": 1, "topics": ["a..b"]}, "a..b"),
        ({"last": 1, "topics": []}, "topics"),
        ({"last": 1, "filter": {"n": {"$near": 1}}}, "$near"),
        ({"last": 1, "filter": {"n": {"$regex": "("}}}, "regex '('"),
        ({"event": {"payload": {}}}, "type"),
        ({"event": {"type": "a.b", "priority": 11}}, "priority"),
        ({"event": []}, "event"),
        ({"last": 1, "filters": {}}, "filters"),
    ],
)
def test_a_try_that_makes_no_sense_is_refused_by_name(http, body, named):
    answer = http.post(TRY, body)

    assert answer.status == 400
    assert named in answer.json()["error"]["message"]


def test_a_try_looks_only_at_what_the_caller_may_read(http, platform, locked, paid):
    paid()
    publish(platform, {"type": "user.created"})
    bearer(http, "events:subscribe:user.*")

    answer = http.post(TRY, {"last": 10}).json()

    assert [one["type"] for one in answer["events"]] == ["user.created"]
