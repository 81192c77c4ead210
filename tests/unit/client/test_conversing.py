"""Questions and answers, and the histories of things."""

# ruff: noqa: A004 - its name there

from __future__ import annotations

import asyncio

import pytest

from eventyard import ConflictError, EventRouterClient, RequestError, TimeoutError
from eventyard.core.errors import ValidationError
from eventyard.core.event import Event
from tests.awaiting import address, awaited, turns, until


@awaited
async def test_a_question_is_answered_with_what_the_responder_returns():
    client = EventRouterClient(url=address())

    @client.respond("calculator.add")
    async def add(request):
        return {"result": request.payload["x"] + request.payload["y"]}

    client.respond("nothing")(lambda _: None)

    async with client:
        answer = await client.request("calculator.add", {"x": 10, "y": 20})
        assert answer.payload == {"result": 30}
        assert (await client.request("nothing")).payload == {}


@awaited
async def test_an_error_of_the_responder_is_raised_where_it_was_asked():
    client = EventRouterClient(url=address())
    told = []
    client.on_error(lambda error, event: told.append(type(error)))

    @client.respond("get")
    async def get(request):
        if request.payload is None:
            return 7
        raise KeyError("user 7")

    async with client:
        with pytest.raises(RequestError, match="user 7") as caught:
            await client.request("get", {})
        assert caught.value.details["type"] == "KeyError"
        await until(lambda: told == [KeyError])


@awaited
async def test_a_responder_must_return_a_mapping():
    client = EventRouterClient(url=address())
    client.respond("get")(lambda _: 7)
    async with client:
        with pytest.raises(RequestError, match="mapping"):
            await client.request("get", {})


@awaited
async def test_nobody_answering_is_a_timeout_of_either_kind():
    async with EventRouterClient(url=address()) as client:
        with pytest.raises(TimeoutError, match="responder"):
            await client.request("x", {}, timeout=0.01)
        with pytest.raises(asyncio.TimeoutError):
            await client.request("x", {}, timeout=0.01)
        assert client.transport._router.asking == {}


@awaited
async def test_the_first_answer_counts_and_late_ones_change_nothing():
    url = address()
    clients = [EventRouterClient(url=url) for _ in range(3)]
    replied = []
    for number, client in enumerate(clients):
        reply = client.transport.reply

        async def watched(request, answer, reply=reply):
            replied.append(await reply(request, answer))

        client.transport.reply = watched
        client.respond("x")(lambda _, number=number: {"number": number})
    for client in clients:
        await client.connect()
    answer = await clients[0].request("x", {})
    await until(lambda: len(replied) == 3)
    for client in clients:
        await client.disconnect()

    assert answer.payload["number"] in range(3)
    assert sorted(replied) == [False, False, True]


@awaited
async def test_an_event_that_asks_nothing_is_not_answered():
    client = EventRouterClient(url=address())
    called = []
    client.respond("x")(called.append)
    async with client:
        await client.publish("x", {})
        await turns()
    assert called == []


# Streams.


@awaited
async def test_a_stream_has_versions_from_one_and_is_read_in_parts():
    async with EventRouterClient(url=address()) as client:
        stream = client.event_stream("order-123")
        assert await stream.version() == 0
        versions = [
            await stream.append(f"order.{name}", {"name": name})
            for name in ("created", "paid", "shipped")
        ]
        whole = await stream.read(from_version=0)

        assert versions == [1, 2, 3]
        assert [(e.version, e.type) for e in whole] == [
            (1, "order.created"),
            (2, "order.paid"),
            (3, "order.shipped"),
        ]
        assert [e.version for e in await stream.read(2)] == [2, 3]
        assert [e.version for e in await stream.read(2, 2)] == [2]
        assert await stream.read(4) == []
        assert await stream.read(1, 0) == []


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, 9, 1_203])
@awaited
async def test_a_long_stream_is_read_whole_and_its_version_is_known(length):
    async with EventRouterClient(url=address()) as client:
        stream = client.event_stream("s")
        for at in range(0, length, 100):
            many = [Event("x", n) for n in range(at, min(at + 100, length))]
            await stream.append_all(many)
        assert [e.payload for e in await stream.read()] == [*range(length)]
        assert await stream.version() == length


@awaited
async def test_whoever_knows_an_older_version_is_told():
    async with EventRouterClient(url=address()) as client:
        stream = client.event_stream("s")
        await stream.append("a", {}, expected_version=0)
        with pytest.raises(ConflictError):
            await stream.append("b", {}, expected_version=0)
        with pytest.raises(ValidationError):
            await stream.append("b", {1, 2})
        assert await stream.append("b", {}, expected_version=1) == 2

        races = [stream.append("c", {}, expected_version=2) for _ in range(10)]
        told = await asyncio.gather(*races, return_exceptions=True)
        assert sorted(type(one).__name__ for one in told) == ["ConflictError"] * 9 + [
            "int"
        ]


@awaited
async def test_what_is_appended_is_published_and_followed():
    client = EventRouterClient(url=address())
    stream = client.event_stream("order-1")
    got, all_ = [], []

    @stream.on_append
    async def follow(event):
        got.append((event.type, event.version, event.payload))

    client.on("**")(all_.append)
    async with client:
        await stream.append("order.created", {"n": 1})
        await client.event_stream("order-2").append("order.created", {"n": 2})
        await until(lambda: len(all_) == 2)
        await until(lambda: got)

    assert got == [("order.created", 1, {"n": 1})]
