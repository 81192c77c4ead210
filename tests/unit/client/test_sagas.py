"""Sagas: each step once, whatever happens to the clients that do them."""

# ruff: noqa: ASYNC110, C901 - a class of many steps

from __future__ import annotations

import asyncio

import pytest

from eventyard import Event, EventRouterClient, InvalidRequestError, compensates
from tests.awaiting import Clock, address, awaited, turns, until


class Orders:
    """A saga of a client, and what it did."""

    def __init__(self, url, clock=None, **options):
        self.client = client = EventRouterClient(url=url)
        if clock is not None:
            client._sagas.clock = clock
        self.did = did = []
        self.gate = gate = asyncio.Event()
        gate.set()
        self.errors = []
        client.on_error(lambda error, event: self.errors.append(error))

        @client.saga("orders", timeout=600, **options)
        class Order:
            @client.on("order.created")
            async def start(self, event):
                self.number = event.payload["id"]
                self.compensate_with("release", {"number": self.number})
                did.append(("start", self.number))
                await gate.wait()
                if event.payload.get("fails"):
                    raise ValueError("no stock")
                await client.publish("stock.reserve", {"order_id": self.number})

            @client.on("stock.reserved", filter={"payload.n": {"$ne": 13}})
            async def reserved(self, event):
                did.append(("reserved", self.number))
                self.compensate_with("refund")
                self.steps = [*getattr(self, "steps", []), event.payload.get("n")]

            @client.on("paid", "delivered")
            def ends(self, event):
                did.append((event.type, self.number))
                self.complete()

            @client.on("refused")
            async def refused(self, event):
                self.compensate()

            @client.on("given.up")
            def given_up(self, event):
                self.fail("given up")

            async def refund(self, event):
                did.append(("refund", event.type))
                await client.publish("refunded", {})

            def release(self, what):
                did.append(("release", what["number"]))
                if what["number"] == "stuck":
                    raise RuntimeError("stuck")

            @compensates
            def close_books(self):
                did.append(("close", self.number))

    async def __aenter__(self):
        await self.client.connect()
        return self

    async def __aexit__(self, *_):
        self.gate.set()
        await self.client.disconnect()

    async def saga(self, key):
        return await self.client._sagas.resume("orders", str(key))

    async def state(self, key):
        saga = await self.saga(key)
        return None if saga is None else saga.saga_state

    async def ends(self, key, state):
        while await self.state(key) != state:
            await asyncio.sleep(0.005)

    async def die(self):
        """Be gone as a process is that was killed."""
        sagas = self.client._sagas
        await sagas.disconnected()
        for one in self.client._subscribing.registered:
            if one.feed is not None:
                task, one.feed._task = one.feed._task, None
                one.feed._leave()
                task.cancel()
        for desk in self.client._subscribing._desks.values():
            desk.cut_off()
        await turns()


async def event_of(client, type_, payload, **fields):
    await client.publish(type_, payload, **fields)
    await turns()


@awaited
async def test_steps_belong_together_by_conversation_or_by_key():
    async with Orders(address()) as orders:
        client = orders.client
        for number in (1, 2):
            await client.publish("order.created", {"id": number})
        await client.publish("stock.reserved", {"order_id": 2, "n": 7})
        await client.publish("stock.reserved", {}, correlation_id="unknown")
        await client.publish("stock.reserved", {"order_id": 9})
        await client.publish("stock.reserved", {"order_id": 1, "n": 13})
        await until(lambda: ("reserved", 2) in orders.did)
        await client.publish("paid", {"order_id": 2})
        await orders.ends(2, "completed")
        assert (await orders.saga(2)).steps == [7]
        assert await orders.state(1) == "running"
        assert await orders.saga("nobody") is None

    assert orders.did == [("start", 1), ("start", 2), ("reserved", 2), ("paid", 2)]


@awaited
async def test_whoever_answers_in_the_conversation_needs_no_key():
    async with Orders(address()) as orders:
        client = orders.client

        @client.on("stock.reserve")
        async def reserve(event):
            await client.publish("stock.reserved", {"n": 1})

        await client.publish("order.created", {"id": 1})
        await until(lambda: ("reserved", 1) in orders.did)


