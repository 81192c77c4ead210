"""The jobs of a platform, for services of a program that submits and watches them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from eventyard.core.errors import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name the errors' module gives it
    EventRouterError,
    PermissionDeniedError,
)
from eventyard.jobs.base import BaseService, not_found

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S: Final = 30.0
_OK: Final = 200
_CURSOR: Final = "Eventyard-Cursor"
_TOLD: Final = (200, 202, 400, 404, 409)
_REFUSED: Final[Mapping[int, type[EventRouterError]]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
}


class PlatformQueue:
    """
    What a service submits to when a platform does its jobs.

    Give it to a service in the place of a `TaskQueue`: `ScraperService(task_queue=
    PlatformQueue())`. The platform must know a service of that name.

    Args:
        url: The platform's address; `EVENTYARD_URL`, or this machine.
        api_key: A key or a token; `EVENTYARD_API_KEY`.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        address = url or os.environ.get("EVENTYARD_URL") or "http://localhost:5555"
        self.url = address.rstrip("/")
        self._key = api_key or os.environ.get("EVENTYARD_API_KEY") or ""
        self._session: aiohttp.ClientSession | None = None

    async def submit(
        self,
        service: BaseService,
        job_data: Mapping[str, Any],
        *,
        priority: int,
        requires: tuple[str, ...],
    ) -> dict[str, Any]:
        """Submit a job; return what the platform tells of it."""
        del requires  # the platform's own service of this name says
        told = await self._ask(
            "POST",
            f"{_family(service.service_name)}/submit",
            {**job_data, "priority": priority},
        )
        return told or {}

    async def status(self, service_name: str, job_id: str) -> dict[str, Any] | None:
        """Return how a job does, or None."""
        told = await self._ask("GET", _job(service_name, job_id))
        return None if told is None or told.get("status") == "not_found" else told

    async def listed(
        self, service_name: str, status: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return the jobs of a service, the newest first."""
        query = f"?limit={int(limit)}" + (f"&status={quote(status)}" if status else "")
        told = await self._ask("GET", f"{_family(service_name)}/jobs{query}")
        return list((told or {}).get("jobs", ()))

    async def cancel(self, service_name: str, job_id: str) -> dict[str, Any]:
        """Cancel a job; return what the platform tells of it."""
        told = await self._ask("DELETE", _job(service_name, job_id))
        return told or {"success": False, **not_found(job_id)}

    async def stats(self, service_name: str) -> dict[str, Any]:
        """Return the counts of a service."""
        return await self._ask("GET", f"{_family(service_name)}/stats") or {}

    async def results(self, service_name: str, job_id: str) -> dict[str, Any] | None:
        """Return a job with the rows that it kept, or None."""
        told = await self._ask("GET", f"{_job(service_name, job_id)}/results")
        return None if told is None or told.get("status") == "not_found" else told

    async def rows(self, service_name: str, job_id: str) -> list[dict[str, Any]]:
        """Return the rows that a job kept, page by page, by their keys."""
        found: list[dict[str, Any]] = []
        address = f"{_job(service_name, job_id)}/results?format=jsonl"
        cursor: str | None = ""
        while cursor is not None:
            more = f"&cursor={quote(cursor, safe='')}" if cursor else ""
            rows, cursor = await self._lines(address + more)
            found += rows
        return sorted(found, key=lambda row: str(row["key"]))

    async def record(self, service_name: str, *, success: bool) -> None:
        """Do nothing: the platform counts what it does."""

    async def close(self) -> None:
        """Let go of the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the connection."""
        await self.close()

    async def _ask(
        self, method: str, path: str, body: Any = None
    ) -> dict[str, Any] | None:
        async with self._asked(method, path, body) as answer:
            return await self._read(answer)

    async def _lines(self, path: str) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of JSON Lines, and where it goes on."""
        async with self._asked("GET", path) as answer:
            if answer.status != _OK:
                await self._read(answer)
                return [], None
            # Other ends of lines may stand within a text.
            lines = filter(None, (await answer.text()).split("\n"))
            return list(map(json.loads, lines)), answer.headers.get(_CURSOR)

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, body: Any = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        url = f"{self.url}/{path}"
        try:
            async with self._open().request(method, url, json=body) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionError(
                f"{self.url} does not answer: {type(error).__name__}. Does it run?"
            ) from error

    async def _read(self, answer: aiohttp.ClientResponse) -> dict[str, Any] | None:
        told = await answer.json() if answer.content_type == "application/json" else {}
        fault = told.get("error")
        # What a service tells of a job has a text there, or nothing.
        if answer.status in _TOLD and not isinstance(fault, Mapping):
            return dict(told)
        fault = fault if isinstance(fault, Mapping) else {}
        message = str(fault.get("message") or f"The platform answered {answer.status}.")
        raise _REFUSED.get(answer.status, EventRouterError)(message)

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            self._session = aiohttp.ClientSession(headers=key, timeout=timeout)
        return self._session


def _family(service_name: str) -> str:
    return f"api/{quote(service_name)}s"


def _job(service_name: str, job_id: str) -> str:
    return f"{_family(service_name)}/jobs/{quote(job_id, safe='')}"
