"""The agenda: what is due is done, whatever fails, dies or comes twice."""

from __future__ import annotations

import pytest

from chalicelib.events import agenda as agenda_module
from chalicelib.events.agenda import SETTLE_MS
from tests.steps import Crash


@pytest.fixture
def done(agenda):
    """What was done, in order: the `ref` of each row of the kind `note`."""
    found = []
    agenda.handlers = {"note": lambda ref: found.append(ref["n"])}
    return found


@pytest.fixture
def agenda(platform, calls, clock):
    """The agenda after its first tick, so that the checkpoint is there."""
    platform.agenda.tick()
    return platform.agenda


def in_seconds(clock, seconds):
    return int((clock.now + seconds) * 1000)


def note(agenda, clock, number, seconds=0, name=None):
    at_ms = in_seconds(clock, seconds)
    agenda.add("note", name or f"n{number}", at_ms, {"n": number})
    return at_ms


def rows(platform):
    from tests.stack import client

    found = client("dynamodb").scan(TableName=platform.settings.table)["Items"]
    return [item for item in found if item["pk"]["S"].startswith("agenda#")]


def test_a_row_is_done_when_it_is_due_and_once(agenda, clock, done):
    note(agenda, clock, 1, seconds=30)
    assert (agenda.tick(), done) == (0, [])

    clock.tick(30)

    assert (agenda.tick(), agenda.tick()) == (1, 0)
    assert done == [1]


def test_rows_are_done_in_the_order_in_which_they_are_due(agenda, clock, done):
    for number, seconds in ((3, 95), (1, 5), (2, 60)):
        note(agenda, clock, number, seconds)
    clock.tick(100)

    agenda.tick()

    assert done == [1, 2, 3]


def test_noting_the_same_twice_is_once(agenda, clock, done):
    note(agenda, clock, 1, seconds=5)
    note(agenda, clock, 1, seconds=5)
    clock.tick(5)

    assert (agenda.tick(), done) == (1, [1])


def test_what_was_taken_off_is_not_done(agenda, clock, done):
    at_ms = note(agenda, clock, 1, seconds=5)
    note(agenda, clock, 2, seconds=5)
    agenda.remove("note", "n1", at_ms)
    clock.tick(5)

    agenda.tick()

    assert done == [2]


def test_what_is_due_already_is_done_by_the_next_tick(agenda, clock, done):
    note(agenda, clock, 1, seconds=-86_400)

    assert (agenda.tick(), done) == (1, [1])


def test_a_tick_costs_a_few_reads(agenda, clock, done, calls):
    clock.tick(3_600)
    agenda.tick()
    calls.clear()

    clock.tick(60)
    agenda.tick()

    assert calls.counted["GetItem"] == 1
    assert calls.counted["Query"] <= 3


def test_a_long_outage_is_walked_through(agenda, clock, done):
    for number in range(5):
        note(agenda, clock, number, seconds=number * 600)
    clock.tick(3_600)

    agenda.tick()

    assert done == [0, 1, 2, 3, 4]


def test_a_tick_that_runs_out_of_time_goes_on_where_it_stopped(
    agenda, clock, done, monkeypatch
):
    moments = iter(range(1000))
    monkeypatch.setattr(agenda_module.time, "monotonic", lambda: next(moments))
    for number in range(30):
        note(agenda, clock, number, seconds=number)
    clock.tick(7_200)

    ticks = 0
    while len(done) < 30:
        agenda.tick(seconds=10)
        ticks += 1

    assert done == list(range(30))
    assert ticks > 2


