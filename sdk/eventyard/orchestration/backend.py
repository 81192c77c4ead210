"""What a store of circles stands on: the memory of this process, or a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from eventyard.orchestration.model import AgentId

Shown = dict[str, Any]
#: Those that are active, those that are not, or all.
Active = bool | None


class Backend(Protocol):
    """
    Does what a store is asked to do, and tells each thing as a dictionary.

    Raises NotFoundError for what is not there, InvalidRequestError for what makes no
    sense, and ConflictError for what may not be now.
    """

    def create(self, wish: Mapping[str, Any]) -> Shown:
        """Make a circle."""

    def find(self, circle_id: int) -> Shown | None:
        """Return a circle, deleted ones as well."""

    def circles(
        self, is_active: Active, status: str | None, project_id: AgentId | None
    ) -> list[Shown]:
        """Return circles, the newest first."""

    def change(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Change what is named of a circle, also whether it runs."""

    def delete(self, circle_id: int) -> None:
        """Stop a circle for good."""

    def join(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Take an agent into a circle, or say anew what it is there."""

    def leave(self, circle_id: int, agent_id: AgentId) -> None:
        """Let an agent go."""

    def members(self, circle_id: int, is_active: Active) -> list[Shown]:
        """Return members in the order in which they came."""

    def create_task(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Make a task."""

    def find_task(self, task_id: int) -> Shown | None:
        """Return a task."""

    def tasks(self, circle_id: int, status: str | None) -> list[Shown]:
        """Return tasks, the most urgent first, and of these the oldest."""

    def move(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Say how a task is by now."""

    def claim(self, task_id: int, agent_id: AgentId) -> Shown:
        """Make a pending task an agent's."""

    def submit(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Hand a task in."""

    def review(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Say what a reviewer thinks of it."""

    def note(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Write something into the history of a circle."""

    def history(
        self, circle_id: int, event_type: str | None, limit: int
    ) -> list[Shown]:
        """Return the history of a circle, the newest first."""

    def report(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Report a conflict; one that is known and open is the same one."""

    def conflicts(self, circle_id: int, status: str | None) -> list[Shown]:
        """Return the conflicts of a circle, the newest first."""

    def resolve(
        self, circle_id: int, conflict_id: int, wish: Mapping[str, Any]
    ) -> Shown:
        """End a conflict."""
