"""Events that a handler in a client gave up: told, listed, and retried to it alone."""

from __future__ import annotations

import pytest

from tests.steps import bearer, greeted, ids, listed, publish, say

PATH = "/api/v1/dead-letters"
EVENT = {"type": "order.paid", "payload": {"n": 1}, "headers": {"k": "v"}, "ttl": 1}


@pytest.fixture
def event_id(platform):
    return ids(publish(platform, EVENT))[0]


def bury(http, event_id, /, **more):
    wish = {"subscription": "billing/on paid", "error": "no stock", "attempts": 4}
    return http.post(PATH, {"event_id": event_id} | wish | more)


def letters(http, query=""):
    return http.get(PATH + query).json()["dead_letters"]


def subscribed(pump, client_id, connection_id):
    greeted(pump, connection_id, channel="router", client_id=client_id)
    wish = {"type": "subscribe", "subscription": {"topics": ["order.*"]}}
    say(pump.platform, connection_id, wish)


def delivered(platform, connection_id):
    frames = platform.gateway.frames(connection_id)
    return [frame["event"] for frame in frames if frame["type"] == "event"]


def test_it_is_listed_with_its_reason_and_its_event(http, platform, event_id):
    told = bury(http, event_id)

    assert told.status == 201
    (letter,) = letters(http, "?events=true")
    assert letter == {**told.json(), "event": platform.events.get(event_id).to_dict()}
    assert (letter["reason"], letter["tries"]) == ("no stock", 4)
    assert letter["subscription"] == "billing/on paid"
    assert "event" not in letters(http)[0]
    assert http.get(f"{PATH}/{letter['id']}").json()["event"]["id"] == event_id


def test_a_page_has_no_more_events_than_an_answer_may_weigh(http, platform):
    for _ in range(3):
        large = {"type": "a", "payload": {"text": "x" * 1_900_000}}
        bury(http, ids(publish(platform, large))[0])

    page = letters(http, "?events=true")

    assert ["event" in one for one in page] == [True, True, False]


def test_told_twice_it_is_one(http, event_id):
    assert bury(http, event_id).json()["id"] == bury(http, event_id).json()["id"]
    assert len(letters(http)) == 1


def test_each_handler_has_its_own(http, event_id):
    bury(http, event_id)
    bury(http, event_id, subscription="billing/other")

    assert len(letters(http)) == 2
    assert len(letters(http, "?subscription=billing/other")) == 1


def test_an_id_that_senders_chose_is_told_apart_by_its_source(http, platform):
    for source in ("a", "b"):
        publish(platform, {"type": "x", "id": "1", "source": source})

    bury(http, "1", source="a")

    (letter,) = letters(http, "?events=true")
    assert letter["event"]["source"] == "a"


def test_a_retry_is_a_new_event_for_this_client_alone(http, platform, pump, event_id):
    subscribed(pump, "billing", "c1")
    subscribed(pump, "other", "c2")
    letter = bury(http, event_id).json()

    told = http.post(f"{PATH}/{letter['id']}/retry")

    assert told.json() == {"retried": 1, "failed": [], "more": False}
    pump.run()
    first = delivered(platform, "c2")
    again = [one for one in delivered(platform, "c1") if one["id"] != event_id]
    assert [one["id"] for one in first] in ([], [event_id])
    told = {"retry-of": event_id, "retry-for": "billing/on paid"}
    assert [one["headers"] for one in again] == [{"k": "v", **told}]
    assert (again[0]["target"], again[0]["payload"]) == ("billing", {"n": 1})
    assert "expires_at" not in again[0]
    assert letters(http) == []


def test_a_retry_that_died_half_way_publishes_once(
    http, platform, event_id, monkeypatch
):
    letter = bury(http, event_id).json()
    rows = type(platform.subscribed.rows)
    revive = rows.revive

    def die(*_):
        monkeypatch.setattr(rows, "revive", revive)
        raise SystemExit

    monkeypatch.setattr(rows, "revive", die)
    with pytest.raises(SystemExit):
        http.post(f"{PATH}/{letter['id']}/retry")
    http.post(f"{PATH}/{letter['id']}/retry")

    assert [e.type for e in listed(platform)].count("order.paid") == 2
    assert letters(http) == []


def test_given_up_again_it_is_retried_again(http, platform, clock, event_id):
    platform.subscribed.dead_letters.clock = clock
    for _ in range(2):
        letter = bury(http, event_id).json()
        http.post(f"{PATH}/retry", {"ids": [letter["id"]]})
        clock.tick(1)

    assert [e.type for e in listed(platform)].count("order.paid") == 3


def test_one_whose_event_is_gone_stays_and_says_why(http, platform, event_id):
    letter = bury(http, event_id).json()
    place = event_id.removeprefix("evt_")
    item = next(iter(platform.log._at(place)))
    platform.table.delete(item["pk"], item["sk"])

    told = http.post(f"{PATH}/retry", {"all": True}).json()

    assert told["retried"] == 0
    assert told["failed"] == [
        {"id": letter["id"], "reason": "Its event's retention has ended."}
    ]
    assert len(letters(http)) == 1


def test_it_can_be_thrown_away_and_is_in_the_trace(http, event_id):
    letter = bury(http, event_id).json()

    (matched,) = http.get(f"/api/v1/events/{event_id}/trace").json()["matched"]
    assert (matched["outcome"], matched["dead_letter"]) == ("dead", letter["id"])
    assert http.delete(f"{PATH}/{letter['id']}").json()["purged"] == 1
    assert letters(http) == []


def test_who_may_not_see_the_event_is_told_that_there_is_none(
    http, locked, platform, event_id
):
    bearer(http, "events:subscribe:user.*")

    assert bury(http, event_id).status == 404
    bearer(http, "events:subscribe:order.*")
    assert bury(http, event_id).status == 201


@pytest.mark.parametrize(
    "wrong",
    [
        {"subscription": "sub_1"},
        {"subscription": "/x"},
        {"subscription": "x/"},
        {"subscription": "a/b\n"},
        {"subscription": "a/" + "b" * 200},
        {"attempts": 0},
        {"attempts": "1"},
        {"error": None},
        {"event_id": ""},
        {"more": 1},
    ],
)
def test_what_makes_no_sense_is_refused(http, event_id, wrong):
    assert bury(http, event_id, **wrong).status == 400
    assert letters(http) == []


def test_what_there_is_not_is_told(http):
    assert bury(http, "evt_nothing").status == 404
