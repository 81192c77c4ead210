"""Agents: objects that start, handle events, publish, and stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from eventyard.core import ulid
from eventyard.core.errors import (
    SubscriptionError,
    TimeoutError,  # noqa: A004 - its name there
)
from eventyard.core.event import Event
from eventyard.core.topics import compile_pattern
from eventyard.patterns.handling import handled_event

if TYPE_CHECKING:
    from eventyard.client import EventRouterClient
    from eventyard.orchestration.wrapper import AgentWrapper
    from eventyard.patterns.subscription import Subscription

__all__ = [
    "AgentWrapper",
    "EventEnabledAgent",
    "OrchestratorMixin",
    "WorkflowContext",
    "event_handler",
]

F = TypeVar("F", bound=Callable[..., Any])
_WANTED: Final = "__eventyard_wanted__"
#: The workflow of the block that runs, and what was being handled where it began.
_WORKFLOW: ContextVar[tuple[str, Event | None] | None] = ContextVar(
    "workflow", default=None
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a method handles, and how: as `client.subscribe` takes it."""

    types: tuple[str, ...]
    filter: Mapping[str, Any] | None
    options: Mapping[str, Any]


def event_handler(
    *types: str,
    filter: Mapping[str, Any] | None = None,  # noqa: A002 - as callers know it
    **options: Any,
) -> Callable[[F], F]:
    """
    Make a method of an agent the handler of some types of events, or patterns.

    Options are those of `client.subscribe`. Used several times, each counts. A
    subclass that writes the method anew keeps what it handles, unless it says so anew.
    """
    if not types or not all(isinstance(one, str) for one in types):
        raise SubscriptionError('Name a type: @event_handler("task.assigned").')
    for one in types:
        compile_pattern(one)

    def mark(function: F) -> F:
        wanted = _Wanted(types, filter, options)
        setattr(function, _WANTED, [wanted, *getattr(function, _WANTED, ())])
        return function

    return mark


class _Member:
    """Somebody with a client and a name."""

    def __init__(
        self,
        client: EventRouterClient,
        id: str | None = None,  # noqa: A002 - the name it has for callers
        capabilities: Sequence[str] = (),
    ) -> None:
        self.client = client
        self.id = id or f"agent_{ulid.new_ulid()}"
        self.capabilities: list[str] = list(capabilities)

    async def publish(
        self,
        type: str | Event,  # noqa: A002 - the field's own name
        payload: Any = None,
        **fields: Any,
    ) -> str:
        """
        Publish an event whose source is this; return its id.

        In the block of a workflow it belongs to that, unless it says otherwise.
        """
        workflow = _workflow()
        known = {"source": self.id}
        if workflow is not None:
            known["correlation_id"] = workflow
        if isinstance(type, Event):
            return await self.client.publish(type, payload, **fields)
        return await self.client.publish(type, payload, **{**known, **fields})


class EventEnabledAgent(_Member):
    """
    Handles events from `start` to `stop`, by methods marked with `event_handler`.

    An error of one handler concerns its event alone: whoever asked by
    `client.on_error` hears of it, and the agent goes on. The client may be shared; it
    is connected when it is needed, and is closed by whoever made it.

        async with MyAgent(client, id="reviewer", capabilities=["review"]):
            ...
    """

    #: Which methods handle what: collected when the class is made.
    _handlers: ClassVar[Mapping[str, Sequence[_Wanted]]] = {}

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        found: dict[str, Sequence[_Wanted]] = {}
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if name in found and not callable(value):
                    del found[name]
                if wanted := getattr(value, _WANTED, None):
                    found[name] = wanted
        cls._handlers = found

    def __init__(
        self,
        client: EventRouterClient,
        id: str | None = None,  # noqa: A002 - the name it has for callers
        capabilities: Sequence[str] = (),
    ) -> None:
        super().__init__(client, id, capabilities)
        self._subscriptions: list[Subscription] = []
        self._running = False
        self._changing = asyncio.Lock()

    async def on_start(self) -> None:
        """Do what is to be done first; events are handled already."""

    async def on_stop(self) -> None:
        """Do what is to be done last; no event is handled any more."""

    @property
    def is_running(self) -> bool:
        """Tell whether it was started, and not stopped since."""
        return self._running

    async def start(self) -> Self:
        """Subscribe, then call `on_start`; again it changes nothing."""
        async with self._changing:
            if not self._running:
                self._running = True
                try:
                    await self._subscribe()
                    await self.on_start()
                except BaseException:
                    await self._unsubscribe()
                    raise
        return self

    async def stop(self) -> None:
        """Let what is being handled end, then call `on_stop`."""
        async with self._changing:
            if self._running:
                await self._unsubscribe()
                await self.on_stop()

    async def _subscribe(self) -> None:
        for name, wanted in self._handlers.items():
            handler = getattr(self, name)
            for one in wanted:
                subscription = self.client.subscribe(
                    one.types, handler, one.filter, **one.options
                )
                self._subscriptions.append(await subscription)

    async def _unsubscribe(self) -> None:
        self._running = False
        while self._subscriptions:
            await self._subscriptions.pop().unsubscribe()

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()


