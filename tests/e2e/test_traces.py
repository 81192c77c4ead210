"""One trace from a program through the platform to receivers and back to the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.e2e.running import ROOT, RunningPlatform, wait_until
from tests.otlp import Collector, Span
from tests.receiver import Receiver


@pytest.fixture(scope="module")
def collector():
    with Collector() as made:
        yield made


@pytest.fixture(scope="module")
def traced(tmp_path_factory, collector):
    platform = RunningPlatform(
        tmp_path_factory.mktemp("traced"),
        EVENTYARD_OTLP_ENDPOINT=collector.url,
        EVENTYARD_ALLOW_PRIVATE_HOSTS="127.0.0.1",
        TELEMETRY_TRACE_SAMPLE_RATE="0",
    )
    platform.start()
    yield platform
    platform.stop()


def run_client(platform: RunningPlatform, collector: Collector) -> None:
    program = ROOT / "tests" / "e2e" / "traced.py"
    told = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "TELEMETRY_SERVICE_NAME": "shop",
    }
    subprocess.run(
        [sys.executable, str(program), platform.live + "/ws/router"],
        env={**os.environ, **told},
        check=True,
        timeout=120,
    )


def way_up(span: Span, spans: dict[str, Span]) -> list[str]:
    """Return the names from a span up to where its trace began."""
    names = [span.name]
    while span.parent_id:
        span = spans[span.parent_id]
        names.append(span.name)
    return names


def test_one_trace_leads_from_the_program_through_every_function_to_its_handlers(
    traced, collector
):
    with Receiver() as receiver:
        target = {"type": "webhook", "url": receiver.url}
        wish = {"topics": ["traced.first"], "target": target}
        assert traced.request("POST", "/api/v1/subscriptions", wish)[0] == 201
        run_client(traced, collector)
        wait_until(lambda: receiver.received, what="the webhook")
        (request,) = receiver.received
    wait_until(lambda: collector.named("eventyard.deliver"), what="the last span")

    (begun,) = collector.named("checkout")
    spans = {s.span_id: s for s in collector.spans if s.trace_id == begun.trace_id}
    server = ["eventyard.fan_out", "eventyard.route", "eventyard.relay"]
    way = [*server, "eventyard.accept", "checkout"]
    (first,), (second,) = (
        [span for span in spans.values() if span.name == f"handle traced.{name}"]
        for name in ("first", "second")
    )
    assert way_up(first, spans) == ["handle traced.first", *way]
    assert way_up(second, spans) == [
        *("handle traced.second", *server, "eventyard.accept"),
        *way_up(first, spans),
    ]
    (deliver,) = [s for s in spans.values() if s.name == "eventyard.deliver"]
    assert way_up(deliver, spans) == ["eventyard.deliver", *way[1:]]
    assert request.headers["traceparent"].split("-")[1:3] == [
        begun.trace_id,
        deliver.span_id,
    ]
    # Nothing else traces here, so everything that came is of this trace.
    assert {s.trace_id for s in collector.spans} == {begun.trace_id}
    assert {s.service for s in spans.values()} == {"shop", "eventyard"}
    functions = {s.resource.get("faas.name") for s in spans.values()} - {None}
    # A WebSocket's messages have a function of their own.
    through = ("live-message", "relay", "route", "deliver")
    assert functions == {f"eventyard-dev-{name}" for name in through}
    for span in spans.values():
        assert not span.failed
        # A span begins when what led to it had begun.
        if span.parent_id:
            assert span.start >= spans[span.parent_id].start


def test_the_log_has_metrics_that_cloudwatch_reads(traced):
    logs = traced.aws("logs")

    def measured() -> set[str]:
        found = set()
        for function in ("relay", "route"):
            events = logs.filter_log_events(
                logGroupName=f"/aws/lambda/eventyard-dev-{function}"
            )["events"]
            for event in events:
                try:
                    line = json.loads(event["message"])
                except ValueError:
                    continue
                for told in line.get("_aws", {}).get("CloudWatchMetrics", ()):
                    found |= {one["Name"] for one in told["Metrics"]}
        return found

    traced.publish("counted.x", {})
    wanted = {"EventsRelayed", "RelayLag", "EventsRouted"}
    wait_until(lambda: wanted <= measured(), what="the metrics in the log")
