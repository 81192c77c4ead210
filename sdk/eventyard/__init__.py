"""Eventyard: route events, see their flow, own the thing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

__all__ = [
    "AuthenticationError",
    "ConflictError",
    "ConnectionError",
    "Event",
    "EventRouterError",
    "InvalidRequestError",
    "NotFoundError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PublishError",
    "RequestError",
    "SubscriptionError",
    "TimeoutError",
    "UnavailableError",
    "ValidationError",
    "__version__",
]

__version__ = "0.1.0"

_ELSEWHERE = {"Event": "eventyard.core.event"}
_ERRORS = "eventyard.core.errors"


def __getattr__(name: str) -> Any:
    # Public names load on first use, so that importing one part of the package
    # never imports the others' libraries.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_ELSEWHERE.get(name, _ERRORS)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