@awaited
async def test_two_sagas_of_one_conversation_are_told_apart_by_their_keys():
    async with Orders(address()) as orders:
        for number in (1, 2):
            await event_of(
                orders.client, "order.created", {"id": number}, correlation_id="c"
            )
        await orders.client.publish("paid", {"order_id": 2}, correlation_id="c")
        await until(lambda: ("paid", 2) in orders.did)
        assert await orders.state(1) == "running"


@awaited
async def test_events_for_a_saga_that_is_over_are_ignored():
    async with Orders(address()) as orders:
        client = orders.client
        await client.publish("order.created", {"id": 1})
        await client.publish("paid", {"order_id": 1})
        await orders.ends(1, "completed")
        await client.publish("delivered", {"order_id": 1})
        await client.publish("order.created", {"id": 1})
        await client.publish("order.created", {"id": 2})
        await until(lambda: ("start", 2) in orders.did)

    assert orders.did == [("start", 1), ("paid", 1), ("start", 2)]


@awaited
async def test_what_was_done_is_undone_the_last_first():
    async with Orders(address()) as orders:
        client, got = orders.client, []
        await client.subscribe("refunded", handler=got.append)
        cause = await client.publish("order.created", {"id": 1})
        await client.publish("stock.reserved", {"order_id": 1}, correlation_id=cause)
        await client.publish("refused", {"order_id": 1})
        await orders.ends(1, "compensated")
        await until(lambda: got)

    assert orders.did[2:] == [("refund", "refused"), ("release", 1), ("close", 1)]


@awaited
async def test_a_step_that_fails_undoes_the_saga_and_is_told():
    async with Orders(address()) as orders:
        await orders.client.publish("order.created", {"id": 1, "fails": True})
        await orders.ends(1, "compensated")
        saga = await orders.saga(1)

    assert [repr(error) for error in orders.errors] == ["ValueError('no stock')"]
    assert saga.reason == "ValueError: no stock"
    assert orders.did == [("start", 1), ("release", 1), ("close", 1)]


@awaited
async def test_what_cannot_be_undone_is_said_and_the_rest_is_undone():
    async with Orders(address()) as orders:
        await orders.client.publish("order.created", {"id": "stuck"})
        await orders.client.publish("refused", {"id": "stuck"})
        await orders.ends("stuck", "failed")
        saga = await orders.saga("stuck")

    assert saga.not_undone == ["release: RuntimeError: stuck"]
    assert orders.did[-1] == ("close", "stuck")


@awaited
async def test_a_saga_that_fails_undoes_nothing():
    async with Orders(address()) as orders:
        await orders.client.publish("order.created", {"id": 1})
        await orders.client.publish("given.up", {"id": 1})
        await orders.ends(1, "failed")
        assert (await orders.saga(1)).reason == "given up"
    assert orders.did == [("start", 1)]


@awaited
async def test_of_two_clients_one_does_each_step():
    url = address()
    async with Orders(url) as one, Orders(url) as other:
        for number in range(20):
            await one.client.publish("order.created", {"id": number})
            await other.client.publish("stock.reserved", {"order_id": number, "n": 1})
        for number in range(20):
            await other.client.publish("paid", {"order_id": number})
        for number in range(20):
            await other.ends(number, "completed")
            assert await one.state(number) == "completed"
        await turns()

    both = one.did + other.did
    assert len(both) == len(set(both)) == 60
    assert one.errors == other.errors == []


@awaited
async def test_what_one_client_left_the_other_sees():
    url = address()
    async with Orders(url) as one, Orders(url) as other:
        await one.client.publish("order.created", {"id": 1})
        await until(lambda: one.did or other.did)
        for number in range(10):
            await other.client.publish("stock.reserved", {"order_id": 1, "n": number})
        await until(lambda: len(one.did + other.did) == 11)
        await one.client.publish("paid", {"order_id": 1})
        await one.ends(1, "completed")
        await other.ends(1, "completed")
        steps = [(await each.saga(1)).steps for each in (one, other)]
    assert steps == [[*range(10)]] * 2


