"""A publish with an Idempotency-Key: once in effect, whatever happens on the way."""

from __future__ import annotations

import pytest

from eventyard.core.errors import ConflictError, UnavailableError
from tests.steps import Crash, crash_before_append, ids, listed, meanwhile, publish

KEY = {"idempotency_key": "k-1"}


def test_a_retry_is_told_what_the_first_call_was_told(platform):
    first = publish(platform, {"type": "a"}, {"type": "b"}, **KEY)

    again = publish(platform, {"type": "a"}, {"type": "b"}, **KEY)

    assert ids(again) == ids(first)
    assert [one.timestamp for one in again] == [one.timestamp for one in first]
    assert [one.deduplicated for one in first + again] == [False, False, True, True]
    assert len(listed(platform)) == 2


def test_another_key_is_another_commit(platform):
    publish(platform, {"type": "a"}, idempotency_key="k-1")
    publish(platform, {"type": "a"}, idempotency_key="k-2")

    assert len(listed(platform)) == 2


def test_a_key_belongs_to_its_caller(platform):
    publish(platform, {"type": "a"}, by="anna", **KEY)

    told = publish(platform, {"type": "b"}, by="bert", **KEY)

    assert not told[0].deduplicated
    assert len(listed(platform)) == 2


@pytest.mark.parametrize(
    "other",
    [
        [{"type": "a", "payload": {"n": 2}}],
        [{"type": "b", "payload": {"n": 1}}],
        [{"type": "a", "payload": {"n": 1}}, {"type": "a", "payload": {"n": 1}}],
        [{"type": "a", "payload": {"n": 1}, "circle_id": "c"}],
        [{"type": "a", "payload": {"n": 1}, "id": "mine"}],
    ],
)
def test_a_key_used_again_for_something_else_is_a_conflict(platform, other):
    publish(platform, {"type": "a", "payload": {"n": 1}}, **KEY)

    with pytest.raises(ConflictError) as refused:
        publish(platform, *other, **KEY)

    assert refused.value.code == "idempotency_key_reused"
    assert len(listed(platform)) == 1


def test_the_time_of_a_retry_makes_it_no_other_call(platform):
    first = publish(
        platform, {"type": "a", "ttl": 60, "timestamp": "2026-01-01T00:00:00Z"}, **KEY
    )

    again = publish(
        platform, {"type": "a", "ttl": 60, "timestamp": "2026-01-01T00:00:09Z"}, **KEY
    )

    assert ids(again) == ids(first)
    assert again[0].timestamp == "2026-01-01T00:00:00.000Z"


def test_a_retry_after_a_crash_makes_the_commit_that_was_claimed(platform):
    promised = []

    def die(*args: object) -> bool:
        promised.append(args[0])
        raise Crash

    append, platform.log.append = platform.log.append, die
    with pytest.raises(Crash):
        publish(platform, {"type": "a"}, {"type": "b"}, **KEY)
    platform.log.append = append

    told = publish(platform, {"type": "a"}, {"type": "b"}, **KEY)

    assert ids(told)[0] == f"evt_{promised[0]}"
    assert [event.id for event in listed(platform)] == ids(told)[::-1]


def test_a_crash_after_the_commit_changes_nothing_for_the_retry(platform):
    append = platform.log.append

    def die_after(*args: object) -> bool:
        platform.log.append = append
        append(*args)
        raise Crash

    platform.log.append = die_after
    with pytest.raises(Crash):
        publish(platform, {"type": "a"}, **KEY)

    told = publish(platform, {"type": "a"}, **KEY)

    assert told[0].deduplicated
    assert [event.id for event in listed(platform)] == ids(told)


def test_two_calls_at_once_make_one_commit(platform):
    second = []
    meanwhile(platform, lambda: second.append(publish(platform, {"type": "a"}, **KEY)))

    first = publish(platform, {"type": "a"}, **KEY)

    assert ids(first) == ids(second[0])
    assert [event.id for event in listed(platform)] == ids(first)


def test_a_write_that_the_network_repeats_is_one_commit(platform):
    append = platform.log.append
    platform.log.append = lambda *args: append(*args) and append(*args)

    told = publish(platform, {"type": "a"}, {"type": "b"})

    assert [event.id for event in listed(platform)] == ids(told)[::-1]


