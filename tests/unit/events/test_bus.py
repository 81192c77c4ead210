"""The bus of a process: everybody has each event, whatever one of them does."""

# ruff: noqa: ASYNC100, ASYNC115 - what handlers may do

from __future__ import annotations

import asyncio
import functools
import gc
import logging
from contextvars import ContextVar

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard.core.errors import SubscriptionError
from eventyard.events import Event, EventBus, EventType, event_bus
from tests.awaiting import Clock, awaited, turns
from tests.properties import examples

VARIABLE = ContextVar("variable", default=None)


@pytest.fixture
def bus():
    return EventBus.separate()


def event(**fields):
    return Event("a.b", **fields)


def test_there_is_one_bus_in_a_process_and_separate_ones_beside_it():
    class Mine(EventBus):
        pass

    assert EventBus() is event_bus
    assert EventBus.separate() is not event_bus
    assert Mine() is Mine()
    assert Mine() is not event_bus


def test_the_usual_types_are_texts():
    assert len(EventType) == 24
    assert EventType.AGENT_TOOL_EXECUTED == "agent.tool.executed"
    assert all(one.name == one.value.upper().replace(".", "_") for one in EventType)


@awaited
async def test_functions_coroutines_partials_and_objects_are_handlers():
    bus, got = EventBus.separate(), []

    class Callable:
        async def __call__(self, event):
            got.append("object")

    class Awaited:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            got.append("awaitable")

    async def coroutine(event, name="coroutine"):
        await asyncio.sleep(0)
        got.append(name)

    def future(event):
        done = asyncio.get_running_loop().create_future()
        done.set_result(got.append("future"))
        return done

    for handler in (
        lambda event: got.append("function"),
        lambda event: 7,
        lambda event: Awaited(),
        coroutine,
        functools.partial(coroutine, name="partial"),
        Callable(),
        future,
    ):
        bus.subscribe(EventType.TASK_CREATED, handler)
    await bus.publish(Event(EventType.TASK_CREATED))

    assert sorted(got) == [
        "awaitable",
        "coroutine",
        "function",
        "future",
        "object",
        "partial",
    ]
    assert bus.get_stats()["events_delivered"] == 7


@awaited
async def test_filters_choose_and_one_that_fails_costs_no_other(caplog):
    bus, got = EventBus.separate(), []
    bus.subscribe("a.b", got.append, lambda e: e.circle_id == 1)
    bus.subscribe("a.b", got.append, lambda e: 1 / 0)
    bus.subscribe("a.b", got.append)
    await bus.publish(event(circle_id=1))
    await bus.publish(event(circle_id=2))
    await bus.publish(Event("a.c"))

    assert [one.circle_id for one in got] == [1, 1, 2]
    stats = bus.get_stats()
    assert (stats["events_published"], stats["events_delivered"]) == (3, 3)
    assert stats["handler_errors"] == 2
    assert "ZeroDivisionError" in caplog.text


@awaited
async def test_errors_are_counted_and_logged_and_are_no_deliveries(caplog):
    bus, got = EventBus.separate(), []

    async def late(_):
        await asyncio.sleep(0)
        raise KeyError("late")

    async def early(_):
        raise KeyError("early")

    def plain(_):
        raise KeyError("plain")

    for handler in (late, early, plain, got.append):
        bus.subscribe("a.b", handler)
    await bus.publish(event())

    assert len(got) == 1
    stats = bus.get_stats()
    assert (stats["handler_errors"], stats["events_delivered"]) == (3, 1)
    assert all(name in caplog.text for name in ("late", "early", "plain"))


def test_ids_are_never_used_again_and_end_their_own_subscription(bus):
    first = bus.subscribe("a.b", print)
    second = bus.subscribe("a.b", print)
    other = bus.subscribe("a", print, name="mine")
    assert (first, second, other) == ("a.b:0", "a.b:1", "a:0")
    assert bus.unsubscribe(first)
    assert not bus.unsubscribe(first)
    assert bus.subscribe("a.b", print) == "a.b:2"
    assert [bus.unsubscribe(one) for one in ("nope", "", ":", "a.b:9")] == [False] * 4
    assert bus.get_stats()["active_subscribers"] == 3


