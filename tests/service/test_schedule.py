"""Delayed publishing: kept apart, delivered once, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.events.log import time_key
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    ValidationError,
)
from tests.steps import Crash, greeted, ids, listed, meanwhile, publish


def after(clock, seconds):
    moment = datetime.fromtimestamp(clock.now, UTC) + timedelta(seconds=seconds)
    return moment.isoformat()


def later(platform, clock, *events, seconds=60, **more):
    moment = after(clock, seconds)
    return publish(platform, *({**e, "deliver_at": moment} for e in events), **more)


def types(platform):
    return [event.type for event in listed(platform)]


def waiting(platform, limit=500, cursor=None):
    return platform.schedule.page(lambda _: True, limit, cursor)


@pytest.fixture(autouse=True)
def started(clock, platform):
    """The agenda has its checkpoint, as minutes after the platform was made."""
    platform.agenda.tick()


@pytest.fixture
def sent(platform):
    """What was left to the queue of chores, with how many seconds it waits."""
    found = []
    platform.schedule.send = lambda chore, delay: found.append((chore["key"], delay))
    return found


def test_a_scheduled_event_is_published_when_it_is_due_and_not_before(platform, clock):
    (told,) = later(platform, clock, {"type": "a.b", "payload": {"n": 1}})
    assert told.to_dict()["status"] == "scheduled"
    clock.tick(59)
    platform.agenda.tick()
    assert listed(platform) == []

    clock.tick(6)
    platform.agenda.tick()

    (event,) = listed(platform)
    assert (event.id, event.payload) == (told.event_id, {"n": 1})
    assert event.timestamp.timestamp() == clock.now
    assert "deliver_at" not in event.attributes


def test_it_reaches_live_clients_as_any_event_does(platform, clock, pump, gateway):
    greeted(pump, events="a.*")
    later(platform, clock, {"type": "a.b"})
    clock.tick(65)

    platform.sweep()
    pump.run()

    assert [frame["type"] for frame in gateway.frames("c1")[1:]] == ["a.b"]


def test_what_is_soon_due_is_left_to_the_queue_and_comes_to_the_second(
    platform, clock, sent
):
    (told,) = later(platform, clock, {"type": "a.b"}, seconds=90.5)
    ((key, delay),) = sent
    assert delay == 91

    clock.tick(delay)
    platform.chores.run(
        {
            "Records": [
                {"messageId": "1", "body": f'{{"kind":"scheduled","key":"{key}"}}'}
            ]
        }
    )

    assert ids(listed_as_told(platform)) == [told.event_id]


def listed_as_told(platform):
    from chalicelib.events.publication import Published

    return [Published(e.id, "", deduplicated=False) for e in listed(platform)]


def test_what_is_due_far_ahead_comes_to_the_second_too(platform, clock, sent):
    later(platform, clock, {"type": "a.b"}, seconds=86_400)
    assert sent == []

    clock.tick(86_400 - 600)
    platform.agenda.tick()
    ((key, delay),) = sent
    assert delay == 600
    assert listed(platform) == []
    clock.tick(600)
    platform.schedule.deliver(key)

    assert types(platform) == ["a.b"]


def test_when_the_queue_fails_the_agenda_delivers(platform, clock):
    def fail(chore, delay):
        raise OSError("the queue is away")

    platform.schedule.send = fail
    (told,) = later(platform, clock, {"type": "a.b"})
    assert told.status == "scheduled"
    clock.tick(65)

    platform.agenda.tick()

    assert types(platform) == ["a.b"]


def test_queue_and_agenda_together_publish_once(platform, clock, sent):
    later(platform, clock, {"type": "a"}, {"type": "b"})
    clock.tick(60)
    for key, _ in sent:
        platform.schedule.deliver(key)
        platform.schedule.deliver(key)
    clock.tick(60)

    platform.agenda.tick()

    assert sorted(types(platform)) == ["a", "b"]


def test_two_deliveries_at_the_same_moment_publish_once(platform, clock, sent):
    later(platform, clock, {"type": "a"})
    clock.tick(60)
    ((key, _),) = sent
    meanwhile(platform, lambda: platform.schedule.deliver(key))

    platform.schedule.deliver(key)

    assert types(platform) == ["a"]


def test_a_delivery_that_dies_is_made_by_the_next(platform, clock, sent):
    (told,) = later(platform, clock, {"type": "a"})
    ((key, _),) = sent
    clock.tick(60)
    set_item = platform.table.set

    def die_when_delivered(pk, sk, changes, **more):
        if changes.get("state") == "delivered":
            platform.table.set = set_item
            raise Crash
        return set_item(pk, sk, changes, **more)

    platform.table.set = die_when_delivered
    with pytest.raises(Crash):
        platform.schedule.deliver(key)
    clock.tick(10)
    platform.agenda.tick()

    assert [event.id for event in listed(platform)] == [told.event_id]
    assert waiting(platform).events == []


def test_a_delivery_that_dies_before_its_commit_is_made_by_the_next(
    platform, clock, sent
):
    def die():
        raise Crash

    (told,) = later(platform, clock, {"type": "a"})
    ((key, _),) = sent
    clock.tick(60)
    meanwhile(platform, die)
    with pytest.raises(Crash):
        platform.schedule.deliver(key)

    clock.tick(10)
    platform.agenda.tick()

    assert [event.id for event in listed(platform)] == [told.event_id]


def test_a_commit_stays_one(platform, clock):
    later(platform, clock, {"type": "a"}, {"type": "b"}, {"type": "c"})
    clock.tick(65)

    platform.agenda.tick()

    end = time_key(platform.log.now_ms() + 1)
    assert len(list(platform.log.backward(end, 0))) == 1
    assert sorted(types(platform)) == ["a", "b", "c"]


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("more", [{}, {"idempotency_key": "k"}])
def test_what_is_due_already_is_published_at_once(platform, clock, moment, more):
    (told,) = publish(platform, {"type": "a", "deliver_at": moment}, **more)

    assert told.to_dict().keys() == {"event_id", "status", "timestamp"}
    assert told.status == "published"
    assert [event.id for event in listed(platform)] == [told.event_id]


def test_all_events_of_a_commit_have_the_same_moment_or_none(platform, clock):
    with pytest.raises(ValidationError, match="deliver_at must be the same"):
        publish(platform, {"type": "a", "deliver_at": after(clock, 9)}, {"type": "b"})

    assert waiting(platform).events == listed(platform) == []


@pytest.mark.parametrize("moment", ["tomorrow", 5, "", True, "2026-13-01T00:00:00Z"])
def test_a_moment_that_is_none_is_refused(platform, moment):
    with pytest.raises(ValidationError, match="deliver_at"):
        publish(platform, {"type": "a", "deliver_at": moment})


def test_nothing_is_scheduled_more_than_366_days_ahead(platform, clock):
    later(platform, clock, {"type": "a"}, seconds=366 * 86_400)

    with pytest.raises(ValidationError, match="366 days"):
        later(platform, clock, {"type": "a"}, seconds=366 * 86_400 + 1)


def test_what_expires_before_it_is_delivered_is_refused(platform, clock):
    with pytest.raises(ValidationError, match="before expires_at"):
        later(platform, clock, {"type": "a", "expires_at": after(clock, 59)})


def test_too_large_a_commit_is_refused_whole(platform, clock):
    large = {"type": "a", "payload": "x" * 180_000}

    with pytest.raises(PayloadTooLargeError):
        later(platform, clock, large, large)

    assert waiting(platform).events == []


def test_a_large_payload_is_delivered_whole(platform, clock):
    later(platform, clock, {"type": "a", "payload": "x" * 300_000})
    clock.tick(65)

    platform.agenda.tick()

    assert len(listed(platform)[0].payload) == 300_000


def test_a_life_span_begins_with_the_delivery(platform, clock):
    later(platform, clock, {"type": "a", "ttl": 30})
    clock.tick(65)

    platform.agenda.tick()

    (event,) = listed(platform)
    assert event.expires_at.timestamp() == clock.now + 30


def test_the_end_that_was_given_stays(platform, clock):
    end = after(clock, 90)
    later(platform, clock, {"type": "a", "expires_at": end})
    clock.tick(65)

    platform.agenda.tick()

    assert listed(platform)[0].expires_at == datetime.fromisoformat(end)


def test_the_time_that_was_given_stays(platform, clock):
    (told,) = later(
        platform, clock, {"type": "a", "ttl": 9, "timestamp": "2026-01-01T00:00:00Z"}
    )
    clock.tick(65)

    platform.agenda.tick()

    (event,) = listed(platform)
    assert told.timestamp == "2026-01-01T00:00:00.000Z"
    assert event.timestamp == datetime(2026, 1, 1, tzinfo=UTC)
    assert event.expires_at.timestamp() == clock.now + 9


def test_it_outlives_the_retention_of_the_log(platform, clock):
    (told,) = later(platform, clock, {"type": "a"}, seconds=200 * 86_400)
    commit = platform.schedule.get(told.event_id).commit

    assert "ttl" not in commit


# --- once -----------------------------------------------------------------------------

KEY = {"idempotency_key": "k-1"}


def test_a_retry_with_its_key_is_the_first_call(platform, clock):
    moment = after(clock, 60)
    calls = [
        publish(platform, {"type": "a", "deliver_at": moment}, **KEY) for _ in range(2)
    ]

    assert ids(calls[0]) == ids(calls[1])
    assert [one.deduplicated for (one,) in calls] == [False, True]
    assert len(waiting(platform).events) == 1


def test_a_retry_after_the_delivery_publishes_nothing_more(platform, clock):
    event = {"type": "a", "deliver_at": after(clock, 60)}
    first = publish(platform, event, **KEY)
    clock.tick(65)
    platform.agenda.tick()

    (again,) = publish(platform, event, **KEY)

    assert [again.event_id] == ids(first)
    assert (again.status, again.deduplicated) == ("published", True)
    assert types(platform) == ["a"]


def test_a_retry_that_comes_when_it_is_due_delivers_it_once(platform, clock):
    event = {"type": "a", "deliver_at": after(clock, 60)}
    publish(platform, event, **KEY)
    clock.tick(60)

    publish(platform, event, **KEY)
    platform.agenda.tick()

    assert types(platform) == ["a"]


def test_a_retry_of_what_was_cancelled_says_so_and_brings_nothing_back(platform, clock):
    event = {"type": "a", "deliver_at": after(clock, 60)}
    (first,) = publish(platform, event, **KEY)
    platform.schedule.cancel(first.event_id)

    (again,) = publish(platform, event, **KEY)
    clock.tick(65)
    platform.agenda.tick()

    assert again.status == "cancelled"
    assert listed(platform) == []


def test_a_call_that_died_after_its_claim_is_finished_by_its_retry(platform, clock):
    event = {"type": "a", "deliver_at": after(clock, 60)}
    write = platform.table.put_all_new

    def die(items):
        platform.table.put_all_new = write
        raise Crash

    platform.table.put_all_new = die
    with pytest.raises(Crash):
        publish(platform, event, **KEY)
    assert waiting(platform).events == []

    (told,) = publish(platform, event, **KEY)

    assert told.deduplicated is False
    assert len(waiting(platform).events) == 1


@pytest.mark.parametrize("seconds", [61, None])
def test_a_key_is_not_used_for_another_moment(platform, clock, seconds):
    publish(platform, {"type": "a", "deliver_at": after(clock, 60)}, **KEY)
    other = {"type": "a"}
    if seconds is not None:
        other["deliver_at"] = after(clock, seconds)

    with pytest.raises(ConflictError) as raised:
        publish(platform, other, **KEY)

    assert raised.value.code == "idempotency_key_reused"


OWN = {"type": "a", "id": "mine", "source": "s"}


def test_a_retry_with_ids_of_its_own_is_the_first_call(platform, clock):
    event = {**OWN, "deliver_at": after(clock, 60)}
    publish(platform, event)

    (again,) = publish(platform, event)
    clock.tick(65)
    platform.agenda.tick()
    (late,) = publish(platform, event)

    assert (again.deduplicated, late.deduplicated) == (True, True)
    assert [e.id for e in listed(platform)] == ["mine"]


def test_an_id_waits_in_one_commit_at_a_time(platform, clock):
    later(platform, clock, OWN)

    with pytest.raises(ConflictError):
        later(platform, clock, OWN, seconds=90)
    with pytest.raises(ConflictError):
        later(platform, clock, {"type": "b", "id": "other"}, OWN)

    assert len(waiting(platform).events) == 1


def test_a_cancelled_id_can_be_scheduled_again(platform, clock):
    later(platform, clock, OWN)
    platform.schedule.cancel("mine", "s")

    later(platform, clock, OWN, seconds=90)
    clock.tick(66)
    platform.agenda.tick()
    assert [e.event_id for e in waiting(platform).events] == ["mine"]
    clock.tick(30)
    platform.agenda.tick()

    assert [e.id for e in listed(platform)] == ["mine"]


def test_a_refused_call_does_not_block_its_ids_for_long(platform, clock):
    later(platform, clock, OWN)
    with pytest.raises(ConflictError):
        later(platform, clock, {"type": "b", "id": "free"}, OWN)
    clock.tick(36)

    later(platform, clock, {"type": "c", "id": "c"}, {"type": "b", "id": "free"})

    assert len(waiting(platform).events) == 3


def test_an_id_that_was_published_before_is_not_published_again(platform, clock):
    publish(platform, OWN)
    later(platform, clock, OWN)
    clock.tick(65)

    platform.agenda.tick()

    assert [e.id for e in listed(platform)] == ["mine"]


def test_the_same_id_twice_in_a_commit_is_one_event(platform, clock):
    later(platform, clock, OWN, OWN)
    platform.schedule.cancel("mine", "s")
    assert waiting(platform).events == []

    later(platform, clock, OWN, OWN)
    clock.tick(65)
    platform.agenda.tick()

    assert [e.id for e in listed(platform)] == ["mine"]


# --- seeing and cancelling ------------------------------------------------------------


def test_what_waits_is_listed_soonest_first_across_the_year(platform, clock):
    moments = (300 * 86_400, 5, 40 * 86_400, 86_400, 6)
    for seconds in moments:
        later(platform, clock, {"type": f"in.{seconds}"}, seconds=seconds)

    found = [one.fields["type"] for one in waiting(platform).events]

    assert found == [f"in.{seconds}" for seconds in sorted(moments)]


def test_pages_continue_without_gap_or_repeat(platform, clock):
    for number in range(7):
        commit = [{"type": f"n{number}.{k}"} for k in range(3)]
        later(platform, clock, *commit, seconds=30 + number)
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = waiting(platform, 4, cursor)
        found += [one.fields["type"] for one in page.events]
        cursor, pages = page.cursor, pages + 1

    assert found == [f"n{number}.{k}" for number in range(7) for k in range(3)]
    assert pages == 6


def test_a_page_goes_on_although_what_it_ended_at_was_published(platform, clock):
    for number in range(3):
        later(platform, clock, {"type": f"n{number}"}, seconds=30 + number * 30)
    page = waiting(platform, 1)
    clock.tick(66)
    platform.agenda.tick()

    rest = waiting(platform, 5, page.cursor)

    assert [one.fields["type"] for one in rest.events] == ["n2"]


def test_a_cursor_that_no_page_brought_is_refused(platform):
    with pytest.raises(InvalidRequestError, match="cursor"):
        waiting(platform, 5, "7")


def test_one_event_of_a_commit_is_cancelled_and_the_others_are_delivered(
    platform, clock
):
    told = later(platform, clock, {"type": "a"}, {"type": "b"}, {"type": "c"})
    platform.schedule.cancel(told[1].event_id)
    clock.tick(65)

    platform.agenda.tick()

    assert sorted(types(platform)) == ["a", "c"]


def test_what_is_cancelled_is_gone(platform, clock):
    (told,) = later(platform, clock, {"type": "a"})

    platform.schedule.cancel(told.event_id)

    for verb in (platform.schedule.get, platform.schedule.cancel):
        with pytest.raises(NotFoundError):
            verb(told.event_id)
    clock.tick(65)
    assert platform.agenda.tick() == 1
    assert listed(platform) == waiting(platform).events == []


def test_what_was_published_cannot_be_cancelled(platform, clock):
    (told,) = later(platform, clock, {"type": "a"})
    clock.tick(65)
    platform.agenda.tick()

    with pytest.raises(NotFoundError):
        platform.schedule.cancel(told.event_id)


def test_whoever_is_told_cancelled_does_not_see_it_published(platform, clock, sent):
    """A cancellation that comes while it is being delivered is refused."""
    (told,) = later(platform, clock, {"type": "a"})
    ((key, _),) = sent
    clock.tick(60)
    refused = []

    def cancel():
        with pytest.raises(NotFoundError):
            platform.schedule.cancel(told.event_id)
        refused.append(1)

    meanwhile(platform, cancel)
    platform.schedule.deliver(key)

    assert refused == [1]
    assert types(platform) == ["a"]


def test_a_cancellation_just_before_the_delivery_wins(platform, clock, sent):
    told = later(platform, clock, {"type": "a"}, {"type": "b"})
    ((key, _),) = sent
    clock.tick(60)
    set_item = platform.table.set

    def cancel_first(*args, **more):
        platform.table.set = set_item
        platform.schedule.cancel(told[0].event_id)
        return set_item(*args, **more)

    platform.table.set = cancel_first
    platform.schedule.deliver(key)

    assert types(platform) == ["b"]


def test_two_cancellations_at_once_both_hold(platform, clock):
    told = later(platform, clock, {"type": "a"}, {"type": "b"}, {"type": "c"})
    set_item = platform.table.set

    def cancel_first(*args, **more):
        platform.table.set = set_item
        platform.schedule.cancel(told[0].event_id)
        return set_item(*args, **more)

    platform.table.set = cancel_first
    platform.schedule.cancel(told[1].event_id)

    assert [one.fields["type"] for one in waiting(platform).events] == ["c"]


def test_the_same_id_of_two_sources_is_told_apart(platform, clock):
    later(platform, clock, OWN)
    later(platform, clock, {**OWN, "source": "t", "type": "b"})

    platform.schedule.cancel("mine", "t")

    assert platform.schedule.get("mine").fields["type"] == "a"
    with pytest.raises(NotFoundError):
        platform.schedule.get("mine", "t")
