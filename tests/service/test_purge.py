"""Purges: what is old goes for good, and nothing else does."""

from __future__ import annotations

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.events import purge as module
from chalicelib.events.blobs import Blobs
from chalicelib.events.jobs import Jobs, moment
from chalicelib.events.log import BUCKET_MS, Directory
from chalicelib.table import Table
from eventyard.core import moments
from eventyard.core.errors import ConflictError, InvalidRequestError, NotFoundError
from tests.stack import client
from tests.steps import dying, ids, listed, publish

LARGE = "x" * 210_000


def begin(platform, older_than="30m"):
    purges = platform.purges
    return purges.start(purges.stretch(older_than), ANYBODY)["sk"]


def swept(platform, clock, seconds):
    """Let time pass, and the sweep go over all that is there."""
    clock.tick(seconds)
    platform.relay.catch_up()


def payloads(platform):
    found = client("s3").list_objects_v2(
        Bucket=platform.settings.bucket, Prefix="payloads/"
    )
    return {one["Key"] for one in found.get("Contents", [])}


def own(platform):
    """What was published here, without what the platform tells itself."""
    return [e.type for e in listed(platform) if not e.type.startswith("eventyard.")]


def commits_in(platform):
    scanned = client("dynamodb").scan(TableName=platform.settings.table)["Items"]
    return [row["sk"]["S"] for row in scanned if row["pk"]["S"].startswith("log#")]


def listed_buckets(platform):
    rows = platform.table.query("directory")
    return {int(b) for row in rows for b in row.get("buckets", ())}


@pytest.fixture
def filled(platform, clock):
    """Ten commits of two events over 90 minutes, then a young one after half an hour."""
    platform.relay.catch_up()
    old = []
    for n in range(10):
        old += ids(publish(platform, {"type": f"old.t{n}"}, {"type": f"old.u{n}"}))
        swept(platform, clock, 540)
    swept(platform, clock, 1_800)
    young = ids(publish(platform, {"type": "young.a"}))
    swept(platform, clock, 960)
    return old, young


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(module, "_PIECE", 3)


def test_what_is_old_is_gone_and_what_is_young_stays(platform, pump, filled):
    old, young = filled
    purge_id = begin(platform)
    pump.run()

    assert own(platform) == ["young.a"]
    assert platform.events.get(young[0]).type == "young.a"
    for event_id in old:
        with pytest.raises(NotFoundError):
            platform.events.get(event_id)
    row = platform.purges.jobs.get(purge_id)
    assert (row["state"], row["commits"], row["events"]) == ("DONE", 10, 20)


def test_the_moment_is_exact_to_the_millisecond(platform, pump, clock):
    platform.relay.catch_up()
    publish(platform, {"type": "a.before"})
    clock.tick(0.001)
    at = platform.log.now_ms()
    publish(platform, {"type": "a.at"})
    swept(platform, clock, 3_600)
    begin(platform, moment(at))
    pump.run()

    assert own(platform) == ["a.at"]


def test_counts_of_what_was_published_do_not_fall(platform, pump, filled):
    before = platform.relay.progress().published
    begin(platform)
    pump.run()

    after = platform.relay.progress().published
    assert before == 21
    assert after == before + 2  # what the platform told of the purge


def test_the_directory_forgets_what_is_empty_and_keeps_the_rest(platform, pump, filled):
    before = listed_buckets(platform)
    begin(platform)
    pump.run()

    kept = listed_buckets(platform)
    edge = (platform.log.now_ms() - 1_800_000) // BUCKET_MS
    assert min(before) < edge - 5
    assert min(kept, default=edge) >= edge
    assert before - kept == {bucket for bucket in before if bucket < edge}
    assert own(platform) == ["young.a"]


def test_payloads_in_s3_go_with_their_events_alone(platform, pump, clock):
    platform.relay.catch_up()
    publish(platform, {"type": "old.a", "payload": {"text": LARGE}})
    whole = [{"type": "old.b", "payload": "y" * 60_000} for _ in range(7)]
    publish(platform, *whole, {"type": "old.b", "payload": LARGE})
    assert len(payloads(platform)) == 3
    swept(platform, clock, 3_600)
    (young,) = publish(platform, {"type": "young.a", "payload": {"text": LARGE}})
    begin(platform)
    pump.run()

    assert len(payloads(platform)) == 1
    assert platform.events.get(young.event_id).payload == {"text": LARGE}


def test_no_event_takes_the_payload_of_another_one_with_it(platform, pump, clock):
    platform.relay.catch_up()
    young_key = platform.log.new_key()
    address = platform.log.blobs.put(young_key, '"kept"')
    publish(platform, {"type": "old.a", "payload": {"see": address}})
    swept(platform, clock, 3_600)
    begin(platform)
    pump.run()

    assert own(platform) == []
    assert platform.log.blobs.get(address) == '"kept"'


