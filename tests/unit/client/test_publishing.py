"""Publishing over the router in this process."""

# ruff: noqa: A004, PT012 - its name there; blocks that fail

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from eventyard import (
    ConnectionError,
    Event,
    EventRouterClient,
    InvalidRequestError,
    PublishError,
    ValidationError,
)
from tests.awaiting import address, awaited, turns, until


@awaited
async def test_an_event_arrives_as_it_was_published_from_the_client():
    client = EventRouterClient(url=address(), client_id="me")
    got = []
    client.on("order.*")(got.append)

    async with client:
        published = await client.publish(
            type="order.placed",
            payload={"n": 1},
            target="me",
            priority=8,
            correlation_id="req-1",
        )
        await until(lambda: got)

    (event,) = got
    assert (event.id, event.type, event.payload) == (
        published,
        "order.placed",
        {"n": 1},
    )
    assert (event.source, event.target, event.priority) == ("me", "me", 8)
    assert (event.correlation_id, event.causation_id) == ("req-1", None)


@awaited
async def test_only_the_client_that_an_event_is_for_gets_it():
    url = address()
    got = []
    async with (
        EventRouterClient(url=url, client_id="a") as one,
        EventRouterClient(url=url, client_id="b") as other,
    ):
        await one.subscribe("**", handler=lambda e: got.append(("a", e.payload)))
        await other.subscribe("**", handler=lambda e: got.append(("b", e.payload)))
        await one.publish("x", 1, target="b")
        await one.publish("x", 2)
        await until(lambda: len(got) == 3)

    assert sorted(got) == [("a", 2), ("b", 1), ("b", 2)]


@awaited
async def test_publishing_connects_when_that_is_needed():
    client = EventRouterClient(url=address())
    got = []
    client.on("x")(got.append)

    client.publish_nowait("x", 1)
    await client.publish("x", 2)
    await client.flush()
    await until(lambda: len(got) == 2)
    assert client.is_connected
    await client.disconnect()
    assert not client.is_connected


@awaited
async def test_what_is_published_without_waiting_goes_out_in_commits_of_the_batch_size():
    client = EventRouterClient(url=address(), batch_size=100, batch_timeout=30)
    commits = []
    async with client:
        publish = client.transport.publish

        async def watched(commit):
            commits.append(len(commit.events))
            return await publish(commit)

        client._outbox.send = watched
        for number in range(1_000):
            client.publish_nowait("metric", {"value": number})
        await client.flush()

    assert commits == [100] * 10


@awaited
async def test_closing_sends_what_waits():
    client = EventRouterClient(url=address(), batch_timeout=30)
    other = EventRouterClient(url=client.settings.url)
    got = []
    async with other:
        await other.subscribe("x", handler=got.append)
        async with client:
            client.publish_nowait("x", 1)
        await until(lambda: got)


@awaited
async def test_a_batch_tells_of_each_event_in_order_and_one_that_is_bad_costs_no_other():
    async with EventRouterClient(url=address()) as client:
        got = []
        await client.subscribe("**", handler=got.append)
        mine = Event("high", {}, priority=9, id="mine")

        told = await client.publish_batch(
            [("a.b", 1), ("no topic", 2), mine, ("c", {1, 2}), ("d", 3)]
        )
        await until(lambda: len(got) == 3)

    assert [event.type for event in got] == ["a.b", "high", "d"]
    assert told[2].event_id == "mine"
    assert [one.event_id for one in (told[0], told[4])] == [got[0].id, got[2].id]
    assert [type(told[1]), type(told[3])] == [ValidationError, ValidationError]


@awaited
async def test_what_is_no_event_is_refused_where_it_is_published():
    async with EventRouterClient(url=address()) as client:
        for bad in ({"type": ""}, {"type": "a", "payload": {1, 2}}, {"type": "a.*"}):
            with pytest.raises(ValidationError):
                await client.publish(**bad)
            with pytest.raises(ValidationError):
                client.publish_nowait(**bad)
        with pytest.raises(ValidationError):
            await client.publish("a", {}, priority=11)
        with pytest.raises(ValidationError):
            await client.publish("a", {"deep": object()})


@awaited
async def test_a_key_makes_a_second_publish_the_first():
    async with EventRouterClient(url=address()) as client:
        got = []
        await client.subscribe("x", handler=got.append)

        ids = [await client.publish("x", n, idempotency_key="k") for n in (1, 2)]
        await client.publish("x", 3)
        await until(lambda: len(got) == 2)

    assert ids[0] == ids[1]
    assert [event.payload for event in got] == [1, 3]


