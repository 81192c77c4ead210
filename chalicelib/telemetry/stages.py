"""
The stages of an event's way, as spans of the traces that events carry.

An event carries the span that it came from in its headers. A stage makes a span for
each of these that is sampled, and what leaves it carries that one. Where nobody traces,
a stage is one shared object that does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Any, Final, Self

from chalicelib.telemetry._state import TRACE_ID, Recorder, Span, now
from eventyard.core import traces
from eventyard.core.event import Event
from eventyard.core.traces import TraceContext

#: Kinds of spans, as OTLP numbers them.
SERVER: Final = 2
CLIENT: Final = 3
PRODUCER: Final = 4
CONSUMER: Final = 5
_ALL: Final = "eventyard"


class Stage:
    """Spans over some events: one for each span that they come from."""

    __slots__ = ("_recorder", "_spans", "_token", "error")

    def __init__(self, recorder: Recorder | None, spans: Mapping[Any, Span]) -> None:
        self._recorder = recorder
        #: By the context that events came with.
        self._spans = spans
        self._token: Token[str | None] | None = None
        #: What went wrong, where nothing is raised.
        self.error: str | None = None

    @property
    def is_silent(self) -> bool:
        """Tell whether it records nothing."""
        return not self._spans

    @property
    def attributes(self) -> dict[str, Any]:
        """Return the attributes of its one span, for more; else of none."""
        spans = [*self._spans.values()]
        return spans[0].attributes if len(spans) == 1 else {}

    @property
    def context(self) -> TraceContext | None:
        """Return the context of its one span."""
        spans = [*self._spans.values()]
        return spans[0].context if len(spans) == 1 else None

    def traced(self, event: Event) -> Event:
        """Return an event as it leaves: it comes from the span of this stage."""
        found = self._spans.get(context_of(event)) if self._spans else None
        if found is None:
            return event
        return event.copy(headers=traces.within(event.headers, found.context))

    def __enter__(self) -> Self:
        """Begin."""
        if len({one.context.trace_id for one in self._spans.values()}) == 1:
            (span, *_) = self._spans.values()
            self._token = TRACE_ID.set(span.context.trace_id)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, with what went wrong."""
        if self._token is not None:
            TRACE_ID.reset(self._token)
        if self._recorder is None:
            return
        told = self.error if error is None else f"{type(error).__name__}: {error}"
        ended = time.time_ns()
        for span in self._spans.values():
            span.end_ns, span.error = ended, told
            self._recorder.keep(span)


_SILENT: Final = Stage(None, {})


def context_of(event: Event) -> TraceContext | None:
    """Return the trace context that an event carries."""
    return traces.read(event.headers) if event.headers else None


def adopt(events: Iterable[Event]) -> None:
    """
    Let events belong to the trace of the request, unless they belong to one.

    What says that it is a trace context and is none is dropped. CloudEvents carry it
    as an attribute.
    """
    recorder = now.recorder
    incoming = recorder.incoming if recorder is not None else None
    for event in events:
        said = traces.PARENT in event.headers if event.headers else False
        if not said and incoming is None and traces.PARENT not in event.attributes:
            continue
        context = context_of(event) or traces.read(event.attributes) or incoming
        if context is not None:
            headers = traces.within(event.headers, context)
        else:
            headers = traces.without(event.headers)
        if headers != event.headers:
            event.headers = headers


def accepting(events: Sequence[Event]) -> Stage:
    """
    Return the stage of events that are about to be appended, and let them carry it.

    What belongs to no trace may begin one, as often as the settings say.
    """
    adopt(events)
    recorder = now.recorder
    if recorder is None or not recorder.settings.enabled:
        return _SILENT
    spans = _spans("accept", SERVER, events)
    alone = [event for event in events if traces.PARENT not in event.headers]
    if alone and recorder.settings.rate:
        begun = traces.root(recorder.settings.rate)
        if begun.is_sampled:
            spans[None] = Span(begun, "", _name("accept"), SERVER, _about(alone))
    if not spans:
        return _SILENT
    for event in events:
        found = spans.get(context_of(event))
        if found is not None:
            event.headers = traces.within(event.headers, found.context)
    return Stage(recorder, spans)


def stage(name: str, kind: int, events: Iterable[Event]) -> Stage:
    """Return a stage of events: one span for each that they come from."""
    recorder = now.recorder
    if recorder is None or not recorder.settings.enabled:
        return _SILENT
    spans = _spans(name, kind, events)
    return Stage(recorder, spans) if spans else _SILENT


def request(name: str, events: Sequence[Event], **attributes: Any) -> Stage:
    """
    Return the stage of events that go out in one request: it has one span.

    It goes on with the trace of the first, and has links to where the others come from.
    """
    recorder = now.recorder
    if recorder is None or not recorder.settings.enabled:
        return _SILENT
    contexts = dict.fromkeys(filter(None, map(context_of, events)))
    sampled = [one for one in contexts if one.is_sampled]
    if not sampled:
        return _SILENT
    first, *others = sampled
    about = {**_about(events), **attributes}
    span = Span(
        first.child(), first.span_id, _name(name), CLIENT, about, links=tuple(others)
    )
    return Stage(recorder, {first: span})


def shared_context(events: Iterable[Event]) -> TraceContext | None:
    """Return the trace context that all of some events come with; None: there is none."""
    contexts = {context_of(event) for event in events}
    return contexts.pop() if len(contexts) == 1 else None


def _spans(
    name: str, kind: int, events: Iterable[Event]
) -> dict[TraceContext | None, Span]:
    by_context: dict[TraceContext | None, list[Event]] = {}
    for event in events:
        # Most events belong to no trace: they cost one look.
        if event.headers and (context := context_of(event)) and context.is_sampled:
            by_context.setdefault(context, []).append(event)
    return {
        context: Span(context.child(), context.span_id, _name(name), kind, _about(some))
        for context, some in by_context.items()
        if context is not None
    }


def _name(stage_: str) -> str:
    return f"{_ALL}.{stage_}"


def _about(events: Sequence[Event]) -> dict[str, Any]:
    about: dict[str, Any] = {
        "messaging.system": _ALL,
        "event.type": events[0].type,
        "event.id": events[0].id,
    }
    if len(events) > 1:
        about["messaging.batch.message_count"] = len(events)
    return about
