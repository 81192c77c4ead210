"""Payloads held against schemas, wherever they are published."""

from __future__ import annotations

import sys

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.events.schemas import KEPT_SECONDS, SchemaService, SchemaStore
from eventyard.core.errors import ConflictError, NotFoundError, ValidationError
from tests.steps import (
    Crash,
    crash_before_append,
    greeted,
    ids,
    listed,
    publish,
    say,
)

ORDER = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number", "minimum": 0}},
}
BAD = {"type": "order.placed", "payload": {"total": -1}}
GOOD = {"type": "order.placed", "payload": {"total": 1}}
WARNED = {
    "pattern": "order.*",
    "path": "payload.total",
    "message": "-1 is less than the minimum of 0",
}


def save(platform, topics="order.*", schema=ORDER, mode="enforce"):
    return platform.schemas.save(topics, schema, mode, "")[0]


def test_a_violation_refuses_the_whole_commit_and_says_where(platform):
    save(platform)

    with pytest.raises(ValidationError) as refused:
        publish(platform, GOOD, {"type": "user.a"}, BAD)

    assert refused.value.code == "invalid_event"
    assert refused.value.details == {"index": 2, **WARNED}
    assert listed(platform) == []


def test_what_fits_and_what_has_no_schema_is_accepted(platform):
    save(platform)

    told = publish(platform, GOOD, {"type": "user.a", "payload": {"total": -1}})

    assert [one.to_dict().get("warnings") for one in told] == [None, None]
    assert len(listed(platform)) == 2


def test_a_warning_is_told_of_its_event_alone_and_the_events_are_accepted(platform):
    save(platform, mode="warn")

    told = publish(platform, GOOD, BAD)

    assert [one.to_dict().get("warnings") for one in told] == [None, [WARNED]]
    assert len(listed(platform)) == 2


def test_a_schema_that_is_off_says_nothing(platform):
    save(platform, mode="off")

    (told,) = publish(platform, BAD)

    assert "warnings" not in told.to_dict()


def test_all_schemas_of_a_topic_apply(platform):
    save(platform, "order.*", mode="warn")
    save(platform, "**", {"required": ["by"]}, mode="warn")
    save(platform, "order.placed", {"required": ["by"]}, mode="warn")

    (told,) = publish(platform, BAD)

    patterns = [warning["pattern"] for warning in told.to_dict()["warnings"]]
    assert sorted(patterns) == ["**", "order.*", "order.placed"]
    save(platform, "order.#", {"required": ["by"]}, mode="enforce")
    with pytest.raises(ValidationError):
        publish(platform, BAD)


def test_over_a_socket_it_is_refused_and_warned_alike(platform, pump):
    save(platform, mode="warn")
    save(platform, "user.*", {"type": "string"})
    greeted(pump, channel="router")

    (warned,) = say(platform, "c1", {"type": "publish", "event": BAD})
    (several,) = say(platform, "c1", {"type": "publish", "events": [GOOD, BAD]})
    (refused,) = say(
        platform, "c1", {"type": "publish", "event": {"type": "user.a"}, "ref": 7}
    )

    assert (warned["type"], warned["warnings"]) == ("published", [WARNED])
    assert [one.get("warnings") for one in several["events"]] == [None, [WARNED]]
    assert (refused["type"], refused["code"]) == ("error", "invalid_event")
    assert refused["ref"] == 7
    assert refused["details"]["pattern"] == "user.*"
    assert len(listed(platform)) == 3


def test_what_only_points_at_its_payload_is_held_against_null(platform):
    save(platform)

    with pytest.raises(ValidationError):
        publish(platform, {"type": "order.x", "dataref": "https://files.test/1"})


def test_a_large_payload_is_checked_before_it_is_stored_elsewhere(platform, calls):
    save(platform)
    calls.clear()

    with pytest.raises(ValidationError):
        publish(platform, {"type": "order.x", "payload": {"text": "x" * 300_000}})

    assert "PutObject" not in calls.made