def test_a_row_that_fails_comes_again_and_stops_no_other(agenda, clock, done):
    refs = []

    def fail_twice(ref):
        refs.append(ref["n"])
        if len(refs) <= 2:
            raise ValueError("not yet")

    agenda.handlers = {**agenda.handlers, "bad": fail_twice}
    agenda.add("bad", "b", in_seconds(clock, 0), {"n": 0})
    note(agenda, clock, 1)

    assert (agenda.tick(), done, refs) == (1, [1], [0])
    clock.tick(4)
    assert (agenda.tick(), refs) == (0, [0])  # it waits five seconds, then ten
    clock.tick(1)
    assert (agenda.tick(), refs) == (0, [0, 0])
    clock.tick(10)
    assert (agenda.tick(), refs) == (1, [0, 0, 0])
    assert agenda.tick() == 0


def test_a_row_of_an_unknown_kind_waits_for_the_version_that_knows_it(
    agenda, platform, clock, done
):
    agenda.add("new", "n", in_seconds(clock, 0), {"n": 1})
    note(agenda, clock, 2)
    assert (agenda.tick(), done) == (1, [2])

    agenda.handlers = {"new": lambda ref: done.append(ref["n"])}
    clock.tick(5)

    assert (agenda.tick(), done) == (1, [2, 1])
    assert rows(platform) == []


def test_a_row_that_never_succeeds_is_still_there_after_a_day(agenda, platform, clock):
    agenda.add("never", "n", in_seconds(clock, 0), {"n": 1})

    for _ in range(24 * 6):
        clock.tick(600)
        agenda.tick()

    (row,) = rows(platform)
    assert row["kind"]["S"] == "never"
    assert 30 < int(row["attempts"]["N"]) < 40  # hourly in the end


def test_two_ticks_at_once_do_not_make_two_rows_of_one(agenda, platform, clock):
    def fail_while_another_ticks(_):
        agenda.handlers["bad"] = fail
        agenda.tick()
        raise ValueError("failed too")

    def fail(_):
        raise ValueError("failed")

    agenda.handlers = {"bad": fail_while_another_ticks}
    agenda.add("bad", "b", in_seconds(clock, 0), {})

    agenda.tick()

    assert len(rows(platform)) == 1


def test_a_tick_that_dies_loses_nothing(agenda, clock, done):
    def die(_):
        agenda.handlers = {"note": lambda ref: done.append(ref["n"])}
        raise KeyboardInterrupt

    note(agenda, clock, 1)
    agenda.handlers = {"note": die}
    with pytest.raises(KeyboardInterrupt):
        agenda.tick()

    assert (agenda.tick(), done) == (1, [1])


def test_a_row_written_late_into_the_past_minute_is_still_found(
    agenda, clock, done, platform
):
    """Its writer chose the minute, and was slow."""
    put = platform.table.put

    def put_late(item):
        clock.tick(SETTLE_MS / 1000 - 1)
        agenda.tick()
        put(item)

    platform.table.put = put_late
    note(agenda, clock, 1)
    platform.table.put = put

    assert (agenda.tick(), done) == (1, [1])


def test_a_slow_tick_does_not_turn_the_checkpoint_back(agenda, platform, clock, done):
    def tick_in_between(_):
        agenda.handlers["slow"] = lambda _: None
        clock.tick(600)
        agenda.tick()
        clock.tick(-600)

    agenda.handlers["slow"] = tick_in_between
    agenda.add("slow", "s", in_seconds(clock, 0), {})
    clock.tick(300)
    reached = int((clock.now + 600) * 1000 - SETTLE_MS) // 60_000

    agenda.tick()

    assert platform.table.get("checkpoint", "agenda")["minute"] == reached


def test_the_sweep_does_what_is_due(platform, agenda, clock, done):
    note(agenda, clock, 7)

    assert platform.sweep()["done"] == 1
    assert done == [7]


def test_a_crash_between_two_rows_keeps_the_second(agenda, clock, done):
    def crash(_):
        agenda.table.delete = delete
        raise Crash

    note(agenda, clock, 1, name="a")
    note(agenda, clock, 2, name="b")
    delete = agenda.table.delete
    agenda.table.delete = lambda *_: crash(None)
    with pytest.raises(Crash):
        agenda.tick()

    agenda.tick()

    assert done == [1, 1, 2]
