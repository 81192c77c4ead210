"""What a store of circles does: the same in memory and on the platform."""

from __future__ import annotations

import asyncio
import threading

import pytest

from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
)
from eventyard.events import Event, EventBus, EventType
from eventyard.orchestration import AutoAssigner
from tests.circles import Served, World, in_memory, on_platform


@pytest.fixture(params=["memory", "platform"])
def world(request) -> World:
    if request.param == "memory":
        yield in_memory()
        return
    platform = request.getfixturevalue("platform")
    with Served(request.getfixturevalue("http")) as served:
        yield on_platform(platform, served.origin)


@pytest.fixture
def store(world):
    return world.store


@pytest.fixture
def circle(store) -> int:
    return store.create_circle("crew", project_id="shop")


def test_a_circle_is_as_it_was_asked_for_and_stopped(store, world):
    made = store.create_circle(
        "crew", "The crew", "Does it", owner_id=0, project_id=7, settings={"a": [1]}
    )
    other = store.create_circle("Équipe 2", auto_route=False, require_review=False)

    told = store.get_circle(made)
    assert isinstance(made, int)
    assert other > made
    assert {**told, "created_at": None} == {
        "id": made,
        "name": "crew",
        "display_name": "The crew",
        "description": "Does it",
        "owner_id": 0,
        "project_id": 7,
        "auto_route": True,
        "require_review": True,
        "settings": {"a": [1]},
        "status": "stopped",
        "is_active": True,
        "member_count": 0,
        "created_at": None,
        "started_at": None,
        "stopped_at": None,
    }
    assert store.get_circle(other)["display_name"] == "Équipe 2"
    first = world.told[0]
    assert first.type == "circle.created"
    assert first.data == {
        "circle_id": made,
        "name": "crew",
        "display_name": "The crew",
        "project_id": 7,
    }
    assert (first.circle_id, first.project_id) == (made, 7)


@pytest.mark.parametrize("name", ["", "12", " crew", "cr\new", "x" * 129, "\x00"])
def test_a_name_that_is_none_is_refused_and_changes_nothing(store, world, name):
    with pytest.raises(InvalidRequestError, match="name"):
        store.create_circle(name)

    assert store.list_circles(is_active=None) == []
    assert world.types == []


def test_a_name_is_one_circles_until_that_is_deleted(store, world, circle):
    with pytest.raises(ConflictError, match="crew") as caught:
        store.create_circle("crew")
    assert caught.value.code == "name_taken"

    assert store.delete_circle(circle) is True
    again = store.create_circle("crew")
    assert again != circle
    gone = store.get_circle(circle)
    assert (gone["is_active"], gone["status"]) == (False, "stopped")
    assert [one["id"] for one in store.list_circles()] == [again]
    both = store.list_circles(is_active=None)
    assert [one["id"] for one in both] == [again, circle]
    assert [one["id"] for one in store.list_circles(is_active=False)] == [circle]
    with pytest.raises(ConflictError, match="deleted"):
        store.create_task(circle, "Too late")
    with pytest.raises(ConflictError, match="deleted"):
        store.add_member(circle, 1)
    with pytest.raises(ConflictError, match="deleted"):
        store.delete_circle(circle)


def test_circles_are_listed_the_newest_first_by_status_and_project(store):
    made = [store.create_circle(f"c{n}", project_id=n % 2) for n in range(4)]
    store.update_circle_status(made[3], "running")

    assert [one["id"] for one in store.list_circles()] == made[::-1]
    assert [one["id"] for one in store.list_circles(project_id=1)] == made[3:0:-2]
    assert [one["id"] for one in store.list_circles(status="running")] == made[3:]
    assert store.list_circles(status="running", project_id=0) == []
    with pytest.raises(InvalidRequestError, match="status"):
        store.list_circles(status="busy")


