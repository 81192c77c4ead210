"""A bus within one process: publish, and every handler has had the event."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, CancelledError, Task, get_running_loop
from collections import deque
from collections.abc import Iterator
from contextvars import copy_context
from enum import Enum
from functools import partial
from inspect import isawaitable
from itertools import islice
from operator import length_hint
from sys import getrefcount
from threading import get_ident
from types import CoroutineType
from typing import Any, ClassVar, Final, Self, cast

from eventyard.core.causes import handled as being_handled
from eventyard.core.event import Event
from eventyard.events._chains import LONGEST_CHAIN, lengthen
from eventyard.events._expecting import Expectation
from eventyard.events._log import report
from eventyard.events._repeats import Repeats
from eventyard.events._steps import (
    Last,
    Rest,
    StandIn,
    become,
    becomes_task,
    current,
    nobody,
)
from eventyard.events._subscribers import Filter, Handler, Subscriber, Subscribers

MOST_HISTORY: Final = 1_000
_MOST_AT_ONCE: Final = 100
#: A handler left something behind: the next one begins anew.
_UNTIDY: Final = object()
#: A handler that was alone has ended.
_HANDLED: Final = object()


class EventBus:
    """
    Hands events to handlers, all of them at once, whatever one of them does.

    Errors of handlers and of filters are counted and logged, never raised to whoever
    publishes. The last thousand events are remembered. There is one in a process, and
    `EventBus()` is that one; `EventBus.separate()` is another.
    """

    _only: ClassVar[EventBus | None] = None

    _subscribers: Subscribers
    _numbers: dict[str, int]
    _history: deque[Event]
    _repeats: Repeats
    _most_at_once: int
    _longest_chain: int
    #: The loop of the last event, where it tells which thread it runs in.
    _loop: Any = None
    #: What goes on though its publisher was cancelled.
    _left: set[Task[None]]

    def __new__(cls) -> Self:
        """Return the bus of this process; a class of one's own has its own."""
        only = cls.__dict__.get("_only")
        if only is None:
            only = cls._only = cls.separate()
        return cast("Self", only)

    @classmethod
    def separate(cls) -> Self:
        """Return a bus that nobody else has."""
        bus = super().__new__(cls)
        bus._numbers = {}
        bus._history = deque(maxlen=MOST_HISTORY)
        bus._left = set()
        bus.reset()
        return bus

    def subscribe(
        self,
        event_type: str | Enum,
        handler: Handler,
        filter_fn: Filter | None = None,
        name: str | None = None,
    ) -> str:
        """
        Have a handler called for each event of a type; returns what ends that.

        The type may be a pattern, such as `task.*` or `**`.

        Raises:
            SubscriptionError: the pattern is none.
        """
        kind = _type_of(event_type)
        number = self._numbers.get(kind, -1) + 1
        named = name or getattr(handler, "__qualname__", None) or repr(handler)
        one = Subscriber(f"{kind}:{number}", kind, handler, filter_fn, named)
        self._subscribers.add(one)
        self._numbers[kind] = number
        return one.id

    def unsubscribe(self, subscription_id: str) -> bool:
        """End a subscription; tell whether there was one."""
        return self._subscribers.remove(subscription_id)

    def expect(
        self,
        event_type: str | Enum,
        where: Filter | None = None,
        *,
        timeout: float | None = 30.0,
        **fields: Any,
    ) -> Expectation:
        """
        Await the next event of a type (or pattern) that passes, from this call on.

        So what leads to it may be published between the call and its `await`.

        Args:
            event_type: A type or a pattern of types.
            where: Tells of an event whether it is the one.
            timeout: Seconds to wait from this call on; None: for ever.
            **fields: What the event's fields and attributes must equal.

        Raises:
            TimeoutError: there was none in time (raised where it is awaited).
        """

        def passes(event: Event) -> bool:
            return event.matches_filter(**fields) and (
                where is None or bool(where(event))
            )

        return Expectation(self, _type_of(event_type), passes, timeout)

    async def publish(self, event: Event) -> None:
        """
        Hand an event to everybody whom it is for; returns when all had it.

        What a handler publishes has the event that it handles as its cause, unless it
        names another one.

        Raises:
            LoopError: too many events led to one another; see `configure`.
        """
        if self._repeats.enabled and self._repeats.is_one(event):
            return
        cause = being_handled.get()
        if cause is not None:
            lengthen(event, cause, self._longest_chain)
        self._history.append(event)
        self._published += 1
        wanted = self._subscribers.known.get(event.type)
        if wanted is None:
            wanted = self._subscribers.find(event.type)
        if len(wanted) == 1:
            task = self._begin_alone(event, wanted[0])
            if task is not None:
                await self._go_on(event, iter(()), {task})
        elif wanted:
            left = iter(wanted)
            waiting = self._begin(event, left, self._most_at_once)
            if waiting:
                await self._go_on(event, left, {*waiting})

    def _begin(
        self, event: Event, left: Iterator[Subscriber], most: int
    ) -> list[Task[None]]:
        """Call handlers until all are called or so many wait; return what waits."""
        loop = self._running_loop()
        publisher = current(loop)
        waiting: list[Task[None]] = []
        try:
            while len(waiting) < most:
                # Handlers see what the publisher's context variables say, and change
                # nothing of it.
                context, stand_in = copy_context(), StandIn()
                context.run(being_handled.set, event)
                handling = self._handle(event, left, stand_in)
                become(loop, stand_in)
                try:
                    first = context.run(handling.send, None)
                except StopIteration as ended:
                    if ended.value is None:
                        break
                else:
                    rest = Rest(handling, first, loop, stand_in)
                    waiting.append(becomes_task(rest, context))
        except BaseException:
            self._leave({*waiting})
            raise
        finally:
            if publisher is None:
                nobody(loop)
            else:
                become(loop, publisher)
        return waiting

    def _begin_alone(self, event: Event, one: Subscriber) -> Task[None] | None:
        """Do as `_begin` does for one handler alone, and nothing that others need."""
        loop = self._loop
        if loop is None or loop._thread_id != get_ident():  # noqa: SLF001
            loop = self._running_loop()
        publisher = current(loop)
        stand_in, context = StandIn(), copy_context()
        become(loop, stand_in)
        try:
            begun = context.run(_first_step, event, one)
        except (Exception, CancelledError) as error:  # noqa: BLE001 - told, not raised
            self._failed(event, error)
        else:
            if begun is _HANDLED:
                self._delivered += 1
            elif begun is not None:
                ended = partial(self._ended, event)
                return becomes_task(Last(ended, *begun, loop, stand_in), context)
        finally:
            if publisher is None:
                nobody(loop)
            else:
                become(loop, publisher)
        return None

    def _running_loop(self) -> AbstractEventLoop:
        """Return the loop that runs; asking for it may cost a system call."""
        loop = get_running_loop()
        self._loop = loop if hasattr(loop, "_thread_id") else None
        return loop

    def _ended(self, event: Event, error: BaseException | None) -> None:
        if error is None:
            self._delivered += 1
        else:
            self._failed(event, error)

    async def _handle(
        self, event: Event, left: Iterator[Subscriber], stand_in: StandIn
    ) -> object:
        """
        Await handlers, one after the other; None: all were called.

        The first that waits is the last; so is one that leaves something to the next
        that is not for it: a context variable, or its current task.
        """
        # Where there is no next one, nothing can be left to it.
        several = length_hint(left) > 1
        tidy, untouched = copy_context() if several else None, getrefcount(stand_in)
        for one in left:
            try:
                if one.passes is not None and not one.passes(event):
                    continue
                handled = one.handler(event)
                if handled is not None:
                    await (handled if type(handled) is CoroutineType else _any(handled))
            except (Exception, CancelledError) as error:  # noqa: BLE001 - not the others'
                self._failed(event, error)
            else:
                self._delivered += 1
            if stand_in.real is not None:
                # It had to wait: whoever is next was called meanwhile.
                return None
            if several and (
                stand_in.asked
                or getrefcount(stand_in) != untouched
                or copy_context() != tidy
            ):
                return _UNTIDY
        return None

    async def _go_on(
        self, event: Event, left: Iterator[Subscriber], tasks: set[Task[None]]
    ) -> None:
        """Wait for handlers, and begin those for which there was no room."""
        while tasks:
            full = len(tasks) >= self._most_at_once
            when = asyncio.FIRST_COMPLETED if full else asyncio.ALL_COMPLETED
            try:
                ended, tasks = await asyncio.wait(tasks, return_when=when)
            except CancelledError:
                # Whoever published is gone; the event is everybody's all the same.
                self._leave({asyncio.create_task(self._go_on(event, left, tasks))})
                raise
            for task in ended:
                task.result()
            if full:
                room = self._most_at_once - len(tasks)
                tasks |= {*self._begin(event, left, room)}

    def _leave(self, tasks: set[Task[None]]) -> None:
        """Let tasks end that nobody waits for any more."""
        self._left |= tasks
        for task in tasks:
            task.add_done_callback(self._left.discard)

    def _failed(self, event: Event, error: BaseException) -> None:
        self._errors += 1
        report(event, error)

    def get_history(
        self, event_type: str | Enum | None = None, limit: int = 100, **filters: Any
    ) -> list[Event]:
        """Return events, the newest first: of a type, and with these fields."""
        kind = None if event_type is None else _type_of(event_type)
        found = (
            event
            for event in reversed(self._history)
            if (kind is None or event.type == kind) and event.matches_filter(**filters)
        )
        return list(islice(found, max(limit, 0)))

    def get_stats(self) -> dict[str, int]:
        """Return what was published and handed out, and how much is remembered."""
        return {
            "events_published": self._published,
            "events_delivered": self._delivered,
            "handler_errors": self._errors,
            "events_deduplicated": self._repeats.count,
            "active_subscribers": len(self._subscribers),
            "history_size": len(self._history),
        }

    def clear_history(self) -> None:
        """Forget the events."""
        self._history.clear()

    def reset(self) -> None:
        """Forget everything: subscribers, events, counts, and what was configured."""
        # Numbers go on: an id of before must not end a subscription of after.
        self._subscribers = Subscribers()
        self._history.clear()
        self._repeats = Repeats()
        self._most_at_once = _MOST_AT_ONCE
        self._longest_chain = LONGEST_CHAIN
        self._published = self._delivered = self._errors = 0

    def configure(
        self,
        max_concurrent_handlers: int | None = None,
        dedup_window: float | None = None,
        dedup_enabled: bool | None = None,  # noqa: FBT001 - as callers know it
        max_chain: int | None = None,
    ) -> None:
        """
        Set how many handlers of one event may wait at once; whether repeats of an event,
        within so many seconds, are dropped; how many events may lead to one another.
        """
        if max_concurrent_handlers is not None:
            self._most_at_once = max(max_concurrent_handlers, 1)
        if dedup_window is not None:
            self._repeats.window_s = max(dedup_window, 0.0)
        if dedup_enabled is not None:
            self._repeats.enabled = dedup_enabled
        if max_chain is not None:
            self._longest_chain = max(max_chain, 1)


def _type_of(event_type: str | Enum) -> str:
    return str(event_type.value if isinstance(event_type, Enum) else event_type)


def _first_step(event: Event, one: Subscriber) -> Any:
    """
    Call a handler, up to where it first waits.

    Returns None for an event that its filter holds back, `_HANDLED` when it has ended,
    else the coroutine and what that waits for.
    """
    being_handled.set(event)
    if one.passes is not None and not one.passes(event):
        return None
    handling: Any = one.handler(event)
    if handling is None:
        return _HANDLED
    if type(handling) is not CoroutineType:
        handling = _any(handling)
    try:
        return handling, handling.send(None)
    except StopIteration:
        return _HANDLED


async def _any(handled: Any) -> None:
    """Await what a handler returned, where it can be awaited."""
    if isawaitable(handled):
        await handled


#: The bus of this process.
event_bus: Final = EventBus()
