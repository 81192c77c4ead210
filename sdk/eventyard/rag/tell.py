"""What the bus and the log are told of memories; the same in both."""

from __future__ import annotations

from typing import Any, Final

from eventyard.rag.model import NewMemory

CREATED: Final = "memory.created"
SHARED: Final = "memory.shared"
RECALLED: Final = "memory.recalled"
FORGOTTEN: Final = "memory.forgotten"

#: The type of an event, its data and its attributes.
Told = tuple[str, dict[str, Any], dict[str, Any]]


def created(memory_id: str, memory: NewMemory) -> Told:
    """
    Return what is told of a new memory.

    One that is shared is told with its content: whoever listens may read it. Of one
    that is an agent's own nobody is told what it says.
    """
    data: dict[str, Any] = {
        "memory_id": memory_id,
        "memory_type": memory.memory_type,
        "importance": memory.importance,
    }
    attributes: dict[str, Any] = {"source_agent_id": memory.agent_id}
    if not memory.is_shared:
        return CREATED, {**data, **_scope(memory)}, attributes
    attributes[f"{memory.scope}_id"] = memory.scope_id
    return SHARED, {**data, "content": memory.content, **_scope(memory)}, attributes


def _scope(memory: NewMemory) -> dict[str, Any]:
    if memory.scope == "agent":
        return {}
    named = {} if memory.scope_id is None else {"scope_id": memory.scope_id}
    return {"scope": memory.scope, **named}
