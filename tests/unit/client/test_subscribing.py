"""Subscribing over the router in this process."""

# ruff: noqa: PERF401, PT012 - what came is seen while it comes

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from eventyard import Event, EventRouterClient, PublishError, SubscriptionError
from eventyard.patterns.subscription import MOST_WAITING
from tests.awaiting import address, awaited, turns, until


@awaited
async def test_handlers_get_what_fits_their_topics_patterns_and_filters():
    client = EventRouterClient(url=address())
    got = []

    def note(name):
        return lambda event: got.append((name, event.type))

    client.on("user.created", "user.deleted")(note("types"))
    client.on("order.*")(note("star"))
    client.on_pattern(r"order\.(created|updated)")(note("regex"))
    client.on("pay", filter={"payload.amount": {"$gt": 100}})(note("filter"))
    client.on("pay", local_filter={"payload.amount": {"$lt": 100}})(note("local"))

    async with client:
        for type_ in ("user.created", "user.changed", "order.created", "order.sent"):
            await client.publish(type_, {})
        await client.publish("order.created.again", {})
        await client.publish("pay", {"amount": 50})
        await client.publish("pay", {"amount": 150})
        await until(lambda: len(got) == 6)
        await turns()

    assert sorted(got) == [
        ("filter", "pay"),
        ("local", "pay"),
        ("regex", "order.created"),
        ("star", "order.created"),
        ("star", "order.sent"),
        ("types", "user.created"),
    ]


@awaited
async def test_a_handler_that_is_registered_twice_has_each_event_once():
    client = EventRouterClient(url=address())
    got = []

    @client.on("user.created")
    @client.on("user.*", "user.created")
    async def note(event):
        got.append(event.payload)

    async with client:
        for number in range(5):
            await client.publish("user.created", number)
        await client.publish("user.changed", 5)
        await until(lambda: len(got) == 6)
        await turns()

    assert sorted(got) == [0, 1, 2, 3, 4, 5]


@awaited
async def test_a_handler_may_be_registered_while_connected():
    async with EventRouterClient(url=address()) as client:
        got = []
        client.on("x")(got.append)
        await client.connect()
        await client.publish("x", 1)
        await until(lambda: got)


@awaited
async def test_an_error_costs_one_event_and_is_told_with_it():
    client = EventRouterClient(url=address())
    got, told = [], []

    @client.on("x")
    def handle(event):
        if event.payload == 1:
            raise ValueError("one")
        got.append(event.payload)

    @client.on_error
    async def first(error, event):
        raise RuntimeError("error handlers fail as well")

    @client.on_error
    def second(error, event):
        told.append((repr(error), event.payload))

    async with client:
        for number in range(3):
            await client.publish("x", number)
        await until(lambda: len(got) == 2 and told)

    assert got == [0, 2]
    assert told == [("ValueError('one')", 1)]


@awaited
async def test_a_handler_whose_own_waiting_was_cancelled_costs_one_event():
    client = EventRouterClient(url=address())
    got, told = [], []
    client.on_error(lambda error, event: told.append(event.payload))

    @client.on("x")
    async def handle(event):
        if event.payload == 0:
            raise asyncio.CancelledError
        got.append(event.payload)

    async with client:
        await client.publish("x", 0)
        await client.publish("x", 1)
        await until(lambda: got == [1] and told == [0])


@pytest.mark.parametrize(
    ("topics", "options", "says"),
    [
        ([], {}, "Name a topic"),
        (["a b"], {}, "a b"),
        ([len], {}, "in parentheses"),
        (["a"], {"filter": {"x": {"$nope": 1}}}, "nope"),
        (["a"], {"local_filter": {"x": {"$nope": 1}}}, "nope"),
        (["a"], {"colour": 1}, "no option 'colour'"),
        (["a"], {"concurrency": 0}, "concurrency"),
        (["a"], {"concurrency": "many"}, "concurrency"),
    ],
)
def test_a_subscription_that_makes_no_sense_is_refused_at_once(topics, options, says):
    client = EventRouterClient(url=address())
    with pytest.raises(SubscriptionError, match=says):
        client.on(*topics, **options)(print)


def test_a_regex_that_is_none_is_refused():
    with pytest.raises(SubscriptionError, match="no regex"):
        EventRouterClient(url=address()).on_pattern("(")


# Subscriptions as objects.


