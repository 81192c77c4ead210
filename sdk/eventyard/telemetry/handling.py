"""How a trace gets into events, and out of them to whoever handles them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from eventyard.core import traces
from eventyard.core.event import Event
from eventyard.core.traces import TraceContext
from eventyard.telemetry.runtime import telemetry

_NOTHING: Final[AbstractContextManager[Any]] = nullcontext()


def current() -> TraceContext | None:
    """
    Return the span that this runs under: ours, or one of the program's own.

    Nothing is imported for it: who has begun a span has OpenTelemetry loaded.
    """
    if "opentelemetry.trace" not in sys.modules:
        return None
    from eventyard.telemetry import spans

    return spans.current()


def context_of(event: Event) -> TraceContext | None:
    """Return the trace context that an event carries, in headers or attributes."""
    if event.headers:
        found = traces.read(event.headers)
        if found is not None:
            return found
    # As CloudEvents carry it.
    attributes = event.attributes
    return traces.read(attributes) if attributes else None


def headers_for(event: Event | None, cause: Event | None) -> dict[str, str] | None:
    """
    Return the headers that an event is to be published with; None: those that it has.

    The current span comes first, then what the event carries, then what the event
    that is being handled does. What is no trace context is dropped.
    """
    given = event.headers if event is not None else {}
    context = current()
    if context is None and traces.PARENT in given:
        context = traces.read(given)
        if context is None:
            return traces.without(given)
    if context is None and cause is not None:
        context = context_of(cause)
    if context is None:
        return None
    headers = traces.within(given, context)
    return None if headers == given else headers


def span_for(events: Event | Iterable[Event]) -> AbstractContextManager[Any]:
    """
    Return a span to handle an event in, or several; it has links to each of several.

    Handlers that a client calls run in one already. For whoever iterates:
    `with span_for(batch): ...`
    """
    tracer = telemetry.tracer
    if tracer is None:
        return _NOTHING
    handled = [events] if isinstance(events, Event) else list(events)
    if not handled:
        return _NOTHING
    from eventyard.telemetry import spans

    span: AbstractContextManager[Any] = spans.handling(
        tracer, [(event, context_of(event)) for event in handled]
    )
    return span
