from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given

from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError, ValidationError
from eventyard.core.event import Event
from tests.unit.core import strategies

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Kind(StrEnum):
    CREATED = "user.created"


class Level(IntEnum):
    HIGH = 7


def test_an_event_needs_only_a_type():
    before = datetime.now(UTC)
    event = Event("user.created")
    assert event.id.startswith("evt_")
    assert ulid.is_ulid(event.id.removeprefix("evt_"))
    assert before <= event.timestamp <= datetime.now(UTC)
    assert (event.payload, event.headers, event.tags) == ({}, {}, [])
    assert (event.priority, event.attempts, event.max_attempts) == (5, 0, 3)
    assert event.source is event.version is event.expires_at is None


def test_positions_and_keywords_say_the_same():
    at = {"id": "1", "timestamp": MOMENT}
    event = Event("a", {"x": 1}, **at)
    assert event == Event(type="a", payload={"x": 1}, **at)
    assert event == Event("a", data={"x": 1}, **at)
    assert event != Event("b", {"x": 1}, **at)
    assert event != "a"
    assert {event: 1}[Event("a", {"x": 1}, **at)] == 1


def test_enums_give_their_value():
    event = Event(Kind.CREATED, priority=Level.HIGH)
    assert (type(event.type), event.type) == (str, "user.created")
    assert (type(event.priority), event.priority) == (int, 7)


def test_unknown_keywords_become_attributes_that_read_like_fields():
    event = Event("a", circle_id=1, attributes={"project_id": "p", "circle_id": 0})
    assert event.attributes == {"project_id": "p", "circle_id": 1}
    assert (event.circle_id, event.project_id, event.nothing) == (1, "p", None)
    event.circle_id = 2
    event.project_id = None
    assert event.attributes == {"circle_id": 2}


def test_private_names_are_no_attributes():
    event = Event("a", attributes={"_x": 1})
    with pytest.raises(AttributeError, match="_x"):
        event._x  # noqa: B018
    with pytest.raises(AttributeError, match="_x"):
        event._x = 1


def test_data_reads_and_writes_the_payload():
    event = Event("a", {"x": 1})
    event.data = [2]
    assert event.payload == event.data == [2]


def test_none_unsets_an_optional_field():
    event = Event("a", source=None, priority=None, tags=None, id=None, timestamp=None)
    assert (event.source, event.priority, event.tags) == (None, 5, [])
    event.priority = 9
    event.priority = None
    assert event.priority == 5
    assert Event("a", None).payload is None


@pytest.mark.parametrize(
    ("fields", "field", "fault"),
    [
        ({"priority": 0}, "priority", "from 1 to 10, not 0"),
        ({"priority": 11}, "priority", "from 1 to 10, not 11"),
        ({"priority": True}, "priority", "a whole number, not True"),
        ({"priority": 5.0}, "priority", "a whole number"),
        ({"type": "a..b"}, "type", "empty segment"),
        ({"type": None}, "type", "must be a string"),
        ({"id": ""}, "id", "1 to 256 printable"),
        ({"id": "a b"}, "id", "white space"),
        ({"id": "a\n"}, "id", "white space"),
        ({"id": "a" * 257}, "id", "at most 256"),
        ({"id": 5}, "id", "must be a string, not int"),
        ({"payload": {1, 2}}, "payload", "a JSON value, not set"),
        ({"source": "a" * 257}, "source", "at most 256"),
        ({"target": 5}, "target", "must be a string"),
        ({"correlation_id": 5}, "correlation_id", "must be a string"),
        ({"timestamp": 5}, "timestamp", "a date and time, not int"),
        ({"timestamp": "soon"}, "timestamp", "ISO 8601"),
        ({"timestamp": "0001-01-01T00:00:00+05:00"}, "timestamp", "ISO 8601"),
        ({"ttl": 0}, "ttl", "positive"),
        ({"ttl": float("nan")}, "ttl", "positive"),
        ({"ttl": True}, "ttl", "positive"),
        ({"ttl": 1e300}, "ttl", "year 9999"),
        ({"version": -1}, "version", "not be negative"),
        ({"attempts": "1"}, "attempts", "a whole number"),
        ({"headers": {"a": 1}}, "headers", "strings to strings"),
        ({"headers": ["a"]}, "headers", "strings to strings"),
        ({"tags": "urgent"}, "tags", "list of strings"),
        ({"tags": [1]}, "tags", "list of strings"),
        ({"last_error": 5}, "last_error", "must be a string"),
        ({"attributes": []}, "attributes", "must be an object"),
        ({"attributes": {"1a": 1}}, "attributes", "'1a' cannot name an attribute"),
        ({"trace-id": 1}, "attributes", "'trace-id' cannot name an attribute"),
        ({"circle": object()}, "circle", "a JSON value, not object"),
        ({"payload": 1, "data": 2}, "payload", "given twice"),
    ],
)
def test_a_bad_field_is_refused_with_its_name(fields, field, fault):
    with pytest.raises(ValidationError, match=fault) as caught:
        Event(**({"type": "a"} | fields))
    assert caught.value.details["field"] == field


