"""The queue of chores: each kind to whoever does it, poison aside."""

from __future__ import annotations

import pytest

from tests.steps import listed


@pytest.fixture
def done(platform):
    found = []
    handlers = platform.chores.handlers
    handlers["note"] = lambda chore: found.append(chore["n"])
    return found


def test_a_chore_is_done_by_its_kind(platform, pump, done):
    platform.chores.send({"kind": "note", "n": 1})

    pump.run()

    assert done == [1]


def test_the_agenda_can_be_asked_for(platform, pump, clock):
    found = []
    platform.agenda.handlers = {"x": lambda ref: found.append(ref["n"])}
    platform.agenda.add("x", "x", int(clock.now * 1000), {"n": 5})
    platform.chores.send({"kind": "agenda"})

    pump.run()

    assert found == [5]


def test_a_chore_that_fails_comes_again_and_stops_no_other(platform, pump, done):
    def fail(_):
        raise ValueError("not now")

    platform.chores.handlers["bad"] = fail
    platform.chores.send({"kind": "bad"})
    platform.chores.send({"kind": "note", "n": 1})
    records = [*pump.messages("chores"), *pump.messages("chores")]

    failed = pump.handle("chores", records)

    assert done == [1]
    assert failed == {r["messageId"] for r in records if "bad" in r["body"]}


@pytest.mark.parametrize("body", ["{", "[]", '{"kind": "none"}', "{}", '{"kind": []}'])
def test_what_is_no_chore_goes_to_the_dead_letters(platform, pump, body):
    answer = platform.chores.run({"Records": [{"messageId": "m", "body": body}]})

    (dead,) = platform.queues.dead_letters("chores", 10)
    assert answer == {"batchItemFailures": []}
    assert dead["body"] == body


def test_a_redriven_chore_is_done(platform, pump, done):
    platform._dead.bury("chores", '{"kind": "note", "n": 3}', "a fault of yesterday")

    platform.queues.redrive("chores", 10)
    pump.run()

    assert done == [3]


def test_a_chore_of_something_that_is_gone_is_done(platform, pump):
    platform.chores.send({"kind": "scheduled", "key": platform.log.new_key()})

    pump.run()

    assert listed(platform) == []
    assert pump.messages("chores") == []