@awaited
async def test_the_history_is_bounded_newest_first_and_chosen_from():
    bus = EventBus.separate()
    for number in range(1_010):
        await bus.publish(
            Event("a.b" if number % 2 else "a.c", number, circle_id=number % 5)
        )

    assert bus.get_stats()["history_size"] == 1_000
    assert [one.payload for one in bus.get_history(limit=3)] == [1009, 1008, 1007]
    assert [one.payload for one in bus.get_history("a.c", limit=2)] == [1008, 1006]
    assert [one.payload for one in bus.get_history(circle_id=1, limit=2)] == [
        1006,
        1001,
    ]
    assert len(bus.get_history()) == 100
    assert bus.get_history(limit=0) == bus.get_history(limit=-1) == []
    assert bus.get_history(unknown=1) == []
    assert len(bus.get_history(unknown=None, limit=5)) == 5
    bus.clear_history()
    assert bus.get_history() == []


@awaited
async def test_repeats_are_dropped_where_that_is_asked_for():
    bus, got, clock = EventBus.separate(), [], Clock()
    bus.subscribe("a.b", got.append)
    await bus.publish(event())
    await bus.publish(event())
    assert len(got) == 2
    bus.configure(dedup_enabled=True, dedup_window=2.0)
    bus._repeats._clock = clock
    for fields in (
        {},
        {},
        {"data": {"a": 1}},
        {"data": {"a": 1}},
        {"project_id": 7},
        {"circle_id": 7},
        {"source_agent_id": 7},
    ):
        await bus.publish(event(**fields))
    assert len(got) == 7
    stats = bus.get_stats()
    assert (stats["events_deduplicated"], stats["history_size"]) == (2, 7)
    clock.now += 2
    await bus.publish(event())
    assert len(got) == 8
    for number in range(3_000):
        clock.now += 1
        await bus.publish(event(data=number))
    assert len(bus._repeats._seen) < 1_100


@awaited
async def test_a_reset_leaves_nothing_behind():
    bus = EventBus.separate()
    old = bus.subscribe("a.b", print)
    bus.configure(max_concurrent_handlers=1, dedup_enabled=True)
    await bus.publish(event())
    bus.reset()
    got = []
    bus.subscribe("a.b", got.append)
    assert not bus.unsubscribe(old)
    await bus.publish(event())
    await bus.publish(event())
    assert len(got) == 2
    assert bus.get_stats() == {
        "events_published": 2,
        "events_delivered": 2,
        "handler_errors": 0,
        "events_deduplicated": 0,
        "active_subscribers": 1,
        "history_size": 2,
    }


# Stepping: handlers have a task of their own, or seem to; also one that is alone.


@pytest.mark.parametrize("way", ["late", "early", "plain", "filter", "cancelled"])
@awaited
async def test_the_error_of_an_only_handler_is_counted_and_logged(way, caplog):
    bus = EventBus.separate()
    caplog.set_level(logging.WARNING, "eventyard.events")

    async def late(_):
        await asyncio.sleep(0)
        raise KeyError(way)

    async def early(_):
        raise KeyError(way)

    def plain(_):
        raise KeyError(way)

    async def cancelled(_):
        await asyncio.sleep(0)
        raise asyncio.CancelledError(way)

    handlers = {"late": late, "early": early, "plain": plain, "cancelled": cancelled}
    bus.subscribe("a.b", handlers.get(way, early), plain if way == "filter" else None)
    await bus.publish(event())
    stats = bus.get_stats()
    assert (stats["handler_errors"], stats["events_delivered"]) == (1, 0)
    assert caplog.text


