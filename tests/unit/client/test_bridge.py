"""A bus and a router hear one another: each event once, whatever way it came."""

from __future__ import annotations

import asyncio

import pytest

from eventyard.client import EventRouterClient
from eventyard.core.ulid import new_ulid
from eventyard.events import Event, EventBus, EventType, event_bus
from tests.awaiting import awaited, until


class Side:
    """A process: its bus, its client, and what was heard on the bus."""

    def __init__(self, url, **options):
        self.bus = EventBus.separate()
        self.client = EventRouterClient(url=url)
        self.heard = []
        self.bus.subscribe("**", self.heard.append)
        self.bridge = self.client.bridge(self.bus, **options)

    async def __aenter__(self):
        await self.bridge.open()
        return self

    async def __aexit__(self, *_):
        await self.bridge.close()
        await self.client.close()


@pytest.fixture
def url():
    return f"memory://{new_ulid()}"


def ids(events):
    return [one.id for one in events]


@pytest.mark.parametrize("acknowledged", [False, True])
@awaited
async def test_what_is_said_on_one_bus_is_heard_on_the_other_once(url, acknowledged):
    async with Side(url, acknowledged=acknowledged) as a, Side(url) as b:
        said = [
            Event(EventType.TASK_CREATED, {"n": n}, circle_id=n, source_agent_id=7)
            for n in range(50)
        ]
        for event in said:
            await a.bus.publish(event)
        await b.bus.publish(last := Event(EventType.TASK_COMPLETED, {"task_id": 1}))
        await until(lambda: len(b.heard) == 51 and last.id in ids(a.heard))
        await asyncio.sleep(0.05)
        assert (
            sorted(ids(a.heard)) == sorted(ids(b.heard)) == sorted(ids([*said, last]))
        )
        there = next(one for one in b.heard if one.circle_id == 3)
        assert (there.payload, there.source_agent_id) == ({"n": 3}, 7)
        assert there.source == a.client.client_id
        assert (there.causation_id, there.correlation_id) == (None, None)


@awaited
async def test_only_what_the_patterns_say_crosses(url):
    async with Side(url, outward=["out.*"], inward=["in.*"]) as a:
        router = EventRouterClient(url=url)
        got = []
        router.on("**")(got.append)
        async with router:
            for topic in ("out.a", "in.a", "task.created", "out.last"):
                await a.bus.publish(Event(topic))
            for topic in ("in.b", "out.b", "task.created", "in.last"):
                await router.publish(topic)
            await until(lambda: "in.last" in [one.type for one in a.heard])
            await until(lambda: "out.last" in [one.type for one in got])
        assert [one.type for one in a.heard][4:] == ["in.b", "in.last"]
        assert [one.type for one in got if one.source != router.client_id] == [
            "out.a",
            "out.last",
        ]


@awaited
async def test_what_an_event_from_afar_leads_to_has_it_as_its_cause(url):
    async with Side(url) as a, Side(url) as b:
        b.bus.subscribe(
            EventType.TASK_CREATED,
            lambda _: b.bus.publish(Event(EventType.TASK_ASSIGNED)),
        )
        answer = a.bus.expect(EventType.TASK_ASSIGNED)
        asked = Event(EventType.TASK_CREATED)
        await a.bus.publish(asked)
        told = await answer
        assert (told.causation_id, told.correlation_id) == (asked.id, asked.id)


@awaited
async def test_two_processes_that_answer_each_other_for_ever_come_to_an_end(url):
    async with Side(url) as a, Side(url) as b:
        for side in (a, b):
            side.bus.configure(max_chain=6)
        a.bus.subscribe("task.ping", lambda _: a.bus.publish(Event("task.pong")))
        b.bus.subscribe("task.pong", lambda _: b.bus.publish(Event("task.ping")))
        await a.bus.publish(Event("task.ping"))
        await until(lambda: a.bus.get_stats()["handler_errors"] == 1)
        assert len(a.heard) == len(b.heard) == 7


@awaited
async def test_a_bridge_that_was_closed_carries_nothing_and_may_be_opened_again(url):
    async with Side(url) as a, Side(url) as b:
        await a.bridge.close()
        await a.bus.publish(Event("task.a"))
        await b.bus.publish(Event("task.b"))
        await b.client.flush()
        async with a.bridge:
            await a.bus.publish(Event("task.c"))
            await until(lambda: "task.c" in [one.type for one in b.heard])
        assert [one.type for one in b.heard] == ["task.b", "task.c"]
        assert [one.type for one in a.heard] == ["task.a", "task.c"]


@awaited
async def test_a_durable_bridge_brings_what_came_meanwhile(url):
    async with Side(url, durable="desk") as a, Side(url) as b:
        await b.bus.publish(Event("task.first"))
        await until(lambda: a.heard)
        await a.bridge.close()
        await b.bus.publish(Event("task.meanwhile"))
        await b.client.flush()
        async with a.bridge:
            await until(lambda: len(a.heard) == 2)
        assert [one.type for one in a.heard] == ["task.first", "task.meanwhile"]


def test_the_bus_of_this_process_is_bridged_unless_another_is_named():
    client = EventRouterClient()
    assert client.bridge()._bus is event_bus
