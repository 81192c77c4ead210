"""
The bus of this process: `event_bus`, and the types of event that others know.

Who needs the types alone pays for no bus.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.event import Event
from eventyard.events.types import EventType

if TYPE_CHECKING:
    from eventyard.events._chains import LoopError
    from eventyard.events.bus import EventBus, event_bus

__all__ = ["Event", "EventBus", "EventType", "LoopError", "event_bus"]

_LATER: Final = {"EventBus": "bus", "LoopError": "_chains", "event_bus": "bus"}


def __getattr__(name: str) -> Any:
    """Load the bus when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
