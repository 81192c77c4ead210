"""The small parts of transports: waits, cursors, addresses, server-sent events."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError, SubscriptionError
from eventyard.settings import Reconnect
from eventyard.transports import _backoff, _wire
from eventyard.transports._backoff import Backoff
from eventyard.transports._polling import OVERLAP_MS, Progress, frames_of
from tests.unit.client.platformserver import place

packed = st.text("ABCZabcz019-_", min_size=0, max_size=20)
#: Ids as they come: a place that never falls, and whatever was sent beyond it.
ids = st.lists(st.tuples(st.integers(0, 5), packed), min_size=1, max_size=40)


def longest(**told):
    backoff = Backoff(Reconnect(**told))
    waits = []
    for backoff.failed in range(6):
        waits.append(backoff.longest_s)
    return waits


def test_waits_grow_as_they_are_set():
    usual = longest(first_s=1, longest_s=4)
    assert usual == [1, 1.5, 2.25, 3.375, 4, 4]
    assert longest(first_s=1, backoff="linear") == [1, 2, 3, 4, 5, 6]
    assert longest(first_s=1, backoff="fixed") == [1] * 6
    tired = Backoff(Reconnect(), failed=10**6)
    assert tired.longest_s == 30


def test_waits_are_spread_and_counted(monkeypatch):
    asked = []

    async def sleep(seconds):
        asked.append(seconds)

    monkeypatch.setattr(_backoff.asyncio, "sleep", sleep)
    backoff = Backoff(Reconnect(first_s=1, max_attempts=3))

    assert [asyncio.run(backoff.wait()) for _ in range(4)] == [True, True, True, False]
    assert all(0 <= wait <= 2.25 for wait in asked)
    assert len(set(asked)) == 3
    backoff.reset()
    assert asyncio.run(backoff.wait())
    assert not asyncio.run(Backoff(Reconnect(enabled=False)).wait())


@given(ids)
def test_cursors_sort_as_they_came(came):
    progress = Progress()
    cursors = []
    reached = 0
    for step, rest in came:
        reached += step
        name = place(reached) + (f".{rest}" if rest else "")
        cursors.append(progress.reach(name))
        # Whoever goes on behind a cursor asks with the id that came with it.
        assert Progress.behind(cursors[-1]).id == name
    assert cursors == sorted(set(cursors))


@given(ids, ids)
def test_cursors_sort_also_behind_one_that_was_kept(before, after):
    progress = Progress()
    for _, rest in before:
        kept = progress.reach(f"{place(9)}.{rest}")
    later = Progress.behind(kept)
    assert all(later.reach(f"{place(9)}.{rest}") > kept for _, rest in after[:1])


def test_a_cursor_of_the_live_channel_is_begun_an_overlap_earlier():
    cursor = place(OVERLAP_MS + 5)
    for one in (cursor, f"{cursor}~1700000000000"):
        assert Progress.behind(one).id == place(5)
    # It is below what comes at the same place, so that nothing is taken back.
    assert Progress.behind(cursor).reach(f"{place(9)}.A") > place(5)


@pytest.mark.parametrize("cursor", ["", "x", place(1)[:-1], f"{place(1)}.1.2.3", "é"])
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(SubscriptionError):
        Progress.behind(cursor)


@given(st.text())
def test_a_cursor_is_read_or_refused(text):
    try:
        progress = Progress.behind(text)
    except SubscriptionError:
        return
    assert ulid.is_ulid(progress.place)


@given(st.lists(st.tuples(st.text("Aa0.", min_size=1), st.text("{}:a \\", min_size=1))))
def test_server_sent_events_are_read_as_they_are_written(frames):
    text = "retry: 1000\n\n" + "".join(
        f"id: {name}\ndata: {data}\n\n" for name, data in frames
    )
    assert list(frames_of(f"{text}: nothing new\nid: z\n\n")) == [*frames, ("z", "")]


@given(st.text(max_size=200))
def test_whatever_comes_is_read_without_harm(text):
    list(frames_of(text))


@pytest.mark.parametrize(
    ("url", "bases"),
    [
        ("http://h:1", ["http://h:1"]),
        ("wss://h/", ["https://h"]),
        ("https://h/api?x=1#y", ["https://h/api", "https://h"]),
        ("ws://h/a/b", ["http://h/a/b", "http://h/a", "http://h"]),
    ],
)
def test_a_platform_may_begin_anywhere_on_the_way(url, bases):
    assert list(_wire.bases(url)) == bases


@pytest.mark.parametrize("url", ["", "h:1", "ftp://h", "http://", "redis://h"])
def test_what_is_no_address_of_a_platform_is_told(url):
    with pytest.raises(InvalidRequestError, match="is no address"):
        list(_wire.bases(url))


def test_the_live_address_follows_from_the_platform_s():
    assert _wire.live_address("https://h/api", {}) == ("wss://h/api/ws/router", {})
    told = _wire.live_address("http://h", {"live_url": "wss://l/api"})
    assert told == ("wss://l/api", {"channel": "router"})
