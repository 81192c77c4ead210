"""What telemetry costs while it is off, and on."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from chalicelib import telemetry as server
from chalicelib.telemetry import _state
from chalicelib.telemetry._settings import TelemetrySettings
from eventyard import Event, EventRouterClient
from eventyard.core import traces, ulid
from eventyard.telemetry import (
    TelemetryConfig,
    measure_time,
    setup_telemetry,
    shutdown_telemetry,
    trace_method,
)
from eventyard.telemetry.metrics import cache_metrics
from tests.bench import way
from tests.e2e.running import RunningPlatform
from tests.otlp import Collector

_CALLS = 200_000
_ROUNDS = 5
_PUBLISHED = 200


def measure() -> dict[str, Any]:
    """Call what is decorated; then publish to platforms that tell more and more."""
    figures: dict[str, Any] = dict(_calls("off", _CALLS))
    figures |= _stages()
    with Collector() as collector:
        setup_telemetry(TelemetryConfig(otlp_endpoint=collector.url))
        figures |= _calls("on", _CALLS // 20)
        shutdown_telemetry()
        for name, settings in {
            "off": {"TELEMETRY_ENABLED": "false"},
            "metrics alone": {},
            "all traced, spans in the log": {"TELEMETRY_TRACE_SAMPLE_RATE": "1"},
            "all traced, to a collector": {"EVENTYARD_OTLP_ENDPOINT": collector.url},
        }.items():
            figures |= _way(name, settings)
    return figures


def _calls(state: str, calls: int) -> dict[str, float]:
    plain, traced = _add, trace_method()(_add)
    timed = measure_time("bench.add")(_add)
    client = EventRouterClient(url=f"memory://{ulid.new_ulid()}")
    return {
        f"{state}: a function, ns": _ns(lambda: plain(1, 2), calls),
        f"{state}: trace_method, ns": _ns(lambda: traced(1, 2), calls),
        f"{state}: measure_time, ns": _ns(lambda: timed(1, 2), calls),
        f"{state}: a metric, ns": _ns(
            lambda: cache_metrics.record_cache_hit("a"), calls
        ),
        f"{state}: an event of a client, ns": _ns(
            lambda: client.event("a"), calls // 10
        ),
    }


def _stages() -> dict[str, float]:
    plain = [Event("a.b") for _ in range(100)]
    context = traces.root(1)
    carrying = [Event("a.b", headers=context.headers()) for _ in range(100)]

    def each(events: list[Event]) -> Callable[[], object]:
        def pass_through() -> None:
            with server.stage("relay", server.CONSUMER, events) as stage:
                if not stage.is_silent:
                    for event in events:
                        stage.traced(event)

        return pass_through

    figures = {}
    settings = TelemetrySettings(enabled=True, rate=0.0, endpoint="", headers=())
    recorder = _state.now.recorder = _state.Recorder(settings)
    for name, events in {"untraced": plain, "traced": carrying}.items():
        took = _ns(each(events), 200)
        recorder.spans.clear()
        figures[f"server: a stage of 100 events, {name}, µs"] = took / 1e3
    _state.now.recorder = None
    return figures


def _way(name: str, settings: dict[str, str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        running = RunningPlatform(Path(folder), **settings)
        running.start()
        try:
            published, seen = asyncio.run(_publish(running))
        finally:
            running.stop()
    return {
        f"way, {name}: publish over HTTP p50, ms": statistics.median(published),
        f"way, {name}: publish to WebSocket p50, ms": statistics.median(seen),
    }


async def _publish(running: RunningPlatform) -> tuple[list[float], list[float]]:
    async with aiohttp.ClientSession(running.address) as session:
        await way.latency(session, running, 20)  # the first calls are cold
        return await way.latency(session, running, _PUBLISHED)


def _add(one: int, other: int) -> int:
    return one + other


def _ns(call: Callable[[], object], calls: int) -> float:
    best = 1e18
    for _ in range(_ROUNDS):
        begun = time.perf_counter_ns()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter_ns() - begun) / calls)
    return best
