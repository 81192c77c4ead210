"""What the client publishes and hears in a second, over each way to a router."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eventyard import Event, EventRouterClient
from tests import redisserver
from tests.e2e.running import RunningPlatform

_EVENTS = 2_000
_SINGLE = 100
_WARM = 20


def measure() -> dict[str, Any]:
    """Measure in process, over a Redis of its own, and over a platform of its own."""
    figures = asyncio.run(_measured("memory", url="memory://bench"))
    with _redis() as url:
        if url is None:
            figures["redis"] = "NOT MEASURED: there is no redis-server"
        else:
            figures |= asyncio.run(_measured("redis", url=url))
    with _platform() as running:
        for name in ("websocket", "http"):
            address = {"transport": name, "url": running.address}
            figures |= asyncio.run(_measured(name, **address))
    return figures


@contextmanager
def _redis() -> Iterator[str | None]:
    if redisserver.EXECUTABLE is None:
        yield None
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        redisserver.RedisServer(Path(folder)) as server,
    ):
        yield server.url


@contextmanager
def _platform() -> Iterator[RunningPlatform]:
    with tempfile.TemporaryDirectory() as folder:
        running = RunningPlatform(Path(folder))
        running.start()
        try:
            yield running
        finally:
            running.stop()


async def _measured(name: str, **settings: Any) -> dict[str, Any]:
    async with EventRouterClient(**settings) as client:
        seen = await _latencies(client)
        rate = await _rate(client)
    return {
        f"{name}: publish_nowait, events/s": float(round(rate)),
        f"{name}: publish to handler p50, ms": round(statistics.median(seen), 2),
        f"{name}: publish to handler p99, ms": round(sorted(seen)[-2], 2),
    }


async def _latencies(client: EventRouterClient) -> list[float]:
    """Milliseconds from before an event is published until its handler is called."""
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def hear(_: Event) -> None:
        heard.put_nowait(time.perf_counter())

    seen: list[float] = []
    async with client.subscribe("bench.one", hear):
        for _ in range(_WARM + _SINGLE):
            began = time.perf_counter()
            await client.publish("bench.one", {"n": 1})
            seen.append(((await heard.get()) - began) * 1_000)
    return seen[_WARM:]


async def _rate(client: EventRouterClient) -> float:
    """Events a second that are in the log, published without waiting for each."""
    began = time.perf_counter()
    for number in range(_EVENTS):
        client.publish_nowait("bench.many", {"n": number})
    await client.flush()
    return _EVENTS / (time.perf_counter() - began)
