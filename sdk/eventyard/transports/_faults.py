"""What a platform refused, as the errors of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eventyard.core.errors import (
    AuthenticationError,
    ConflictError,
    ConnectionError,  # noqa: A004 - their names there
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RequestError,
    SubscriptionError,
    TimeoutError,  # noqa: A004
    UnavailableError,
    ValidationError,
)
from eventyard.core.jsontext import loads

#: What a code means, whatever it came by.
_BY_CODE: Final[Mapping[str, type[EventRouterError]]] = {
    "invalid_event": ValidationError,
    "invalid_subscription": SubscriptionError,
    "payload_too_large": PayloadTooLargeError,
    "unauthenticated": AuthenticationError,
    "permission_denied": PermissionDeniedError,
    "not_found": NotFoundError,
    "payload_missing": NotFoundError,
    "conflict": ConflictError,
    "version_conflict": ConflictError,
    "idempotency_key_reused": ConflictError,
    "request_expired": ConflictError,
    "request_failed": RequestError,
    "timeout": TimeoutError,
    "unavailable": UnavailableError,
    "busy": UnavailableError,
    "internal": UnavailableError,
}
#: What a status means where no code is known; gateways have none.
_BY_STATUS: Final[Mapping[int, type[EventRouterError]]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: TimeoutError,
    409: ConflictError,
    413: PayloadTooLargeError,
    429: UnavailableError,
    504: TimeoutError,
}
_LAST_OF_CALLER: Final = 499
_SHOWN: Final = 200
#: What to do about it, where the platform does not say.
_ADVICE: Final[Mapping[type[EventRouterError], str]] = {
    AuthenticationError: (
        " Give the client a key that is valid: auth={'type': 'api_key', 'key': 'ey_...'}."
    ),
    PermissionDeniedError: " An administrator can make a key that has it.",
}


def fault_of(
    status: int, body: bytes, retry_after_s: float | None = None
) -> EventRouterError:
    """Return the error for an answer that is none."""
    code, message, details = _told(body)
    if retry_after_s is not None:
        details["retry_after_s"] = retry_after_s
    details["status"] = status
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or _usual(status)
    text = message or f"The platform answered with status {status}."
    return kind(text + _ADVICE.get(kind, ""), code=code or None, details=details)


def _usual(status: int) -> type[EventRouterError]:
    return InvalidRequestError if status <= _LAST_OF_CALLER else UnavailableError


def _told(body: bytes) -> tuple[str, str, dict[str, Any]]:
    try:
        told = loads(body)["error"]
        return told["code"], told["message"], dict(told.get("details") or {})
    except (InvalidRequestError, LookupError, TypeError, ValueError):
        # Not ours: of a gateway or a proxy.
        return "", "", {"body": body[:_SHOWN].decode(errors="replace")}


def fault_said(message: Mapping[str, Any]) -> EventRouterError:
    """Return the error for an `error` that was said on a live connection."""
    code = str(message.get("code") or "")
    text = str(message.get("error") or "The platform refused this, and said no more.")
    kind = _BY_CODE.get(code, InvalidRequestError)
    details = dict(message.get("details") or {})
    return kind(text + _ADVICE.get(kind, ""), code=code or None, details=details)


def unreachable(address: str, error: BaseException) -> ConnectionError:
    """Return the error for a platform that nothing is heard of."""
    why = str(error) or type(error).__name__
    return ConnectionError(
        f"Nothing is heard from {address} ({why}). Is the platform running (`make run` "
        "starts one here), and is this its address? See `url`, or EVENTYARD_URL.",
        details={"address": address},
    )


def too_slow(address: str, seconds: float) -> TimeoutError:
    """Return the error for an answer that did not come."""
    return TimeoutError(
        f"{address} did not answer within {seconds:g} s. It may be busy; a larger "
        "pool_timeout waits longer.",
        details={"address": address},
    )