@awaited
async def test_a_step_of_a_client_that_died_is_done_by_the_other_when_its_lease_ends():
    url, clock = address(), Clock()
    one = await Orders(url, clock).__aenter__()
    one.gate.clear()
    await one.client.publish("order.created", {"id": 1})
    await until(lambda: one.did)
    async with Orders(url, clock) as other:
        await other.client.publish("stock.reserved", {"order_id": 1})
        await one.die()
        await turns(500)
        assert other.did == []
        clock.now += 30
        await other.client._sagas.sweep()
        await until(lambda: ("reserved", 1) in other.did)
        assert other.did == [("start", 1), ("reserved", 1)]
    one.gate.set()
    await one.client.disconnect()
    assert one.did == [("start", 1)]


@awaited
async def test_a_client_that_connects_takes_up_what_was_left():
    url, clock = address(), Clock()
    one = await Orders(url, clock).__aenter__()
    await one.client.publish("order.created", {"id": 0})
    await one.client.publish("paid", {"order_id": 0})
    await one.ends(0, "completed")
    one.gate.clear()
    for number in range(1, 6):
        await one.client.publish("order.created", {"id": number})
    await until(lambda: len(one.did) == 7)
    await one.die()
    clock.now += 31
    async with Orders(url, clock) as other:
        await until(lambda: len(other.did) == 5)
        await turns()
        assert sorted(other.did) == [("start", number) for number in range(1, 6)]
        await other.client.publish("paid", {"order_id": 3})
        await other.ends(3, "completed")
    one.gate.set()
    await one.client.disconnect()


@awaited
async def test_compensations_go_on_where_a_client_died():
    url, clock = address(), Clock()
    one = await Orders(url, clock).__aenter__()
    await one.client.publish("order.created", {"id": 1})
    await one.client.publish("stock.reserved", {"order_id": 1})
    await until(lambda: len(one.did) == 2)
    publish, halfway = one.client.publish, asyncio.Event()

    async def hangs(*_, **__):
        halfway.set()
        await asyncio.Event().wait()

    one.client.publish = hangs
    await publish("refused", {"order_id": 1})
    await halfway.wait()
    await one.die()
    clock.now += 31
    async with Orders(url, clock) as other:
        await until(lambda: ("close", 1) in other.did)
        await other.ends(1, "compensated")
    assert other.did == [("refund", "refused"), ("release", 1), ("close", 1)]
    await one.client.disconnect()


@awaited
async def test_a_saga_that_takes_too_long_is_undone_once():
    url, clock = address(), Clock()
    async with Orders(url, clock) as one, Orders(url, clock) as other:
        await one.client.publish("order.created", {"id": 1})
        await until(lambda: one.did or other.did)
        await turns()
        clock.now += 599
        await asyncio.gather(one.client._sagas.sweep(), other.client._sagas.sweep())
        assert await one.state(1) == "running"
        clock.now += 1
        await asyncio.gather(one.client._sagas.sweep(), other.client._sagas.sweep())
        await one.ends(1, "compensated")
        assert (await other.saga(1)).reason == "It took too long."

    both = one.did + other.did
    assert sorted(both) == [("close", 1), ("release", 1), ("start", 1)]


@awaited
async def test_a_time_out_comes_by_itself():
    client, undone = EventRouterClient(url=address()), asyncio.Event()

    @client.saga("short", timeout=0.05)
    class Short:
        @client.on("begun")
        def start(self, event):
            self.compensate_with("undo")

        def undo(self):
            undone.set()

    async with client:
        await client.publish("begun", {"id": 1})
        await undone.wait()


@awaited
async def test_a_step_longer_than_its_lease_is_held():
    url = address()
    async with Orders(url, lease=0.06) as one:
        one.gate.clear()
        await one.client.publish("order.created", {"id": 1})
        await until(lambda: one.did)
        async with Orders(url, lease=0.06) as other:
            await asyncio.sleep(0.2)
            assert other.did == []
            one.gate.set()
            await other.client.publish("paid", {"order_id": 1})
            await other.ends(1, "completed")


@awaited
async def test_events_that_came_while_nobody_was_there_are_handled_later():
    url = address()
    async with Orders(url) as one:
        await one.client.publish("order.created", {"id": 1})
        # A step that is cut off is begun again by somebody once its lease is over.
        log = one.client.transport._router._log
        await until(lambda: any(d.event.type == "saga.step.done" for d in log))
    async with EventRouterClient(url=url) as publisher:
        await publisher.publish("paid", {"order_id": 1})
    async with Orders(url) as other:
        await until(lambda: other.did == [("paid", 1)])
    assert other.errors == []


