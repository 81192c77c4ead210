"""
Circles as the design document writes what is done with them.

| Section | Block | Here |
| --- | --- | --- |
| Helper pour Sync Code | `_publish_event` | behaviour: told without a loop, and within one |
| Use Cases 4 | auto assignment | runs: ASSIGNMENT, on the store in memory |
"""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from eventyard.events import Event, EventType, event_bus
from eventyard.orchestration import CircleStore
from tests import seeds
from tests.awaiting import awaited

ASSIGNMENT: Final = """
async def auto_assign(event: Event):
    required = set(event.data.get("required_competencies", []))
    members = store.list_members(event.data["circle_id"])

    # Find best agent
    best = max(members, key=lambda m: len(required & set(m["competencies"])))

    store.update_task_status(
        event.data["task_id"],
        "pending",
        assigned_agent_id=best["agent_id"]
    )

event_bus.subscribe(EventType.TASK_CREATED, auto_assign)
"""


@pytest.fixture(autouse=True)
def fresh():
    event_bus.reset()
    yield
    event_bus.reset()


@pytest.fixture
def store():
    return CircleStore()


def assigning(store):
    given = {"event_bus": event_bus, "Event": Event, "EventType": EventType}
    return seeds.run(ASSIGNMENT, store=store, **given)


def filled(store):
    circle = store.create_circle("seed")
    store.add_member(circle, 1, competencies=["go"])
    store.add_member(circle, 2, competencies=["python"])
    return store.create_task(circle, "t", required_competencies=["python"])


def test_a_new_task_is_assigned_to_who_can_most_of_it(store):
    asyncio.run(assigning(store))
    task = filled(store)

    assert store.get_task(task)["assigned_agent_id"] == 2
    assert event_bus.get_history(limit=1)[0].type == EventType.TASK_ASSIGNED


@awaited
async def test_within_a_running_loop_it_is_assigned_soon_after(store):
    await assigning(store)
    assigned = event_bus.expect(EventType.TASK_ASSIGNED)
    task = filled(store)
    assert store.get_task(task)["assigned_agent_id"] is None

    assert (await assigned).data["assigned_agent_id"] == 2
    assert store.get_task(task)["assigned_agent_id"] == 2


def test_sync_code_publishes_with_no_loop_with_one_and_after_one(store):
    heard = []
    event_bus.subscribe(
        EventType.CIRCLE_CREATED, lambda e: heard.append(e.data["name"])
    )

    store.create_circle("without")
    assert heard == ["without"]

    async def within():
        told = event_bus.expect(EventType.CIRCLE_CREATED)
        store.create_circle("within")
        # The loop is busy with this very function: nobody had it yet.
        assert heard == ["without"]
        await asyncio.wait_for(told, 5)

    asyncio.run(within())
    store.create_circle("after")
    assert heard == ["without", "within", "after"]