@awaited
async def test_a_subscription_ends_and_its_handler_first():
    async with EventRouterClient(url=address()) as client:
        got, begun, go = [], asyncio.Event(), asyncio.Event()

        async def handle(event):
            begun.set()
            await go.wait()
            got.append(event.payload)

        subscription = await client.subscribe(["x", "y"], handler=handle)
        assert subscription.is_active
        assert subscription.id
        assert subscription.topics == ("x", "y")
        await client.publish("x", 1)
        await client.publish("x", 2)
        await begun.wait()
        ending = asyncio.create_task(subscription.unsubscribe())
        await turns()
        assert not ending.done()
        go.set()
        await ending
        await client.publish("x", 3)
        await turns()

        assert got == [1]
        assert await client.transport.subscriptions() == []


@pytest.mark.parametrize("concurrency", [1, 5])
@awaited
async def test_a_handler_may_end_its_own_subscription(concurrency):
    async with EventRouterClient(url=address()) as client:
        got = []

        async def once(event):
            got.append(event.payload)
            await subscription.unsubscribe()
            got.append("ended")

        subscription = await client.subscribe(
            "x", handler=once, concurrency=concurrency
        )
        await client.publish("x", 1)
        await until(lambda: len(got) == 2)
        await client.publish("x", 2)
        await turns()
        assert got == [1, "ended"]


@pytest.mark.parametrize("concurrency", [1, 5])
@awaited
async def test_a_handler_may_close_its_client(concurrency):
    client = EventRouterClient(url=address())
    done = asyncio.Event()

    @client.on("x", concurrency=concurrency)
    async def close(event):
        await client.disconnect()
        done.set()

    await client.connect()
    await client.publish("x", 1)
    await done.wait()
    assert not client.is_connected


@awaited
async def test_handlers_end_before_the_connection_and_may_publish_until_then():
    url = address()
    client, other = EventRouterClient(url=url), EventRouterClient(url=url)
    got, begun, go = [], asyncio.Event(), asyncio.Event()

    @client.on("x")
    async def handle(event):
        begun.set()
        await go.wait()
        await client.publish("y", {})
        client.publish_nowait("y", {})

    async with other:
        await other.subscribe("y", handler=got.append)
        await client.connect()
        await client.publish("x", {})
        await begun.wait()
        closing = asyncio.create_task(client.disconnect())
        await turns()
        go.set()
        await closing
        await until(lambda: len(got) == 2)


@awaited
async def test_a_handler_that_never_ends_is_cut_off(monkeypatch):
    monkeypatch.setattr("eventyard.client._PATIENCE_S", 0.05)
    for concurrency in (1, 3):
        client = EventRouterClient(url=address())
        begun, cut = asyncio.Event(), asyncio.Event()

        @client.on("x", concurrency=concurrency)
        async def handle(event, begun=begun, cut=cut):
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cut.set()

        async with client:
            await client.publish("x", {})
            await begun.wait()
        assert cut.is_set()


@awaited
async def test_a_handler_that_takes_its_cancellation_for_something_else_is_ended(
    monkeypatch,
):
    monkeypatch.setattr("eventyard.client._PATIENCE_S", 0.01)
    client, cut = EventRouterClient(url=address()), []

    @client.on("x")
    async def stubborn(event):
        while len(cut) < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cut.append(event.payload)

    async with client:
        await client.publish_batch([("x", 1), ("x", 2)])
        await turns()
    assert cut == [1, 1, 1]


@awaited
async def test_iterating_ends_with_the_subscription_behind_what_waits():
    async with EventRouterClient(url=address()) as client:
        got = []
        async with client.subscribe("test.*") as subscription:
            await client.publish("test.a", {})
            await client.publish("test.b", {"stop": True})
            await client.publish("test.c", {})
            async for event in subscription:
                got.append(event.type)
                if event.payload.get("stop"):
                    break
        rest = [event.type async for event in _until_ended(subscription)]

    assert got == ["test.a", "test.b"]
    assert rest == ["test.c"]


async def _until_ended(subscription):
    while (event := await subscription.next()) is not None:
        yield event


