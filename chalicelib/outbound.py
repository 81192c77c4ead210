"""Outbound HTTP: addresses checked after resolution, pinned, bounded in time and bytes."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from eventyard.core.errors import EventRouterError, InvalidRequestError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Read = TypeVar("Read", bound="Answer")
#: What clouds tell a machine about itself, its passwords included: never reached.
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "fd00:ec2::254",
            "fd00:ec2::23",
        ),
    )
)
#: IPv6 networks whose last 32 bits are an IPv4 address.
_EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b::/96")))
_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_MOST_URL: Final = 2_048
_MOST_POOLS: Final = 200
_DRAINED_BYTES: Final = 65_536
_PORTS: Final = {"http": 80, "https": 443}


class AddressRefusedError(InvalidRequestError):
    """An address may not be called."""

    code = "address_refused"


class CallFailedError(EventRouterError):
    """An outbound call got no answer; the message says why."""

    code = "call_failed"
    retryable = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered with; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply(Answer):
    """An answer with its body, as it came: nothing is unpacked."""

    body: bytes


class Guard:
    """
    Decides which addresses may be called: public ones, and those that are allowed.

    `allowed` lists hosts, addresses and networks with commas between. Addresses at
    which clouds keep credentials are refused whatever it says.
    """

    def __init__(self, allowed: str = "") -> None:
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in filter(None, (part.strip() for part in allowed.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower())

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
        addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
        for address in addresses:
            self._check(host, ipaddress.ip_address(address))
        return addresses[0]

    def _check(self, host: str, address: Address) -> None:
        seen = _unwrapped(address)
        if _METADATA & {seen, address}:
            raise AddressRefusedError(f"{host} is a metadata address: {seen}.")
        if _is_public(seen) or self._allows(host, (seen, address)):
            return
        raise AddressRefusedError(
            f"{host} resolves to {seen}, which is not a public address. Where that is "
            "wanted, name it in EVENTYARD_ALLOW_PRIVATE_HOSTS.",
            details={"host": host},
        )

    def _allows(self, host: str, addresses: Iterable[Address]) -> bool:
        return host.lower() in self._names or any(
            address in network for address in addresses for network in self._networks
        )


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


def _unwrapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in _EMBEDDING) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    held = (address.ipv4_mapped, address.sixtofour, teredo)
    return next((inner for inner in held if inner is not None), address)


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not (isinstance(address, ipaddress.IPv6Address) and address in _NAT64_LOCAL)
    )


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
            with _cut_after(timeout_s):
                answer = read(_send(pool, parts, request, timeout_s))
        except (HTTPError, OSError) as error:
            late = time.monotonic() - started >= timeout_s
            raise CallFailedError(_reason(error, timeout_s, late=late)) from None
        if time.monotonic() - started >= timeout_s:
            # It was cut off, and what had come by then read like an answer.
            raise CallFailedError(f"no answer within {timeout_s:g} s")
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
    # Not unpacked: a small answer could become a large one.
    while chunk := response.read1(_DRAINED_BYTES, decode_content=False):
        left -= len(chunk)
        if left < 0:
            response.close()
            raise CallFailedError(f"the answer has more than {most_bytes} bytes")
        chunks.append(chunk)
    response.release_conn()
    return Reply(response.status, _headers_of(response), b"".join(chunks))


@contextmanager
def _cut_after(seconds: float) -> Iterator[None]:
    # A server that sends a byte now and then resets every read time-out: only a clock
    # of our own ends that.
    from chalicelib import _pinned

    held: dict[str, Any] = {}
    timer = threading.Timer(seconds, _pinned.cut, [held])
    timer.daemon = True
    timer.start()
    _pinned.LOCAL.held = held
    try:
        yield
    finally:
        timer.cancel()


def _reason(error: Exception, timeout_s: float, *, late: bool) -> str:
    from urllib3 import exceptions

    if not late and isinstance(error, exceptions.NewConnectionError):
        return "the connection was refused or failed"
    if late or isinstance(error, exceptions.TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, socket.gaierror):
        return "the name does not resolve"
    if isinstance(error, exceptions.SSLError):
        return f"TLS failed: {error}"[:200]
    return "the connection broke before an answer came"