@pytest.mark.parametrize("waits", [0, 1, 3])
@awaited
async def test_an_only_handler_has_all_that_one_of_many_has(waits):
    bus, got = EventBus.separate(), []
    VARIABLE.set("publisher")

    async def handle(one):
        task = asyncio.current_task()
        VARIABLE.set("handler")
        async with asyncio.timeout(3_600):
            for _ in range(waits):
                await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        got.append((one, VARIABLE.get(), asyncio.current_task() is task))

    bus.subscribe("a.b", handle, lambda one: one.circle_id == 1)
    await bus.publish(event(circle_id=2))
    one = event(circle_id=1)
    publisher = asyncio.current_task()
    await bus.publish(one)
    assert got == [(one, "handler", True)]
    assert VARIABLE.get() == "publisher"
    assert asyncio.current_task() is publisher
    assert bus.get_stats()["events_delivered"] == 1


def test_events_may_be_published_where_there_is_no_task():
    bus, got, loop = EventBus.separate(), [], asyncio.new_event_loop()

    def publish():
        coroutine = bus.publish(event())
        with pytest.raises(StopIteration):
            coroutine.send(None)
        got.append(asyncio.current_task())
        loop.stop()

    bus.subscribe("a.b", got.append)
    loop.call_soon(publish)
    loop.run_forever()
    loop.run_until_complete(bus.publish(event()))
    loop.close()
    assert got[1] is None
    assert len(got) == 3


@awaited
async def test_handlers_wait_side_by_side():
    bus, barrier = EventBus.separate(), asyncio.Barrier(50)

    async def meet(_):
        await barrier.wait()

    for _ in range(50):
        bus.subscribe("a.b", meet)
    await bus.publish(event())
    assert bus.get_stats()["events_delivered"] == 50


@pytest.mark.parametrize("seconds", [0, 0.001])
@pytest.mark.parametrize("before", [0, 1])
@awaited
async def test_a_time_out_in_a_handler_is_that_handlers(seconds, before):
    bus, got = EventBus.separate(), []

    async def slow(_):
        for _ in range(before):
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(3_600)
        except TimeoutError:
            got.append("in time")
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)
        got.append("after")

    bus.subscribe("a.b", slow)
    bus.subscribe("a.b", lambda _: got.append("other"))
    await bus.publish(event())
    assert sorted(got) == ["after", "in time", "other"]
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)


@awaited
async def test_time_outs_that_do_not_fire_leave_nothing_behind():
    bus, got = EventBus.separate(), []

    async def quick(_):
        async with asyncio.timeout(0.001):
            got.append(1)

    async def waits(_):
        await asyncio.sleep(0.01)
        got.append(2)

    for handler in (quick, waits, quick, waits):
        bus.subscribe("a.b", handler)
    await bus.publish(event())
    assert got == [1, 1, 2, 2]


@awaited
async def test_a_group_with_a_child_that_fails_is_that_handlers():
    bus, got = EventBus.separate(), []

    async def fail():
        raise ValueError("child")

    async def family(_):
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(asyncio.sleep(3_600))
        except* ValueError:
            got.append("caught")
        await asyncio.sleep(0)

    async def other(_):
        await asyncio.sleep(0.001)
        got.append("other")

    bus.subscribe("a.b", family)
    bus.subscribe("a.b", other)
    await bus.publish(event())
    assert got == ["caught", "other"]
    assert asyncio.current_task().cancelling() == 0


@awaited
async def test_scopes_that_must_end_in_the_task_they_began_in_do():
    bus, got = EventBus.separate(), []

    async def scoped(_):
        with anyio.move_on_after(0.001) as scope:
            await anyio.sleep(3_600)
        got.append(scope.cancelled_caught)
        with anyio.fail_after(3_600):
            await anyio.sleep(0)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 3_600)
            group.cancel_scope.cancel()
        got.append("group")

    bus.subscribe("a.b", scoped)
    bus.subscribe("a.b", scoped)
    await bus.publish(event())
    assert (bus.get_stats()["handler_errors"], len(got)) == (0, 4)


