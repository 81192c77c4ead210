"""Which events a caller asks for, and may see: topics, filters and scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chalicelib.api._endpoint import Call
from chalicelib.api._parameters import FILTER, TOPICS
from eventyard.core.filters import compile_filter
from eventyard.core.httpfilters import parse_http_filters
from eventyard.core.topics import compile_pattern

READ: Final = "events:subscribe"


def wanted_by(call: Call) -> Callable[[Mapping[str, Any]], bool]:
    """
    Return what tells whether the view of an event is wanted.

    Raises InvalidRequestError for a pattern or a filter that makes no sense.
    """
    asked = [t for value in call.take(TOPICS) for t in value.split(",") if t]
    patterns = [compile_pattern(topic.strip()) for topic in asked]
    allowed = call.principal.topics(READ)
    visible = None if allowed is None else [compile_pattern(p) for p in allowed]
    passes = compile_filter(parse_http_filters(call.take(FILTER)))

    def wanted(view: Mapping[str, Any]) -> bool:
        topic = view["type"]
        return (
            (not patterns or any(p.matches(topic) for p in patterns))
            and (visible is None or any(p.matches(topic) for p in visible))
            and passes(view)
        )

    return wanted
