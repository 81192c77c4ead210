"""POST /api/v1/events: CloudEvents 1.0, one and in batches."""

from __future__ import annotations

import base64

import pytest

from tests.steps import listed

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
CLOUD = {
    "specversion": "1.0",
    "id": "A-1",
    "source": "/shop",
    "type": "order.paid",
    "time": "2026-01-02T03:04:05Z",
    "data": {"total": 1},
}


def test_a_cloudevent_keeps_its_id_source_and_time(http):
    told = http.post("/api/v1/events", CLOUD, Content_Type=ONE)

    assert told.status == 201
    assert told.json()["event_id"] == "A-1"
    read = http.get("/api/v1/events/A-1").json()
    assert read["type"] == "order.paid"
    assert read["source"] == "/shop"
    assert read["payload"] == {"total": 1}
    assert read["timestamp"] == "2026-01-02T03:04:05.000Z"


def test_extensions_become_fields_and_attributes(http):
    sent = {**CLOUD, "priority": 8, "correlationid": "c-9", "region": "eu"}

    http.post("/api/v1/events", sent, Content_Type=ONE)

    read = http.get("/api/v1/events/A-1").json()
    assert (read["priority"], read["correlation_id"]) == (8, "c-9")
    assert read["attributes"] == {"region": "eu"}


def test_a_batch_is_one_commit(http, platform):
    sent = [{**CLOUD, "id": f"A-{n}", "type": f"order.{n}"} for n in range(3)]

    told = http.post("/api/v1/events", sent, Content_Type=BATCH)

    assert told.status == 201
    assert [one["event_id"] for one in told.json()["events"]] == ["A-0", "A-1", "A-2"]
    assert [event.id for event in listed(platform)] == ["A-2", "A-1", "A-0"]


def test_the_same_cloudevent_twice_is_one_event(http, platform):
    http.post("/api/v1/events", CLOUD, Content_Type=ONE)

    again = http.post("/api/v1/events", CLOUD, Content_Type=ONE)

    assert again.status == 201
    assert again.json()["deduplicated"] is True
    assert len(listed(platform)) == 1


def test_base64_data_is_decoded(http):
    encoded = base64.b64encode(b'{"x":1}').decode()
    sent = {n: v for n, v in CLOUD.items() if n != "data"} | {"data_base64": encoded}

    http.post("/api/v1/events", sent, Content_Type=ONE)

    assert http.get("/api/v1/events/A-1").json()["payload"] == {"x": 1}


def test_an_array_is_no_single_cloudevent(http, platform):
    told = http.post("/api/v1/events", [CLOUD], Content_Type=ONE)

    assert told.status == 400
    assert BATCH in told.json()["error"]["message"]
    assert listed(platform) == []


def test_an_object_is_no_batch(http, platform):
    told = http.post("/api/v1/events", CLOUD, Content_Type=BATCH)

    assert told.status == 400
    assert "array" in told.json()["error"]["message"]
    assert listed(platform) == []


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type"])
def test_a_cloudevent_without_a_required_attribute_is_refused(http, platform, missing):
    broken = {name: value for name, value in CLOUD.items() if name != missing}

    told = http.post("/api/v1/events", [CLOUD, broken], Content_Type=BATCH)

    error = told.json()["error"]
    assert told.status == 400
    assert error["details"] == {"index": 1, "field": missing}
    assert listed(platform) == []


@pytest.mark.parametrize("ours", ['{"attempts":2}', '{"last_error":"x"}'])
def test_a_cloudevent_may_not_say_how_its_delivery_went(http, platform, ours):
    told = http.post(
        "/api/v1/events", {**CLOUD, "eventyardextra": ours}, Content_Type=ONE
    )

    assert told.status == 400
    assert listed(platform) == []
