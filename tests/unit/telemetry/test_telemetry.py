"""Telemetry of a program: set up, off, and what of it arrives at a collector."""

from __future__ import annotations

import asyncio
import inspect
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import eventyard
from eventyard.core.errors import ValidationError
from eventyard.telemetry import (
    TelemetryConfig,
    get_meter,
    get_tracer,
    is_enabled,
    measure_time,
    measure_time_async,
    setup_telemetry,
    shutdown_telemetry,
    trace_async_method,
    trace_method,
)
from eventyard.telemetry.metrics import (
    agent_metrics,
    cache_metrics,
    eventbus_metrics,
    llm_metrics,
)
from tests.awaiting import awaited
from tests.otlp import Collector


@pytest.fixture
def collector():
    with Collector() as made:
        yield made
        shutdown_telemetry()


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("TELEMETRY_ENABLED", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    yield
    shutdown_telemetry()


def begin(collector, **more):
    return setup_telemetry(TelemetryConfig(otlp_endpoint=collector.url, **more))


class Agent:
    @trace_method()
    def think(self):
        return 42

    @trace_async_method(name="agent.chat", attributes={"kind": "talk"})
    async def chat(self, text):
        await asyncio.sleep(0)
        return text.upper()

    @trace_method()
    async def wait(self):
        await asyncio.sleep(0.02)
        return get_tracer() is not None

    @trace_method()
    def fail(self):
        raise KeyError("no such thing")

    @measure_time("agent.think.time")
    def measured(self):
        return "done"

    @measure_time_async("agent.chat.time", unit="s")
    async def measured_too(self):
        raise RuntimeError("measured all the same")


def use_everything():
    agent = Agent()
    assert agent.think() == 42
    assert asyncio.run(agent.chat("hi")) == "HI"
    asyncio.run(agent.wait())
    with pytest.raises(KeyError):
        agent.fail()
    assert agent.measured() == "done"
    with pytest.raises(RuntimeError):
        asyncio.run(agent.measured_too())
    record_every_metric()


def record_every_metric():
    agent_metrics.record_run_duration(150.5, agent_id=0, success=True)
    agent_metrics.record_tool_call("read", 5, success=False, agent_id="a")
    agent_metrics.record_tokens(7, "m", agent_id=0)
    agent_metrics.record_iterations(3)
    llm_metrics.record_llm_call(
        "p", "m", 10, success=False, prompt_tokens=5, completion_tokens=6
    )
    eventbus_metrics.record_event_published("a.b")
    eventbus_metrics.record_event_delivered("a.b", 3)
    eventbus_metrics.record_handler_error("a.b")
    eventbus_metrics.record_handler_duration("a.b", 2)
    cache_metrics.record_cache_hit("rag")
    cache_metrics.record_cache_miss("rag")
    cache_metrics.record_cache_operation("get", 0.5, "rag")


def loaded_by(program):
    told = f"import sys\n{program}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", told],
        env={"PYTHONPATH": str(Path(eventyard.__file__).parents[1])},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_while_it_is_off_everything_is_called_and_nothing_is_imported():
    use_everything()
    assert not is_enabled()
    assert get_tracer("a") is None
    assert get_meter("a") is None
    loaded = loaded_by(
        "from eventyard.telemetry import *\n"
        "from eventyard.telemetry.metrics import agent_metrics\n"
        "from eventyard import EventRouterClient, event_bus\n"
        "trace_method()(int)('1'); measure_time('a')(int)('1')\n"
        "agent_metrics.record_iterations(1)\n"
        "setup_telemetry(TelemetryConfig(enabled=False))\n"
        "EventRouterClient().event('a.b')"
    )
    assert not {name for name in loaded if name.startswith("opentelemetry")}
    assert "grpc" not in loaded


def test_what_was_made_before_the_set_up_works_after_it(collector):
    agent = Agent()
    assert begin(collector, service_name="seen", environment="test")
    assert is_enabled()
    assert agent.think() == 42
    shutdown_telemetry()

    (span,) = collector.named("Agent.think")
    assert span.service == "seen"
    assert span.resource["deployment.environment.name"] == "test"
    assert span.attributes["class"] == "Agent"
    assert span.attributes["success"] is True
    assert not is_enabled()


