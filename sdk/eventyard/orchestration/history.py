"""Lines of the history of a circle: its events, and what was noted besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eventyard.core import moments
from eventyard.core.errors import PayloadTooLargeError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.core.topics import check_topic
from eventyard.orchestration.model import check_optional

_LARGEST: Final = 50_000


def record(event: Event) -> dict[str, Any]:
    """Return the line that an event is."""
    return {
        "id": event.id,
        "circle_id": event.circle_id,
        "event_type": event.type,
        "agent_id": event.source_agent_id,
        "data": event.payload,
        "created_at": moments.write(event.timestamp),
    }


def check_note(
    line_id: str, circle_id: int, wish: Mapping[str, Any], at: str
) -> dict[str, Any]:
    """Return the line that is noted; raises InvalidRequestError for a bad one."""
    kind = str(getattr(wish["event_type"], "value", wish["event_type"]))
    check_topic(kind)
    data = wish.get("data")
    _check_size(data)
    return {
        "id": line_id,
        "circle_id": circle_id,
        "event_type": kind,
        "agent_id": check_optional(wish.get("agent_id"), "agent_id"),
        "data": {} if data is None else data,
        "created_at": at,
    }


def _check_size(data: Any) -> None:
    size = len(dumps(data).encode(errors="surrogatepass"))
    if size > _LARGEST:
        raise PayloadTooLargeError(
            f"data may have {_LARGEST} bytes, not {size}.",
            details={"limit": _LARGEST, "bytes": size},
        )
