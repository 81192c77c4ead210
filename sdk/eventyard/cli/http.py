"""One request at a time to a platform's HTTP interface."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

from eventyard.core.errors import (
    AuthenticationError,
    ConflictError,
    ConnectionError,  # noqa: A004 - the name the seed asks for
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)

_ERRORS: Final = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    503: UnavailableError,
}
#: The scheme of a client's address, and the one that the same platform has over HTTP.
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON; raises EventRouterError where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise EventRouterError(
                "What answers there is no Eventyard: it says "
                f"{self.body[:60].decode(errors='replace')!r}. Check the address.",
                code="not_eventyard",
            ) from None


@dataclass(frozen=True)
class Api:
    """A platform's address, and the key to it where it asks for one."""

    url: str
    key: str | None = None
    timeout: float = 35.0

    @property
    def base(self) -> str:
        """Return the address over HTTP, also of one that is for a WebSocket."""
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise InvalidRequestError(
                f"{self.url!r} is no address of a platform: it begins with http:// or "
                "https://. Say it with --url or EVENTYARD_URL."
            )
        path = parts.path.rstrip("/")
        if path == "/ws" or "/ws/" in path:
            path = path[: path.index("/ws")]
        return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}"

    def get(self, path: str, query: Query = ()) -> Any:
        """Ask for something."""
        return self.ask("GET", path, query=query).json()

    def post(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send something."""
        return self.ask("POST", path, body=body, headers=headers or {}).json()

    def delete(self, path: str) -> Any:
        """Remove something."""
        return self.ask("DELETE", path).json()

    def health(self) -> dict[str, Any]:
        """Return `status` and `checks`, also of a platform that is not well."""
        try:
            found: dict[str, Any] = self.get("health")
        except UnavailableError as error:
            if "checks" not in error.details:
                raise
            return error.details
        return found

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raise an EventRouterError with the platform's own code and message."""
        request = urllib.request.Request(  # noqa: S310 - the user's own address
            self._address(path, query),
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/json, */*;q=0.5",
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {self.key}"} if self.key else {}),
                **(headers or {}),
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            raise _translated(error) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error) or type(error).__name__
            raise ConnectionError(
                f"Nothing answers at {self.url} ({reason}). Start the platform with "
                "`make run`, or name its address with --url or EVENTYARD_URL."
            ) from error

    def _address(self, path: str, query: Query) -> str:
        address = f"{self.base}/{path.lstrip('/')}"
        return f"{address}?{urllib.parse.urlencode(query)}" if query else address


def quoted(name: str) -> str:
    """Return an id or a name as a part of a path."""
    return urllib.parse.quote(name, safe="")


def _translated(error: urllib.error.HTTPError) -> EventRouterError:
    kind = _ERRORS.get(error.code, EventRouterError)
    try:
        told = json.load(error)
    except (ValueError, OSError):
        told = None
    # Most tell a code and a message; graphs a message alone, health its checks.
    fault = told.get("error") if isinstance(told, dict) else None
    if isinstance(fault, dict) and "message" in fault:
        return kind(
            str(fault["message"]),
            code=str(fault.get("code", kind.code)),
            details=fault.get("details"),
        )
    details = told if isinstance(told, dict) else None
    return kind(str(fault or error), code=f"http_{error.code}", details=details)
