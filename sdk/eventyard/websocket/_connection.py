"""One connection: what waits to be sent to it, and how it takes that."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Task
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final

from eventyard.events._steps import Rest, StandIn, become, becomes_task, current, nobody
from eventyard.websocket import _sockets
from eventyard.websocket.wishes import Wanted

#: A message, and the same as text.
Said = tuple[Mapping[str, Any], str]
#: Called with a connection that is to be dropped, and why.
Drop = Callable[["Connection", int, str], None]
_GOING_AWAY: Final = 1001
_BROKEN: Final = 1011
_TOO_SLOW: Final = 1013


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may do before it is dropped; times in seconds."""

    #: So many messages may wait for one that is slow.
    most_waiting: int
    #: So long may it take one message.
    send_timeout: float
    #: So many failures one after the other.
    most_failures: int


class Connection:
    """
    Sends one message at a time, in their order, and never makes others wait.

    What comes while it is busy waits in a queue.
    """

    def __init__(self, websocket: Any, info: dict[str, Any], limits: Limits) -> None:
        self.websocket = websocket
        self.info = info
        self.loop: AbstractEventLoop = asyncio.get_running_loop()
        #: What it asked for, and what it may see.
        self.wanted: Wanted = None
        self.scope: Wanted = None
        self.failures = 0
        self.drop: Drop = _no_matter
        self.on_sent: Callable[[], None] = _nothing
        self._send = _sockets.sender(websocket)
        self._limits = limits
        self._waiting: deque[tuple[Said, asyncio.Future[bool] | None]] = deque()
        self._task: Task[Any] | None = None
        self._ended = False

    def wants(self, message: Mapping[str, Any]) -> bool:
        """Tell whether a message is for it; a filter that fails lets nothing through."""
        try:
            return (self.wanted is None or bool(self.wanted(message))) and (
                self.scope is None or bool(self.scope(message))
            )
        except Exception:  # noqa: BLE001 - others get it all the same
            return False

    def offer(self, said: Said) -> bool | Task[bool]:
        """
        Send a message at once, or have it wait; never blocks.

        Returns whether it was taken, or a task that ends with that.
        """
        if self._ended:
            return False
        if self._task is not None:
            return self._enqueue(said, None)
        return self._begin(said)

    def _begin(self, said: Said) -> bool | Task[bool]:
        """Drive the sending by hand: most sockets take a message without any wait."""
        loop, publisher = self.loop, current(self.loop)
        sending, stand_in, context = self._deliver(said), StandIn(), copy_context()
        become(loop, stand_in)
        try:
            first = context.run(sending.send, None)
        except StopIteration as ended:
            return bool(ended.value)
        else:
            task = becomes_task(Rest(sending, first, loop, stand_in), context)
            self._begun(task)
            return task
        finally:
            if publisher is None:
                nobody(loop)
            else:
                become(loop, publisher)

    def _begun(self, task: Task[bool]) -> None:
        """Be busy until a task ends, which may take so long and no longer."""
        self._task = task
        timer = self.loop.call_later(self._limits.send_timeout, self._too_slow, task)
        task.add_done_callback(lambda _: timer.cancel())
        task.add_done_callback(self._go_on)

    async def _deliver(self, said: Said) -> bool:
        try:
            await self._send(*said)
        except Exception as error:  # noqa: BLE001 - told by what is returned
            self._failed(error)
            return False
        self.failures = 0
        self.info["messages_sent"] += 1
        self.on_sent()
        return True

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if _sockets.is_gone(self.websocket, error):
            self.drop(self, _GOING_AWAY, "gone")
        elif self.failures >= self._limits.most_failures:
            self.drop(self, _BROKEN, "it failed too often")

    def _too_slow(self, task: Task[Any]) -> None:
        if self._task is task:
            self.drop(self, _TOO_SLOW, "too slow")

    def _enqueue(self, said: Said, told: asyncio.Future[bool] | None) -> bool:
        if len(self._waiting) >= self._limits.most_waiting:
            self.drop(self, _TOO_SLOW, "too far behind")
            return False
        self._waiting.append((said, told))
        return True

    def _go_on(self, _: Task[Any]) -> None:
        """Send what waits, until the socket has to be waited for again."""
        self._task = None
        while self._waiting and self._is_free():
            said, told = self._waiting.popleft()
            _tell(told, self._begin(said))

    def _is_free(self) -> bool:
        return self._task is None and not self._ended

    async def send(self, said: Said) -> bool:
        """Send a message behind all that waits; tell whether it was taken."""
        if self._ended:
            return False
        if self._task is None:
            taken = self._begin(said)
            return taken if isinstance(taken, bool) else await _ended(taken)
        told: asyncio.Future[bool] = self.loop.create_future()
        if not self._enqueue(said, told):
            return False
        return await told

    def end(self) -> None:
        """Send nothing more; whoever waits is told that it was not taken."""
        self._ended = True
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        while self._waiting:
            _tell(self._waiting.popleft()[1], taken=False)


async def _ended(task: Task[bool]) -> bool:
    await asyncio.wait([task])
    return _result(task)


def _result(task: Task[bool]) -> bool:
    return not task.cancelled() and task.exception() is None and task.result()


def _tell(told: asyncio.Future[bool] | None, taken: bool | Task[bool]) -> None:  # noqa: FBT001
    if told is None or told.done():
        return
    if isinstance(taken, bool):
        told.set_result(taken)
    else:
        taken.add_done_callback(lambda task: _tell(told, _result(task)))


def _no_matter(_: Connection, __: int, ___: str) -> None:
    """Drop nobody: it belongs to no manager yet."""


def _nothing() -> None:
    """Count nothing: it belongs to no manager yet."""
