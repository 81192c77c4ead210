"""
The bus of this process: `event_bus`, and the types of event that others know.

Who needs the types alone pays for no bus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventyard.core.event import Event
from eventyard.events.types import EventType

if TYPE_CHECKING:
    from eventyard.events.bus import EventBus, event_bus

__all__ = ["Event", "EventBus", "EventType", "event_bus"]


def __getattr__(name: str) -> Any:
    """Load the bus when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from eventyard.events import bus

    value = globals()[name] = getattr(bus, name)
    return value