def test_a_refused_event_leaves_its_key_and_its_id_free(platform):
    save(platform)
    with pytest.raises(ValidationError):
        publish(platform, {**BAD, "id": "mine"}, idempotency_key="k")

    told = publish(platform, {**GOOD, "id": "mine"}, idempotency_key="k")

    assert told[0].to_dict() == {
        "event_id": "mine",
        "status": "published",
        "timestamp": told[0].timestamp,
    }


def test_a_retry_is_answered_as_its_first_call_whatever_schema_came_since(platform):
    first = publish(platform, BAD, idempotency_key="k")
    save(platform)

    again = publish(platform, BAD, idempotency_key="k")

    assert ids(again) == ids(first)
    assert again[0].deduplicated
    with pytest.raises(ValidationError):
        publish(platform, BAD, idempotency_key="another")
    with pytest.raises(ConflictError):
        publish(platform, {**BAD, "type": "order.x"}, idempotency_key="k")
    assert len(listed(platform)) == 1


def test_a_call_that_died_is_finished_whatever_schema_came_since(platform):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, BAD, idempotency_key="k")
    save(platform)

    assert len(publish(platform, BAD, idempotency_key="k")) == 1
    assert len(listed(platform)) == 1


def test_a_retry_is_warned_as_its_first_call_was(platform):
    save(platform, mode="warn")
    first = publish(platform, BAD, GOOD, idempotency_key="k")

    again = publish(platform, BAD, GOOD, idempotency_key="k")

    assert [one.warnings for one in again] == [one.warnings for one in first]
    assert ids(again) == ids(first)


def test_what_the_platform_tells_is_never_refused(platform):
    save(platform, "**", {"type": "string"})
    save(platform, "eventyard.**", {"type": "string"})

    platform.audit.tell("thing.changed", ANYBODY, {"n": 1})

    assert [event.type for event in listed(platform)] == ["eventyard.thing.changed"]


def test_schemas_are_read_every_ten_seconds_at_most(platform, calls, clock):
    save(platform)
    publish(platform, GOOD)
    calls.clear()

    for _ in range(3):
        publish(platform, GOOD)
    clock.tick(KEPT_SECONDS)
    publish(platform, GOOD)
    publish(platform, GOOD)

    assert calls.made == [*["PutItem"] * 3, "Query", *["PutItem"] * 2]


def test_what_only_the_platform_tells_reads_no_schemas(platform, calls):
    platform.schemas._book = None

    platform.audit.tell("thing.changed", ANYBODY, {})

    assert calls.made == ["PutItem"]


def test_another_process_goes_by_a_change_within_ten_seconds(platform, clock):
    publish(platform, BAD)
    elsewhere = SchemaService(SchemaStore(platform.table))
    saved, _ = elsewhere.save("order.*", ORDER, "enforce", "")
    publish(platform, BAD)

    clock.tick(KEPT_SECONDS)
    with pytest.raises(ValidationError):
        publish(platform, BAD)
    elsewhere.remove(saved.id)
    with pytest.raises(ValidationError):
        publish(platform, BAD)
    clock.tick(KEPT_SECONDS)

    assert len(publish(platform, BAD)) == 1


def test_the_process_that_changes_a_schema_goes_by_it_at_once(platform):
    publish(platform, BAD)
    saved = save(platform)
    with pytest.raises(ValidationError):
        publish(platform, BAD)

    save(platform, mode="warn")
    assert publish(platform, BAD)[0].warnings
    platform.schemas.remove(saved.id)

    assert not publish(platform, BAD)[0].warnings


