"""A dashboard's connection over real servers: Starlette, aiohttp, websockets, ASGI."""

from __future__ import annotations

import asyncio
from datetime import datetime

import aiohttp
import pytest

from eventyard.core.errors import AuthenticationError, PermissionDeniedError
from eventyard.websocket import ConnectionManager
from tests.awaiting import awaited, until
from tests.unit.websocket.servers import (
    ALL,
    WITH_ROUTES,
    dashboard,
    with_aiohttp,
    with_websockets,
)

served = pytest.mark.parametrize("serving", ALL)
routed = pytest.mark.parametrize("serving", WITH_ROUTES)


@served
@awaited
async def test_a_dashboard_is_greeted_and_sent_what_is_said(serving):
    manager = ConnectionManager()
    async with serving(manager) as port, dashboard(port, "?client_id=wall") as client:
        hello = await client.read()
        assert hello["type"] == "connection.established"
        assert hello["data"] == {
            "client_id": "wall",
            "message": "Connected to Eventyard",
        }
        assert await manager.broadcast({"type": "é", "data": [1]}) == 1
        assert (await client.read())["type"] == "é"


@served
@awaited
async def test_a_ping_is_answered_with_the_time_and_what_came_with_it(serving):
    manager = ConnectionManager()
    async with serving(manager) as port, dashboard(port) as client:
        await client.read()
        for ping, echo in (
            ({"type": "ping"}, None),
            ({"type": "ping", "echo": {"n": 7}}, {"n": 7}),
            ({"type": "ping", "timestamp": 123}, 123),
        ):
            await client.say(ping)
            pong = await client.read()
            assert (pong["type"], pong["echo"]) == ("pong", echo)
            assert datetime.fromisoformat(pong["timestamp"]).tzinfo is not None
        (told,) = manager.get_stats()["clients"]
        assert (told["messages_received"], told["messages_sent"]) == (3, 4)


@served
@awaited
async def test_whatever_else_is_said_is_counted_and_ignored(serving):
    manager = ConnectionManager()
    async with serving(manager) as port, dashboard(port) as client:
        await client.read()
        for message in ({}, [], 7, None, "hi", {"type": "subscribe"}, {"type": []}):
            await client.say(message)
        await client.say({"type": "ping"})
        assert (await client.read())["type"] == "pong"
        assert manager.get_stats()["clients"][0]["messages_received"] == 8


@served
@pytest.mark.parametrize("text", ["{", "", "NaN", '"\\ud800"', "[" * 70 + "]" * 70])
@awaited
async def test_what_is_no_json_closes(serving, text):
    manager = ConnectionManager()
    async with serving(manager) as port, dashboard(port) as client:
        await client.read()
        await client.socket.send_str(text)
        assert await client.closed() == 1007
        await until(lambda: manager.get_client_count() == 0)


@served
@awaited
async def test_bytes_close_as_well(serving):
    manager = ConnectionManager()
    async with serving(manager) as port, dashboard(port) as client:
        await client.read()
        await client.socket.send_bytes(b'{"type": "ping"}')
        assert await client.closed() == 1007


@served
@awaited
async def test_a_filter_of_the_address_or_of_a_message_holds(serving):
    manager = ConnectionManager()
    query = "?types=task.*,agent.started&circle_id=3"
    async with serving(manager) as port, dashboard(port, query) as client:
        await client.read()
        sent = [
            ("task.created", 3),
            ("task.created", 4),
            ("agent.started", "3"),
            ("memory.created", 3),
        ]
        taken = [
            await manager.broadcast({"type": kind, "circle_id": circle})
            for kind, circle in sent
        ]
        assert taken == [1, 0, 1, 0]
        assert [(await client.read())["type"] for _ in range(2)] == [
            "task.created",
            "agent.started",
        ]
        await client.say({"type": "filter", "types": ["memory.*"], "project_id": 9})
        changed = await client.read()
        assert changed["type"] == "filter.changed"
        assert changed["data"] == {"types": ["memory.*"], "project_id": [9]}
        assert await manager.broadcast({"type": "memory.created", "project_id": 9}) == 1
        assert await manager.broadcast({"type": "task.created", "circle_id": 3}) == 0
        assert (await client.read())["type"] == "memory.created"
        await client.say({"type": "filter", "types": ["a..b"]})
        error = await client.read()
        assert error["type"] == "error"
        # What was before holds on.
        assert await manager.broadcast({"type": "memory.created", "project_id": 9}) == 1