@awaited
async def test_a_subscription_whose_queue_is_full_ends():
    for concurrency in (1, 4):
        async with EventRouterClient(url=address()) as client:
            subscription = await client.subscribe("x", concurrency=concurrency)
            events = [("x", n) for n in range(MOST_WAITING + 50)]
            await client.publish_batch(events)
            await until(lambda s=subscription: len(s._waiting) == MOST_WAITING)
            await turns()
            await subscription.unsubscribe()
            left = [event.payload async for event in _until_ended(subscription)]
        assert left == [*range(MOST_WAITING)]


@awaited
async def test_whoever_iterates_slowly_misses_nothing():
    async with EventRouterClient(url=address()) as client:
        total, got = MOST_WAITING * 2 + 7, []
        async with client.subscribe("x") as subscription:
            await client.publish_batch([("x", n) for n in range(total)])
            async for event in subscription:
                got.append(event.payload)
                if len(got) == total:
                    break
        assert got == [*range(total)]


@awaited
async def test_closing_the_client_ends_iterations_and_reconnecting_does_not():
    client = await EventRouterClient(url=address()).connect()
    got = []

    async def iterate():
        async for event in client.subscribe("x"):
            got.append(event.payload)

    iterating = asyncio.create_task(iterate())
    await until(lambda: client._subscribing.registered)
    await turns()
    await client.publish("x", 1)
    await until(lambda: got == [1])
    await client.reconnect()
    await client.publish("x", 2)
    await until(lambda: got == [1, 2])
    await client.disconnect()
    await iterating


@awaited
async def test_reconnecting_keeps_registrations_and_what_came_meanwhile():
    url = address()
    client, other = EventRouterClient(url=url), EventRouterClient(url=url)
    got = []
    client.on("x")(lambda event: got.append(event.payload))
    async with client, other:
        await client.subscribe("x", handler=lambda event: got.append(event.payload))
        await other.publish("x", 1)
        await until(lambda: got == [1, 1])
        connect = client.transport.connect

        async def slowly():
            await other.publish("x", 2)
            await connect()

        client.transport.connect = slowly
        await client.reconnect()
        await other.publish("x", 3)
        await until(lambda: len(got) == 6)
        await turns()

    assert sorted(got) == [1, 1, 2, 2, 3, 3]


@awaited
async def test_next_returns_nothing_when_the_time_is_over():
    async with EventRouterClient(url=address()) as client:
        subscription = await client.subscribe("x")
        assert await subscription.next(0.001) is None
        await client.publish("x", 1)
        assert (await subscription.next(5)).payload == 1


# Streams.


@awaited
async def test_a_stream_yields_events_or_lists_of_them():
    async with EventRouterClient(url=address()) as client:
        singles, lists = [], []

        async def one_by_one():
            async for event in client.stream("log.*"):
                singles.append(event.payload)

        async def in_lists():
            async for batch in client.stream("log.*", batch_size=3, timeout=0.05):
                lists.append([event.payload for event in batch])

        tasks = [asyncio.create_task(act()) for act in (one_by_one, in_lists)]
        await until(lambda: len(client._subscribing._desks) == 2)
        await turns()
        await client.publish_batch([("log.a", n) for n in range(8)])
        await until(lambda: len(singles) == 8 and sum(map(len, lists)) == 8)
    await asyncio.gather(*tasks)

    assert singles == [*range(8)]
    assert lists == [[0, 1, 2], [3, 4, 5], [6, 7]]


@awaited
async def test_leaving_a_stream_ends_its_subscription():
    async with EventRouterClient(url=address()) as client:
        stream = client.stream("x")
        first = asyncio.create_task(anext(stream))
        await until(lambda: client._subscribing._desks)
        await turns()
        await client.publish("x", 1)
        assert (await first).payload == 1
        await stream.aclose()
        assert await client.transport.subscriptions() == []
        with pytest.raises(SubscriptionError):
            client.stream("x", batch_size=0)


# Side by side, and in order.


@awaited
async def test_so_many_events_are_handled_side_by_side_and_no_more():
    async with EventRouterClient(url=address()) as client:
        now, most, done = 0, 0, 0

        async def handle(event):
            nonlocal now, most, done
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1
            done += 1

        await client.subscribe("x", handler=handle, concurrency=7)
        await client.publish_batch([("x", n) for n in range(100)])
        await until(lambda: done == 100)

    assert most == 7


