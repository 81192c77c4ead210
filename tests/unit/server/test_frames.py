from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.live import frames
from chalicelib.live.frames import SHARED_LIMIT, SINGLE_LIMIT, Renderer, pack
from chalicelib.live.store import Connection
from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.event import Event

KEY = ulid.new_ulid()


def connection(channel="dashboard", name="c1"):
    return Connection(
        id=name,
        channel=channel,
        client_id=f"client_{name}",
        endpoint="https://x.test/api",
        since=KEY,
        connected_at=0.0,
        batch=False,
        allowed=None,
        may_publish=None,
    )


def frame(event, channel="dashboard"):
    (text,) = Renderer().frames(connection(channel), Placed(KEY, event), "sub_1")
    return json.loads(text)


def test_a_dashboard_is_greeted_as_the_documents_say():
    hello = json.loads(frames.hello(connection(), {}))

    assert hello["type"] == "connection.established"
    assert hello["data"] == {
        "client_id": "client_c1",
        "message": "Connected to Eventyard",
        "cursor": KEY,
    }


def test_a_router_is_welcomed_as_the_documents_say():
    welcome = json.loads(frames.hello(connection("router"), {"recovered": False}))

    assert welcome.pop("server_time").endswith("Z")
    assert welcome == {
        "type": "welcome",
        "client_id": "client_c1",
        "cursor": KEY,
        "recovered": False,
    }


def test_an_error_says_what_when_and_more():
    error = json.loads(frames.error("No.", code="c", ref=7))

    assert error.pop("timestamp").endswith("Z")
    assert error == {"type": "error", "error": "No.", "code": "c", "ref": 7}


def test_a_moment_is_written_to_the_millisecond():
    at = datetime(2026, 1, 2, 3, 4, 5, 6_000, UTC).timestamp()

    assert frames.moment(at) == "2026-01-02T03:04:05.006Z"
    assert frames.moment(0) == "1970-01-01T00:00:00.000Z"


def test_the_fields_of_a_dashboard_stand_first_and_the_rest_beside_them():
    event = Event("a", {"n": 1}, id="mine", circle_id="c", tags=["t"], target="x")

    found = frame(event)

    assert list(found)[:8] == [
        "type",
        "data",
        "source_agent_id",
        "circle_id",
        "project_id",
        "event_id",
        "timestamp",
        "cursor",
    ]
    assert (found["data"], found["event_id"], found["cursor"]) == (
        {"n": 1},
        "mine",
        KEY,
    )
    assert (found["circle_id"], found["tags"], found["target"]) == ("c", ["t"], "x")
    assert "payload" not in found
    assert "id" not in found


def test_a_router_is_sent_the_event_as_it_is():
    event = Event("a", {"n": 1}, id="mine")

    assert frame(event, "router") == {
        "type": "event",
        "subscription_id": "sub_1",
        "cursor": KEY,
        "event": event.to_dict(),
    }


@pytest.mark.parametrize("channel", ["dashboard", "router"])
@pytest.mark.parametrize("payload", ["x" * 120_001, "ü" * 60_001])
def test_a_payload_above_the_gateways_limit_is_pointed_at(channel, payload):
    event = Event("a", payload, id="mine")

    found = frame(event, channel)

    inner = found["event"] if channel == "router" else found
    assert inner["dataref"] == "api/v1/events/mine"
    assert inner.get("payload", inner.get("data")) is None


@pytest.mark.parametrize("payload", ["x" * 119_000, "ü" * 59_000])
def test_a_payload_within_the_limit_is_sent(payload):
    assert frame(Event("a", payload))["data"] == payload


def test_a_payload_in_s3_is_pointed_at_where_a_client_can_go():
    event = Event("a", None, id="mine", dataref="s3://bucket/payloads/1.json")

    assert frame(event)["dataref"] == "api/v1/events/mine"


def test_no_frame_is_larger_than_the_gateway_takes():
    event = Event("a", "x", note='"' * 15_000, id="i" * 256, source="ü" * 256)

    for size in (118_000, 119_000, 119_999, 120_000, 200_000):
        event.payload = "x" * size
        (text,) = Renderer().frames(connection("router"), Placed(KEY, event), "s" * 30)
        assert len(text.encode()) <= SINGLE_LIMIT + 200 <= 128_000


def test_an_event_is_written_once_for_all_who_want_it():
    renderer = Renderer()
    placed = Placed(KEY, Event("a"))
    first = renderer.frames(connection(name="c1"), placed, "x")
    placed.event.payload = "changed since"

    assert renderer.frames(connection(name="c2"), placed, "y") is first


def test_channels_have_texts_of_their_own():
    renderer = Renderer()
    placed = Placed(KEY, Event("a"))

    one = json.loads(renderer.frames(connection("dashboard"), placed, "x")[0])
    other = json.loads(renderer.frames(connection("router"), placed, "x")[0])

    assert one["type"] == "a"
    assert other["type"] == "event"


def test_frames_that_are_not_shared_are_messages():
    assert list(pack(["1", "2"], shared=False)) == ["1", "2"]
    assert list(pack([], shared=True)) == list(pack([], shared=False)) == []


@given(st.lists(st.integers(1, 40_000), max_size=30))
def test_shared_frames_keep_their_order_and_stay_within_the_limit(sizes):
    texts = [json.dumps([n, "x" * size]) for n, size in enumerate(sizes)]

    packed = list(pack(texts, shared=True))

    unpacked = [part for message in packed for part in json.loads(message)]
    assert unpacked == [json.loads(text) for text in texts]
    for message in packed:
        assert len(message) <= SHARED_LIMIT + 1 or len(json.loads(message)) == 1


def test_shared_frames_are_measured_in_bytes():
    texts = [json.dumps("ü" * 10_000, ensure_ascii=False)] * 4

    assert [len(json.loads(m)) for m in pack(texts, shared=True)] == [1, 1, 1, 1]