def test_running_and_stopping_are_told_once_each(store, world, circle):
    for status in ("starting", "running", "running", "stopping", "stopped", "stopped"):
        assert store.update_circle_status(circle, status) is True

    told = store.get_circle(circle)
    assert told["started_at"] <= told["stopped_at"]
    assert world.types == ["circle.created", "circle.started", "circle.stopped"]
    with pytest.raises(InvalidRequestError, match="status"):
        store.update_circle_status(circle, "asleep")


def test_a_member_comes_changes_leaves_and_comes_back(store, world, circle):
    first = store.add_member(circle, 7, "lead", ["python", "sql", "python"])
    store.add_member(circle, "ann", can_review=True, agent_name="Ann")
    assert store.add_member(circle, "7", "reviewer", ["go"]) == first

    seven, ann = store.list_members(circle)
    assert {**seven, "joined_at": None} == {
        "id": first,
        "circle_id": circle,
        "agent_id": 7,
        "agent_name": "7",
        "role": "reviewer",
        "competencies": ["go"],
        "can_review": False,
        "is_active": True,
        "joined_at": None,
        "left_at": None,
    }
    assert (ann["agent_name"], ann["can_review"]) == ("Ann", True)
    assert store.get_circle(circle)["member_count"] == 2

    assert store.remove_member(circle, 7) is True
    assert [one["agent_id"] for one in store.list_members(circle)] == ["ann"]
    gone = [one for one in store.list_members(circle, is_active=None) if one["left_at"]]
    assert [one["id"] for one in gone] == [first]
    with pytest.raises(NotFoundError, match="7"):
        store.remove_member(circle, 7)

    assert store.add_member(circle, 7, competencies=["go"]) == first
    assert [one["agent_id"] for one in store.list_members(circle)] == ["ann", 7]
    assert store.get_circle(circle)["member_count"] == 2
    added, removed = "circle.member.added", "circle.member.removed"
    assert world.types[1:] == [added, added, added, removed, added]
    told = world.told[1]
    assert told.source_agent_id == 7
    assert told.project_id == "shop"
    assert told.data == {
        "member_id": first,
        "circle_id": circle,
        "agent_id": 7,
        "role": "lead",
        "competencies": ["python", "sql"],
    }


@pytest.mark.parametrize(
    "wish",
    [
        {"agent_id": ""},
        {"agent_id": 1.5},
        {"agent_id": True},
        {"agent_id": 1, "role": "king"},
        {"agent_id": 1, "competencies": [""]},
        {"agent_id": 1, "competencies": [3]},
        {"agent_id": 1, "can_review": "yes"},
        {"agent_id": "x" * 129},
    ],
)
def test_who_is_no_member_is_refused(store, circle, wish):
    with pytest.raises(InvalidRequestError):
        store.add_member(circle, **wish)

    assert store.list_members(circle) == []


def test_a_circle_has_fifty_members_and_no_more(store, circle):
    for n in range(50):
        store.add_member(circle, n)
    with pytest.raises(ConflictError, match="50"):
        store.add_member(circle, 50)
    assert store.add_member(circle, 0, "lead")
    store.remove_member(circle, 3)
    assert store.add_member(circle, 50)
    assert store.delete_circle(circle)