def test_fields_are_checked_whenever_they_are_set():
    event = Event("a")
    with pytest.raises(ValidationError, match="priority must be from 1 to 10"):
        event.priority = 11
    assert event.priority == 5


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        ("2026-01-02T03:04:05.678901Z", MOMENT),
        ("2026-01-02T05:04:05.678901+02:00", MOMENT),
        ("2026-01-02T03:04:05.678901", MOMENT),
        (MOMENT.replace(tzinfo=None), MOMENT),
        (MOMENT.astimezone(timezone(timedelta(hours=2))), MOMENT),
    ],
)
def test_moments_are_read_into_utc(given_, read):
    event = Event("a", timestamp=given_)
    assert event.timestamp == read
    assert event.timestamp.tzinfo is UTC


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [(678901, "05.678901Z"), (678000, "05.678Z"), (0, "05.000Z")],
)
def test_moments_are_written_with_a_z(microsecond, text):
    event = Event("a", timestamp=MOMENT.replace(microsecond=microsecond))
    assert event.to_dict()["timestamp"] == "2026-01-02T03:04:" + text


def test_ttl_decides_when_an_event_expires():
    event = Event("a", timestamp=MOMENT, ttl=60)
    end = MOMENT + timedelta(seconds=60)
    assert event.expires_at == end
    assert not event.is_expired(end - timedelta(seconds=1))
    assert event.is_expired(end)
    assert not Event("a").is_expired(end)
    assert Event("a", ttl=60, expires_at=MOMENT).expires_at == MOMENT


def test_a_copy_differs_in_what_was_asked_for_only():
    event = Event("a", {"x": 1}, ttl=60, tags=["t"], circle_id=1, timestamp=MOMENT)
    assert event.copy() == event
    assert event.copy(priority=9, circle_id=2).to_dict() == event.to_dict() | {
        "priority": 9,
        "attributes": {"circle_id": 2},
    }
    assert event.copy(data=5).payload == 5
    assert event.copy(ttl=1).expires_at == MOMENT + timedelta(seconds=1)
    assert event.copy(ttl=None).expires_at is None
    event.copy().tags.append("u")
    assert event.tags == ["t"]


def test_the_wire_form_holds_the_basics_and_what_is_set():
    event = Event("a", {"x": 1}, id="1", timestamp=MOMENT)
    assert event.to_dict() == {
        "id": "1",
        "type": "a",
        "payload": {"x": 1},
        "source": None,
        "priority": 5,
        "timestamp": "2026-01-02T03:04:05.678901Z",
    }
    assert repr(event) == "<Event a 1>"


@given(strategies.events)
def test_the_wire_form_loses_nothing(event):
    wire = event.to_dict()
    before = copy.deepcopy(wire)
    assert Event.from_dict(wire) == event
    assert wire == before
    assert Event.from_json(event.to_json()) == event


@given(strategies.events)
def test_an_event_survives_copying_and_pickling(event):
    assert copy.deepcopy(event) == pickle.loads(pickle.dumps(event)) == event


def test_unknown_keys_of_the_wire_form_are_attributes():
    wire = {"type": "a", "data": [1], "self": 1, "attributes": {"x": 1}, "y": None}
    event = Event.from_dict(wire)
    assert (event.payload, event.attributes) == ([1], {"self": 1, "x": 1})


@pytest.mark.parametrize(
    ("wire", "fault"), [({}, "type is required"), ([], "an event must be an object")]
)
def test_what_is_no_event_is_refused(wire, fault):
    with pytest.raises(ValidationError, match=fault):
        Event.from_dict(wire)


def test_bad_json_is_refused():
    with pytest.raises(InvalidRequestError, match="invalid JSON"):
        Event.from_json("{")


def test_the_view_is_flat_and_fields_win():
    event = Event(
        "a",
        {"x": 1},
        ttl=60,
        timestamp=MOMENT,
        attributes={"circle_id": 1, "source": "fake", "priority": 9},
    )
    view = event.view()
    assert (view["circle_id"], view["priority"]) == (1, 5)
    assert view["data"] is view["payload"] is event.payload
    assert view["attributes"]["source"] == "fake"
    assert view["timestamp"] == "2026-01-02T03:04:05.678901Z"
    assert view["expires_at"] == "2026-01-02T03:05:05.678901Z"
    assert not {"source", "tags", "headers", "version"} & view.keys()
