"""Publishing on a bus from code that does not await, wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from eventyard.core.event import Event
from eventyard.events.bus import EventBus

#: A loop holds its tasks weakly: whoever began them holds them until they end.
_TASKS: Final[set[asyncio.Task[None]]] = set()


def publish(bus: EventBus, events: Iterable[Event]) -> None:
    """
    Publish events in their order.

    Within a running loop they are published soon after; without one they were
    published, and handled, when this returns.
    """
    told = list(events)
    if not told:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # A loop of our own, so that the caller's, if there is one, stays current.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(_publish_all(bus, told))
        return
    task = loop.create_task(_publish(bus, told))
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


async def _publish(bus: EventBus, events: Iterable[Event]) -> None:
    for event in events:
        await bus.publish(event)


async def _publish_all(bus: EventBus, events: Iterable[Event]) -> None:
    """Publish, and wait for what handlers publish in their turn: the loop ends then."""
    await _publish(bus, events)
    loop = asyncio.get_running_loop()
    while mine := [task for task in _TASKS if task.get_loop() is loop]:
        await asyncio.wait(mine)
