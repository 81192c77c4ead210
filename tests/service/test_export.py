"""Exports: the log oldest first, each event once, whatever happens on the way."""

from __future__ import annotations

import dataclasses
import json

import pytest
import requests

from chalicelib.auth import ANYBODY
from chalicelib.events import exports as module
from chalicelib.events.drafts import drafts_of
from chalicelib.events.export import Bounds, page_bounds, wanted_of
from chalicelib.events.formats import FORMATS
from chalicelib.events.jobs import Jobs
from chalicelib.events.service import named
from eventyard.core import ulid
from eventyard.core.errors import ConflictError, NotFoundError, SubscriptionError
from tests.stack import client, resources
from tests.steps import dying, ids, publish

LARGE = "x" * 210_000
EVERYTHING = {"format": "jsonl", "topics": [], "filter": None}


def everything(_):
    return True


def names(batch):
    return [json.loads(row)["type"] for row in batch.rows]


def paged(platform, limit=2, wanted=everything, until_ms=None, meanwhile=None):
    """Follow the cursors to the end; returns the types page by page."""
    exporter, pages, after = platform.exporter, [], None
    while True:
        first, last = exporter.stretch(0, until_ms)
        batch = exporter.read(
            (after or first, last), wanted, FORMATS["jsonl"], page_bounds(limit)
        )
        pages.append(names(batch))
        if not batch.more:
            return pages
        after = batch.end
        if meanwhile:
            meanwhile()


def flat(pages):
    return [one for page in pages for one in page]


@pytest.fixture
def filled(platform, clock):
    """Seven commits of 1 to 3 events over several buckets; the last is settled."""
    types = []
    clock.tick(-1_800)
    for number in range(7):
        some = [f"c{number}.e{n}" for n in range(number % 3 + 1)]
        publish(platform, *[{"type": name} for name in some])
        types += some
        clock.tick(251)
    return types


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_bring_each_event_once_oldest_first(platform, filled, limit):
    pages = paged(platform, limit)

    assert flat(pages) == filled
    assert all(len(page) <= limit for page in pages)


def test_pages_bring_each_event_once_over_shards_too(platform, clock):
    platform.log.shards = 3
    types = [f"a.t{n}" for n in range(20)]
    for name in types:
        publish(platform, {"type": name})
        clock.tick(1)
    clock.tick(10)

    assert flat(paged(platform, 3)) == types


def test_while_new_events_come_each_comes_once_and_the_end_is_reached(
    platform, clock, filled
):
    added = []

    def more():
        if len(added) < 3:
            added.append(f"new.t{len(added)}")
            publish(platform, {"type": added[-1]})
            clock.tick(20)

    assert flat(paged(platform, 2, meanwhile=more)) == filled + added


def test_what_may_still_be_overtaken_is_left_for_later(platform, clock):
    publish(platform, {"type": "a.old"})
    clock.tick(8)
    late = platform.log.new_key()  # a slow call that writes later
    clock.tick(2)
    publish(platform, {"type": "a.new"})
    clock.tick(1)
    assert flat(paged(platform)) == ["a.old"]

    platform.log.append(late, named(drafts_of([{"type": "a.late"}]), late), "tester")
    clock.tick(10)
    assert flat(paged(platform)) == ["a.old", "a.late", "a.new"]


def test_an_end_that_is_named_is_reached_at_once(platform, clock):
    publish(platform, {"type": "a.b"})

    assert flat(paged(platform)) == []
    assert flat(paged(platform, until_ms=platform.log.now_ms())) == ["a.b"]


def test_a_page_ends_before_it_is_too_heavy_for_an_answer(platform, clock):
    for _ in range(3):
        publish(platform, {"type": "a.b", "payload": '"' * 600_000})
    clock.tick(11)

    # As a JSON string within a JSON string each quote has four characters.
    assert [len(page) for page in paged(platform, 100)] == [1, 1, 1]


def test_only_what_no_answer_can_hold_comes_without_its_payload(platform, clock):
    publish(platform, {"type": "a.fits", "payload": "x" * 4_500_000})
    clock.tick(1)
    publish(platform, {"type": "a.huge", "payload": '"' * 1_600_000})
    clock.tick(11)
    exporter = platform.exporter
    stretch = exporter.stretch(0, None)

    first = exporter.read(stretch, everything, FORMATS["json"], page_bounds(10))
    second = exporter.read(
        (first.end, stretch[1]), everything, FORMATS["json"], page_bounds(10)
    )

    (fits,), (huge,) = (map(json.loads, one.rows) for one in (first, second))
    assert len(fits["payload"]) == 4_500_000
    assert huge["dataref"].startswith("s3://")


