"""The transport that settings ask for; what it needs is imported then."""

from __future__ import annotations

from eventyard.settings import Settings
from eventyard.transports.base import Transport


def transport_for(settings: Settings, client_id: str) -> Transport:
    """Return a transport, not connected yet; raises InvalidRequestError."""
    match settings.transport:
        case "http":
            from eventyard.transports.http import HttpTransport

            return HttpTransport(settings, client_id)
        case "websocket":
            from eventyard.transports.websocket import WebSocketTransport

            return WebSocketTransport(settings, client_id)
        case "redis":
            from eventyard.transports.redis import RedisTransport

            return RedisTransport(settings, client_id)
        case "aws":
            from eventyard.transports.aws import AwsTransport

            return AwsTransport(settings, client_id)
    from eventyard.transports.memory import MemoryTransport

    return MemoryTransport(client_id, settings.url.partition("://")[2] or "default")
