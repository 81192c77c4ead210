"""Spans, once there is OpenTelemetry; loaded when the first one begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from eventyard.core.event import Event
from eventyard.core.traces import TraceContext


class Spanned:
    """A span around a block, which tells how the block ended."""

    __slots__ = ("_current", "_span")

    def __init__(
        self,
        tracer: Any,
        name: str,
        attributes: Mapping[str, Any],
        **options: Any,
    ) -> None:
        self._span = tracer.start_span(name, attributes=dict(attributes), **options)
        self._current: Any = None

    def __enter__(self) -> Any:
        """Begin; return OpenTelemetry's span."""
        self._current = trace.use_span(
            self._span, record_exception=False, set_status_on_exception=False
        )
        self._current.__enter__()
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_: TracebackType | None,
    ) -> None:
        """End, with what went wrong."""
        self._current.__exit__(None, None, None)
        if error is not None:
            self._fail(error)
        self._span.end()

    def _fail(self, error: BaseException) -> None:
        span = self._span
        span.set_attribute("success", False)
        span.set_attribute("error.type", type(error).__name__)
        span.set_attribute("error.message", str(error))
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, str(error)))


def current() -> TraceContext | None:
    """Return the span that this runs under, whoever began it."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return TraceContext(
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        int(context.trace_flags) & TraceFlags.SAMPLED,
        context.trace_state.to_header(),
    )


def handling(tracer: Any, events: Sequence[tuple[Event, TraceContext | None]]) -> Any:
    """
    Return the span that events are handled under.

    It goes on with the trace of one event; several have links to theirs instead,
    unless all came from the same span.
    """
    contexts = list(dict.fromkeys(one for _, one in events if one is not None))
    first, several = events[0][0], len(events) > 1
    attributes: dict[str, Any] = {
        "messaging.system": "eventyard",
        "messaging.operation.type": "process",
        "event.type": first.type,
    }
    if several:
        attributes["messaging.batch.message_count"] = len(events)
    else:
        attributes["event.id"] = first.id
    options: dict[str, Any] = {"kind": SpanKind.CONSUMER}
    if len(contexts) == 1:
        options["context"] = _parent(contexts[0])
    else:
        # Without one that all share it goes on with whatever runs here.
        options["links"] = [Link(_otel(one)) for one in contexts]
    return Spanned(tracer, f"handle {first.type}", attributes, **options)


def _parent(context: TraceContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_otel(context)))


def _otel(context: TraceContext) -> SpanContext:
    return SpanContext(
        trace_id=int(context.trace_id, 16),
        span_id=int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(context.flags),
        trace_state=TraceState.from_header([context.state] if context.state else []),
    )
