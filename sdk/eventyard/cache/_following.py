"""Which entries an event makes untrue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from eventyard.core.event import Event
from eventyard.events import EventBus, EventType

Id = int | str
#: Returns the agents of a circle, or of a project.
Members = Callable[[Any], Iterable[Id]]
#: The platform tells of these, and they have no member of EventType.
_FORGOTTEN: Final = "memory.forgotten"
_UNNAMED: Final = ("circle.updated", "circle.deleted", "task.updated")
_MEMORIES: Final = (EventType.MEMORY_CREATED, EventType.MEMORY_SHARED, _FORGOTTEN)
_MEMBERS: Final = (EventType.CIRCLE_MEMBER_ADDED, EventType.CIRCLE_MEMBER_REMOVED)
_OF_CIRCLES: Final = ("circle.", "task.")
#: What is listened to.
TYPES: Final = (
    *_MEMORIES,
    *(one for one in EventType if one.value.startswith(_OF_CIRCLES)),
    *_UNNAMED,
)


class Invalidating(Protocol):
    """What a follower needs of a cache."""

    def invalidate_rag_results(self, agent_id: Id) -> int: ...
    def invalidate_circle_context(self, circle_id: Id) -> bool: ...
    def invalidate_all_rag_results(self) -> int: ...


class Follower:
    """Removes from a cache what events say is old."""

    def __init__(
        self,
        cache: Invalidating,
        members: Members | None,
        project_members: Members | None,
    ) -> None:
        self._cache = cache
        self._members = members
        self._project_members = project_members
        self._subscribed: list[tuple[EventBus, str]] = []

    def begin(self, bus: EventBus) -> None:
        """Listen on a bus."""
        for kind in TYPES:
            name = bus.subscribe(kind, self.handle, name="cache")
            self._subscribed.append((bus, name))

    def end(self) -> None:
        """Listen no longer."""
        while self._subscribed:
            bus, name = self._subscribed.pop()
            bus.unsubscribe(name)

    async def handle(self, event: Event) -> None:
        """Heed an event, and let others go on while Redis is at work."""
        await asyncio.to_thread(self.heed, event)

    def heed(self, event: Event) -> None:
        """Remove what an event makes untrue."""
        if event.type in _MEMORIES:
            self._forget_recalled(event)
        elif event.type.startswith(_OF_CIRCLES):
            circle = _told(event, "circle_id")
            if circle is not None:
                self._cache.invalidate_circle_context(circle)
            if event.type in _MEMBERS:
                # Who comes or goes may recall other things now.
                self._forget([_told(event, "agent_id"), event.source_agent_id])

    def _forget_recalled(self, event: Event) -> None:
        circle, project = _told(event, "circle_id"), _told(event, "project_id")
        concerned: list[Any] = [event.source_agent_id, _told(event, "agent_id")]
        for scope, members in (
            (circle, self._members),
            (project, self._project_members),
        ):
            if scope is None:
                continue
            if members is None:
                self._cache.invalidate_all_rag_results()
                return
            concerned += members(scope)
        if _told(event, "scope") == "global":
            self._cache.invalidate_all_rag_results()
        else:
            self._forget(concerned)

    def _forget(self, agents: Iterable[Any]) -> None:
        for agent in {str(one) for one in agents if one is not None}:
            self._cache.invalidate_rag_results(agent)


def _told(event: Event, name: str) -> Any:
    """Return what an event says of itself, or in its data."""
    own = event.attributes.get(name)
    if own is not None or not isinstance(event.payload, dict):
        return own
    found = event.payload.get(name)
    return found if isinstance(found, int | str) else None
