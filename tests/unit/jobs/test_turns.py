"""Turns at a host are kept, also over a pause."""

from __future__ import annotations

import asyncio

import pytest

from eventyard.jobs.memory import MemoryJob
from eventyard.jobs.scraping.turns import LaterError, Turns, retry_after_s

NOON = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    return Turns(MemoryJob({}, clock=clock), clock)


def wait(turns: Turns, gap_s: float, place: str = "a") -> float | None:
    """Return how far away the next turn is; None where it is now."""
    try:
        asyncio.run(turns.wait(place, gap_s))
    except LaterError as later:
        return later.seconds
    return None


def test_the_first_turn_is_now_and_the_next_one_a_gap_later(turns: Turns) -> None:
    assert wait(turns, 60) is None
    assert wait(turns, 60) == 60


def test_places_have_turns_of_their_own(turns: Turns) -> None:
    assert wait(turns, 60) is None
    assert wait(turns, 60, "b") is None


def test_a_turn_that_was_taken_is_not_lost_over_a_pause(
    turns: Turns, clock: Clock
) -> None:
    wait(turns, 60)
    assert wait(turns, 60) == 60

    later = Turns(MemoryJob({}), clock, taken=dict(turns.taken))
    clock.now += 30
    assert wait(later, 60) == 30
    clock.now += 31
    assert wait(later, 60) is None
    assert later.taken == {}


def test_no_gap_needs_no_turn(turns: Turns) -> None:
    assert [wait(turns, 0) for _ in range(3)] == [None] * 3


def test_whoever_is_told_twice_to_wait_waits_once(turns: Turns, clock: Clock) -> None:
    for _ in range(8):
        with pytest.raises(LaterError) as later:
            asyncio.run(turns.leave_alone("a", 100))
        assert later.value.seconds == 100

    clock.now += 101
    assert wait(turns, 1) is None


def test_nobody_asks_a_place_that_wants_to_be_left_alone(
    turns: Turns, clock: Clock
) -> None:
    with pytest.raises(LaterError):
        asyncio.run(turns.leave_alone("a", 100))
    other = Turns(turns.job, clock)

    assert wait(other, 1) == 100


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("99999999999999999999", 99_999_999.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Tue, 99 Nov 2023", None),
    ],
)
def test_retry_after_is_seconds_or_a_moment(told: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": told}, NOON) == seconds
