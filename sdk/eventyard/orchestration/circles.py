"""What may become of circles, their members and conflicts: nothing but rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from eventyard.core.errors import ConflictError, NotFoundError
from eventyard.orchestration.model import (
    MOST_MEMBERS,
    AgentId,
    Circle,
    CircleStatus,
    Conflict,
    ConflictStatus,
    ConflictType,
    Member,
    MemberRole,
    check_agent,
    check_competencies,
    check_flag,
    check_line,
    check_name,
    check_optional,
    check_size,
    check_text,
    one_of,
    same_agent,
    wrong,
)
from eventyard.orchestration.paths import normal_path

_LONGEST_RESOLUTION: Final = 4_000


def new_circle(circle_id: int, wish: Mapping[str, Any], at: str) -> Circle:
    """Make a circle of what is wished for; raises InvalidRequestError naming a field."""
    name = check_name(wish["name"])
    shown = wish.get("display_name")
    made = Circle(
        id=circle_id,
        name=name,
        display_name=_display_name(name if shown is None else shown),
        created_at=at,
        description=check_text(wish.get("description") or "", "description"),
        owner_id=check_optional(wish.get("owner_id"), "owner_id"),
        project_id=check_optional(wish.get("project_id"), "project_id"),
        auto_route=check_flag(wish.get("auto_route", True), "auto_route"),
        require_review=check_flag(wish.get("require_review", True), "require_review"),
        settings=_settings(wish.get("settings")),
    )
    check_size(made)
    return made


def changed(circle: Circle, wish: Mapping[str, Any], at: str) -> Circle:
    """Return a circle with what is wished for changed; raises as `new_circle`."""
    check_active(circle)
    checks: dict[str, Any] = {
        "display_name": _display_name,
        "description": lambda value: check_text(value, "description"),
        "auto_route": lambda value: check_flag(value, "auto_route"),
        "require_review": lambda value: check_flag(value, "require_review"),
        "settings": _settings,
    }
    named = {n: check(wish[n]) for n, check in checks.items() if n in wish}
    after = replace(circle, **named)
    check_size(after)
    return run(after, wish["status"], at) if "status" in wish else after


def run(circle: Circle, status: str, at: str) -> Circle:
    """Return a circle that runs, or no longer."""
    check_active(circle)
    to = one_of(CircleStatus, status, "status")
    if to == circle.status:
        return circle
    begins, ends = to is CircleStatus.RUNNING, to is CircleStatus.STOPPED
    return replace(
        circle,
        status=to.value,
        started_at=at if begins else circle.started_at,
        stopped_at=at if ends else circle.stopped_at,
    )


def deleted(circle: Circle, at: str) -> Circle:
    """Return a circle that is no more, but for those who look back."""
    return replace(run(circle, CircleStatus.STOPPED, at), is_active=False)


def joined(
    circle: Circle,
    before: Member | None,
    member_id: int,
    wish: Mapping[str, Any],
    at: str,
) -> tuple[Circle, Member]:
    """
    Return a circle and the member who came, or came back, or is another one now.

    Raises InvalidRequestError, and ConflictError when the circle is full or deleted.
    """
    check_active(circle)
    agent = check_agent(wish["agent_id"])
    was = before is not None and before.is_active
    if not was and circle.member_count >= MOST_MEMBERS:
        raise ConflictError(
            f"Circle {circle.id} has {MOST_MEMBERS} members; no circle has more.",
            code="circle_full",
            details={"limit": MOST_MEMBERS},
        )
    known = before.agent_name if before else str(agent)
    member = Member(
        id=before.id if before else member_id,
        circle_id=circle.id,
        agent_id=before.agent_id if before else agent,
        agent_name=check_line(wish.get("agent_name") or known, "agent_name"),
        joined_at=before.joined_at if before and was else at,
        role=one_of(MemberRole, wish.get("role", "member"), "role").value,
        competencies=check_competencies(wish.get("competencies")),
        can_review=check_flag(wish.get("can_review", False), "can_review"),
    )
    return _counted(circle, 0 if was else 1), member


def left(circle: Circle, member: Member, at: str) -> tuple[Circle, Member]:
    """Return a circle and the member who left it."""
    return _counted(circle, -1), replace(member, is_active=False, left_at=at)


def _counted(circle: Circle, by: int) -> Circle:
    return replace(circle, member_count=circle.member_count + by)


def new_conflict(
    conflict_id: int, circle_id: int, wish: Mapping[str, Any], at: str
) -> Conflict:
    """Make a conflict of what was reported; raises InvalidRequestError."""
    kind = one_of(
        ConflictType, wish.get("conflict_type", "file_collision"), "conflict_type"
    )
    path = wish.get("file_path")
    if path is None and kind is ConflictType.FILE_COLLISION:
        raise wrong("file_path", "must say which file it is about")
    one, other = (
        check_agent(wish["agent1"], "agent1"),
        check_agent(wish["agent2"], "agent2"),
    )
    if same_agent(one, other):
        raise wrong("agent2", "must be another agent than agent1")
    return Conflict(
        id=conflict_id,
        circle_id=circle_id,
        agent1=one,
        agent2=other,
        created_at=at,
        conflict_type=kind.value,
        file_path=None
        if path is None
        else normal_path(check_line(path, "file_path", most=1_000)),
        task_id=_task_id(wish.get("task_id")),
        description=check_text(wish.get("description") or "", "description"),
    )


def resolved(
    conflict: Conflict, resolution: str, resolved_by: AgentId | None, at: str
) -> Conflict:
    """Return a conflict that is none any more; raises ConflictError when it was none."""
    if conflict.status == ConflictStatus.RESOLVED:
        raise ConflictError(
            f"Conflict {conflict.id} was resolved before.",
            details={"conflict_id": conflict.id},
        )
    return replace(
        conflict,
        status=ConflictStatus.RESOLVED.value,
        resolution=check_text(resolution, "resolution", most=_LONGEST_RESOLUTION),
        resolved_by=check_optional(resolved_by, "resolved_by"),
        resolved_at=at,
    )


def same_conflict(one: Conflict) -> tuple[str, str, str, str]:
    """Return what tells two reports of one conflict from reports of two."""
    first, second = sorted((str(one.agent1), str(one.agent2)))
    return one.conflict_type, one.file_path or str(one.task_id), first, second


def check_active(circle: Circle) -> None:
    """Raise ConflictError for a circle that was deleted."""
    if not circle.is_active:
        raise ConflictError(
            f"Circle {circle.id} was deleted.", details={"circle_id": circle.id}
        )


def missing(kind: str, name: object) -> NotFoundError:
    """Return the error that there is no such thing."""
    return NotFoundError(f"There is no {kind} {name!s:.64}.", details={kind: name})


def _task_id(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise wrong("task_id", "must be a whole number")
    return value


def _display_name(value: Any) -> str:
    return check_line(value, "display_name")


def _settings(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong("settings", "must be an object")
    return dict(value)
