"""How far a durable subscription has come."""

# ruff: noqa: C901 - a machine with five moves

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard import PermissionDeniedError, UnavailableError
from eventyard.patterns.positions import Position
from tests.awaiting import Clock, awaited
from tests.properties import examples


def place(number):
    return f"{number:04d}"


MOVES = st.tuples(
    st.sampled_from(["begin", "done", "skip", "again", "wait"]), st.integers(0, 1_000)
)


@given(moves=st.lists(MOVES, max_size=60))
@settings(max_examples=examples(150), deadline=None)
def test_it_is_never_beyond_an_event_that_is_not_handled(moves):
    kept, handled = [], set()

    async def keep(cursor):
        assert all(n in handled for n in range(int(cursor) + 1))
        kept.append(cursor)

    async def run():
        clock = Clock()
        position, begun, following = Position(keep, clock), [], 0
        for act, which in [*moves, *[("done", 0)] * len(moves)]:
            if act == "begin":
                position.begin(place(following))
                begun.append(following)
                following += 1
            elif act == "skip":
                handled.add(following)
                position.skip(place(following))
                following += 1
            elif act == "again" and following:
                # Delivered once more, and known to be handled or in hand.
                position.skip(place(which % following))
            elif act == "done" and begun:
                number = begun.pop(which % len(begun))
                handled.add(number)
                await position.done(place(number))
            elif act == "wait":
                clock.now += 1
        await position.close()
        return following

    total = asyncio.run(run())
    assert kept == sorted(kept)
    assert (kept[-1] if kept else None) == (place(total - 1) if total else None)


@awaited
async def test_it_is_kept_once_a_second_or_every_hundred_events():
    kept, clock = [], Clock()

    async def keep(cursor):
        kept.append(cursor)

    position = Position(keep, clock)
    for number in range(250):
        position.begin(place(number))
        await position.done(place(number))
    assert kept == [place(0), place(100), place(200)]
    clock.now += 1
    position.begin(place(250))
    await position.done(place(250))
    assert kept[-1] == place(250)
    await position.close()
    assert len(kept) == 4


@awaited
async def test_what_could_not_be_kept_is_kept_with_the_next():
    kept, errors = [], [UnavailableError(), UnavailableError()]

    async def keep(cursor):
        if errors:
            raise errors.pop()
        kept.append(cursor)

    clock = Clock()
    position = Position(keep, clock)
    for number in range(3):
        clock.now += 1
        position.begin(place(number))
        await position.done(place(number))
    assert kept == [place(2)]


@awaited
async def test_what_may_not_be_kept_is_told():
    async def keep(_):
        raise PermissionDeniedError

    position = Position(keep)
    position.begin(place(1))
    with pytest.raises(PermissionDeniedError):
        await position.done(place(1))
