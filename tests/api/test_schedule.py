"""Delayed publishing, as a client sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.steps import bearer, connect, say


def soon(seconds=3_600):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture
def waiting(http):
    """The id of an event that waits."""
    body = {"type": "order.late", "payload": {"n": 1}, "deliver_at": soon()}
    return http.post("/api/v1/events", body).json()["event_id"]


def test_the_answer_tells_when(http):
    moment = "2099-01-01T00:00:00Z"
    far = http.post("/api/v1/events", {"type": "a", "deliver_at": moment})
    answer = http.post("/api/v1/events", {"type": "a", "deliver_at": soon()})

    told = answer.json()
    assert (far.status, far.json()["error"]["details"]) == (
        400,
        {"field": "deliver_at"},
    )
    assert answer.status == 201
    assert told.keys() == {"event_id", "status", "deliver_at", "timestamp"}
    assert told["status"] == "scheduled"
    assert told["deliver_at"].endswith("Z")


def test_an_array_is_scheduled_whole(http):
    moment = soon()
    body = [{"type": "a", "deliver_at": moment}, {"type": "b", "deliver_at": moment}]

    answer = http.post("/api/v1/events", body).json()

    assert answer["status"] == "scheduled"
    assert [one["status"] for one in answer["events"]] == ["scheduled"] * 2


def test_a_cloudevent_is_scheduled_by_its_extension(http, platform):
    cloud = {
        "specversion": "1.0",
        "id": "c1",
        "source": "/s",
        "type": "a.b",
        "deliverat": soon(),
    }
    kind = {"Content_Type": "application/cloudevents+json"}

    answer = http.post("/api/v1/events", cloud, **kind)
    wrong = http.post("/api/v1/events", {**cloud, "deliverat": "?"}, **kind)

    assert answer.json()["status"] == "scheduled"
    found = http.get("/api/v1/scheduled/c1").json()["event"]
    assert "deliverat" not in found.get("attributes", {})
    assert (wrong.status, wrong.json()["error"]["details"]["field"]) == (
        400,
        "deliverat",
    )


def test_the_router_channel_schedules_too(platform, http):
    connect(platform, channel="router", client_id="me")

    (told,) = say(
        platform,
        "c1",
        {"type": "publish", "event": {"type": "a.b", "deliver_at": soon()}},
    )

    assert (told["type"], told["status"]) == ("published", "scheduled")
    (one,) = http.get("/api/v1/scheduled").json()["scheduled"]
    assert one["event"]["source"] == "me"


def test_what_waits_is_listed_and_read(http, waiting):
    page = http.get("/api/v1/scheduled").json()
    one = http.get(f"/api/v1/scheduled/{waiting}").json()

    assert page == {"scheduled": [one], "cursor": None}
    assert one["event_id"] == waiting
    assert one["event"] == {
        "id": waiting,
        "type": "order.late",
        "payload": {"n": 1},
        "source": None,
        "priority": 5,
    }


def test_a_list_is_paged(http):
    for _ in range(3):
        http.post("/api/v1/events", {"type": "a", "deliver_at": soon()})

    first = http.get("/api/v1/scheduled?limit=2").json()
    second = http.get(f"/api/v1/scheduled?limit=2&cursor={first['cursor']}").json()

    assert (len(first["scheduled"]), len(second["scheduled"])) == (2, 1)
    assert second["cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=x", "cursor=1.2.3"])
def test_a_list_that_makes_no_sense_is_refused(http, query):
    assert http.get(f"/api/v1/scheduled?{query}").status == 400


def test_a_cancelled_event_is_gone_and_the_trail_tells_by_whom(http, waiting, platform):
    cancelled = http.delete(f"/api/v1/scheduled/{waiting}")
    again = http.delete(f"/api/v1/scheduled/{waiting}")

    assert (cancelled.status, cancelled.json()) == (
        200,
        {"event_id": waiting, "status": "cancelled"},
    )
    assert (again.status, http.get(f"/api/v1/scheduled/{waiting}").status) == (404, 404)
    (told,) = http.get("/api/v1/events?topics=eventyard.**").json()["events"]
    assert told["type"] == "eventyard.schedule.cancelled"
    assert told["payload"]["event_id"] == waiting


def test_it_is_no_event_of_the_log_until_it_is_delivered(http, waiting, platform):
    assert http.get(f"/api/v1/events/{waiting}").status == 404
    platform.log.clock = lambda: datetime.now(UTC).timestamp() + 3_700

    platform.schedule.deliver(platform.schedule.get(waiting).commit["sk"])

    assert http.get(f"/api/v1/events/{waiting}").json()["type"] == "order.late"
    assert http.get(f"/api/v1/scheduled/{waiting}").status == 404


def test_topic_scopes_apply(http, waiting, locked):
    bearer(http, "events:publish:user.*", "events:subscribe:user.*")
    body = {"type": "order.late", "deliver_at": soon()}
    assert http.post("/api/v1/events", body).status == 403
    assert http.get("/api/v1/scheduled").json()["scheduled"] == []
    assert http.get(f"/api/v1/scheduled/{waiting}").status == 404
    assert http.delete(f"/api/v1/scheduled/{waiting}").status == 403

    bearer(http, "events:publish:order.*", "events:subscribe:order.*")
    assert len(http.get("/api/v1/scheduled").json()["scheduled"]) == 1
    assert http.get(f"/api/v1/scheduled/{waiting}").status == 200
    assert http.delete(f"/api/v1/scheduled/{waiting}").status == 200
