"""Circles, members, tasks and conflicts: what makes them, and what is told of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Body, Moment

Role = Literal["lead", "member", "specialist", "reviewer", "observer"]
Priority = Literal["low", "medium", "high", "critical"]
CircleStatus = Literal["stopped", "starting", "running", "stopping"]
TaskStatus = Literal[
    "pending",
    "claimed",
    "in_progress",
    "review",
    "changes_requested",
    "blocked",
    "completed",
    "cancelled",
    "failed",
]
ConflictType = Literal[
    "file_collision", "task_deadlock", "resource_contention", "opinion_divergence"
]
ConflictStatus = Literal["open", "in_progress", "resolved", "escalated"]
_Number = Annotated[int, Field(gt=-(2**63), lt=2**63)]
_Word = Annotated[str, Field(min_length=1, max_length=128)]
Agent = Annotated[
    _Number | _Word,
    Field(description="A number or a name; 7 and `7` are one agent.", examples=[7]),
]
_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Text = Annotated[str, Field(max_length=20_000)]
_Competencies = Annotated[list[_Word], Field(max_length=50, examples=[["python"]])]


class NewCircle(Body):
    """What makes a circle; it is stopped until it is started."""

    name: str = Field(
        min_length=1,
        max_length=128,
        description="Nobody else's; printable, and no number.",
        examples=["reviewers"],
    )
    display_name: _Name | None = None
    description: _Text | None = None
    owner_id: Agent | None = None
    project_id: Agent | None = None
    auto_route: bool = Field(
        default=True, description="Whether new tasks may be assigned to members."
    )
    require_review: bool = Field(
        default=True, description="What its agents keep to; each task says for itself."
    )
    settings: dict[str, Any] | None = Field(
        default=None, description="Whatever its agents want to know of each other."
    )


class ChangedCircle(Body):
    """What changes of a circle; what is not named stays."""

    display_name: _Name | None = None
    description: _Text | None = None
    auto_route: bool | None = None
    require_review: bool | None = None
    settings: dict[str, Any] | None = None
    status: CircleStatus | None = None


class Circle(Answer):
    """A team of agents that shares tasks."""

    id: int
    name: str
    display_name: str
    description: str
    owner_id: int | str | None
    project_id: int | str | None
    auto_route: bool
    require_review: bool
    settings: dict[str, Any]
    status: CircleStatus
    is_active: bool = Field(description="False once it was deleted.")
    member_count: int
    created_at: Moment
    started_at: Moment | None
    stopped_at: Moment | None


class CirclePage(Answer):
    """Circles, the newest first."""

    circles: list[Circle]
    cursor: str | None
    live: str = Field(description="Where the live channel goes on from this list.")


class NewMember(Body):
    """Who comes into a circle, and as what."""

    agent_id: Agent
    agent_name: _Name | None = None
    role: Role = "member"
    competencies: _Competencies | None = None
    can_review: bool = False


class Member(Answer):
    """An agent in a circle."""

    id: int
    circle_id: int
    agent_id: int | str
    agent_name: str
    role: Role
    competencies: list[str]
    can_review: bool
    is_active: bool
    joined_at: Moment
    left_at: Moment | None


class Members(Answer):
    """Members in the order in which they came."""

    members: list[Member]


class AgentCircles(Answer):
    """Where an agent is a member."""

    circles: list[int]
    projects: list[int | str]


class NewTask(Body):
    """What makes a task; it is pending."""

    title: str = Field(min_length=1, max_length=300)
    description: _Text | None = None
    project_id: Agent | None = Field(
        default=None, description="The project of its circle unless told."
    )
    task_type: str = Field(default="feature", min_length=1, max_length=64)
    priority: Priority = "medium"
    required_competencies: _Competencies | None = None
    requires_review: bool = True
    context: Any = None
    when_stopped: Literal["refuse", "keep"] = Field(
        default="refuse",
        description="What becomes of it where the circle does not run.",
    )


class Review(Answer):
    """What a reviewer said."""

    reviewer_id: int | str
    decision: Literal["approved", "changes_requested", "rejected"]
    comment: str
    at: Moment


class Task(Answer):
    """A piece of work of a circle."""

    id: int
    circle_id: int
    title: str
    description: str
    project_id: int | str | None
    task_type: str
    priority: Priority
    status: TaskStatus
    required_competencies: list[str]
    requires_review: bool
    context: Any
    assigned_agent_id: int | str | None
    result: Any
    artifacts: Any
    iteration: int = Field(description="How often it was to be done again.")
    reviews: list[Review]
    created_at: Moment
    updated_at: Moment | None
    started_at: Moment | None
    completed_at: Moment | None


class TaskPage(Answer):
    """Tasks, the most urgent first, and of these the oldest."""

    tasks: list[Task]
    cursor: str | None


class ChangedTask(Body):
    """How a task is by now; what is not named stays."""

    status: TaskStatus
    assigned_agent_id: Agent | None = None
    result: Any = None
    artifacts: Any = None


class Claim(Body):
    """Who wants to do it."""

    agent_id: Agent


class Submission(Body):
    """What came of a task."""

    agent_id: Agent | None = Field(
        default=None, description="Whose it is; checked where it is told."
    )
    result: Any = None
    artifacts: Any = None


class Approval(Body):
    """Who thinks well of it."""

    reviewer_id: Agent
    comment: str = Field(default="", max_length=4_000)


class Rejection(Body):
    """Who does not, and whether it is to be done again."""

    reviewer_id: Agent
    comment: str = Field(default="", max_length=4_000)
    decision: Literal["changes_requested", "rejected"] = Field(
        default="changes_requested",
        description="To be done again, or blocked until somebody looks.",
    )


class NewConflict(Body):
    """Who got into whose way, and with what."""

    agent1: Agent
    agent2: Agent
    conflict_type: ConflictType = "file_collision"
    file_path: str | None = Field(
        default=None, min_length=1, max_length=1_000, examples=["src/app.py"]
    )
    task_id: int | None = None
    description: _Text | None = None


class Conflict(Answer):
    """Two agents in each other's way."""

    id: int
    circle_id: int
    conflict_type: ConflictType
    agent1: int | str
    agent2: int | str
    file_path: str | None
    task_id: int | None
    description: str
    status: ConflictStatus
    resolution: str | None
    resolved_by: int | str | None
    created_at: Moment
    resolved_at: Moment | None


class ConflictPage(Answer):
    """Conflicts, the newest first."""

    conflicts: list[Conflict]
    cursor: str | None


class Resolution(Body):
    """How a conflict ended."""

    resolution: str = Field(max_length=4_000)
    resolved_by: Agent | None = None


class Note(Body):
    """A line for the history of a circle."""

    event_type: str = Field(min_length=1, max_length=256, examples=["decision.made"])
    data: Any = None
    agent_id: Agent | None = None


class CircleEvent(Answer):
    """A line of the history of a circle."""

    id: str
    circle_id: int
    event_type: str
    agent_id: int | str | None
    data: Any
    created_at: Moment


class CircleEvents(Answer):
    """The history of a circle, the newest first."""

    events: list[CircleEvent]
    cursor: str | None


class CircleMetrics(Answer):
    """What a circle did, and who does how much."""

    circle_id: int
    status: CircleStatus
    members: int
    tasks: dict[str, int] = Field(description="How many there are by status.")
    total_tasks: int
    completion_rate: float | None = Field(
        description="The share of those that ended that was completed."
    )
    median_duration_s: float | None = Field(
        description="From beginning to completion, in seconds."
    )
    workload: dict[str, int] = Field(description="Open tasks by agent.")
    open_conflicts: int
