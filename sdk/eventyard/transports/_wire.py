"""The version of what is said to a platform, and where it is heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from eventyard.core.errors import InvalidRequestError

#: The versions of HTTP and WebSocket messages that this package speaks.
LOWEST: Final = 1
HIGHEST: Final = 1
#: How a call says which one it speaks.
HEADER: Final = "eventyard-version"
_HTTP: Final[Mapping[str, str]] = {"ws": "http", "wss": "https"}
_LIVE: Final[Mapping[str, str]] = {"http": "ws", "https": "wss"}


def agreed(config: Mapping[str, Any]) -> int:
    """
    Return the highest version that both sides speak, by `/api/v1/config`.

    One that says nothing of it is older than this question: it speaks the first.
    Raises InvalidRequestError, saying which side is to be updated.
    """
    spoken = config.get("wire") or {"lowest": 1, "highest": 1}
    lowest, highest = int(spoken["lowest"]), int(spoken["highest"])
    common = min(HIGHEST, highest)
    if common >= max(LOWEST, lowest):
        return common
    old = "the package eventyard" if highest > HIGHEST else "the platform"
    raise InvalidRequestError(
        f"The platform speaks the versions {lowest} to {highest}, this package "
        f"{LOWEST} to {HIGHEST}: update {old}.",
        code="unsupported_version",
        details={"lowest": lowest, "highest": highest},
    )


def bases(url: str) -> Iterator[str]:
    """
    Yield where a platform may begin, by an address with or without a path.

    A stage of API Gateway is part of every address; the path of one endpoint is not.
    """
    parts = urlsplit(url)
    scheme = _HTTP.get(parts.scheme, parts.scheme)
    if scheme not in _LIVE or not parts.netloc:
        raise InvalidRequestError(
            f"{url!r} is no address of a platform: it begins with http(s):// or "
            "ws(s):// and a host."
        )
    path = parts.path.rstrip("/")
    while path:
        yield f"{scheme}://{parts.netloc}{path}"
        path = path.rpartition("/")[0]
    yield f"{scheme}://{parts.netloc}"


def live_address(base: str, config: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the address of the router's channel, and the query that names it."""
    told = str(config.get("live_url") or "")
    if told:
        return told, {"channel": "router"}
    scheme, _, rest = base.partition("://")
    return f"{_LIVE[scheme]}://{rest}/ws/router", {}