def test_a_reading_that_finds_nothing_still_moves_on(platform, filled):
    exporter = platform.exporter
    bounds = Bounds(100, 1_000, len, 1_000, commits=2)
    first, last = exporter.stretch(0, None)
    wanted = wanted_of(["c6.**"], None)
    looks, found = 0, []
    while True:
        batch = exporter.read((first, last), wanted, FORMATS["jsonl"], bounds)
        looks, found = looks + 1, found + names(batch)
        if not batch.more:
            break
        assert batch.end > first
        first = batch.end

    assert found == ["c6.e0"]
    assert looks == 4


def test_a_commit_that_cannot_be_read_hides_no_other(platform, clock):
    publish(platform, {"type": "a.first"})
    clock.tick(1)
    key = platform.log.new_key()
    row = {"pk": platform.log.partition(key), "sk": key, "n": 1, "events": "{"}
    platform.table.put(row)
    clock.tick(1)
    publish(platform, {"type": "a.last"})
    clock.tick(11)

    assert flat(paged(platform)) == ["a.first", "a.last"]


# To files


def begin(platform, **wish):
    stretch = platform.exporter.stretch(0, None)
    return platform.exports.start({**EVERYTHING, **wish}, stretch, ANYBODY)["sk"]


def ended(platform, export_id):
    row = platform.exports.jobs.get(export_id)
    parts, _ = platform.exports.parts(row, None, 1_000)
    return row, parts


def texts(platform, export_id):
    """The texts of an export's files, in order."""
    s3, bucket = client("s3"), platform.settings.bucket
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"exports/{export_id}/")
    return [
        s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode()
        for one in found.get("Contents", [])
    ]


def types_in(platform, export_id):
    lines = "".join(texts(platform, export_id)).splitlines()
    return [json.loads(line)["type"] for line in lines]


@pytest.fixture
def small_parts(monkeypatch):
    """Files of three events each."""
    monkeypatch.setattr(module, "_PART", dataclasses.replace(module._PART, events=3))


@pytest.fixture
def one_part_a_step(small_parts, monkeypatch):
    monkeypatch.setattr(module, "STEP_SECONDS", -1.0)


def test_files_hold_each_event_once_and_tell_what_they_hold(
    platform, pump, filled, small_parts
):
    export_id = begin(platform)
    pump.run()

    row, parts = ended(platform, export_id)
    assert types_in(platform, export_id) == filled
    assert (row["state"], row["events"], row["scanned"]) == ("DONE", 13, 13)
    assert [part["events"] for part in parts] == [3, 3, 3, 3, 1]
    assert [part["name"] for part in parts][:2] == [
        "part-000000.jsonl",
        "part-000001.jsonl",
    ]
    sizes = [len(text.encode()) for text in texts(platform, export_id)]
    assert [part["bytes"] for part in parts] == sizes
    assert row["bytes"] == sum(sizes)


def test_it_goes_on_step_by_step(platform, pump, filled, one_part_a_step):
    export_id = begin(platform)
    steps = 0
    while pump.queue("chores"):
        steps += 1

    assert types_in(platform, export_id) == filled
    assert steps == 5


def test_a_link_gives_the_file_and_is_signed_as_aws_wants_it(platform, pump, filled):
    export_id = begin(platform)
    assert ended(platform, export_id)[1] == []
    pump.run()

    _, (part,) = ended(platform, export_id)

    assert "X-Amz-Signature=" in part["url"]
    assert "X-Amz-Expires=3600" in part["url"]
    assert f"exports/{export_id}/part-000000.jsonl" in part["url"]
    assert requests.get(part["url"], timeout=5).text == texts(platform, export_id)[0]


def test_a_step_that_is_done_twice_changes_nothing(platform, pump, filled, small_parts):
    export_id = begin(platform)
    records = pump.messages("chores")
    platform.chores.run({"Records": records})
    before = ended(platform, export_id)[0], texts(platform, export_id)
    platform.chores.run({"Records": records})
    pump.run()

    assert (ended(platform, export_id)[0], texts(platform, export_id)) == before


@pytest.mark.parametrize("verb", ["plan", "advance"])
@pytest.mark.parametrize("when", [(1, True), (1, False), (3, True), (3, False)])
def test_a_crash_anywhere_leaves_no_gap_and_no_repeat(
    pump, filled, small_parts, monkeypatch, verb, when
):
    platform = pump.platform
    export_id = begin(platform)
    records = pump.messages("chores")
    nth, noted = when
    dying(monkeypatch, Jobs, verb, nth, noted=noted)
    with pytest.raises(SystemExit):
        platform.chores.run({"Records": records})
    platform.chores.run({"Records": records})
    pump.run()

    row, parts = ended(platform, export_id)
    assert types_in(platform, export_id) == filled
    assert (row["state"], row["events"], len(parts)) == ("DONE", 13, 5)