def test_what_cannot_be_read_goes_too(platform, pump, clock):
    platform.relay.catch_up()
    key = platform.log.new_key()
    row = {"pk": platform.log.partition(key), "sk": key, "n": 1, "events": "{"}
    platform.table.put(row)
    swept(platform, clock, 3_600)
    begin(platform)
    pump.run()

    assert key not in commits_in(platform)


@pytest.mark.parametrize("older_than", ["0s", "14m", "899999ms"])
def test_what_is_young_is_not_purged(platform, filled, older_than):
    with pytest.raises(InvalidRequestError, match="15 minutes"):
        begin(platform, older_than)

    assert len(own(platform)) == 21


@pytest.mark.parametrize("older_than", ["", "30", "a month", "-1d", "2026-13-01"])
def test_what_is_no_time_is_refused(platform, filled, older_than):
    with pytest.raises(InvalidRequestError, match="older_than"):
        begin(platform, older_than)


def test_a_time_in_the_future_is_refused(platform, filled):
    with pytest.raises(InvalidRequestError):
        begin(platform, "2999-01-01T00:00:00Z")


@pytest.mark.parametrize("older_than", ["900000d", "0001-01-01T00:00:00Z"])
def test_what_is_older_than_everything_is_nothing(platform, pump, filled, older_than):
    purge_id = begin(platform, older_than)
    pump.run()

    row = platform.purges.jobs.get(purge_id)
    assert (row["state"], row["commits"]) == ("DONE", 0)
    assert len(own(platform)) == 21


def test_what_the_sweep_has_not_come_to_is_not_purged(platform, clock):
    platform.relay.catch_up()
    publish(platform, {"type": "a.b"})
    clock.tick(3_600)  # and no sweep
    with pytest.raises(ConflictError, match="sweep") as refused:
        begin(platform)
    moments.read(refused.value.details["swept_until"])
    platform.relay.catch_up()
    begin(platform)


def test_a_platform_that_never_swept_purges_nothing_young(platform, clock):
    publish(platform, {"type": "a.b"})
    clock.tick(1_900)

    with pytest.raises(ConflictError):
        begin(platform)


def test_a_count_counts_and_changes_nothing(platform, filled, monkeypatch):
    purges = platform.purges
    stretch = purges.stretch("30m")

    assert purges.count(stretch) == {"commits": 10, "events": 20, "at_least": False}
    monkeypatch.setattr(module, "_COUNTED", 4)
    assert purges.count(stretch) == {"commits": 4, "events": 8, "at_least": True}
    assert len(own(platform)) == 21


def test_it_goes_on_step_by_step(platform, pump, filled, small_pieces, monkeypatch):
    monkeypatch.setattr(module, "STEP_SECONDS", -1.0)
    purge_id = begin(platform)
    shown, steps = [], 0
    while pump.queue("chores"):
        steps += 1
        shown.append(platform.purges.jobs.get(purge_id)["commits"])

    assert shown == [3, 6, 9, 10]
    assert own(platform) == ["young.a"]


def test_a_step_that_is_done_twice_deletes_and_counts_once(platform, pump, filled):
    purge_id = begin(platform)
    records = pump.messages("chores")
    platform.chores.run({"Records": records})
    platform.chores.run({"Records": records})
    pump.run()

    row = platform.purges.jobs.get(purge_id)
    assert (row["commits"], row["events"]) == (10, 20)
    assert sum(e.type == "eventyard.purge.done" for e in listed(platform)) == 1


@pytest.mark.parametrize(
    ("owner", "verb"),
    [
        (Jobs, "plan"),
        (Blobs, "remove"),
        (Table, "delete_many"),
        (Directory, "forget"),
        (Jobs, "advance"),
    ],
)
@pytest.mark.parametrize("noted", [True, False])
def test_a_crash_anywhere_leaves_nothing_behind_and_counts_right(
    pump, filled, monkeypatch, owner, verb, noted
):
    platform = pump.platform
    monkeypatch.setattr(module, "_PIECE", 3)
    purge_id = begin(platform)
    records = pump.messages("chores")
    dying(monkeypatch, owner, verb, 2, noted=noted)
    with pytest.raises(SystemExit):
        platform.chores.run({"Records": records})
    platform.chores.run({"Records": records})
    pump.run()

    row = platform.purges.jobs.get(purge_id)
    assert (row["state"], row["commits"], row["events"]) == ("DONE", 10, 20)
    assert own(platform) == ["young.a"]


def test_a_crash_at_the_very_end_tells_of_it_once(platform, pump, filled, monkeypatch):
    purge_id = begin(platform)
    records = pump.messages("chores")
    dying(monkeypatch, Jobs, "finish", 1, noted=False)
    with pytest.raises(SystemExit):
        platform.chores.run({"Records": records})
    platform.chores.run({"Records": records})

    assert platform.purges.jobs.get(purge_id)["state"] == "DONE"
    assert sum(e.type == "eventyard.purge.done" for e in listed(platform)) == 1


