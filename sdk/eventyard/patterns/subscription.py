"""What `client.subscribe` returns: to be awaited, entered, or iterated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Final, Self

from eventyard.core.event import Event
from eventyard.patterns.handling import Registration

#: So many events wait for whoever iterates; then the router waits.
MOST_WAITING: Final = 1_000

Start = Callable[[Registration], Awaitable[None]]


class Subscription:
    """
    Events of some topics, for a handler or to be iterated.

    `await client.subscribe(...)` starts it and returns it; `async with` ends it too.
    """

    def __init__(
        self, registration: Registration, start: Start, stop: Start, *, iterated: bool
    ) -> None:
        self._registration = registration
        self._start = start
        self._stop = stop
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(MOST_WAITING)
        self._active = False
        if iterated:
            registration.handler = self._queue.put

    @property
    def id(self) -> str:
        """Return what the router calls it; empty before it is started."""
        feed = self._registration.feed
        return feed.id if feed is not None else ""

    @property
    def topics(self) -> tuple[str, ...]:
        """Return its patterns."""
        return self._registration.wish.topics

    @property
    def is_active(self) -> bool:
        """Tell whether events come."""
        return self._active

    async def start(self) -> Self:
        """Begin; again it changes nothing. Raises SubscriptionError."""
        if not self._active:
            self._active = True
            await self._start(self._registration)
        return self

    async def unsubscribe(self) -> None:
        """End it; whoever iterates comes to an end."""
        if self._active:
            self._active = False
            await self._stop(self._registration)
            if not self._queue.full():
                self._queue.put_nowait(None)

    def __await__(self) -> Generator[Any, None, Self]:
        """Begin."""
        return self.start().__await__()

    async def __aenter__(self) -> Self:
        """Begin."""
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        await self.unsubscribe()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events as they come, until it is ended."""
        await self.start()
        while self._active or not self._queue.empty():
            event = await self._queue.get()
            if event is None:
                return
            yield event

    async def next(self, timeout_s: float | None = None) -> Event | None:
        """Return the next event; None after the time, or when it was ended."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None


async def one_by_one(subscription: Subscription) -> AsyncIterator[Event]:
    """Yield events, and end the subscription with the loop."""
    async with subscription:
        async for event in subscription:
            yield event
