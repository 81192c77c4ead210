"""The transport that settings ask for; what it needs is imported then."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from eventyard.settings import Settings
from eventyard.transports.base import Transport

_ELSEWHERE: Final = {
    "http": ("eventyard.transports.http", "HttpTransport"),
    "websocket": ("eventyard.transports.websocket", "WebSocketTransport"),
    "redis": ("eventyard.transports.redis", "RedisTransport"),
    "aws": ("eventyard.transports.aws", "AwsTransport"),
}


def transport_for(settings: Settings, client_id: str) -> Transport:
    """Return a transport, not connected yet; raises InvalidRequestError."""
    if settings.transport in _ELSEWHERE:
        module, name = _ELSEWHERE[settings.transport]
        make: Callable[[Settings, str], Transport]
        make = getattr(import_module(module), name)
        return make(settings, client_id)
    from eventyard.transports.memory import MemoryTransport

    return MemoryTransport(client_id, settings.url.partition("://")[2] or "default")