def test_every_instrument_arrives_with_attributes_that_are_texts(collector):
    begin(collector)
    record_every_metric()
    shutdown_telemetry()

    assert {name for name, *_ in collector.points if "." in name} >= {
        *("agent.run.duration", "agent.tool_call.duration", "agent.tool_calls.total"),
        *("agent.tool_calls.errors", "agent.tokens.used", "agent.iterations"),
        *("llm.call.duration", "llm.calls.total", "llm.calls.errors"),
        *("llm.tokens.prompt", "llm.tokens.completion", "eventbus.events.published"),
        *("eventbus.events.delivered", "eventbus.handler.errors"),
        *("eventbus.handler.duration", "cache.hits", "cache.misses"),
        "cache.operation.duration",
    }
    assert collector.total("agent.run.duration", agent_id="0", success="True") == 1
    assert collector.total("agent.tokens.used", agent_id="0", model="m") == 7
    assert collector.total("eventbus.events.delivered", event_type="a.b") == 3
    assert collector.total("llm.tokens.completion", provider="p") == 6
    assert collector.total("llm.calls.errors") == 1


def test_coroutine_functions_are_seen_whichever_decorator_they_have(collector):
    begin(collector)
    agent = Agent()
    assert inspect.iscoroutinefunction(Agent.wait)
    assert asyncio.run(agent.wait())
    assert asyncio.run(agent.chat("hi")) == "HI"
    with pytest.raises(RuntimeError):
        asyncio.run(agent.measured_too())
    shutdown_telemetry()

    (waited,) = collector.named("Agent.wait")
    assert waited.end - waited.start > 15_000_000
    (chatted,) = collector.named("agent.chat")
    assert chatted.attributes["kind"] == "talk"
    assert collector.total("agent.chat.time", function="Agent.measured_too") == 1


def test_an_error_is_told_and_raised_as_it_is(collector):
    begin(collector)
    with pytest.raises(KeyError):
        Agent().fail()
    shutdown_telemetry()

    (span,) = collector.named("Agent.fail")
    assert span.failed
    assert span.attributes["success"] is False
    assert span.attributes["error.type"] == "KeyError"
    assert "no such thing" in span.attributes["error.message"]


def test_an_unknown_unit_is_refused_when_it_is_written():
    for decorator in (measure_time, measure_time_async):
        with pytest.raises(ValueError, match="ms or s"):
            decorator("a", unit="h")


def test_the_rate_samples_traces_and_a_parent_decides_for_its_children(collector):
    begin(collector, trace_sample_rate=0.25)
    for _ in range(400):
        outer()
    shutdown_telemetry()

    inner, outside = collector.named("inner"), collector.named("outer")
    assert 50 <= len(outside) <= 160
    assert {span.parent_id for span in inner} == {span.span_id for span in outside}


@trace_method(name="inner")
def inner():
    return None


@trace_method(name="outer")
def outer():
    return inner()


def test_parts_of_it_can_be_left_out(collector):
    begin(collector, tracing_enabled=False)
    assert get_tracer() is None
    assert get_meter() is not None
    begin(collector, metrics_enabled=False)
    assert get_tracer() is not None
    assert get_meter() is None
    record_every_metric()


def test_a_set_up_that_fails_says_so_and_leaves_the_program_alone(
    caplog, monkeypatch, collector
):
    caplog.set_level(logging.WARNING, "eventyard.telemetry")
    for wrong in ("nonsense", "ftp://a", "http://[::1", "http://a:nonsense"):
        assert not setup_telemetry(TelemetryConfig(otlp_endpoint=wrong))
    monkeypatch.setenv("TELEMETRY_TRACE_SAMPLE_RATE", "much")
    assert not setup_telemetry()
    monkeypatch.setitem(sys.modules, "eventyard.telemetry.providers", None)
    assert not begin(collector)
    assert "eventyard[otel]" in caplog.text
    assert len(caplog.records) == 6
    assert not is_enabled()
    use_everything()


def test_a_collector_that_is_not_there_costs_nobody_an_error(caplog):
    with Collector() as gone:
        url = gone.url
    assert setup_telemetry(TelemetryConfig(otlp_endpoint=url))
    use_everything()
    shutdown_telemetry()
    assert not is_enabled()


