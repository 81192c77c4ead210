"""Subscriptions on live connections, of which each outlives many."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, ValidationError
from eventyard.core.event import Event
from eventyard.transports._ending import ended
from eventyard.transports._polling import Progress
from eventyard.transports._subscribers import Said
from eventyard.transports.base import Delivery, Feed, Sink, Wish

_LOGGER: Final = logging.getLogger("eventyard.transports")
#: So many events wait for a handler; beyond that they are read again from the log.
MOST_WAITING: Final = 2_000
_PAUSE_S: Final = 1.0


class Live(Protocol):
    """What a subscription needs of its transport."""

    client_id: str

    async def enter(self, feed: LiveFeed) -> Said:
        """Subscribe on a connection that stands; return the platform's answer."""
        ...

    async def leave(self, feed: LiveFeed) -> None:
        """Unsubscribe, where it is subscribed."""
        ...

    def missed(self, wish: Wish, place: str) -> AsyncIterator[tuple[list[Event], str]]:
        """Yield pages of what is in the log behind a place, and where each ends."""
        ...

    async def completed(self, event: Event) -> Event:
        """Return an event with its payload."""
        ...


class LiveFeed(Feed):
    """
    Delivers in one task, which alone knows how far it is.

    A connection that breaks takes with it what waits here, and the next one is asked
    for what comes behind the last delivery. Where too much waits, the rest stays in
    the log, and is asked for likewise.
    """

    def __init__(self, live: Live, wish: Wish, sink: Sink) -> None:
        self.id = f"feed_{ulid.new_ulid()}"
        self.wish = wish
        #: The highest that was handed on.
        self.cursor = None if wish.cursor is None else _live_cursor(wish.cursor)
        self._live = live
        self._sink = sink
        self._waiting: deque[Said] = deque()
        self._wake = asyncio.Event()
        self._is_stale = True
        self._overran = False
        #: Where live events begin, while what came before is still to be read.
        self._begins: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Subscribe; what is published from here on is delivered."""
        await self._enter()
        self._task = asyncio.create_task(self._run())

    def put(self, told: Said) -> None:
        """Take an event that came, unless too many wait."""
        if self._overran or len(self._waiting) >= MOST_WAITING:
            self._overran = True
        else:
            self._waiting.append(told)
        self._wake.set()

    def overrun(self) -> None:
        """Note that events were left in the log."""
        self._overran = True
        self._wake.set()

    def lose(self) -> None:
        """Note that the connection broke: what waits comes again with the next."""
        self._waiting.clear()
        self._overran = False
        self._is_stale = True
        self._wake.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._step()
        except EventRouterError as error:
            _LOGGER.error("%s ended: %s", self.id, error)  # noqa: TRY400
        except Exception:
            _LOGGER.exception("%s ended", self.id)

    async def _step(self) -> None:
        if self._begins is not None:
            await self._patiently(self._read_missed)
        elif self._is_stale:
            await self._patiently(self._enter)
        elif self._waiting:
            await self._deliver(self._waiting.popleft())
        elif self._overran:
            await self._live.leave(self)
            self.lose()
        else:
            self._wake.clear()
            await self._wake.wait()

    async def _patiently(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except EventRouterError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(_PAUSE_S)

    async def _enter(self) -> None:
        # Set before, so that a connection that breaks meanwhile is not overlooked.
        self._is_stale = False
        try:
            told = await self._live.enter(self)
        except EventRouterError:
            self._is_stale = True
            raise
        if self.cursor is None:
            self.cursor = self.begins = str(told["cursor"])
        elif told.get("recovered") is False:
            self._begins = str(told["cursor"])

    async def _read_missed(self) -> None:
        """Deliver from the log what was too much to be sent; live events wait."""
        behind = self.cursor or ""
        place = Progress.behind(behind).id or ""
        async for events, end in self._live.missed(self.wish, place):
            for event in events:
                await self._hand_on(event, behind)
            behind = self.cursor = max(behind, end)
        self.cursor = max(behind, self._begins or "")
        self._begins = None

    async def _deliver(self, told: Said) -> None:
        try:
            cursor, event = str(told["cursor"]), Event.from_dict(told["event"])
        except (LookupError, ValidationError) as error:
            # It comes no better a second time, and must not hold up all others.
            _LOGGER.error("an event cannot be read: %r", error)  # noqa: TRY400
            return
        self.cursor = max(self.cursor or "", cursor)
        await self._hand_on(event, cursor)

    async def _hand_on(self, event: Event, cursor: str) -> None:
        # The platform looks at targets of what is live, not of what is read.
        if event.target in (None, self._live.client_id):
            whole = await self._live.completed(event)
            await self._sink(Delivery(whole, cursor))

    async def close(self) -> None:
        """End it."""
        task, self._task = self._task, None
        await ended(task)
        await self._live.leave(self)


def _live_cursor(cursor: str) -> str:
    """Return a cursor that the live channel reads; one of HTTP begins with its place."""
    Progress.behind(cursor)
    return cursor.partition(".")[0]
