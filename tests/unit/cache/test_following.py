"""Events end what they make untrue, from this process's bus or from a client."""

from __future__ import annotations

import asyncio

import pytest

from eventyard import Event, EventBus, EventRouterClient
from eventyard.cache import _telling
from eventyard.events import EventType, event_bus
from eventyard.telemetry.runtime import telemetry
from tests.awaiting import address, awaited, until
from tests.unit.cache.conftest import wait_until

MEMBERS = {3: (1, "bob"), 4: ()}
AGENTS = (1, 2, "bob")


@pytest.fixture
def bus():
    return EventBus.separate()


@pytest.fixture
def filled(cache):
    """A cache in which three agents recalled something, and two circles are known."""
    for agent in AGENTS:
        cache.set_rag_results(agent, "q", [agent])
        cache.set_rag_results(agent, "q", [agent], variant="limit=1")
    for circle in (3, 4):
        cache.set_circle_context(circle, {"circle": circle})
    return cache


def left(cache):
    agents = [one for one in AGENTS if cache.get_rag_results(one, "q") is not None]
    circles = [one for one in (3, 4) if cache.get_circle_context(one) is not None]
    return agents, circles


@pytest.mark.parametrize(
    ("event", "agents"),
    [
        (Event("memory.created", {}, source_agent_id=1), [2, "bob"]),
        (Event("memory.created", {}, source_agent_id="1"), [2, "bob"]),
        (Event("memory.created", {"agent_id": 2}), [1, "bob"]),
        (Event("memory.shared", {}, source_agent_id=2, circle_id=3), []),
        (Event("memory.shared", {"circle_id": 3}), [2]),
        (Event("memory.shared", {}, source_agent_id=2, circle_id=4), [1, "bob"]),
        (Event("memory.shared", {}, source_agent_id=2, project_id=9), []),
        (Event("memory.shared", {"scope": "global"}, source_agent_id=2), []),
        (Event("memory.forgotten", {"memory_id": "m"}, source_agent_id=2), [1, "bob"]),
        (Event("memory.forgotten", {}, source_agent_id=2, circle_id=3), []),
        (Event("memory.recalled", {}, source_agent_id=1), [1, 2, "bob"]),
        (Event("circle.member.removed", {"agent_id": 1}, circle_id=4), [2, "bob"]),
    ],
)
@awaited
async def test_a_memory_ends_what_those_concerned_recalled(filled, bus, event, agents):
    filled.follow(bus, members=lambda circle: MEMBERS[int(circle)])
    await bus.publish(event)
    assert left(filled)[0] == agents


@awaited
async def test_projects_are_asked_for_their_agents(filled, bus):
    filled.follow(bus, project_members=lambda project: [2] if project == 9 else [])
    await bus.publish(Event("memory.shared", {}, source_agent_id=1, project_id=9))
    assert left(filled)[0] == ["bob"]


@awaited
async def test_not_knowing_who_is_in_a_circle_ends_it_for_all(filled, bus):
    filled.set("gathering:other", 1)
    filled.follow(bus)
    await bus.publish(Event("memory.shared", {}, source_agent_id=1, circle_id=3))
    assert left(filled) == ([], [3, 4])
    assert filled.get("gathering:other") == 1


@pytest.mark.parametrize(
    "kind", [one for one in EventType if one.value.startswith(("circle.", "task."))]
)
@awaited
async def test_what_happens_in_a_circle_ends_its_context(filled, bus, kind):
    filled.follow(bus)
    await bus.publish(Event(kind, {}, circle_id=3))
    assert left(filled) == ([*AGENTS], [4])
    await bus.publish(Event(kind, {"circle_id": 4}))
    assert left(filled)[1] == []


@awaited
async def test_following_twice_is_following_once_and_can_end(filled, bus):
    filled.follow(bus)
    before = bus.get_stats()["active_subscribers"]
    filled.follow(bus)
    assert bus.get_stats()["active_subscribers"] == before
    filled.unfollow()
    filled.unfollow()
    await bus.publish(Event("memory.created", {}, source_agent_id=1))
    assert bus.get_stats()["active_subscribers"] == 0
    assert left(filled)[0] == [*AGENTS]


@awaited
async def test_without_a_bus_it_follows_that_of_the_process(filled):
    filled.follow()
    try:
        await event_bus.publish(Event("memory.created", {}, source_agent_id=1))
        assert left(filled)[0] == [2, "bob"]
    finally:
        filled.close()
        event_bus.reset()


@awaited
async def test_a_payload_of_any_shape_harms_nothing(filled, bus):
    filled.follow(bus, members=lambda circle: MEMBERS[int(circle)])
    for payload in (None, 1, "x", [1], {"circle_id": [3], "agent_id": {"a": 1}}):
        for kind in ("memory.shared", "circle.created", "task.failed"):
            await bus.publish(Event(kind, payload))
    assert bus.get_stats()["handler_errors"] == 0
    assert left(filled) == ([*AGENTS], [3, 4])


@awaited
async def test_events_of_a_connected_client_count_as_well(filled):
    filled.follow(EventBus.separate(), members=lambda circle: MEMBERS[int(circle)])
    async with EventRouterClient(url=address()) as client:
        await client.subscribe("memory.*", handler=filled.heed)
        await client.subscribe("task.*", handler=filled.heed)
        shared = Event("memory.shared", {}, source_agent_id="bob", circle_id=3)
        await client.publish_events([shared, Event("task.created", {"circle_id": 3})])
        await until(lambda: left(filled) == ([2], [4]))


@awaited
async def test_it_waits_for_redis_without_holding_up_the_loop(server, make_cache, bus):
    from tests.slowproxy import SlowProxy

    with SlowProxy(server.port) as proxy:
        cache = make_cache(proxy.port, timeout=20)
        cache.follow(bus)
        proxy.delay_s = 0.5
        turned = 0
        event = Event("memory.created", {}, source_agent_id=1)
        task = asyncio.create_task(bus.publish(event))
        while not task.done():
            await asyncio.sleep(0.01)
            turned += 1
        assert turned > 5


class Metrics:
    """Keeps what telemetry is told."""

    def __init__(self):
        self.told = []

    def record_cache_hit(self, cache_type):
        self.told.append(("hit", cache_type))

    def record_cache_miss(self, cache_type):
        self.told.append(("miss", cache_type))

    def record_cache_operation(self, operation, ms, cache_type):
        assert 0 <= ms < 60_000
        self.told.append((operation, cache_type))


def test_telemetry_is_told_while_it_is_set_up(near_cache, monkeypatch):
    metrics = Metrics()
    monkeypatch.setattr(_telling, "cache_metrics", metrics)
    near_cache.get_embedding("before")
    assert metrics.told == []
    monkeypatch.setattr(telemetry, "meter", object())
    near_cache.get_embedding("a")
    near_cache.set_embedding("a", [1.0])
    told = [("miss", "embedding"), ("get", "embedding"), ("set", "embedding")]
    assert metrics.told == told
    metrics.told.clear()
    near_cache.get("elsewhere")
    near_cache.get_rag_results(1, "q")
    near_cache.get_circle_context(1)
    near_cache.delete("gathering:llm:h")
    kinds = [kind for what, kind in metrics.told if what in ("miss", "delete")]
    assert kinds == ["generic", "rag", "circle_context", "llm"]
    wait_until(lambda: near_cache.get_embedding("a") and is_near(near_cache))
    metrics.told.clear()
    near_cache.get_embedding("a")
    assert metrics.told == [("hit", "embedding")]


def is_near(cache):
    return cache.get_stats()["local"]["entries"] == 1
