"""The subscriptions of a client: they open with its connection, and end with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from eventyard.core.event import Event
from eventyard.patterns.handling import Desk, Opener, Registration, called
from eventyard.patterns.positions import Position
from eventyard.transports.base import Transport, Wish

_LOGGER: Final = logging.getLogger("eventyard.client")
ErrorHandler = Callable[[Exception, Event], Awaitable[object] | object]


@dataclass(slots=True, eq=False)
class Subscribing:
    """Opens what was registered, at once where there is a connection."""

    transport: Transport
    open_event: Opener
    registered: list[Registration] = field(default_factory=list)
    error_handlers: list[ErrorHandler] = field(default_factory=list)
    _desks: dict[Registration, Desk] = field(default_factory=dict)
    _opening: set[asyncio.Task[None]] = field(default_factory=set)
    _connected: bool = False

    def register(self, registration: Registration) -> None:
        """Note a handler; its events come once there is a connection."""
        self.registered.append(registration)
        if self._connected:
            task = asyncio.get_running_loop().create_task(
                self._open_later(registration)
            )
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open_later(self, registration: Registration) -> None:
        if registration in self.registered:
            await self.open(registration)

    def forget(self, registration: Registration) -> None:
        """Take back what was registered, and not opened yet."""
        if registration in self.registered:
            self.registered.remove(registration)

    async def connected(self) -> None:
        """Open everything that was registered."""
        self._connected = True
        await asyncio.gather(*map(self.open, self.registered))

    async def settled(self) -> None:
        """Wait until what was registered since is open; raises what it came to."""
        while self._opening:
            await asyncio.gather(*self._opening)

    async def open(self, registration: Registration) -> None:
        """Subscribe; raises SubscriptionError."""
        if registration in self._desks:
            return
        desk = Desk(registration, self.open_event, self.failed)
        self._desks[registration] = desk
        if registration not in self.registered:
            self.registered.append(registration)
        try:
            wish = await self._wish(registration, desk)
            registration.feed = await self.transport.subscribe(wish, desk.take)
        except BaseException:
            del self._desks[registration]
            raise

    async def _wish(self, registration: Registration, desk: Desk) -> Wish:
        wish, name = registration.wish, registration.durable
        if name is None:
            return wish

        async def keep(cursor: str) -> None:
            await self.transport.keep_position(name, cursor)

        desk.position = Position(keep)
        cursor = await self.transport.position(name)
        return Wish(wish.topics, wish.filter, cursor or wish.cursor)

    async def close(self, registration: Registration) -> None:
        """End a subscription; what is being handled ends first."""
        self.forget(registration)
        desk = self._desks.pop(registration, None)
        if registration.feed is not None:
            await registration.feed.close()
            registration.feed = None
        if desk is not None:
            await desk.close()

    async def disconnected(self, patience_s: float) -> None:
        """End all, and keep what was registered for the next connection."""
        self._connected = False
        for registration in [*self._desks]:
            if registration.feed is not None:
                await registration.feed.close()
                registration.feed = None
        desks = [self._desks.pop(one) for one in [*self._desks]]
        if desks:
            closing = [asyncio.create_task(desk.close()) for desk in desks]
            _, slow = await asyncio.wait(closing, timeout=patience_s)
            for task in slow:
                task.cancel()

    async def failed(self, error: Exception, event: Event) -> None:
        """Tell everybody who asked for it that a handler failed for good."""
        if not self.error_handlers:
            _LOGGER.error("a handler failed with %r: %r", event, error, exc_info=error)
        for handler in self.error_handlers:
            try:
                await called(handler, error, event)
            except Exception:
                _LOGGER.exception("an error handler failed with %r", event)
