"""Handlers and the events that they are for: each event once, in the order wanted."""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from re import Pattern
from typing import Any, Final

from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.core.filters import Predicate
from eventyard.patterns.positions import Position
from eventyard.transports.base import Delivery, Feed, Wish

#: Where the decorators of a function leave what they know of it.
MARK: Final = "__eventyard__"
_REMEMBERED: Final = 10_000

Handler = Callable[..., Awaitable[Any] | Any]
#: Hears of a delivery whose handler failed for good.
Failed = Callable[[Exception, Event], Awaitable[None]]
#: What an event is made readable by: decrypted, for one.
Opener = Callable[[Event], Event]

_HANDLED: ContextVar[Event | None] = ContextVar("handled", default=None)


class CircuitOpenError(EventRouterError):
    """A circuit is open: what it protects has failed too often lately."""

    code = "circuit_open"
    retryable = True

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1) -> None:
        super().__init__(message)
        #: When another try makes sense.
        self.retry_after_s = retry_after_s


def handled_event() -> Event | None:
    """Return the event that is being handled, where one is."""
    return _HANDLED.get()


@dataclass(slots=True, eq=False)
class Registration:
    """
    A handler, and which events it is to have.

    With a `concurrency` above 1 events are handled side by side; those for which
    `order_by` returns the same stay in order.
    """

    wish: Wish
    handler: Handler
    name: str
    #: Events whose type does not match whole are not for it.
    pattern: Pattern[str] | None = None
    #: What the router could not look at.
    passes: Predicate | None = None
    concurrency: int = 1
    order_by: Callable[[Event], object] | None = None
    #: Where it has come to is kept under this name.
    durable: str | None = None
    feed: Feed | None = None


@dataclass(slots=True, eq=False)
class Desk:
    """Has the deliveries of one registration handled."""

    registration: Registration
    open_event: Opener
    failed: Failed
    position: Position | None = None
    handled: int = 0
    _seen: OrderedDict[tuple[str | None, str], None] = field(
        default_factory=OrderedDict
    )
    _busy: set[asyncio.Task[None]] = field(default_factory=set)
    _tails: dict[object, asyncio.Task[None]] = field(default_factory=dict)

    async def take(self, delivery: Delivery) -> None:
        """Handle a delivery, or see that it is; returns when there is room for more."""
        event = delivery.event
        if not self._is_new(event) or not self._is_wanted(event):
            if self.position is not None:
                self.position.skip(delivery.cursor)
            return
        if self.position is not None:
            self.position.begin(delivery.cursor)
        if self.registration.concurrency == 1:
            await self._handle(delivery)
        else:
            await self._handle_beside(delivery)

    def _is_new(self, event: Event) -> bool:
        key = (event.source, event.id)
        if key in self._seen and "retry-of" not in event.headers:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _is_wanted(self, event: Event) -> bool:
        pattern, passes = self.registration.pattern, self.registration.passes
        if pattern is not None and pattern.fullmatch(event.type) is None:
            return False
        return passes is None or passes(self.open_event(event).view())

    async def _handle_beside(self, delivery: Delivery) -> None:
        while len(self._busy) >= self.registration.concurrency:
            await asyncio.wait(self._busy, return_when=asyncio.FIRST_COMPLETED)
        order_by = self.registration.order_by
        key = None if order_by is None else order_by(delivery.event)
        before = None if order_by is None else self._tails.get(key)
        task = asyncio.create_task(self._handle_behind(before, delivery))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        if order_by is not None:
            self._tails[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))

    async def _handle_behind(
        self, before: asyncio.Task[None] | None, delivery: Delivery
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        await self._handle(delivery)

    def _forget(self, key: object, task: asyncio.Task[None]) -> None:
        if self._tails.get(key) is task:
            del self._tails[key]

    async def _handle(self, delivery: Delivery) -> None:
        try:
            event = self.open_event(delivery.event)
            await self._call(event)
            self.handled += 1
        except Exception as error:  # noqa: BLE001 - told; the next event is handled
            await self.failed(error, delivery.event)
        if self.position is not None:
            await self.position.done(delivery.cursor)

    async def _call(self, event: Event) -> None:
        """Call the handler; while its circuit is open, the event waits."""
        while True:
            try:
                with handling(event):
                    await called(self.registration.handler, event)
            except CircuitOpenError as error:
                await asyncio.sleep(error.retry_after_s)
            else:
                return

    async def idle(self) -> None:
        """Wait until nothing is being handled."""
        while self._busy:
            await asyncio.wait([*self._busy])

    async def close(self) -> None:
        """Let what is being handled end, and keep the position."""
        await self.idle()
        if self.position is not None:
            await self.position.close()


@contextmanager
def handling(event: Event) -> Iterator[None]:
    """Let what is published within know what led to it."""
    token = _HANDLED.set(event)
    try:
        yield
    finally:
        _HANDLED.reset(token)


async def called(function: Handler, *arguments: Any) -> Any:
    """Call a function, or a coroutine function, and return what it does."""
    told = function(*arguments)
    return await told if inspect.isawaitable(told) else told


def marks(function: Any) -> list[Registration]:
    """Return the registrations of a function, which wrappers of it share."""
    found: list[Registration] | None = getattr(function, MARK, None)
    if found is None:
        found = []
        setattr(function, MARK, found)
    return found


def carried_over(wrapper: Handler, function: Handler) -> Handler:
    """Let a wrapper be called in the place of a function that is registered already."""
    found: list[Registration] = getattr(function, MARK, [])
    for one in found:
        one.handler = wrapper
    return wrapper


Options = Mapping[str, Any]
