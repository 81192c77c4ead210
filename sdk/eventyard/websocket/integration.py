"""Events of this process's bus, shown to whoever is connected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.events import EventType, event_bus
from eventyard.websocket.manager import get_connection_manager

#: What is shown unless one says otherwise.
DEFAULT_BROADCAST_EVENTS: Final = [
    EventType.AGENT_STARTED,
    EventType.AGENT_TASK_COMPLETED,
    EventType.AGENT_TOOL_EXECUTED,
    EventType.MEMORY_CREATED,
    EventType.MEMORY_SHARED,
    EventType.CIRCLE_CREATED,
    EventType.CIRCLE_MEMBER_ADDED,
    EventType.TASK_CREATED,
    EventType.TASK_STARTED,
    EventType.TASK_COMPLETED,
    EventType.TASK_FAILED,
    EventType.TASK_CONFLICT_DETECTED,
    EventType.CONVERSATION_MESSAGE,
]

Filter = Callable[[Event], object]
#: The subscriptions that show events, by type.
_shown: dict[str, str] = {}


def setup_websocket_broadcasting(
    event_types: Iterable[str | Enum] | None = None,
) -> None:
    """
    Show events of these types, or of the default ones, to whoever is connected.

    A type that is shown already is not shown twice.
    """
    for event_type in [*(event_types or ())] or DEFAULT_BROADCAST_EVENTS:
        setup_custom_broadcasting(event_type)


def setup_custom_broadcasting(
    event_type: str | Enum, filter_fn: Filter | None = None
) -> None:
    """Show events of a type, those that pass a filter; this replaces what held for it."""
    kind = str(event_type.value if isinstance(event_type, Enum) else event_type)
    stop_broadcasting(kind)
    _shown[kind] = event_bus.subscribe(kind, _show, filter_fn, name="websocket")


def stop_broadcasting(event_type: str | Enum | None = None) -> None:
    """Show events of a type no longer, or none at all."""
    kind = event_type.value if isinstance(event_type, Enum) else event_type
    for one in [*_shown] if kind is None else [kind]:
        if one in _shown:
            event_bus.unsubscribe(_shown.pop(one))


async def _show(event: Event) -> None:
    manager = get_connection_manager()
    if manager.get_client_count():
        await manager.broadcast(message_of(event))


def message_of(event: Event) -> dict[str, Any]:
    """Return an event as dashboards read it."""
    return {
        "type": event.type,
        "data": event.payload,
        "source_agent_id": event.source_agent_id,
        "circle_id": event.circle_id,
        "project_id": event.project_id,
        "event_id": event.id,
        "timestamp": event.timestamp.isoformat(),
    }
