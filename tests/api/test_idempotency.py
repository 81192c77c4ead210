"""The Idempotency-Key header, as a client sees it."""

from __future__ import annotations

import pytest

from tests.steps import bearer, listed


def publish(http, body, key):
    return http.post("/api/v1/events", body, Idempotency_Key=key)


def test_a_retry_is_answered_as_the_first_call_was_and_marked_as_replayed(http):
    first = publish(http, {"type": "a"}, "k-1")

    again = publish(http, {"type": "a"}, "k-1")

    assert (first.status, again.status) == (201, 201)
    assert again.json()["event_id"] == first.json()["event_id"]
    assert again.json()["timestamp"] == first.json()["timestamp"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


def test_a_retried_array_is_answered_with_the_same_ids(http, platform):
    batch = [{"type": "a"}, {"type": "b"}]
    first = publish(http, batch, "k-1").json()

    again = publish(http, batch, "k-1")

    assert again.headers["idempotency-replayed"] == "true"
    assert [e["event_id"] for e in again.json()["events"]] == [
        e["event_id"] for e in first["events"]
    ]
    assert len(listed(platform)) == 2


def test_another_body_under_the_same_key_is_a_conflict(http, platform):
    publish(http, {"type": "a"}, "k-1")

    other = publish(http, {"type": "b"}, "k-1")

    assert other.status == 409
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert [event.type for event in listed(platform)] == ["a"]


def test_two_callers_may_use_the_same_key(http, locked):
    bearer(http, "events:publish", name="anna")
    publish(http, {"type": "a"}, "k-1")
    bearer(http, "events:publish", name="bert")

    told = publish(http, {"type": "b"}, "k-1")

    assert told.status == 201
    assert len(listed(locked)) == 2


@pytest.mark.parametrize("key", ["", "two words", "x" * 257, "ü"])
def test_a_key_is_visible_ascii(http, platform, key):
    told = publish(http, {"type": "a"}, key)

    assert told.status == 400
    assert "Idempotency-Key" in told.json()["error"]["message"]
    assert listed(platform) == []


def test_an_id_known_already_is_told_as_such_but_is_no_replay(http):
    http.post("/api/v1/events", {"type": "a", "id": "mine"})

    again = http.post("/api/v1/events", {"type": "a", "id": "mine"})

    assert again.status == 201
    assert again.json()["event_id"] == "mine"
    assert again.json()["deduplicated"] is True
    assert "idempotency-replayed" not in again.headers
