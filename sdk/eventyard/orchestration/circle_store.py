"""Circles, their members and tasks: made, changed, and each change told as an event."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

from eventyard.events.bus import EventBus, event_bus
from eventyard.orchestration.backend import Active, Backend, Shown
from eventyard.orchestration.memory import MemoryCircles
from eventyard.orchestration.model import AgentId


class CircleStore:
    """
    Circles in the memory of this process, or, by `connect`, on a server.

    Both have the same verbs and tell the same dictionaries. Its methods block; they may
    be called from any thread, and from within a running loop. In memory each change is
    published on `event_bus`: soon after within a running loop, and before the method
    returns without one. A server publishes to whoever listens to it.

    What is not there raises NotFoundError, what makes no sense InvalidRequestError,
    and what may not be now ConflictError.
    """

    def __init__(
        self, bus: EventBus | None = None, *, backend: Backend | None = None
    ) -> None:
        self._backend = backend or MemoryCircles(event_bus if bus is None else bus)

    @classmethod
    def connect(cls, url: str | None = None, api_key: str | None = None) -> Self:
        """
        Return a store whose circles are on a server.

        Args:
            url: Its address; `EVENTYARD_URL`, or this machine.
            api_key: A key or a token with the scopes `circles:read` and
                `circles:write`; `EVENTYARD_API_KEY`.
        """
        from eventyard.orchestration.remote import ServerCircles

        return cls(backend=ServerCircles(url, api_key))

    @property
    def is_remote(self) -> bool:
        """Tell whether its methods wait for a server."""
        return not isinstance(self._backend, MemoryCircles)

    def create_circle(  # noqa: PLR0913 - what makes a circle, each by its name
        self,
        name: str,
        display_name: str | None = None,
        description: str = "",
        owner_id: AgentId | None = None,
        project_id: AgentId | None = None,
        *,
        auto_route: bool = True,
        require_review: bool = True,
        settings: dict[str, Any] | None = None,
    ) -> int:
        """Make a circle, which is stopped; return its id. Its name must be free."""
        wish = {
            "name": name,
            "display_name": display_name,
            "description": description,
            "owner_id": owner_id,
            "project_id": project_id,
            "auto_route": auto_route,
            "require_review": require_review,
            "settings": settings,
        }
        return _id(self._backend.create(_said(wish)))

    def get_circle(self, circle_id: int) -> Shown | None:
        """Return a circle, also one that was deleted; None: there is none."""
        return self._backend.find(circle_id)

    def list_circles(
        self,
        is_active: Active = True,  # noqa: FBT002 - as callers know it
        status: str | None = None,
        project_id: AgentId | None = None,
    ) -> list[Shown]:
        """Return circles, the newest first; `is_active=None`: deleted ones as well."""
        return self._backend.circles(is_active, status, project_id)

    def update_circle_status(self, circle_id: int, status: str) -> bool:
        """Say that a circle is stopped, starting, running or stopping; return True."""
        self._backend.change(circle_id, {"status": status})
        return True

    def delete_circle(self, circle_id: int) -> bool:
        """Stop a circle for good; what was done in it can still be read."""
        self._backend.delete(circle_id)
        return True

    def add_member(
        self,
        circle_id: int,
        agent_id: AgentId,
        role: str = "member",
        competencies: list[str] | None = None,
        *,
        can_review: bool = False,
        agent_name: str | None = None,
    ) -> int:
        """
        Take an agent into a circle; return the id of its membership.

        One who is there already, or was, gets this role and these competencies.
        """
        wish = {
            "agent_id": agent_id,
            "role": role,
            "competencies": None if competencies is None else list(competencies),
            "can_review": can_review,
            "agent_name": agent_name,
        }
        return _id(self._backend.join(circle_id, _said(wish)))

    def remove_member(self, circle_id: int, agent_id: AgentId) -> bool:
        """Let an agent go, who may come back."""
        self._backend.leave(circle_id, agent_id)
        return True

    def list_members(
        self,
        circle_id: int,
        is_active: Active = True,  # noqa: FBT002 - as callers know it
    ) -> list[Shown]:
        """Return members in the order in which they came; None: those who left, too."""
        return self._backend.members(circle_id, is_active)

    def create_task(  # noqa: PLR0913 - what makes a task, each by its name
        self,
        circle_id: int,
        title: str,
        description: str = "",
        project_id: AgentId | None = None,
        task_type: str = "feature",
        priority: str = "medium",
        *,
        required_competencies: list[str] | None = None,
        requires_review: bool = True,
        context: Any = None,
    ) -> int:
        """Make a task, which is pending; return its id. Its circle need not run."""
        wish = {
            "title": title,
            "description": description,
            "project_id": project_id,
            "task_type": task_type,
            "priority": priority,
            "required_competencies": None
            if required_competencies is None
            else list(required_competencies),
            "requires_review": requires_review,
            "context": context,
        }
        return _id(self._backend.create_task(circle_id, _said(wish)))

    def get_task(self, task_id: int) -> Shown | None:
        """Return a task, or None."""
        return self._backend.find_task(task_id)

    def list_tasks(self, circle_id: int, status: str | None = None) -> list[Shown]:
        """Return tasks, the most urgent first, and of these the oldest."""
        return self._backend.tasks(circle_id, status)

    def update_task_status(
        self,
        task_id: int,
        status: str,
        assigned_agent_id: AgentId | None = None,
        result: Any = None,
        artifacts: Any = None,
    ) -> bool:
        """
        Say how a task is by now; what is None stays as it was. Returns True.

        Raises ConflictError for a status that cannot follow, saying which can.
        """
        wish = {
            "status": status,
            "assigned_agent_id": assigned_agent_id,
            "result": result,
            "artifacts": artifacts,
        }
        self._backend.move(task_id, _said(wish))
        return True

    def claim_task(self, task_id: int, agent_id: AgentId) -> Shown:
        """Make a pending task an agent's; of several who try at once one has it."""
        return self._backend.claim(task_id, agent_id)

    def submit_task(
        self,
        task_id: int,
        agent_id: AgentId | None = None,
        result: Any = None,
        artifacts: Any = None,
    ) -> Shown:
        """Hand a task in: it is reviewed then, or completed where none is wanted."""
        wish = {"agent_id": agent_id, "result": result, "artifacts": artifacts}
        return self._backend.submit(task_id, _said({**wish}) | {"agent_id": agent_id})

    def review_task(
        self, task_id: int, reviewer_id: AgentId, decision: str, comment: str = ""
    ) -> Shown:
        """Say what a reviewer thinks: `approved`, `changes_requested`, `rejected`."""
        wish = {"reviewer_id": reviewer_id, "decision": decision, "comment": comment}
        return self._backend.review(task_id, wish)

    def log_event(
        self,
        circle_id: int,
        event_type: str,
        data: Any = None,
        agent_id: AgentId | None = None,
    ) -> str:
        """Write something into the history of a circle; nothing is published."""
        wish = {"event_type": event_type, "data": data, "agent_id": agent_id}
        return str(self._backend.note(circle_id, _said(wish))["id"])

    def get_events(
        self, circle_id: int, event_type: str | None = None, limit: int = 100
    ) -> list[Shown]:
        """Return the history of a circle, the newest first: also its own events."""
        return self._backend.history(circle_id, event_type, limit)

    def report_conflict(  # noqa: PLR0913 - what makes a conflict, each by its name
        self,
        circle_id: int,
        agent1: AgentId,
        agent2: AgentId,
        file_path: str | None = None,
        conflict_type: str = "file_collision",
        *,
        task_id: int | None = None,
        description: str = "",
    ) -> int:
        """Report that agents are in each other's way; return the conflict's id."""
        wish = {
            "agent1": agent1,
            "agent2": agent2,
            "file_path": file_path,
            "conflict_type": conflict_type,
            "task_id": task_id,
            "description": description,
        }
        return _id(self._backend.report(circle_id, _said(wish)))

    def list_conflicts(self, circle_id: int, status: str | None = None) -> list[Shown]:
        """Return the conflicts of a circle, the newest first."""
        return self._backend.conflicts(circle_id, status)

    def resolve_conflict(
        self,
        circle_id: int,
        conflict_id: int,
        resolution: str,
        resolved_by: AgentId | None = None,
    ) -> Shown:
        """End a conflict."""
        wish = {"resolution": resolution, "resolved_by": resolved_by}
        return self._backend.resolve(circle_id, conflict_id, _said(wish))


def _said(wish: dict[str, Any]) -> dict[str, Any]:
    # A copy: whoever wished may go on to change what they gave.
    return {name: deepcopy(value) for name, value in wish.items() if value is not None}


def _id(shown: Shown) -> int:
    return int(shown["id"])
