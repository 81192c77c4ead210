"""GET /api/v1/events and /api/v1/events/{id}."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from eventyard.core import ulid
from tests.steps import ids, publish


def types(http, query=""):
    answer = http.get(f"/api/v1/events{query}")
    assert answer.status == 200, answer.text
    return [event["type"] for event in answer.json()["events"]]


def test_events_are_listed_newest_first(http, platform):
    publish(platform, {"type": "a.1"}, {"type": "a.2"})
    publish(platform, {"type": "b.1"})

    assert types(http) == ["b.1", "a.2", "a.1"]


def test_an_empty_log_lists_nothing_and_has_no_cursor(http):
    assert http.get("/api/v1/events").json() == {"events": [], "cursor": None}


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ("topics=user.created", ["user.created"]),
        ("topics=user.*", ["user.deleted", "user.created"]),
        ("topics=user.**", ["user.created.v2", "user.deleted", "user.created"]),
        ("topics=*.created", ["order.created", "user.created"]),
        ("topics=user.deleted,order.*", ["order.created", "user.deleted"]),
        ("topics=user.deleted&topics=order.*", ["order.created", "user.deleted"]),
        ("topics=nobody.*", []),
        (
            "topics=*",
            ["order.created", "user.created.v2", "user.deleted", "user.created"],
        ),
    ],
)
def test_topics_select_by_pattern(http, platform, topics, expected):
    for topic in ("user.created", "user.deleted", "user.created.v2", "order.created"):
        publish(platform, {"type": topic})

    assert types(http, f"?{topics}") == expected


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("priority:gte:7", ["high"]),
        ("priority:lt:7", ["low"]),
        ("priority:in:2,9", ["low", "high"]),
        ("payload.total:gt:5", ["high"]),
        ("payload.total:eq:5", ["low"]),
        ("data.total:eq:5", ["low"]),
        ("payload.name:regex:^An", ["high"]),
        ("payload.name:exists:true", ["high"]),
        ("payload.name:exists:false", ["low"]),
        ("payload.name:ne:Anna", ["low"]),
        ("payload.nothing:eq:1", []),
        ("payload.nothing.deeper:gt:0", []),
        ("type:h*", None),
        ("type:high", ["high"]),
        ("source:shop", ["low"]),
    ],
)
def test_filters_select_by_field(http, platform, wish, expected):
    publish(
        platform,
        {"type": "high", "priority": 9, "payload": {"total": 7, "name": "Anna"}},
        {"type": "low", "priority": 2, "payload": {"total": 5}, "source": "shop"},
    )

    answer = http.get(f"/api/v1/events?filter={quote(wish)}")

    if expected is None:
        assert answer.status == 400
    else:
        assert [event["type"] for event in answer.json()["events"]] == expected


def test_all_filters_must_hold(http, platform):
    publish(
        platform,
        {"type": "a", "priority": 8, "payload": {"n": 1}},
        {"type": "b", "priority": 8, "payload": {"n": 2}},
        {"type": "c", "priority": 2, "payload": {"n": 1}},
    )

    assert types(http, "?filter=priority:gt:5&filter=payload.n:eq:1") == ["a"]


def test_topics_and_filters_must_both_hold(http, platform):
    publish(platform, {"type": "a", "priority": 8}, {"type": "b", "priority": 8})

    assert types(http, "?topics=a&filter=priority:eq:8") == ["a"]
    assert types(http, "?topics=a&filter=priority:eq:1") == []


def test_an_unknown_operator_is_named(http):
    answer = http.get("/api/v1/events?filter=priority:almost:5")

    error = answer.json()["error"]
    assert answer.status == 400
    assert error["code"] == "invalid_subscription"
    assert error["details"] == {"operator": "almost"}
    assert "'almost'" in error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=ten",
        "limit=²",
        "limit=" + "9" * 5_000,
        "cursor=",
        "cursor=abc",
        "cursor=01aaaaaaaaaaaaaaaaaaaaaaaa",
        "since=yesterday",
        "until=12",
        "topics=user.c*",
        "topics=a..b",
        "filter=priority",
        "filter=:eq:1",
        "filter=payload.x:regex:(a%2B)%2B",
    ],
)
def test_a_query_that_makes_no_sense_is_refused_with_a_reason(http, query):
    answer = http.get(f"/api/v1/events?{quote(query, safe='=&.:%')}")

    assert answer.status == 400
    assert answer.json()["error"]["message"]


def test_since_and_until_are_inclusive_and_in_any_zone(http, platform, clock):
    clock.now = float(int(clock.now) // 3600 * 3600 - 3600)
    for name in ("a", "b", "c"):
        publish(platform, {"type": name})
        clock.tick(60)
    second = datetime.fromtimestamp(clock.now - 120, UTC)
    here = second.strftime("%Y-%m-%dT%H:%M:%SZ")
    there = second.astimezone(timezone(timedelta(hours=5))).isoformat()

    assert types(http, f"?since={here}") == ["c", "b"]
    assert types(http, f"?until={here}") == ["b", "a"]
    assert types(http, f"?since={here}&until={here}") == ["b"]
    assert types(http, f"?since={quote(there)}&until={quote(there)}") == ["b"]


@pytest.mark.parametrize("query", ["until=1970-01-01T00:00:00Z", "since=2999-01-01"])
def test_a_time_without_events_lists_none(http, platform, query):
    publish(platform, {"type": "a"})

    assert types(http, f"?{query}") == []


def test_limit_and_cursor_walk_through_everything(http, platform):
    publish(platform, *[{"type": f"a.{n}"} for n in range(5)])

    first = http.get("/api/v1/events?limit=2").json()
    second = http.get(f"/api/v1/events?limit=2&cursor={first['cursor']}").json()
    third = http.get(f"/api/v1/events?limit=2&cursor={second['cursor']}").json()

    pages = [[event["type"] for event in page["events"]] for page in (first, second)]
    assert pages == [["a.4", "a.3"], ["a.2", "a.1"]]
    assert [event["type"] for event in third["events"]] == ["a.0"]
    assert third["cursor"] is None


def test_one_event_is_read_by_its_id(http, platform):
    (one,) = ids(publish(platform, {"type": "a", "payload": {"n": 1}}))

    answer = http.get(f"/api/v1/events/{one}")

    assert answer.status == 200
    assert answer.json()["id"] == one
    assert answer.json()["payload"] == {"n": 1}
    assert answer.headers["cache-control"] == "no-store"


def test_every_event_of_a_commit_is_read_by_its_id(http, platform):
    told = ids(publish(platform, *[{"type": f"a.{n}"} for n in range(7)]))

    read = [http.get(f"/api/v1/events/{one}").json()["type"] for one in told]

    assert read == [f"a.{n}" for n in range(7)]


def test_a_chosen_id_is_read_with_and_without_its_source(http, platform):
    publish(platform, {"type": "a", "id": "order/7-ü", "source": "s"})
    name = quote("order/7-ü", safe="")

    assert http.get(f"/api/v1/events/{name}").json()["type"] == "a"
    assert http.get(f"/api/v1/events/{name}?source=s").json()["type"] == "a"
    assert http.get(f"/api/v1/events/{name}?source=t").status == 404


@pytest.mark.parametrize(
    "name", ["evt_", "evt_nothing", "x", "evt_01M7YD6WHJTDP3CYPA213NCBNS"]
)
def test_an_id_that_is_not_there_is_not_found(http, platform, name):
    publish(platform, {"type": "a"})

    answer = http.get(f"/api/v1/events/{name}")

    assert answer.status == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.json()["error"]["details"] == {"event_id": name}


def test_the_place_next_to_an_event_is_no_event(http, platform):
    (one,) = ids(publish(platform, {"type": "a"}))
    beside = ulid.add(one.removeprefix("evt_"), 1)

    assert http.get(f"/api/v1/events/evt_{beside}").status == 404


def test_a_large_payload_is_read_and_listed_whole(http, platform):
    (one,) = ids(publish(platform, {"type": "a", "payload": {"x": "y" * 200_001}}))

    read = http.get(f"/api/v1/events/{one}").json()

    assert read["payload"] == {"x": "y" * 200_001}
    assert "dataref" not in read
    assert http.get("/api/v1/events").json()["events"] == [read]
