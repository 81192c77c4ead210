"""A circle whose agents are here."""

from __future__ import annotations

import pytest

from eventyard.core.errors import ConflictError, InvalidRequestError, NotFoundError
from eventyard.events import EventBus, EventType
from eventyard.orchestration import AgentHandle, GatheringCircle
from tests.awaiting import awaited


@pytest.fixture
def bus():
    return EventBus.separate()


@pytest.fixture
def circle(bus):
    made = GatheringCircle("crew", bus=bus)
    made.add_agent(AgentHandle(1, "ann", ["python"]))
    made.add_agent(AgentHandle(2, "bob", ["python", "sql"], can_review=True))
    made.add_agent(AgentHandle("eve", "eve", ["go"], role="reviewer"))
    return made


@awaited
async def test_a_task_goes_to_who_fits_best_and_counts(circle):
    first = await circle.create_task("a", "", ["python", "sql"], priority=1)
    second = await circle.create_task("b", "", ["python"])

    assert (first["status"], first["assigned_agent_id"]) == ("claimed", 2)
    assert first["priority"] == "critical"
    assert second["assigned_agent_id"] == 1
    assert circle.get_agent_workload() == {1: 1, 2: 1, "eve": 0}


@awaited
async def test_who_refuses_is_passed_over_and_nobody_is_no_fault(bus):
    circle = GatheringCircle("crew", bus=bus)
    assert (await circle.create_task("alone"))["status"] == "pending"

    async def later(task):
        return task["title"] != "dull"

    circle.add_agent(AgentHandle(1, accepts=lambda _: False))
    assert (await circle.create_task("a"))["status"] == "pending"
    circle.add_agent(AgentHandle(2, accepts=later))
    assert (await circle.create_task("b"))["assigned_agent_id"] == 2
    assert (await circle.create_task("dull"))["status"] == "pending"
    assert bus.get_stats()["handler_errors"] == 0


@awaited
async def test_without_routing_it_waits_for_who_claims_it(bus):
    circle = GatheringCircle("crew", auto_route=False, bus=bus)
    circle.add_agent(AgentHandle(1))
    circle.add_agent(AgentHandle(2, accepts=lambda _: False))
    task = (await circle.create_task("a"))["id"]
    assert await circle.claim_task(task, 2) is False
    assert await circle.claim_task(task, 1) is True
    assert await circle.claim_task(task, 1) is False
    with pytest.raises(NotFoundError):
        await circle.claim_task(task, 3)


@awaited
async def test_work_is_reviewed_by_another_and_done_again_or_done(circle):
    task = await circle.create_task("a", "", ["python", "sql"])
    handed = await circle.submit_task(task["id"], 2, {"v": 1})
    assert (handed["status"], handed["reviewer_id"]) == ("review", "eve")
    with pytest.raises(ConflictError):
        await circle.submit_review(task["id"], 2, "approved")
    with pytest.raises(ConflictError, match="may not"):
        await circle.submit_review(task["id"], 1, "approved")
    again = await circle.submit_review(task["id"], "eve", "changes_requested", "more")
    assert (again["status"], again["iteration"]) == ("changes_requested", 1)
    assert circle.get_agent_workload()[2] == 1

    await circle.submit_task(task["id"], 2, {"v": 2})
    done = await circle.submit_review(task["id"], "eve", "approved")
    assert (done["status"], done["result"]) == ("completed", {"v": 2})
    assert circle.get_agent_workload()[2] == 0


@awaited
async def test_what_is_rejected_is_blocked_and_somebody_is_told(circle, bus):
    task = await circle.create_task("a", "", ["sql"])
    await circle.submit_task(task["id"], 2)
    done = await circle.submit_review(task["id"], "eve", "rejected", "no")
    assert done["status"] == "blocked"
    (warning,) = bus.get_history(EventType.SYSTEM_WARNING)
    assert warning.data["task_id"] == task["id"]
    assert circle.get_agent_workload()[2] == 0


@awaited
async def test_where_nobody_may_review_it_stays_in_review(bus):
    circle = GatheringCircle("crew", bus=bus)
    circle.add_agent(AgentHandle(1, can_review=True))
    task = await circle.create_task("a")
    handed = await circle.submit_task(task["id"], 1)
    assert (handed["status"], handed["reviewer_id"]) == ("review", None)


@awaited
async def test_without_reviews_handing_in_is_the_end(bus):
    circle = GatheringCircle("crew", require_review=False, bus=bus)
    circle.add_agent(AgentHandle(1))
    task = await circle.create_task("a")
    assert (await circle.submit_task(task["id"], 1))["status"] == "completed"
    assert circle.get_agent_workload() == {1: 0}


@awaited
async def test_who_goes_leaves_their_tasks_to_others(circle):
    task = await circle.create_task("a", "", ["sql"])
    circle.remove_agent(2)
    left = circle.task(task["id"])
    assert (left["status"], left["assigned_agent_id"]) == ("pending", None)
    circle.add_agent(AgentHandle(3, "kim", ["sql"]))
    assert await circle.claim_task(task["id"], 3)


@awaited
async def test_messages_mention_agents_by_name_and_id(circle, bus):
    said = await circle.send_message(1, "@bob look, and @eve; not @nobody or x@1.com")
    assert said["mentions"] == [2, "eve"]
    (event,) = bus.get_history(EventType.CONVERSATION_MESSAGE)
    assert (event.data["content"], event.source_agent_id) == (said["content"], 1)
    with pytest.raises(NotFoundError):
        await circle.send_message(99, "hello")


@awaited
async def test_agents_talk_in_turns_and_one_who_fails_stops_nobody(circle, bus):
    async def plans(topic, said):
        return f"{topic}: {len(said)} said"

    def fails(topic, said):
        raise RuntimeError("no idea")

    circle.add_agent(AgentHandle(1, "ann", answers=plans))
    circle.add_agent(AgentHandle(2, "bob", answers=fails))
    said = await circle.collaborate("plan", rounds=2)
    assert [one["content"] for one in said] == [
        "plan: 0 said",
        "bob could not answer: no idea",
        "plan: 2 said",
        "bob could not answer: no idea",
    ]
    assert len(bus.get_history(EventType.CONVERSATION_TURN_COMPLETE)) == 2
    only = await circle.collaborate("plan", [1])
    assert len(only) == 1
    assert await circle.collaborate("plan", []) == []


@awaited
async def test_the_status_tells_of_agents_and_tasks(circle):
    await circle.start()
    await circle.create_task("a", "", ["python"])
    told = circle.get_circle_status()
    assert (told["status"], told["agents"]) == ("running", [1, 2, "eve"])
    assert (told["tasks"], told["open_tasks"]) == ({"claimed": 1}, 1)
    await circle.stop()
    assert circle.get_circle_status()["status"] == "stopped"
    with pytest.raises(InvalidRequestError):
        await circle.create_task("a", priority=11)
