"""Three servers of WebSockets, each on loopback, that a test talks to for real."""

# ruff: noqa: ASYNC110 - conditions are what tests wait for

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from eventyard.websocket.routes import aiohttp_routes, asgi_app


def free_port():
    with sockets.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def over_uvicorn(app):
    import uvicorn

    port = free_port()
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="critical",
        lifespan="off",
        ws="websockets-sansio",
    )
    server = uvicorn.Server(config)
    # The test's own signals are nothing to it.
    server.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = server.force_exit = True
        await task


@asynccontextmanager
async def with_asgi(manager, authorise=None):
    async with over_uvicorn(asgi_app(manager, authorise)) as port:
        yield port


@asynccontextmanager
async def with_starlette(manager, authorise=None):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    routes = [Mount("/", app=asgi_app(manager, authorise))]
    async with over_uvicorn(Starlette(routes=routes)) as port:
        yield port


@asynccontextmanager
async def with_aiohttp(manager, authorise=None):
    app = web.Application()
    app.add_routes(aiohttp_routes(manager, authorise))
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


@asynccontextmanager
async def with_websockets(manager, authorise=None):
    """The server of websockets has no routes: whoever connects is served."""
    from websockets.asyncio.server import serve

    from eventyard.websocket.routes import query_of
    from eventyard.websocket.wishes import wish_of

    async def handle(connection):
        query = query_of(connection.request.path)
        await manager.serve(connection, query.get("client_id"), filter=wish_of(query))

    async with serve(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


ALL = (with_asgi, with_starlette, with_aiohttp, with_websockets)
WITH_ROUTES = (with_asgi, with_starlette, with_aiohttp)


class Client:
    """A dashboard."""

    def __init__(self, socket):
        self.socket = socket

    async def read(self):
        message = await self.socket.receive(timeout=20)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)

    async def say(self, message):
        await self.socket.send_str(json.dumps(message))

    async def closed(self):
        """Read up to the end; return its code."""
        message = await self.socket.receive(timeout=20)
        while message.type is aiohttp.WSMsgType.TEXT:
            message = await self.socket.receive(timeout=20)
        return message.data


@asynccontextmanager
async def dashboard(port, query="", **more):
    address = f"ws://127.0.0.1:{port}/ws/dashboard{query}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, **more) as socket,
    ):
        yield Client(socket)
