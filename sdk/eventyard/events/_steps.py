"""
Running handlers without a task each: most end without ever waiting for anything.

A coroutine is driven by hand up to where it first waits; only then it becomes a task.
While it is driven it must not take the task of whoever publishes for its own: time-outs
and task groups cancel the task that they were begun in. So a stand-in is the current
task meanwhile, which hands such calls on to the task that the coroutine may become.
"""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Coroutine, Generator
from typing import Any

#: What the event loop itself calls around each step of a task.
enter: Any = asyncio.tasks._enter_task
leave: Any = asyncio.tasks._leave_task


class StandIn:
    """The current task of a coroutine that has none yet."""

    __slots__ = ("_asked", "real")

    def __init__(self) -> None:
        #: The task that the coroutine became, once it had to wait.
        self.real: Task[Any] | None = None
        self._asked = 0

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task, or the one that there will be."""
        self._asked += 1
        return True if self.real is None else self.real.cancel(msg)

    def cancelling(self) -> int:
        """Return how often that was asked for."""
        return self._asked if self.real is None else self.real.cancelling()

    def uncancel(self) -> int:
        """Take one of these back."""
        self._asked = max(self._asked - 1, 0)
        return self._asked if self.real is None else self.real.uncancel()

    def adopt(self, task: Task[Any]) -> None:
        """Become the stand-in of a task."""
        self.real = task
        for _ in range(self._asked):
            task.cancel()

    def __getattr__(self, name: str) -> Any:
        """Be, in all else, the task that there is by now."""
        if self.real is None:
            raise AttributeError(f"a handler has no task yet that would have {name}")
        return getattr(self.real, name)


class Rest:
    """What is left of a coroutine that has begun to wait; awaited by its task."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        """Yield what was yielded already, then delegate."""
        waits_for = self._waits_for
        if waits_for is not None:
            # A future notes that somebody waits for it when it is yielded, and the
            # loop takes the note away; here it is yielded once more.
            waits_for._asyncio_future_blocking = True
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - it is the coroutine's
                act, told = self._coroutine.throw, error
            else:
                act, told = self._coroutine.send, sent
            try:
                waits_for = act(told)
            except StopIteration as stop:
                return stop.value


async def rest_of(coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> Any:
    """Go on with a coroutine that has begun to wait."""
    return await Rest(coroutine, waits_for)
