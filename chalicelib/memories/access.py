"""Which agents a caller may speak for, and what those may write to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from chalicelib.auth import Principal
from eventyard.core.errors import PermissionDeniedError
from eventyard.core.topics import compile_pattern
from eventyard.rag.spaces import GLOBAL, Name, Reader, check_agent

READ: Final = "memories:read"
WRITE: Final = "memories:write"

Members = Callable[[Name], Iterable[Name]]


@dataclass(frozen=True, slots=True)
class Access:
    """
    Decides who may do what.

    A key with `memories:read` or `memories:write` speaks for every agent, one with
    `memories:read:<pattern>` for those whose ids the pattern fits. An agent writes to
    the circles and projects that it is in.
    """

    circles_of: Members
    projects_of: Members

    def reader(self, agent_id: Name) -> Reader:
        """Return an agent with its circles and projects; raises InvalidMemoryError."""
        check_agent(agent_id)
        circles, projects = self.circles_of(agent_id), self.projects_of(agent_id)
        return Reader(agent_id, tuple(circles), tuple(projects))

    def require(self, caller: Principal, scope: str, agent_id: Name) -> None:
        """Raise PermissionDeniedError unless a caller may speak for an agent."""
        name = check_agent(agent_id)
        if not self.speaks_for(caller, scope, name):
            raise PermissionDeniedError(
                f"This needs the scope {scope}:{name}.",
                details={"scope": scope, "agent_id": agent_id},
            )

    def speaks_for(self, caller: Principal, scope: str, agent_id: Name) -> bool:
        """Tell whether a caller may speak for an agent."""
        patterns = caller.topics(scope)
        if patterns is None:
            return True
        found = (compile_pattern(pattern) for pattern in patterns)
        return any(pattern.matches(str(agent_id)) for pattern in found)

    def require_write(
        self, caller: Principal, agent_id: Name, scope: str, scope_id: Name | None
    ) -> None:
        """Raise PermissionDeniedError unless an agent may write to a scope."""
        self.require(caller, WRITE, agent_id)
        whole = caller.topics(WRITE) is None
        match scope:
            case "circle" | "project" if "admin" not in caller.scopes:
                joined = self.circles_of if scope == "circle" else self.projects_of
                if str(scope_id) not in map(str, joined(agent_id)):
                    raise PermissionDeniedError(
                        f"Agent {agent_id} is not in {scope} {scope_id}.",
                        details={"scope": scope, "scope_id": scope_id},
                    )
            case "global" if not whole:
                raise PermissionDeniedError(
                    f"Memories for all need the scope {WRITE}, for no agent alone.",
                    details={"scope": WRITE},
                )

    def may_read(self, caller: Principal, space: str, agent_id: Name | None) -> bool:
        """Tell whether a caller may read a space, as an agent or by itself."""
        if agent_id is not None:
            self.require(caller, READ, agent_id)
            return space in self.reader(agent_id).spaces
        if caller.topics(READ) is None or space == GLOBAL:
            return True
        kind, _, name = space.partition(":")
        return kind == "agent" and self.speaks_for(caller, READ, name)
