"""The events that tell of circles, members, tasks and conflicts."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.events.types import EventType
from eventyard.orchestration.model import (
    Circle,
    CircleStatus,
    Conflict,
    Member,
    Task,
)

_RUNS: Final = {
    CircleStatus.RUNNING: EventType.CIRCLE_STARTED,
    CircleStatus.STOPPED: EventType.CIRCLE_STOPPED,
}


def of_circle(kind: str | Enum, circle: Circle) -> Event:
    """Tell of a circle."""
    data = {
        "circle_id": circle.id,
        "name": circle.name,
        "display_name": circle.display_name,
        "project_id": circle.project_id,
    }
    if kind != EventType.CIRCLE_CREATED:
        data["status"] = circle.status
    return Event(kind, data, circle_id=circle.id, project_id=circle.project_id)


def kind_of_run(before: Circle, after: Circle) -> EventType | None:
    """Return which event tells that a circle runs, or no longer; None: no change."""
    if before.status == after.status:
        return None
    return _RUNS.get(CircleStatus(after.status))


def of_member(kind: str | Enum, member: Member, circle: Circle) -> Event:
    """Tell who came into a circle, or left it."""
    data = {
        "member_id": member.id,
        "circle_id": member.circle_id,
        "agent_id": member.agent_id,
        "role": member.role,
        "competencies": list(member.competencies),
    }
    return Event(
        kind,
        data,
        circle_id=circle.id,
        project_id=circle.project_id,
        source_agent_id=member.agent_id,
    )


def of_new_task(task: Task) -> Event:
    """Tell that there is a task."""
    data = {
        "task_id": task.id,
        "circle_id": task.circle_id,
        "title": task.title,
        "priority": task.priority,
        "required_competencies": list(task.required_competencies),
    }
    return Event(
        EventType.TASK_CREATED,
        data,
        circle_id=task.circle_id,
        project_id=task.project_id,
    )


def of_task(kind: str | Enum, task: Task) -> Event:
    """Tell how a task is."""
    data = {
        "task_id": task.id,
        "circle_id": task.circle_id,
        "status": task.status,
        "assigned_agent_id": task.assigned_agent_id,
        "result": task.result,
    }
    return Event(
        kind,
        data,
        circle_id=task.circle_id,
        project_id=task.project_id,
        source_agent_id=task.assigned_agent_id,
    )


def of_conflict(
    conflict: Conflict, kind: str | Enum = EventType.TASK_CONFLICT_DETECTED
) -> Event:
    """Tell who got into whose way, and with what."""
    data: dict[str, Any] = {
        "conflict_id": conflict.id,
        "conflict_type": conflict.conflict_type,
        "file_path": conflict.file_path,
        "agent1": conflict.agent1,
        "agent2": conflict.agent2,
        "task_id": conflict.task_id,
        "status": conflict.status,
    }
    return Event(
        kind, data, circle_id=conflict.circle_id, source_agent_id=conflict.agent2
    )
