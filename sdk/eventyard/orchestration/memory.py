"""Circles in the memory of this process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import count
from threading import RLock
from typing import Any, Final

from eventyard.core import moments
from eventyard.core.errors import ConflictError
from eventyard.core.event import Event
from eventyard.core.ulid import new_ulid
from eventyard.events.bus import EventBus
from eventyard.events.types import EventType
from eventyard.orchestration import circles as rules
from eventyard.orchestration import news
from eventyard.orchestration import tasks as steps
from eventyard.orchestration._publishing import publish
from eventyard.orchestration.backend import Active, Shown
from eventyard.orchestration.history import check_note, record
from eventyard.orchestration.model import (
    URGENCY,
    AgentId,
    Circle,
    CircleStatus,
    Conflict,
    ConflictStatus,
    Member,
    Task,
    TaskPriority,
    TaskStatus,
    check_agent,
    one_of,
)

#: So many lines of the history of a circle are kept.
_MOST_LINES: Final = 10_000


class MemoryCircles:
    """
    Keeps circles while this process lives; several threads may use it.

    Records are frozen, and what is told of one is a copy. Events are published after the change, outside of its lock, so that handlers may
    come back.
    """

    def __init__(self, bus: EventBus, clock: Callable[[], float] = time.time) -> None:
        self._bus = bus
        self._clock = clock
        self._lock = RLock()
        self._numbers = {kind: count(1) for kind in ("circle", "member", "task")}
        self._numbers["conflict"] = count(1)
        self._circles: dict[int, Circle] = {}
        self._names: dict[str, int] = {}
        self._members: dict[int, dict[str, Member]] = {}
        self._tasks: dict[int, Task] = {}
        self._conflicts: dict[int, Conflict] = {}
        self._lines: dict[int, deque[Shown]] = {}

    def create(self, wish: Mapping[str, Any]) -> Shown:
        """Make a circle."""
        with self._lock:
            made = rules.new_circle(0, wish, self._now())
            if made.name in self._names:
                raise ConflictError(
                    f"There is a circle {made.name} already.",
                    code="name_taken",
                    details={"circle_id": self._names[made.name]},
                )
            made = replace(made, id=next(self._numbers["circle"]))
            self._names[made.name] = made.id
            self._members[made.id] = {}
            self._lines[made.id] = deque(maxlen=_MOST_LINES)
            self._circles[made.id] = made
            told = [news.of_circle(EventType.CIRCLE_CREATED, made)]
        return self._tell(made, told)

    def find(self, circle_id: int) -> Shown | None:
        """Return a circle."""
        found = self._circles.get(circle_id)
        return None if found is None else found.shown()

    def circles(
        self, is_active: Active, status: str | None, project_id: AgentId | None
    ) -> list[Shown]:
        """Return circles, the newest first."""
        if status is not None:
            one_of(CircleStatus, status, "status")
        with self._lock:
            every = list(self._circles.values())
        return [
            one.shown()
            for one in reversed(every)
            if is_active in (None, one.is_active)
            and status in (None, one.status)
            and (project_id is None or str(one.project_id) == str(project_id))
        ]

    def change(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Change a circle."""
        with self._lock:
            before = self._circle(circle_id)
            after = rules.changed(before, wish, self._now())
            self._circles[circle_id] = after
            told = _of_run(before, after)
        return self._tell(after, told)

    def delete(self, circle_id: int) -> None:
        """Stop a circle for good; its name is free again."""
        with self._lock:
            before = self._circle(circle_id)
            after = rules.deleted(before, self._now())
            self._circles[circle_id] = after
            del self._names[before.name]
            told = _of_run(before, after)
        self._tell(after, told)

    def join(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Take an agent in."""
        with self._lock:
            circle, held = self._circle(circle_id), self._members[circle_id]
            key = str(check_agent(wish["agent_id"]))
            before = held.get(key)
            circle, member = rules.joined(circle, before, 0, wish, self._now())
            if before is None:
                member = replace(member, id=next(self._numbers["member"]))
            # Who comes back stands behind those who are there.
            if before is None or not before.is_active:
                held.pop(key, None)
            held[key] = member
            self._circles[circle_id] = circle
            told = [news.of_member(EventType.CIRCLE_MEMBER_ADDED, member, circle)]
        return self._tell(member, told)

    def leave(self, circle_id: int, agent_id: AgentId) -> None:
        """Let an agent go."""
        with self._lock:
            circle, held = self._circle(circle_id), self._members[circle_id]
            member = held.get(str(agent_id))
            if member is None or not member.is_active:
                raise rules.missing("member", agent_id)
            circle, member = rules.left(circle, member, self._now())
            held[str(agent_id)] = member
            self._circles[circle_id] = circle
            told = [news.of_member(EventType.CIRCLE_MEMBER_REMOVED, member, circle)]
        self._tell(member, told)

    def members(self, circle_id: int, is_active: Active) -> list[Shown]:
        """Return members in the order in which they came."""
        with self._lock:
            self._circle(circle_id)
            held = list(self._members[circle_id].values())
        return [one.shown() for one in held if is_active in (None, one.is_active)]

    def create_task(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Make a task."""
        with self._lock:
            circle = self._circle(circle_id)
            rules.check_active(circle)
            ours = {"project_id": circle.project_id}
            wished = {**wish, **(ours if wish.get("project_id") is None else {})}
            made = steps.new_task(0, circle_id, wished, self._now())
            made = replace(made, id=next(self._numbers["task"]))
            self._tasks[made.id] = made
        return self._tell(made, [news.of_new_task(made)])

    def find_task(self, task_id: int) -> Shown | None:
        """Return a task."""
        found = self._tasks.get(task_id)
        return None if found is None else found.shown()

    def tasks(self, circle_id: int, status: str | None) -> list[Shown]:
        """Return tasks, the most urgent first."""
        if status is not None:
            one_of(TaskStatus, status, "status")
        with self._lock:
            self._circle(circle_id)
            every = [one for one in self._tasks.values() if one.circle_id == circle_id]
        fitting = [one for one in every if status in (None, one.status)]
        fitting.sort(key=lambda one: (URGENCY[TaskPriority(one.priority)], one.id))
        return [one.shown() for one in fitting]

    def move(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Say how a task is by now."""
        return self._move(
            task_id, lambda task: steps.moved(task, **wish, at=self._now())
        )

    def claim(self, task_id: int, agent_id: AgentId) -> Shown:
        """Make a pending task an agent's."""
        return self._move(
            task_id, lambda task: steps.claimed(task, agent_id, self._now())
        )

    def submit(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Hand a task in."""
        return self._move(
            task_id, lambda task: steps.submitted(task, **wish, at=self._now())
        )

    def review(self, task_id: int, wish: Mapping[str, Any]) -> Shown:
        """Say what a reviewer thinks of it."""
        return self._move(
            task_id, lambda task: steps.reviewed(task, **wish, at=self._now())
        )

    def _move(self, task_id: int, act: Callable[[Task], steps.Moved]) -> Shown:
        with self._lock:
            before = self._tasks.get(task_id)
            if before is None:
                raise rules.missing("task", task_id)
            done = act(before)
            self._tasks[task_id] = done.task
        told = [] if done.told is None else [news.of_task(done.told, done.task)]
        return self._tell(done.task, told)

    def note(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Write something into the history of a circle."""
        with self._lock:
            self._circle(circle_id)
            line = check_note(f"evt_{new_ulid()}", circle_id, wish, self._now())
            self._lines[circle_id].append(line)
        return dict(line)

    def history(
        self, circle_id: int, event_type: str | None, limit: int
    ) -> list[Shown]:
        """Return the history of a circle, the newest first."""
        with self._lock:
            self._circle(circle_id)
            held = list(self._lines[circle_id])
        found = [one for one in held if event_type in (None, one["event_type"])]
        return [dict(one) for one in reversed(found)][: max(limit, 0)]

    def report(self, circle_id: int, wish: Mapping[str, Any]) -> Shown:
        """Report a conflict."""
        with self._lock:
            rules.check_active(self._circle(circle_id))
            made = rules.new_conflict(0, circle_id, wish, self._now())
            known = self._known(made)
            if known is not None:
                return known.shown()
            made = replace(made, id=next(self._numbers["conflict"]))
            self._conflicts[made.id] = made
        return self._tell(made, [news.of_conflict(made)])

    def _known(self, made: Conflict) -> Conflict | None:
        same = rules.same_conflict(made)
        return next(
            (
                one
                for one in self._conflicts.values()
                if one.circle_id == made.circle_id
                and one.status != ConflictStatus.RESOLVED
                and rules.same_conflict(one) == same
            ),
            None,
        )

    def conflicts(self, circle_id: int, status: str | None) -> list[Shown]:
        """Return the conflicts of a circle, the newest first."""
        if status is not None:
            one_of(ConflictStatus, status, "status")
        with self._lock:
            self._circle(circle_id)
            held = [c for c in self._conflicts.values() if c.circle_id == circle_id]
        return [one.shown() for one in reversed(held) if status in (None, one.status)]

    def resolve(
        self, circle_id: int, conflict_id: int, wish: Mapping[str, Any]
    ) -> Shown:
        """End a conflict."""
        with self._lock:
            self._circle(circle_id)
            before = self._conflicts.get(conflict_id)
            if before is None or before.circle_id != circle_id:
                raise rules.missing("conflict", conflict_id)
            after = rules.resolved(
                before, wish["resolution"], wish.get("resolved_by"), self._now()
            )
            self._conflicts[conflict_id] = after
        return after.shown()

    def _circle(self, circle_id: int) -> Circle:
        found = self._circles.get(circle_id)
        if found is None:
            raise rules.missing("circle", circle_id)
        return found

    def _now(self) -> str:
        return moments.at(round(self._clock(), 3))

    def _tell(
        self, record_of: Circle | Member | Task | Conflict, told: Iterable[Event]
    ) -> Shown:
        events = list(told)
        for event in events:
            self._lines[event.circle_id].append(record(event))
        publish(self._bus, events)
        return record_of.shown()


def _of_run(before: Circle, after: Circle) -> list[Event]:
    kind = news.kind_of_run(before, after)
    return [] if kind is None else [news.of_circle(kind, after)]
