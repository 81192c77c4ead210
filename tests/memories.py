"""Steps that tests of memories share."""

from __future__ import annotations

from typing import Any

from chalicelib.auth import ANYBODY
from chalicelib.memories.access import Access
from chalicelib.memories.service import Question, Wanted
from eventyard.rag.model import NewMemory, Wish
from tests.steps import listed

PASSWORD = "Database password is in .env.production"
QUESTION = "where is the database password?"
CIRCLES: dict[str, list[int]] = {"1": [5], "2": [5], "3": [6]}
PROJECTS: dict[str, list[int]] = {"1": [9], "3": [9]}


def with_members(platform: Any) -> Any:
    """Return the platform's memories, where some agents are in circles and projects."""
    memories = platform.memories
    memories.access = Access(
        lambda agent: CIRCLES.get(str(agent), ()),
        lambda agent: PROJECTS.get(str(agent), ()),
    )
    return memories


def remember(memories: Any, agent: Any, *contents: str, by=ANYBODY, **more: Any):
    wanted = [Wanted(NewMemory(agent, content, **more)) for content in contents]
    return memories.service.remember(wanted, by)[0]


def recalled(memories: Any, agent: Any, query: str = QUESTION, by=ANYBODY, **more: Any):
    more = {"threshold": 0.3, **more}
    question = Question(query, None, Wish(**more))
    found = memories.service.recall(agent, question, by)
    return [one.value for one in found.results]


def told(platform: Any, kind: str) -> list[Any]:
    """The events of a type, the oldest first."""
    return [event for event in listed(platform) if event.type == kind]


def compact(memories: Any, space: str, clock: Any) -> int:
    """Let all that is written be settled, and compact a space to the end."""
    clock.tick(120)
    done = 0
    while taken := memories.compactor.run({"kind": "memories", "space": space}):
        done += taken
    return done
