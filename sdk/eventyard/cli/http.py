"""One request at a time to a platform's HTTP interface."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventyard.core.errors import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name the seed asks for
    EventRouterError,
    NotFoundError,
    PermissionDeniedError,
)

_ERRORS = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
}
Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Api:
    """A platform's address, and the key to it where it asks for one."""

    url: str
    key: str | None = None
    timeout: float = 35.0

    def get(self, path: str, query: Query = ()) -> Any:
        """Ask for something."""
        return self._call("GET", path, query=query)

    def post(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send something."""
        return self._call("POST", path, body=body, headers=headers or {})

    def delete(self, path: str) -> Any:
        """Remove something."""
        return self._call("DELETE", path)

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Raise an EventRouterError with the platform's own code and message."""
        request = urllib.request.Request(  # noqa: S310 - the user's own address
            self._address(path, query),
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {self.key}"} if self.key else {}),
                **(headers or {}),
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise _translated(error) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ConnectionError(
                f"Nothing answers at {self.url} ({reason}). Start the platform with "
                "`make run`, or name its address with --url or EVENTYARD_URL."
            ) from error

    def _address(self, path: str, query: Query) -> str:
        address = f"{self.url.rstrip('/')}/{path.lstrip('/')}"
        return f"{address}?{urllib.parse.urlencode(query)}" if query else address


def _translated(error: urllib.error.HTTPError) -> EventRouterError:
    try:
        told = json.load(error)["error"]
    except (ValueError, KeyError, TypeError):
        told = {"code": f"http_{error.code}", "message": str(error)}
    # A 503 tells of its checks rather than of an error.
    kind = _ERRORS.get(error.code, EventRouterError)
    return kind(told["message"], code=told["code"], details=told.get("details"))