def test_nothing_is_asked_of_s3_where_nothing_rests_there(
    calls, platform, pump, filled
):
    begin(platform)
    calls.clear()
    pump.run()

    assert "BatchWriteItem" in calls.counted
    assert "DeleteObjects" not in calls.counted


def test_a_crash_between_payload_and_commit_is_mended(
    platform, pump, clock, monkeypatch
):
    platform.relay.catch_up()
    publish(platform, {"type": "old.a", "payload": {"text": LARGE}})
    swept(platform, clock, 3_600)
    begin(platform)
    records = pump.messages("chores")

    def die(self, keys):
        monkeypatch.undo()
        raise SystemExit

    monkeypatch.setattr(Table, "delete_many", die)
    with pytest.raises(SystemExit):
        platform.chores.run({"Records": records})
    assert payloads(platform) == set()
    platform.chores.run({"Records": records})

    assert own(platform) == []


def test_payloads_that_s3_keeps_are_tried_again(platform, pump, clock, monkeypatch):
    platform.relay.catch_up()
    publish(platform, {"type": "old.a", "payload": {"text": LARGE}})
    swept(platform, clock, 3_600)
    begin(platform)
    records = pump.messages("chores")
    s3 = platform.aws.s3
    delete = s3.delete_objects
    kept = {"Errors": [{"Key": "k", "Code": "InternalError"}]}
    monkeypatch.setattr(s3, "delete_objects", lambda **_: kept)
    failed = platform.chores.run({"Records": records})
    assert len(failed["batchItemFailures"]) == 1
    assert own(platform) == ["old.a"]

    monkeypatch.setattr(s3, "delete_objects", delete)
    assert platform.chores.run({"Records": records}) == {"batchItemFailures": []}
    assert payloads(platform) == set()


KEY = {"idempotency_key": "k-1"}


@pytest.mark.parametrize(
    ("event", "more"),
    [
        ({"type": "a.b"}, KEY),
        ({"type": "a.b", "id": "mine", "source": "s"}, {}),
        ({"type": "a.b", "id": "mine", "source": "s"}, KEY),
    ],
)
def test_a_retry_of_what_was_deleted_publishes_it_anew(
    platform, pump, clock, event, more
):
    platform.relay.catch_up()
    publish(platform, event, **more)
    swept(platform, clock, 3_600)
    begin(platform)
    pump.run()
    assert own(platform) == []

    (again,) = publish(platform, event, **more)
    (repeated,) = publish(platform, event, **more)

    assert not again.deduplicated
    assert repeated.deduplicated
    assert again.event_id == repeated.event_id
    assert own(platform) == ["a.b"]


def test_a_retry_of_a_call_half_of_whose_events_were_deleted_is_answered(
    platform, pump, clock
):
    platform.relay.catch_up()
    mine = {"type": "a.mine", "id": "mine", "source": "s"}
    publish(platform, mine)
    swept(platform, clock, 3_600)
    # This commit holds the other event alone: mine had been published.
    first = publish(platform, mine, {"type": "a.other"}, **KEY)
    assert [one.deduplicated for one in first] == [True, False]
    begin(platform)
    pump.run()

    again = publish(platform, mine, {"type": "a.other"}, **KEY)

    assert ids(again) == ids(first)
    assert own(platform) == ["a.other"]


def test_who_began_one_and_what_it_did_stands_in_the_log(platform, pump, filled):
    purge_id = begin(platform)
    pump.run()

    told = {e.type: e for e in listed(platform)}
    started, done = told["eventyard.purge.started"], told["eventyard.purge.done"]
    assert started.payload["id"] == done.payload["id"] == purge_id
    assert (done.payload["commits"], done.payload["events"]) == (10, 20)
    assert done.payload["by"]["id"] == ANYBODY.id


def test_streams_stay_whole(platform, pump, clock):
    from chalicelib.events.drafts import drafts_of
    from chalicelib.events.streams import Wish

    platform.relay.catch_up()
    platform.streams.append("s-1", Wish(drafts_of([{"type": "a.b"}]), "tester"))
    swept(platform, clock, 3_600)
    begin(platform)
    pump.run()

    assert own(platform) == []
    assert len(platform.streams.read("s-1", 1, 9, 9).events) == 1


def test_two_at_once_delete_everything_once(platform, pump, filled, small_pieces):
    begin(platform)
    begin(platform)
    pump.run()

    assert own(platform) == ["young.a"]
    rows, _ = platform.purges.jobs.all(None, 10)
    assert {row["state"] for row in rows} == {"DONE"}
