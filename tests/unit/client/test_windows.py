"""Windows of event time."""

# ruff: noqa: PERF401 - as above

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard import Event, EventRouterClient, InvalidRequestError
from eventyard.patterns.windows import Windows, microseconds, windows
from tests.awaiting import Clock, address, awaited, turns, until
from tests.properties import examples

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000


def at(microsecond, payload=None):
    when = EPOCH + timedelta(microseconds=microsecond)
    return Event("m", payload, timestamp=when)


def made(size, slide, grace=0):
    clock = Clock()
    return clock, Windows(size, slide, grace, clock, lambda: 1e12)


@given(
    size=st.integers(1, 50),
    share=st.integers(1, 50),
    moments=st.lists(st.integers(0, 1_000), max_size=40),
)
@settings(max_examples=examples(200), deadline=None)
def test_every_event_is_in_all_the_windows_that_are_not_closed_and_begin_within_a_size(
    size, share, moments
):
    slide = max(size // share, 1)
    clock, gathered = made(size, slide)
    moments.sort()
    seen = []
    for moment in moments:
        gathered.add(at(moment, moment))
        seen += gathered.close()
    clock.now += 2_000
    seen += gathered.close()

    expected = {}
    for moment in moments:
        first = -(-(moment - size + 1) // slide)
        for index in range(first, moment // slide + 1):
            expected.setdefault(index, []).append(moment)
    found = [[event.payload for event in window] for window in seen]
    assert found == [expected[index] for index in sorted(expected)]
    assert gathered.late == 0
    if size % slide == 0:
        counts = [sum(one.count(m) for one in found) for m in set(moments)]
        wanted = [moments.count(m) * (size // slide) for m in set(moments)]
        assert counts == wanted


@given(moments=st.lists(st.integers(0, 300), max_size=60), grace=st.integers(0, 40))
@settings(max_examples=examples(100), deadline=None)
def test_whoever_is_late_counts_in_windows_that_are_open_and_is_counted(moments, grace):
    _, gathered = made(20, 10, grace)
    seen = []
    for moment in moments:
        gathered.add(at(moment))
        seen += gathered.close()
    seen += gathered.rest()
    assert sum(map(len, seen)) + gathered.late == 2 * len(moments)


def test_windows_of_now_close_by_the_clock_and_empty_ones_are_left_out():
    clock, gathered = made(10 * SECOND, 10 * SECOND)
    assert gathered.next_in_s() is None
    gathered.add(at(3 * SECOND, 1))
    assert gathered.close() == []
    assert gathered.next_in_s() == 7
    clock.now += 7
    assert [event.payload for event in gathered.close()[0]] == [1]
    gathered.add(at(100 * SECOND, 2))
    clock.now += 10
    assert [[event.payload for event in one] for one in gathered.close()] == [[2]]
    gathered.add(at(5 * SECOND))
    assert gathered.late == 1


def test_what_claims_to_be_of_the_future_closes_nothing():
    clock = Clock()
    gathered = Windows(10, 10, 0, clock, lambda: 100 / SECOND)
    gathered.add(at(99, "now"))
    gathered.add(Event("m", "hostile", timestamp=datetime.max.replace(tzinfo=UTC)))
    gathered.add(at(98, "also now"))
    clock.now += 1
    assert [[e.payload for e in one] for one in gathered.close()] == [
        ["now", "also now"]
    ]


@pytest.mark.parametrize(
    ("size", "slide", "grace"),
    [
        ("1 m", None, 0),
        ("0s", None, 0),
        (-1, None, 0),
        ("1s", "2s", 0),
        ("1s", 0, 0),
        ("1h", "1ms", 0),
        (float("nan"), None, 0),
        (None, None, 0),
        ("1s", None, "soon"),
    ],
)
def test_windows_that_make_no_sense_are_refused(size, slide, grace):
    with pytest.raises(InvalidRequestError):
        windows(size, slide, grace)


def test_durations_are_seconds_or_text():
    assert microseconds("90s") == microseconds(90) == 90 * SECOND
    assert microseconds(0.25) == microseconds("250ms")


@awaited
async def test_a_client_yields_windows_as_they_end_and_the_rest_at_the_end():
    async with EventRouterClient(url=address()) as client:
        got = []

        async def gather():
            async for window in client.window("m.*", size="1m", slide="30s"):
                got.append([event.payload for event in window])

        gathering = asyncio.create_task(gather())
        await until(lambda: client._subscribing._desks)
        await turns()
        begin = datetime(2024, 1, 1, tzinfo=UTC)
        for seconds in (10, 40, 70, 130):
            when = begin + timedelta(seconds=seconds)
            await client.publish("m.x", seconds, timestamp=when)
        await until(lambda: len(got) == 4)
    await gathering

    assert got[:4] == [[10], [10, 40], [40, 70], [70]]
    assert got[4:] == [[130], [130]]


@awaited
async def test_what_is_in_a_durable_window_that_is_open_comes_again():
    url, seen = address(), []

    async def follow(client, wanted):
        windows = client.window("m", "10s", durable="d")
        async with aclosing(windows):
            async for window in windows:
                seen.append([event.payload for event in window])
                if len(seen) > wanted:
                    break

    async def publish(client, *seconds):
        for second in seconds:
            await client.publish(at(second * SECOND, second).copy(id=f"e{second}"))

    async with EventRouterClient(url=url) as client:
        following = asyncio.create_task(follow(client, 9))
        await until(lambda: client._subscribing._desks)
        await publish(client, 1, 2, 12, 13)
        await until(lambda: len(seen) == 1)
        await turns()
    await following
    async with EventRouterClient(url=url) as client:
        await publish(client, 14, 25, 35)
        await follow(client, 2)

    assert seen == [[1, 2], [12, 13, 14], [25]]


@awaited
async def test_a_connection_made_anew_does_not_wait_for_open_windows():
    async with EventRouterClient(url=address()) as client:
        windows = client.window("m", "10s", durable="d")
        first = asyncio.create_task(anext(windows))
        await until(lambda: client._subscribing._desks)
        await client.publish(at(1 * SECOND, 1))
        await turns()
        async with asyncio.timeout(10):
            await client.reconnect()
        await client.publish_batch([at(2 * SECOND, 2), at(12 * SECOND, 3)])
        assert [event.payload for event in await first] == [1, 2]
        await windows.aclose()


@awaited
async def test_more_than_may_be_open_is_no_standstill(monkeypatch):
    monkeypatch.setattr("eventyard.patterns.windows.MOST_OPEN", 3)
    async with EventRouterClient(url=address()) as client:
        windows = client.window("m", "10s", durable="d")
        first = asyncio.create_task(anext(windows))
        await until(lambda: client._subscribing._desks)
        await client.publish_batch([at(n * SECOND, n) for n in range(11)])
        assert [event.payload for event in await first] == [*range(10)]
        await windows.aclose()
