"""Who writes to a file that another agent works on: told as an event, once each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from eventyard.core.event import Event
from eventyard.events.bus import EventBus, event_bus
from eventyard.events.types import EventType
from eventyard.orchestration.model import AgentId, same_agent
from eventyard.orchestration.paths import normal_path

#: Tools that write files; the names that agents give them.
WRITING: Final = ("fs_write", "fs_edit")
#: A file is an agent's for so long after it last wrote to it, in seconds.
LEASE_S: Final = 900.0
_PRUNED_AT: Final = 10_000
_PATHS: Final = ("path", "file_path")

#: A file: whose project's, and its path.
File = tuple[str, str]


@dataclass(slots=True)
class Lease:
    """A file that an agent works on, until a moment."""

    agent_id: AgentId
    until: float
    task_id: Any = None
    #: Who was reported already for writing to it, too.
    reported: frozenset[str] = frozenset()


class FileLeases:
    """Who works on which file; a lease ends with its task, or with time."""

    def __init__(
        self, lease_s: float = LEASE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lease_s = lease_s
        self._clock = clock
        self._held: dict[File, Lease] = {}

    def __len__(self) -> int:
        """Return how many files are held."""
        now = self._clock()
        return sum(one.until > now for one in self._held.values())

    def write(
        self, file: File, agent_id: AgentId, task_id: Any = None
    ) -> AgentId | None:
        """
        Note that an agent writes to a file; return whose it is, if another agent's.

        The one who has it keeps it. Each other agent is told of once.
        """
        now = self._clock()
        held = self._held.get(file)
        if held is None or held.until <= now or same_agent(held.agent_id, agent_id):
            reported = frozenset() if held is None else held.reported
            mine = held is not None and same_agent(held.agent_id, agent_id)
            self._held[file] = Lease(
                agent_id,
                now + self._lease_s,
                task_id,
                reported if mine else frozenset(),
            )
            self._prune(now)
            return None
        if str(agent_id) in held.reported:
            return None
        held.reported |= {str(agent_id)}
        return held.agent_id

    def release(self, agent_id: AgentId, task_id: Any = None) -> None:
        """End the leases of an agent; with a task those of that task, or of none."""
        ended = [
            file
            for file, one in self._held.items()
            if same_agent(one.agent_id, agent_id)
            and (task_id is None or one.task_id in (None, task_id))
        ]
        for file in ended:
            del self._held[file]

    def _prune(self, now: float) -> None:
        if len(self._held) > _PRUNED_AT:
            self._held = {f: one for f, one in self._held.items() if one.until > now}


class ConflictDetector:
    """
    Publishes TASK_CONFLICT_DETECTED when agents write to one file.

    It hears of AGENT_TOOL_EXECUTED. An agent's own rewrites are no conflict, nor is
    what two projects call by one name. A file is free again when the task ends, when
    its agent stops or leaves, or after `lease_s` seconds without a write.
    """

    def __init__(
        self,
        bus: EventBus | None = None,
        *,
        tools: Iterable[str] = WRITING,
        project: str | None = None,
        leases: FileLeases | None = None,
    ) -> None:
        self._bus = event_bus if bus is None else bus
        self._tools = frozenset(tools)
        #: Where relative paths begin, where that is known.
        self._project = project
        self.leases = FileLeases() if leases is None else leases
        self._subscriptions: list[str] = []

    def start(self) -> Self:
        """Begin to listen; again it changes nothing."""
        if not self._subscriptions:
            ends = (
                EventType.TASK_COMPLETED,
                EventType.TASK_FAILED,
                EventType.AGENT_TASK_COMPLETED,
                EventType.AGENT_TASK_FAILED,
            )
            gone = (EventType.AGENT_STOPPED, EventType.CIRCLE_MEMBER_REMOVED)
            handlers = {
                EventType.AGENT_TOOL_EXECUTED: self._written,
                **dict.fromkeys(ends, self._ended),
                **dict.fromkeys(gone, self._gone),
            }
            self._subscriptions = [
                self._bus.subscribe(kind, handler) for kind, handler in handlers.items()
            ]
        return self

    def stop(self) -> None:
        """Listen no more."""
        while self._subscriptions:
            self._bus.unsubscribe(self._subscriptions.pop())

    async def _written(self, event: Event) -> None:
        told = event.payload if isinstance(event.payload, Mapping) else {}
        agent = event.source_agent_id
        path = self._path_in(told)
        if path is None or agent is None or told.get("success") is False:
            return
        file = (str(event.project_id), path)
        other = self.leases.write(file, agent, told.get("task_id"))
        if other is not None:
            await self._bus.publish(_conflict(event, path, other))

    def _path_in(self, told: Mapping[str, Any]) -> str | None:
        params, tool = told.get("params"), told.get("tool_name")
        if not isinstance(params, Mapping) or not isinstance(tool, str):
            return None
        if tool not in self._tools:
            return None
        path = next((params[name] for name in _PATHS if name in params), None)
        if not isinstance(path, str) or not path:
            return None
        return normal_path(path, self._project)

    def _ended(self, event: Event) -> None:
        told = event.payload if isinstance(event.payload, Mapping) else {}
        agent = told.get("assigned_agent_id", event.source_agent_id)
        if agent is not None:
            self.leases.release(agent, told.get("task_id"))

    def _gone(self, event: Event) -> None:
        if event.source_agent_id is not None:
            self.leases.release(event.source_agent_id)


def _conflict(event: Event, path: str, other: AgentId) -> Event:
    return Event(
        EventType.TASK_CONFLICT_DETECTED,
        {"file_path": path, "agent1": other, "agent2": event.source_agent_id},
        circle_id=event.circle_id,
        project_id=event.project_id,
        source_agent_id=event.source_agent_id,
        causation_id=event.id,
    )
