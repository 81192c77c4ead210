"""Get or make: one maker at a time for all processes, the rest wait or take the old."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from asyncio import Task
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isawaitable
from secrets import token_hex
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eventyard.cache import _scripts
from eventyard.cache._far import Script
from eventyard.cache._keys import LEASE
from eventyard.cache._store import MISSING, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGER = logging.getLogger("eventyard.cache")
_ENTER: Final = Script(_scripts.ENTER)
_LEAVE: Final = Script(_scripts.LEAVE)
_FIRST_WAIT_S: Final = 0.004
_LONGEST_WAIT_S: Final = 0.1

Make = Callable[[], Any]
AsyncMake = Callable[[], Any | Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted, and how it is kept; times in seconds."""

    key: str
    ttl: float | None
    #: For so long beyond its time the old is handed out, while the new is made.
    stale: float
    tags: tuple[str, ...]
    #: How long a maker may take before another one begins.
    patience: float

    @property
    def stale_ms(self) -> int:
        """Return for how long there is something old; what never ends is never old."""
        return int(max(self.stale, 0) * 1000) if self.ttl else 0


class Seen(NamedTuple):
    """What was found: the value, if any, and whether the lease to make it is ours."""

    value: Any
    mine: bool
    #: Nobody could be asked.
    away: bool = False


class _Ask(NamedTuple):
    first: bool


class _Renew(NamedTuple):
    pass


class _MakeIt(NamedTuple):
    away: bool


class _Wait(NamedTuple):
    seconds: float


_Step = _Ask | _Renew | _MakeIt | _Wait


def _course(patience_s: float) -> Generator[_Step, Any, Any]:
    """Say step by step what is to be done, whoever does it, and however it waits."""
    until, pause, first = time.monotonic() + patience_s, _FIRST_WAIT_S, True
    while True:
        seen: Seen = yield _Ask(first)
        if seen.value is not MISSING:
            if seen.mine:
                yield _Renew()
            return seen.value
        if seen.mine or seen.away or time.monotonic() >= until:
            return (yield _MakeIt(seen.away))
        yield _Wait(pause)
        pause, first = min(pause * 1.5, _LONGEST_WAIT_S), False


