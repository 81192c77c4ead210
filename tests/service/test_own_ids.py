"""Ids that senders choose: unique within a source, once in effect."""

from __future__ import annotations

import pytest

from eventyard.core import ulid
from eventyard.core.errors import NotFoundError, UnavailableError
from tests.steps import Crash, crash_before_append, ids, listed, meanwhile, publish


def commits(platform):
    placed = platform.log.backward(ulid.floor(2**47), 0)
    return [[event.id for event in commit.events] for commit in placed]


def test_an_own_id_stays_the_events_id(platform):
    told = publish(platform, {"type": "a", "id": "order-7", "source": "shop"})

    assert ids(told) == ["order-7"]
    assert platform.events.get("order-7").type == "a"
    assert listed(platform)[0].id == "order-7"


def test_a_retry_is_told_of_the_first_event(platform):
    publish(platform, {"type": "a", "id": "order-7", "payload": {"n": 1}})

    (again,) = publish(platform, {"type": "a", "id": "order-7", "payload": {"n": 2}})

    assert again.deduplicated
    assert [event.payload for event in listed(platform)] == [{"n": 1}]


def test_an_id_is_unique_within_its_source_alone(platform):
    publish(platform, {"type": "a", "id": "7", "source": "shop"})
    publish(platform, {"type": "b", "id": "7", "source": "bank"})
    publish(platform, {"type": "c", "id": "7"})

    assert platform.events.get("7", "shop").type == "a"
    assert platform.events.get("7", "bank").type == "b"
    assert platform.events.get("7", "").type == "c"
    assert len(listed(platform)) == 3
    with pytest.raises(NotFoundError):
        platform.events.get("7", "elsewhere")


def test_without_a_source_the_newest_of_an_id_is_found(platform, clock):
    publish(platform, {"type": "newer", "id": "7", "source": "a"})
    clock.tick(5)
    publish(platform, {"type": "newest", "id": "7", "source": "b"})

    assert platform.events.get("7").type == "newest"


def test_an_own_id_that_looks_like_one_of_ours_is_found(platform):
    mine = f"evt_{ulid.new_ulid()}"

    publish(platform, {"type": "a", "id": mine})

    assert platform.events.get(mine).type == "a"


def test_in_a_batch_only_what_is_new_is_appended(platform):
    publish(platform, {"type": "a", "id": "1"})

    told = publish(
        platform,
        {"type": "a", "id": "1"},
        {"type": "b", "id": "2"},
        {"type": "c"},
    )

    assert ids(told)[:2] == ["1", "2"]
    assert [one.deduplicated for one in told] == [True, False, False]
    assert commits(platform) == [["2", ids(told)[2]], ["1"]]
    assert platform.events.get(ids(told)[2]).type == "c"


def test_the_same_id_twice_in_one_batch_is_one_event(platform):
    told = publish(
        platform,
        {"type": "a", "id": "1", "payload": "first"},
        {"type": "a", "id": "1", "payload": "second"},
        {"type": "b", "id": "2"},
    )

    assert ids(told) == ["1", "1", "2"]
    assert commits(platform) == [["1", "2"]]
    assert platform.events.get("1").payload == "first"


def test_a_retry_after_a_crash_appends_what_was_claimed(platform):
    batch = [{"type": "a", "id": "1"}, {"type": "b"}, {"type": "c", "id": "2"}]
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, *batch)
    assert listed(platform) == []

    told = publish(platform, *batch)

    assert commits(platform) == [["1", ids(told)[1], "2"]]


def test_a_crash_among_the_claims_leaves_one_commit_to_the_retry(platform):
    batch = [{"type": "a", "id": "1"}, {"type": "b", "id": "2"}]
    claims, put_new = [], platform.table.put_new

    def die_at_the_second(item):
        claims.append(item)
        if len(claims) == 2:
            raise Crash
        return put_new(item)

    platform.table.put_new = die_at_the_second
    with pytest.raises(Crash):
        publish(platform, *batch)
    platform.table.put_new = put_new

    publish(platform, *batch)

    assert commits(platform) == [["1", "2"]]