def test_settings_are_read_from_the_environment(monkeypatch, collector):
    assert TelemetryConfig.from_env({}) == TelemetryConfig()
    monkeypatch.setenv("TELEMETRY_ENABLED", "false")
    assert not setup_telemetry()
    told = TelemetryConfig.from_env(
        {
            "TELEMETRY_SERVICE_NAME": "a",
            "TELEMETRY_ENVIRONMENT": "b",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "TELEMETRY_TRACE_SAMPLE_RATE": "0.5",
        }
    )
    assert (told.service_name, told.environment, told.trace_sample_rate) == (
        "a",
        "b",
        0.5,
    )
    assert told.otlp_endpoint == "http://c:4318"
    for wrong in (
        {"TELEMETRY_ENABLED": "perhaps"},
        {"TELEMETRY_TRACE_SAMPLE_RATE": "2"},
        {"TELEMETRY_TRACE_SAMPLE_RATE": "nan"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon"},
    ):
        with pytest.raises(ValidationError):
            TelemetryConfig.from_env(wrong)


def test_the_protocol_follows_from_setting_port_and_what_is_installed(monkeypatch):
    from eventyard.telemetry import providers

    def way(endpoint, protocol=""):
        return providers._way(
            TelemetryConfig(otlp_endpoint=endpoint, protocol=protocol)
        )

    assert way("http://localhost:4317") == ("grpc", "http://localhost:4317")
    assert way("http://localhost:4318/") == ("http/protobuf", "http://localhost:4318")
    assert way("https://a.example") == ("http/protobuf", "https://a.example")
    assert way("http://a:9", "grpc") == ("grpc", "http://a:9")
    monkeypatch.setattr(providers, "find_spec", lambda _: None)
    assert way("http://[::1]:4317") == ("http/protobuf", "http://[::1]:4318")


def test_spans_arrive_by_grpc_as_well():
    received = []
    import grpc
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
    from opentelemetry.proto.collector.trace.v1 import (
        trace_service_pb2_grpc as services,
    )

    class Traces(services.TraceServiceServicer):
        def Export(self, request, context):  # noqa: N802 - as gRPC calls it
            received.append(request)
            return messages.ExportTraceServiceResponse()

    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))
    services.add_TraceServiceServicer_to_server(Traces(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        config = TelemetryConfig(
            otlp_endpoint=f"http://127.0.0.1:{port}",
            protocol="grpc",
            metrics_enabled=False,
        )
        assert setup_telemetry(config)
        Agent().think()
        shutdown_telemetry()
    finally:
        server.stop(None)
    (request,) = received
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "Agent.think"


def test_setting_it_up_again_begins_anew(collector):
    with Collector() as other:
        begin(other)
        Agent().think()
        begin(collector)
        Agent().think()
        shutdown_telemetry()
        assert len(other.named("Agent.think")) == 1
    assert len(collector.named("Agent.think")) == 1


def test_the_spans_of_a_program_that_has_opentelemetry_are_one_with_ours(collector):
    program = f"""
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
mine = TracerProvider()
exporter = OTLPSpanExporter("{collector.url}/v1/traces")
mine.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(mine)
from eventyard.telemetry import *
assert setup_telemetry(TelemetryConfig(metrics_enabled=False))
with trace.get_tracer("own").start_as_current_span("theirs"):
    trace_method(name="ours")(int)("1")
shutdown_telemetry()
with trace.get_tracer("own").start_as_current_span("theirs, later"):
    pass
"""
    subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(eventyard.__file__).parents[1])},
        check=True,
    )
    (ours,), (theirs,) = collector.named("ours"), collector.named("theirs")
    assert ours.parent_id == theirs.span_id
    assert collector.named("theirs, later")


def test_calls_of_other_libraries_are_instrumented_where_that_is_installed(
    collector, monkeypatch
):
    import types

    done = []

    class Instrumentor:
        def instrument(self, tracer_provider):
            done.append(tracer_provider)

        def uninstrument(self):
            done.append("ended")

    there = types.ModuleType("opentelemetry.instrumentation.requests")
    there.RequestsInstrumentor = Instrumentor
    parent = types.ModuleType("opentelemetry.instrumentation")
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation", parent)
    monkeypatch.setitem(sys.modules, there.__name__, there)
    begin(collector, instrument_requests=False)
    assert done == []
    begin(collector)
    assert len(done) == 1
    shutdown_telemetry()
    assert done[1] == "ended"


@awaited
async def test_concurrent_calls_keep_their_spans_apart(collector):
    begin(collector)

    @trace_method(name="step")
    async def step():
        await asyncio.sleep(0)
        inner()

    await asyncio.gather(*(step() for _ in range(20)))
    shutdown_telemetry()
    steps = {span.span_id: span.trace_id for span in collector.named("step")}
    assert len(steps) == 20
    for span in collector.named("inner"):
        assert steps[span.parent_id] == span.trace_id
