"""An event's whole way on the local platform: real functions, emulated AWS."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.running import RunningPlatform

_SINGLE = 300
_COMMITS = 60
_PUBLISHERS = 4


def measure() -> dict[str, Any]:
    """Start a platform of its own, measure, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        running = RunningPlatform(Path(folder))
        running.start()
        try:
            figures = asyncio.run(_measure(running))
            figures["AWS calls per commit (of 1, of 100)"] = _calls(running)
        finally:
            running.stop()
    return figures


async def _measure(running: RunningPlatform) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with aiohttp.ClientSession(running.address) as session:
        await latency(session, running, 20)  # the first calls are cold
        published, seen = await latency(session, running, _SINGLE)
        figures["publish over HTTP p50, ms"] = statistics.median(published)
        figures["publish over HTTP p99, ms"] = _p99(published)
        figures["publish to WebSocket p50, ms"] = statistics.median(seen)
        figures["publish to WebSocket p99, ms"] = _p99(seen)
        for size in (1, 10, 100):
            accepted, arrived = await _throughput(session, running, size)
            figures[f"events/s accepted, commits of {size}"] = accepted
            figures[f"events/s at the socket, commits of {size}"] = arrived
    return figures


async def _connect(session: aiohttp.ClientSession, running: RunningPlatform) -> Any:
    address = f"{running.live}/ws/dashboard?events=bench.*&frames=batch"
    socket = await session.ws_connect(address, max_msg_size=0)
    await socket.receive(timeout=20)
    return socket


async def latency(
    session: aiohttp.ClientSession, running: RunningPlatform, rounds: int
) -> tuple[list[float], list[float]]:
    """Publish one by one; return the milliseconds to the answer, and to the socket."""
    published, seen = [], []
    socket = await _connect(session, running)
    for n in range(rounds):
        started = time.perf_counter()
        body = {"type": "bench.latency", "payload": {"n": n}}
        async with session.post("/api/v1/events", json=body) as answer:
            assert answer.status == 201
        published.append((time.perf_counter() - started) * 1000)
        await socket.receive(timeout=20)
        seen.append((time.perf_counter() - started) * 1000)
    await socket.close()
    return published, seen


async def _throughput(
    session: aiohttp.ClientSession, running: RunningPlatform, size: int
) -> tuple[float, float]:
    commits = asyncio.Queue[int]()
    total = _COMMITS * (4 if size == 1 else 1)
    for n in range(total):
        commits.put_nowait(n)
    socket = await _connect(session, running)
    started = time.perf_counter()
    hearing = asyncio.create_task(_hear(socket, total * size))
    await asyncio.gather(
        *[_publish(session, commits, size) for _ in range(_PUBLISHERS)]
    )
    accepted = total * size / (time.perf_counter() - started)
    await hearing
    arrived = total * size / (time.perf_counter() - started)
    await socket.close()
    return accepted, arrived


async def _publish(
    session: aiohttp.ClientSession, commits: asyncio.Queue[int], size: int
) -> None:
    while not commits.empty():
        n = commits.get_nowait()
        events = [
            {"type": "bench.load", "payload": {"commit": n, "i": i, "text": "x" * 100}}
            for i in range(size)
        ]
        async with session.post("/api/v1/events", json=events) as answer:
            assert answer.status == 201, await answer.text()


async def _hear(socket: Any, wanted: int) -> None:
    heard: set[str] = set()
    while len(heard) < wanted:
        frame = await socket.receive(timeout=60)
        value = json.loads(frame.data)
        for message in value if isinstance(value, list) else [value]:
            heard.add(message.get("event_id"))


def _calls(running: RunningPlatform) -> str:
    """Count calls by publishing from this process, straight into the same table."""
    from chalicelib import bootstrap, config
    from chalicelib.events.drafts import drafts_of

    functions = running.aws("lambda")
    environment = functions.get_function_configuration(
        FunctionName="eventyard-dev-api"
    )["Environment"]["Variables"]
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.emulator_port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    platform = bootstrap.Platform(config.from_environment(environment))
    made: list[str] = []
    platform.aws.session.register(
        "before-call", lambda model, **_: made.append(model.name)
    )
    counts = []
    for size in (1, 100):
        made.clear()
        platform.events.publish(drafts_of([{"type": "bench.x"}] * size), by="bench")
        counts.append(len(made))
    return ", ".join(map(str, counts))


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
