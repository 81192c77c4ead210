"""Which events a caller asks for, and may see: topics, filters and scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from chalicelib.api._endpoint import Call
from chalicelib.api._parameters import FILTER, TOPICS
from eventyard.core.errors import InvalidRequestError, SubscriptionError
from eventyard.core.filters import compile_filter
from eventyard.core.httpfilters import parse_http_filters
from eventyard.core.jsontext import loads
from eventyard.core.topics import compile_pattern

READ: Final = "events:subscribe"


def filter_of(items: Sequence[str]) -> dict[str, Any]:
    """
    Read conditions, each as `field:op:value` or as a filter in JSON: all must hold.

    Raises SubscriptionError for one that is neither.
    """
    whole = [item for item in items if item.startswith("{")]
    short = parse_http_filters(item for item in items if not item.startswith("{"))
    conditions = [*map(_in_json, whole), *([short] if short else [])]
    return {"$and": conditions} if len(conditions) > 1 else dict(*conditions)


def _in_json(text: str) -> Any:
    try:
        return loads(text)
    except InvalidRequestError as error:
        raise SubscriptionError(f"filter: {error.message}") from error


def wanted_by(call: Call) -> Callable[[Mapping[str, Any]], bool]:
    """
    Return what tells whether the view of an event is wanted.

    Raises InvalidRequestError for a pattern or a filter that makes no sense.
    """
    asked = [t for value in call.take(TOPICS) for t in value.split(",") if t]
    patterns = [compile_pattern(topic.strip()) for topic in asked]
    allowed = call.principal.topics(READ)
    visible = None if allowed is None else [compile_pattern(p) for p in allowed]
    passes = compile_filter(filter_of(call.take(FILTER)))

    def wanted(view: Mapping[str, Any]) -> bool:
        topic = view["type"]
        return (
            (not patterns or any(p.matches(topic) for p in patterns))
            and (visible is None or any(p.matches(topic) for p in visible))
            and passes(view)
        )

    return wanted
