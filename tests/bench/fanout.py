"""One message to a thousand sockets, beside what one would use instead."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from eventyard.websocket import ConnectionManager

_CLIENTS = 1_000
_ROUNDS = 25
#: What shows a task that was completed, as the document has it.
_MESSAGE = {
    "type": "task.completed",
    "data": {"task_id": 17, "circle_id": 3, "status": "completed", "result": "ok"},
    "source_agent_id": 4,
    "circle_id": 3,
    "project_id": None,
    "event_id": "evt_01JE8Z3N7M4Q9R2T5V8X1Y6W0B",
    "timestamp": "2026-01-01T00:00:00+00:00",
}

Say = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def _uvicorn(app: Any) -> AsyncIterator[int]:
    import uvicorn

    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it sets no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task


@asynccontextmanager
async def _starlette(
    join: Callable[[Any], Awaitable[None]], say: Say
) -> AsyncIterator[tuple[int, Say]]:
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    async def endpoint(websocket: WebSocket) -> None:
        await join(websocket)
        with contextlib.suppress(WebSocketDisconnect):
            await websocket.receive_text()

    app = Starlette(routes=[WebSocketRoute("/ws/dashboard", endpoint)])
    async with _uvicorn(app) as port:
        yield port, say


@asynccontextmanager
async def _gather() -> AsyncIterator[tuple[int, Say]]:
    """The design of the document: a task for each socket, each encodes by itself."""
    there: list[Any] = []

    async def join(websocket: Any) -> None:
        await websocket.accept()
        there.append(websocket)

    async def safely(websocket: Any) -> bool:
        try:
            await websocket.send_json(_MESSAGE)
        except Exception:  # noqa: BLE001 - as the document has it
            return False
        return True

    async def say() -> None:
        await asyncio.gather(*(safely(one) for one in there), return_exceptions=True)

    async with _starlette(join, say) as made:
        yield made


@asynccontextmanager
async def _ours_on_starlette() -> AsyncIterator[tuple[int, Say]]:
    manager = ConnectionManager()
    say = lambda: manager.broadcast(_MESSAGE)  # noqa: E731
    async with _starlette(manager.connect, say) as made:
        yield made


@asynccontextmanager
async def _ours_on_aiohttp() -> AsyncIterator[tuple[int, Say]]:
    from aiohttp import web

    manager = ConnectionManager()

    async def endpoint(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await manager.connect(socket)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/ws/dashboard", endpoint)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield port, lambda: manager.broadcast(_MESSAGE)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _websockets(*, ours: bool) -> AsyncIterator[tuple[int, Say]]:
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    manager, there = ConnectionManager(), set[ServerConnection]()

    async def endpoint(connection: ServerConnection) -> None:
        there.add(connection)
        await manager.connect(connection)
        await connection.wait_closed()

    async def say() -> None:
        if ours:
            await manager.broadcast(_MESSAGE)
        else:
            broadcast(there, json.dumps(_MESSAGE))

    # Compression is for neither: none of the others does it here.
    async with serve(endpoint, "127.0.0.1", 0, compression=None) as server:
        yield next(iter(server.sockets)).getsockname()[1], say


_WAYS: dict[str, tuple[str, Callable[[], Any]]] = {
    "Starlette and gather": ("uvicorn", _gather),
    "eventyard on Starlette": ("uvicorn", _ours_on_starlette),
    "eventyard on aiohttp": ("aiohttp", _ours_on_aiohttp),
    "websockets.broadcast": ("websockets", lambda: _websockets(ours=False)),
    "eventyard on websockets": ("websockets", lambda: _websockets(ours=True)),
}


def measure() -> dict[str, Any]:
    """Tell a thousand clients of another process something, in every way."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures: dict[str, Any] = {}
    for name, (needs, way) in _WAYS.items():
        if find_spec(needs) is None:
            figures[name] = "not installed"
        else:
            figures |= asyncio.run(_measured(name, way))
    return figures


async def _measured(name: str, way: Callable[[], Any]) -> dict[str, float]:
    async with way() as (port, say):
        program = [sys.executable, "-m", "tests.bench.peer_sockets"]
        peer = await asyncio.create_subprocess_exec(
            *program, str(port), str(_CLIENTS), stdout=PIPE
        )
        try:
            await _heard(peer)
            rounds = [await _round(peer, say) for _ in range(_ROUNDS)]
        finally:
            peer.kill()
            await peer.wait()
    columns = [[*column] for column in zip(*rounds, strict=True)]
    return {
        f"{name}: said, best, ms": min(columns[0]) * 1e3,
        f"{name}: all heard it, best, ms": min(columns[1]) * 1e3,
        # What else the machine does counts for nothing here.
        f"{name}: time of the processor, median, ms": (
            statistics.median(columns[2]) * 1e3
        ),
    }


async def _round(peer: Process, say: Say) -> tuple[float, float, float]:
    """Say something; return how long that took, when all had heard it, and the work."""
    begun, worked = time.monotonic(), time.process_time()
    await say()
    said = time.monotonic() - begun
    heard = await _heard(peer) - begun
    return said, heard, time.process_time() - worked


async def _heard(peer: Process) -> float:
    assert peer.stdout is not None
    async with asyncio.timeout(60):
        return float((await peer.stdout.readline()).split()[1])