def test_the_claim_of_a_dead_call_is_taken_over_after_36_seconds(platform, clock):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, {"type": "a"}, **KEY)
    died_at = clock.now
    clock.tick(36)

    told = publish(platform, {"type": "a"}, **KEY)
    again = publish(platform, {"type": "a"}, **KEY)

    # Under the claimed key, readers by cursor would have looked past it already.
    (event,) = listed(platform, since_ms=int(died_at * 1000) + 35_000)
    assert ids(told) == ids(again) == [event.id]
    assert again[0].deduplicated


def test_a_claim_is_not_taken_over_while_its_call_may_live(platform, clock):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, {"type": "a"}, **KEY)
    clock.tick(30)
    second = []
    meanwhile(platform, lambda: second.append(publish(platform, {"type": "a"}, **KEY)))

    first = publish(platform, {"type": "a"}, **KEY)

    assert ids(first) == ids(second[0])
    assert len(listed(platform)) == 1


def test_two_takeovers_at_once_make_one_commit(platform, clock):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, {"type": "a"}, **KEY)
    clock.tick(36)
    second = []
    meanwhile(platform, lambda: second.append(publish(platform, {"type": "a"}, **KEY)))

    first = publish(platform, {"type": "a"}, **KEY)

    assert ids(first) == ids(second[0])
    assert len(listed(platform)) == 1


def test_whoever_loses_the_takeover_writes_nothing(platform, clock):
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, {"type": "a"}, **KEY)
    clock.tick(36)
    take, first = platform.table.set, []

    def take_after_another(*args: object, **more: object) -> bool:
        platform.table.set = take
        first.append(publish(platform, {"type": "a"}, **KEY))
        return take(*args, **more)

    platform.table.set = take_after_another

    with pytest.raises(UnavailableError) as busy:
        publish(platform, {"type": "a"}, **KEY)

    assert busy.value.retryable
    assert [event.id for event in listed(platform)] == ids(first[0])
    assert ids(publish(platform, {"type": "a"}, **KEY)) == ids(first[0])


def test_a_keyed_event_with_an_id_of_its_own_is_found_by_that_id(platform):
    publish(platform, {"type": "a", "id": "mine", "source": "s"}, **KEY)

    assert platform.events.get("mine").type == "a"
    assert platform.events.get("mine", "s").type == "a"


def test_an_own_id_is_unique_with_and_without_a_key(platform):
    publish(platform, {"type": "a", "id": "mine"}, **KEY)

    without = publish(platform, {"type": "a", "id": "mine"})
    with_another = publish(platform, {"type": "a", "id": "mine"}, idempotency_key="k-2")

    assert without[0].deduplicated
    assert with_another[0].deduplicated
    assert len(listed(platform)) == 1


def test_a_keyed_retry_of_own_and_given_ids_is_told_the_same(platform):
    publish(platform, {"type": "old", "id": "known"})
    batch = [
        {"type": "a", "id": "mine"},
        {"type": "b"},
        {"type": "old", "id": "known"},
        {"type": "c"},
    ]
    first = publish(platform, *batch, **KEY)

    again = publish(platform, *batch, **KEY)

    assert ids(again) == ids(first)
    assert all(one.deduplicated for one in again)
    assert sorted(event.type for event in listed(platform)) == ["a", "b", "c", "old"]


def test_a_keyed_call_of_nothing_new_may_be_repeated(platform, clock):
    publish(platform, {"type": "a", "id": "mine"})
    publish(platform, {"type": "a", "id": "mine"}, **KEY)
    clock.tick(60)

    again = publish(platform, {"type": "a", "id": "mine"}, **KEY)

    assert ids(again) == ["mine"]
    assert len(listed(platform)) == 1


def test_a_keyed_call_with_own_ids_survives_a_crash(platform):
    batch = [{"type": "a", "id": "mine"}, {"type": "b"}]
    crash_before_append(platform)
    with pytest.raises(Crash):
        publish(platform, *batch, **KEY)

    told = publish(platform, *batch, **KEY)
    again = publish(platform, *batch, **KEY)

    assert ids(told) == ids(again)
    assert [event.id for event in listed(platform)] == ids(told)[::-1]


def test_the_log_refusing_what_it_does_not_hold_is_no_success(platform):
    platform.log.append = lambda *_: False

    with pytest.raises(UnavailableError):
        publish(platform, {"type": "a"})
