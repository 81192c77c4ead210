"""POST /api/v1/events: what a publisher sends, and what it is told."""

from __future__ import annotations

import pytest

from eventyard.core import moments, ulid
from tests.steps import connect, listed

ALIASES = ("/api/v1/events", "/api/v1/events/batch")


def test_a_publisher_is_answered_in_the_documented_shape(http):
    told = http.post(
        "/api/v1/events",
        {
            "type": "user.created",
            "payload": {"id": 123, "name": "Alice"},
            "priority": 5,
            "source": "api",
        },
    )

    answer = told.json()
    assert told.status == 201
    assert answer.keys() == {"event_id", "status", "timestamp"}
    assert answer["status"] == "published"
    assert answer["event_id"].startswith("evt_")
    assert ulid.is_ulid(answer["event_id"].removeprefix("evt_"))
    assert answer["timestamp"].endswith("Z")
    assert moments.read(answer["timestamp"]).year >= 2026


def test_a_published_event_reads_back_as_it_was_sent(http):
    sent = {
        "type": "order.paid",
        "payload": {"total": 42.5, "lines": [1, None, {"ü": "ß"}]},
        "source": "shop",
        "target": "billing",
        "priority": 9,
        "correlation_id": "c-1",
        "causation_id": "evt_before",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "headers": {"h": "1"},
        "tags": ["a", "b"],
    }

    told = http.post("/api/v1/events", sent).json()

    read = http.get(f"/api/v1/events/{told['event_id']}").json()
    assert read == {"id": told["event_id"], **sent}


def test_an_event_published_over_http_reaches_a_live_dashboard(
    platform, http, pump, gateway
):
    connect(platform, events="user.*")
    pump.run()

    told = http.post("/api/v1/events", {"type": "user.created", "payload": {"id": 1}})
    pump.run()

    hello, event = gateway.frames("c1")
    assert hello["type"] == "connection.established"
    assert event["event_id"] == told.json()["event_id"]
    assert event["data"] == {"id": 1}


@pytest.mark.parametrize("address", ALIASES)
def test_an_array_is_answered_event_by_event_in_its_order(http, address):
    told = http.post(address, [{"type": "a.1"}, {"type": "a.2"}, {"type": "a.3"}])

    answer = told.json()
    assert told.status == 201
    assert (answer["count"], answer["status"]) == (3, "published")
    published = [one["event_id"] for one in answer["events"]]
    types = [http.get(f"/api/v1/events/{one}").json()["type"] for one in published]
    assert types == ["a.1", "a.2", "a.3"]


def test_an_array_of_one_is_answered_as_an_array(http):
    told = http.post("/api/v1/events", [{"type": "a"}])

    assert told.json()["count"] == 1
    assert len(told.json()["events"]) == 1


def test_a_hundred_events_are_one_commit(http, platform):
    told = http.post("/api/v1/events", [{"type": f"a.{n}"} for n in range(100)])

    ids = [one["event_id"].removeprefix("evt_") for one in told.json()["events"]]
    assert ids == [ulid.add(ids[0], n) for n in range(100)]
    assert len(platform.log.get(ids[0]).events) == 100


def test_data_is_another_name_for_payload(http):
    told = http.post("/api/v1/events", {"type": "a", "data": {"x": 1}}).json()

    read = http.get(f"/api/v1/events/{told['event_id']}").json()
    assert read["payload"] == {"x": 1}


@pytest.mark.parametrize("payload", [None, 0, "text", [1], {"deep": {"er": []}}])
def test_any_json_value_may_be_the_payload(http, payload):
    told = http.post("/api/v1/events", {"type": "a", "payload": payload}).json()

    read = http.get(f"/api/v1/events/{told['event_id']}").json()
    assert read["payload"] == payload


def test_unknown_keys_become_attributes_that_can_be_filtered(http):
    mine = http.post("/api/v1/events", {"type": "a", "circle_id": "c1"}).json()
    http.post("/api/v1/events", {"type": "a", "circle_id": "c2"})
    http.post("/api/v1/events", {"type": "a"})

    found = http.get("/api/v1/events?filter=circle_id:eq:c1").json()["events"]

    assert [event["id"] for event in found] == [mine["event_id"]]
    assert found[0]["attributes"] == {"circle_id": "c1"}


def test_every_priority_from_one_to_ten_is_taken(http):
    sent = [{"type": "a", "priority": n} for n in range(1, 11)]

    told = http.post("/api/v1/events", sent)

    assert told.status == 201
    found = http.get("/api/v1/events?limit=10").json()["events"]
    assert [event["priority"] for event in found[::-1]] == list(range(1, 11))


def test_one_bad_member_refuses_the_whole_array(http, platform):
    told = http.post(
        "/api/v1/events",
        [{"type": "a"}, {"type": "b", "priority": 99}, {"type": "c"}],
    )

    error = told.json()["error"]
    assert told.status == 400
    assert error["code"] == "invalid_event"
    assert error["details"] == {"index": 1, "field": "priority"}
    assert listed(platform) == []


