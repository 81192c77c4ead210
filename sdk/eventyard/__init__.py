"""Eventyard: route events, see their flow, own the thing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eventyard.version import VERSION

if TYPE_CHECKING:
    from eventyard.agents import EventEnabledAgent, OrchestratorMixin, event_handler
    from eventyard.client import EventRouterClient
    from eventyard.core.errors import (
        AuthenticationError,
        ConflictError,
        ConnectionError,  # noqa: A004
        EventRouterError,
        InvalidRequestError,
        NotFoundError,
        PayloadTooLargeError,
        PermissionDeniedError,
        PublishError,
        RequestError,
        SubscriptionError,
        TimeoutError,  # noqa: A004
        UnavailableError,
        ValidationError,
    )
    from eventyard.core.event import Event
    from eventyard.events import EventBus, EventType, event_bus
    from eventyard.management import ManagementAgent
    from eventyard.patterns.encryption import DecryptionError
    from eventyard.patterns.handling import CircuitOpenError
    from eventyard.patterns.saga import Saga, compensates
    from eventyard.patterns.streams import EventStream
    from eventyard.patterns.subscription import Subscription
    from eventyard.patterns.transaction import Transaction

__all__ = [
    "AuthenticationError",
    "CircuitOpenError",
    "ConflictError",
    "ConnectionError",
    "DecryptionError",
    "Event",
    "EventBus",
    "EventEnabledAgent",
    "EventRouterClient",
    "EventRouterError",
    "EventStream",
    "EventType",
    "InvalidRequestError",
    "ManagementAgent",
    "NotFoundError",
    "OrchestratorMixin",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PublishError",
    "RequestError",
    "Saga",
    "Subscription",
    "SubscriptionError",
    "TimeoutError",
    "Transaction",
    "UnavailableError",
    "ValidationError",
    "__version__",
    "compensates",
    "event_bus",
    "event_handler",
]

__version__ = VERSION

#: Where public names are, unless they are errors.
_ELSEWHERE = {
    "CircuitOpenError": "eventyard.patterns.handling",
    "DecryptionError": "eventyard.patterns.encryption",
    "Event": "eventyard.core.event",
    "EventBus": "eventyard.events",
    "EventEnabledAgent": "eventyard.agents",
    "EventRouterClient": "eventyard.client",
    "EventStream": "eventyard.patterns.streams",
    "EventType": "eventyard.events",
    "ManagementAgent": "eventyard.management",
    "OrchestratorMixin": "eventyard.agents",
    "Saga": "eventyard.patterns.saga",
    "Subscription": "eventyard.patterns.subscription",
    "Transaction": "eventyard.patterns.transaction",
    "compensates": "eventyard.patterns.saga",
    "event_bus": "eventyard.events",
    "event_handler": "eventyard.agents",
}
_ERRORS = "eventyard.core.errors"


def __getattr__(name: str) -> Any:
    # Public names load on first use, so that importing one part of the package
    # never imports the others' libraries.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE.get(name, _ERRORS)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
