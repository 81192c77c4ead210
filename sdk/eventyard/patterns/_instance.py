"""A saga as its stream tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eventyard.core.errors import ConflictError
from eventyard.core.event import Event
from eventyard.patterns.saga import ENDS, Definition, Step, attributes

if TYPE_CHECKING:
    from eventyard.patterns.streams import EventStream

#: What a saga that is undone has begun, in the place of a step.
UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that somebody has begun, and not ended."""

    step: str
    event: Event
    at: float
    by: str


@dataclass(slots=True, eq=False)
class Instance:
    """A saga as it stands, read up to a version of its stream."""

    definition: Definition
    stream: EventStream
    #: Who this is, to other clients of the saga.
    whose: str
    saga: Any
    version: int = 0
    started_at: float = 0.0
    #: Steps that were done; each is done once.
    done: set[str] = field(default_factory=set)
    begun: dict[str, Begun] = field(default_factory=dict)
    #: What is still to be undone; None: that was not begun.
    undo: list[list[Any]] | None = None
    #: What it did last, or the event that it began with.
    cause: Event | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, definition: Definition, stream: EventStream, whose: str) -> Instance:
        """Return a saga of which nothing was read yet."""
        return cls(definition, stream, whose, definition.new(stream.id))

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self.saga.saga_state in ENDS

    @property
    def is_undoing(self) -> bool:
        """Tell whether it is being undone."""
        return bool(self.saga.saga_state == "compensating")

    async def refresh(self) -> None:
        """Read what others appended meanwhile."""
        async for event in self.stream.events(self.version + 1):
            self._apply(event)

    async def start(self, at: float, cause: Event) -> bool:
        """Begin it; False: it has begun already."""
        return await self._note("saga.started", {"at": at, "event": cause.to_dict()})

    async def begin(self, step: str, event: Event, at: float) -> bool:
        """Note that a step begins; False: there is something new to be read first."""
        told = {"step": step, "event": event.to_dict(), "at": at, "by": self.whose}
        return await self._note("saga.step.begun", told)

    async def end(self, key: str | None, undo: list[list[Any]] | None = None) -> bool:
        """Note what a step left; False as above."""
        saga = self.saga
        told = {
            "key": key,
            "attributes": attributes(saga),
            "noted": saga._undo,  # noqa: SLF001
            "state": saga.saga_state,
            "undo": undo,
        }
        return await self._note("saga.step.done", told)

    def holds(self, key: str) -> bool:
        """Tell whether a step is this client's."""
        begun = self.begun.get(key)
        return begun is not None and begun.by == self.whose

    async def _note(self, kind: str, told: Mapping[str, Any]) -> bool:
        event = Event(kind, dict(told))
        try:
            await self.stream.append_all([event], self.version)
        except ConflictError:
            return False
        self._apply(event.copy(version=self.version + 1))
        return True

    def _apply(self, event: Event) -> None:
        """Know what an event of its stream says."""
        told = event.payload
        self.version = event.version or self.version + 1
        match event.type:
            case "saga.started":
                self.started_at = told["at"]
                self.cause = Event.from_dict(told["event"])
            case "saga.step.begun":
                self._apply_begun(told)
            case "saga.step.done":
                self._apply_done(told)

    def _apply_begun(self, told: Mapping[str, Any]) -> None:
        event = Event.from_dict(told["event"])
        begun = Begun(told["step"], event, told["at"], told["by"])
        self.begun[key_of(begun.step, event)] = begun
        self.cause = event

    def _apply_done(self, told: Mapping[str, Any]) -> None:
        if told["key"] is not None:
            self.done.add(told["key"])
            self.begun.pop(told["key"], None)
        self.undo = told["undo"]
        saga = self.saga
        for name in attributes(saga):
            if name not in told["attributes"]:
                delattr(saga, name)
        vars(saga).update(told["attributes"])
        saga._undo = [[*one] for one in told["noted"]]  # noqa: SLF001
        saga.saga_state = told["state"]


def key_of(step: Step | str, event: Event) -> str:
    """Return what names a step that is done for an event."""
    name = step if isinstance(step, str) else step.name
    return name if name == UNDO else f"{event.id}/{name}"
