"""A bus within one process: publish, and every handler has had the event."""

from __future__ import annotations

import asyncio
from asyncio import (
    CancelledError,
    Task,
    current_task,
    get_running_loop,
)
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from enum import Enum
from inspect import isawaitable
from itertools import islice
from operator import length_hint
from sys import getrefcount
from types import CoroutineType
from typing import Any, ClassVar, Final, Self, cast

from eventyard.core.event import Event
from eventyard.events._log import report
from eventyard.events._repeats import Repeats
from eventyard.events._steps import StandIn, becomes_task, enter, leave

#: A handler may be a function or a coroutine function.
Handler = Callable[[Event], Awaitable[None] | None]
Filter = Callable[[Event], object]
MOST_HISTORY: Final = 1_000
_MOST_AT_ONCE: Final = 100
#: A handler left something behind: the next one begins anew.
_UNTIDY: Final = object()


@dataclass(frozen=True, slots=True, eq=False)
class Subscriber:
    """A handler and the events that it is for."""

    id: str
    event_type: str
    handler: Handler
    passes: Filter | None
    name: str


class EventBus:
    """
    Hands events to handlers, all of them at once, whatever one of them does.

    Errors of handlers and of filters are counted and logged, never raised to whoever
    publishes. The last thousand events are remembered. There is one in a process, and
    `EventBus()` is that one; `EventBus.separate()` is another.
    """

    _only: ClassVar[EventBus | None] = None

    _subscribers: dict[str, tuple[Subscriber, ...]]
    _numbers: dict[str, int]
    _history: deque[Event]
    _repeats: Repeats
    _most_at_once: int
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
        bus._subscribers, bus._numbers = {}, {}
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
        """Have a handler called for each event of a type; returns what ends that."""
        kind = _type_of(event_type)
        number = self._numbers[kind] = self._numbers.get(kind, -1) + 1
        named = name or getattr(handler, "__qualname__", None) or repr(handler)
        one = Subscriber(f"{kind}:{number}", kind, handler, filter_fn, named)
        self._subscribers[kind] = (*self._subscribers.get(kind, ()), one)
        return one.id

    def unsubscribe(self, subscription_id: str) -> bool:
        """End a subscription; tell whether there was one."""
        kind = subscription_id.rpartition(":")[0]
        before = self._subscribers.get(kind, ())
        after = tuple(one for one in before if one.id != subscription_id)
        if len(after) == len(before):
            return False
        self._subscribers[kind] = after
        if not after:
            del self._subscribers[kind]
        return True

    async def publish(self, event: Event) -> None:
        """Hand an event to everybody whom it is for; returns when all had it."""
        if self._repeats.enabled and self._repeats.is_one(event):
            return
        self._history.append(event)
        self._published += 1
        wanted = self._subscribers.get(event.type)
        if wanted is not None and len(wanted) == 1:
            task = self._begin_alone(event, wanted[0])
            if task is not None:
                await self._go_on(event, iter(()), {task})
        elif wanted is not None:
            left = iter(wanted)
            waiting = self._begin(event, left, self._most_at_once)
            if waiting:
                await self._go_on(event, left, {*waiting})

    def _begin(
        self, event: Event, left: Iterator[Subscriber], most: int
    ) -> list[Task[None]]:
        """Call handlers until all are called or so many wait; return what waits."""
        loop = get_running_loop()
        publisher = current_task(loop)
        waiting: list[Task[None]] = []
        if publisher is not None:
            leave(loop, publisher)
        try:
            while len(waiting) < most:
                # Handlers see what the publisher's context variables say, and change
                # nothing of it.
                context, stand_in = copy_context(), StandIn()
                handling = self._handle(event, left, stand_in)
                enter(loop, stand_in)
                try:
                    first = context.run(handling.send, None)
                except StopIteration as ended:
                    if ended.value is None:
                        break
                else:
                    task = becomes_task(handling, first, loop, stand_in, context)
                    waiting.append(task)
                finally:
                    leave(loop, stand_in)
        except BaseException:
            self._leave({*waiting})
            raise
        finally:
            if publisher is not None:
                enter(loop, publisher)
        return waiting

    def _begin_alone(self, event: Event, one: Subscriber) -> Task[None] | None:
        """Do as `_begin` does for one handler alone, and nothing that others need."""
        publisher = current_task()
        loop = get_running_loop() if publisher is None else publisher.get_loop()
        stand_in = StandIn()
        handling = self._handle_alone(event, one)
        if publisher is not None:
            leave(loop, publisher)
        enter(loop, stand_in)
        try:
            context = copy_context()
            first = context.run(handling.send, None)
        except StopIteration:
            return None
        else:
            return becomes_task(handling, first, loop, stand_in, context)
        finally:
            leave(loop, stand_in)
            if publisher is not None:
                enter(loop, publisher)

    async def _handle_alone(self, event: Event, one: Subscriber) -> None:
        try:
            if one.passes is not None and not one.passes(event):
                return
            handled = one.handler(event)
            if handled is not None:
                await (handled if type(handled) is CoroutineType else _any(handled))
        except (Exception, CancelledError) as error:  # noqa: BLE001 - told, not raised
            self._failed(event, error)
        else:
            self._delivered += 1

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
            "active_subscribers": sum(map(len, self._subscribers.values())),
            "history_size": len(self._history),
        }

    def clear_history(self) -> None:
        """Forget the events."""
        self._history.clear()

    def reset(self) -> None:
        """Forget everything: subscribers, events, counts, and what was configured."""
        # Numbers go on: an id of before must not end a subscription of after.
        self._subscribers.clear()
        self._history.clear()
        self._repeats = Repeats()
        self._most_at_once = _MOST_AT_ONCE
        self._published = self._delivered = self._errors = 0

    def configure(
        self,
        max_concurrent_handlers: int | None = None,
        dedup_window: float | None = None,
        dedup_enabled: bool | None = None,  # noqa: FBT001 - as callers know it
    ) -> None:
        """
        Set how many handlers of one event may wait at once, and whether repeats of an
        event, within so many seconds, are dropped.
        """
        if max_concurrent_handlers is not None:
            self._most_at_once = max(max_concurrent_handlers, 1)
        if dedup_window is not None:
            self._repeats.window_s = max(dedup_window, 0.0)
        if dedup_enabled is not None:
            self._repeats.enabled = dedup_enabled


def _type_of(event_type: str | Enum) -> str:
    return str(event_type.value if isinstance(event_type, Enum) else event_type)


async def _any(handled: Any) -> None:
    """Await what a handler returned, where it can be awaited."""
    if isawaitable(handled):
        await handled


#: The bus of this process.
event_bus: Final = EventBus()
