from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given

from eventyard.core.errors import ValidationError
from eventyard.core.event import Event
from eventyard.core.wire import dumps, from_cloudevent, loads, to_cloudevent
from tests.unit.core import strategies

FOREIGN = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "https://github.com/cloudevents",
    "type": "com.github.pull_request.opened",
    "subject": "123",
    "time": "2018-04-05T17:31:00Z",
    "datacontenttype": "application/json",
    "comexampleothervalue": 5,
    "correlationid": "c",
    "data": {"x": 1},
}


@given(strategies.events)
def test_nothing_is_lost_on_the_way(event):
    cloud = to_cloudevent(event)
    assert from_cloudevent(loads(dumps(cloud))) == event


@given(strategies.events)
def test_what_goes_out_is_a_cloudevent(event):
    cloud = to_cloudevent(event)
    assert cloud["specversion"] == "1.0"
    assert cloud["id"]
    assert cloud["source"]
    assert cloud["type"]
    for name, value in cloud.items():
        assert name.isascii()
        assert name.isalnum()
        assert name == name.lower()
        assert name == "data" or isinstance(value, bool | int | str)


def test_fields_and_attributes_have_their_places():
    cloud = to_cloudevent(
        Event(
            "a.b",
            [1],
            id="1",
            timestamp="2026-01-02T03:04:05Z",
            correlation_id="c",
            causation_id="d",
            expires_at="2026-01-02T04:04:05Z",
            tags=["t"],
            attributes={"subject": "s", "circle_id": 1, "flag": True, "big": 2**40},
        )
    )
    extra = json.loads(cloud.pop("eventyardextra"))
    assert extra == {"tags": ["t"], "attributes": {"circle_id": 1, "big": 2**40}}
    assert cloud == {
        "specversion": "1.0",
        "id": "1",
        "source": "/eventyard",
        "type": "a.b",
        "time": "2026-01-02T03:04:05.000Z",
        "priority": 5,
        "correlationid": "c",
        "causationid": "d",
        "expirytime": "2026-01-02T04:04:05.000Z",
        "datacontenttype": "application/json",
        "subject": "s",
        "flag": True,
        "data": [1],
    }


@pytest.mark.parametrize("media", [5, "image/png", "text/plain", "application/json"])
def test_an_attribute_that_does_not_describe_the_payload_travels_apart(media):
    event = Event("a", {"x": 1}, datacontenttype=media)
    cloud = to_cloudevent(event)
    assert cloud["datacontenttype"] == "application/json"
    assert from_cloudevent(cloud) == event


def test_a_foreign_event_is_read_with_its_extensions_as_attributes():
    event = from_cloudevent(FOREIGN | {"expirytime": None, "nothing": None})
    assert (event.id, event.source) == (FOREIGN["id"], FOREIGN["source"])
    assert (event.correlation_id, event.payload) == ("c", {"x": 1})
    assert event.attributes == {"subject": "123", "comexampleothervalue": 5}
    assert to_cloudevent(event) == FOREIGN | {
        "time": "2018-04-05T17:31:00.000Z",
        "priority": 5,
    }


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({"data": None}, None),
        ({"datacontenttype": "text/plain", "data": "x"}, "x"),
        ({"datacontenttype": "application/vnd.a+json; charset=utf-8"}, {"x": 1}),
        ({"data_base64": base64.b64encode(b"[1]").decode()}, [1]),
        ({"data_base64": "w6k=", "datacontenttype": "text/plain"}, "é"),
        ({}, {}),
    ],
)
def test_json_and_text_are_taken_and_their_type_is_kept(changes, payload):
    has_data = "data" in changes or "json" in changes.get("datacontenttype", "")
    cloud = {key: FOREIGN[key] for key in FOREIGN if key != "data" or has_data}
    event = from_cloudevent(cloud | changes)
    assert event.payload == payload
    media = changes.get("datacontenttype", "application/json")
    assert to_cloudevent(event)["datacontenttype"] == media


@pytest.mark.parametrize(
    ("changes", "name", "fault"),
    [
        ({"specversion": "0.3"}, "specversion", 'must be "1.0"'),
        ({"id": ""}, "id", "is required"),
        ({"id": "a b"}, "id", "white space"),
        ({"source": None}, "source", "is required"),
        ({"type": 5}, "type", "is required"),
        ({"type": "not a topic"}, "type", "letters, digits"),
        ({"time": "soon"}, "time", "time must be an ISO 8601"),
        ({"expirytime": 5}, "expirytime", "expirytime must be a date"),
        ({"correlationid": 5}, "correlationid", "correlationid must be a string"),
        ({"priority": "high"}, "priority", "a whole number"),
        ({"datacontenttype": "image/png"}, "datacontenttype", "JSON or text"),
        ({"datacontenttype": 5}, "datacontenttype", "JSON or text"),
        ({"datacontenttype": "text/plain"}, "data", "must be a string"),
        ({"data_base64": ""}, "data_base64", "beside data"),
        ({"1st": 5}, "attributes", "'1st' cannot name"),
        ({"eventyardextra": 5}, "eventyardextra", "JSON object"),
        ({"eventyardextra": "{"}, "eventyardextra", "JSON object"),
        ({"eventyardextra": "[]"}, "eventyardextra", "may hold source, ttl"),
        ({"eventyardextra": '{"id":"x"}'}, "eventyardextra", "may hold source, ttl"),
        ({"eventyardextra": '{"attributes":5}'}, "eventyardextra", "as an object"),
        ({"eventyardextra": '{"ttl":-1}'}, "ttl", "positive"),
    ],
)
def test_a_bad_attribute_is_refused_with_its_name(changes, name, fault):
    with pytest.raises(ValidationError, match=fault) as caught:
        from_cloudevent(FOREIGN | changes)
    assert caught.value.details["field"] == name


@pytest.mark.parametrize(
    ("encoded", "media"),
    [
        ("!", "application/json"),
        ("é", "application/json"),
        (5, "application/json"),
        ("/w==", "text/plain"),
        ("ew==", "application/json"),
    ],
)
def test_bytes_that_do_not_decode_are_refused(encoded, media):
    cloud = {key: FOREIGN[key] for key in FOREIGN if key != "data"}
    with pytest.raises(ValidationError, match="data_base64"):
        from_cloudevent(cloud | {"data_base64": encoded, "datacontenttype": media})


def test_what_is_no_object_is_refused():
    with pytest.raises(ValidationError, match="a CloudEvent must be an object"):
        from_cloudevent([])
