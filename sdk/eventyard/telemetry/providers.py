"""OpenTelemetry's providers and exporters, as a configuration wants them."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from eventyard.core.errors import ValidationError
from eventyard.telemetry.config import TelemetryConfig
from eventyard.telemetry.runtime import NAME, Runtime

_LOGGER: Final = logging.getLogger("eventyard.telemetry")
_GRPC: Final = "opentelemetry.exporter.otlp.proto.grpc"
_HTTP: Final = "opentelemetry.exporter.otlp.proto.http"
_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318
#: A collector that does not answer holds up the end of a program for so long.
_TIMEOUT_S: Final = 5.0
_END_MS: Final = 10_000


def begin(config: TelemetryConfig) -> Runtime:
    """Return what records and sends; raises whatever is wrong with it."""
    resource = Resource.create(
        {
            "service.name": config.service_name,
            "deployment.environment.name": config.environment,
        }
    )
    runtime = Runtime()
    if config.metrics_enabled:
        _begin_metrics(config, resource, runtime)
    if config.tracing_enabled:
        _begin_traces(config, resource, runtime)
        _instrument(config, runtime)
    return runtime


def _begin_traces(
    config: TelemetryConfig, resource: Resource, runtime: Runtime
) -> None:
    there = trace.get_tracer_provider()
    if isinstance(there, TracerProvider) and there not in _OURS:
        # The program has set OpenTelemetry up by itself: its spans and ours are one.
        runtime.tracers, runtime.tracer = there, there.get_tracer(NAME)
        return
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(config.trace_sample_rate)),
        resource=resource,
    )
    exporter = _exporter(config, "trace_exporter.OTLPSpanExporter", "traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    if not isinstance(there, TracerProvider):
        # It can be told once in a process; a later set-up is known to us alone.
        trace.set_tracer_provider(provider)
    _OURS.append(provider)
    runtime.tracers, runtime.tracer = provider, provider.get_tracer(NAME)
    runtime.ends.append(provider.shutdown)


def _begin_metrics(
    config: TelemetryConfig, resource: Resource, runtime: Runtime
) -> None:
    there = metrics.get_meter_provider()
    if isinstance(there, MeterProvider) and there not in _OURS:
        runtime.meters, runtime.meter = there, there.get_meter(NAME)
        return
    exporter = _exporter(config, "metric_exporter.OTLPMetricExporter", "metrics")
    interval_ms = config.metrics_export_interval * 1000
    reader = PeriodicExportingMetricReader(
        exporter, interval_ms, export_timeout_millis=_END_MS
    )
    provider = MeterProvider([reader], resource)
    if not isinstance(there, MeterProvider):
        metrics.set_meter_provider(provider)
    _OURS.append(provider)
    runtime.meters, runtime.meter = provider, provider.get_meter(NAME)
    runtime.ends.append(lambda: provider.shutdown(timeout_millis=_END_MS))


#: The providers that were made here: not those of the program.
_OURS: Final[list[Any]] = []


def _exporter(config: TelemetryConfig, what: str, signal: str) -> Any:
    protocol, endpoint = _way(config)
    module, _, name = what.partition(".")
    if protocol == "grpc":
        made = getattr(import_module(f"{_GRPC}.{module}"), name)
        return made(endpoint=endpoint, timeout=_TIMEOUT_S)
    made = getattr(import_module(f"{_HTTP}.{module}"), name)
    return made(endpoint=f"{endpoint}/v1/{signal}", timeout=_TIMEOUT_S)


def _way(config: TelemetryConfig) -> tuple[str, str]:
    """Return by which protocol, and to which address."""
    endpoint = config.otlp_endpoint.rstrip("/")
    parts = _parsed(endpoint)
    if config.protocol:
        return config.protocol, endpoint
    if parts.port != _GRPC_PORT:
        return "http/protobuf", endpoint
    if find_spec("grpc") is not None and find_spec(_GRPC) is not None:
        return "grpc", endpoint
    # Whoever listens on the one port listens on the other.
    host = (parts.netloc.rpartition(":")[0]) or "localhost"
    moved = f"{parts.scheme}://{host}:{_HTTP_PORT}"
    _LOGGER.info("no gRPC exporter is installed: telemetry goes to %s", moved)
    return "http/protobuf", moved


def _parsed(endpoint: str) -> SplitResult:
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationError(f"otlp_endpoint is no http(s) address: {endpoint!r:.80}")
    return parts


def _instrument(config: TelemetryConfig, runtime: Runtime) -> None:
    """Give calls of others' libraries spans, where that is installed."""
    wanted = {
        "requests.RequestsInstrumentor": config.instrument_requests,
        "httpx.HTTPXClientInstrumentor": config.instrument_httpx,
    }
    for where, is_wanted in wanted.items():
        module, _, name = where.partition(".")
        if not is_wanted:
            continue
        try:
            found = import_module(f"opentelemetry.instrumentation.{module}")
        except ImportError:
            continue
        instrumentor = getattr(found, name)()
        instrumentor.instrument(tracer_provider=runtime.tracers)
        runtime.ends.insert(0, instrumentor.uninstrument)
