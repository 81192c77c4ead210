"""Events on their way out: gathered into commits, sent again where that may help."""

from __future__ import annotations

import asyncio
import builtins
import random
from asyncio import Future
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, PublishError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.settings import Settings
from eventyard.transports.base import Commit, Published

#: What a commit may have, by far less than what the router takes.
MOST_BYTES: Final = 200_000
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0
_TRIES: Final = 6

Send = Callable[[Commit], Awaitable[list[Published]]]
#: Hears of what could not be sent, and that nobody waits for.
Lost = Callable[[Exception, Event], None]


@dataclass(slots=True, eq=False)
class Letter:
    """An event that is to be sent, and who waits for that."""

    event: Event
    #: Whether its id was chosen by whoever publishes it.
    own_id: bool = False
    #: With a key of its own it is a commit of its own.
    key: str | None = None
    told: Future[Published] | None = None
    _size: int = -1

    @property
    def size(self) -> int:
        """Return how many bytes its payload has, about."""
        if self._size < 0:
            self._size = len(dumps(self.event.payload)) + 300
        return self._size


@dataclass(slots=True)
class Outbox:
    """
    Sends events as commits of up to `batch_size`, `pool_size` of them at a time.

    Who waits for an answer is sent at once, with whatever lies there; what nobody
    waits for is gathered up to `batch_timeout`.
    """

    settings: Settings
    send: Send
    lost: Lost
    dropped: int = 0
    _waiting: deque[Letter] = field(default_factory=deque)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)
    _urgent: int = 0
    _timer: asyncio.TimerHandle | None = None
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, letter: Letter) -> Published:
        """Send an event and wait for its answer; raises PublishError and others."""
        while len(self._waiting) >= self.settings.buffer_size:
            await self._wait_for_room()
        told = letter.told = asyncio.get_running_loop().create_future()
        self._waiting.append(letter)
        self._urgent += 1
        self._start()
        return await told

    async def _wait_for_room(self) -> None:
        self._room.clear()
        try:
            async with asyncio.timeout(self.settings.pool_timeout):
                await self._room.wait()
        except builtins.TimeoutError:
            raise PublishError(
                f"{len(self._waiting)} events wait to be sent already: the router is "
                "slow or away. Publish less, or give it a larger buffer_size.",
                code="buffer_full",
                retryable=True,
            ) from None

    def put_nowait(self, letter: Letter) -> None:
        """Send an event sometime soon; what is lost is told to `lost`."""
        if len(self._waiting) >= self.settings.buffer_size and not self._make_room(
            letter
        ):
            return
        self._waiting.append(letter)
        if len(self._waiting) >= self.settings.batch_size:
            self._start()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.settings.batch_timeout, self._start)

    def _make_room(self, letter: Letter) -> bool:
        """Drop something by the policy; tell whether there is room for a letter."""
        if self.settings.overflow in ("drop_newest", "error", "block"):
            # Nobody can be made to wait here: what comes last is refused.
            if self.settings.overflow == "drop_newest":
                self._drop(letter)
                return False
            raise _full(len(self._waiting))
        nobody = (one for one in self._waiting if one.told is None)
        lowest = min(nobody, key=lambda one: one.event.priority, default=None)
        if lowest is None or lowest.event.priority > letter.event.priority:
            self._drop(letter)
            return False
        self._waiting.remove(lowest)
        self._drop(lowest)
        return True

    def _drop(self, letter: Letter) -> None:
        self.dropped += 1
        self.lost(_full(len(self._waiting)), letter.event)

    def _start(self) -> None:
        """Let senders take what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and len(self._sending) < self.settings.pool_size:
            task = asyncio.get_running_loop().create_task(self._work())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _work(self) -> None:
        # What is put in the same breath goes along.
        await asyncio.sleep(0)
        while self._waiting:
            batch = self._take()
            if self._waiting and len(self._sending) < self.settings.pool_size:
                self._start()
            await self._deliver(batch)

    def _take(self) -> list[Letter]:
        """Take a commit's worth from the front."""
        waiting = self._waiting
        batch = [waiting.popleft()]
        size, alone = batch[0].size, batch[0].key is not None
        while waiting and not alone and len(batch) < self.settings.batch_size:
            following = waiting[0]
            size += following.size
            if size > MOST_BYTES or following.key is not None:
                break
            batch.append(waiting.popleft())
        self._urgent -= sum(1 for one in batch if one.told is not None)
        self._room.set()
        return batch

    async def _deliver(self, batch: Sequence[Letter]) -> None:
        commit = _commit(batch)
        try:
            answers = await patiently(self.send, commit)
        except asyncio.CancelledError:
            for one in batch:
                self._refuse(one, _closing())
            raise
        except Exception as error:  # noqa: BLE001 - told to whom it concerns
            if len(batch) > 1 and not _is_passing(error):
                # One that is refused must not cost the others.
                for one in batch:
                    await self._deliver([one])
                return
            for one in batch:
                self._refuse(one, error)
        else:
            for one, answer in zip(batch, answers, strict=True):
                if one.told is not None and not one.told.done():
                    one.told.set_result(answer)

    def _refuse(self, letter: Letter, error: Exception) -> None:
        if letter.told is None:
            self.lost(error, letter.event)
        elif not letter.told.done():
            letter.told.set_exception(error)

    async def flush(self) -> None:
        """Wait until everything that was put by now is sent, or lost."""
        while self._waiting or self._sending:
            self._start()
            await asyncio.wait([*self._sending])

    async def close(self, patience_s: float) -> None:
        """Send what waits for so long at most; what is left is told to `lost`."""
        try:
            async with asyncio.timeout(patience_s):
                await self.flush()
        except builtins.TimeoutError:
            for task in [*self._sending]:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
        while self._waiting:
            self._refuse(self._waiting.popleft(), _closing())


async def patiently(send: Send, commit: Commit) -> list[Published]:
    """Send a commit, again where that may help; raises PublishError when it did not."""
    for attempt in range(1, _TRIES + 1):
        try:
            return await send(commit)
        except EventRouterError as error:
            if not _is_passing(error):
                raise
            if attempt == _TRIES:
                raise _given_up(error, attempt) from error
        longest = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
        # Full jitter: a thousand clients must not come back in one wave.
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311
    raise PublishError


def _commit(batch: Sequence[Letter]) -> Commit:
    key = batch[0].key or f"client-{ulid.new_ulid()}"
    own = any(one.own_id for one in batch)
    return Commit(tuple(one.event for one in batch), key, own_ids=own)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, EventRouterError) and error.retryable


def _full(waiting: int) -> PublishError:
    return PublishError(
        f"{waiting} events wait to be sent already, so this one was dropped: the router "
        "is slow or away, or more is published than it takes.",
        code="buffer_full",
        retryable=True,
    )


def _given_up(error: EventRouterError, attempts: int) -> PublishError:
    return PublishError(
        f"It was tried {attempts} times: {error.message}",
        code=error.code,
        details=error.details,
        retryable=True,
    )


def _closing() -> PublishError:
    return PublishError(
        "The client was closed before this was sent.", code="closed", retryable=True
    )
