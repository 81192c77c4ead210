"""
For tests of what uses Eventyard: a router in memory, a recorder, a clock to turn.

    async with memory_router() as router, router.recorder("order.*") as recorder:
        shop = Shop(router.client())
        await shop.sell("book")
        await recorder.wait_for(1)
        recorder.assert_published("order.placed", payload={"item": "book"})
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from eventyard.client import EventRouterClient
from eventyard.core import ulid
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.core.topics import compile_pattern
from eventyard.transports.base import DeadLetter
from eventyard.transports.memory import Broker

_ANY: Final[Any] = object()
_SHOWN: Final = 20
#: So often others get their turn before it is believed that they wait.
_TURNS: Final = 50
_BEGINNING: Final = datetime(2024, 1, 1, 12, tzinfo=UTC)


class MemoryRouter:
    """A router that only its own clients know."""

    def __init__(self) -> None:
        self._name = f"test-{ulid.new_ulid()}"
        self._broker = Broker.named(self._name)
        self._clients: list[EventRouterClient] = []
        #: What handlers of its clients raised for good, each with its event.
        self.errors: list[tuple[Exception, Event]] = []

    def client(
        self, client_id: str | None = None, **settings: Any
    ) -> EventRouterClient:
        """Return a new client; it connects when it is needed, and is closed at the end."""
        settings["url"] = f"memory://{self._name}"
        client = EventRouterClient(client_id=client_id, **settings)
        client.on_error(lambda error, event: self.errors.append((error, event)))
        self._clients.append(client)
        return client

    def recorder(self, *topics: str) -> Recorder:
        """Return a recorder with a client of its own."""
        return Recorder(self.client(), *topics)

    @property
    def events(self) -> list[Event]:
        """Return what was published, in order."""
        return [one.event for one in self._broker.since("")]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Return what was given up, in order."""
        return [*self._broker.dead.values()]

    async def close(self) -> None:
        """Close all clients, and forget what there was."""
        for client in self._clients:
            await client.disconnect()
        Broker.forget(self._name)


@asynccontextmanager
async def memory_router() -> AsyncIterator[MemoryRouter]:
    """Give a test a router of its own; nothing of it is left behind its block."""
    router = MemoryRouter()
    try:
        yield router
    finally:
        await router.close()