class OrchestratorMixin(_Member):
    """
    Leads workflows: what belongs to one shares its id as the correlation id.

    It stands alone, `WorkflowOrchestrator(client)`, or beside an agent:
    `class Lead(OrchestratorMixin, EventEnabledAgent)`.
    """

    async def publish_workflow_event(
        self,
        stage: str,
        workflow_id: str,
        payload: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> str:
        """Publish `workflow.<stage>` with the `workflow_id`; return the event's id."""
        told = {"workflow_id": workflow_id, **(payload or {})}
        known = {"correlation_id": workflow_id, **fields}
        return await self.publish(f"workflow.{stage}", told, **known)

    @asynccontextmanager
    async def workflow_context(
        self, workflow_id: str
    ) -> AsyncIterator[WorkflowContext]:
        """Let all that is published in its block, by any agent, belong to a workflow."""
        token = _WORKFLOW.set((workflow_id, handled_event()))
        try:
            yield WorkflowContext(self, workflow_id)
        finally:
            _WORKFLOW.reset(token)


class WorkflowContext:
    """One run of a workflow: publishes its events, and waits for what they lead to."""

    def __init__(self, member: _Member, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        self._member = member
        self._asked: set[str] = set()

    async def publish(
        self,
        type: str,  # noqa: A002 - the field's own name
        payload: Any = None,
        **fields: Any,
    ) -> str:
        """Publish an event of this workflow; return its id."""
        known = {"correlation_id": self.workflow_id, **fields}
        return await self._member.publish(type, payload, **known)

    async def publish_and_wait(
        self,
        type: str,  # noqa: A002 - the field's own name
        payload: Any = None,
        *,
        wait_for: str | Sequence[str],
        timeout: float = 30.0,  # noqa: ASYNC109 - as callers know it
        **fields: Any,
    ) -> Event:
        """
        Publish an event; return the first of `wait_for` in this workflow behind it.

        It is subscribed before it is published, so no answer is too fast. What another
        one of this workflow led to, by its `causation_id`, is not taken for its answer:
        several may wait side by side. Raises TimeoutError.
        """
        until = asyncio.get_running_loop().time() + timeout
        event = self._event(type, payload, fields)
        self._asked.add(event.id)
        mine = {"correlation_id": self.workflow_id}
        async with self._member.client.subscribe(wait_for, filter=mine) as answers:
            await self._member.client.publish(event)
            answer = await self._answer(answers, event, until)
        if answer is None:
            raise TimeoutError(
                f"No {' or '.join(answers.topics)} came within {timeout:g} s of "
                f"{type} in workflow {self.workflow_id}: does whoever handles it run, "
                "and keep the correlation id?"
            )
        return answer

    def _event(
        self,
        type: str,  # noqa: A002
        payload: Any,
        fields: Mapping[str, Any],
    ) -> Event:
        known = {"source": self._member.id, "correlation_id": self.workflow_id}
        return self._member.client.event(type, payload, **{**known, **fields})

    async def _answer(
        self, answers: Subscription, event: Event, until: float
    ) -> Event | None:
        others = self._asked - {event.id}
        clock = asyncio.get_running_loop().time
        while True:
            answer = await answers.next(max(until - clock(), 0))
            if answer is None:
                return None
            if answer.id != event.id and answer.causation_id not in others:
                return answer


def _workflow() -> str | None:
    """
    Return the workflow within whose block something is published.

    A handler that was subscribed in a block runs on behind it, and handles events of
    whatever conversation: what it publishes belongs to that of its event.
    """
    workflow, handled = _WORKFLOW.get() or (None, None)
    return workflow if handled_event() is handled else None


def __getattr__(name: str) -> Any:
    """Load what runs the tools of agents when it is first asked for."""
    if name != "AgentWrapper":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from eventyard.orchestration.wrapper import AgentWrapper

    return AgentWrapper
