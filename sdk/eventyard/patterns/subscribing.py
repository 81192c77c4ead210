"""The subscriptions of a client: they open with its connection, and end with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.patterns.desk import Desk
from eventyard.patterns.handling import Opener, Registration, called
from eventyard.patterns.positions import Position
from eventyard.transports.base import Feed, Transport, Wish

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
    _errors: list[EventRouterError] = field(default_factory=list)
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
        if not self._connected or registration not in self.registered:
            return
        try:
            await self.open(registration)
        except EventRouterError as error:
            # Nobody may ever ask, so it is said here as well.
            _LOGGER.exception("%s is not subscribed", registration.name)
            self.forget(registration)
            self._errors.append(error)

    def forget(self, registration: Registration) -> None:
        """Take back what was registered, and not opened yet."""
        if registration in self.registered:
            self.registered.remove(registration)

    async def connected(self) -> None:
        """Open everything that was registered; raises SubscriptionError."""
        self._connected = True
        opening = [self.open(one) for one in self.registered]
        for told in await asyncio.gather(*opening, return_exceptions=True):
            if isinstance(told, BaseException):
                raise told

    async def settled(self) -> None:
        """Wait until what was registered since is open; raises what it came to."""
        while self._opening:
            await asyncio.wait([*self._opening])
        if self._errors:
            error = self._errors[0]
            self._errors.clear()
            raise error

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
            feed = await self.transport.subscribe(wish, desk.take)
            registration.feed = feed
            await self._keep_start(registration, wish, feed)
        except BaseException:
            del self._desks[registration]
            raise

    async def _keep_start(
        self, registration: Registration, wish: Wish, feed: Feed
    ) -> None:
        """Let a durable subscription that is new miss nothing from here on."""
        name = registration.durable
        if name is not None and wish.cursor is None and feed.begins is not None:
            await self.transport.keep_position(name, feed.begins)

    async def _wish(self, registration: Registration, desk: Desk) -> Wish:
        wish, name = registration.wish, registration.durable
        cursor = registration.reached or wish.cursor
        if name is not None:
            desk.position = Position(lambda at: self.transport.keep_position(name, at))
            cursor = await self.transport.position(name) or cursor
        return replace(wish, cursor=cursor)

    async def close(self, registration: Registration) -> None:
        """End a subscription; what is being handled ends first."""
        self.forget(registration)
        registration.reached = None
        desk = self._desks.pop(registration, None)
        if desk is not None:
            desk.stop()
            await desk.idle()
        await _end_feed(registration)
        if desk is not None:
            await desk.close()

    async def disconnected(self, patience_s: float, *, resuming: bool = False) -> None:
        """
        End all, and keep what was registered for the next connection.

        When that comes at once (`resuming`) it goes on behind the last delivery; else
        whoever iterates comes to an end.
        """
        self._connected = False
        desks = {one: self._desks.pop(one) for one in [*self._desks]}
        for registration, desk in desks.items():
            desk.stop()
            if not resuming:
                self._end(registration)
            elif registration.let_go is not None:
                registration.let_go()
        await _patiently_idle([*desks.values()], patience_s)
        # In this task: a feed spares its own, where a handler is who closes.
        for registration in desks:
            await _end_feed(registration)
        await asyncio.gather(*(desk.close() for desk in desks.values()))

    def abandoned(self) -> None:
        """Know of no connection any more: its event loop ended without being asked."""
        self._connected = False
        for registration in self._desks:
            registration.feed = None
        self._desks.clear()
        self._opening.clear()

    def _end(self, registration: Registration) -> None:
        registration.reached = None
        if registration.ended is not None:
            self.forget(registration)
            registration.ended()

    async def failed(self, error: Exception, event: Event) -> None:
        """Tell everybody who asked for it that a handler failed for good."""
        if not self.error_handlers:
            _LOGGER.error("a handler failed with %r: %r", event, error, exc_info=error)
        for handler in self.error_handlers:
            try:
                await called(handler, error, event)
            except Exception:
                _LOGGER.exception("an error handler failed with %r", event)


async def _patiently_idle(desks: list[Desk], patience_s: float) -> None:
    """Wait until nothing is being handled; what takes longer is cut off."""
    try:
        async with asyncio.timeout(patience_s):
            await asyncio.gather(*(desk.idle() for desk in desks))
    except TimeoutError:
        for desk in desks:
            desk.cut_off()


async def _end_feed(registration: Registration) -> None:
    feed, registration.feed = registration.feed, None
    if feed is not None:
        try:
            await feed.close()
        except EventRouterError:
            # The connection is gone, and the subscription with it.
            _LOGGER.debug("%s ended with its connection", registration.name)
