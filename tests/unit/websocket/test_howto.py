"""docs/howto/show-it-live.md, run as it stands."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from eventyard import Event
from eventyard.events import event_bus
from eventyard.websocket import ConnectionManager, manager
from eventyard.websocket.integration import stop_broadcasting
from tests.awaiting import awaited
from tests.howto import blocks
from tests.unit.websocket.servers import dashboard, free_port, over_uvicorn


@pytest.fixture
def scope(monkeypatch):
    monkeypatch.setattr(manager, "_made", ConnectionManager())
    event_bus.reset()
    made = {}
    for block in blocks("show-it-live", "python"):
        exec(block, made)
    yield made
    stop_broadcasting()
    event_bus.reset()


async def started(app):
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner, port


async def see(scope, client):
    await client.read()
    for total in (10, 60):
        await event_bus.publish(Event("order.placed", {"total": total}))
    await event_bus.publish(Event("task.created", {"id": 1}))
    assert await scope["announce"]() == 1
    return [(await client.read())["data"] for _ in range(3)]


SEEN = [{"total": 60}, {"id": 1}, "The shop opens at nine."]


@awaited
async def test_the_blocks_show_events_on_aiohttp(scope):
    runner, port = await started(scope["app"])
    async with dashboard(port) as client:
        assert await see(scope, client) == SEEN
    await runner.cleanup()


@awaited
async def test_the_blocks_show_events_on_starlette(scope):
    async with over_uvicorn(scope["starlette"]) as port, dashboard(port) as client:
        assert await see(scope, client) == SEEN


@awaited
async def test_the_blocks_turn_strangers_away(scope):
    runner, port = await started(scope["closed"])
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        async with dashboard(port):
            pass
    async with dashboard(port, "?token=secret") as client:
        await client.read()
        for circle in (5, 4):
            await event_bus.publish(Event("task.created", circle_id=circle))
        assert (await client.read())["circle_id"] == 4
    await runner.cleanup()


@awaited
async def test_an_endpoint_of_ones_own_needs_one_call(scope):
    async def handle(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await scope["endpoint"](socket)
        return socket

    app = web.Application()
    app.router.add_get("/ws/dashboard", handle)
    runner, port = await started(app)
    async with dashboard(port) as client:
        assert (await client.read())["data"]["client_id"] == "screen-1"
        await event_bus.publish(Event("agent.started"))
        await event_bus.publish(Event("task.created"))
        assert (await client.read())["type"] == "task.created"
    await runner.cleanup()
