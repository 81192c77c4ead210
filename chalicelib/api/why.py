"""Why an event was delivered or was not, what led to it, and trying filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._parameters import Parameter
from chalicelib.wire import Placed
from eventyard.core.errors import NotFoundError
from eventyard.core.event import Event
from eventyard.core.explain import Miss, explain
from eventyard.core.filters import compile_filter
from eventyard.core.topics import compile_pattern
from eventyard.core.wire import dumps

routes = Routes(__name__)
READ: Final = "events:subscribe"
_SOURCE: Final = Parameter("source", "Whose, where senders chose the same id.")
_SHOWN: Final = 100
#: How many characters of what was found are shown.
_FOUND: Final = 1_000


@routes.get(
    "/api/v1/events/{event_id}/trace",
    scope=READ,
    query=(_SOURCE,),
    answer="deliveries.Trace",
)
def trace(call: Call, event_id: str) -> Any:
    """Tell of each subscription whether it got an event, and of each other why not."""
    allowed = call.principal.topics(READ)
    placed = _located(call, event_id, allowed)
    told = call.platform.subscribed.tracer.trace(placed, allowed)
    whole = call.platform.log.fetched(placed.event)
    return {"event": whole.to_dict(), **told}


@routes.get(
    "/api/v1/events/{event_id}/causality",
    scope=READ,
    query=(_SOURCE,),
    answer="causality.Path",
)
def tell_causality(call: Call, event_id: str) -> Any:
    """Tell what led to an event by `causation_id`, and what it led to."""
    allowed = call.principal.topics(READ)
    placed = _located(call, event_id, allowed)
    return call.platform.causality.trace(placed, lambda topic: _visible(topic, allowed))


def _located(call: Call, event_id: str, allowed: Sequence[str] | None) -> Placed:
    placed = call.platform.events.locate(event_id, call.take(_SOURCE))
    if not _visible(placed.event.type, allowed):
        raise NotFoundError(f"There is no event {event_id}.")
    return placed


@routes.post(
    "/api/v1/filters/test",
    scope=READ,
    body="deliveries.FilterTest",
    answer="deliveries.FilterResult",
)
def try_filter(call: Call) -> Any:
    """Try topics and a filter on an event, or on the last ones of the log."""
    from chalicelib.api.shapes.deliveries import FilterTest

    wish = call.body(FilterTest)
    topics = [wish.topics] if isinstance(wish.topics, str) else wish.topics
    for pattern in topics:
        compile_pattern(pattern)
    compile_filter(wish.filter)
    if wish.event is not None:
        events = [Event.from_dict(wish.event)]
    else:
        events = _newest(call, int(wish.last or 1))
    misses = [explain(topics, wish.filter, e.type, e.view()) for e in events]
    return _told(events, misses)


def _newest(call: Call, last: int) -> list[Event]:
    allowed = call.principal.topics(READ)

    def wanted(view: Mapping[str, Any]) -> bool:
        return _visible(view["type"], allowed)

    page = call.platform.events.page(
        wanted, since_ms=0, until_ms=None, limit=last, cursor=None
    )
    return page.events


def _visible(topic: str, allowed: Sequence[str] | None) -> bool:
    return allowed is None or any(compile_pattern(p).matches(topic) for p in allowed)


def _told(events: Sequence[Event], misses: Sequence[Miss | None]) -> dict[str, Any]:
    tried = [
        {
            "event_id": event.id,
            "type": event.type,
            "matched": miss is None,
            "reason": _shortened(miss) if miss else None,
        }
        for event, miss in zip(events, misses, strict=True)
    ]
    matches = sum(miss is None for miss in misses)
    return {
        "matched": matches > 0,
        "examined": len(events),
        "matches": matches,
        "events": tried[:_SHOWN],
        "failed": _most_frequent(miss for miss in misses if miss is not None),
    }


def _shortened(miss: Miss) -> dict[str, Any]:
    told = miss.to_dict()
    text = dumps(told["found"])
    # A hundred large payloads would not fit an answer.
    return told if len(text) <= _FOUND else {**told, "found": text[:_FOUND] + "..."}


def _most_frequent(misses: Iterable[Miss]) -> list[dict[str, Any]]:
    counted: Counter[str] = Counter()
    first: dict[str, Miss] = {}
    for miss in misses:
        name = dumps(dict(miss.condition))
        counted[name] += 1
        first.setdefault(name, miss)
    return [
        {
            "condition": dict(first[name].condition),
            "count": count,
            "message": first[name].message,
        }
        for name, count in counted.most_common(20)
    ]