@awaited
async def test_events_of_one_order_stay_in_it_and_others_go_on():
    async with EventRouterClient(url=address()) as client:
        got, go = {}, asyncio.Event()

        async def handle(event):
            if event.payload["user"] == "slow":
                await go.wait()
            await asyncio.sleep(0)
            got.setdefault(event.payload["user"], []).append(event.payload["n"])

        await client.subscribe(
            "x", handler=handle, concurrency=50, order_by=lambda e: e.payload["user"]
        )
        users = ["slow", "a", "b"]
        await client.publish_batch(
            [("x", {"user": users[n % 3], "n": n}) for n in range(60)]
        )
        await until(lambda: len(got.get("a", [])) == 20 == len(got.get("b", [])))
        assert "slow" not in got
        go.set()
        await until(lambda: len(got.get("slow", [])) == 20)

    assert all(numbers == sorted(numbers) for numbers in got.values())


@awaited
async def test_an_event_without_an_order_is_told_and_costs_no_other():
    client = EventRouterClient(url=address())
    got, told = [], []
    client.on_error(lambda error, event: told.append((type(error), event.payload)))
    async with client:
        await client.subscribe(
            "x",
            handler=lambda event: got.append(event.payload),
            concurrency=2,
            order_by=lambda event: event.payload["user"],
        )
        for payload in ({}, {"user": []}, {"user": 1}):
            await client.publish("x", payload)
        await until(lambda: got)

    assert told == [(KeyError, {}), (TypeError, {"user": []})]
    assert got == [{"user": 1}]


# Durable.


@awaited
async def test_a_durable_subscription_goes_on_where_it_was():
    url = address()
    publisher = await EventRouterClient(url=url).connect()
    got = []
    for round_ in range(3):
        async with EventRouterClient(url=url) as client:
            await client.subscribe("x", handler=got.append, durable="mine")
            await publisher.publish("x", round_ * 2)
            await until(lambda r=round_: len(got) == r * 2 + 1)
        await publisher.publish("x", round_ * 2 + 1)
    async with EventRouterClient(url=url) as client:
        await client.subscribe("x", handler=got.append, durable="mine")
        await until(lambda: len(got) == 6)
        await turns()
    await publisher.disconnect()

    assert [event.payload for event in got] == [0, 1, 2, 3, 4, 5]


@awaited
async def test_the_position_is_never_behind_an_event_that_is_not_handled(monkeypatch):
    monkeypatch.setattr("eventyard.client._PATIENCE_S", 0.05)
    url = address()
    again = []
    async with EventRouterClient(url=url) as client:

        async def handle(event):
            if event.payload == 3:
                await asyncio.Event().wait()

        await client.subscribe("x", handler=handle, durable="d", concurrency=4)
        await client.publish_batch([("x", n) for n in range(10)])
        await turns()
    async with EventRouterClient(url=url) as client:
        await client.subscribe("x", handler=again.append, durable="d")
        await until(lambda: len(again) == 7)

    assert [event.payload for event in again] == [3, 4, 5, 6, 7, 8, 9]


@awaited
async def test_the_position_is_kept_though_no_more_events_come(monkeypatch):
    monkeypatch.setattr("eventyard.patterns.positions._EVERY_S", 0.01)
    async with EventRouterClient(url=address()) as client:
        await client.subscribe("x", handler=lambda _: None, durable="d")
        for number in range(3):
            await client.publish("x", number)
        last = client.transport._router.last
        kept = client.transport._router.positions
        await until(lambda: kept.get("d") == last)


@awaited
async def test_what_a_durable_iteration_had_in_hand_when_it_failed_comes_again():
    url = address()
    async with EventRouterClient(url=url) as client:
        with pytest.raises(KeyError):
            async with client.subscribe("x", durable="d") as subscription:
                await client.publish_batch([("x", n) for n in range(5)])
                async for event in subscription:
                    if event.payload == 2:
                        raise KeyError
        got = []
        async with client.subscribe("x", durable="d") as subscription:
            async for event in subscription:
                got.append(event.payload)
                if event.payload == 4:
                    break
        assert got == [2, 3, 4]
        async with client.subscribe("x", durable="d") as subscription:
            assert await subscription.next(0.01) is None