def test_a_task_goes_its_way_and_each_step_is_told(store, world, circle):
    store.add_member(circle, 1)
    task = store.create_task(
        circle,
        "Write it",
        "All of it",
        priority="high",
        required_competencies=["python"],
        context={"files": ["a.py"]},
    )
    made = store.get_task(task)
    assert (made["status"], made["priority"]) == ("pending", "high")
    assert made["project_id"] == "shop"
    assert (made["task_type"], made["requires_review"]) == ("feature", True)
    assert (made["context"], made["result"]) == ({"files": ["a.py"]}, None)

    assert store.update_task_status(task, "pending", assigned_agent_id=1)
    assert store.update_task_status(task, "in_progress")
    begun = store.get_task(task)["started_at"]
    assert store.update_task_status(task, "blocked")
    assert store.update_task_status(task, "in_progress", artifacts=["b.py"])
    assert store.get_task(task)["started_at"] == begun
    assert store.update_task_status(task, "completed", result={"ok": True})

    done = store.get_task(task)
    assert (done["result"], done["artifacts"]) == ({"ok": True}, ["b.py"])
    assert done["assigned_agent_id"] == 1
    assert done["completed_at"] >= begun
    assert world.types[2:] == [
        *("task.created", "task.assigned", "task.started"),
        *("task.started", "task.completed"),
    ]
    created, assigned = world.told[2:4]
    assert created.data == {
        "task_id": task,
        "circle_id": circle,
        "title": "Write it",
        "priority": "high",
        "required_competencies": ["python"],
    }
    assert (created.circle_id, created.project_id) == (circle, "shop")
    assert assigned.source_agent_id == 1
    assert assigned.data["status"] == "pending"
    assert world.told[-1].data == {
        "task_id": task,
        "circle_id": circle,
        "status": "completed",
        "assigned_agent_id": 1,
        "result": {"ok": True},
    }


def test_a_task_fails_and_is_over(store, world, circle):
    task = store.create_task(circle, "Try")
    store.update_task_status(task, "in_progress", assigned_agent_id="ann")
    store.update_task_status(task, "failed", result="no")

    assert store.get_task(task)["completed_at"]
    assert world.types[-1] == "task.failed"
    with pytest.raises(ConflictError, match=r"failed.*nothing: it has ended") as caught:
        store.update_task_status(task, "in_progress")
    assert caught.value.details == {
        "from": "failed",
        "to": "in_progress",
        "allowed": [],
    }


def test_what_cannot_follow_says_what_can_and_changes_nothing(store, world, circle):
    task = store.create_task(circle, "Try")

    with pytest.raises(ConflictError, match=r"pending.*completed.*in_progress"):
        store.update_task_status(task, "completed", result="cheat")
    with pytest.raises(InvalidRequestError, match=r"status.*cancelled"):
        store.update_task_status(task, "done")

    assert store.get_task(task)["status"] == "pending"
    assert store.get_task(task)["result"] is None
    assert world.types[-1] == "task.created"


def test_tasks_are_listed_by_urgency_then_age(store, circle):
    words = ["low", "medium", "critical", "high", "medium", "critical"]
    made = [store.create_task(circle, word, priority=word) for word in words]
    other = store.create_circle("others")
    store.create_task(other, "not here")
    store.update_task_status(made[1], "in_progress")
    store.update_task_status(made[1], "completed")
    store.update_task_status(made[5], "cancelled")

    order = [made[n] for n in (2, 5, 3, 1, 4, 0)]
    assert [one["id"] for one in store.list_tasks(circle)] == order
    assert [one["id"] for one in store.list_tasks(circle, "completed")] == [made[1]]
    pending = [made[n] for n in (2, 3, 4, 0)]
    assert [one["id"] for one in store.list_tasks(circle, "pending")] == pending
    with pytest.raises(InvalidRequestError, match="status"):
        store.list_tasks(circle, "done")


@pytest.mark.parametrize(
    "wish",
    [
        {"title": ""},
        {"title": "x" * 301},
        {"title": "t", "priority": "urgent"},
        {"title": "t", "required_competencies": "python"},
        {"title": "t", "task_type": ""},
    ],
)
def test_what_is_no_task_is_refused(store, circle, wish):
    if isinstance(wish.get("required_competencies"), str):
        wish = {**wish, "required_competencies": ["", "python"]}
    with pytest.raises(InvalidRequestError):
        store.create_task(circle, **wish)

    assert store.list_tasks(circle) == []


def test_a_task_too_large_to_keep_is_refused(store, circle):
    with pytest.raises(PayloadTooLargeError):
        store.create_task(circle, "t", context="x" * 200_000)
    task = store.create_task(circle, "t", context="x" * 150_000)
    store.update_task_status(task, "in_progress")
    with pytest.raises(PayloadTooLargeError):
        store.update_task_status(task, "completed", result="x" * 100_000)
    assert store.get_task(task)["status"] == "in_progress"


