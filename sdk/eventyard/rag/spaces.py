"""Who shares what: each memory belongs to one space, and a question looks into several."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from eventyard.core.errors import InvalidRequestError

#: Names of agents, circles and projects: numbers or texts, the same in text.
Name = int | str
SCOPES: Final = ("agent", "circle", "project", "global")
GLOBAL: Final = "global"
KNOWLEDGE: Final = "knowledge"
_NAME: Final = re.compile(r"[A-Za-z0-9_.:@/+-]{1,128}")


class InvalidMemoryError(InvalidRequestError, ValueError):
    """Something here is no memory."""

    code = "invalid_memory"


def check_agent(agent_id: Any) -> str:
    """Return an agent's id as text; raises InvalidMemoryError."""
    return _name("agent_id", agent_id)


def space_of(scope: str, scope_id: Name | None, agent_id: Name) -> str:
    """
    Return the space of a memory: `agent:7`, `circle:5`, `project:1` or `global`.

    Raises InvalidMemoryError for a scope that there is not, or without its id.
    """
    match scope:
        case "agent":
            _check_same(scope_id, agent_id)
            return f"agent:{check_agent(agent_id)}"
        case "circle" | "project":
            return f"{scope}:{_name('scope_id', scope_id)}"
        case "global":
            if scope_id is not None:
                raise InvalidMemoryError("What is global has no scope_id.")
            return GLOBAL
    raise InvalidMemoryError(
        f"scope is one of {', '.join(SCOPES)}, not {scope!r:.60}.",
    )


def _check_same(scope_id: Name | None, agent_id: Name) -> None:
    # An agent has no memories in the name of another one.
    if scope_id is not None and str(scope_id) != str(agent_id):
        raise InvalidMemoryError(
            "What is an agent's own needs no scope_id, and has no other than the agent."
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and where they are members."""

    agent_id: Name
    circles: tuple[Name, ...] = ()
    projects: tuple[Name, ...] = ()

    @property
    def spaces(self) -> tuple[str, ...]:
        """Return the spaces that they recall from."""
        return readable(self.agent_id, self.circles, self.projects)


def readable(
    agent_id: Name, circles: Iterable[Name] = (), projects: Iterable[Name] = ()
) -> tuple[str, ...]:
    """Return the spaces that an agent recalls from: its own, and all that it shares."""
    own = f"agent:{check_agent(agent_id)}"
    # A circle may be of a project that no memory can be for: nothing is in its space.
    joined = (f"circle:{one}" for one in circles if _is_name(one))
    worked = (f"project:{one}" for one in projects if _is_name(one))
    return tuple(dict.fromkeys((own, *joined, *worked, GLOBAL)))


def _name(what: str, name: Any) -> str:
    if not _is_name(name):
        raise InvalidMemoryError(
            f"{what} is a whole number or a text of 1 to 128 letters, digits and any "
            f"of _.:@/+- and not {name!r:.60}."
        )
    return str(name)


def _is_name(name: Any) -> bool:
    return type(name) in (int, str) and _NAME.fullmatch(str(name)) is not None
