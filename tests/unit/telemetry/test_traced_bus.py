"""The bus of a process, counted and traced while telemetry is on."""

from __future__ import annotations

import asyncio

import pytest

from eventyard import Event, EventBus
from eventyard.events._subscribers import Subscribers
from eventyard.telemetry import (
    TelemetryConfig,
    get_tracer,
    setup_telemetry,
    shutdown_telemetry,
    trace_method,
)
from tests.awaiting import awaited
from tests.otlp import Collector


@pytest.fixture
def collector():
    with Collector() as made:
        assert setup_telemetry(TelemetryConfig(otlp_endpoint=made.url))
        yield made
        shutdown_telemetry()


@trace_method(name="inside")
def inside():
    return None


@awaited
async def test_what_is_published_and_handled_is_counted_and_has_spans(collector):
    bus, had = EventBus.separate(), []

    async def waits(event):
        await asyncio.sleep(0)
        inside()
        had.append(event)

    def plain(event):
        had.append(event)

    async def fails(event):
        raise ValueError("no")

    for handler in (waits, plain, fails):
        bus.subscribe("a.b", handler)
    bus.subscribe("a.b", plain, filter_fn=lambda event: False)
    with get_tracer().start_as_current_span("publishing"):
        await bus.publish(Event("a.b"))
    await bus.publish(Event("nobody.cares"))
    shutdown_telemetry()

    assert len(had) == 2
    assert bus.get_stats()["events_delivered"] == 2
    assert bus.get_stats()["handler_errors"] == 1
    assert collector.total("eventbus.events.published", event_type="a.b") == 1
    assert collector.total("eventbus.events.published") == 2
    assert collector.total("eventbus.events.delivered", event_type="a.b") == 2
    assert collector.total("eventbus.handler.errors", error_type="ValueError") == 1
    assert collector.total("eventbus.handler.duration", event_type="a.b") == 3
    handled, (publishing,) = (
        collector.named("handle a.b"),
        collector.named("publishing"),
    )
    assert {span.parent_id for span in handled} == {publishing.span_id}
    assert [span.failed for span in handled].count(True) == 1
    assert collector.named("inside")[0].parent_id in {s.span_id for s in handled}


@awaited
async def test_a_bus_that_nobody_looks_at_calls_its_handlers_as_they_are(collector):
    bus, had = EventBus.separate(), []
    bus.subscribe("a", had.append)
    await bus.publish(Event("a"))
    shutdown_telemetry()
    await bus.publish(Event("a"))
    assert Subscribers.observer is None
    assert bus._subscribers.known["a"][0].handler == had.append
    # It was known already: it is looked at all the same from now on.
    setup_telemetry(TelemetryConfig(otlp_endpoint=collector.url))
    await bus.publish(Event("a"))
    shutdown_telemetry()
    assert len(had) == 3
    assert len(collector.named("handle a")) == 2


@awaited
async def test_handlers_are_still_called_with_nothing_of_each_other(collector):
    bus = EventBus.separate()
    tasks = set()

    async def first(event):
        tasks.add(asyncio.current_task())
        await asyncio.sleep(0.001)

    async def second(event):
        async with asyncio.timeout(1):
            await asyncio.sleep(0)
        tasks.add(asyncio.current_task())

    bus.subscribe("a", first)
    bus.subscribe("a", second)
    await asyncio.gather(*(bus.publish(Event("a")) for _ in range(10)))
    assert len(tasks) > 1
    assert bus.get_stats()["events_delivered"] == 20