def test_two_calls_at_once_make_one_event(platform):
    meanwhile(platform, lambda: publish(platform, {"type": "a", "id": "1"}))

    told = publish(platform, {"type": "a", "id": "1"})

    assert ids(told) == ["1"]
    assert commits(platform) == [["1"]]


def test_a_batch_racing_with_a_part_of_it_loses_nothing(platform):
    refused = []

    def publish_a_part():
        with pytest.raises(UnavailableError) as error:
            publish(platform, {"type": "a", "id": "1"})
        refused.append(error.value)

    meanwhile(platform, publish_a_part)

    told = publish(platform, {"type": "a", "id": "1"}, {"type": "b", "id": "2"})

    assert refused[0].retryable
    assert ids(told) == ["1", "2"]
    assert commits(platform) == [["1", "2"]]
    assert publish(platform, {"type": "a", "id": "1"})[0].deduplicated


def test_an_abandoned_claim_is_taken_over_after_36_seconds(platform, clock):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, {"type": "a", "id": "1"})
    died_at = clock.now
    clock.tick(36)

    told = publish(platform, {"type": "a", "id": "1"})

    assert not told[0].deduplicated
    (commit,) = platform.log.backward(ulid.floor(2**47), 0)
    assert ulid.timestamp_ms(commit.key) == int(died_at * 1000) + 36_000
    assert publish(platform, {"type": "a", "id": "1"})[0].deduplicated


def test_a_part_of_a_dead_batch_may_be_published_after_36_seconds(platform, clock):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, {"type": "a", "id": "1"}, {"type": "b", "id": "2"})
    clock.tick(36)

    publish(platform, {"type": "b", "id": "2"})
    publish(platform, {"type": "a", "id": "1"})

    assert sorted(commits(platform)) == [["1"], ["2"]]  # of one millisecond


def test_whoever_loses_the_takeover_of_an_id_writes_nothing(platform, clock):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, {"type": "a", "id": "1"})
    clock.tick(36)
    take = platform.table.set

    def take_after_another(*args: object, **more: object) -> bool:
        platform.table.set = take
        publish(platform, {"type": "a", "id": "1"})
        return take(*args, **more)

    platform.table.set = take_after_another

    with pytest.raises(UnavailableError):
        publish(platform, {"type": "a", "id": "1"})

    assert commits(platform) == [["1"]]


def test_claims_that_age_apart_still_make_one_commit(platform, clock):
    batch = [{"type": "a", "id": "1"}, {"type": "b", "id": "2"}]
    put_new = platform.table.put_new

    def put_slowly(item):
        clock.tick(1)
        return put_new(item)

    platform.table.put_new = put_slowly
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, *batch)
    platform.table.put_new = put_new
    clock.tick(33.5)  # the first claim is abandoned by now, the second is not

    with pytest.raises(UnavailableError):
        publish(platform, *batch)
    clock.tick(1)
    publish(platform, *batch)

    assert commits(platform) == [["1", "2"]]
    assert all(one.deduplicated for one in publish(platform, *batch))


def test_an_own_id_is_known_as_long_as_its_event_is_kept(platform, clock):
    publish(platform, {"type": "a", "id": "mine"})

    row = platform.table.get("id#mine", "source#")
    assert row["ttl"] >= clock.now + platform.settings.retention_days * 86_400


def test_a_claim_that_expired_between_two_calls_is_taken_again(platform):
    publish(platform, {"type": "a", "id": "1"})
    get = platform.table.get

    def expired(pk: str, sk: str):
        platform.table.get = get
        platform.table.delete(pk, sk)

    platform.table.get = expired

    told = publish(platform, {"type": "a", "id": "1"})

    assert ids(told) == ["1"]
    assert not told[0].deduplicated
