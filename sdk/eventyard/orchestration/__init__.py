"""
Agents that work together: circles, their members and tasks, and who does what.

What is not asked for is not loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eventyard.orchestration.assigning import AutoAssigner
    from eventyard.orchestration.circle_store import CircleStore
    from eventyard.orchestration.conflicts import ConflictDetector, FileLeases
    from eventyard.orchestration.gathering import AgentHandle, GatheringCircle
    from eventyard.orchestration.model import (
        Circle,
        CircleStatus,
        Conflict,
        ConflictStatus,
        ConflictType,
        Member,
        MemberRole,
        Task,
        TaskPriority,
        TaskStatus,
    )
    from eventyard.orchestration.routing import Candidate, Facilitator
    from eventyard.orchestration.wrapper import AgentWrapper, Tool

__all__ = [
    "AgentHandle",
    "AgentWrapper",
    "AutoAssigner",
    "Candidate",
    "Circle",
    "CircleStatus",
    "CircleStore",
    "Conflict",
    "ConflictDetector",
    "ConflictStatus",
    "ConflictType",
    "Facilitator",
    "FileLeases",
    "GatheringCircle",
    "Member",
    "MemberRole",
    "Task",
    "TaskPriority",
    "TaskStatus",
    "Tool",
]

_ELSEWHERE: Final = {
    "AgentHandle": "gathering",
    "AgentWrapper": "wrapper",
    "AutoAssigner": "assigning",
    "Candidate": "routing",
    "CircleStore": "circle_store",
    "ConflictDetector": "conflicts",
    "Facilitator": "routing",
    "FileLeases": "conflicts",
    "GatheringCircle": "gathering",
    "Tool": "wrapper",
}


def __getattr__(name: str) -> Any:
    """Load what was not needed until now."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_ELSEWHERE.get(name, 'model')}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