def test_of_several_who_claim_at_once_one_has_it(store, world, circle):
    task = store.create_task(circle, "One for all")
    won, lost = [], []

    def claim(agent):
        try:
            won.append((agent, store.claim_task(task, agent)["assigned_agent_id"]))
        except ConflictError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    ((agent, held),) = won
    assert agent == held == store.get_task(task)["assigned_agent_id"]
    assert len(lost) == 7
    assert all(f"agent {agent}" in one for one in lost)
    assert world.types.count("task.assigned") == 1


def test_who_claims_twice_has_it_and_it_is_told_once(store, world, circle):
    task = store.create_task(circle, "Mine")
    store.claim_task(task, 0)
    store.claim_task(task, "0")

    assert store.get_task(task)["status"] == "claimed"
    assert world.types.count("task.assigned") == 1


def test_what_is_assigned_to_one_is_claimed_by_no_other_until_it_is_let_go(
    store, circle
):
    task = store.create_task(circle, "Hers")
    store.update_task_status(task, "pending", assigned_agent_id="ann")
    with pytest.raises(ConflictError, match="ann"):
        store.claim_task(task, "bob")
    store.claim_task(task, "ann")
    store.update_task_status(task, "pending")
    assert store.get_task(task)["assigned_agent_id"] is None
    assert store.claim_task(task, "bob")["status"] == "claimed"


def test_work_is_handed_in_reviewed_done_again_and_approved(store, world, circle):
    task = store.create_task(circle, "Write")
    store.claim_task(task, 1)
    with pytest.raises(ConflictError, match="agent 1"):
        store.submit_task(task, 2, "mine now")
    assert store.submit_task(task, 1, {"v": 1})["status"] == "review"
    with pytest.raises(ConflictError, match="somebody else"):
        store.review_task(task, "1", "approved")
    again = store.review_task(task, 2, "changes_requested", "More tests")
    assert (again["status"], again["iteration"]) == ("changes_requested", 1)
    assert store.submit_task(task, result={"v": 2})["status"] == "review"
    done = store.review_task(task, 2, "approved")

    assert (done["status"], done["result"]) == ("completed", {"v": 2})
    assert [one["decision"] for one in done["reviews"]] == [
        "changes_requested",
        "approved",
    ]
    assert done["reviews"][0]["comment"] == "More tests"
    assert world.types[-1] == "task.completed"
    with pytest.raises(ConflictError, match="completed"):
        store.review_task(task, 2, "approved")


def test_rejected_work_is_blocked_and_unreviewed_work_is_done(store, circle):
    first = store.create_task(circle, "Write")
    store.claim_task(first, 1)
    store.submit_task(first, 1)
    assert store.review_task(first, 2, "rejected", "No")["status"] == "blocked"
    with pytest.raises(InvalidRequestError, match="decision"):
        store.review_task(first, 2, "maybe")

    second = store.create_task(circle, "Note", requires_review=False)
    store.claim_task(second, 1)
    assert store.submit_task(second, 1, "x")["status"] == "completed"


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.update_circle_status(99, "running"),
        lambda store: store.delete_circle(99),
        lambda store: store.add_member(99, 1),
        lambda store: store.remove_member(99, 1),
        lambda store: store.list_members(99),
        lambda store: store.create_task(99, "t"),
        lambda store: store.list_tasks(99),
        lambda store: store.update_task_status(99, "in_progress"),
        lambda store: store.claim_task(99, 1),
        lambda store: store.submit_task(99, 1),
        lambda store: store.review_task(99, 1, "approved"),
        lambda store: store.log_event(99, "x"),
        lambda store: store.get_events(99),
        lambda store: store.report_conflict(99, 1, 2, "a.py"),
        lambda store: store.list_conflicts(99),
        lambda store: store.resolve_conflict(99, 1, "ok"),
    ],
)
def test_what_is_not_there_is_said_to_be_missing(store, act):
    with pytest.raises(NotFoundError, match="99"):
        act(store)
    assert store.get_circle(99) is None
    assert store.get_task(99) is None