class Recorder:
    """
    Keeps the events of some patterns, of any client's router, from its block's start.

    Assertions look at what has come by now: await `wait_for` first.
    """

    def __init__(self, client: EventRouterClient, *topics: str) -> None:
        self.events: list[Event] = []
        self._subscription = client.subscribe(topics or ("**",), self._take)
        self._came = asyncio.Condition()

    async def _take(self, event: Event) -> None:
        async with self._came:
            self.events.append(event)
            self._came.notify_all()

    async def __aenter__(self) -> Self:
        """Begin to record."""
        await self._subscription.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Record no more; what was recorded stays."""
        await self._subscription.unsubscribe()

    def clear(self) -> None:
        """Forget what was recorded."""
        self.events.clear()

    def of(self, type: str) -> list[Event]:  # noqa: A002 - the field's own name
        """Return the recorded events of a type, or pattern."""
        pattern = compile_pattern(type)
        return [event for event in self.events if pattern.matches(event.type)]

    async def wait_for(
        self,
        count: int = 1,
        type: str = "**",  # noqa: A002 - the field's own name
        timeout: float = 5.0,  # noqa: ASYNC109 - as callers know it
    ) -> list[Event]:
        """
        Wait until so many events of a type, or pattern, are recorded; return them.

        Raises AssertionError with what came instead.
        """
        try:
            async with asyncio.timeout(timeout), self._came:
                await self._came.wait_for(lambda: len(self.of(type)) >= count)
        except TimeoutError:
            raise AssertionError(
                f"{len(self.of(type))} of {count} events of {type} came within "
                f"{timeout:g} s.\n{self._told()}"
            ) from None
        return self.of(type)

    def assert_published(
        self,
        type: str,  # noqa: A002 - the field's own name
        payload: Any = _ANY,
        *,
        times: int | None = None,
        **fields: Any,
    ) -> Event:
        """
        Fail unless an event of a type was recorded; return the first that fits.

        Of an object in `payload` the event may have more than is named. `times`: so
        often, no more and no less. `fields` are those of the event, as `source`.
        """
        fitting = [e for e in self.of(type) if _fits(e, payload, fields)]
        if (not fitting and times != 0) or times not in (None, len(fitting)):
            wanted = _wanted(type, payload, fields)
            often = "" if times is None else f" {times} times, but {len(fitting)} times"
            raise AssertionError(f"{wanted} was not recorded{often}.\n{self._told()}")
        return fitting[0] if fitting else Event(type)

    def assert_not_published(
        self,
        type: str,  # noqa: A002 - the field's own name
        payload: Any = _ANY,
        **fields: Any,
    ) -> None:
        """Fail if an event was recorded that fits."""
        fitting = [e for e in self.of(type) if _fits(e, payload, fields)]
        if fitting:
            raise AssertionError(
                f"{_wanted(type, payload, fields)} was recorded.\n{self._told()}"
            )

    def _told(self) -> str:
        """Show what was recorded, the last ones last."""
        if not self.events:
            return "Nothing was recorded; was `await recorder.wait_for(n)` left out?"
        lines = [f"  {e.type} {dumps(e.payload)[:200]}" for e in self.events[-_SHOWN:]]
        left_out = len(self.events) - len(lines)
        more = [f"  ... {left_out} before"] if left_out else []
        return "\n".join(["Recorded:", *more, *lines])


def _wanted(topic: str, payload: Any, fields: Mapping[str, Any]) -> str:
    with_payload = "" if payload is _ANY else f" with {dumps(payload)}"
    with_fields = "".join(f", {name}={value!r}" for name, value in fields.items())
    return f"{topic}{with_payload}{with_fields}"


def _fits(event: Event, payload: Any, fields: Mapping[str, Any]) -> bool:
    return (payload is _ANY or _holds(event.payload, payload)) and all(
        getattr(event, name) == value for name, value in fields.items()
    )


def _holds(value: Any, wanted: Any) -> bool:
    """Tell whether a value is what is wanted, objects having more perhaps."""
    if isinstance(wanted, Mapping) and isinstance(value, Mapping):
        return all(k in value and _holds(value[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list | tuple) and isinstance(value, list | tuple):
        pairs = zip(value, wanted, strict=False)
        return len(value) == len(wanted) and all(_holds(v, w) for v, w in pairs)
    return bool(value == wanted)


class FakeClock:
    """
    A clock that moves when it is told to.

    Called, it returns seconds: give it wherever a `clock` is taken. In its block
    (`async with FakeClock() as clock`) also sleeps and time-outs of the loop go by it,
    and `time.monotonic` and `time.time`: time passes as ever, and
    `await clock.advance(3600)` lets an hour pass at once.
    """

    def __init__(self, start: datetime = _BEGINNING) -> None:
        self._start = start
        self._passed = 0.0
        self._due: list[float] = []
        self._undo: list[Callable[[], None]] = []

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        return self._passed

    def now(self) -> datetime:
        """Return the time that it shows: for `timestamp=`, as events are stamped."""
        return self._start + timedelta(seconds=self._passed)

    def turn(self, seconds: float) -> None:
        """Let time pass; nobody gets to do anything meanwhile."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._passed += seconds

    async def advance(self, seconds: float) -> None:
        """Let time pass, and all that is due meanwhile happen, in its order."""
        end = self._passed + seconds
        await _turns()
        while self._due and self._passed + _until(self._due[0]) <= end:
            self.turn(max(_until(heapq.heappop(self._due)), 0.0))
            await _turns()
        self.turn(max(end - self._passed, 0.0))
        await _turns()

    async def __aenter__(self) -> Self:
        """Have the loop go by this clock."""
        loop: Any = asyncio.get_running_loop()
        call_at, monotonic, wall = loop.call_at, time.monotonic, time.time

        def noted(when: float, *arguments: Any, **named: Any) -> Any:
            heapq.heappush(self._due, when)
            return call_at(when, *arguments, **named)

        self._replace(loop, "call_at", noted)
        self._replace(time, "monotonic", lambda: monotonic() + self._passed)
        self._replace(time, "time", lambda: wall() + self._passed)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the loop go by the clock of this machine."""
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        before = getattr(owner, name)
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, before))


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _until(moment: float) -> float:
    return moment - asyncio.get_running_loop().time()