@awaited
async def test_an_event_of_ones_own_is_in_the_log_once_whatever_is_tried():
    async with EventRouterClient(url=address()) as client:
        got = []
        await client.subscribe("x", handler=got.append)
        event = Event("x", 1, id="own")

        ids = [await client.publish(event) for _ in range(2)]
        await client.publish("x", 2)
        await until(lambda: len(got) == 2)
        stats = await client.transport.stats()

    assert ids == ["own", "own"]
    assert stats["events_published"] == 2


@awaited
async def test_what_changes_after_publishing_is_as_it_was_and_handlers_share_nothing():
    async with EventRouterClient(url=address()) as client:
        got = []

        async def spoil(event):
            event.payload["list"].append("spoiled")
            event.headers["x"] = "spoiled"

        await client.subscribe("x", handler=spoil)
        await client.subscribe("x", handler=got.append)
        payload = {"list": [1]}
        await client.publish("x", payload)
        payload["list"].append(2)
        await until(lambda: got)
        await turns()

    assert got[0].payload == {"list": [1]}
    assert got[0].headers == {}


# Repeats.


@awaited
async def test_the_same_again_is_not_sent_and_told_as_the_first():
    async with EventRouterClient(url=address(), cache_size=10, cache_ttl=60) as client:
        got = []
        await client.subscribe("**", handler=got.append)

        first = await client.publish("user.created", {"id": 123})
        again = await client.publish("user.created", {"id": 123})
        client.publish_nowait("user.created", {"id": 123})
        other = await client.publish("user.created", {"id": 124})
        elsewhere = await client.publish("user.created", {"id": 123}, target="a")
        keyed = await client.publish("user.created", {"id": 123}, idempotency_key="k")
        await client.flush()
        await until(lambda: len(got) == 3)

    assert first == again
    assert len({first, other, elsewhere, keyed}) == 4


@awaited
async def test_the_same_side_by_side_is_sent_once():
    async with EventRouterClient(url=address(), cache_size=10) as client:
        ids = await asyncio.gather(*(client.publish("x", 1) for _ in range(20)))
        stats = await client.transport.stats()

    assert len(set(ids)) == 1
    assert stats["events_published"] == 1


@awaited
async def test_encrypted_events_are_told_to_be_the_same_by_what_is_in_them():
    async with EventRouterClient(
        url=address(), cache_size=10, encryption={"key": b"k" * 32}
    ) as client:
        assert await client.publish("x", 1) == await client.publish("x", 1)


@awaited
async def test_what_was_not_published_is_not_known():
    async with EventRouterClient(url=address(), cache_size=10) as client:
        send = client._outbox.send

        async def refuse(_):
            raise ValidationError("no")

        client._outbox.send = refuse
        with pytest.raises(ValidationError):
            await client.publish("x", 1)
        client.publish_nowait("y", 1)
        await client.flush()
        client._outbox.send = send
        await client.publish("x", 1)
        await client.publish("y", 1)
        stats = await client.transport.stats()

    assert stats["events_published"] == 2


# Transactions.


@awaited
async def test_a_transaction_is_one_commit_and_nothing_of_it_comes_before_its_end():
    async with EventRouterClient(url=address()) as client:
        got = []
        await client.subscribe("**", handler=got.append)
        async with client.transaction() as tx:
            first = await tx.publish("order.created", {})
            await tx.publish(Event("stock.reserved", {}, id="mine"))
            await turns()
            assert got == []
        await until(lambda: len(got) == 2)

    assert [event.id for event in got] == [first, "mine"]
    assert {event.transaction_id for event in got} == {tx.id}
    assert [one.event_id for one in tx.results] == [first, "mine"]


@awaited
async def test_a_transaction_that_fails_publishes_nothing():
    async with EventRouterClient(url=address()) as client:
        with pytest.raises(KeyError):
            async with client.transaction() as tx:
                await tx.publish("a", {})
                raise KeyError
        with pytest.raises(ValidationError):
            async with client.transaction() as tx:
                await tx.publish("a", {})
                await tx.publish("b", {1, 2})
        async with client.transaction():
            pass
        assert (await client.transport.stats())["events_published"] == 0


@awaited
async def test_a_transaction_has_its_bounds():
    async with EventRouterClient(url=address()) as client:
        with pytest.raises(InvalidRequestError, match="async with"):
            await client.transaction().publish("a", {})
        with pytest.raises(InvalidRequestError, match="100"):
            async with client.transaction() as tx:
                for _ in range(101):
                    await tx.publish("a", {})


