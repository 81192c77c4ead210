"""Handlers and the events that they are for, and what is known while one runs."""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from re import Pattern
from typing import Any, Final, Protocol, TypeVar

from eventyard.core.causes import handled
from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.core.filters import Predicate
from eventyard.transports.base import Feed, Wish

#: Where the decorators of a function leave what they know of it.
MARK: Final = "__eventyard__"
#: The id of the dead letter that an event is tried again from, and whose handler's.
RETRY_OF: Final = "retry-of"
RETRY_FOR: Final = "retry-for"
_REMEMBERED: Final = 10_000

F = TypeVar("F", bound=Callable[..., Any])
Handler = Callable[..., Awaitable[Any] | Any]
#: Calls a handler with an event, where that is not simply done.
Caller = Callable[[Handler, Event], Awaitable[None]]
#: Hears of a delivery whose handler failed for good.
Failed = Callable[[Exception, Event], Awaitable[None]]
#: What an event is made readable by: decrypted, for one.
Opener = Callable[[Event], Event]


class CircuitOpenError(EventRouterError):
    """A circuit is open: what it protects has failed too often lately."""

    code = "circuit_open"
    retryable = True

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1) -> None:
        super().__init__(message)
        #: When another try makes sense.
        self.retry_after_s = retry_after_s


class NotHandledError(EventRouterError):
    """The subscription ended before the event was handled."""

    code = "not_handled"
    retryable = True


class Closing(Protocol):
    """What handles events, and may be about to end."""

    @property
    def closing(self) -> asyncio.Event:
        """Set once nothing more is begun."""


_DESK: ContextVar[Closing | None] = ContextVar("desk", default=None)


def handled_event() -> Event | None:
    """Return the event that is being handled, where one is."""
    return handled.get()


def handling_desk() -> Closing | None:
    """Return what handles the event that is being handled."""
    return _DESK.get()


class handling:  # noqa: N801 - it reads as a statement
    """Let what is published within know what led to it."""

    __slots__ = ("_desk", "_event", "_tokens")

    def __init__(self, event: Event, desk: Closing | None = None) -> None:
        self._event = event
        self._desk = desk
        self._tokens: tuple[Token[Event | None], Token[Closing | None]] | None = None

    def __enter__(self) -> None:
        """Begin."""
        desk = self._desk if self._desk is not None else _DESK.get()
        self._tokens = handled.set(self._event), _DESK.set(desk)

    def __exit__(self, *_: object) -> None:
        """Forget it."""
        if self._tokens is not None:
            handled.reset(self._tokens[0])
            _DESK.reset(self._tokens[1])


async def paused(seconds: float) -> bool:
    """Wait; False, and at once, when the subscription of the handler ends meanwhile."""
    desk = _DESK.get()
    if desk is None:
        await asyncio.sleep(seconds)
        return True
    try:
        async with asyncio.timeout(seconds):
            await desk.closing.wait()
    except TimeoutError:
        return True
    return False


@dataclass(slots=True, eq=False)
class Seen:
    """Which of the last ten thousand events were here already."""

    _events: OrderedDict[tuple[str | None, str, str | None], None] = field(
        default_factory=OrderedDict
    )

    def is_new(self, event: Event) -> bool:
        """Tell whether an event is here for the first time; it is known then."""
        key = event.source, event.id, event.headers.get(RETRY_OF)
        if key in self._events:
            return False
        self._events[key] = None
        if len(self._events) > _REMEMBERED:
            self._events.popitem(last=False)
        return True


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
    #: How its handler is called, where it is not simply given the event.
    caller: Caller | None = None
    feed: Feed | None = None
    #: Registrations of one function share it: each event is handled once.
    seen: Seen = field(default_factory=Seen)
    #: The place of the last delivery, where another connection goes on.
    reached: str | None = None
    #: Hears that no more comes, though it was not unsubscribed.
    ended: Callable[[], None] | None = None
    #: Hears that another connection follows: what is not handled yet is not waited for.
    let_go: Callable[[], None] | None = None

    async def call(self, event: Event) -> None:
        """Have an event handled; raises what the handler raises."""
        if self.caller is not None:
            await self.caller(self.handler, event)
        else:
            await called(self.handler, event)


async def called(function: Handler, *arguments: Any, **named: Any) -> Any:
    """Call a function, or a coroutine function, and return what it does."""
    told = function(*arguments, **named)
    return await told if inspect.isawaitable(told) else told


def marks(function: Any) -> list[Registration]:
    """Return the registrations of a function, which wrappers of it share."""
    found: list[Registration] | None = getattr(function, MARK, None)
    if found is None:
        found = []
        try:
            setattr(function, MARK, found)
        except AttributeError:
            # Methods and built-in functions hold no attributes: nothing wraps them.
            return found
    return found


def marked(function: Any, registration: Registration) -> None:
    """Note a registration at its function, for decorators above, and for sagas."""
    others = marks(function)
    if others:
        registration.seen = others[0].seen
    others.append(registration)


def carried_over(wrapper: Handler, function: Handler) -> Handler:
    """Let a wrapper be called in the place of a function that is registered already."""
    found: list[Registration] = getattr(function, MARK, [])
    for one in found:
        one.handler = wrapper
    return wrapper


def name_of(function: Any) -> str:
    """Return what a handler is called in messages, and in dead letters."""
    return str(getattr(function, "__qualname__", None) or repr(function))
