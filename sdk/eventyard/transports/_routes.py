"""The addresses of a platform that clients call, as its function knows them."""

from __future__ import annotations

import re
from typing import Final

from eventyard.core.errors import InvalidRequestError

_ROUTES: Final = (
    "/api/v1/config",
    "/api/v1/dead-letters",
    "/api/v1/dead-letters/retry",
    "/api/v1/events",
    "/api/v1/events/stream",
    "/api/v1/events/{event_id}",
    "/api/v1/export",
    "/api/v1/me",
    "/api/v1/positions/{name}",
    "/api/v1/requests",
    "/api/v1/requests/{request_id}/reply",
    "/api/v1/stats",
    "/api/v1/streams/{stream_id}",
    "/api/v1/streams/{stream_id}/events",
    "/api/v1/streams/{stream_id}/snapshot",
    "/api/v1/subscriptions",
    "/health",
)
_FIELD: Final = re.compile(r"\{([a-z_]+)\}")


def routed(path: str) -> tuple[str, dict[str, str]]:
    """
    Return the route of a path, and what stands in its fields, as it is spelled there.

    Raises InvalidRequestError for a path that no route is for.
    """
    for route, pattern in _PATTERNS:
        found = pattern.fullmatch(path)
        if found is not None:
            return route, found.groupdict()
    raise InvalidRequestError(f"The platform has no address {path:.100}.")


def _pattern(route: str) -> re.Pattern[str]:
    return re.compile(_FIELD.sub(r"(?P<\1>[^/]+)", route))


#: Those without fields first: `stream` is no event's id.
_PATTERNS: Final = tuple(
    (route, _pattern(route)) for route in sorted(_ROUTES, key=lambda one: "{" in one)
)
