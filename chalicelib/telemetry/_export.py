"""What was recorded, on its way out: metrics in the log, spans by OTLP or in the log."""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from chalicelib.telemetry._settings import TelemetrySettings
from chalicelib.telemetry._state import METRICS, NAMESPACE, Recorder, Span
from eventyard.core.jsontext import dumps
from eventyard.version import VERSION

#: CloudWatch takes so many values of a metric from one line.
_MOST_VALUES: Final = 100
#: Whoever waits for the function waits for this as well.
TIMEOUT_S: Final = 1.0
#: A collector that failed is left alone for so long.
PAUSE_S: Final = 30.0
_ERROR: Final = 2
#: Each invocation tells what it adds; whoever collects adds it up.
_DELTA: Final = 1
_BOUNDS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000)


def metric_lines(recorder: Recorder, at_s: float) -> Iterator[dict[str, Any]]:
    """
    Yield what was counted in CloudWatch's embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
    CloudWatch_Embedded_Metric_Format_Specification.html
    """
    values = {**recorder.counts, **recorder.values}
    while values:
        now: dict[str, Any] = {}
        later: dict[str, list[float]] = {}
        for name, value in values.items():
            now[name] = value
            if isinstance(value, list) and len(value) > _MOST_VALUES:
                now[name], later[name] = value[:_MOST_VALUES], value[_MOST_VALUES:]
        yield _metrics(now, at_s)
        values = {**later}


def _metrics(values: Mapping[str, Any], at_s: float) -> dict[str, Any]:
    names = [{"Name": name, "Unit": METRICS[name]} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Stage"]], "Metrics": names}
    stage = os.environ.get("EVENTYARD_STAGE", "dev")
    return {
        "_aws": {"Timestamp": int(at_s * 1000), "CloudWatchMetrics": [directive]},
        "Stage": stage,
        **values,
    }


def span_line(span: Span) -> dict[str, Any]:
    """Return a span as a line of the log."""
    line = {
        "trace_id": span.context.trace_id,
        "span_id": span.context.span_id,
        "parent_id": span.parent_id or None,
        "name": span.name,
        "started": span.start_ns / 1e9,
        "took_ms": round((span.end_ns - span.start_ns) / 1e6, 2),
        "links": [one.parent for one in span.links] or None,
        "error": span.error,
        **span.attributes,
    }
    return {name: value for name, value in line.items() if value is not None}


def traces_request(spans: Sequence[Span]) -> dict[str, Any]:
    """Return the body of a request to `/v1/traces`, as OTLP writes it in JSON."""
    scoped = {"scope": _scope(), "spans": [_otlp(span) for span in spans]}
    return {"resourceSpans": [{"resource": _resource(), "scopeSpans": [scoped]}]}


def metrics_request(recorder: Recorder, until_ns: int) -> dict[str, Any]:
    """Return the body of a request to `/v1/metrics`: what this invocation adds."""
    when = {
        "startTimeUnixNano": str(recorder.started_ns),
        "timeUnixNano": str(until_ns),
    }
    metrics = [_sum(name, n, when) for name, n in recorder.counts.items()]
    metrics += [_histogram(name, v, when) for name, v in recorder.values.items()]
    scoped = {"scope": _scope(), "metrics": metrics}
    return {"resourceMetrics": [{"resource": _resource(), "scopeMetrics": [scoped]}]}


def otlp_name(name: str) -> str:
    """Return what OpenTelemetry calls a metric: `EventsAccepted` by its words."""
    return "eventyard." + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _sum(name: str, amount: int, when: Mapping[str, str]) -> dict[str, Any]:
    points = [{**when, "asInt": str(amount)}]
    told = {"aggregationTemporality": _DELTA, "isMonotonic": True, "dataPoints": points}
    return {"name": otlp_name(name), "unit": "1", "sum": told}


def _histogram(
    name: str, values: Sequence[float], when: Mapping[str, str]
) -> dict[str, Any]:
    counts = [0] * (len(_BOUNDS_MS) + 1)
    for value in values:
        counts[bisect_left(_BOUNDS_MS, value)] += 1
    point = {
        **when,
        "count": str(len(values)),
        "sum": sum(values),
        "min": min(values),
        "max": max(values),
        "bucketCounts": [str(n) for n in counts],
        "explicitBounds": list(_BOUNDS_MS),
    }
    told = {"aggregationTemporality": _DELTA, "dataPoints": [point]}
    return {"name": otlp_name(name), "unit": "ms", "histogram": told}


def _resource() -> dict[str, Any]:
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    about = {
        "service.name": "eventyard",
        "service.version": VERSION,
        "deployment.environment.name": os.environ.get("EVENTYARD_STAGE", "dev"),
        **({"faas.name": function} if function else {}),
    }
    return {"attributes": _attributes(about)}


def _scope() -> dict[str, Any]:
    return {"name": "eventyard", "version": VERSION}


def _otlp(span: Span) -> dict[str, Any]:
    told: dict[str, Any] = {
        "traceId": span.context.trace_id,
        "spanId": span.context.span_id,
        "name": span.name,
        "kind": span.kind,
        # 64 bits are texts in the JSON of protobuf.
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(span.attributes),
        "flags": span.context.flags,
    }
    if span.parent_id:
        told["parentSpanId"] = span.parent_id
    if span.context.state:
        told["traceState"] = span.context.state
    if span.links:
        told["links"] = [
            {"traceId": one.trace_id, "spanId": one.span_id} for one in span.links
        ]
    if span.error is not None:
        told["status"] = {"code": _ERROR, "message": span.error[:500]}
    return told


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": str(value)}


@dataclass
class Exporter:
    """Sends spans to a collector; one that is away is left alone for a while."""

    settings: TelemetrySettings
    failed_at: float | None = None

    @cached_property
    def _pool(self) -> Any:
        from urllib3 import PoolManager, Timeout

        # No second try: whoever waits for the function would wait for it.
        return PoolManager(2, retries=False, timeout=Timeout(total=TIMEOUT_S))

    @property
    def is_paused(self) -> bool:
        """Tell whether it failed just now."""
        failed = self.failed_at
        return failed is not None and time.monotonic() - failed < PAUSE_S

    def send(self, recorder: Recorder) -> str | None:
        """Send spans, then metrics; return what went wrong, never raise."""
        fault = None
        if recorder.spans:
            fault = self._post("traces", traces_request(recorder.spans))
        if fault is None and (recorder.counts or recorder.values):
            # The log has them in any case.
            fault = self._post("metrics", metrics_request(recorder, time.time_ns()))
        return fault

    def _post(self, signal: str, body: Mapping[str, Any]) -> str | None:
        try:
            answer = self._pool.request(
                "POST",
                f"{self.settings.endpoint}/v1/{signal}",
                body=dumps(body).encode(),
                headers={
                    "Content-Type": "application/json",
                    **dict(self.settings.headers),
                },
            )
        except Exception as error:  # noqa: BLE001 - the work is done, whatever this is
            self.failed_at = time.monotonic()
            return f"{type(error).__name__}: {error}"[:300]
        if answer.status >= 300:  # noqa: PLR2004 - all of 2xx is well
            self.failed_at = time.monotonic()
            return f"the collector answered {answer.status}"
        return None
