"""What one invocation records, until it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.telemetry._settings import TelemetrySettings
from eventyard.core.traces import TraceContext

#: Beyond so many spans one invocation records no more, and says how many it left out.
MOST_SPANS: Final = 500
NAMESPACE: Final = "Eventyard"
#: Each metric with its unit, as CloudWatch calls it. All of them are by stage alone:
#: what has no bound would cost without one.
METRICS: Final = {
    "EventsAccepted": "Count",
    "AcceptDuration": "Milliseconds",
    "EventsRelayed": "Count",
    "RelayLag": "Milliseconds",
    "EventsRouted": "Count",
    "FramesSent": "Count",
    "FramesFailed": "Count",
    "EventsDelivered": "Count",
    "DeliveryLag": "Milliseconds",
    "DeliveryDuration": "Milliseconds",
    "DeliveriesFailed": "Count",
    "EventsDeadLettered": "Count",
    "MessagesBuried": "Count",
}


@dataclass(slots=True)
class Span:
    """One piece of work in a trace, as it is told to whoever collects them."""

    context: TraceContext
    parent_id: str
    name: str
    kind: int
    attributes: dict[str, Any]
    links: Sequence[TraceContext] = ()
    start_ns: int = field(default_factory=time.time_ns)
    end_ns: int = 0
    error: str | None = None


@dataclass(slots=True)
class Recorder:
    """Counts, values and spans of one invocation."""

    settings: TelemetrySettings
    #: The trace that the request belongs to, if it says so.
    incoming: TraceContext | None = None
    counts: dict[str, int] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    left_out: int = 0
    started_ns: int = field(default_factory=time.time_ns)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str, amount: int) -> None:
        """Add to a count."""
        with self._lock:
            self.counts[name] = self.counts.get(name, 0) + amount

    def observe(self, name: str, value: float) -> None:
        """Note a value."""
        with self._lock:
            self.values.setdefault(name, []).append(round(value, 2))

    def keep(self, span: Span) -> None:
        """Keep a span that has ended."""
        with self._lock:
            if len(self.spans) < MOST_SPANS:
                self.spans.append(span)
            else:
                self.left_out += 1


class Now:
    """Where everybody looks for the recorder of this invocation."""

    __slots__ = ("recorder",)

    def __init__(self) -> None:
        self.recorder: Recorder | None = None


now: Final = Now()
#: The trace of what is done just here, for the lines of the log.
TRACE_ID: Final[ContextVar[str | None]] = ContextVar("trace_id", default=None)