@awaited
async def test_the_caller_keeps_the_event_that_a_transaction_was_given():
    async with EventRouterClient(url=address()) as client:
        event = Event("a", {})
        before = event.copy()
        async with client.transaction() as tx:
            await tx.publish(event)
        assert event == before


# Causes.


@awaited
async def test_what_is_published_while_an_event_is_handled_has_it_as_its_cause():
    client = EventRouterClient(url=address(), client_id="me")
    got = {}

    @client.on("first")
    async def first(event):
        await client.publish("second", {})
        await client.publish(Event("given", {}, source="else", id="g"))
        await client.publish("own", {}, correlation_id="mine", causation_id="c")
        client.publish_nowait("later", {})
        async with client.transaction() as tx:
            await tx.publish("together", {})
        await client.event_stream("s").append("appended", {})
        await client.publish(event)

    @client.on("second", "given", "own", "later", "together", "appended")
    async def note(event):
        got[event.type] = event

    async with client:
        cause = await client.publish("first", {})
        await until(lambda: len(got) == 6)
        await client.publish("given", {}, id="outside")
        await until(lambda: got["given"].id == "outside")

    for name in ("second", "later", "together", "appended"):
        told = got[name]
        assert (told.causation_id, told.correlation_id) == (cause, cause), name
    assert got["second"].source == "me"
    assert (got["own"].causation_id, got["own"].correlation_id) == ("c", "mine")
    assert (got["given"].causation_id, got["given"].correlation_id) == (None, None)


@awaited
async def test_a_conversation_goes_on_through_questions_and_error_handlers():
    client = EventRouterClient(url=address())
    got = []

    @client.respond("ask")
    async def answer(request):
        await client.publish("asked", {})
        return {}

    @client.on("first")
    async def first(event):
        reply = await client.request("ask", {})
        got.append(("reply", reply.correlation_id))
        raise ValueError

    @client.on_error
    async def failed(error, event):
        await client.publish("alert", {})

    @client.on("asked", "alert")
    async def note(event):
        got.append((event.type, event.correlation_id, event.causation_id))

    async with client:
        cause = await client.publish("first", {})
        await until(lambda: len(got) == 3)

    told = {one[0]: one[1:] for one in got}
    assert told["reply"] == (cause,)
    assert told["asked"][0] == cause
    assert told["asked"][1] != cause
    assert told["alert"] == (cause, cause)


# The connection.


@awaited
async def test_a_client_works_again_after_it_was_closed():
    client = EventRouterClient(url=address())
    got = []
    client.on("x")(got.append)
    for number in range(3):
        async with client:
            await client.publish("x", number)
            await until(lambda number=number: len(got) == number + 1)


def test_a_client_outlives_an_event_loop_that_ended_without_closing_it():
    client = EventRouterClient(url=address())
    got = []
    client.on("x")(got.append)

    async def once(number):
        await client.publish("x", number)
        await until(lambda: len(got) == number)

    asyncio.run(once(1))
    asyncio.run(once(2))
    asyncio.run(client.disconnect())


def test_a_client_that_is_connected_elsewhere_says_so():
    client = EventRouterClient(url=address())
    other = asyncio.new_event_loop()
    other.run_until_complete(client.connect())
    with pytest.raises(InvalidRequestError, match="event loop"):
        asyncio.run(client.connect())
    other.run_until_complete(client.disconnect())
    other.close()


@awaited
async def test_a_connection_that_fails_leaves_nothing_half_open():
    client = EventRouterClient(url=address())
    client.on("x")(print)
    subscribe = client.transport.subscribe

    async def refuse(*_):
        raise ConnectionError("away")

    client.transport.subscribe = refuse
    with pytest.raises(ConnectionError):
        await client.connect()
    assert not client.is_connected
    client.transport.subscribe = subscribe
    async with client:
        assert len(await client.transport.subscriptions()) == 1


@awaited
async def test_what_cannot_be_sent_when_the_client_closes_is_told():
    client = EventRouterClient(url=address())
    lost = []
    client.on_error(lambda error, event: lost.append((error, event.payload)))
    await client.connect()

    async def away(_):
        raise PublishError("no", retryable=False)

    client._outbox.send = away
    client.publish_nowait("x", 1)
    await client.disconnect()

    assert [payload for _, payload in lost] == [1]
    assert isinstance(lost[0][0], PublishError)


@awaited
async def test_times_are_those_of_publishing():
    async with EventRouterClient(url=address()) as client:
        got = []
        await client.subscribe("x", handler=got.append)
        before = datetime.now(UTC)
        await client.publish("x")
        await until(lambda: got)
        assert before <= got[0].timestamp <= datetime.now(UTC)
        assert got[0].payload == {}
