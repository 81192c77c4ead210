"""
Running handlers without a task each: most end without ever waiting for anything.

A coroutine is driven by hand up to where it first waits; only then it becomes a task.
While it is driven it must not take the task of whoever publishes for its own: time-outs
and task groups cancel the task that they were begun in. So a stand-in is the current
task, then and ever after, and hands such calls on to the task that there is by then.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import AbstractEventLoop, CancelledError, Task
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

_TASKS: Final[Any] = asyncio.tasks
#: Which task is a loop's current one; to make another one that; and to have none.
current: Any
become: Any
nobody: Any
if sys.version_info >= (3, 12):
    current = asyncio.current_task
    become = _TASKS._swap_current_task  # noqa: SLF001

    def nobody(loop: AbstractEventLoop) -> None:
        """Have no current task."""
        become(loop, None)
else:
    # The loop's own table: asking `current_task` costs a system call in this version.
    _CURRENT = _TASKS._current_tasks  # noqa: SLF001
    current, become, nobody = _CURRENT.get, _CURRENT.__setitem__, _CURRENT.pop

_NOTHING: Final = object()
#: What a task without a past would say.
_YOUNG: Final[dict[str, Any]] = {"_must_cancel": False, "_fut_waiter": None}


class StandIn:
    """The current task of a coroutine, whether it has one or not."""

    # In the class until they change: one is made for each publish.
    #: The task that the coroutine became, once it had to wait.
    real: Task[Any] | None = None
    #: How often it was to be cancelled, before there was a task.
    asked: int = 0

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task, or the one that there will be."""
        if self.real is not None:
            return self.real.cancel(msg)
        self.asked += 1
        return True

    def cancelling(self) -> int:
        """Return how often that was asked for."""
        return self.asked if self.real is None else self.real.cancelling()

    def uncancel(self) -> int:
        """Take one of these back."""
        if self.real is not None:
            return self.real.uncancel()
        self.asked = max(self.asked - 1, 0)
        return self.asked

    def done(self) -> bool:
        """Tell whether it is over."""
        return self.real is not None and self.real.done()

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return self.real is not None and self.real.cancelled()

    def get_name(self) -> str:
        """Return what it is called."""
        return "handler" if self.real is None else self.real.get_name()

    def adopt(self, task: Task[Any]) -> None:
        """Become the stand-in of a task."""
        self.real = task
        for _ in range(self.asked):
            task.cancel()

    def __getattr__(self, name: str) -> Any:
        """Be, in all else, the task that there is by now."""
        if self.real is not None:
            return getattr(self.real, name)
        if name in _YOUNG:
            return _YOUNG[name]
        raise AttributeError(f"a handler has no task yet that would have {name}")


class Rest(Coroutine[Any, Any, Any]):
    """What is left of a coroutine that has begun to wait, for a task to go on with."""

    __slots__ = ("_coroutine", "_waits_for", "loop", "stand_in")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        waits_for: Any,
        loop: AbstractEventLoop,
        stand_in: StandIn,
    ) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for
        self.loop = loop
        self.stand_in = stand_in

    def send(self, value: Any) -> Any:
        """Wait for what it waits for already, then go on."""
        waits_for = self._waits_for
        if waits_for is _NOTHING:
            return self._step(self._coroutine.send, value)
        self._waits_for = _NOTHING
        return waits_for

    def throw(self, error: Any, *more: Any) -> Any:
        """Go on with an error, whatever it waits for."""
        waits_for, self._waits_for = self._waits_for, _NOTHING
        if waits_for is not _NOTHING and waits_for is not None:
            # A future notes that it was yielded until the loop has seen it.
            waits_for._asyncio_future_blocking = False  # noqa: SLF001
        if more:
            return self._step(lambda _: self._coroutine.throw(error, *more), None)
        return self._step(self._coroutine.throw, error)

    def _step(self, act: Callable[[Any], Any], told: Any) -> Any:
        loop, stand_in = self.loop, self.stand_in
        become(loop, stand_in)
        try:
            return act(told)
        finally:
            become(loop, stand_in.real)

    def close(self) -> None:
        """End it where it stands."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        """Refuse: it is for a task."""
        raise TypeError("what is left of a handler is for its task alone")


class Last(Rest):
    """What is left of a handler of its own, which tells how it ended."""

    __slots__ = ("_ended",)

    def __init__(
        self, ended: Callable[[BaseException | None], None], *rest: Any
    ) -> None:
        super().__init__(*rest)
        self._ended = ended

    def _step(self, act: Callable[[Any], Any], told: Any) -> Any:
        try:
            return super()._step(act, told)
        except StopIteration:
            self._ended(None)
            raise
        except (Exception, CancelledError) as error:  # noqa: BLE001 - told, not raised
            self._ended(error)
            raise StopIteration from None


def becomes_task(rest: Rest, context: Any) -> Task[Any]:
    """Return a task that goes on with what is left of a coroutine."""
    loop, stand_in = rest.loop, rest.stand_in
    task = loop.create_task(rest, context=context)
    stand_in.adopt(task)
    return task
