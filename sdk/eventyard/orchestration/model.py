"""Circles, their members, tasks and conflicts: what they are and what each may hold."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from eventyard.core.errors import InvalidRequestError, PayloadTooLargeError
from eventyard.core.jsontext import dumps

#: Who does things: a number or a name, kept as it was given.
AgentId = int | str
Kind = TypeVar("Kind", bound=StrEnum)

#: Characters that a name may have, and that a text may have.
LONGEST_NAME: Final = 128
LONGEST_TEXT: Final = 20_000
#: How many competencies, and how many active members of one circle.
MOST_COMPETENCIES: Final = 50
MOST_MEMBERS: Final = 50
#: Bytes of a task in JSON, whole; of a circle.
LARGEST_TASK: Final = 200_000
LARGEST_CIRCLE: Final = 50_000
_MOST_DIGITS: Final = 2**63
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class MemberRole(StrEnum):
    """What a member is to its circle."""

    LEAD = "lead"
    MEMBER = "member"
    SPECIALIST = "specialist"
    REVIEWER = "reviewer"
    OBSERVER = "observer"


class TaskStatus(StrEnum):
    """How far a task is."""

    PENDING = "pending"
    CLAIMED = "claimed"
    IN_PROGRESS = "in_progress"
    REVIEW = "review"
    CHANGES_REQUESTED = "changes_requested"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class TaskPriority(StrEnum):
    """How urgent a task is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class CircleStatus(StrEnum):
    """Whether a circle works."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class ConflictType(StrEnum):
    """What members got into each other's way with."""

    FILE_COLLISION = "file_collision"
    TASK_DEADLOCK = "task_deadlock"
    RESOURCE_CONTENTION = "resource_contention"
    OPINION_DIVERGENCE = "opinion_divergence"


class ConflictStatus(StrEnum):
    """What has become of a conflict."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    ESCALATED = "escalated"


#: Words of priority as numbers: the lower, the more urgent.
URGENCY: Final = {
    TaskPriority.CRITICAL: 1,
    TaskPriority.HIGH: 3,
    TaskPriority.MEDIUM: 5,
    TaskPriority.LOW: 8,
}


class _Record:
    """What is told of it is what it holds."""

    __slots__ = ()

    def shown(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            one.name: _plain(getattr(self, one.name))
            for one in fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def read(cls, shown: dict[str, Any]) -> Self:
        """Make it again of what `shown` returned."""
        return cls(
            **{
                name: tuple(value) if name in _TUPLES else value
                for name, value in shown.items()
            }
        )


_TUPLES: Final = frozenset({"competencies", "required_competencies"})


@dataclass(frozen=True, slots=True)
class Circle(_Record):
    """A team of agents that shares tasks; it is `stopped` until it is started."""

    id: int
    name: str
    display_name: str
    created_at: str
    description: str = ""
    owner_id: AgentId | None = None
    project_id: int | str | None = None
    auto_route: bool = True
    require_review: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    status: str = CircleStatus.STOPPED
    is_active: bool = True
    #: How many active members it has.
    member_count: int = 0
    started_at: str | None = None
    stopped_at: str | None = None


@dataclass(frozen=True, slots=True)
class Member(_Record):
    """An agent in a circle; `left_at` is set while it is none any more."""

    id: int
    circle_id: int
    agent_id: AgentId
    agent_name: str
    joined_at: str
    role: str = MemberRole.MEMBER
    competencies: tuple[str, ...] = ()
    can_review: bool = False
    is_active: bool = True
    left_at: str | None = None


@dataclass(frozen=True, slots=True)
class Task(_Record):
    """A piece of work of a circle."""

    id: int
    circle_id: int
    title: str
    created_at: str
    description: str = ""
    project_id: int | str | None = None
    task_type: str = "feature"
    priority: str = TaskPriority.MEDIUM
    status: str = TaskStatus.PENDING
    required_competencies: tuple[str, ...] = ()
    requires_review: bool = True
    context: Any = None
    assigned_agent_id: AgentId | None = None
    result: Any = None
    artifacts: Any = None
    #: How often it was to be done again after a review.
    iteration: int = 0
    #: What reviewers said: reviewer_id, decision, comment, at.
    reviews: list[dict[str, Any]] = field(default_factory=list)
    updated_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing can become of it any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Conflict(_Record):
    """Two agents in each other's way."""

    id: int
    circle_id: int
    agent1: AgentId
    agent2: AgentId
    created_at: str
    conflict_type: str = ConflictType.FILE_COLLISION
    file_path: str | None = None
    task_id: int | None = None
    description: str = ""
    status: str = ConflictStatus.OPEN
    resolution: str | None = None
    resolved_by: AgentId | None = None
    resolved_at: str | None = None


