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
#: Told whether an event was handled.
Settled = asyncio.Future[bool]


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
        self._waiting: deque[tuple[Event, Settled | None]] = deque()
        #: What whoever iterates has in hand, the oldest first.
        self._in_hand: deque[tuple[Event, Settled]] = deque()
        self._unsettled: set[Settled] = set()
        self._at_once = 1
        self._changed = asyncio.Event()
        self._active = False
        if iterated:
            registration.handler = self._put
            registration.ended = self._end
            registration.let_go = self._let_go

    def holding(self, at_once: int) -> Self:
        """Have so many events in hand, of whoever gathers several before they are done."""
        self._at_once = at_once
        if self.is_durable:
            concurrency = self._registration.concurrency
            self._registration.concurrency = max(concurrency, at_once)
        return self

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
    def is_durable(self) -> bool:
        """Tell whether the router keeps how far it has come."""
        return self._registration.durable is not None

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
            self.settle()
            self._end()
            await self._stop(self._registration)

    def _end(self) -> None:
        self._active = False
        self._let_go()
        self._change()

    def _let_go(self) -> None:
        for settled in self._unsettled:
            _tell(settled, handled=False)

    def _change(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _put(self, event: Event) -> None:
        """Take an event for whoever iterates; wait while too many wait already."""
        while self._active and self._is_full:
            await self._changed.wait()
        if not self._active:
            raise NotHandledError
        settled = self._unsettled_one()
        self._waiting.append((event, settled))
        self._change()
        if settled is not None and not await settled:
            raise NotHandledError

    @property
    def _is_full(self) -> bool:
        # Of a durable one no more are on their way than may be in hand.
        return not self.is_durable and len(self._waiting) >= MOST_WAITING

    def _unsettled_one(self) -> Settled | None:
        """Return what is told whether an event was handled, where that matters."""
        if not self.is_durable:
            return None
        settled: Settled = asyncio.get_running_loop().create_future()
        self._unsettled.add(settled)
        settled.add_done_callback(self._unsettled.discard)
        return settled

    def settle(self, is_done: Callable[[Event], bool] | None = None) -> None:
        """Note that what is in hand was handled, or what of it is done."""
        kept = deque[tuple[Event, Settled]]()
        for event, settled in self._in_hand:
            if is_done is None or is_done(event):
                _tell(settled, handled=True)
            else:
                kept.append((event, settled))
        self._in_hand = kept

    def __await__(self) -> Generator[Any, None, Self]:
        """Begin."""
        return self.start().__await__()

    async def __aenter__(self) -> Self:
        """Begin."""
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it; what a block that failed had in hand is not handled."""
        if kind is not None:
            self._in_hand.clear()
        await self.unsubscribe()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events as they come, until it is ended."""
        await self.start()
        while (event := await self.next()) is not None:
            yield event

    async def next(self, timeout_s: float | None = None) -> Event | None:
        """Return the next event; None after the time, or when it was ended."""
        self.settle()
        return await self.take(timeout_s)

    async def take(self, timeout_s: float | None = None) -> Event | None:
        """Return the next event as `next` does, beside what is in hand."""
        while len(self._in_hand) >= self._at_once:
            # Nothing more would come: the oldest are not waited for.
            _tell(self._in_hand.popleft()[1], handled=True)
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting and self._active:
                    await self._changed.wait()
        except TimeoutError:
            return None
        if not self._waiting:
            return None
        event, settled = self._waiting.popleft()
        if settled is not None:
            self._in_hand.append((event, settled))
        self._change()
        return event


def _tell(settled: Settled, *, handled: bool) -> None:
    if not settled.done():
        settled.set_result(handled)


async def one_by_one(subscription: Subscription) -> AsyncIterator[Event]:
    """Yield events, and end the subscription with the loop."""
    async with subscription:
        async for event in subscription:
            yield event