@awaited
async def test_the_current_task_is_the_same_from_beginning_to_end():
    bus, tasks = EventBus.separate(), []
    publisher = asyncio.current_task()

    async def look(_):
        before = asyncio.current_task()
        assert before.get_name()
        assert not before.done()
        await asyncio.sleep(0)
        assert asyncio.current_task() is before
        tasks.append(before)

    for _ in range(3):
        bus.subscribe("a.b", look)
    await bus.publish(event())
    assert asyncio.current_task() is publisher
    assert len({*map(id, tasks), id(publisher)}) == 4
    assert all(task.done() and not task.cancelled() for task in tasks)


@pytest.mark.parametrize("waits", [False, True])
@awaited
async def test_a_handler_that_cancels_itself_harms_nobody(waits):
    bus, got = EventBus.separate(), []

    async def suicidal(_):
        asyncio.current_task().cancel()
        if waits:
            await asyncio.sleep(0)
            got.append("never")

    async def other(_):
        await asyncio.sleep(0.001)
        got.append("other")

    def raises(_):
        raise asyncio.CancelledError

    for handler in (suicidal, other, raises, other):
        bus.subscribe("a.b", handler)
    await bus.publish(event())
    assert got == ["other", "other"]
    assert bus.get_stats()["handler_errors"] == 1 + waits


@awaited
async def test_a_task_that_was_kept_is_nobody_elses():
    bus, kept, got = EventBus.separate(), [], []

    async def keeps(_):
        kept.append(asyncio.current_task())

    async def waits(_):
        kept[0].cancel()
        await asyncio.sleep(0)
        got.append(1)

    bus.subscribe("a.b", keeps)
    bus.subscribe("a.b", waits)
    await bus.publish(event())
    assert got == [1]


@awaited
async def test_when_the_publisher_is_cancelled_everybody_has_the_event_all_the_same():
    bus, got, go = EventBus.separate(), [], asyncio.Event()
    bus.configure(max_concurrent_handlers=3)

    async def waits(_):
        await go.wait()
        got.append(1)

    for _ in range(10):
        bus.subscribe("a.b", waits)
    publishing = asyncio.create_task(bus.publish(event()))
    await turns()
    publishing.cancel()
    await asyncio.wait([publishing])
    assert publishing.cancelled()
    gc.collect()
    go.set()
    await turns(200)
    assert len(got) == 10
    assert bus._left == set()


@awaited
async def test_context_variables_reach_handlers_and_leak_nowhere():
    bus, seen = EventBus.separate(), []
    VARIABLE.set("publisher")

    def plain(_):
        seen.append(VARIABLE.get())
        VARIABLE.set("plain")

    async def quick(_):
        seen.append(VARIABLE.get())
        VARIABLE.set("quick")

    async def slow(_):
        seen.append(VARIABLE.get())
        VARIABLE.set("slow")
        await asyncio.sleep(0.001)
        seen.append(VARIABLE.get())

    for handler in (plain, quick, slow, slow, plain, quick):
        bus.subscribe("a.b", handler)
    await bus.publish(event())
    assert VARIABLE.get() == "publisher"
    assert seen == ["publisher"] * 6 + ["slow"] * 2


@given(waits=st.lists(st.integers(0, 3), max_size=40), most=st.integers(1, 10))
@settings(max_examples=examples(50), deadline=None)
def test_so_many_wait_at_once_and_no_more(waits, most):
    bus, now, peak, done = EventBus.separate(), 0, 0, 0
    bus.configure(max_concurrent_handlers=most)

    def handler(times):
        async def handle(_):
            nonlocal now, peak, done
            for turn in range(times):
                now += turn == 0
                peak = max(peak, now)
                await asyncio.sleep(0)
            now -= times > 0
            done += 1

        return handle

    for times in waits:
        bus.subscribe("a.b", handler(times))
    asyncio.run(bus.publish(event()))
    assert done == len(waits) == bus.get_stats()["events_delivered"]
    assert peak <= most


