"""Outbound HTTP: addresses checked after resolution, pinned, bounded in time and bytes."""

from __future__ import annotations

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from eventyard.core.addresses import AddressRefusedError, Allowances
from eventyard.core.errors import EventRouterError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

Read = TypeVar("Read", bound="Answer")
_MOST_URL: Final = 2_048
_MOST_POOLS: Final = 200
_DRAINED_BYTES: Final = 65_536
_PORTS: Final = {"http": 80, "https": 443}


class CallFailedError(EventRouterError):
    """An outbound call got no answer; the message says why."""

    code = "call_failed"
    retryable = True


class TooLargeError(CallFailedError):
    """An answer was larger than it may be."""

    code = "answer_too_large"
    retryable = False


class NoAnswerError(CallFailedError):
    """There was no answer in time."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered with; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply(Answer):
    """An answer with its body, as it came: nothing is unpacked."""

    body: bytes


class Guard(Allowances):
    """Looks names up, and refuses those that lead to what may not be called."""

    def check_url(self, url: str) -> SplitResult:
        """
        Check a URL as far as that is possible before it is called.

        A name that does not resolve now passes: it may later, and is checked then.
        Raises AddressRefusedError.
        """
        parts = _parse(url)
        try:
            self.resolve(str(parts.hostname), _port(parts))
        except OSError:
            return parts
        return parts

    def resolve(self, host: str, port: int) -> str:
        """
        Return the one address to connect to; every address of the name is checked.

        Raises AddressRefusedError, or OSError when there is no such name.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return self.check(host, [str(entry[4][0]) for entry in found])[0]


def _parse(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or len(url) > _MOST_URL or not url.isascii() or not url.isprintable():
        raise AddressRefusedError(
            f"A URL has http or https, a host and at most {_MOST_URL} ASCII "
            f"characters; {url[:80]!r} does not."
        )
    if parts.username is not None or " " in url:
        raise AddressRefusedError("A URL here has no user name and no spaces.")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass
class Outbound:
    """Calls addresses that the guard lets through, over connections that are kept."""

    guard: Guard
    _pools: OrderedDict[tuple[str, str, int, str], HTTPConnectionPool] = field(
        default_factory=OrderedDict
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)
    #: What is under way: each holds its connection, once it has one.
    _calls: dict[int, dict[str, Any]] = field(default_factory=dict)

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Answer:
        """
        Send a request and return its answer, whatever its status; never a redirect's.

        The whole of it takes at most `timeout_s`. Raises AddressRefusedError or
        CallFailedError.
        """
        return self._exchange(_Request("POST", url, headers, body), timeout_s, _drained)

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
        most_bytes: int,
    ) -> Reply:
        """
        Send a request and return its answer with the body; otherwise as `post`.

        A body of more than `most_bytes` is a CallFailedError.
        """

        def read(response: BaseHTTPResponse) -> Reply:
            return _whole(response, most_bytes)

        return self._exchange(_Request(method, url, headers, body), timeout_s, read)

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        most_bytes: int,
        wanted: Callable[[int, Mapping[str, str]], bool],
    ) -> Reply:
        """
        Ask for something; its body is read where status and headers are `wanted`.

        Otherwise as `call`, with an empty body where nobody wants it.
        """

        def read(response: BaseHTTPResponse) -> Reply:
            if wanted(response.status, _headers_of(response)):
                return _whole(response, most_bytes)
            answer = _drained(response)
            return Reply(answer.status, answer.headers, b"")

        return self._exchange(_Request("GET", url, headers, None), timeout_s, read)

    def cut(self) -> None:
        """End the calls that are under way; whoever made them gets an error."""
        from chalicelib import _pinned

        for held in [*self._calls.values()]:
            _pinned.cut(held)

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            while self._pools:
                self._pools.popitem()[1].close()

    def _exchange(
        self,
        request: _Request,
        timeout_s: float,
        read: Callable[[BaseHTTPResponse], Read],
    ) -> Read:
        from urllib3.exceptions import HTTPError

        parts = _parse(request.url)
        started = time.monotonic()
        try:
            pool = self._pool(parts)
            with _cut_after(timeout_s, self._calls):
                answer = read(_send(pool, parts, request, timeout_s))
        except (HTTPError, OSError) as error:
            if time.monotonic() - started >= timeout_s or _is_late(error):
                raise _no_answer(timeout_s) from None
            raise CallFailedError(_reason(error)) from None
        if time.monotonic() - started >= timeout_s:
            # It was cut off, and what had come by then read like an answer.
            raise _no_answer(timeout_s)
        return answer

    def _pool(self, parts: SplitResult) -> HTTPConnectionPool:
        host, port = str(parts.hostname), _port(parts)
        # Resolved each time, and checked each time: names move.
        key = (parts.scheme, host, port, self.guard.resolve(host, port))
        with self._lock:
            pool = self._pools.pop(key, None) or _new_pool(*key)
            self._pools[key] = pool
            if len(self._pools) > _MOST_POOLS:
                self._pools.popitem(last=False)[1].close()
        return pool


