"""Circles on a server, over its REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from eventyard.core.errors import NotFoundError
from eventyard.orchestration._http import Server
from eventyard.orchestration.backend import Active, Shown
from eventyard.orchestration.model import AgentId, check_agent

_PAGE: Final = 200
_CIRCLES: Final = "/api/v1/circles"
_TASKS: Final = "/api/v1/tasks"


class ServerCircles:
    """Asks a server; each method is one request, and a list one for each page."""

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        self._server = Server.named(url, api_key)

    def create(self, wish: Mapping[str, Any]) -> Shown:
        """Make a circle."""
        return self._server.create(_CIRCLES, wish)

    def find(self, circle_id: int) -> Shown | None:
        """Return a circle."""
        return self._found(_circle(circle_id))

    def circles(
        self, is_active: Active, status: str | None, project_id: AgentId | None
    ) -> list[Shown]:
        """Return circles, the newest first."""
        wish = {"is_active": _flag(is_active), "status": status}
        return self._pages(_CIRCLES, "circles", {**wish, "project_id": project_id})

    def change(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Change a circle."""
        return self._server.ask("PATCH", _circle(circle_id), wish)

    def delete(self, circle_id: int) -> None:
        """Stop a circle for good."""
        self._server.ask("DELETE", _circle(circle_id))

    def join(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Take an agent in."""
        return self._server.create(f"{_circle(circle_id)}/members", wish)

    def leave(self, circle_id: int, agent_id: AgentId) -> None:
        """Let an agent go."""
        query = urlencode({"agent_id": check_agent(agent_id)})
        self._server.ask("DELETE", f"{_circle(circle_id)}/members?{query}")

    def members(self, circle_id: int, is_active: Active) -> list[Shown]:
        """Return members in the order in which they came."""
        path = f"{_circle(circle_id)}/members?is_active={_flag(is_active)}"
        return list(self._server.ask("GET", path)["members"])

    def create_task(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Make a task, also in a circle that does not run."""
        wished = {**wish, "when_stopped": "keep"}
        return self._server.create(f"{_circle(circle_id)}/tasks", wished)

    def find_task(self, task_id: int) -> Shown | None:
        """Return a task."""
        return self._found(_task(task_id))

    def tasks(self, circle_id: int, status: str | None) -> list[Shown]:
        """Return tasks, the most urgent first."""
        return self._pages(f"{_circle(circle_id)}/tasks", "tasks", {"status": status})

    def move(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Say how a task is by now."""
        return self._server.ask("PATCH", _task(task_id), wish)

    def claim(self, task_id: int, agent_id: AgentId) -> Shown:
        """Make a pending task an agent's."""
        path = f"{_task(task_id)}/claim"
        return self._server.ask("POST", path, {"agent_id": agent_id}, again=True)

    def submit(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Hand a task in."""
        said = {name: value for name, value in wish.items() if value is not None}
        return self._server.ask("POST", f"{_task(task_id)}/submit", said)

    def review(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Say what a reviewer thinks of it."""
        said = dict(wish)
        if said["decision"] == "approved":
            del said["decision"]
            return self._server.ask("POST", f"{_task(task_id)}/approve", said)
        return self._server.ask("POST", f"{_task(task_id)}/reject", said)

    def note(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Write something into the history of a circle."""
        kind = wish["event_type"]
        said = {**wish, "event_type": str(getattr(kind, "value", kind))}
        # Nothing tells two tries apart from two lines: it is tried once.
        return self._server.ask("POST", f"{_circle(circle_id)}/events", said)

    def history(
        self, circle_id: int, event_type: str | None, limit: int
    ) -> list[Shown]:
        """Return the history of a circle, the newest first."""
        kind = (
            None
            if event_type is None
            else str(getattr(event_type, "value", event_type))
        )
        path = f"{_circle(circle_id)}/events"
        return self._pages(path, "events", {"event_type": kind}, max(limit, 0))

    def report(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Report a conflict."""
        return self._server.create(f"{_circle(circle_id)}/conflicts", wish)

    def conflicts(self, circle_id: int, status: str | None) -> list[Shown]:
        """Return the conflicts of a circle, the newest first."""
        path = f"{_circle(circle_id)}/conflicts"
        return self._pages(path, "conflicts", {"status": status})

    def resolve(
        self, circle_id: int, conflict_id: int, wish: Mapping[str, Any]
    ) -> Shown:
        """End a conflict."""
        path = f"{_circle(circle_id)}/conflicts/{int(conflict_id)}/resolve"
        return self._server.ask("POST", path, wish)

    def _found(self, path: str) -> Shown | None:
        try:
            return self._server.ask("GET", path)
        except NotFoundError:
            return None

    def _pages(
        self, path: str, name: str, wish: Mapping[str, Any], most: int | None = None
    ) -> list[Shown]:
        found: list[Shown] = []
        cursor: str | None = ""
        while cursor is not None and (most is None or len(found) < most):
            left = _PAGE if most is None else min(most - len(found), _PAGE)
            asked = {**wish, "limit": left, "cursor": cursor or None}
            query = urlencode({n: v for n, v in asked.items() if v is not None})
            page = self._server.ask("GET", f"{path}?{query}")
            found += page[name]
            cursor = page["cursor"]
        return found


def _circle(circle_id: int) -> str:
    return f"{_CIRCLES}/{int(circle_id)}"


def _task(task_id: int) -> str:
    return f"{_TASKS}/{int(task_id)}"


def _flag(is_active: Active) -> str:
    return "any" if is_active is None else str(is_active).lower()
