"""Send graphs to a platform: retried while that may help, and no longer."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import (
    ConnectionError,  # noqa: A004
    EventRouterError,
    InvalidRequestError,
)

if TYPE_CHECKING:
    import urllib.request

#: What a request may hold; what is larger goes to the bucket first.
LARGEST: Final = 5_000_000
_TOO_MANY: Final = 429
_SERVER_ERRORS: Final = 500
#: Seconds: the pause before a second try at most, the longest, and the longest that a
#: server may ask for.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0
_PATIENCE: Final = 60.0
_CREATED: Final = frozenset((200, 201))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after: str | None = None

    @property
    def passing(self) -> bool:
        """Whether the same request may do better later."""
        return self.status == _TOO_MANY or self.status >= _SERVER_ERRORS

    def told(self) -> str:
        """Return what the server says is wrong."""
        try:
            told = json.loads(self.body)["error"]
            return str(told["message"] if isinstance(told, dict) else told)
        except (ValueError, KeyError, TypeError):
            return f"status {self.status}"


@dataclass(frozen=True, slots=True)
class Pusher:
    """
    A platform's graph API, at `url`.

    A request is given `timeout` seconds and made up to `attempts` times: after a lost
    connection, a 429 or a 5xx, with a random pause (full jitter, 0.5 s at most, then
    twice that, up to 8 s) or the one that `Retry-After` asks for. Pushing what is
    there already changes nothing, so a repeated push is safe.
    """

    url: str
    key: str = field(default="", repr=False)
    timeout: float = 30.0
    attempts: int = 4
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        _check(self.url)

    def push(self, graph: Mapping[str, Any]) -> dict[str, Any]:
        """Push a graph; return the platform's answer, or raise an EventRouterError."""
        body = encoded(graph)
        if len(body) > LARGEST:
            body = encoded({"upload": self._upload(body)})
        return self._json("POST", "/api/graph", body)

    def _upload(self, body: bytes) -> str:
        wish = encoded({"size": len(body)})
        place = self._json("POST", "/api/graph/uploads", wish)
        _check(place["url"])
        answer = self._insist(
            place.get("method", "PUT"), place["url"], body, place.get("headers", {})
        )
        if answer.status not in _CREATED:
            raise _refused(answer, "the upload")
        return str(place["upload"])

    def _json(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        answer = self._insist(method, f"{self.url.rstrip('/')}{path}", body, headers)
        if answer.status not in _CREATED:
            raise _refused(answer, path)
        try:
            told: dict[str, Any] = json.loads(answer.body)
        except ValueError:
            raise EventRouterError(f"{path} answered what is not JSON.") from None
        return told

    def _insist(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> _Answer:
        for attempt in range(1, self.attempts + 1):
            answer, problem = None, None
            try:
                answer = _ask(method, url, body, headers, self.timeout)
            except OSError as error:
                problem = error
            if answer is not None and not answer.passing:
                return answer
            if attempt < self.attempts:
                self.sleep(_pause(attempt, answer))
        if answer is not None:
            return answer
        reason = getattr(problem, "reason", problem)
        raise ConnectionError(
            f"Nothing answers at {self.url} ({reason}), tried {self.attempts} times."
        )


def encoded(value: Any) -> bytes:
    """Return JSON as it is sent: the same value gives the same bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _check(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise InvalidRequestError(
            f"The platform's address must begin with http:// or https://, not {url!r}."
        )


def _pause(attempt: int, answer: _Answer | None) -> float:
    asked = answer.retry_after if answer is not None else None
    if asked is not None and asked.strip().isdecimal():
        return min(float(asked), _PATIENCE)
    # Full jitter: a hundred scanners must not come back in one wave.
    most = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
    return random.uniform(0, most)  # noqa: S311 - nothing is secret about it


def _ask(
    method: str, url: str, body: bytes, headers: Mapping[str, str], timeout: float
) -> _Answer:
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(  # noqa: S310 - http or https, as checked
        url, data=body, headers=dict(headers), method=method
    )
    try:
        with _opener().open(request, timeout=timeout) as answer:
            return _Answer(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, error.read(), error.headers.get("Retry-After"))
    except http.client.HTTPException as error:
        raise OSError(f"the connection broke: {error!r}") from error


def _opener() -> urllib.request.OpenerDirector:
    import urllib.request

    class Stays(urllib.request.HTTPRedirectHandler):
        # A key is shown to the platform that was named, and to nobody it points at.
        def redirect_request(self, *_: Any) -> None:
            return None

    return urllib.request.build_opener(Stays)


def _refused(answer: _Answer, what: str) -> EventRouterError:
    return EventRouterError(
        f"{what} was refused ({answer.status}): {answer.told()}",
        code=f"http_{answer.status}",
    )
