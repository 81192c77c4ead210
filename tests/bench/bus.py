"""What it costs to hand an event to many handlers, beside what one would use instead."""

from __future__ import annotations

import asyncio
import logging
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

from eventyard import Event, EventBus, EventRouterClient
from eventyard.core import ulid

_LOGGER = logging.getLogger(__name__)
_SIZES = (1, 10, 1_000)
_ROUNDS = 5
#: So long is one of several looks at one of the ways; the best one counts.
_SECONDS = 0.1
#: It takes a hundred times longer than all others: two sizes tell enough.
_LONGEST_PEERS = {"bubus": 10}

Publish = Callable[[], Awaitable[Any]]
#: What ends the tasks that some begin, and do not end by themselves.
_ENDS: list[Publish] = []


def measure() -> dict[str, Any]:
    """Publish to handlers that do nothing, in every way; then through a client."""
    logging.getLogger("bubus").setLevel(logging.CRITICAL)
    figures: dict[str, Any] = {}
    for size in _SIZES:
        figures |= asyncio.run(_compare(size))
    figures |= asyncio.run(_client())
    figures["import eventyard, ms"] = _import_ms()
    return figures


async def _compare(size: int) -> dict[str, Any]:
    best: dict[str, float] = {}
    ways = {name: make(size) for name, make in _WAYS.items() if _is_there(name, size)}
    # Turn by turn, so that a busy moment is everybody's.
    for _ in range(_ROUNDS):
        for name, publish in ways.items():
            best[name] = min(best.get(name, 1e9), await _per_call(publish))
    while _ENDS:
        await _ENDS.pop()()
    figures: dict[str, Any] = {
        f"{size:,} handlers: {name}, µs": best[name] * 1e6 for name in best
    }
    ratio = best["gather, isolated, with history"] / best["eventyard"]
    figures[f"{size:,} handlers: gather / eventyard"] = f"{ratio:.1f}"
    missing = [name for name in _PEERS if find_spec(_PEERS[name]) is None]
    for name in missing:
        figures[f"{size:,} handlers: {name}, µs"] = "not installed"
    return figures


async def _per_call(publish: Publish) -> float:
    await publish()
    calls, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < _SECONDS:
        for _ in range(10):
            await publish()
        calls += 10
    return passed / calls


def _is_there(name: str, size: int) -> bool:
    if size > _LONGEST_PEERS.get(name, size):
        return False
    return name not in _PEERS or find_spec(_PEERS[name]) is not None


async def _nothing(*_: Any, **__: Any) -> None:
    """Handle an event."""


def _floor(size: int) -> Publish:
    handlers, event = [_nothing] * size, Event("a.b")

    async def publish() -> None:
        for handler in handlers:
            await handler(event)

    return publish


def _ours(size: int) -> Publish:
    bus, event = EventBus.separate(), Event("a.b")
    for _ in range(size):
        bus.subscribe("a.b", _nothing)
    return lambda: bus.publish(event)


def _gather(size: int) -> Publish:
    handlers, event = [_nothing] * size, Event("a.b")
    history: deque[Event] = deque(maxlen=1_000)

    async def safely(handler: Callable[..., Awaitable[None]]) -> None:
        try:
            await handler(event)
        except Exception:
            _LOGGER.exception("a handler failed")

    async def publish() -> None:
        history.append(event)
        await asyncio.gather(*(safely(handler) for handler in handlers))

    return publish


def _blinker(size: int) -> Publish:
    from blinker import Signal

    signal = Signal()
    handlers = [_named(n) for n in range(size)]
    for handler in handlers:
        signal.connect(handler, weak=False)
    return lambda: signal.send_async("a.b")


def _pyee(size: int) -> Publish:
    from pyee.asyncio import AsyncIOEventEmitter

    emitter = AsyncIOEventEmitter()
    for number in range(size):
        emitter.add_listener("a.b", _named(number))

    async def publish() -> None:
        emitter.emit("a.b", None)
        await emitter.wait_for_complete()

    return publish


def _aiopubsub(size: int) -> Publish:
    from aiopubsub import Hub, Key, Publisher, Subscriber

    hub = Hub()
    publisher, key = Publisher(hub, prefix=Key("a")), Key("b")
    for number in range(size):
        subscriber = Subscriber(hub, str(number))
        subscriber.add_async_listener(Key("a", "b"), _nothing)
        _ENDS.append(subscriber.remove_all_listeners)

    async def publish() -> None:
        publisher.publish(key, None)
        # It tells nobody when all are done: one turn begins its tasks, one ends them.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    return publish


def _bubus(size: int) -> Publish:
    from bubus import BaseEvent
    from bubus import EventBus as Bus

    class Happened(BaseEvent):  # type: ignore[type-arg]
        pass

    bus = Bus(name=f"bench_{ulid.new_ulid()}")
    for number in range(size):
        bus.on(Happened, _named(number))
    _ENDS.append(lambda: bus.stop(timeout=1, clear=True))

    async def publish() -> None:
        await bus.dispatch(Happened())

    return publish


def _named(number: int) -> Callable[..., Awaitable[None]]:
    """Return a handler of its own name: some tell handlers apart by that."""

    async def handler(*_: Any, **__: Any) -> None:
        pass

    handler.__name__ = handler.__qualname__ = f"handler_{number}"
    return handler


_PEERS = {
    "blinker": "blinker",
    "pyee": "pyee",
    "aiopubsub": "aiopubsub",
    "bubus": "bubus",
}
_WAYS: dict[str, Callable[[int], Publish]] = {
    "awaiting one by one": _floor,
    "eventyard": _ours,
    "gather, isolated, with history": _gather,
    "blinker": _blinker,
    "pyee": _pyee,
    "aiopubsub": _aiopubsub,
    "bubus": _bubus,
}


async def _client() -> dict[str, Any]:
    """Publish through a client to a handler of its own, in this process."""
    async with EventRouterClient(url=f"memory://{ulid.new_ulid()}") as client:
        return {
            "client, memory: publish_nowait to handler, events/s": await _flood(client),
            **await _latency(client),
        }


async def _flood(client: EventRouterClient, total: int = 10_000) -> float:
    best, done = 0.0, asyncio.Event()

    async def count(event: Event) -> None:
        if event.payload == total - 1:
            done.set()

    await client.subscribe("flood", handler=count)
    for _ in range(_ROUNDS):
        done.clear()
        begun = time.perf_counter()
        for number in range(total):
            client.publish_nowait("flood", number)
            if number % 1_000 == 999:
                await client.flush()
        await done.wait()
        best = max(best, total / (time.perf_counter() - begun))
    return best


async def _latency(client: EventRouterClient, total: int = 2_000) -> dict[str, float]:
    took: list[float] = []
    arrived = asyncio.Event()

    async def arrives(event: Event) -> None:
        took.append(time.perf_counter() - event.payload)
        arrived.set()

    await client.subscribe("lone", handler=arrives)
    for _ in range(total):
        arrived.clear()
        await client.publish("lone", time.perf_counter())
        await arrived.wait()
    shares = statistics.quantiles(took, n=100)
    return {
        "client, memory: publish to handler, p50 µs": shares[49] * 1e6,
        "client, memory: publish to handler, p99 µs": shares[98] * 1e6,
    }


def _import_ms() -> float:
    def once(program: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return time.perf_counter() - begun

    rounds = [(once("import eventyard"), once("pass")) for _ in range(9)]
    ours, nothing = (statistics.median(column) for column in zip(*rounds, strict=True))
    return max(ours - nothing, 0.0) * 1e3
