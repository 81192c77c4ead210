"""A bus within one process: publish, and every handler has had the event."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from types import CoroutineType
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.events._log import report
from eventyard.events._repeats import Repeats
from eventyard.events._steps import StandIn, enter, leave, rest_of

#: A handler may be a function or a coroutine function.
Handler = Callable[[Event], Awaitable[None] | None]
Filter = Callable[[Event], object]
MOST_HISTORY: Final = 1_000
_MOST_AT_ONCE: Final = 100


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
    publishes. The last thousand events are remembered.
    """

    def __init__(self) -> None:
        self._subscribers: dict[str, tuple[Subscriber, ...]] = {}
        self._numbers: dict[str, int] = {}
        self._history: deque[Event] = deque(maxlen=MOST_HISTORY)
        self._repeats = Repeats()
        self._most_at_once = _MOST_AT_ONCE
        self._published = self._delivered = self._errors = 0
        #: What goes on though its publisher was cancelled.
        self._left: set[Task[Any]] = set()

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
        if wanted is not None:
            # Handlers see what the publisher's context variables say, and change
            # nothing of it.
            context = copy_context()
            left = iter(wanted)
            waiting = context.run(self._begin, event, left, context)
            if waiting:
                await self._go_on(event, left, context, waiting)

    def _begin(
        self, event: Event, left: Iterator[Subscriber], context: Context
    ) -> list[Task[Any]]:
        """Call handlers until all are called or too many wait; return what waits."""
        loop = asyncio.get_running_loop()
        publisher = asyncio.current_task(loop)
        waiting: list[Task[Any]] = []
        stand_in = StandIn()
        if publisher is not None:
            leave(loop, publisher)
        enter(loop, stand_in)
        try:
            for one in left:
                try:
                    if one.passes is not None and not one.passes(event):
                        continue
                    self._delivered += 1
                    handled = one.handler(event)
                    if handled is None:
                        continue
                    if type(handled) is not CoroutineType:
                        handled = _awaited(handled)
                    waits_for = handled.send(None)
                except StopIteration:
                    continue
                except Exception as error:  # noqa: BLE001 - one bad handler, not all
                    self._failed(event, error)
                    continue
                task = loop.create_task(rest_of(handled, waits_for), context=context)
                waiting.append(task)
                # What it has begun with belongs to its task; the next has another.
                stand_in.adopt(task)
                leave(loop, stand_in)
                stand_in = StandIn()
                enter(loop, stand_in)
                if len(waiting) >= self._most_at_once:
                    break
        finally:
            leave(loop, stand_in)
            if publisher is not None:
                enter(loop, publisher)
        return waiting

    async def _go_on(
        self,
        event: Event,
        left: Iterator[Subscriber],
        context: Context,
        waiting: list[Task[Any]],
    ) -> None:
        """Wait for handlers, and begin those for which there was no room."""
        tasks = {*waiting}
        while tasks:
            full = len(tasks) >= self._most_at_once
            when = asyncio.FIRST_COMPLETED if full else asyncio.ALL_COMPLETED
            try:
                ended, tasks = await asyncio.wait(tasks, return_when=when)
            except asyncio.CancelledError:
                self._leave(tasks)
                raise
            for task in ended:
                self._settle(task)
            if full:
                tasks |= {*context.run(self._begin, event, left, context)}

    def _leave(self, tasks: set[Task[Any]]) -> None:
        """Let handlers end whose publisher is gone."""
        self._left |= tasks
        for task in tasks:
            task.add_done_callback(self._settle)
            task.add_done_callback(self._left.discard)

    def _settle(self, task: Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None or task.cancelled():
            self._failed(None, error)

    def _failed(self, event: Event | None, error: BaseException | None) -> None:
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
            if (kind is None or event.type == kind) and _fits(event, filters)
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
        """Set how many handlers may wait at once, and whether repeats are dropped."""
        if max_concurrent_handlers is not None:
            self._most_at_once = max(max_concurrent_handlers, 1)
        if dedup_window is not None:
            self._repeats.window_s = max(dedup_window, 0.0)
        if dedup_enabled is not None:
            self._repeats.enabled = dedup_enabled


def _type_of(event_type: str | Enum) -> str:
    return str(event_type.value if isinstance(event_type, Enum) else event_type)


async def _awaited(handled: Awaitable[Any]) -> Any:
    return await handled


def _fits(event: Event, filters: dict[str, Any]) -> bool:
    return all(getattr(event, name, None) == value for name, value in filters.items())


#: The bus of this process.
event_bus: Final = EventBus()
