"""The sweep: what the stream left is relayed, everything is counted once."""

from __future__ import annotations

import pytest

from chalicelib.events.relay import SETTLE_MS, RelayStopped
from eventyard.core.event import Event
from tests.steps import greeted, ids, publish


@pytest.fixture
def relay(platform, calls, clock):
    """The relay after its first tick, so that the checkpoint is there."""
    platform.relay.catch_up()
    clock.tick(90)
    return platform.relay


def checkpoint(platform):
    return platform.log.directory.checkpoint()


def test_what_has_no_receipt_is_relayed(relay, platform, clock, pump, gateway):
    greeted(pump, events="*")
    publish(platform, {"type": "lost"})
    pump.records()  # the stream lost it
    clock.tick(11)

    assert relay.catch_up() == 1
    pump.run()

    assert [frame["type"] for frame in gateway.frames("c1")[1:]] == ["lost"]


def test_what_has_a_receipt_is_left_alone(relay, platform, clock, pump, calls):
    publish(platform, {"type": "a"})
    pump.relay()
    clock.tick(11)

    assert relay.catch_up() == 0
    assert calls.counted["PublishBatch"] == 1  # the stream's own


def test_the_stream_has_ten_seconds_before_the_sweep_steps_in(relay, platform, clock):
    publish(platform, {"type": "a"})
    clock.tick(9)
    assert relay.catch_up() == 0

    clock.tick(2)

    assert relay.catch_up() == 1


def test_a_second_tick_at_once_changes_nothing(relay, platform, clock):
    publish(platform, {"type": "a"}, {"type": "b"})
    clock.tick(90)
    relay.catch_up()
    before = checkpoint(platform)

    assert relay.catch_up() == 0
    assert checkpoint(platform) == before


def test_the_checkpoint_stays_behind_what_a_retry_may_still_write(
    relay, platform, clock
):
    clock.tick(90)

    relay.catch_up()

    assert checkpoint(platform)["until_ms"] == int(clock.now) * 1_000 - SETTLE_MS


def test_every_event_is_counted_exactly_once(relay, platform, clock):
    total = 0
    for number in (1, 3, 2):
        publish(platform, *[{"type": "a"}] * number)
        total += number
        assert relay.progress().published == total
        clock.tick(91)
        assert relay.progress().published == total
        relay.catch_up()
        assert relay.progress().published == total
    assert checkpoint(platform)["events"] == 6
    assert checkpoint(platform)["commits"] == 3


def test_two_sweeps_at_once_count_once(relay, platform, clock):
    publish(platform, {"type": "a"}, {"type": "b"})
    clock.tick(90)
    record = platform.log.directory.record

    def record_while_another_sweeps(buckets):
        platform.log.directory.record = record
        relay.catch_up()
        record(buckets)

    platform.log.directory.record = record_while_another_sweeps

    relay.catch_up()

    assert checkpoint(platform)["events"] == 2
    assert relay.progress().published == 2


def test_a_slow_sweep_does_not_turn_the_checkpoint_back(relay, platform, clock):
    clock.tick(90)
    record = platform.log.directory.record

    def record_while_a_later_one_sweeps(buckets):
        platform.log.directory.record = record
        clock.tick(90)
        publish(platform, {"type": "a"})
        relay.catch_up()
        clock.tick(-90)
        record(buckets)

    platform.log.directory.record = record_while_a_later_one_sweeps

    relay.catch_up()

    assert checkpoint(platform)["until_ms"] == int(clock.now + 90) * 1_000 - SETTLE_MS


def test_the_count_outlives_the_process(relay, platform, clock):
    from chalicelib.bootstrap import Platform

    publish(platform, {"type": "a"}, {"type": "b"})
    clock.tick(90)
    relay.catch_up()
    publish(platform, {"type": "c"})

    another = Platform(platform.settings)
    another.log.clock = clock

    assert another.relay.progress().published == 3


def test_the_checkpoint_does_not_move_past_what_sns_refuses(relay, platform, clock):
    publish(platform, {"type": "a"})
    clock.tick(90)
    before = checkpoint(platform)
    batch = platform.aws.sns.publish_batch
    platform.aws.sns.publish_batch = lambda **request: {
        "Failed": [{"Id": e["Id"]} for e in request["PublishBatchRequestEntries"]]
    }

    with pytest.raises(RelayStopped):
        relay.catch_up()

    assert checkpoint(platform) == before
    platform.aws.sns.publish_batch = batch
    assert relay.catch_up() == 1
    assert relay.progress().published == 1


def test_what_cannot_be_read_does_not_stop_the_sweep(relay, platform, clock):
    key = platform.log.new_key()
    platform.table.put(
        {"pk": platform.log.partition(key), "sk": key, "n": 1, "events": "{"}
    )
    publish(platform, {"type": "a"})
    clock.tick(90)

    relay.catch_up()

    (letter,) = platform.queues.dead_letters("relay", 10)
    assert key in letter["body"]
    assert checkpoint(platform)["commits"] == 2


def test_after_a_long_silence_the_sweep_goes_on_in_stretches(relay, platform, clock):
    day = 86_400
    publish(platform, {"type": "before"})
    clock.tick(day)
    publish(platform, {"type": "after"})
    clock.tick(90)

    relayed = [relay.catch_up() for _ in range(4)]

    assert relayed == [1, 0, 1, 0]
    assert relay.progress().published == 2


def test_the_lag_is_how_long_the_oldest_waits(relay, platform, clock, pump):
    assert relay.progress().lag_ms == 0
    publish(platform, {"type": "a"})
    clock.tick(5)
    publish(platform, {"type": "b"})
    clock.tick(2)
    assert relay.progress().lag_ms == 7_000

    pump.relay()

    assert relay.progress().lag_ms == 0


def test_a_commit_that_lands_late_under_an_older_key_is_not_lost(
    relay, platform, clock, pump
):
    """A retry half a minute after a crash writes the commit that was claimed."""
    key = platform.log.new_key()
    clock.tick(33)
    relay.catch_up()
    platform.log.append(key, [Event("late")], "tester")
    pump.records()  # and the stream lost it, too
    clock.tick(90)

    assert relay.catch_up() == 1
    assert relay.progress().published == 1
    clock.tick(3_600)
    relay.catch_up()
    page = platform.events.page(
        lambda _: True, since_ms=0, until_ms=None, limit=9, cursor=None
    )
    assert [event.type for event in page.events] == ["late"]


def test_one_tick_of_the_schedule_relays_and_removes_the_gone(
    platform, clock, pump, gateway
):
    greeted(pump, "gone")
    gateway.gone.add("gone")
    told = ids(publish(platform, {"type": "a"}))
    clock.tick(90)

    done = platform.sweep()

    expected = {"relayed": 1, "gone": 1, "done": 0, "taken_up": 0, "died": 0}
    assert done == expected
    assert len(told) == 1
    assert platform.live.stats()["active_connections"] == 0


def test_the_gone_are_removed_even_while_the_relay_stands_still(
    platform, clock, pump, gateway
):
    greeted(pump, "gone")
    gateway.gone.add("gone")
    publish(platform, {"type": "a"})
    clock.tick(90)
    platform.aws.sns.publish_batch = lambda **request: {
        "Failed": [{"Id": e["Id"]} for e in request["PublishBatchRequestEntries"]]
    }

    with pytest.raises(RelayStopped):
        platform.sweep()

    assert platform.live.stats()["active_connections"] == 0
