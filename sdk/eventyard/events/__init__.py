"""The bus of this process: `event_bus`, and the types of event that others know."""

from __future__ import annotations

from eventyard.core.event import Event
from eventyard.events._chains import LoopError
from eventyard.events.bus import EventBus, event_bus
from eventyard.events.types import EventType

__all__ = ["Event", "EventBus", "EventType", "LoopError", "event_bus"]
