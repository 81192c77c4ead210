"""What led to what: the event that is being handled is the cause of what is published."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from eventyard.core.event import Event

#: The event that is being handled, by a bus or a client.
handled: Final[ContextVar[Event | None]] = ContextVar("handled", default=None)


def cause_of(event_id: str | None, cause: Event | None) -> dict[str, str]:
    """
    Return the fields that name what led to an event: `causation_id`, `correlation_id`.

    An event that is published again while it is handled is not its own cause.
    """
    if cause is None:
        return {}
    told = {"correlation_id": cause.correlation_id or cause.id}
    if cause.id != event_id:
        told["causation_id"] = cause.id
    return told
