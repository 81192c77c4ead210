"""Where the deliveries of one registration are handled: each once, in order."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Task
from dataclasses import dataclass, field
from typing import Final

from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.patterns.handling import (
    RETRY_FOR,
    CircuitOpenError,
    Failed,
    NotHandledError,
    Opener,
    Registration,
    handling,
    handling_desk,
    paused,
)
from eventyard.patterns.positions import Position
from eventyard.telemetry.handling import span_for
from eventyard.transports.base import LONGEST_SUBSCRIPTION, Delivery

_LOGGER: Final = logging.getLogger("eventyard.client")


@dataclass(slots=True, eq=False)
class Desk:
    """Has the deliveries of one registration handled; whatever fails, it goes on."""

    registration: Registration
    open_event: Opener
    failed: Failed
    position: Position | None = None
    handled: int = 0
    #: Set once it takes nothing more; who waits within a handler gives up.
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    _running: int = 0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: set[Task[None]] = field(default_factory=set)
    _tails: dict[object, Task[None]] = field(default_factory=dict)

    async def take(self, delivery: Delivery) -> None:
        """Handle a delivery, or see that it is; returns when there is room for more."""
        if self.closing.is_set():
            return
        self.registration.reached = delivery.cursor
        try:
            event = self._wanted(delivery.event)
            order = self._order(event)
        except Exception as error:  # noqa: BLE001 - one bad event must not stop the rest
            await self._tell(error, delivery.event)
            event = None
        if event is None:
            if self.position is not None:
                self.position.skip(delivery.cursor)
            return
        if self.position is not None:
            self.position.begin(delivery.cursor)
        if self.registration.concurrency == 1:
            await self._handle(event, delivery.cursor)
        else:
            await self._handle_beside(event, delivery.cursor, order)

    def _wanted(self, event: Event) -> Event | None:
        """Return an event as it can be read; None: it is not for this handler."""
        one = self.registration
        if one.pattern is not None and one.pattern.fullmatch(event.type) is None:
            return None
        whose = event.headers.get(RETRY_FOR) if event.headers else None
        if whose is not None and not _is_for(whose, one.name):
            return None
        opened = self.open_event(event)
        if one.passes is not None and not one.passes(opened.view()):
            return None
        return opened if one.seen.is_new(event) else None

    def _order(self, event: Event | None) -> object:
        order_by = self.registration.order_by
        if order_by is None or event is None:
            return None
        key = order_by(event)
        hash(key)
        return key

    async def _handle_beside(self, event: Event, cursor: str, order: object) -> None:
        before = self._tails.get(order)
        task = asyncio.create_task(self._handle_behind(before, event, cursor))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        if self.registration.order_by is not None:
            self._tails[order] = task
            task.add_done_callback(lambda done: self._forget(order, done))
        while len(self._busy) >= self.registration.concurrency:
            await asyncio.wait(self._busy, return_when=asyncio.FIRST_COMPLETED)

    async def _handle_behind(
        self, before: Task[None] | None, event: Event, cursor: str
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        await self._handle(event, cursor)

    def _forget(self, order: object, task: Task[None]) -> None:
        if self._tails.get(order) is task:
            del self._tails[order]

    async def _handle(self, event: Event, cursor: str) -> None:
        self._running += 1
        try:
            settled = await self._attempt(event)
        except asyncio.CancelledError:
            _LOGGER.warning("a handler was cut off with %r", event)
            raise
        finally:
            self._running -= 1
            self._ended.set()
        if settled and self.position is not None:
            await self._keep(self.position, event, cursor)

    async def _attempt(self, event: Event) -> bool:
        """Call the handler; False: the event was left for whoever comes next."""
        try:
            with handling(event, self), span_for(event):
                await self._call(event)
        except NotHandledError:
            return False
        except Exception as error:  # noqa: BLE001 - told; the next event is handled
            await self._tell(error, event)
            return not isinstance(error, CircuitOpenError)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something that the handler waited for was cancelled, not the handler.
            await self._tell(EventRouterError("The handler was cancelled."), event)
        self.handled += 1
        return True

    async def _call(self, event: Event) -> None:
        """Call the handler; while its circuit is open, the event waits."""
        while True:
            try:
                await self.registration.call(event)
            except CircuitOpenError as error:
                if not await paused(error.retry_after_s):
                    raise
            else:
                return

    async def _tell(self, error: Exception, event: Event) -> None:
        with handling(event, self):
            await self.failed(error, event)

    async def _keep(self, position: Position, event: Event, cursor: str) -> None:
        try:
            await position.done(cursor)
        except EventRouterError as error:
            await self._tell(error, event)

    def stop(self) -> None:
        """Take nothing more."""
        self.closing.set()

    async def idle(self) -> None:
        """Wait until nothing is being handled, but for whoever asks."""
        if handling_desk() is self:
            return
        while self._running or self._busy:
            self._ended.clear()
            if self._running:
                await self._ended.wait()
            else:
                await asyncio.wait([*self._busy])

    def cut_off(self) -> None:
        """Cancel what is being handled still."""
        for task in [*self._busy]:
            if task is not asyncio.current_task():
                task.cancel()

    async def close(self) -> None:
        """Keep the position."""
        if self.position is not None:
            try:
                await self.position.close()
            except EventRouterError:
                _LOGGER.warning("a position was not kept", exc_info=True)


def _is_for(whose: str, name: str) -> bool:
    """Tell whether `<client id>/<handler>` means a handler; long ones were cut off."""
    handler = whose.rpartition("/")[2]
    return (
        name.startswith(handler)
        if len(whose) >= LONGEST_SUBSCRIPTION
        else name == handler
    )
