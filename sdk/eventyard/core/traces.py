"""W3C trace context: which trace an event belongs to, and the span that it came from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

#: The headers of an event, and of a request, that carry it.
PARENT: Final = "traceparent"
STATE: Final = "tracestate"
SAMPLED: Final = 1
_FIELDS: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[ -~]*)?"
)
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_VERSION: Final = "00"
_NEVER: Final = "ff"
#: Longer ones may be cut by whoever passes them on.
_MOST_STATE: Final = 512
_MOST_MEMBERS: Final = 32
_KEY: Final = r"[a-z0-9][a-z0-9_*/-]{0,240}(?:@[a-z][a-z0-9_*/-]{0,13})?"
_MEMBER: Final = re.compile(_KEY + r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]")
_HALF: Final = 2**64


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of a trace: 32 and 16 hexadecimal digits, never all zero."""

    trace_id: str
    span_id: str
    flags: int = SAMPLED
    #: What tracing systems keep about it, as they wrote it.
    state: str = ""

    @property
    def is_sampled(self) -> bool:
        """Tell whether its spans are recorded."""
        return bool(self.flags & SAMPLED)

    @property
    def parent(self) -> str:
        """Return it as a `traceparent`."""
        return f"{_VERSION}-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    def child(self) -> TraceContext:
        """Return a new span of the same trace."""
        return replace(self, span_id=new_span_id())

    def headers(self) -> dict[str, str]:
        """Return the headers that carry it."""
        carried = {PARENT: self.parent}
        return {**carried, STATE: self.state} if self.state else carried


def new_trace_id() -> str:
    """Make the id of a trace."""
    made = os.urandom(16).hex()
    return made if made != _NO_TRACE else new_trace_id()


def new_span_id() -> str:
    """Make the id of a span."""
    made = os.urandom(8).hex()
    return made if made != _NO_SPAN else new_span_id()


def root(rate: float) -> TraceContext:
    """Begin a trace; a `rate` of them, from 0 to 1, is sampled."""
    trace_id = new_trace_id()
    flags = SAMPLED if is_sampled(trace_id, rate) else 0
    return TraceContext(trace_id, new_span_id(), flags)


def is_sampled(trace_id: str, rate: float) -> bool:
    """Tell whether a trace is among a share of all, as OpenTelemetry decides it."""
    return int(trace_id[16:], 16) < round(rate * _HALF)


def parse(parent: Any, state: Any = None) -> TraceContext | None:
    """
    Read a `traceparent`, and the `tracestate` beside it; None: it is none.

    A higher version is read as far as version 00 is known in it. A `tracestate` that
    is none is dropped by itself.
    """
    found = _FIELDS.fullmatch(parent.strip(" \t")) if isinstance(parent, str) else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _NEVER or (version == _VERSION and more is not None):
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    # What other flags mean is not known, so they are not passed on.
    return TraceContext(trace_id, span_id, int(flags, 16) & SAMPLED, _state(state))


def _state(text: Any) -> str:
    if not isinstance(text, str) or len(text) > _MOST_STATE:
        return ""
    members = [one.strip(" \t") for one in text.split(",")]
    members = [one for one in members if one]
    keys = {one.partition("=")[0] for one in members}
    sound = all(_MEMBER.fullmatch(one) for one in members)
    if not sound or len(members) > _MOST_MEMBERS or len(keys) < len(members):
        return ""
    return ",".join(members)


def read(headers: Mapping[str, Any]) -> TraceContext | None:
    """Read the trace context of headers, named in lower case; None: there is none."""
    parent = headers.get(PARENT)
    return None if parent is None else parse(parent, headers.get(STATE))


def without(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers that say nothing of a trace."""
    return {n: v for n, v in headers.items() if n not in (PARENT, STATE)}


def within(headers: Mapping[str, str], context: TraceContext) -> dict[str, str]:
    """Return headers that carry a trace context, and no other."""
    return {**without(headers), **context.headers()}