def test_whoever_writes_a_planned_file_writes_the_planned_one(
    platform, pump, filled, small_parts, monkeypatch
):
    export_id = begin(platform)
    records = pump.messages("chores")
    put = module.Files.put

    def another_meanwhile(self, key, text, media):
        monkeypatch.setattr(module.Files, "put", put)
        # A second worker with other ideas of how much a file holds.
        other = dataclasses.replace(module._PART, events=1)
        monkeypatch.setattr(module, "_PART", other)
        platform.chores.run({"Records": records})
        return put(self, key, text, media)

    monkeypatch.setattr(module.Files, "put", another_meanwhile)
    platform.chores.run({"Records": records})
    pump.run()

    row, parts = ended(platform, export_id)
    assert types_in(platform, export_id) == filled
    assert row["events"] == sum(part["events"] for part in parts) == 13


def test_files_are_kept_as_long_as_their_export_is_told_to_be():
    bucket = resources()["Bucket"]["Properties"]
    rules = bucket["LifecycleConfiguration"]["Rules"]

    (rule,) = [rule for rule in rules if rule["Prefix"] == "exports/"]
    assert rule["ExpirationInDays"] * 86_400 == module.KEPT_SECONDS


def test_csv_has_one_header_line_in_all_its_files(platform, pump, filled, small_parts):
    export_id = begin(platform, format="csv")
    pump.run()

    lines = "".join(texts(platform, export_id)).splitlines()
    assert [line.split(",")[1] for line in lines] == ["type", *filled]


def test_each_file_of_json_is_an_array(platform, pump, filled, small_parts):
    export_id = begin(platform, format="json")
    pump.run()

    arrays = map(json.loads, texts(platform, export_id))
    assert [event["type"] for array in arrays for event in array] == filled


def test_topics_and_filter_narrow_it_and_empty_stretches_make_no_file(
    platform, pump, clock, small_parts
):
    for n in range(9):
        publish(platform, {"type": f"a.t{n % 2}", "payload": {"n": n}})
    clock.tick(11)

    export_id = begin(platform, topics=["a.t1"], filter={"payload.n": {"$gt": 2}})
    nothing = begin(platform, topics=["b.*"])
    pump.run()

    assert types_in(platform, export_id) == ["a.t1"] * 3
    assert ended(platform, export_id)[0]["scanned"] == 9
    row, parts = ended(platform, nothing)
    assert (row["state"], parts) == ("DONE", [])


def test_a_filter_that_makes_no_sense_begins_nothing(platform):
    with pytest.raises(SubscriptionError):
        begin(platform, filter={"a": {"$nope": 1}})

    assert platform.exports.jobs.all(None, 10) == ([], None)


def test_payloads_that_rest_in_s3_come_whole(platform, pump, clock):
    publish(platform, {"type": "a.b", "payload": {"text": LARGE}})
    clock.tick(11)
    export_id = begin(platform)
    pump.run()

    (text,) = texts(platform, export_id)
    assert json.loads(text)["payload"] == {"text": LARGE}


def test_it_can_be_cancelled_on_its_way(platform, pump, filled, one_part_a_step):
    export_id = begin(platform)
    pump.queue("chores")
    platform.exports.cancel(export_id, ANYBODY)
    pump.run()

    row, parts = ended(platform, export_id)
    assert row["state"] == "CANCELLED"
    assert [("url" in part, part["events"]) for part in parts] == [(False, 3)]
    with pytest.raises(ConflictError, match="CANCELLED"):
        platform.exports.cancel(export_id, ANYBODY)
    with pytest.raises(NotFoundError):
        platform.exports.cancel("exp_" + ulid.floor(0), ANYBODY)


def test_who_began_and_cancelled_one_stands_in_the_log(platform, pump, clock, filled):
    export_id = begin(platform)
    platform.exports.cancel(export_id, ANYBODY)
    clock.tick(11)

    told = {one for one in flat(paged(platform)) if one.startswith("eventyard.")}
    assert told == {"eventyard.export.started", "eventyard.export.cancelled"}


def test_an_export_is_of_the_log_alone_and_no_event_is_touched(platform, pump, clock):
    (told,) = publish(platform, {"type": "a.b"})
    clock.tick(11)
    begin(platform)
    pump.run()

    assert platform.events.get(told.event_id).type == "a.b"
    assert ids([told]) == [told.event_id]
