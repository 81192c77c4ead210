"""
Every error of Eventyard, on the server and in the package.

EventRouterError
├── InvalidRequestError
│   ├── ValidationError         also a ValueError
│   ├── PayloadTooLargeError
│   └── SubscriptionError       also a ValueError
├── NotFoundError
├── ConflictError
├── AuthenticationError
├── PermissionDeniedError
├── PublishError
├── ConnectionError             also the built-in ConnectionError
├── TimeoutError                also the built-in TimeoutError
├── RequestError
└── UnavailableError
"""

from __future__ import annotations

import builtins
from typing import Any


class EventRouterError(Exception):
    """Something went wrong in the event router."""

    #: What went wrong, in one word that programs may rely on.
    code: str = "error"
    #: Whether the same call may succeed later.
    retryable: bool = False

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.message = self._default_message() if message is None else message
        super().__init__(self.message)
        self.details: dict[str, Any] = {} if details is None else details
        if code is not None:
            self.code = code

    @classmethod
    def _default_message(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().partition("\n")[0]


class InvalidRequestError(EventRouterError):
    """The request is not valid."""

    code = "invalid_request"


class ValidationError(InvalidRequestError, ValueError):
    """The event is not valid."""

    code = "invalid_event"


class PayloadTooLargeError(InvalidRequestError):
    """The payload is too large."""

    code = "payload_too_large"


class SubscriptionError(InvalidRequestError, ValueError):
    """The subscription is not valid."""

    code = "invalid_subscription"


class NotFoundError(EventRouterError):
    """There is no such thing."""

    code = "not_found"


class ConflictError(EventRouterError):
    """The request conflicts with the present state."""

    code = "conflict"


class AuthenticationError(EventRouterError):
    """The caller is not known."""

    code = "unauthenticated"


class PermissionDeniedError(EventRouterError):
    """The caller may not do this."""

    code = "permission_denied"


class PublishError(EventRouterError):
    """The events were not published."""

    code = "publish_failed"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.retryable = retryable


class ConnectionError(EventRouterError, builtins.ConnectionError):  # noqa: A001
    """The server cannot be reached."""

    code = "connection_failed"
    retryable = True


class TimeoutError(EventRouterError, builtins.TimeoutError):  # noqa: A001
    """The server did not answer in time."""

    code = "timeout"
    retryable = True


class RequestError(EventRouterError):
    """The responder failed."""

    code = "request_failed"


class UnavailableError(EventRouterError):
    """The server cannot take the request now."""

    code = "unavailable"
    retryable = True