@awaited
async def test_a_durable_batch_is_handled_when_the_next_one_is_asked_for():
    url, done = address(), []

    async def work(client, fails_at):
        async with aclosing(client.stream("x", 3, 0.02, durable="d")) as batches:
            async for batch in batches:
                got = [event.payload for event in batch]
                if fails_at in got:
                    raise KeyError
                done.extend(got)
                if done[-1] == 6:
                    break

    for fails_at in (4, None):
        async with EventRouterClient(url=url) as client:
            working = asyncio.create_task(work(client, fails_at))
            await until(lambda c=client: c._subscribing._desks)
            if fails_at:
                await client.publish_batch([("x", n) for n in range(7)])
            await asyncio.wait([working])
            assert bool(working.exception()) is bool(fails_at)

    assert done == [0, 1, 2, 3, 4, 5, 6]


@awaited
async def test_what_waits_for_a_durable_batch_is_bounded_and_in_order():
    async with EventRouterClient(url=address()) as client:
        batches = client.stream("x", 2, durable="d")
        first = asyncio.create_task(anext(batches))
        await until(lambda: client._subscribing._desks)
        await client.publish_batch([("x", n) for n in range(50)])
        assert [event.payload for event in await first] == [0, 1]
        await turns()
        (desk,) = client._subscribing._desks.values()
        assert len(desk._busy) == 2
        more = [await anext(batches) for _ in range(24)]
        assert [e.payload for batch in more for e in batch] == [*range(2, 50)]
        await batches.aclose()


@awaited
async def test_a_subscription_may_begin_in_the_past():
    async with EventRouterClient(url=address()) as client:
        await client.publish("x", 1)
        cursor = client.transport._router.last
        await client.publish("x", 2)
        async with client.subscribe("x", since=cursor) as subscription:
            assert (await subscription.next()).payload == 2


# Too much.


@awaited
async def test_whoever_publishes_waits_for_subscribers_that_have_too_much(monkeypatch):
    monkeypatch.setattr("eventyard.transports._broker._MOST_WAITING", 10)
    async with EventRouterClient(url=address(), batch_timeout=0) as client:
        go, got = asyncio.Event(), []

        async def handle(event):
            await go.wait()
            got.append(event.payload)

        await client.subscribe("x", handler=handle)
        for number in range(11):
            await client.publish("x", number)
        waiting = asyncio.create_task(client.publish("x", 11))
        client.publish_nowait("x", 12)
        await client.publish("elsewhere", {})
        await turns()
        assert not waiting.done()
        go.set()
        await waiting
        await until(lambda: len(got) == 13)


@awaited
async def test_a_handler_that_publishes_more_than_there_is_room_for_goes_on(
    monkeypatch,
):
    monkeypatch.setattr("eventyard.transports._broker._MOST_WAITING", 10)
    async with EventRouterClient(url=address()) as client:
        done = asyncio.Event()

        async def handle(event):
            if event.payload == 0:
                await client.publish_batch([("x", n) for n in range(1, 200)])
            if event.payload == 199:
                done.set()

        await client.subscribe("x", handler=handle)
        await client.publish("x", 0)
        await done.wait()


@awaited
async def test_publishing_without_waiting_says_what_it_drops(monkeypatch):
    monkeypatch.setattr("eventyard.transports._broker._MOST_WAITING", 1)
    client = EventRouterClient(url=address(), buffer_size=5, batch_size=5)
    lost, got, go = [], [], asyncio.Event()
    client.on_error(lambda error, event: lost.append((error.code, event.payload)))

    @client.on("x")
    async def handle(event):
        await go.wait()
        got.append(event.payload)

    async with client:
        client.publish_nowait("x", -1)
        client.publish_nowait("x", -2)
        await client.flush()
        for number in range(8):
            client.publish_nowait("x", number)
        await until(lambda: len(lost) == 3)
        go.set()
        await until(lambda: len(got) == 7)

    assert lost == [("buffer_full", number) for number in range(3)]
    assert got == [-1, -2, 3, 4, 5, 6, 7]


@awaited
async def test_a_policy_that_cannot_wait_raises():
    async with EventRouterClient(
        url=address(), buffer_size=1, overflow="block"
    ) as client:
        client.publish_nowait("x", 1)
        with pytest.raises(PublishError) as caught:
            client.publish_nowait("x", 2)
        assert caught.value.retryable


@awaited
async def test_an_event_of_its_own_making_may_be_published_again():
    async with EventRouterClient(url=address()) as client:
        got = []
        await client.subscribe("x", handler=got.append)
        await client.publish(Event("x", 1, id="a"))
        await client.publish(Event("x", 2, id="b"))
        await until(lambda: len(got) == 2)
