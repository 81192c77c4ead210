"""How a client is set up: arguments, a `config`, the environment, in this order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from eventyard.core.errors import InvalidRequestError

Overflow = Literal["drop_oldest", "drop_newest", "block", "error"]
_TRANSPORTS: Final = ("memory", "http", "websocket", "redis", "aws")
_OVERFLOWS: Final = ("drop_oldest", "drop_newest", "block", "error")
#: Which transport an address is for, unless one says.
_SCHEMES: Final = {
    "memory": "memory",
    "http": "websocket",
    "https": "websocket",
    "ws": "websocket",
    "wss": "websocket",
    "redis": "redis",
    "rediss": "redis",
    "aws": "aws",
}


@dataclass(frozen=True, slots=True)
class Reconnect:
    """What is done when a connection breaks."""

    enabled: bool = True
    #: Tries in a row that may fail before it is given up; None: never.
    max_attempts: int | None = None
    backoff: Literal["exponential", "linear", "fixed"] = "exponential"
    first_s: float = 0.5
    longest_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a client can be told."""

    transport: str = "memory"
    url: str = ""
    #: What a transport is told besides: `host`, `port`, `password`, ...
    connection: Mapping[str, Any] = field(default_factory=dict)
    reconnect: Reconnect = field(default_factory=Reconnect)
    #: At most so many events in one commit,
    batch_size: int = 100
    #: which is sent when it is full, or after so many seconds.
    batch_timeout: float = 0.1
    #: So many commits are on their way at a time.
    pool_size: int = 4
    #: How long a call waits for its turn, and for its answer.
    pool_timeout: float = 30.0
    #: So many events wait to be sent.
    buffer_size: int = 10_000
    overflow: Overflow = "drop_oldest"
    #: Events like one of the last so many are not sent again, for so many seconds.
    cache_size: int = 0
    cache_ttl: float = 60.0
    auth: Mapping[str, Any] = field(default_factory=dict)
    encryption: Mapping[str, Any] = field(default_factory=dict)


def settled(config: Mapping[str, Any] | None, **given: Any) -> Settings:
    """
    Return settings: what is given counts before what `config` says.

    Raises InvalidRequestError for what makes no sense, and says what would.
    """
    told = {**(config or {}), **{k: v for k, v in given.items() if v is not None}}
    _check_names(told)
    if isinstance(told.get("reconnect"), Mapping):
        told["reconnect"] = _reconnect(told["reconnect"])
    url = str(told.get("url") or os.environ.get("EVENTYARD_URL") or "")
    transport = told.get("transport") or _transport_for(url, told)
    return _checked(replace(Settings(), **{**told, "url": url, "transport": transport}))


def _check_names(told: Mapping[str, Any]) -> None:
    unknown = told.keys() - set(Settings.__slots__)
    if unknown:
        raise InvalidRequestError(
            f"A client has no setting {min(unknown)!r}; there are "
            f"{', '.join(sorted(Settings.__slots__))}."
        )


def _reconnect(told: Mapping[str, Any]) -> Reconnect:
    unknown = told.keys() - set(Reconnect.__slots__)
    if unknown:
        raise InvalidRequestError(
            f"reconnect has no {min(unknown)!r}; there are "
            f"{', '.join(sorted(Reconnect.__slots__))}."
        )
    return Reconnect(**told)


def _transport_for(url: str, told: Mapping[str, Any]) -> str:
    if not url:
        # A router elsewhere has an address: without one it is in this process.
        return "redis" if told.get("connection") else "memory"
    scheme = urlsplit(url).scheme
    if scheme not in _SCHEMES:
        raise InvalidRequestError(
            f"{url!r} is no address of a router: it begins with one of "
            f"{', '.join(f'{one}://' for one in _SCHEMES)}."
        )
    return _SCHEMES[scheme]


def _checked(settings: Settings) -> Settings:
    if settings.transport not in _TRANSPORTS:
        raise InvalidRequestError(
            f"There is no transport {settings.transport!r}; there are "
            f"{', '.join(_TRANSPORTS)}."
        )
    if settings.overflow not in _OVERFLOWS:
        raise InvalidRequestError(f"overflow is one of {', '.join(_OVERFLOWS)}.")
    for name in ("batch_size", "pool_size", "buffer_size"):
        if getattr(settings, name) < 1:
            raise InvalidRequestError(f"{name} must be 1 or more.")
    return replace(settings, batch_size=min(settings.batch_size, 100))
