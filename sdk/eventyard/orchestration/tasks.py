"""What may become of a task, and which event tells of it: nothing but rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from eventyard.core.errors import ConflictError
from eventyard.events.types import EventType
from eventyard.orchestration.model import (
    AgentId,
    Task,
    TaskPriority,
    TaskStatus,
    check_agent,
    check_competencies,
    check_flag,
    check_line,
    check_optional,
    check_size,
    check_text,
    one_of,
    same_agent,
    wrong,
)

S = TaskStatus
#: Where a task may go from where it is. To stay is to be assigned, or to note
#: what there is by now.
ALLOWED: Final[Mapping[TaskStatus, tuple[TaskStatus, ...]]] = {
    S.PENDING: (S.PENDING, S.CLAIMED, S.IN_PROGRESS, S.BLOCKED, S.CANCELLED, S.FAILED),
    S.CLAIMED: (
        *(S.PENDING, S.IN_PROGRESS, S.REVIEW, S.COMPLETED),
        *(S.BLOCKED, S.CANCELLED, S.FAILED),
    ),
    S.IN_PROGRESS: (
        *(S.IN_PROGRESS, S.PENDING, S.REVIEW, S.COMPLETED),
        *(S.BLOCKED, S.CANCELLED, S.FAILED),
    ),
    S.REVIEW: (
        *(S.REVIEW, S.COMPLETED, S.CHANGES_REQUESTED),
        *(S.BLOCKED, S.CANCELLED, S.FAILED),
    ),
    S.CHANGES_REQUESTED: (
        *(S.CHANGES_REQUESTED, S.PENDING, S.IN_PROGRESS, S.REVIEW),
        *(S.BLOCKED, S.CANCELLED, S.FAILED),
    ),
    S.BLOCKED: (S.BLOCKED, S.PENDING, S.IN_PROGRESS, S.CANCELLED, S.FAILED),
    S.COMPLETED: (),
    S.CANCELLED: (),
    S.FAILED: (),
}
_TOLD: Final[Mapping[TaskStatus, EventType]] = {
    S.IN_PROGRESS: EventType.TASK_STARTED,
    S.COMPLETED: EventType.TASK_COMPLETED,
    S.FAILED: EventType.TASK_FAILED,
}
_LONGEST_TITLE: Final = 300
_LONGEST_COMMENT: Final = 4_000
_MOST_REVIEWS: Final = 50
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
DECISIONS: Final[Mapping[str, TaskStatus]] = {
    APPROVED: S.COMPLETED,
    "changes_requested": S.CHANGES_REQUESTED,
    REJECTED: S.BLOCKED,
}


@dataclass(frozen=True, slots=True)
class Moved:
    """A task after a change, and the type of the event that tells of it, if any."""

    task: Task
    told: EventType | None


def new_task(task_id: int, circle_id: int, wish: Mapping[str, Any], at: str) -> Task:
    """Make a task of what is wished for; raises InvalidRequestError naming a field."""
    made = Task(
        id=task_id,
        circle_id=circle_id,
        title=check_line(wish["title"], "title", most=_LONGEST_TITLE),
        created_at=at,
        description=check_text(wish.get("description") or "", "description"),
        project_id=check_optional(wish.get("project_id"), "project_id"),
        task_type=check_line(wish.get("task_type", "feature"), "task_type", most=64),
        priority=one_of(TaskPriority, wish.get("priority", "medium"), "priority").value,
        required_competencies=check_competencies(
            wish.get("required_competencies"), "required_competencies"
        ),
        requires_review=check_flag(
            wish.get("requires_review", True), "requires_review"
        ),
        context=wish.get("context"),
        updated_at=at,
    )
    check_size(made)
    return made


def moved(
    task: Task,
    status: str,
    *,
    assigned_agent_id: AgentId | None = None,
    result: Any = None,
    artifacts: Any = None,
    at: str,
) -> Moved:
    """
    Return a task in another status; what is None stays as it was.

    One that goes back to pending is nobody's, unless somebody is named.
    Raises InvalidRequestError for what is no status, and ConflictError for one that
    cannot follow, or a claim of what is another agent's.
    """
    to = one_of(TaskStatus, status, "status")
    agent = check_optional(assigned_agent_id, "assigned_agent_id")
    check_step(task, to)
    if to is S.CLAIMED:
        _check_claim(task, agent)
    begins = to is S.IN_PROGRESS and task.started_at is None
    after = replace(
        task,
        status=to.value,
        assigned_agent_id=_assignee(task, to, agent),
        result=task.result if result is None else result,
        artifacts=task.artifacts if artifacts is None else artifacts,
        updated_at=at,
        started_at=at if begins else task.started_at,
        completed_at=at if to in (S.COMPLETED, S.FAILED) else task.completed_at,
    )
    check_size(after)
    return Moved(after, _told(task, to, agent))


def _assignee(task: Task, to: TaskStatus, agent: AgentId | None) -> AgentId | None:
    if agent is not None:
        return agent
    goes_back = to is S.PENDING and task.status != S.PENDING
    return None if goes_back else task.assigned_agent_id


def _told(task: Task, to: TaskStatus, agent: AgentId | None) -> EventType | None:
    # What was begun is not begun again by a note.
    if to in _TOLD and to != task.status:
        return _TOLD[to]
    return None if agent is None else EventType.TASK_ASSIGNED


def check_step(task: Task, to: TaskStatus) -> None:
    """Raise ConflictError unless a status may follow; it names what may."""
    at = TaskStatus(task.status)
    if to in ALLOWED[at]:
        return
    known = ", ".join(ALLOWED[at]) or "nothing: it has ended"
    holder = task.assigned_agent_id
    claims = to is S.CLAIMED and holder is not None
    whose = f" It is agent {holder}'s." if claims else ""
    raise ConflictError(
        f"Task {task.id} is {at.value}, so it cannot become {to.value}.{whose} "
        f"From {at.value} it may become {known}.",
        code="illegal_transition",
        details={"from": at.value, "to": to.value, "allowed": _names(at)},
    )


def _names(at: TaskStatus) -> list[str]:
    return [one.value for one in ALLOWED[at]]


def _check_claim(task: Task, agent: AgentId | None) -> None:
    holder = task.assigned_agent_id
    if agent is None and holder is None:
        raise wrong("assigned_agent_id", "must say who claims it")
    if agent is not None and holder is not None and not same_agent(agent, holder):
        raise ConflictError(
            f"Task {task.id} is assigned to agent {holder}, not to agent {agent}.",
            code="not_yours",
            details={"assigned_agent_id": holder},
        )


def claimed(task: Task, agent_id: AgentId, at: str) -> Moved:
    """
    Return a pending task as its claimer's; raises ConflictError for any other.

    Who claims it twice has it: the answer to the first try may have been lost.
    """
    agent = check_agent(agent_id)
    if task.status == S.CLAIMED and same_agent(agent, task.assigned_agent_id):
        return Moved(task, None)
    return moved(task, S.CLAIMED, assigned_agent_id=agent, at=at)


def submitted(
    task: Task,
    agent_id: AgentId | None,
    result: Any = None,
    artifacts: Any = None,
    *,
    at: str,
) -> Moved:
    """
    Return a task as its assignee hands it in: to be reviewed, or completed.

    Raises ConflictError when it is somebody else's, or nobody's.
    """
    agent = task.assigned_agent_id if agent_id is None else check_agent(agent_id)
    to = S.REVIEW if task.requires_review else S.COMPLETED
    check_step(task, to)
    if not same_agent(agent, task.assigned_agent_id):
        raise ConflictError(
            f"Task {task.id} is agent {task.assigned_agent_id}'s, not agent {agent}'s.",
            code="not_yours",
            details={"assigned_agent_id": task.assigned_agent_id},
        )
    return moved(task, to, result=result, artifacts=artifacts, at=at)


def reviewed(
    task: Task, reviewer_id: AgentId, decision: str, comment: str = "", *, at: str
) -> Moved:
    """
    Return a task after a review: approved, changes_requested or rejected.

    Nobody reviews what is their own. Raises ConflictError, and InvalidRequestError.
    """
    reviewer = check_agent(reviewer_id, "reviewer_id")
    if decision not in DECISIONS:
        raise wrong("decision", f"must be one of {', '.join(DECISIONS)}")
    text = check_text(comment, "comment", most=_LONGEST_COMMENT)
    _check_review(task, reviewer)
    said = {
        "reviewer_id": reviewer,
        "decision": decision,
        "comment": text,
        "at": at,
    }
    done = moved(task, DECISIONS[decision], at=at)
    again = DECISIONS[decision] is S.CHANGES_REQUESTED
    after = replace(
        done.task,
        reviews=[*task.reviews, said][-_MOST_REVIEWS:],
        iteration=task.iteration + 1 if again else task.iteration,
    )
    check_size(after)
    return Moved(after, done.told)


def _check_review(task: Task, reviewer: AgentId) -> None:
    if task.status != S.REVIEW:
        raise ConflictError(
            f"Task {task.id} is {task.status}: only what is in review is reviewed.",
            code="illegal_transition",
            details={"from": task.status, "allowed": _names(S(task.status))},
        )
    if same_agent(reviewer, task.assigned_agent_id):
        raise ConflictError(
            f"Agent {reviewer} did task {task.id}: somebody else reviews it.",
            code="own_work",
            details={"reviewer_id": reviewer},
        )