def test_the_history_has_what_happened_and_what_was_noted(store, circle):
    task = store.create_task(circle, "Write")
    noted = store.log_event(circle, "decision.made", {"by": "vote"}, agent_id=3)
    store.update_task_status(task, "in_progress", assigned_agent_id=3)

    lines = store.get_events(circle)
    assert [one["event_type"] for one in lines] == [
        *("task.started", "decision.made", "task.created", "circle.created")
    ]
    assert {**lines[1], "created_at": None} == {
        "id": noted,
        "circle_id": circle,
        "event_type": "decision.made",
        "agent_id": 3,
        "data": {"by": "vote"},
        "created_at": None,
    }
    assert lines[0]["agent_id"] == 3
    assert lines[0]["data"]["status"] == "in_progress"
    assert [one["id"] for one in store.get_events(circle, "decision.made")] == [noted]
    assert len(store.get_events(circle, limit=2)) == 2
    assert store.get_events(circle, limit=0) == []
    with pytest.raises(InvalidRequestError):
        store.log_event(circle, "no topic at all!")


def test_a_conflict_is_reported_once_and_resolved(store, world, circle):
    first = store.report_conflict(circle, 1, 2, "./src//app.py", task_id=5)
    assert store.report_conflict(circle, 2, 1, "src/app.py") == first
    other = store.report_conflict(circle, 1, 2, "src/other.py")

    told = store.list_conflicts(circle)
    assert [one["id"] for one in told] == [other, first]
    assert told[1]["file_path"] == "src/app.py"
    assert told[1]["status"] == "open"
    assert world.types.count("task.conflict.detected") == 2
    data = world.told[-2].data
    assert (data["file_path"], data["agent1"], data["agent2"]) == ("src/app.py", 1, 2)

    done = store.resolve_conflict(circle, first, "1 goes first", resolved_by="lead")
    assert (done["status"], done["resolved_by"]) == ("resolved", "lead")
    assert [one["id"] for one in store.list_conflicts(circle, "open")] == [other]
    with pytest.raises(ConflictError, match="before"):
        store.resolve_conflict(circle, first, "again")
    assert store.report_conflict(circle, 1, 2, "src/app.py") > other
    with pytest.raises(InvalidRequestError, match="another"):
        store.report_conflict(circle, 1, "1", "src/app.py")
    with pytest.raises(InvalidRequestError, match="file"):
        store.report_conflict(circle, 1, 2)


def test_what_is_told_can_be_changed_without_changing_what_is_kept(store, circle):
    given = {"list": [1]}
    task = store.create_task(circle, "t", context=given)
    given["list"].append(2)
    store.get_task(task)["context"]["list"].append(3)

    assert store.get_task(task)["context"] == {"list": [1]}


def test_a_new_task_finds_who_does_it_wherever_circles_are(store, world, circle):
    assigner = AutoAssigner(store, EventBus.separate())
    task = store.create_task(circle, "t", required_competencies=["sql"])
    assert assigner.assign(task) is None

    store.add_member(circle, 1, competencies=["go"])
    store.add_member(circle, "ann", competencies=["sql", "go"])
    assert assigner.assign(task) == "ann"
    assert assigner.assign(task) is None, "it is somebody's"
    assert store.get_task(task)["assigned_agent_id"] == "ann"
    assert world.types[-1] == "task.assigned"


def test_events_of_elsewhere_are_answered_without_holding_up_the_loop(store, circle):
    store.add_member(circle, 7)
    bus = EventBus.separate()
    assigner = AutoAssigner(store, bus).start()
    task = store.create_task(circle, "t")
    event = Event(EventType.TASK_CREATED, {"task_id": task}, circle_id=circle)
    asyncio.run(bus.publish(event))
    assert store.get_task(task)["assigned_agent_id"] == 7
    assert bus.get_stats()["handler_errors"] == 0
    assigner.stop()
