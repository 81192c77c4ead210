"""Events of code that does not await: in every context, and none is lost."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from eventyard.events import EventBus, EventType
from eventyard.orchestration import CircleStore, _publishing
from tests.awaiting import awaited


@pytest.fixture
def bus():
    return EventBus.separate()


@pytest.fixture
def store(bus):
    return CircleStore(bus)


def test_without_a_loop_handlers_had_it_when_the_method_returns(store, bus):
    heard = []

    async def slowly(event):
        await asyncio.sleep(0.01)
        heard.append(event.type)

    bus.subscribe(EventType.CIRCLE_CREATED, slowly)
    store.create_circle("a")
    assert heard == ["circle.created"]


def test_what_a_handler_publishes_in_its_turn_is_not_lost(store, bus):
    heard = []

    async def again(event):
        if event.data["name"] == "a":
            store.create_circle("b")

    async def slowly(event):
        await asyncio.sleep(0.02)
        heard.append(event.data["name"])

    bus.subscribe(EventType.CIRCLE_CREATED, again)
    bus.subscribe(EventType.CIRCLE_CREATED, slowly)
    store.create_circle("a")
    assert heard == ["a", "b"]


def test_the_callers_own_loop_stays_the_current_one(store):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        store.create_circle("a")
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@awaited
async def test_within_a_loop_it_is_held_until_it_ends(store, bus):
    heard = []
    go_on = asyncio.Event()

    async def waits(event):
        await go_on.wait()
        heard.append(event.data["name"])

    bus.subscribe(EventType.CIRCLE_CREATED, waits)
    store.create_circle("a")
    for _ in range(3):
        await asyncio.sleep(0)
        gc.collect()
    assert heard == []
    (task,) = _publishing._TASKS
    go_on.set()
    await asyncio.wait_for(task, 10)
    assert heard == ["a"]
    assert not _publishing._TASKS


def test_from_other_threads_each_is_told_once(store, bus):
    heard = []
    bus.subscribe(EventType.CIRCLE_CREATED, lambda event: heard.append(event.circle_id))
    threads = [
        threading.Thread(
            target=lambda n=n: [store.create_circle(f"{n} {m}") for m in range(10)]
        )
        for n in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(heard) == list(range(1, 41))


def test_a_handler_that_fails_fails_nobody_else(store, bus):
    bus.subscribe(EventType.CIRCLE_CREATED, lambda _: 1 / 0)
    assert store.create_circle("a") == 1
    assert bus.get_stats()["handler_errors"] == 1


def test_a_change_that_was_refused_is_not_told(store, bus):
    store.create_circle("a")
    with pytest.raises(Exception, match="already"):
        store.create_circle("a")
    assert len(bus.get_history()) == 1
