"""Event streams, as a client sees them."""

from __future__ import annotations

import pytest

from tests.steps import bearer

PATH = "/api/v1/streams/order-1"


@pytest.fixture
def stream(http):
    """A stream of three events."""
    http.post(f"{PATH}/events", {"type": "order.created", "data": {"n": 1}})
    body = {"events": [{"type": "order.paid"}, {"type": "order.sent"}]}
    http.post(f"{PATH}/events", body)
    return http


def test_an_append_tells_versions_and_ids(http):
    answer = http.post(f"{PATH}/events", {"type": "a", "data": 1, "priority": 9})

    told = answer.json()
    event = http.get(f"/api/v1/events/{told['events'][0]['event_id']}").json()
    assert answer.status == 201
    assert (told["stream_id"], told["version"]) == ("order-1", 1)
    assert told["events"][0]["version"] == 1
    assert (event["payload"], event["priority"], event["version"]) == (1, 9, 1)


def test_a_stream_is_read_from_a_version_to_another(stream):
    whole = stream.get(f"{PATH}/events?from_version=0").json()
    part = stream.get(f"{PATH}/events?from_version=2&to_version=2").json()
    page = stream.get(f"{PATH}/events?limit=2").json()

    assert [e["version"] for e in whole["events"]] == [1, 2, 3]
    assert whole["next_version"] is None
    assert [e["type"] for e in part["events"]] == ["order.paid"]
    assert (len(page["events"]), page["next_version"]) == (2, 3)


def test_a_conflict_tells_both_versions(stream):
    answer = stream.post(f"{PATH}/events", {"type": "a", "expected_version": 1})

    assert answer.status == 409
    assert answer.json()["error"]["details"] == {"expected": 1, "actual": 3}


def test_a_retry_with_its_key_is_replayed(http):
    calls = [
        http.post(f"{PATH}/events", {"type": "a"}, Idempotency_Key="k")
        for _ in range(2)
    ]

    first, again = (call.json() for call in calls)
    assert again == {**first, "deduplicated": True}
    assert calls[1].headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "body",
    [
        [],
        7,
        {},
        {"events": []},
        {"events": {"type": "a"}},
        {"events": [{"type": "a"}], "type": "a"},
        {"events": [7]},
        {"type": "a", "expected_version": -1},
        {"type": "a", "expected_version": True},
        {"type": "a", "expected_version": "1"},
        {"type": "a", "expected_version": 1.0},
        {"type": "a", "id": "mine"},
        {"type": "eventyard.x"},
    ],
)
def test_a_body_that_makes_no_sense_changes_nothing(http, body):
    assert http.post(f"{PATH}/events", body).status == 400
    assert http.get(PATH).status == 404


@pytest.mark.parametrize(
    "path",
    ["", "/events", "/snapshot"],
)
def test_what_is_not_there_is_not_found(http, path):
    assert http.get(PATH + path).status == 404


def test_a_name_that_is_none_is_refused(http):
    assert http.get("/api/v1/streams/a%20b").status == 400
    assert http.post("/api/v1/streams/a%2Fb/events", {"type": "a"}).status == 400


def test_a_snapshot_is_kept_and_told(stream):
    nothing = stream.get(PATH).json()
    saved = stream.put(f"{PATH}/snapshot", {"version": 2, "state": {"paid": True}})

    assert nothing["snapshot_version"] is None
    assert saved.json() == {"stream_id": "order-1", "snapshot_version": 2}
    assert stream.get(f"{PATH}/snapshot").json()["state"] == {"paid": True}
    assert stream.get(PATH).json() == {
        "stream_id": "order-1",
        "version": 3,
        "snapshot_version": 2,
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"version": 4, "state": 1}, 409),
        ({"version": 0, "state": 1}, 400),
        ({"version": "2", "state": 1}, 400),
        ({"version": 2}, 400),
        ({"version": 2, "state": 1, "more": 1}, 400),
    ],
)
def test_a_snapshot_that_makes_no_sense_is_refused(stream, body, status):
    assert stream.put(f"{PATH}/snapshot", body).status == status
    assert stream.get(f"{PATH}/snapshot").status == 404


def test_whoever_may_not_see_all_of_a_stream_sees_nothing_of_it(stream, locked):
    bearer(stream, "admin")
    stream.put(f"{PATH}/snapshot", {"version": 1, "state": 1})
    bearer(stream, "events:subscribe:order.created", "events:publish:order.created")
    refused = [stream.get(PATH + path) for path in ("", "/events", "/snapshot")]
    refused += [
        stream.put(f"{PATH}/snapshot", {"version": 1, "state": 2}),
        stream.post(f"{PATH}/events", {"type": "order.paid"}),
    ]
    assert [answer.status for answer in refused] == [403] * 5

    bearer(stream, "events:subscribe:order.*", "events:publish:order.*")

    assert stream.get(f"{PATH}/events").status == 200
    assert stream.get(f"{PATH}/snapshot").json()["state"] == 1
    assert stream.post(f"{PATH}/events", {"type": "order.paid"}).status == 201