def test_without_a_schema_nothing_heavy_is_imported(platform, monkeypatch):
    for name in ("jsonschema", "referencing", "genson"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    monkeypatch.delitem(sys.modules, "chalicelib.events.jsonschemas", raising=False)

    assert len(publish(platform, GOOD)) == 1
    assert "chalicelib.events.jsonschemas" not in sys.modules


def test_a_schema_is_compiled_once(platform, clock):
    from chalicelib.events.jsonschemas import compile_schema

    save(platform)
    compile_schema.cache_clear()
    for _ in range(3):
        publish(platform, GOOD)
        clock.tick(KEPT_SECONDS)

    assert compile_schema.cache_info().misses == 1


def test_a_pattern_has_one_schema_however_it_is_spelt(platform):
    first, created = platform.schemas.save("a.**", ORDER, "warn", "one")
    second, again = platform.schemas.save("a.#", {}, "enforce", "two")

    assert (created, again) == (True, False)
    assert first.id == second.id
    assert second.created_at == first.created_at
    (kept,) = platform.schemas.page(None, 10, None)[0]
    assert (kept.topics, kept.mode, kept.description) == ("a.#", "enforce", "two")
    assert kept.to_dict()["schema"] == {}


def test_numbers_in_a_schema_are_kept_as_they_were_written(platform):
    schema = {"multipleOf": 0.01, "maximum": 1e300, "minimum": -(10**60), "enum": [1.0]}

    saved = save(platform, schema=schema)

    assert platform.schemas.get(saved.id, None).to_dict()["schema"] == schema


def test_one_that_is_removed_while_it_is_replaced_is_written_anew(platform):
    saved = save(platform)
    put_new = platform.table.put_new

    def remove_after(item):
        written = put_new(item)
        platform.table.put_new = put_new
        platform.schemas.store.remove(saved.id)
        return written

    platform.table.put_new = remove_after

    _, created = platform.schemas.save("order.*", {}, "warn", "")

    assert created
    assert platform.schemas.get(saved.id, None).mode == "warn"


def test_there_are_a_hundred_schemas_at_most(platform):
    for number in range(100):
        save(platform, f"t.{number}", {})

    with pytest.raises(ConflictError):
        save(platform, "one.more", {})

    save(platform, "t.7", {"type": "string"})  # replacing is none more
    found, cursor = platform.schemas.page(None, 60, None)
    rest, end = platform.schemas.page(None, 60, cursor)
    assert (len(found), len(rest), end) == (60, 40, None)
    assert len({schema.id for schema in found + rest}) == 100


def test_infer_looks_at_the_newest_and_fetches_what_rests_elsewhere(platform):
    large = {"text": "x" * 300_000}
    publish(platform, {"type": "a", "payload": {"old": 1}})
    publish(platform, {"type": "a", "payload": large})
    publish(platform, {"type": "a", "payload": {"text": "y"}})

    def read(count, cursor):
        return platform.events.page(
            lambda _: True, since_ms=0, until_ms=None, limit=count, cursor=cursor
        )

    schema, examined = platform.schemas.infer(read, 2)

    assert examined == 2
    assert schema["properties"] == {"text": {"type": "string"}}
    assert platform.schemas.infer(read, 10)[1] == 3


def test_infer_reads_on_over_pages_and_gives_up_on_a_long_log(platform):
    platform.events.looked_at = 2
    for number in range(12):
        publish(platform, {"type": "a" if number == 9 else "b", "payload": number})

    def read(wanted):
        return lambda count, cursor: platform.events.page(
            lambda view: view["type"] == wanted,
            since_ms=0,
            until_ms=None,
            limit=count,
            cursor=cursor,
        )

    assert platform.schemas.infer(read("a"), 100)[1] == 1
    assert platform.schemas.infer(read("b"), 3)[1] == 3
    with pytest.raises(NotFoundError):
        platform.schemas.infer(read("c"), 100)


def test_infer_leaves_out_what_it_cannot_look_at(platform):
    publish(platform, {"type": "a", "dataref": "https://files.test/1"})

    with pytest.raises(NotFoundError):
        platform.schemas.infer(
            lambda count, cursor: platform.events.page(
                lambda _: True, since_ms=0, until_ms=None, limit=count, cursor=cursor
            ),
            10,
        )