@awaited
async def test_sagas_outlive_a_reconnection():
    async with Orders(address()) as orders:
        await orders.client.publish("order.created", {"id": 1})
        await until(lambda: orders.did)
        await orders.client.reconnect()
        await orders.client.publish("paid", {"order_id": 1})
        await orders.ends(1, "completed")


@awaited
async def test_what_a_saga_is_to_remember_must_be_json_and_the_rest_is_its_own():
    client, told = EventRouterClient(url=address()), []
    client.on_error(lambda error, _: told.append(str(error)))

    @client.saga("s")
    class Keeps:
        @client.on("begun")
        def start(self, event):
            self._connection = object()
            self.wrong = object()

    async with client:
        await client.publish("begun", {"id": 1})
        await until(lambda: told)
        saga = await client._sagas.resume("s", "1")
    assert "_wrong" in told[0]
    assert saga.saga_state == "compensated"


@awaited
async def test_a_saga_may_inherit_its_steps_and_guard_them():
    client, did = EventRouterClient(url=address()), []

    class Base:
        @client.on("begun")
        @client.error_handler(max_retries=1, delay=0)
        async def start(self, event):
            did.append(event.type)
            if len(did) == 2:
                raise ValueError

    @client.saga("s", starts="also")
    class Child(Base):
        @client.on_pattern(r"also\.(this|that)")
        async def also(self, event):
            did.append(event.type)

    async with client:
        await client.publish("begun", {"id": 1})
        await client.publish("also.other", {"id": 1})
        await client.publish("also.this", {"id": 1})
        await client.publish("begun", {"id": 1})
        await until(lambda: len(did) == 3)
    assert did == ["also.this", "begun", "begun"]


@awaited
async def test_a_saga_of_everything_does_not_follow_its_own_history():
    client, did = EventRouterClient(url=address()), []

    @client.saga("all")
    class All:
        @client.on("**")
        async def start(self, event):
            did.append(event.type)

    async with client:
        await client.publish("x", {"id": 1})
        await until(lambda: did)
        await turns(300)
    assert did == ["x"]


@awaited
async def test_nothing_of_an_encrypted_saga_is_with_the_router():
    client = EventRouterClient(url=address(), encryption={"key": b"k" * 32})
    done = asyncio.Event()

    @client.saga("s")
    class Secret:
        @client.on("begun")
        async def start(self, event):
            self.card = event.payload["card"]

        @client.on("ended")
        async def end(self, event):
            assert self.card == "4111"
            self.complete()
            done.set()

    async with client:
        await client.publish("begun", {"id": 1, "card": "4111"})
        await client.publish("ended", {"id": 1})
        await done.wait()
        router = client.transport._router
        texts = [e.to_json() for events in router.streams.values() for e in events]
    assert texts
    assert not any("4111" in text for text in texts)


def test_a_saga_that_makes_no_sense_is_refused():
    client = EventRouterClient(url=address())
    with pytest.raises(InvalidRequestError, match="no step"):
        client.saga("s")(type("Empty", (), {}))

    class Steps:
        @client.on("a")
        def start(self, event):
            pass

    with pytest.raises(InvalidRequestError, match="no option 'colour'"):
        client.saga("s", colour=1)(Steps)
    with pytest.raises(InvalidRequestError, match="no step 'begin'"):
        client.saga("s", starts=["begin"])(Steps)
    saga = client.saga("s")(Steps)
    instance = client._sagas.defined["s"].new("id")
    with pytest.raises(InvalidRequestError, match="no method"):
        instance.compensate_with("nothing")
    assert saga.__name__ == "Steps"


def test_keys_that_are_none_name_no_saga():
    definition = Orders(address()).client._sagas.defined["orders"]
    for payload in (None, 7, [], {"id": ""}, {"id": None}, {"id": {}}):
        assert definition.own_keys(Event("x", payload)) == []
    assert definition.own_keys(Event("x", {"id": 7, "order_id": "a b"})) == ["a b", "7"]
    assert len(definition.address("x" * 10_000)) < 128