@served
@awaited
async def test_who_leaves_is_forgotten(serving):
    manager = ConnectionManager()
    async with serving(manager) as port:
        async with dashboard(port) as client:
            await client.read()
            assert manager.get_client_count() == 1
        await until(lambda: manager.get_client_count() == 0)
        async with dashboard(port) as client:
            await client.read()
            client.socket._response.connection.transport.abort()
            await until(lambda: manager.get_client_count() == 0)


@served
@awaited
async def test_one_that_does_not_read_is_closed_and_the_others_get_all(serving):
    manager = ConnectionManager(most_waiting=8, send_timeout=1)
    large = "x" * 200_000
    async with (
        serving(manager) as port,
        dashboard(port, max_msg_size=0) as deaf,
        dashboard(port, max_msg_size=0) as good,
    ):
        await deaf.read()
        await good.read()
        deaf.socket._response.connection.transport.pause_reading()
        for number in range(300):
            if manager.get_client_count() == 1:
                break
            await manager.broadcast({"type": "a", "n": number, "data": large})
            assert (await good.read())["n"] == number
        await until(lambda: manager.get_client_count() == 1)
        deaf.socket._response.connection.transport.abort()


@served
@awaited
async def test_the_server_may_end_it(serving):
    manager = ConnectionManager()
    async with serving(manager) as port, dashboard(port) as client:
        await client.read()
        closing = asyncio.create_task(manager.close())
        assert await client.closed() == 1001
        await closing


@routed
@awaited
async def test_statistics_have_an_address(serving):
    manager = ConnectionManager()
    async with (
        serving(manager) as port,
        dashboard(port, "?client_id=wall") as client,
        aiohttp.ClientSession() as session,
    ):
        await client.read()
        async with session.get(f"http://127.0.0.1:{port}/ws/stats") as answer:
            assert answer.status == 200
            stats = await answer.json()
        assert stats == manager.get_stats()
        assert stats["clients"][0]["client_id"] == "wall"
        async with session.get(f"http://127.0.0.1:{port}/ws/nothing") as answer:
            assert answer.status == 404


def authorise(query, headers):
    """Let in who has the key; they see circle 3 alone."""
    key = query.get("token") or headers.get("authorization")
    if key is None:
        raise AuthenticationError("A key is needed.")
    if key != "s3cret":
        raise PermissionDeniedError("Not with this key.")
    return {"circle_id": 3}


@routed
@awaited
async def test_who_may_not_is_turned_away(serving):
    manager = ConnectionManager()
    async with serving(manager, authorise) as port, aiohttp.ClientSession() as session:
        for query in ("", "?token=wrong", "?token=s3cret&types=a..b"):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with dashboard(port, query):
                    pass
        assert manager.total_connections == 0
        for more, status in (("", 401), ("?token=wrong", 403), ("?token=s3cret", 200)):
            address = f"http://127.0.0.1:{port}/ws/stats{more}"
            async with session.get(address) as answer:
                assert answer.status == status


@routed
@awaited
async def test_what_one_may_see_is_not_widened_by_what_one_asks_for(serving):
    manager = ConnectionManager()
    async with (
        serving(manager, authorise) as port,
        dashboard(
            port, "?circle_id=3,4", headers={"Authorization": "s3cret"}
        ) as client,
    ):
        await client.read()
        assert await manager.broadcast({"type": "a", "circle_id": 4}) == 0
        await client.say({"type": "filter"})
        await client.read()
        assert await manager.broadcast({"type": "a", "circle_id": 4}) == 0
        assert await manager.broadcast({"type": "a"}) == 0
        assert await manager.broadcast({"type": "a", "circle_id": 3}) == 1


@pytest.mark.parametrize("serving", [with_aiohttp, with_websockets])
@awaited
async def test_many_dashboards_are_all_told_once(serving):
    manager, each = ConnectionManager(), 20

    async def listen(port):
        async with dashboard(port) as client:
            await client.read()
            return [(await client.read())["n"] for _ in range(each)]

    async with serving(manager) as port:
        listening = [asyncio.create_task(listen(port)) for _ in range(50)]
        await until(lambda: manager.get_client_count() == 50)
        await until(lambda: manager.total_messages_sent == 50)
        for number in range(each):
            assert await manager.broadcast({"n": number}) == 50
        heard = await asyncio.gather(*listening)
    assert heard == [[*range(each)]] * 50
