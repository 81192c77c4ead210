"""What `client.subscribe` returns: to be awaited, entered, or iterated."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Final, Self

from eventyard.core.event import Event
from eventyard.patterns.handling import NotHandledError, Registration

#: So many events wait for whoever iterates; then the router waits.
MOST_WAITING: Final = 1_000

Start = Callable[[Registration], Awaitable[None]]


class Subscription:
    """
    Events of some topics, for a handler or to be iterated.

    `await client.subscribe(...)` starts it and returns it; `async with` ends it too. A
    durable one that is iterated counts an event as handled when the next is asked for.
    """

    def __init__(
        self, registration: Registration, start: Start, stop: Start, *, iterated: bool
    ) -> None:
        self._registration = registration
        self._start = start
        self._stop = stop
        self._waiting: deque[tuple[Event, asyncio.Event | None]] = deque()
        #: What whoever iterates has in hand.
        self._in_hand: asyncio.Event | None = None
        self._changed = asyncio.Event()
        self._active = False
        if iterated:
            registration.handler = self._put
            registration.ended = self._end

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
            try:
                await self._start(self._registration)
            except BaseException:
                self._active = False
                raise
        return self

    async def unsubscribe(self) -> None:
        """End it; whoever iterates comes to an end behind what waits."""
        if self._active:
            self._settle()
            self._end()
            await self._stop(self._registration)

    def _end(self) -> None:
        self._active = False
        self._change()

    def _change(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _put(self, event: Event) -> None:
        """Take an event for whoever iterates; wait while too many wait already."""
        while self._active and len(self._waiting) >= MOST_WAITING:
            await self._changed.wait()
        if not self._active:
            raise NotHandledError
        settled = asyncio.Event() if self._registration.durable is not None else None
        self._waiting.append((event, settled))
        self._change()
        while settled is not None and not settled.is_set():
            if not self._active:
                raise NotHandledError
            await self._changed.wait()

    def _settle(self) -> None:
        """Note that what is in hand was handled."""
        if self._in_hand is not None:
            self._in_hand.set()
            self._in_hand = None
            self._change()

    def __await__(self) -> Generator[Any, None, Self]:
        """Begin."""
        return self.start().__await__()

    async def __aenter__(self) -> Self:
        """Begin."""
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it; what a block that failed had in hand is not handled."""
        if kind is not None:
            self._in_hand = None
        await self.unsubscribe()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events as they come, until it is ended."""
        await self.start()
        while (event := await self.next()) is not None:
            yield event

    async def next(self, timeout_s: float | None = None) -> Event | None:
        """Return the next event; None after the time, or when it was ended."""
        self._settle()
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting and self._active:
                    await self._changed.wait()
        except TimeoutError:
            return None
        if not self._waiting:
            return None
        event, self._in_hand = self._waiting.popleft()
        self._change()
        return event


async def one_by_one(subscription: Subscription) -> AsyncIterator[Event]:
    """Yield events, and end the subscription with the loop."""
    async with subscription:
        async for event in subscription:
            yield event