class Maker:
    """Gets values, or has them made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turns = Turns(Lock)
        self._async_turns = Turns(asyncio.Lock)
        self._tasks: set[Task[None]] = set()

    def get(self, make: Make, order: Order) -> Any:
        """Return a value; what `make` raises is the caller's."""
        token, course = token_hex(16), _course(order.patience)
        answer: Any = None
        try:
            while True:
                answer = self._do(course.send(answer), make, order, token)
        except StopIteration as ended:
            return ended.value

    def _do(self, step: _Step, make: Make, order: Order, token: str) -> Any:
        match step:
            case _Ask(first):
                return self._look(order, token, first=first)
            case _Wait(seconds):
                return time.sleep(seconds)
            case _Renew():
                work = (make, order, token)
                return Thread(target=self._renew, args=work, daemon=True).start()
            case _MakeIt(away):
                return self._make(make, order, token, away=away)

    def _make(self, make: Make, order: Order, token: str, *, away: bool) -> Any:
        if not away:
            return self._fill(make, order, token)
        if self._store.near is None:
            return make()
        with self._turns.of(order.key) as turn, turn:
            found = self._store.peek(order.key)
            return self._fill(make, order, "") if found is MISSING else found

    def _fill(self, make: Make, order: Order, token: str) -> Any:
        try:
            value = make()
        except BaseException:
            self._leave(order, token)
            raise
        return self._keep(value, order, token)

    def _renew(self, make: Make, order: Order, token: str) -> None:
        try:
            self._fill(make, order, token)
        except Exception:
            _LOGGER.exception("%s could not be made anew", order.key)

    async def get_async(self, make: AsyncMake, order: Order) -> Any:
        """Do the same, and let others go on meanwhile."""
        token, course = token_hex(16), _course(order.patience)
        answer: Any = None
        try:
            while True:
                step = course.send(answer)
                answer = await self._do_async(step, make, order, token)
        except StopIteration as ended:
            return ended.value

    async def _do_async(
        self, step: _Step, make: AsyncMake, order: Order, token: str
    ) -> Any:
        match step:
            case _Ask(first):
                near = self._store.peek(order.key)
                if near is not MISSING:
                    return Seen(near, mine=False)
                return await asyncio.to_thread(self._look, order, token, first=first)
            case _Wait(seconds):
                return await asyncio.sleep(seconds)
            case _Renew():
                task = asyncio.create_task(self._renew_async(make, order, token))
                self._tasks.add(task)
                return task.add_done_callback(self._tasks.discard)
            case _MakeIt(away):
                return await self._make_async(make, order, token, away=away)

    async def _make_async(
        self, make: AsyncMake, order: Order, token: str, *, away: bool
    ) -> Any:
        if not away:
            return await self._fill_async(make, order, token)
        if self._store.near is None:
            return await _made(make)
        # A lock of one loop is no good in another one.
        whose = (id(asyncio.get_running_loop()), order.key)
        with self._async_turns.of(whose) as turn:
            async with turn:
                found = self._store.peek(order.key)
                if found is not MISSING:
                    return found
                return await self._fill_async(make, order, "")

    async def _fill_async(self, make: AsyncMake, order: Order, token: str) -> Any:
        try:
            value = await _made(make)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._leave, order, token))
            raise
        return await asyncio.to_thread(self._keep, value, order, token)

    async def _renew_async(self, make: AsyncMake, order: Order, token: str) -> None:
        try:
            await self._fill_async(make, order, token)
        except Exception:
            _LOGGER.exception("%s could not be made anew", order.key)

    def _look(self, order: Order, token: str, *, first: bool) -> Seen:
        """Look near, then in Redis, and take the lease where something is to be made."""
        store = self._store
        near = store.peek(order.key)
        if near is not MISSING:
            return Seen(near, mine=False)
        epoch = 0 if store.near is None else store.near.epoch
        names = [order.key, order.key + LEASE, *map(store.keys.tag, order.tags)]
        lease_ms = max(int(order.patience * 1000), 1)
        answer = store.far.run(
            lambda client: _ENTER(client, names, token, lease_ms, order.stale_ms), None
        )
        if answer is None:
            return Seen(MISSING, mine=False, away=True)
        text, fresh_ms, mine = answer
        value = store.read(order.key, text, counted=first)
        if text is not None and fresh_ms != 0:
            fresh_s = None if fresh_ms < 0 else fresh_ms / 1000
            store.keep_near(order.key, value, len(text), fresh_s, epoch=epoch)
        return Seen(value, mine=bool(mine))

    def _keep(self, value: Any, order: Order, token: str) -> Any:
        """Keep what was made, if nobody said meanwhile that it is to go."""
        store = self._store
        written = store.write(value, order.ttl, stale_ms=order.stale_ms)
        if written is None:
            self._leave(order, token)
            return value
        store.keep(order.key, written, tags=order.tags, token=token)
        # As everybody else will read it.
        return json.loads(written.text)

    def _leave(self, order: Order, token: str) -> None:
        if token:
            lease = [order.key + LEASE]
            self._store.far.run(lambda client: _LEAVE(client, lease, token), None)


async def _made(make: AsyncMake) -> Any:
    value = make()
    return await value if isawaitable(value) else value


class Turns:
    """A lock for each thing that somebody waits for, and no longer than that."""

    def __init__(self, new: Callable[[], Any]) -> None:
        self._new = new
        self._lock = Lock()
        self._there: dict[Any, tuple[Any, int]] = {}

    @contextmanager
    def of(self, name: Any) -> Iterator[Any]:
        """Yield the lock of a thing."""
        with self._lock:
            turn, count = self._there.get(name) or (self._new(), 0)
            self._there[name] = (turn, count + 1)
        try:
            yield turn
        finally:
            with self._lock:
                turn, count = self._there.pop(name)
                if count > 1:
                    self._there[name] = (turn, count - 1)
