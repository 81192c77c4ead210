"""Requests to a server that wait for their answers."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from eventyard.core.errors import (
    AuthenticationError,
    ConflictError,
    ConnectionError,  # noqa: A004 - the name the errors' module gives it
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    UnavailableError,
)
from eventyard.core.ulid import new_ulid

_TIMEOUT_S: Final = 30.0
_ATTEMPTS: Final = 4
_FIRST_PAUSE_S: Final = 0.2
#: These did nothing: the same again may do better.
_REFUSED: Final = (429, 503)
_SERVER_ERRORS: Final = 500
_GOOD: Final = (200, 201, 204)
_ERRORS: Final[Mapping[int, type[EventRouterError]]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    429: UnavailableError,
    503: UnavailableError,
}


@dataclass(frozen=True, slots=True)
class Server:
    """
    A platform at `url`.

    A request that may be repeated (a read, or a creation, which carries a key) is made
    up to four times where no answer comes; others only where the server says that it
    did nothing.
    """

    url: str
    key: str = field(default="", repr=False)
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def named(cls, url: str | None, api_key: str | None) -> Self:
        """Return the server of an address, or of the environment."""
        address = url or os.environ.get("EVENTYARD_URL") or "http://localhost:5555"
        if not address.startswith(("http://", "https://")):
            raise InvalidRequestError(
                f"A server's address begins with http:// or https://, not {address!r}."
            )
        key = api_key or os.environ.get("EVENTYARD_API_KEY") or ""
        return cls(address.rstrip("/"), key)

    def create(self, path: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Make something, once however often it is tried."""
        return self.ask("POST", path, wish, key=new_ulid(), again=True)

    def ask(
        self,
        method: str,
        path: str,
        wish: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        again: bool = False,
    ) -> dict[str, Any]:
        """Return what the server answers; raises an EventRouterError."""
        headers = {"Accept": "application/json"}
        if wish is not None:
            headers["Content-Type"] = "application/json"
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if key is not None:
            headers["Idempotency-Key"] = key
        body = None if wish is None else _encoded(wish)
        status, told = self._insist(
            _Ask(method, self.url + path, body, headers), again or method == "GET"
        )
        return _read(status, told)

    def _insist(self, ask: _Ask, again: bool) -> tuple[int, bytes]:  # noqa: FBT001
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                status, told = ask.send()
            except OSError as error:
                if last or not again:
                    raise ConnectionError(
                        f"{self.url} does not answer: {error}. Does it run?"
                    ) from error
            else:
                passing = status in _REFUSED or (again and status >= _SERVER_ERRORS)
                if last or not passing:
                    return status, told
            most = _FIRST_PAUSE_S * 2.0**attempt
            self.sleep(random.uniform(0, most))  # noqa: S311 - nothing secret about it
        raise ConnectionError(f"{self.url} does not answer.")


@dataclass(frozen=True, slots=True)
class _Ask:
    method: str
    url: str
    body: bytes | None
    headers: Mapping[str, str]

    def send(self) -> tuple[int, bytes]:
        """Return status and body; raises OSError where none came."""
        import http.client
        import urllib.error
        import urllib.request

        class Stays(urllib.request.HTTPRedirectHandler):
            # A key is shown to the server that was named, and to nobody it points at.
            def redirect_request(self, *_: Any) -> None:
                return None

        request = urllib.request.Request(  # noqa: S310 - http or https, as checked
            self.url, data=self.body, headers=dict(self.headers), method=self.method
        )
        try:
            opener = urllib.request.build_opener(Stays)
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except http.client.HTTPException as error:
            raise OSError(f"the connection broke: {error!r}") from error


def _encoded(wish: Mapping[str, Any]) -> bytes:
    from eventyard.core.jsontext import dumps

    return dumps(dict(wish)).encode()


def _read(status: int, told: bytes) -> dict[str, Any]:
    try:
        value = json.loads(told) if told else {}
    except ValueError:
        value = {}
    if status in _GOOD and isinstance(value, dict):
        return value
    fault = value.get("error") if isinstance(value, dict) else None
    fault = fault if isinstance(fault, dict) else {}
    raise _ERRORS.get(status, EventRouterError)(
        str(fault.get("message") or f"The server answered {status}."),
        code=fault.get("code"),
        details=fault.get("details"),
    )
