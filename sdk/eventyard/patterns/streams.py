"""Event streams: the history of one thing, in versions from 1."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.patterns.handling import Handler, Registration, marked, name_of
from eventyard.transports.base import Wish

if TYPE_CHECKING:
    from eventyard.patterns.kernel import Kernel

_PAGE: Final = 500
F = TypeVar("F", bound=Handler)


class EventStream:
    """
    A stream; whoever appends may say which version they know.

    `append` raises ConflictError where somebody else appended meanwhile: read, decide
    again, append again.
    """

    def __init__(self, client: Kernel, stream_id: str) -> None:
        self.id = stream_id
        self._client = client

    async def append(
        self,
        type: str | Event,  # noqa: A002 - the field's own name
        data: Any = None,
        expected_version: int | None = None,
        **fields: Any,
    ) -> int:
        """Append an event and publish it; return the stream's version."""
        event = self._client.event(type, data, **fields)
        return await self.append_all([event], expected_version)

    async def append_all(
        self, events: Iterable[Event], expected_version: int | None = None
    ) -> int:
        """Append several events, all or none; return the stream's version."""
        await self._client.connect()
        whole = [self._client.event(event) for event in events]
        for event in whole:
            dumps(event.payload)
        sealed = self._client.sealed_for(self.id, whole)
        return await self._client.transport.append(self.id, sealed, expected_version)

    async def read(
        self, from_version: int = 0, to_version: int | None = None
    ) -> list[Event]:
        """Return the events of these versions, both ends included, oldest first."""
        return [event async for event in self.events(from_version, to_version)]

    async def events(
        self, from_version: int = 0, to_version: int | None = None
    ) -> AsyncIterator[Event]:
        """Yield events page by page, oldest first."""
        await self._client.connect()
        following = max(from_version, 1)
        while to_version is None or following <= to_version:
            page = await self._client.transport.read(
                self.id, following, to_version, _PAGE
            )
            for event in self._client.opened(page):
                yield event
            if len(page) < _PAGE:
                return
            following += len(page)

    async def version(self) -> int:
        """Return its version; 0: nothing was appended yet."""
        await self._client.connect()
        known, missing = 0, 1
        while await self._has(missing):
            known, missing = missing, missing * 2
        while missing - known > 1:
            middle = (known + missing) // 2
            if await self._has(middle):
                known = middle
            else:
                missing = middle
        return known

    async def _has(self, version: int) -> bool:
        return bool(await self._client.transport.read(self.id, version, version, 1))

    def on_append(self, handler: F) -> F:
        """Have a handler called for what is appended from now on."""
        wish = Wish(("**",), {"stream_id": self.id})
        registration = Registration(wish, handler, name_of(handler))
        marked(handler, registration)
        self._client.register(registration)
        return handler