@awaited
async def test_a_thousand_handlers_are_all_called_and_handlers_may_publish():
    bus, got = EventBus.separate(), []

    async def passes_on(one):
        await asyncio.sleep(0)
        await bus.publish(Event("a.c"))

    for _ in range(1_000):
        bus.subscribe("a.b", passes_on)
    bus.subscribe("a.c", got.append)
    await bus.publish(event())
    assert len(got) == 1_000
    assert bus.get_stats()["events_delivered"] == 2_000


@awaited
async def test_subscribing_while_an_event_is_handed_out_is_for_the_next_one():
    bus, got = EventBus.separate(), []

    def more(_):
        bus.subscribe("a.b", got.append)

    mine = bus.subscribe("a.b", more)
    await bus.publish(event())
    assert got == []
    bus.unsubscribe(mine)
    await bus.publish(event())
    assert len(got) == 1


@awaited
async def test_what_is_nobodys_to_catch_reaches_the_publisher(caplog):
    bus, got = EventBus.separate(), []

    class Stop(BaseException):
        pass

    def stops(_):
        raise Stop

    async def waits(_):
        await asyncio.sleep(0)
        got.append(1)

    bus.subscribe("a.b", waits)
    bus.subscribe("a.b", stops)
    with caplog.at_level(logging.CRITICAL), pytest.raises(Stop):
        await bus.publish(event())
    await turns()
    assert got == [1]
    assert asyncio.current_task() is not None


def test_a_bus_serves_one_loop_after_another(bus):
    got = []
    bus.subscribe("a.b", got.append)
    for _ in range(2):
        asyncio.run(bus.publish(event()))
    assert len(got) == 2


def test_an_event_tells_whether_it_has_some_fields():
    one = Event(type=EventType.TASK_COMPLETED, data={}, source_agent_id=1, circle_id=5)
    assert one.matches_filter()
    assert one.matches_filter(circle_id=5, source_agent_id=1, unknown=None)
    assert one.matches_filter(type=EventType.TASK_COMPLETED)
    assert not one.matches_filter(circle_id=6)
    assert not one.matches_filter(unknown=1)


# What leads to what.


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("way", ["await", "gather", "group", "later"])
@awaited
async def test_what_a_handler_publishes_has_what_it_handles_as_its_cause(way, others):
    bus, got = EventBus.separate(), []

    async def leads_on(_):
        if way == "later":
            await asyncio.sleep(0)
        if way == "gather":
            await asyncio.gather(bus.publish(Event("a.c")), bus.publish(Event("a.d")))
        elif way == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(bus.publish(Event("a.c")))
        else:
            await bus.publish(Event("a.c"))

    for _ in range(others):
        bus.subscribe("a.b", lambda _: None)
    bus.subscribe("a.b", leads_on)
    bus.subscribe("a.c", got.append)
    first = event(correlation_id="talk")
    await bus.publish(first)
    await bus.publish(Event("a.c"))
    assert [(e.causation_id, e.correlation_id) for e in got] == [
        (first.id, "talk"),
        (None, None),
    ]


@awaited
async def test_a_cause_that_was_named_stays():
    bus, got = EventBus.separate(), []
    named = Event("a.c", causation_id="mine", correlation_id="yours")
    bus.subscribe("a.b", lambda _: bus.publish(named))
    bus.subscribe("a.c", got.append)
    await bus.publish(event())
    assert (got[0].causation_id, got[0].correlation_id) == ("mine", "yours")


