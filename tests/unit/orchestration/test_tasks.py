"""What may become of a task: every step from everywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.errors import ConflictError, EventRouterError, InvalidRequestError
from eventyard.orchestration.model import ENDED, Circle, Task, TaskStatus
from eventyard.orchestration.tasks import (
    ALLOWED,
    claimed,
    moved,
    new_task,
    reviewed,
    submitted,
)

AT = "2026-01-01T00:00:00.000Z"
LATER = "2026-01-01T01:00:00.000Z"
EVERY = list(TaskStatus)


def task(status: str = "pending", **more) -> Task:
    return replace(new_task(1, 2, {"title": "t"}, AT), status=status, **more)


@pytest.mark.parametrize("to", EVERY)
@pytest.mark.parametrize("at", EVERY)
def test_a_step_is_taken_where_it_is_allowed_and_nowhere_else(at, to):
    before = task(at.value, assigned_agent_id=0)
    if to in ALLOWED[at]:
        assert moved(before, to.value, at=LATER).task.status == to.value
        return
    with pytest.raises(ConflictError) as caught:
        moved(before, to.value, at=LATER)
    assert caught.value.code == "illegal_transition"
    assert caught.value.details["allowed"] == [one.value for one in ALLOWED[at]]
    assert at.value in str(caught.value)
    assert to.value in str(caught.value)


def test_everything_that_has_not_ended_can_end_and_nothing_else_leaves_its_end():
    for at in EVERY:
        assert bool(ALLOWED[at]) is (at not in ENDED)
        if at not in ENDED:
            assert {TaskStatus.CANCELLED, TaskStatus.FAILED} <= {*ALLOWED[at]}


@pytest.mark.parametrize(
    ("at", "to", "agent", "told"),
    [
        ("pending", "pending", 1, "task.assigned"),
        ("pending", "pending", None, None),
        ("pending", "claimed", 0, "task.assigned"),
        ("pending", "in_progress", None, "task.started"),
        ("claimed", "in_progress", 1, "task.started"),
        ("in_progress", "in_progress", None, None),
        ("in_progress", "in_progress", 1, "task.assigned"),
        ("in_progress", "review", None, None),
        ("in_progress", "review", 1, "task.assigned"),
        ("in_progress", "completed", 1, "task.completed"),
        ("in_progress", "failed", None, "task.failed"),
        ("in_progress", "cancelled", None, None),
    ],
)
def test_which_event_tells_of_a_step(at, to, agent, told):
    done = moved(task(at), to, assigned_agent_id=agent, at=LATER)
    assert done.told == told


def test_it_is_begun_once_and_ended_once():
    begun = moved(task(), "in_progress", at=AT).task
    again = moved(begun, "in_progress", result=1, at=LATER).task
    assert (begun.started_at, again.started_at, again.result) == (AT, AT, 1)
    assert again.completed_at is None
    ended = moved(again, "completed", at=LATER).task
    assert (ended.completed_at, ended.result) == (LATER, 1)
    assert moved(begun, "cancelled", at=LATER).task.completed_at is None


def test_a_result_of_nothing_but_zero_or_false_is_one():
    begun = moved(task(), "in_progress", result=5, at=AT).task
    assert moved(begun, "in_progress", result=0, at=AT).task.result == 0
    assert moved(begun, "in_progress", result=False, at=AT).task.result is False
    assert moved(begun, "in_progress", at=AT).task.result == 5


def test_agent_zero_is_an_agent():
    mine = claimed(task(), 0, AT).task
    assert mine.assigned_agent_id == 0
    with pytest.raises(ConflictError, match="agent 0"):
        claimed(mine, 1, AT)
    with pytest.raises(ConflictError, match="agent 0"):
        submitted(mine, 1, at=AT)
    assert submitted(mine, 0, at=AT).task.status == "review"
    with pytest.raises(ConflictError, match="somebody else"):
        reviewed(submitted(mine, "0", at=AT).task, 0, "approved", at=AT)


def test_nobody_claims_for_nobody():
    with pytest.raises(InvalidRequestError, match="assigned_agent_id"):
        moved(task(), "claimed", at=AT)


def test_what_nobody_has_is_not_handed_in():
    with pytest.raises(ConflictError, match="pending"):
        submitted(task(), None, at=AT)
    with pytest.raises(ConflictError, match="agent None"):
        submitted(task("in_progress"), None, at=AT)


def test_reviews_are_kept_up_to_fifty():
    one = task("review", assigned_agent_id=1)
    for n in range(60):
        one = reviewed(one, 2, "changes_requested", f"{n}", at=AT).task
        one = submitted(one, 1, at=AT).task
    assert one.iteration == 60
    assert [said["comment"] for said in one.reviews] == [str(n) for n in range(10, 60)]


@given(st.lists(st.tuples(st.sampled_from(EVERY), st.sampled_from([None, 1, "a"]))))
def test_whatever_is_tried_a_task_stays_one_that_can_be_read_again(steps):
    one = task()
    for to, agent in steps:
        try:
            after = moved(one, to.value, assigned_agent_id=agent, at=LATER).task
        except EventRouterError:
            continue
        assert not one.is_over
        one = after
    assert Task.read(one.shown()) == one
    assert (one.completed_at is not None) == (one.status in ("completed", "failed"))


def test_a_circle_can_be_read_again():
    circle = Circle(1, "a", "A", AT, settings={"x": [1, {"y": None}]}, project_id="p")
    assert Circle.read(circle.shown()) == circle
