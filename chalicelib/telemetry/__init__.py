"""
What the platform tells of itself: lines of the log, metrics in them, spans of traces.

All of an invocation is gathered and goes out when it ends: metrics in the line that
says so, in CloudWatch's embedded format, spans to a collector of OpenTelemetry or, where
none is named, as lines. No library of OpenTelemetry has a part in it.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from chalicelib.config import ConfigurationError
from chalicelib.telemetry._settings import OFF, TelemetrySettings, from_environment
from chalicelib.telemetry._state import METRICS, NAMESPACE, TRACE_ID, Recorder, now
from chalicelib.telemetry.stages import (
    CLIENT,
    CONSUMER,
    PRODUCER,
    Stage,
    accepting,
    adopt,
    context_of,
    request,
    shared_context,
    stage,
)
from eventyard.core import traces

__all__ = [
    "CLIENT",
    "CONSUMER",
    "METRICS",
    "NAMESPACE",
    "PRODUCER",
    "Stage",
    "accepting",
    "adopt",
    "context_of",
    "count",
    "each_invocation",
    "from_environment",
    "incoming",
    "log",
    "log_error",
    "observe",
    "recording",
    "request",
    "shared_context",
    "stage",
]


def log(message: str, **fields: Any) -> None:
    """
    Write one JSON line: a constant message, the data as fields.

    Never pass a secret or a whole payload.
    """
    line = {"at": round(time.time(), 3), "message": message}
    trace_id = TRACE_ID.get()
    if trace_id is not None:
        line["trace_id"] = trace_id
    sys.stderr.write(json.dumps({**line, **fields}, default=str) + "\n")
    sys.stderr.flush()


def log_error(message: str, error: BaseException, **fields: Any) -> None:
    """Write one line for a failure, with its type, text and innermost place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
    log(message, error=type(error).__name__, reason=str(error), place=place, **fields)


def count(name: str, amount: int = 1) -> None:
    """Add to one of METRICS."""
    if now.recorder is not None and amount:
        now.recorder.count(name, amount)


def observe(name: str, value: float) -> None:
    """Note a value of one of METRICS."""
    if now.recorder is not None:
        now.recorder.observe(name, value)


def incoming(headers: Mapping[str, Any]) -> None:
    """Note the trace that a request belongs to; what is none is passed over."""
    if now.recorder is not None:
        now.recorder.incoming = traces.read(headers)
        if now.recorder.incoming is not None:
            TRACE_ID.set(now.recorder.incoming.trace_id)


def each_invocation(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """
    Chalice middleware: one line for every invocation of every function.

    The local emulator waits 50 ms for a handler's first line on stderr, so this
    line also makes each warm local invocation that much faster.
    """
    with recording(type(event).__name__):
        return get_response(event)


@contextmanager
def recording(kind: str) -> Iterator[Recorder]:
    """Record one invocation; what is recorded goes out when it ends."""
    started, before = time.perf_counter(), now.recorder
    recorder = now.recorder = Recorder(_settings())
    token = TRACE_ID.set(None)
    try:
        yield recorder
    finally:
        now.recorder = before
        took = round((time.perf_counter() - started) * 1000, 2)
        _tell(recorder, kind, took)
        TRACE_ID.reset(token)


def _tell(recorder: Recorder, kind: str, took_ms: float) -> None:
    fields: dict[str, Any] = {"kind": kind, "took_ms": took_ms}
    if recorder.left_out:
        fields["spans_left_out"] = recorder.left_out
    if recorder.settings.enabled and (recorder.spans or recorder.settings.endpoint):
        _send(recorder)
    more: list[dict[str, Any]] = []
    if recorder.settings.enabled and (recorder.counts or recorder.values):
        from chalicelib.telemetry._export import metric_lines

        first, *more = metric_lines(recorder, time.time())
        fields |= first
    log("invoked", **fields)
    for line in more:
        log("measured", **line)


def _send(recorder: Recorder) -> None:
    from chalicelib.telemetry._export import span_line

    exporter = _exporter()
    if exporter.settings.endpoint and not exporter.is_paused:
        fault = exporter.send(recorder)
        if fault is None:
            return
        log("the collector took nothing", reason=fault, spans=len(recorder.spans))
    for span in recorder.spans:
        log("span", **span_line(span))


@lru_cache(maxsize=1)
def _settings() -> TelemetrySettings:
    try:
        return from_environment()
    except ConfigurationError as error:
        # Whatever is wrong with it, no work stops for it.
        log_error("there is no telemetry", error)
        return OFF


@lru_cache(maxsize=1)
def _exporter() -> Any:
    from chalicelib.telemetry._export import Exporter

    return Exporter(_settings())


def forget_settings() -> None:
    """Read the settings again; tests change them."""
    _settings.cache_clear()
    _exporter.cache_clear()