@pytest.mark.parametrize("same", [False, True])
@awaited
async def test_handlers_that_go_round_in_a_circle_come_to_an_end(same, caplog):
    bus = EventBus.separate()
    bus.configure(max_chain=7)
    bus.subscribe("a.b", lambda e: bus.publish(e if same else Event("a.c")))
    bus.subscribe("a.c", lambda e: bus.publish(Event("a.b")))
    await bus.publish(event())
    stats = bus.get_stats()
    assert (stats["events_published"], stats["handler_errors"]) == (8, 1)
    assert "8 events led to one another" in caplog.text
    bus.reset()
    bus.subscribe("a.b", lambda _: bus.publish(event()))
    await bus.publish(event())
    assert bus.get_stats()["events_published"] == 101


@given(header=st.text(max_size=12))
def test_any_header_may_stand_where_hops_are_counted(header):
    bus = EventBus.separate()
    bus.subscribe("a.b", lambda _: bus.publish(Event("a.c")))
    asyncio.run(bus.publish(event(headers={"hops": header})))
    counted = header.isascii() and header.isdigit() and len(header) < 10
    told = 1 + int(header) if counted else 1
    assert (bus.get_stats()["events_published"] == 2) == (told <= 100)


# Patterns.


@awaited
async def test_patterns_have_the_events_of_all_types_that_they_fit():
    bus, got = EventBus.separate(), []
    ids = [
        bus.subscribe(pattern, lambda e, p=pattern: got.append((p, e.type)))
        for pattern in ("**", "task.*", "task.created", "*.created", "*")
    ]
    await bus.publish(Event("task.created"))
    assert [p for p, _ in got] == ["task.created", "**", "task.*", "*.created", "*"]
    assert all(map(bus.unsubscribe, ids[:2]))
    got.clear()
    await bus.publish(Event("task.ended"))
    await bus.publish(Event("circle.created"))
    assert got == [
        ("*", "task.ended"),
        ("*.created", "circle.created"),
        ("*", "circle.created"),
    ]
    assert bus.get_stats()["active_subscribers"] == 3
    with pytest.raises(SubscriptionError):
        bus.subscribe("task.a*", print)
    for number in range(5_000):
        await bus.publish(Event(f"type.{number}"))
    assert len(bus._subscribers.known) <= 4_096


# Expecting one.


@awaited
async def test_the_next_event_that_passes_is_awaited_from_the_call_on():
    bus = EventBus.separate()
    await bus.publish(Event("answer", 0, circle_id=1))
    waiting = bus.expect("answer", lambda e: e.payload > 1, circle_id=1)
    for number, circle in ((9, 2), (1, 1), (2, 1), (3, 1)):
        await bus.publish(Event("answer", number, circle_id=circle))
    assert (await waiting).payload == 2
    assert (await waiting).payload == 2
    assert bus.get_stats()["active_subscribers"] == 0


@awaited
async def test_what_never_comes_is_a_time_out_that_says_what_was_expected():
    bus = EventBus.separate()
    with pytest.raises(
        TimeoutError, match=r"No task\.\* that passes came within 0.01 s"
    ):
        await bus.expect("task.*", timeout=0.01)
    waiting = bus.expect("task.*", timeout=None)
    task = asyncio.ensure_future(waiting._awaited())
    await turns()
    task.cancel()
    await asyncio.wait([task])
    assert bus.get_stats()["active_subscribers"] == 0


@awaited
async def test_an_expectation_that_is_forgotten_or_cancelled_unsubscribes():
    bus = EventBus.separate()
    bus.expect("answer")
    gc.collect()
    assert bus.get_stats()["active_subscribers"] == 0
    waiting = bus.expect("answer")
    assert bus.get_stats()["active_subscribers"] == 1
    waiting.cancel()
    assert bus.get_stats()["active_subscribers"] == 0


@awaited
async def test_an_event_from_another_thread_is_one_as_well():
    bus = EventBus.separate()
    waiting = bus.expect(EventType.TASK_COMPLETED)
    one = Event(EventType.TASK_COMPLETED)
    await asyncio.to_thread(asyncio.run, bus.publish(one))
    assert await waiting is one
