"""A circle whose agents are here: it routes tasks, has them reviewed, lets them talk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final

from eventyard.core.errors import ConflictError, NotFoundError
from eventyard.core.event import Event
from eventyard.events.bus import EventBus, event_bus
from eventyard.events.types import EventType
from eventyard.orchestration.backend import Shown
from eventyard.orchestration.circle_store import CircleStore
from eventyard.orchestration.model import (
    ENDED,
    AgentId,
    TaskPriority,
    same_agent,
    wrong,
)
from eventyard.orchestration.routing import Candidate, Facilitator, route

_MENTION: Final = re.compile(r"@([\w.-]+)")
_MEDIUM: Final = 5
_LEAST: Final = 10
#: The highest number of each word.
_WORDS: Final = (
    (2, TaskPriority.CRITICAL),
    (4, TaskPriority.HIGH),
    (7, TaskPriority.MEDIUM),
    (_LEAST, TaskPriority.LOW),
)


@dataclass(frozen=True, slots=True)
class AgentHandle:
    """An agent of a circle: what it can do, and how it is asked."""

    id: AgentId
    name: str = ""
    competencies: Sequence[str] = ()
    role: str = "member"
    can_review: bool = False
    strength: float | Mapping[str, float] = 0.8
    #: Takes a task as a dictionary; false refuses it.
    accepts: Callable[[Shown], bool | Awaitable[bool]] | None = None
    #: Takes a topic and what was said so far; returns what it says.
    answers: Callable[[str, list[Shown]], str | Awaitable[str]] | None = None


@dataclass(slots=True)
class _Record:
    approved: int = 0
    reviewed: int = 0

    @property
    def rate(self) -> float:
        return self.approved / self.reviewed if self.reviewed else 1.0


@dataclass(slots=True)
class _State:
    agents: dict[str, AgentHandle] = field(default_factory=dict)
    records: dict[str, _Record] = field(default_factory=dict)
    urgency: dict[int, int] = field(default_factory=dict)
    messages: list[Shown] = field(default_factory=list)


class GatheringCircle:
    """
    A circle in this process.

    Its tasks are those of a `CircleStore`, with all its rules and events; agents are
    asked before they get a task, and never review what is their own.
    """

    def __init__(
        self,
        name: str,
        auto_route: bool = True,  # noqa: FBT001, FBT002 - as callers know it
        require_review: bool = True,  # noqa: FBT001, FBT002
        *,
        store: CircleStore | None = None,
        bus: EventBus | None = None,
    ) -> None:
        self._bus = event_bus if bus is None else bus
        self.store = CircleStore(self._bus) if store is None else store
        self.facilitator = Facilitator()
        self.auto_route = auto_route
        self.require_review = require_review
        self._state = _State()
        self.id = self.store.create_circle(
            name, auto_route=auto_route, require_review=require_review
        )

    async def start(self) -> None:
        """Begin to work."""
        self.store.update_circle_status(self.id, "running")

    async def stop(self) -> None:
        """Stop working; tasks stay as they are."""
        self.store.update_circle_status(self.id, "stopped")

    def add_agent(self, agent: AgentHandle) -> None:
        """Take an agent in, or another one of its id in its place."""
        self.store.add_member(
            self.id,
            agent.id,
            agent.role,
            list(agent.competencies),
            can_review=agent.can_review,
            agent_name=agent.name or None,
        )
        self._state.agents[str(agent.id)] = agent

    def remove_agent(self, agent_id: AgentId) -> None:
        """Let an agent go; what it had not handed in is pending again."""
        self.store.remove_member(self.id, agent_id)
        self._state.agents.pop(str(agent_id), None)
        for task in self.store.list_tasks(self.id):
            mine = same_agent(task["assigned_agent_id"], agent_id)
            if mine and task["status"] in (
                "claimed",
                "in_progress",
                "changes_requested",
            ):
                self.store.update_task_status(task["id"], "pending")
                self.facilitator.release(agent_id)
        self.facilitator.release_files(agent_id)

    async def create_task(
        self,
        title: str,
        description: str = "",
        required_competencies: Iterable[str] = (),
        priority: int = _MEDIUM,
        *,
        context: Any = None,
    ) -> Shown:
        """
        Make a task, `priority` 1 (most urgent) to 10, and give it to who fits best.

        Who refuses is passed over. Where nobody takes it, it stays pending.
        """
        if not 1 <= priority <= _LEAST:
            raise wrong("priority", f"must be a number from 1 to {_LEAST}")
        word = next(word for most, word in _WORDS if priority <= most)
        task_id = self.store.create_task(
            self.id,
            title,
            description,
            priority=word.value,
            required_competencies=list(required_competencies),
            requires_review=self.require_review,
            context=context,
        )
        self._state.urgency[task_id] = priority
        if self.auto_route:
            await self._route(task_id)
        return self.task(task_id)

    async def _route(self, task_id: int) -> None:
        task = self.task(task_id)
        refused: list[AgentId] = []
        while True:
            found = route(
                self._candidates(),
                task["required_competencies"],
                self._state.urgency.get(task_id, _MEDIUM),
                without=refused,
            )
            if found is None or await self.claim_task(task_id, found.agent_id):
                return
            refused.append(found.agent_id)

    def _candidates(self) -> list[Candidate]:
        return [
            Candidate(
                one.id,
                frozenset(one.competencies),
                one.strength,
                self.facilitator.workload(one.id),
                self._state.records.get(key, _Record()).rate,
                one.can_review,
            )
            for key, one in self._state.agents.items()
            if one.role != "observer"
        ]

    async def claim_task(self, task_id: int, agent_id: AgentId) -> bool:
        """Let an agent have a pending task; false: it refuses, or is too late."""
        agent = self._agent(agent_id)
        task = self.task(task_id)
        if task["status"] != "pending" or not await _accepts(agent, task):
            return False
        try:
            self.store.claim_task(task_id, agent.id)
        except ConflictError:
            return False
        self.facilitator.take(agent.id)
        return True

    async def submit_task(
        self,
        task_id: int,
        agent_id: AgentId,
        result: Any = None,
        artifacts: Any = None,
    ) -> Shown:
        """
        Hand a task in; returns it, in review with `reviewer_id`, or completed.

        `reviewer_id` is None where nobody but its author may review.
        """
        task = self.store.submit_task(task_id, agent_id, result, artifacts)
        if task["status"] == "completed":
            self._over(task)
            return task
        reviewer = self.facilitator.route_review(
            self._reviewers(), agent_id, task["required_competencies"]
        )
        return {**task, "reviewer_id": reviewer}

    def _reviewers(self) -> list[Candidate]:
        # Their load is the facilitator's to add.
        return [
            Candidate(
                one.id, frozenset(one.competencies), one.strength, can_review=True
            )
            for one in self._state.agents.values()
            if one.can_review or one.role == "reviewer"
        ]

    async def submit_review(
        self, task_id: int, reviewer_id: AgentId, decision: str, comment: str = ""
    ) -> Shown:
        """
        Say what a reviewer thinks: approved, changes_requested or rejected.

        What is rejected is blocked, and told as SYSTEM_WARNING: somebody must look.
        """
        if not any(same_agent(o.agent_id, reviewer_id) for o in self._reviewers()):
            raise ConflictError(f"Agent {reviewer_id} may not review here.")
        task = self.store.review_task(task_id, reviewer_id, decision, comment)
        author = task["assigned_agent_id"]
        record = self._state.records.setdefault(str(author), _Record())
        record.reviewed += 1
        record.approved += decision == "approved"
        if decision == "changes_requested":
            return task
        self._over(task)
        if decision == "rejected":
            await self._escalate(task, reviewer_id, comment)
        return task

    def _over(self, task: Shown) -> None:
        self.facilitator.release(task["assigned_agent_id"])
        self.facilitator.release_files(task["assigned_agent_id"])
        self._state.urgency.pop(task["id"], None)

    async def _escalate(self, task: Shown, reviewer: AgentId, comment: str) -> None:
        told = {"task_id": task["id"], "reason": "rejected", "comment": comment}
        await self._publish(EventType.SYSTEM_WARNING, told, reviewer)

    async def send_message(self, sender_id: AgentId, content: str) -> Shown:
        """Say something to the circle; `@name` and `@id` mention agents of it."""
        self._agent(sender_id)
        said = _MENTION.findall(content)
        mentions = [
            one.id
            for one in self._state.agents.values()
            if str(one.id) in said or (one.name and one.name in said)
        ]
        message = {
            "message_id": len(self._state.messages) + 1,
            "sender_id": sender_id,
            "content": content,
            "mentions": mentions,
        }
        self._state.messages.append(message)
        await self._publish(EventType.CONVERSATION_MESSAGE, dict(message), sender_id)
        return dict(message)

    async def collaborate(
        self,
        topic: str,
        agent_ids: Sequence[AgentId] | None = None,
        rounds: int = 1,
    ) -> list[Shown]:
        """
        Let agents talk about a topic, each in its turn; return what was said.

        Who cannot answer is passed over: an error is said in its place.
        """
        wanted = self._state.agents.values() if agent_ids is None else None
        agents = list(wanted or map(self._agent, agent_ids or ()))
        said: list[Shown] = []
        for turn in range(1, rounds + 1):
            for agent in agents:
                answer = await _answer(agent, topic, list(said))
                if answer is not None:
                    said.append(await self.send_message(agent.id, answer))
            told = {"topic": topic, "turn": turn, "messages": len(said)}
            await self._publish(EventType.CONVERSATION_TURN_COMPLETE, told)
        return said

    def task(self, task_id: int) -> Shown:
        """Return a task; raises NotFoundError."""
        found = self.store.get_task(task_id)
        if found is None or found["circle_id"] != self.id:
            raise NotFoundError(f"There is no task {task_id} in this circle.")
        return found

    def get_circle_status(self) -> Shown:
        """Tell how the circle is: who is in it, and how far its tasks are."""
        circle = self.store.get_circle(self.id) or {}
        tasks = Counter(one["status"] for one in self.store.list_tasks(self.id))
        return {
            "id": self.id,
            "name": circle.get("name"),
            "status": circle.get("status"),
            "agents": [one.id for one in self._state.agents.values()],
            "tasks": dict(tasks),
            "open_tasks": sum(n for s, n in tasks.items() if s not in ENDED),
            "messages": len(self._state.messages),
            "workload": self.get_agent_workload(),
        }

    def get_agent_workload(self) -> dict[AgentId, int]:
        """Return how many tasks each agent has."""
        return {
            one.id: self.facilitator.workload(one.id)
            for one in self._state.agents.values()
        }

    def _agent(self, agent_id: AgentId) -> AgentHandle:
        found = self._state.agents.get(str(agent_id))
        if found is None:
            raise NotFoundError(f"There is no agent {agent_id} in this circle.")
        return found

    async def _publish(
        self, kind: EventType, data: Shown, agent: AgentId | None = None
    ) -> None:
        event = Event(kind, data, circle_id=self.id, source_agent_id=agent)
        await self._bus.publish(event)


async def _accepts(agent: AgentHandle, task: Shown) -> bool:
    if agent.accepts is None:
        return True
    said = agent.accepts(task)
    return bool(await said if isawaitable(said) else said)


async def _answer(agent: AgentHandle, topic: str, said: list[Shown]) -> str | None:
    if agent.answers is None:
        return None
    try:
        answer = agent.answers(topic, said)
        return str(await answer if isawaitable(answer) else answer)
    except Exception as error:  # noqa: BLE001 - the others go on
        return f"{agent.name or agent.id} could not answer: {error}"
