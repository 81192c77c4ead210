"""Saying something to many: each once, none held up, none lost without a word."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from unittest.mock import AsyncMock

import pytest

from eventyard.core.errors import InvalidRequestError, ValidationError
from eventyard.websocket import (
    ConnectionManager,
    WebSocketManager,
    get_connection_manager,
)
from tests.awaiting import awaited, turns, until


class Socket:
    """Keeps what it is sent; `before` says what happens first."""

    def __init__(self, before=None):
        self.texts = []
        self.accepted = 0
        self.closed_with = None
        self._before = before

    async def accept(self):
        self.accepted += 1

    async def send_text(self, text):
        if self._before is not None:
            await self._before()
        self.texts.append(text)

    async def close(self, code, reason):
        self.closed_with = (code, reason)

    @property
    def messages(self):
        return [json.loads(text) for text in self.texts]


class OnlyJson:
    def __init__(self):
        self.messages = []

    async def accept(self):
        pass

    async def send_json(self, message):
        self.messages.append(message)


class WebSocketDisconnect(Exception):  # noqa: N818 - its name there
    pass


async def fail():
    raise ValueError("not now")


async def gone():
    raise WebSocketDisconnect


@pytest.fixture
def manager():
    return ConnectionManager()


async def connected(manager, number=1, **more):
    sockets = [Socket() for _ in range(number)]
    for socket in sockets:
        await manager.connect(socket, **more)
    return sockets


@awaited
async def test_connecting_accepts_and_leaving_twice_is_fine(manager):
    socket = Socket()
    await manager.connect(socket, client_id="screen")
    assert socket.accepted == 1
    info = manager.active_connections[socket]
    assert info["client_id"] == "screen"
    assert (info["messages_sent"], info["messages_received"]) == (0, 0)
    assert manager.get_client_count() == 1
    await manager.disconnect(socket)
    await manager.disconnect(socket)
    assert (manager.get_client_count(), manager.total_connections) == (0, 1)


@awaited
async def test_who_brings_no_name_gets_one(manager):
    (socket,) = await connected(manager)
    name = manager.active_connections[socket]["client_id"]
    assert name == f"client_{id(socket)}"


@awaited
async def test_what_cannot_send_is_refused(manager):
    with pytest.raises(RuntimeError, match="send_text"):
        await manager.connect(object())
    assert manager.get_stats()["total_connections"] == 0


@awaited
async def test_a_mock_and_whoever_takes_json_alone_are_sent_the_message(manager):
    mock, plain = AsyncMock(), OnlyJson()
    await manager.connect(mock, client_id="mock")
    await manager.connect(plain)
    assert await manager.broadcast({"type": "a", "timestamp": "t"}) == 2
    mock.accept.assert_awaited_once_with()
    mock.send_json.assert_awaited_once_with({"type": "a", "timestamp": "t"})
    assert plain.messages == [{"type": "a", "timestamp": "t"}]


@awaited
async def test_one_is_told_something_alone(manager):
    one, other = await connected(manager, 2)
    assert await manager.send_personal({"a": 1}, one) is True
    assert (one.messages, other.messages) == ([{"a": 1}], [])
    assert await manager.send_personal({"a": 1}, Socket()) is False


@awaited
async def test_one_who_fails_is_disconnected(manager):
    await manager.connect(failing := Socket(fail))
    assert await manager.send_personal({"a": 1}, failing) is False
    assert manager.get_client_count() == 0


@awaited
async def test_a_message_that_is_no_json_disconnects_nobody(manager):
    (socket,) = await connected(manager)
    for say in (manager.broadcast, lambda m: manager.send_personal(m, socket)):
        with pytest.raises(ValidationError):
            await say({"a": {1, 2}})
    assert manager.get_client_count() == 1
    assert manager.total_broadcasts == 0


@awaited
async def test_all_are_told_and_the_caller_keeps_its_message(manager):
    sockets = await connected(manager, 3)
    message = {"type": "a"}
    assert await manager.broadcast(message) == 3
    assert message == {"type": "a"}
    (told,) = sockets[0].messages
    assert told["type"] == "a"
    assert "timestamp" in told
    # It was written once for all.
    assert sockets[0].texts[0] is sockets[1].texts[0] is sockets[2].texts[0]


@awaited
async def test_with_nobody_there_nothing_is_counted(manager):
    assert await manager.broadcast({"type": "a"}) == 0
    assert manager.get_stats() == {
        "active_connections": 0,
        "total_connections": 0,
        "total_messages_sent": 0,
        "total_broadcasts": 0,
        "clients": [],
    }


@awaited
async def test_what_was_said_is_counted(manager):
    one, other = await connected(manager, 2)
    await manager.broadcast({"type": "a"})
    await manager.send_personal({"type": "b"}, one)
    manager.received(other)
    stats = manager.get_stats()
    assert json.loads(json.dumps(stats)) == stats
    assert (stats["total_messages_sent"], stats["total_broadcasts"]) == (3, 1)
    assert [one["messages_sent"] for one in stats["clients"]] == [2, 1]
    assert [one["messages_received"] for one in stats["clients"]] == [0, 1]


@awaited
async def test_an_event_and_a_ping_have_their_shapes(manager):
    (socket,) = await connected(manager, filter={"types": "task.*"})
    assert await manager.broadcast_event("task.created", {"id": 1}) == 1
    assert await manager.ping_all() == 1
    event, ping = socket.messages
    assert event.keys() == {"type", "data", "timestamp"}
    assert (event["type"], event["data"]) == ("task.created", {"id": 1})
    assert ping.keys() == {"type", "timestamp"}
    assert ping["type"] == "ping"


@awaited
async def test_a_failing_client_stays_for_a_while_and_disturbs_nobody(manager):
    (good,) = await connected(manager)
    failing = Socket(fail)
    await manager.connect(failing)
    for _ in range(2):
        assert await manager.broadcast({"type": "a"}) == 1
        assert failing in manager.active_connections
    assert await manager.broadcast({"type": "a"}) == 1
    assert failing not in manager.active_connections
    assert len(good.messages) == 3
    await until(lambda: failing.closed_with)
    assert failing.closed_with[0] == 1011


@awaited
async def test_only_failures_in_a_row_count(manager):
    failures = iter([True, True, False, True, True, False])

    async def sometimes():
        if next(failures):
            raise ValueError("not now")

    socket = Socket(sometimes)
    await manager.connect(socket)
    for _ in range(6):
        await manager.broadcast({"type": "a"})
    assert socket in manager.active_connections
    assert len(socket.messages) == 2


@awaited
async def test_who_is_gone_is_dropped_at_once(manager):
    leaving = Socket(gone)
    await manager.connect(leaving)
    assert await manager.broadcast({"type": "a"}) == 0
    assert manager.get_client_count() == 0


@awaited
async def test_a_slow_client_holds_up_nobody_and_gets_everything_in_order(manager):
    goes_on = asyncio.Event()
    slow = Socket(goes_on.wait)
    await manager.connect(slow)
    (good,) = await connected(manager)
    begun = time.monotonic()
    for number in range(50):
        assert await manager.broadcast({"number": number}) == 2
    # Were each of them waited for, it would take five seconds.
    assert time.monotonic() - begun < 3
    assert len(good.messages) == 50
    assert slow.messages == []
    goes_on.set()
    await until(lambda: len(slow.messages) == 50)
    assert [one["number"] for one in slow.messages] == [*range(50)]
    assert manager.total_messages_sent == 100


@awaited
async def test_one_too_far_behind_is_closed_so_that_it_comes_back():
    manager = ConnectionManager(most_waiting=5, patience=0.01)
    slow = Socket(asyncio.Event().wait)
    await manager.connect(slow)
    told = [await manager.broadcast({"n": number}) for number in range(7)]
    assert told == [1] * 6 + [0]
    assert manager.get_client_count() == 0
    await until(lambda: slow.closed_with)
    assert slow.closed_with == (1013, "too far behind")


@awaited
async def test_one_that_takes_a_message_for_ever_is_closed():
    manager = ConnectionManager(send_timeout=0.05, patience=0.01)
    slow = Socket(asyncio.Event().wait)
    await manager.connect(slow)
    await manager.broadcast({"type": "a"})
    asked = asyncio.create_task(manager.send_personal({"type": "b"}, slow))
    await until(lambda: slow.closed_with == (1013, "too slow"))
    assert await asked is False
    assert manager.get_client_count() == 0


@awaited
async def test_a_personal_message_waits_for_its_turn(manager):
    goes_on = asyncio.Event()
    slow = Socket(goes_on.wait)
    await manager.connect(slow)
    manager._patience = 0.01
    await manager.broadcast({"n": 1})
    await manager.broadcast({"n": 2})
    asked = asyncio.create_task(manager.send_personal({"n": 3}, slow))
    await turns()
    assert not asked.done()
    goes_on.set()
    assert await asked is True
    assert [one["n"] for one in slow.messages] == [1, 2, 3]


@awaited
async def test_sending_may_use_timeouts_and_tasks_of_its_own(manager):
    async def careful():
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.01))

    sockets = [Socket(careful) for _ in range(20)]
    for socket in sockets:
        await manager.connect(socket)
    assert await manager.broadcast({"type": "a"}) == 20
    assert all(socket.messages for socket in sockets)


@awaited
async def test_a_publisher_that_is_cancelled_harms_no_client(manager):
    goes_on = asyncio.Event()
    slow = Socket(goes_on.wait)
    await manager.connect(slow)
    manager._patience = 60
    task = asyncio.create_task(manager.broadcast({"type": "a"}))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    goes_on.set()
    await until(lambda: slow.messages)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (None, [1, 2, 3, 4]),
        ({}, [1, 2, 3, 4]),
        ({"types": ["task.*"]}, [1, 2]),
        ({"types": "**"}, [1, 2, 3, 4]),
        ({"circle_id": 3}, [1, 3]),
        ({"circle_id": ["3", 4]}, [1, 2, 3]),
        ({"types": ["task.created"], "circle_id": "3", "project_id": 9}, [1]),
        ({"project_id": 8}, []),
        (lambda message: message["n"] > 3, [4]),
        (lambda message: message["nothing"], []),
    ],
)
@pytest.mark.parametrize("name", ["filter", "scope"])
@awaited
async def test_a_connection_is_sent_what_it_wants_and_may_see(
    manager, wish, expected, name
):
    (socket,) = await connected(manager, **{name: wish})
    for message in (
        {"n": 1, "type": "task.created", "circle_id": 3, "project_id": 9},
        {"n": 2, "type": "task.failed", "circle_id": 4},
        {"n": 3, "type": "circle.created", "circle_id": "3"},
        {"n": 4, "type": "agent.started"},
    ):
        assert await manager.broadcast(message) == (message["n"] in expected)
    assert [one["n"] for one in socket.messages] == expected


@awaited
async def test_a_filter_may_change_and_a_scope_stays(manager):
    (socket,) = await connected(manager, filter={"types": "a"}, scope={"circle_id": 1})
    manager.set_filter(socket, {"circle_id": [1, 2]})
    await manager.broadcast({"type": "b", "circle_id": 2})
    await manager.broadcast({"type": "b", "circle_id": 1})
    assert [one["circle_id"] for one in socket.messages] == [1]


@pytest.mark.parametrize(
    "wish",
    [
        {"types": "a..b"},
        {"types": [1]},
        {"circle_id": {"a": 1}},
        {"circle_id": [[1]]},
        {"kind": "a"},
        {"types": ["a"] * 101},
        ["a"],
        "a",
    ],
)
@awaited
async def test_a_filter_that_makes_no_sense_is_refused(manager, wish):
    with pytest.raises(InvalidRequestError):
        await manager.connect(Socket(), filter=wish)
    assert manager.get_client_count() == 0


@awaited
async def test_a_broadcast_from_another_loop_reaches_the_sockets_of_this_one(manager):
    (socket,) = await connected(manager)
    own = threading.get_ident()
    used = []

    async def note():
        used.append(threading.get_ident())

    socket._before = note
    said = await asyncio.to_thread(asyncio.run, manager.broadcast({"type": "a"}))
    assert said == 1
    await until(lambda: socket.messages)
    told = await asyncio.to_thread(
        asyncio.run, manager.send_personal({"type": "b"}, socket)
    )
    assert told is True
    assert used == [own, own]


@awaited
async def test_many_come_and_go_while_something_is_said(manager):
    sockets = await connected(manager, 200)

    async def leave(socket):
        await asyncio.sleep(0)
        await manager.disconnect(socket)

    said = [manager.broadcast({"n": n}) for n in range(10)]
    leaving = [leave(socket) for socket in sockets[:100]]
    await asyncio.gather(*said, *leaving)
    assert manager.get_client_count() == 100
    assert all(len(socket.messages) == 10 for socket in sockets[100:])


@awaited
async def test_closing_tells_everybody(manager):
    sockets = await connected(manager, 3)
    await manager.close()
    assert [socket.closed_with for socket in sockets] == [(1001, "going away")] * 3
    assert manager.get_client_count() == 0


def test_there_is_one_manager_in_a_process():
    assert WebSocketManager is ConnectionManager
    assert get_connection_manager() is get_connection_manager()
