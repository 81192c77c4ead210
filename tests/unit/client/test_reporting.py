"""A process tells how it does: when, what, and never at the program's cost."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

import pytest

from eventyard.cache import CacheConfig, CacheManager
from eventyard.client import EventRouterClient
from eventyard.core.errors import InvalidRequestError, PublishError
from eventyard.core.jsontext import dumps
from eventyard.events import Event, EventBus, event_bus
from eventyard.patterns.reporting import REPORTED
from eventyard.telemetry.runtime import Runtime, telemetry
from eventyard.testing import FakeClock, memory_router
from tests.awaiting import address, awaited, turns, until


def reports(router):
    return [one for one in router.events if one.type == REPORTED]


@awaited
async def test_it_reports_at_once_every_so_often_and_at_the_end():
    async with FakeClock() as clock, memory_router() as router:
        async with router.client("c1") as client, client.report("shop", every_s=10):
            await clock.advance(1)
            assert len(reports(router)) == 1
            await clock.advance(8)
            assert len(reports(router)) == 1
            await clock.advance(12)
            assert len(reports(router)) == 3
        told = reports(router)
        await clock.advance(30)
    assert reports(router) == told
    assert [one.payload.get("ended", False) for one in told] == [False] * 3 + [True]
    assert {one.payload["process"] for one in told} == {"shop"}
    assert {one.source for one in told} == {"c1"}
    assert len({one.payload["started_at"] for one in told}) == 1


@awaited
async def test_it_tells_of_its_bus_its_cache_its_telemetry_and_its_client():
    bus = EventBus.separate()

    def fail(_):
        raise ValueError

    bus.subscribe("a", fail)
    for _ in range(3):
        await bus.publish(Event("a"))
    cache = CacheManager(CacheConfig(enabled=False, password="hunter2"))
    cache.get("x")
    async with memory_router() as router, router.client() as client:
        async with client.report(cache=cache, bus=bus):
            pass
        await client.flush()
        told = reports(router)[-1].payload
    assert told["process"] == f"{socket.gethostname()}:{os.getpid()}"[-128:]
    assert told["bus"] == bus.get_stats()
    assert (told["bus"]["events_published"], told["bus"]["handler_errors"]) == (3, 3)
    assert told["cache"]["enabled"] is False
    assert told["cache"]["reason"] == "the cache is disabled"
    assert told["telemetry"] == {"enabled": False, "traces": False, "metrics": False}
    assert told["client"] == {"pending": 0}
    assert "hunter2" not in dumps(told)
    assert len(dumps(told)) < 1_000


@awaited
async def test_without_a_cache_none_is_told_and_the_bus_is_that_of_the_process():
    async with memory_router() as router, router.client() as client:
        async with client.report():
            told = client.report().report()
        assert (told["cache"], told["bus"]) == (None, event_bus.get_stats())


@awaited
async def test_telemetry_that_is_set_up_is_told():
    telemetry.set(Runtime(tracer=object()))
    try:
        told = EventRouterClient(url=address()).report("a").report()
    finally:
        telemetry.set(None)
    assert told["telemetry"] == {"enabled": True, "traces": True, "metrics": False}


@awaited
async def test_a_report_is_nobodys_effect():
    """Entered by a handler, it does not tell that what was handled led to it."""
    async with memory_router() as router, router.client() as client:
        reporter = client.report("a")

        @client.on("begin")
        async def begin(_):
            await reporter.__aenter__()
            await client.publish("begun")

        await client.publish("begin")
        await until(lambda: len(reports(router)) == 1)
        await until(lambda: router.events[-1].type in ("begun", REPORTED))
        await reporter.__aexit__()
        await client.flush()
    assert [one.causation_id for one in reports(router)] == [None, None]
    begun = next(one for one in router.events if one.type == "begun")
    assert begun.causation_id is not None


@awaited
async def test_the_same_figures_are_told_again_where_repeats_are_not_sent():
    async with FakeClock() as clock, memory_router() as router:
        client = router.client(cache_size=10, cache_ttl=600)
        async with client, client.report(bus=EventBus.separate(), every_s=10):
            await clock.advance(21)
            assert len(reports(router)) == 3


@awaited
async def test_what_cannot_be_told_is_one_line_in_the_log_and_nothing_else(caplog):
    caplog.set_level(logging.WARNING, "eventyard")
    errors = []
    async with FakeClock() as clock:
        client = EventRouterClient(url=address())
        client.on_error(lambda error, _: errors.append(error))
        async with client:
            send = client._outbox.send

            async def refuse(_):
                raise PublishError("away")

            client._outbox.send = refuse
            async with client.report(every_s=10):
                await clock.advance(35)
                await until(lambda: caplog.records)
                client._outbox.send = send
    ours = [one for one in caplog.records if one.name == "eventyard.reporting"]
    assert len(ours) == 1
    assert errors == []


@awaited
async def test_a_full_buffer_does_not_stop_the_program(caplog):
    caplog.set_level(logging.WARNING, "eventyard")
    async with EventRouterClient(url=address()) as client:

        def full(*_):
            raise PublishError("full")

        client.put_unheeded = full
        async with client.report():
            await turns()
    assert [one.name for one in caplog.records] == ["eventyard.reporting"]


@awaited
async def test_a_client_that_was_closed_is_not_opened_again():
    async with FakeClock() as clock:
        client = EventRouterClient(url=address())
        async with client.report(every_s=10):
            await clock.advance(1)
            assert client.is_connected
            await client.close()
            await clock.advance(30)
            assert not client.is_connected
        assert not client.is_connected


@awaited
async def test_nothing_runs_before_it_is_entered_and_after_it_is_left():
    before = asyncio.all_tasks()
    async with memory_router() as router, router.client() as client:
        reporter = client.report()
        await turns()
        assert reports(router) == []
        async with reporter:
            with pytest.raises(InvalidRequestError):
                await reporter.__aenter__()
        async with reporter:
            pass
        await client.flush()
        # What ends at once is told of once.
        assert [one.payload.get("ended") for one in reports(router)] == [True, True]
    assert asyncio.all_tasks() == before


@awaited
async def test_a_program_that_is_cancelled_still_tells_that_it_ends():
    async with memory_router() as router:

        async def program():
            async with router.client() as client, client.report():
                await asyncio.Event().wait()

        task = asyncio.create_task(program())
        await until(lambda: reports(router))
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert reports(router)[-1].payload["ended"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 129},
        {"every_s": 0.5},
        {"every_s": 301},
        {"every_s": float("nan")},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(wrong):
    with pytest.raises(InvalidRequestError):
        EventRouterClient(url=address()).report(**wrong)
