"""A trace goes from who publishes, in the event's headers, to who handles it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eventyard import Event, EventRouterClient
from eventyard.core import traces, ulid
from eventyard.telemetry import (
    TelemetryConfig,
    get_tracer,
    setup_telemetry,
    shutdown_telemetry,
    span_for,
    trace_method,
)
from tests.awaiting import awaited, until
from tests.otlp import Collector

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def collector():
    with Collector() as made:
        config = TelemetryConfig(otlp_endpoint=made.url, metrics_enabled=False)
        assert setup_telemetry(config)
        yield made
        shutdown_telemetry()


def client():
    return EventRouterClient(url=f"memory://{ulid.new_ulid()}")


@trace_method(name="inside")
def inside():
    return None


@awaited
async def test_a_handler_runs_in_a_child_of_the_span_that_published(collector):
    async with client() as one:
        done = []

        @one.on("first")
        async def first(event):
            inside()
            await one.publish("second")

        @one.on("second")
        async def second(event):
            done.append(event)

        with get_tracer().start_as_current_span("publishing"):
            await one.publish("first", headers={"a": "b"})
        await until(lambda: done)
    shutdown_telemetry()

    (publishing,) = collector.named("publishing")
    (handled,), (inner,) = collector.named("handle first"), collector.named("inside")
    (then,) = collector.named("handle second")
    assert handled.parent_id == publishing.span_id
    assert inner.parent_id == handled.span_id
    assert then.parent_id == handled.span_id
    assert {s.trace_id for s in (handled, inner, then)} == {publishing.trace_id}
    assert done[0].headers["traceparent"].split("-")[2] == handled.span_id


@awaited
async def test_a_handler_that_fails_fails_its_span(collector):
    async with client() as one:
        told = []
        one.on_error(lambda error, event: told.append(error))

        @one.on("bad")
        async def bad(event):
            raise ValueError("not today")

        await one.publish("bad")
        await until(lambda: told)
    shutdown_telemetry()
    (span,) = collector.named("handle bad")
    assert span.failed
    assert span.attributes["error.type"] == "ValueError"


@awaited
async def test_what_nobody_sampled_is_handled_without_a_recorded_span(collector):
    async with client() as one:
        seen = []
        await one.subscribe("a", handler=seen.append)
        unsampled = HEADER[:-1] + "0"
        await one.publish("a", headers={"traceparent": unsampled})
        await until(lambda: seen)
    shutdown_telemetry()
    assert collector.named("handle a") == []
    assert seen[0].headers["traceparent"] == unsampled


def test_a_batch_has_links_to_each_trace_and_a_batch_of_one_trace_is_its_child(
    collector,
):
    others = [traces.root(1) for _ in range(3)]
    batch = [Event("a", headers=one.headers()) for one in others]
    with span_for([*batch, Event("a")]):
        inside()
    same = Event("b", headers={"traceparent": HEADER})
    with span_for([same, same]), span_for([]):
        pass
    shutdown_telemetry()

    (span,) = collector.named("handle a")
    assert set(span.links) == {(one.trace_id, one.span_id) for one in others}
    (child,) = collector.named("handle b")
    assert (child.trace_id, child.links) == (TRACE, ())


def test_a_cloudevents_extension_is_a_trace_as_well(collector):
    with span_for(Event("a", traceparent=HEADER)):
        pass
    shutdown_telemetry()
    assert collector.named("handle a")[0].trace_id == TRACE


WITHOUT = f"""
import asyncio, sys
from eventyard import Event, EventRouterClient

async def main():
    async with EventRouterClient(url="memory://a") as client:
        seen = []

        @client.on("first")
        async def first(event):
            await client.publish("second", headers={{"a": "b"}})

        @client.on("second")
        async def second(event):
            seen.append(event)

        await client.publish("first", headers={{"traceparent": "{HEADER}", "tracestate": "x=y"}})
        await client.publish("second", headers={{"traceparent": "nonsense", "tracestate": "x=y", "c": "d"}})
        await client.publish(Event("second", traceparent="nonsense"))
        while len(seen) < 3:
            await asyncio.sleep(0.001)
        passed = [event.headers for event in seen]
        assert {{"a": "b", "traceparent": "{HEADER}", "tracestate": "x=y"}} in passed, passed
        assert {{"c": "d"}} in passed
        assert {{}} in passed

asyncio.run(main())
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""


def test_without_opentelemetry_a_trace_that_is_there_is_carried():
    from pathlib import Path

    import eventyard

    path = str(Path(eventyard.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", WITHOUT], env={"PYTHONPATH": path}, check=True
    )


def test_a_program_of_its_own_opentelemetry_has_its_span_carried():
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    with TracerProvider().get_tracer("own").start_as_current_span("mine") as span:
        event = client().event("a")
        context = span.get_span_context()
    assert trace.get_current_span().get_span_context().is_valid is False
    found = traces.read(event.headers)
    assert found.trace_id == f"{context.trace_id:032x}"
    assert found.span_id == f"{context.span_id:016x}"