@pytest.mark.parametrize("number", [0, 101])
def test_a_commit_has_at_least_one_and_at_most_a_hundred_events(http, platform, number):
    told = http.post("/api/v1/events", [{"type": "a"}] * number)

    error = told.json()["error"]
    assert told.status == 400
    assert error["code"] == "invalid_request"
    assert error["details"] == {"limit": 100, "events": number}
    assert listed(platform) == []


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"type": "a", "priority": 0}, "priority"),
        ({"type": "a", "priority": 11}, "priority"),
        ({"type": "a", "priority": True}, "priority"),
        ({"type": "a", "priority": "5"}, "priority"),
        ({"type": "a", "priority": 5.0}, "priority"),
        ({"payload": {}}, "type"),
        ({"type": "user.*"}, "type"),
        ({"type": "a..b"}, "type"),
        ({"type": ""}, "type"),
        ({"type": 7}, "type"),
        ({"type": "a" * 257}, "type"),
        ({"type": "a", "id": "two words"}, "id"),
        ({"type": "a", "source": 1}, "source"),
        ({"type": "a", "timestamp": "yesterday"}, "timestamp"),
        ({"type": "a", "ttl": -1}, "ttl"),
        ({"type": "a", "headers": {"n": 1}}, "headers"),
        ({"type": "a", "tags": "x"}, "tags"),
        ({"type": "a", "attempts": 1}, "attempts"),
        ({"type": "a", "last_error": "no"}, "last_error"),
        ({"type": "a", "payload": {}, "data": {}}, "payload"),
        ({"type": "a", "2fast": 1}, "attributes"),
    ],
)
def test_a_field_that_does_not_hold_what_it_may_is_named(http, platform, event, field):
    told = http.post("/api/v1/events", event)

    error = told.json()["error"]
    assert told.status == 400
    assert error["code"] == "invalid_event"
    assert error["details"]["field"] == field
    assert error["message"]
    assert listed(platform) == []


@pytest.mark.parametrize("event", [7, "text", None, [[]]])
def test_an_event_must_be_an_object(http, event):
    told = http.post("/api/v1/events", event if isinstance(event, list) else [event])

    assert told.status == 400
    assert told.json()["error"]["code"] == "invalid_event"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "position 0"),
        ("{", "position 1"),
        ('{"type":"a","payload":NaN}', "NaN"),
        ('{"type":"a","payload":-Infinity}', "Infinity"),
        ('{"type":"a","payload":1e999}', "out of range"),
        ('{"type":"a","payload":"\\ud800"}', "surrogate"),
        ('{"type":"a","payload":' + "[" * 65 + "]" * 65 + "}", "64 levels"),
        ('{"type":"a","payload":' + "[" * 90_000 + "]" * 90_000 + "}", "64 levels"),
        (b'{"type":"a","payload":"\xff"}', "UTF-8"),
    ],
)
def test_what_is_no_json_is_refused_with_its_reason(http, platform, body, reason):
    told = http.post("/api/v1/events", body)

    error = told.json()["error"]
    assert told.status == 400
    assert error["code"] == "invalid_json"
    assert reason in error["message"]
    assert listed(platform) == []


def test_a_body_above_five_megabytes_is_refused_whole(http, platform):
    told = http.post("/api/v1/events", {"type": "a", "payload": "x" * 5_000_000})

    error = told.json()["error"]
    assert told.status == 413
    assert error["code"] == "payload_too_large"
    assert error["details"]["limit"] == 5_000_000
    assert listed(platform) == []


def test_too_many_attributes_are_too_large(http, platform):
    told = http.post("/api/v1/events", {"type": "a", "note": "x" * 32_001})

    assert told.status == 413
    assert told.json()["error"]["code"] == "payload_too_large"
    assert listed(platform) == []


def test_a_publisher_may_not_point_into_the_platforms_own_bucket(http, platform):
    ours = platform.log.blobs.put("01" + "A" * 24, '"somebody else"')

    told = http.post("/api/v1/events", {"type": "a", "dataref": ours})

    assert told.status == 400
    assert "dataref" in told.json()["error"]["message"]
    assert listed(platform) == []


def test_a_publishers_own_dataref_is_kept_and_never_followed(http, platform):
    other = "s3://somebody-else/payloads/01AAAAAAAAAAAAAAAAAAAAAAAA.json"

    told = http.post("/api/v1/events", {"type": "a", "dataref": other}).json()

    read = http.get(f"/api/v1/events/{told['event_id']}").json()
    assert read["dataref"] == other
    assert "s3" not in platform.aws.__dict__


def test_a_dataref_has_the_length_of_an_address(http, platform):
    told = http.post("/api/v1/events", {"type": "a", "dataref": "x" * 2_049})

    assert told.status == 400
    assert told.json()["error"]["details"]["field"] == "dataref"
    assert listed(platform) == []


def test_a_media_type_may_have_parameters(http):
    told = http.post(
        "/api/v1/events", {"type": "a"}, Content_Type="application/json; charset=utf-8"
    )

    assert told.status == 201


def test_another_media_type_is_refused_in_the_shape_of_every_error(http, platform):
    told = http.post("/api/v1/events", "type=a", Content_Type="text/plain")

    error = told.json()["error"]
    assert told.status == 415
    assert error["code"] == "unsupported_media_type"
    assert error.keys() == {"code", "message", "details"}
    assert listed(platform) == []


def test_a_fault_of_our_own_tells_nothing_of_its_inside(http, platform, capsys):
    def broken(*_: object) -> bool:
        raise RuntimeError("a detail of the inside")

    platform.log.append = broken

    told = http.post("/api/v1/events", {"type": "a"})

    assert told.status == 500
    assert told.json()["error"]["code"] == "internal"
    assert "inside" not in told.text
    assert "a detail of the inside" in capsys.readouterr().err
