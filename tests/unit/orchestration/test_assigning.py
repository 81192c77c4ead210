"""New tasks find who does them; seed use case 4, without its faults."""

from __future__ import annotations

import asyncio
import threading

import pytest

from eventyard.events import Event, EventBus, EventType
from eventyard.orchestration import AutoAssigner, CircleStore
from tests.awaiting import awaited


@pytest.fixture
def bus():
    return EventBus.separate()


@pytest.fixture
def store(bus):
    return CircleStore(bus)


@pytest.fixture
def circle(store):
    return store.create_circle("crew")


@pytest.fixture(autouse=True)
def assigner(store, bus):
    return AutoAssigner(store, bus).start()


def whose(store, task):
    return store.get_task(task)["assigned_agent_id"]


def test_a_task_goes_to_who_can_do_most_of_it(store, bus, circle):
    store.add_member(circle, 1, competencies=["python"])
    store.add_member(circle, 2, competencies=["python", "sql"])

    task = store.create_task(circle, "t", required_competencies=["python", "sql"])

    assert whose(store, task) == 2
    assert store.get_task(task)["status"] == "pending"
    (told,) = bus.get_history(EventType.TASK_ASSIGNED)
    assert (told.data["task_id"], told.source_agent_id) == (task, 2)


def test_tasks_are_spread_by_who_has_time(store, circle):
    for agent in (1, 2, 3):
        store.add_member(circle, agent, competencies=["python"])
    made = [
        store.create_task(circle, "t", required_competencies=["python"])
        for _ in range(6)
    ]
    assert [whose(store, task) for task in made] == [1, 2, 3, 1, 2, 3]


def test_work_that_reviewers_liked_counts(store, circle):
    for agent in (1, 2):
        store.add_member(circle, agent)
    first = store.create_task(circle, "t")
    store.claim_task(first, 1)
    store.submit_task(first, 1)
    store.review_task(first, 2, "changes_requested")
    store.update_task_status(first, "cancelled")

    assert whose(store, store.create_task(circle, "t")) == 2


def test_nobody_there_or_nobody_able_leaves_it_pending(store, bus, circle):
    alone = store.create_task(circle, "t", required_competencies=["python"])
    store.add_member(circle, 1, competencies=["go"])
    store.add_member(circle, 2, role="observer", competencies=["python"])
    store.add_member(circle, 3, competencies=["python"])
    store.remove_member(circle, 3)
    beyond = store.create_task(circle, "t", required_competencies=["python"])

    assert (whose(store, alone), whose(store, beyond)) == (None, None)
    assert bus.get_stats()["handler_errors"] == 0


def test_a_circle_may_say_that_it_routes_itself(store):
    circle = store.create_circle("own", auto_route=False)
    store.add_member(circle, 1)
    assert whose(store, store.create_task(circle, "t")) is None


def test_who_was_faster_keeps_it(store, bus, assigner, circle):
    store.add_member(circle, 1)
    assigner.stop()
    task = store.create_task(circle, "t")
    store.claim_task(task, "fast")
    assert assigner.assign(task) is None
    assert whose(store, task) == "fast"
    assert assigner.assign(99) is None


def test_started_twice_it_assigns_once_and_stopped_not_at_all(
    store, bus, assigner, circle
):
    store.add_member(circle, 1)
    assigner.start()
    store.create_task(circle, "t")
    assert len(bus.get_history(EventType.TASK_ASSIGNED)) == 1
    assigner.stop()
    assert whose(store, store.create_task(circle, "t")) is None


@pytest.mark.parametrize("data", [None, [], {}, {"task_id": "1"}, {"task_id": None}])
def test_what_makes_no_sense_is_passed_over(bus, data):
    asyncio.run(bus.publish(Event(EventType.TASK_CREATED, data)))
    assert bus.get_stats()["handler_errors"] == 0


@awaited
async def test_within_a_running_loop_it_is_assigned_soon_after(store, bus, circle):
    store.add_member(circle, 1)
    heard = asyncio.Event()
    bus.subscribe(EventType.TASK_ASSIGNED, lambda _: heard.set())

    task = store.create_task(circle, "t")

    await asyncio.wait_for(heard.wait(), 10)
    assert whose(store, task) == 1


def test_threads_assign_side_by_side(store, bus, circle):
    for agent in range(4):
        store.add_member(circle, agent)
    made = []

    def work():
        made.extend(store.create_task(circle, "t") for _ in range(25))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert len(set(made)) == 100
    assert all(whose(store, task) is not None for task in made)
    assert bus.get_stats()["handler_errors"] == 0
