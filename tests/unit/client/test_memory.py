"""The router in this process, as transports are used."""

from __future__ import annotations

import asyncio
import threading

import pytest

from eventyard import ConflictError, Event, NotFoundError
from eventyard.transports import _broker
from eventyard.transports.base import Commit, Wish
from eventyard.transports.memory import Broker, MemoryTransport
from tests.awaiting import awaited, turns, until


@pytest.fixture
def name(request):
    yield request.node.name
    Broker.forget(request.node.name)


async def published(transport, *payloads, **fields):
    events = tuple(Event("x", payload, **fields) for payload in payloads)
    return await transport.publish(Commit(events, f"key-{events[0].id}"))


@awaited
async def test_clients_of_one_name_share_a_router_and_others_do_not(name):
    one, same, other = (
        MemoryTransport("a", name),
        MemoryTransport("b", name),
        MemoryTransport("c", name + "2"),
    )
    got = []

    async def sink(delivery):
        got.append(delivery.event.payload)

    await same.subscribe(Wish(("x",)), sink)
    await other.subscribe(Wish(("x",)), sink)
    await published(one, 1)
    await until(lambda: got)
    await turns()
    assert got == [1]
    await same.close()
    await other.close()
    Broker.forget(name + "2")


@awaited
async def test_a_feed_has_the_log_in_order_also_behind_a_cursor(name):
    transport, got = MemoryTransport("a", name), []

    async def sink(delivery):
        got.append((delivery.cursor, delivery.event.payload))

    first = await transport.subscribe(Wish(("x",), {"payload": {"$gt": 0}}), sink)
    await published(transport, *range(5))
    await until(lambda: len(got) == 4)
    assert got == sorted(got)
    middle = got[1][0]
    await first.close()
    await published(transport, 5)
    got.clear()
    await transport.subscribe(Wish(("x",), None, middle), sink)
    await published(transport, 6)
    await until(lambda: len(got) == 4)
    assert [payload for _, payload in got] == [3, 4, 5, 6]
    await transport.close()
    await published(transport, 7)
    await turns()
    assert len(got) == 4


@awaited
async def test_a_commit_is_answered_as_it_was_the_first_time(name):
    transport = MemoryTransport("a", name)
    commit = Commit((Event("x"), Event("x")), "key")
    first = await transport.publish(commit)
    again = await transport.publish(Commit((Event("y"),), "key"))
    assert [one.deduplicated for one in first] == [False, False]
    assert [one.deduplicated for one in again] == [True, True]
    assert [one.event_id for one in again] == [one.event_id for one in first]


@awaited
async def test_claims_and_dead_letters_and_the_log_are_bounded(name, monkeypatch):
    for bound in ("_MOST_CLAIMS", "_MOST_DEAD"):
        monkeypatch.setattr(_broker, bound, 3)
    transport = MemoryTransport("a", name)
    for number in range(5):
        await published(transport, number)
        await transport.bury(Event("x", number), "a/h", "no", 1)
    assert len(Broker.named(name)._claims) == 3
    letters = await transport.dead_letters()
    assert [letter.event.payload for letter in letters] == [4, 3, 2]
    assert len(await transport.dead_letters(1)) == 1


@awaited
async def test_a_dead_letter_that_is_none_is_not_found_and_none_is_retried(name):
    transport = MemoryTransport("a", name)
    await transport.bury(Event("x"), "a/h", "no", 1)
    (letter,) = await transport.dead_letters()
    with pytest.raises(NotFoundError, match="dead_nothing"):
        await transport.retry([letter.id, "dead_nothing"])
    assert await transport.retry([letter.id]) == 1
    assert await transport.retry([]) == 0


@awaited
async def test_a_position_never_goes_back(name):
    transport = MemoryTransport("a", name)
    assert await transport.position("p") is None
    for cursor in ("0002", "0001", "0003"):
        await transport.keep_position("p", cursor)
    assert await transport.position("p") == "0003"


@awaited
async def test_a_stream_that_is_elsewhere_by_now_is_a_conflict_with_both_versions(name):
    transport = MemoryTransport("a", name)
    assert await transport.append("s", [Event("x"), Event("x")], 0) == 2
    with pytest.raises(ConflictError) as caught:
        await transport.append("s", [Event("x")], 1)
    assert caught.value.details == {"version": 2, "expected_version": 1}
    page = await transport.read("s", 0, None, 1)
    page[0].payload["spoiled"] = True
    assert (await transport.read("s", 1, 1, 9))[0].payload == {}


@awaited
async def test_it_tells_who_is_there_and_how_it_does(name):
    transport = MemoryTransport("me", name)

    async def sink(_):
        pass

    await transport.connect()
    assert transport.watched.state == "connected"
    feed = await transport.subscribe(Wish(("x", "y.*")), sink)
    await published(transport, 1, 2)
    stats = await transport.stats()
    assert (stats["events_published"], stats["events_delivered"]) == (2, 2)
    assert stats["active_subscriptions"] == 1
    assert await transport.subscriptions() == [
        {"id": feed.id, "topics": ["x", "y.*"], "client_id": "me"}
    ]
    assert (await transport.health())["status"] == "healthy"
    caller = await transport.whoami()
    assert (caller.id, caller.has_permission("anything")) == ("me", True)
    await transport.close()
    assert transport.watched.state == "closed"


@awaited
async def test_listeners_hear_of_each_change_once(name):
    transport, heard = MemoryTransport("a", name), []
    transport.watched.listeners.append(heard.append)
    await transport.connect()
    await transport.connect()
    await transport.close()
    assert heard == ["connected", "closed"]


@awaited
async def test_threads_share_a_router(name):
    here, got, answers = MemoryTransport("here", name), [], []

    async def sink(delivery):
        got.append(delivery.event.payload)

    async def answer(delivery):
        await here.reply(delivery.event, {"payload": {"sum": 3}})

    await here.subscribe(Wish(("x",)), sink)
    await here.subscribe(Wish(("ask",)), answer)

    async def elsewhere():
        there = MemoryTransport("there", name)
        await published(there, *range(100))
        answers.append(await there.request(Event("ask"), 20))

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    await until(lambda: len(got) == 100 and answers)
    thread.join()
    await here.close()
    assert got == [*range(100)]
    assert answers[0].payload == {"sum": 3}


def test_a_subscriber_whose_loop_ended_is_forgotten(name):
    transport = MemoryTransport("a", name)

    async def sink(_):
        pass

    async def subscribe():
        await transport.subscribe(Wish(("x",)), sink)
        await turns()

    asyncio.run(subscribe())
    asyncio.run(published(transport, 1))
    assert asyncio.run(transport.subscriptions()) == []
