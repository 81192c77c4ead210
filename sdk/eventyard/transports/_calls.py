"""Calls to a platform: one session, so many at a time, every failure as an error."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import (
    ConnectionError,  # noqa: A004 - its name there
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
)
from eventyard.core.jsontext import dumps, loads
from eventyard.settings import Settings
from eventyard.transports import _wire
from eventyard.transports._backoff import Backoff
from eventyard.transports._credentials import Credentials
from eventyard.transports._faults import fault_of, too_slow, unreachable

if TYPE_CHECKING:
    import aiohttp

_CONNECT_S: Final = 10.0
_CONFIG: Final = "/api/v1/config"
#: What is moved elsewhere is not followed: credentials are for one platform.
_FIRST_FAILURE: Final = 300
_UNKNOWN: Final = 401
#: What may be made again without harm is tried so often.
_TRIES: Final = 3
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Question:
    """One call: what is asked, and how long its answer may take."""

    method: str
    path: str
    body: Any = None
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] | None = None
    #: Besides what every call has.
    longer_s: float = 0.0


class Calls:
    """Asks a platform; made for one loop, and closed with it."""

    def __init__(self, settings: Settings, base: str | None = None) -> None:
        self.settings = settings
        self.credentials = Credentials(settings.auth)
        #: Where the platform begins, without a slash at the end.
        self.base = next(_wire.bases(settings.url)) if base is None else base
        self.config: Mapping[str, Any] = {}
        self.version = _wire.HIGHEST
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(settings.pool_size)

    async def open(self) -> None:
        """Find the platform, and agree on a version with it."""
        if self._session is not None:
            return
        self._session = self._new_session()
        try:
            await self._find()
        except BaseException:
            await self.close()
            raise

    def _new_session(self) -> aiohttp.ClientSession:
        import aiohttp

        connector = aiohttp.TCPConnector(
            # Feeds hold connections of their own; calls wait for their turn.
            limit=0,
            ssl=self.credentials.ssl(),
        )
        return aiohttp.ClientSession(connector=connector)

    async def _find(self) -> None:
        missing: EventRouterError | None = None
        for base in _wire.bases(self.settings.url):
            self.base = base
            try:
                told = await self.ask(Question("GET", _CONFIG))
            except (NotFoundError, InvalidRequestError) as error:
                missing = missing or error
                continue
            if isinstance(told, Mapping) and "live_url" in told:
                self.config, self.version = told, _wire.agreed(told)
                return
        raise ConnectionError(
            f"There is no platform at {self.settings.url}: {_CONFIG} answers otherwise. "
            "Give its address as `url`, or in EVENTYARD_URL.",
            details={"address": self.settings.url},
        ) from missing

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Return the session; raises ConnectionError when it is closed."""
        if self._session is None:
            raise ConnectionError("The client is not connected: await connect() first.")
        return self._session

    async def ask(self, question: Question) -> Any:
        """Make a call once, in its turn; return the JSON of its answer."""
        async with self._turn():
            return loads(await self.read(question))

    async def ask_whatever(self, question: Question) -> dict[str, Any]:
        """Make a call whose failure is an answer as well, where it is an object."""
        async with self._turn():
            status, body, _ = await self._exchange(
                question, await self.credentials.headers()
            )
        try:
            told = loads(body)
        except InvalidRequestError:
            told = None
        if isinstance(told, dict) and "error" not in told:
            return told
        raise fault_of(status, body)

    async def ask_again(self, question: Question) -> Any:
        """Make a call that may be made again, where that helps."""
        backoff = Backoff(self.settings.reconnect)
        for _ in range(_TRIES - 1):
            try:
                return await self.ask(question)
            except EventRouterError as error:
                if not error.retryable or not await backoff.wait():
                    raise
        return await self.ask(question)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.settings.pool_timeout):
                await self._turns.acquire()
        except builtins.TimeoutError:
            raise UnavailableError(
                f"{self.settings.pool_size} calls are on their way already, and none "
                f"ended within {self.settings.pool_timeout:g} s. A larger pool_size "
                "lets more go at a time."
            ) from None
        try:
            yield
        finally:
            self._turns.release()

    async def read(self, question: Question) -> bytes:
        """Make a call beside all turns; return the bytes of its answer."""
        credentials = await self.credentials.headers()
        try:
            return await self._read_patiently(question, credentials)
        except EventRouterError as error:
            refused = error.details.get("status") == _UNKNOWN
            if not refused or not self.credentials.renew(credentials):
                raise
        return await self._read_patiently(question, await self.credentials.headers())

    async def _read_patiently(
        self, question: Question, credentials: Mapping[str, str]
    ) -> bytes:
        """Make a call; once more when the platform says when."""
        try:
            return await self._read(question, credentials)
        except UnavailableError as error:
            wait_s = error.details.get("retry_after_s")
            if wait_s is None or wait_s > self.settings.pool_timeout:
                raise
        await asyncio.sleep(wait_s)
        return await self._read(question, credentials)

    async def _read(self, question: Question, credentials: Mapping[str, str]) -> bytes:
        status, body, after = await self._exchange(question, credentials)
        if status >= _FIRST_FAILURE:
            raise fault_of(status, body, _seconds(after))
        return body

    async def _exchange(
        self, question: Question, credentials: Mapping[str, str]
    ) -> tuple[int, bytes, str | None]:
        """Make a call; return its status, its body, and when to come again."""
        import aiohttp

        seconds = self.settings.pool_timeout + question.longer_s
        try:
            async with self.session.request(
                question.method,
                self.base + question.path,
                data=None if question.body is None else dumps(question.body).encode(),
                params=question.query,
                headers={**self._headers(credentials), **(question.headers or {})},
                timeout=aiohttp.ClientTimeout(seconds, sock_connect=_CONNECT_S),
                allow_redirects=False,
            ) as answer:
                after = answer.headers.get("Retry-After")
                return answer.status, await answer.read(), after
        except builtins.TimeoutError:
            raise too_slow(self.base, seconds) from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(self.base, error) from error

    def _headers(self, credentials: Mapping[str, str]) -> dict[str, str]:
        return {
            "Content-Type": _JSON,
            _wire.HEADER: str(self.version),
            **credentials,
        }


def _seconds(text: str | None) -> float | None:
    """Read `Retry-After`; a date is left alone: clocks differ."""
    return float(text) if text is not None and text.isdecimal() else None
