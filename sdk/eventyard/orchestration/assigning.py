"""New tasks find who is to do them: by competence, time, and what reviewers thought."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from eventyard.core.errors import ConflictError, NotFoundError
from eventyard.core.event import Event
from eventyard.events.bus import EventBus, event_bus
from eventyard.events.types import EventType
from eventyard.orchestration.circle_store import CircleStore
from eventyard.orchestration.model import (
    ENDED,
    URGENCY,
    AgentId,
    TaskPriority,
    same_agent,
)
from eventyard.orchestration.routing import Candidate, candidate_of, route

#: Who looks on does nothing.
_OBSERVER: Final = "observer"
#: An agent's last tasks tell what reviewers think of its work.
_MOST_REVIEWS: Final = 100


class AutoAssigner:
    """
    Assigns new tasks to the member of their circle who fits best.

    It hears of TASK_CREATED on the bus, and makes no difference where a circle has
    `auto_route` off, nobody has any of the competencies, or somebody was faster.
    """

    def __init__(self, store: CircleStore, bus: EventBus | None = None) -> None:
        self._store = store
        self._bus = event_bus if bus is None else bus
        self._subscription: str | None = None

    def start(self) -> Self:
        """Begin to listen; again it changes nothing."""
        if self._subscription is None:
            self._subscription = self._bus.subscribe(
                EventType.TASK_CREATED, self._created
            )
        return self

    def stop(self) -> None:
        """Listen no more."""
        if self._subscription is not None:
            self._bus.unsubscribe(self._subscription)
            self._subscription = None

    async def _created(self, event: Event) -> None:
        told = event.payload if isinstance(event.payload, Mapping) else {}
        task_id = told.get("task_id")
        if not isinstance(task_id, int):
            return
        if self._store.is_remote:
            await asyncio.to_thread(self.assign, task_id)
        else:
            # In this thread: what follows is published in this loop.
            self.assign(task_id)

    def assign(self, task_id: int) -> AgentId | None:
        """Assign a task that is pending and nobody's; return to whom, or None."""
        task = self._store.get_task(task_id)
        if task is None or not _is_free(task):
            return None
        try:
            found = self._best(task)
            if found is None:
                return None
            self._store.update_task_status(
                task_id, "pending", assigned_agent_id=found.agent_id
            )
        except (ConflictError, NotFoundError):
            # Somebody was faster, or the circle is gone.
            return None
        return found.agent_id

    def _best(self, task: Mapping[str, Any]) -> Candidate | None:
        circle = self._store.get_circle(task["circle_id"])
        if circle is None or not circle["is_active"] or not circle["auto_route"]:
            return None
        members = self._store.list_members(task["circle_id"])
        if not members:
            return None
        others = self._store.list_tasks(task["circle_id"])
        able = [candidate(one, others) for one in members if one["role"] != _OBSERVER]
        urgency = URGENCY[TaskPriority(task["priority"])]
        return route(able, task["required_competencies"], urgency)


def candidate(
    member: Mapping[str, Any], tasks: Iterable[Mapping[str, Any]]
) -> Candidate:
    """Return a member as a candidate, with what its circle's tasks tell of it."""
    own = [
        one for one in tasks if same_agent(one["assigned_agent_id"], member["agent_id"])
    ]
    reviews = [said for one in own for said in one["reviews"]][-_MOST_REVIEWS:]
    good = sum(said["decision"] == "approved" for said in reviews)
    return candidate_of(
        member,
        workload=sum(one["status"] not in ENDED for one in own),
        approval_rate=good / len(reviews) if reviews else 1.0,
    )


def _is_free(task: Mapping[str, Any]) -> bool:
    return task["status"] == "pending" and task["assigned_agent_id"] is None