ENDED: Final = frozenset(
    {TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.FAILED}
)


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    # Whoever is told may change it: what is kept stays.
    return deepcopy(value) if isinstance(value, dict | list) else value


def one_of(kind: type[Kind], value: Any, name: str) -> Kind:
    """Return the member of an enum, or raise InvalidRequestError naming all of them."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise wrong(name, f"must be one of {known}, not {value!r:.60}") from None


def wrong(name: str, why: str) -> InvalidRequestError:
    """Return the error that a field is not as it must be."""
    return InvalidRequestError(f"{name} {why}.", details={"field": name})


def check_name(value: Any, name: str = "name") -> str:
    """
    Return the name of a circle; raises InvalidRequestError.

    It has 1 to 128 printable characters and is no number: an address may have either.
    """
    text = check_text(value, name, least=1, most=LONGEST_NAME)
    if text.isdecimal() or not text.isprintable() or text != text.strip():
        raise wrong(
            name,
            "must be printable, without space around it, and must not be a number",
        )
    return _no_step(text, name)


def _no_step(text: str, name: str) -> str:
    # In an address these lead elsewhere: to what is above, which may be removed then.
    if text in (".", ".."):
        raise wrong(name, "must not be dots alone: addresses read them otherwise")
    return text


def check_line(
    value: Any, name: str, *, least: int = 1, most: int = LONGEST_NAME
) -> str:
    """
    Return a text of one line that shows something; raises InvalidRequestError.

    It has no control characters: whoever prints it has one line, and no surprise.
    """
    text = check_text(value, name, least=least, most=most)
    if _CONTROL.search(text) or (least and not text.strip()):
        raise wrong(name, "must be one line, without control characters, and not blank")
    return text


def check_text(
    value: Any, name: str, *, least: int = 0, most: int = LONGEST_TEXT
) -> str:
    """Return a text of a length; raises InvalidRequestError."""
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise wrong(name, f"must be a text of {least} to {most} characters")
    return value


def check_agent(value: Any, name: str = "agent_id") -> AgentId:
    """Return an agent's id: a whole number or a short text, else an error."""
    if type(value) is int and abs(value) < _MOST_DIGITS:
        return value
    if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME:
        return _no_step(check_line(value, name), name)
    raise wrong(name, f"must be a whole number or 1 to {LONGEST_NAME} characters")


def check_optional(value: Any, name: str) -> AgentId | None:
    """Return an id that may be None."""
    return None if value is None else check_agent(value, name)


def same_agent(one: AgentId | None, other: AgentId | None) -> bool:
    """Tell whether two ids are one agent: 7 and "7" are."""
    return one is not None and other is not None and str(one) == str(other)


def check_competencies(value: Any, name: str = "competencies") -> tuple[str, ...]:
    """Return competencies, each once, in their order; raises InvalidRequestError."""
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise wrong(name, "must be a list of texts")
    found = sorted(value, key=str) if isinstance(value, set | frozenset) else value
    once = tuple(dict.fromkeys(check_line(v, name) for v in found))
    if len(once) > MOST_COMPETENCIES:
        raise wrong(name, f"must be at most {MOST_COMPETENCIES}")
    return once


def check_flag(value: Any, name: str) -> bool:
    """Return true or false; raises InvalidRequestError for anything else."""
    if not isinstance(value, bool):
        raise wrong(name, "must be true or false")
    return value


def check_size(record: Circle | Task) -> None:
    """Raise PayloadTooLargeError, or ValidationError for what is no JSON."""
    most = LARGEST_TASK if isinstance(record, Task) else LARGEST_CIRCLE
    size = len(dumps(record.shown()).encode(errors="surrogatepass"))
    if size > most:
        kind = type(record).__name__.lower()
        raise PayloadTooLargeError(
            f"A {kind} may have {most} bytes, not {size}: keep the rest elsewhere, "
            "and a link to it here.",
            details={"limit": most, "bytes": size},
        )
