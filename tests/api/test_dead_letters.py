"""Dead letters over HTTP: listed, read, retried, thrown away."""

from __future__ import annotations

import pytest

from tests.steps import bearer, ids, listed, publish, row_of, subscribe

PATH = "/api/v1/dead-letters"


@pytest.fixture
def dead(platform, pump, receiver):
    """Three events that one subscription could not be given: their ids."""
    receiver.reaction = lambda *_: (500, {})
    subscribe(platform, receiver.url, topics=["a.*"], retry={"schedule_s": [0]})
    told = [ids(publish(platform, {"type": f"a.t{n}"}))[0] for n in range(3)]
    pump.run()
    receiver.reaction = lambda *_: (204, {})
    receiver.received.clear()
    return told


@pytest.fixture
def subscription(platform, dead):
    return next(iter(platform.subscribed.store.all()))


def letters(http, query=""):
    return http.get(f"{PATH}{query}").json()["dead_letters"]


def test_they_are_listed_with_each_attempt_newest_first(http, dead, subscription):
    page = letters(http)

    assert [one["event_id"] for one in page] == dead[::-1]
    assert {one["subscription"] for one in page} == {subscription.id}
    for one in page:
        assert one["reason"] == "the receiver answered 500"
        assert (one["last_status"], one["replay"]) == (500, None)
        assert [attempt["status"] for attempt in one["attempts"]] == [500, 500]
        assert one["last_attempt_at"] == one["attempts"][-1]["at"]


def test_they_are_paged(http, dead):
    seen, cursor = [], ""
    while cursor is not None:
        page = http.get(f"{PATH}?limit=2&cursor={cursor}").json()
        seen += [one["event_id"] for one in page["dead_letters"]]
        cursor = page["cursor"]

    assert seen == dead[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x"])
def test_a_page_that_makes_no_sense_is_refused(http, query):
    assert http.get(f"{PATH}?{query}").status == 400


def test_those_of_one_subscription_are_told_apart(http, dead, subscription):
    assert len(letters(http, f"?subscription={subscription.id}")) == 3
    assert letters(http, "?subscription=sub_other") == []


def test_one_is_read_with_its_event(http, dead):
    (one, *_) = letters(http)

    whole = http.get(f"{PATH}/{one['id']}").json()

    assert whole.pop("event") == http.get(f"/api/v1/events/{dead[2]}").json()
    assert whole == one


def test_one_is_retried(http, platform, pump, receiver, dead, subscription):
    (one, *_) = letters(http)

    told = http.post(f"{PATH}/{one['id']}/retry").json()
    pump.run()

    assert told == {"retried": 1, "failed": [], "more": False}
    assert receiver.ids() == [dead[2]]
    assert [row["event_id"] for row in letters(http)] == [dead[1], dead[0]]
    assert row_of(platform, dead[2], subscription).status == "delivered"


@pytest.mark.parametrize("which", ["all", "subscription", "ids"])
def test_some_or_all_are_retried(http, pump, receiver, dead, subscription, which):
    named = [one["id"] for one in letters(http)]
    body = {"all": True, "subscription": subscription.id, "ids": named}[which]

    told = http.post(f"{PATH}/retry", {which: body}).json()
    pump.run()

    assert told == {"retried": 3, "failed": [], "more": False}
    assert sorted(receiver.ids()) == dead
    assert letters(http) == []


def test_one_that_is_named_twice_is_retried_once(
    http, pump, receiver, dead, subscription
):
    name = letters(http)[0]["id"]

    told = http.post(f"{PATH}/retry", {"ids": [name, name]}).json()
    pump.run()

    assert told["retried"] == 1
    assert receiver.ids() == [dead[2]]
    counters = http.get(f"/api/v1/subscriptions/{subscription.id}").json()["counters"]
    assert (counters["dead"], counters["waiting"]) == (2, 0)


def test_of_those_that_are_not_there_each_is_told(http, dead):
    name = letters(http)[0]["id"]

    retried = http.post(f"{PATH}/retry", {"ids": ["none", name]}).json()
    purged = http.post(f"{PATH}/purge", {"ids": ["none"], "confirm": True}).json()

    failed = [{"id": "none", "reason": "There is no dead letter none."}]
    assert retried == {"retried": 1, "failed": failed, "more": False}
    assert purged == {"purged": 0, "failed": failed, "more": False}


def test_one_whose_subscription_is_gone_stays_and_says_why(http, dead, subscription):
    http.delete(f"/api/v1/subscriptions/{subscription.id}")
    (one, *_) = letters(http)

    told = http.post(f"{PATH}/{one['id']}/retry").json()

    reason = "Its subscription was removed."
    assert told["failed"] == [{"id": one["id"], "reason": reason}]
    assert len(letters(http)) == 3


def test_a_call_does_so_many_and_tells_that_there_are_more(
    http, pump, dead, monkeypatch
):
    monkeypatch.setattr("chalicelib.api.dead_letters._MOST", 2)

    first = http.post(f"{PATH}/retry", {"all": True}).json()
    second = http.post(f"{PATH}/retry", {"all": True}).json()

    assert (first["retried"], first["more"]) == (2, True)
    assert (second["retried"], second["more"]) == (1, False)


def test_one_is_thrown_away_and_the_trail_tells_by_whom(http, platform, locked, dead):
    bearer(http, "admin", name="ops")
    (one, *_) = letters(http)

    told = http.delete(f"{PATH}/{one['id']}").json()

    assert told == {"purged": 1, "failed": [], "more": False}
    assert len(letters(http)) == 2
    (note,) = [e for e in listed(platform) if e.type == "eventyard.dead_letters.purged"]
    assert note.payload["ids"] == [one["id"]]
    assert note.payload["by"]["name"] == "ops"


def test_all_are_thrown_away_only_when_it_is_meant(http, dead):
    refused = http.post(f"{PATH}/purge", {"all": True})
    assert refused.status == 400
    assert "confirm" in refused.json()["error"]["message"]
    assert len(letters(http)) == 3

    told = http.post(f"{PATH}/purge", {"all": True, "confirm": True}).json()
    assert told == {"purged": 3, "failed": [], "more": False}
    assert letters(http) == []


@pytest.mark.parametrize("verb", ["retry", "purge"])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "ids, subscription, all"),
        ({"all": False}, "ids, subscription, all"),
        ({"all": True, "ids": ["x"]}, "ids, subscription, all"),
        ({"ids": []}, "ids"),
        ({"ids": [""]}, "ids.0"),
        ({"ids": ["x"] * 501}, "ids"),
        ({"ids": "x"}, "ids"),
        ({"all": 1}, "all"),
        ({"every": True}, "every"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(http, dead, verb, body, named):
    more = {"confirm": True} if verb == "purge" else {}

    answer = http.post(f"{PATH}/{verb}", {**body, **more})

    assert answer.status == 400
    assert named in answer.json()["error"]["message"]
    assert len(letters(http)) == 3


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/none"), ("DELETE", "/none"), ("POST", "/none/retry")],
)
def test_one_that_is_not_there_is_not_found(http, method, path):
    answer = http._call(method, PATH + path, None, {})

    assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


def test_topic_scopes_apply(http, locked, dead):
    bearer(http, "events:subscribe")
    hidden = letters(http)[0]["id"]

    bearer(http, "events:subscribe:a.t0")

    assert [one["type"] for one in letters(http)] == ["a.t0"]
    assert http.get(f"{PATH}/{hidden}").status == 404
    assert http.post(f"{PATH}/retry", {"all": True}).status == 403