def _new_pool(scheme: str, host: str, port: int, address: str) -> HTTPConnectionPool:
    from chalicelib import _pinned

    return _pinned.pool(scheme, host, port, address)


def _send(
    pool: HTTPConnectionPool,
    parts: SplitResult,
    request: _Request,
    timeout_s: float,
) -> BaseHTTPResponse:
    from urllib3 import Timeout

    target = parts.path or "/"
    return pool.urlopen(
        request.method,
        f"{target}?{parts.query}" if parts.query else target,
        body=request.body,
        headers={**request.headers, "Host": parts.netloc},
        redirect=False,
        retries=False,
        timeout=Timeout(total=timeout_s),
        preload_content=False,
        assert_same_host=False,
    )


def _headers_of(response: BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _drained(response: BaseHTTPResponse) -> Answer:
    # A connection is used again only when its answer was read to the end; a long one
    # is not worth it.
    read = 0
    while chunk := response.read1(_DRAINED_BYTES):
        read += len(chunk)
        if read > _DRAINED_BYTES:
            response.close()
            break
    response.release_conn()
    return Answer(response.status, _headers_of(response))


def _whole(response: BaseHTTPResponse, most_bytes: int) -> Reply:
    chunks: list[bytes] = []
    left = most_bytes
    told = response.headers.get("content-length", "")
    if told.isdecimal() and int(told[:20]) > most_bytes:
        response.close()
        raise TooLargeError(f"the answer has more than {most_bytes} bytes")
    # Not unpacked: a small answer could become a large one.
    while chunk := response.read1(_DRAINED_BYTES, decode_content=False):
        left -= len(chunk)
        if left < 0:
            response.close()
            raise TooLargeError(f"the answer has more than {most_bytes} bytes")
        chunks.append(chunk)
    response.release_conn()
    return Reply(response.status, _headers_of(response), b"".join(chunks))


@contextmanager
def _cut_after(seconds: float, calls: dict[int, dict[str, Any]]) -> Iterator[None]:
    # A server that sends a byte now and then resets every read time-out: only a clock
    # of our own ends that.
    from chalicelib import _pinned

    held: dict[str, Any] = {}
    timer = threading.Timer(seconds, _pinned.cut, [held])
    timer.daemon = True
    timer.start()
    _pinned.LOCAL.held = held
    calls[id(held)] = held
    try:
        yield
    finally:
        timer.cancel()
        del calls[id(held)]


def _no_answer(timeout_s: float) -> NoAnswerError:
    return NoAnswerError(f"no answer within {timeout_s:g} s")


def _is_late(error: Exception) -> bool:
    from urllib3 import exceptions

    return isinstance(error, exceptions.TimeoutError) and not isinstance(
        error, exceptions.NewConnectionError
    )


def _reason(error: Exception) -> str:
    from urllib3 import exceptions

    if isinstance(error, exceptions.NewConnectionError):
        return "the connection was refused or failed"
    if isinstance(error, socket.gaierror):
        return "the name does not resolve"
    if isinstance(error, exceptions.SSLError):
        return f"TLS failed: {error}"[:200]
    return "the connection broke before an answer came"
