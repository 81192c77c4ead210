"""Events on their way out: gathered into commits, sent again where that may help."""

from __future__ import annotations

import asyncio
import builtins
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventyard.core import ulid
from eventyard.core.errors import (
    EventRouterError,
    InvalidRequestError,
    PermissionDeniedError,
    PublishError,
)
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.patterns._waiting import Waiting
from eventyard.patterns.patience import patiently
from eventyard.settings import Settings
from eventyard.transports.base import Commit, Published

#: What a commit may have, by far less than what the router takes.
MOST_BYTES: Final = 200_000
#: What an event has besides its payload, about.
_ENVELOPE_BYTES: Final = 300
#: How often it is looked whether subscribers have room again.
_LOOK_S: Final = 0.01

Send = Callable[[Commit], Awaitable[list[Published]]]
#: Hears of what could not be sent, and that nobody waits for.
Lost = Callable[[Exception, Event], None]
#: Tells whether those whom an event is for have too many waiting.
Crowded = Callable[[Event], bool]


@dataclass(slots=True, eq=False)
class Letter:
    """An event that is to be sent, and who waits for that."""

    event: Event
    #: Whether its id was chosen by whoever publishes it.
    own_id: bool = False
    #: With a key of its own it is a commit of its own.
    key: str | None = None
    told: Future[Published] | None = None
    #: Hears of its loss, where nobody waits for it.
    lost: Lost | None = None
    size: int = field(init=False)
    priority: int = field(init=False)

    def __post_init__(self) -> None:
        """Weigh it; raises ValidationError when its payload is not JSON."""
        self.size = len(dumps(self.event.payload)) + _ENVELOPE_BYTES
        self.priority = self.event.priority

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether who waited for it does not any more."""
        return self.told is not None and self.told.cancelled()


@dataclass(slots=True, eq=False)
class Outbox:
    """
    Sends events as commits of up to `batch_size`, `pool_size` of them at a time.

    Who waits for an answer is sent at once, with whatever lies there; what nobody
    waits for is gathered up to `batch_timeout`.
    """

    settings: Settings
    send: Send
    lost: Lost
    crowded: Crowded = lambda _: False
    dropped: int = 0
    _waiting: Waiting[Letter] = field(default_factory=Waiting)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)
    _urgent: int = 0
    _timer: asyncio.TimerHandle | None = None
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    @property
    def is_usable(self) -> bool:
        """Tell whether its event loop goes on."""
        return not self._loop.is_closed()

    @property
    def pending(self) -> int:
        """Return how many events wait for their turn."""
        return len(self._waiting)

    async def put(self, letter: Letter) -> Published:
        """Send an event and wait for its answer; raises PublishError and others."""
        while len(self._waiting) >= self.settings.buffer_size:
            await self._wait_for_room()
        if self._closed:
            raise _closing()
        told: Future[Published] = asyncio.get_running_loop().create_future()
        letter.told = told
        self._waiting.add(letter)
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
        """
        Send an event sometime soon; what is lost is told to `lost`.

        Raises PublishError where there is no room and the policy is to say so here.
        """
        if self._closed:
            self._refuse(letter, _closing())
            return
        full = len(self._waiting) >= self.settings.buffer_size
        if full and not self._make_room(letter):
            return
        self._waiting.add(letter, letter.priority)
        if len(self._waiting) >= self.settings.batch_size:
            self._start()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.settings.batch_timeout, self._start)

    def _make_room(self, letter: Letter) -> bool:
        """Drop something by the policy; tell whether there is room for a letter."""
        if self.settings.overflow in ("error", "block"):
            # Nobody can be made to wait here: what comes last is refused.
            raise _full(len(self._waiting))
        oldest = None
        if self.settings.overflow == "drop_oldest":
            oldest = self._waiting.drop(up_to=letter.priority)
        self.dropped += 1
        self._refuse(oldest or letter, _full(len(self._waiting)))
        return oldest is not None

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
        while await self._has_room_ahead():
            batch = self._take()
            if self._waiting and len(self._sending) < self.settings.pool_size:
                self._start()
            await self._deliver(batch)

    async def _has_room_ahead(self) -> bool:
        """Wait while subscribers have too much, unless somebody waits for an answer."""
        while (first := self._waiting.first) is not None:
            # A handler may be who waits: it must go on, or there is never room.
            if self._urgent or self._closed or not self.crowded(first.event):
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    def _take(self) -> list[Letter]:
        """Take a commit's worth from the front."""
        waiting = self._waiting
        batch = [waiting.take()]
        size, alone = batch[0].size, batch[0].key is not None
        while not alone and len(batch) < self.settings.batch_size:
            following = waiting.first
            if following is None or following.key is not None:
                break
            size += following.size
            if size > MOST_BYTES:
                break
            batch.append(waiting.take())
        self._urgent -= sum(1 for one in batch if one.told is not None)
        self._room.set()
        return [one for one in batch if not one.is_withdrawn]

    async def _deliver(self, batch: Sequence[Letter]) -> None:
        if not batch:
            return
        commit = _commit(batch)
        try:
            answers = await patiently(lambda: self.send(commit))
        except asyncio.CancelledError:
            self._refuse_all(batch, _closing())
            raise
        except Exception as error:  # noqa: BLE001 - told to whom it concerns
            await self._deliver_apart(batch, error)
        else:
            self._tell(batch, answers)

    async def _deliver_apart(self, batch: Sequence[Letter], error: Exception) -> None:
        """Send the halves of a commit that was refused: one must not cost the others."""
        if len(batch) == 1 or not _is_about_one(error):
            self._refuse_all(batch, error)
            return
        middle = len(batch) // 2
        await self._deliver(batch[:middle])
        await self._deliver(batch[middle:])

    def _tell(self, batch: Sequence[Letter], answers: Sequence[Published]) -> None:
        if len(answers) != len(batch):
            told = f"The router told of {len(answers)} events, not of {len(batch)}."
            self._refuse_all(batch, PublishError(told))
            return
        for one, answer in zip(batch, answers, strict=True):
            if one.told is not None and not one.told.done():
                one.told.set_result(answer)

    def _refuse_all(self, batch: Sequence[Letter], error: Exception) -> None:
        for one in batch:
            self._refuse(one, error)

    def _refuse(self, letter: Letter, error: Exception) -> None:
        if letter.told is None:
            (letter.lost or self.lost)(error, letter.event)
        elif not letter.told.done():
            letter.told.set_exception(error)

    async def flush(self) -> None:
        """Wait until nothing is left to be sent; what fails is told, as ever."""
        while self._waiting or self._sending:
            self._start()
            await asyncio.wait([*self._sending])

    async def close(self, patience_s: float) -> None:
        """Send what waits for so long at most; what is left is told to `lost`."""
        self._closed = True
        try:
            async with asyncio.timeout(patience_s):
                await self.flush()
        except builtins.TimeoutError:
            for task in [*self._sending]:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._refuse(self._waiting.take(), _closing())


def _commit(batch: Sequence[Letter]) -> Commit:
    key = batch[0].key or f"client-{ulid.new_ulid()}"
    own = any(one.own_id for one in batch)
    return Commit(tuple(one.event for one in batch), key, own_ids=own)


def _is_about_one(error: Exception) -> bool:
    """Tell whether an error may be of one event of several."""
    return isinstance(error, InvalidRequestError | PermissionDeniedError) or (
        isinstance(error, EventRouterError) and error.code.endswith("conflict")
    )


def _full(waiting: int) -> PublishError:
    return PublishError(
        f"{waiting} events wait to be sent already, so this one was dropped: the router "
        "is slow or away, or more is published than it takes.",
        code="buffer_full",
        retryable=True,
    )


def _closing() -> PublishError:
    return PublishError(
        "The client was closed before this was sent.", code="closed", retryable=True
    )
