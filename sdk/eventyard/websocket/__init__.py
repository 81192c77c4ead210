"""Live connections of this process, with whatever server of WebSockets it runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventyard.websocket.manager import (
        ConnectionManager,
        WebSocketManager,
        get_connection_manager,
    )

__all__ = ["ConnectionManager", "WebSocketManager", "get_connection_manager"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module("eventyard.websocket.manager"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
