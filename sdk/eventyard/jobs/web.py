"""Asking the web from a program of one's own; imports aiohttp."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from eventyard.core.addresses import AddressRefusedError, Allowances
from eventyard.jobs.scraping import urls
from eventyard.jobs.scraping.fetching import Fetched, FetchError, Limits, Wanted

_CONNECTIONS: Final = 32
#: A connection is used again when its answer was read to the end; no longer one is.
_DRAINED_BYTES: Final = 65_536
_LONGEST_LINE: Final = 16_384


class AiohttpWeb:
    """Asks over connections that are kept; names are checked as they are resolved."""

    def __init__(self, allowances: Allowances) -> None:
        self._allowances = allowances
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self, url: str, headers: Mapping[str, str], limits: Limits, wanted: Wanted
    ) -> Fetched:
        """Ask for an address; raises FetchError."""
        try:
            async with asyncio.timeout(limits.timeout_s):
                async with self._asked(url, headers) as answer:
                    return await _read(answer, limits.most_bytes, wanted)
        except TimeoutError:
            told = f"no answer within {limits.timeout_s:g} s"
            raise FetchError(told) from None
        except AddressRefusedError as error:
            raise FetchError(error.message) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(error) from None

    @asynccontextmanager
    async def _asked(
        self, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        self._check_literal(url)
        # Spelled already: written otherwise it would be another address.
        address = URL(url, encoded=True)
        async with self._open().get(
            address, headers=headers, allow_redirects=False
        ) as answer:
            yield answer

    def _check_literal(self, url: str) -> None:
        host = urls.origin(url).host
        try:
            found = str(ipaddress.ip_address(host))
        except ValueError:
            return
        self._allowances.check(host, [found])

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                resolver=_CheckedResolver(self._allowances),
                # Names move; each connection is to an address that was checked for it.
                use_dns_cache=False,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(),
                max_line_size=_LONGEST_LINE,
                max_field_size=_LONGEST_LINE,
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _CheckedResolver(AbstractResolver):
    """Gives out addresses that may be called; connections are made to those alone."""

    def __init__(self, allowances: Allowances) -> None:
        self._allowances = allowances

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM
        )
        self._allowances.check(host, [str(entry[4][0]) for entry in found])
        return [
            ResolveResult(
                hostname=host,
                host=str(entry[4][0]),
                port=port,
                family=entry[0],
                proto=entry[2],
                flags=socket.AI_NUMERICHOST,
            )
            for entry in found
        ]

    async def close(self) -> None:
        """Nothing is kept open."""


async def _read(
    answer: aiohttp.ClientResponse, most_bytes: int, wanted: Wanted
) -> Fetched:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if not wanted(answer.status, headers):
        await _drain(answer)
        return Fetched(answer.status, headers)
    # What is too large by its own word is not begun.
    told = answer.content_length or 0
    chunks: list[bytes] = []
    left = most_bytes - told
    if left >= 0:
        left = most_bytes
        async for chunk in answer.content.iter_any():
            left -= len(chunk)
            if left < 0:
                break
            chunks.append(chunk)
    if left < 0:
        answer.close()
        raise FetchError(f"the answer has more than {most_bytes} bytes")
    return Fetched(answer.status, headers, b"".join(chunks))


async def _drain(answer: aiohttp.ClientResponse) -> None:
    if (answer.content_length or 0) > _DRAINED_BYTES:
        answer.close()
        return
    read = 0
    async for chunk in answer.content.iter_any():
        read += len(chunk)
        if read > _DRAINED_BYTES:
            answer.close()
            return


def _failure(error: Exception) -> FetchError:
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return FetchError("the name does not resolve", retryable=True)
    if isinstance(error, aiohttp.ClientSSLError):
        return FetchError(f"TLS failed: {error}"[:200])
    if isinstance(error, aiohttp.ClientConnectorError):
        told = "the connection was refused or failed"
        return FetchError(told, retryable=True)
    if isinstance(error, aiohttp.InvalidURL | ValueError | aiohttp.ClientPayloadError):
        return FetchError(f"the answer makes no sense: {error}"[:200])
    if isinstance(error, aiohttp.ClientResponseError):
        return FetchError(f"the answer makes no sense: {error.message}"[:200])
    return FetchError("the connection broke before an answer came", retryable=True)
