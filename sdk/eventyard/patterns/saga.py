"""Sagas: a conversation of several steps, which ends well or is undone."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from eventyard.core import ulid
from eventyard.core.errors import ConflictError, InvalidRequestError
from eventyard.core.event import Event
from eventyard.patterns.handling import (
    MARK,
    called,
    handling,
)

if TYPE_CHECKING:
    from eventyard.client import EventRouterClient

T = TypeVar("T", bound=type)
#: By these fields of payloads events are told to belong together, unless others are named.
_KEYS: Final = ("order_id", "id")
#: A step that was begun so long ago, and not ended, is begun again by somebody.
_LEASE_S: Final = 30.0
_ENDS: Final = frozenset({"completed", "compensated", "failed"})
_COMPENSATES: Final = "__eventyard_compensates__"
_PREFIX: Final = "saga"


class Saga:
    """
    What a saga's class has, whether it says so or not.

    Attributes that are set in a step are kept with it, as JSON.
    """

    #: What it is called, and by what it is found.
    saga_name: ClassVar[str]
    saga_id: str
    #: `running`, `completed`, `compensating`, `compensated` or `failed`.
    saga_state: str
    _compensations: list[tuple[str, Any]]

    def complete(self) -> None:
        """End it well: what comes later is not for it."""
        self.saga_state = "completed"

    def fail(self, reason: str = "") -> None:
        """End it as it is; nothing is undone."""
        self.saga_state, self.reason = "failed", reason

    def compensate(self) -> None:
        """Undo what was done: compensations are run, the last one first."""
        self.saga_state = "compensating"

    def compensate_with(self, method: str, argument: Any = None) -> None:
        """Note how to undo what was just done: a method, and what it is given."""
        self._compensations.append((method, argument))


def compensates(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a method of a saga that is run when it is undone, whatever was noted."""
    setattr(function, _COMPENSATES, True)
    return function


@dataclass(frozen=True, slots=True)
class Step:
    """A method of a saga, and the events that it is for."""

    name: str
    topics: tuple[str, ...]
    filter: Mapping[str, Any] | None


@dataclass(slots=True, eq=False)
class Definition:
    """A class that was made a saga."""

    name: str
    kind: type
    steps: tuple[Step, ...]
    #: The steps that begin a saga; others are for those that have begun.
    starts: frozenset[str]
    keys: tuple[str, ...]
    timeout_s: float | None

    def keys_of(self, event: Event) -> list[str]:
        """Return by what an event may be found to belong to a saga, the best first."""
        found = [event.correlation_id] if event.correlation_id else []
        payload = event.payload if isinstance(event.payload, Mapping) else {}
        found += [f"{payload[name]}" for name in self.keys if payload.get(name)]
        return [*dict.fromkeys([*found, event.id])]


@dataclass(slots=True, eq=False)
class Instance:
    """A saga as it stands: what its stream says, read up to a version."""

    id: str
    saga: Any
    version: int = 0
    #: Events whose steps were done; each is done once.
    done: set[str] = field(default_factory=set)
    #: Steps that were begun and not ended: the event, and when.
    begun: dict[str, float] = field(default_factory=dict)
    events: dict[str, tuple[str, Event]] = field(default_factory=dict)
    started_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self.saga.saga_state in _ENDS


class Sagas:
    """
    The sagas of a client; their history is kept in event streams.

    Whichever of several clients appends first that a step begins does it, so each step
    is done by one of them. After a crash another one does it again when 30 s are over:
    steps may be begun twice, and end once.
    """

    def __init__(
        self, client: EventRouterClient, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._clock = clock
        self._found: dict[str, Instance] = {}
        self.defined: dict[str, Definition] = {}

    def definer(self, name: str, **options: Any) -> Callable[[T], T]:
        """
        Return what makes a class a saga.

        Options: `keys`, by which fields of payloads events belong together; `starts`,
        the names of the methods that begin one (the first, unless others are named);
        `timeout`, seconds after which it is undone.
        """

        def define(kind: T) -> T:
            steps = tuple(self._steps(kind))
            if not steps:
                raise InvalidRequestError(
                    f"The saga {name} has no step: mark its methods with client.on(...)."
                )
            definition = Definition(
                name,
                _completed(kind, name),
                steps,
                frozenset(options.get("starts", (steps[0].name,))),
                tuple(options.get("keys", _KEYS)),
                options.get("timeout"),
            )
            self.defined[name] = definition
            self._register(definition)
            return definition.kind  # type: ignore[return-value]

        return define

    def _steps(self, kind: type) -> Iterable[Step]:
        """Take over what `client.on` noted at the methods of a class."""
        for name, function in vars(kind).items():
            for registration in getattr(function, MARK, ()):
                self._client.forget(registration)
                yield Step(name, registration.wish.topics, registration.wish.filter)

    def _register(self, definition: Definition) -> None:
        for step in definition.steps:

            async def handle(event: Event, step: Step = step) -> None:
                await self.handle(definition, step, event)

            self._client.on(*step.topics, filter=step.filter)(handle)

    async def handle(self, definition: Definition, step: Step, event: Event) -> None:
        """Have an event's step done, if it is for a saga and nobody did it."""
        instance = await self._instance(definition, step, event)
        if instance is None:
            return
        async with instance.lock:
            await self._do(definition, instance, step, event)

    async def _instance(
        self, definition: Definition, step: Step, event: Event
    ) -> Instance | None:
        """Return the saga of an event, begun now where this is how it begins."""
        keys = definition.keys_of(event)
        for key in keys:
            found = await self._find(definition, key)
            if found is not None:
                return found
        if step.name not in definition.starts:
            return None
        return await self._begin(definition, keys)

    async def _find(self, definition: Definition, key: str) -> Instance | None:
        address = _alias(definition, key)
        if address in self._found:
            return self._found[address]
        page = await self._client.transport.read(address, 1, 1, 1)
        if not page:
            return None
        instance = await self._load(definition, page[0].payload["saga_id"])
        return self._found.setdefault(address, instance)

    async def _begin(self, definition: Definition, keys: list[str]) -> Instance | None:
        """Begin a saga under all its keys; who is first under the best has begun it."""
        saga_id = f"{definition.name}.{ulid.new_ulid()}"
        for number, key in enumerate(keys):
            event = Event("saga.known", {"saga_id": saga_id, "key": key})
            try:
                await self._client.transport.append(_alias(definition, key), [event], 0)
            except ConflictError:
                if number == 0:
                    return await self._find(definition, key)
        instance = Instance(saga_id, _new(definition, saga_id))
        await self._note(instance, "saga.started", {"at": self._clock()})
        for key in keys:
            self._found[_alias(definition, key)] = instance
        if definition.timeout_s is not None:
            self._watch(definition, instance)
        return instance

    async def _load(self, definition: Definition, saga_id: str) -> Instance:
        """Read what became of a saga."""
        instance = Instance(saga_id, _new(definition, saga_id))
        page = await self._client.transport.read(_stream(saga_id), 1, None, 500)
        for event in page:
            _apply(instance, event)
        if definition.timeout_s is not None and not instance.is_over:
            self._watch(definition, instance)
        return instance

    async def _refresh(self, instance: Instance) -> None:
        """Read what others appended meanwhile."""
        following = instance.version + 1
        page = await self._client.transport.read(
            _stream(instance.id), following, None, 500
        )
        for event in page:
            _apply(instance, event)

    async def _do(
        self, definition: Definition, instance: Instance, step: Step, event: Event
    ) -> None:
        if not await self._take(instance, step, event):
            return
        saga = instance.saga
        try:
            with handling(event.copy(correlation_id=event.correlation_id or event.id)):
                await called(getattr(saga, step.name), event)
        except Exception as error:
            saga.compensate()
            saga.reason = f"{type(error).__name__}: {error}"
            await self._end_step(definition, instance, event)
            raise
        await self._end_step(definition, instance, event)

    async def _take(self, instance: Instance, step: Step, event: Event) -> bool:
        """Note that a step begins; False: it is somebody else's, done, or too late."""
        while True:
            begun = instance.begun.get(event.id)
            if instance.is_over or event.id in instance.done:
                return False
            if begun is not None and self._clock() - begun < _LEASE_S:
                return False
            told = {"step": step.name, "event": event.to_dict(), "at": self._clock()}
            if await self._note(instance, "saga.step.begun", told):
                return True
            await self._refresh(instance)

    async def _end_step(
        self, definition: Definition, instance: Instance, event: Event
    ) -> None:
        """Note that a step was done and what it left, and undo all where it says so."""
        while not await self._note(
            instance, "saga.step.done", _left(instance, event.id)
        ):
            # Somebody else did another step of it meanwhile: both count.
            mine = _attributes(instance.saga)
            await self._refresh(instance)
            vars(instance.saga).update(mine)
        if instance.saga.saga_state == "compensating":
            await self._undo(definition, instance)

    async def _undo(self, definition: Definition, instance: Instance) -> None:
        saga = instance.saga
        for method, argument in _compensations(definition, saga):
            await called(
                getattr(saga, method), *([] if argument is None else [argument])
            )
        saga.saga_state = "compensated"
        while not await self._note(instance, "saga.compensated", _left(instance, None)):
            await self._refresh(instance)

    async def _note(
        self, instance: Instance, kind: str, told: Mapping[str, Any]
    ) -> bool:
        """Append to the history of a saga; False: it is longer than was known."""
        event = Event(kind, dict(told), source=self._client.client_id)
        try:
            await self._client.transport.append(
                _stream(instance.id), [event], instance.version
            )
        except ConflictError:
            return False
        _apply(instance, event.copy(version=instance.version + 1))
        return True

    def _watch(self, definition: Definition, instance: Instance) -> None:
        """Undo a saga that takes longer than it may."""

        async def late() -> None:
            left = instance.started_at + (definition.timeout_s or 0) - self._clock()
            await asyncio.sleep(max(left, 0))
            async with instance.lock:
                await self._refresh(instance)
                if not instance.is_over:
                    instance.saga.reason = "It took too long."
                    instance.saga.compensate()
                    await self._undo(definition, instance)

        self._client.go_on(late())

    async def resume(self, name: str, key: str) -> Any | None:
        """Take up a saga after a restart: steps that were begun and not ended; return it."""
        definition = self.defined[name]
        instance = await self._find(definition, key)
        if instance is None:
            return None
        async with instance.lock:
            await self._refresh(instance)
            for event_id in [*instance.begun]:
                step_name, event = instance.events[event_id]
                step = next(one for one in definition.steps if one.name == step_name)
                await self._do(definition, instance, step, event)
        return instance.saga


def _apply(instance: Instance, event: Event) -> None:
    """Know what an event of a saga's history says."""
    told = event.payload
    instance.version = event.version or instance.version + 1
    match event.type:
        case "saga.started":
            instance.started_at = told["at"]
        case "saga.step.begun":
            asked = Event.from_dict(told["event"])
            instance.begun[asked.id] = told["at"]
            instance.events[asked.id] = (told["step"], asked)
        case _:
            if told["event_id"] is not None:
                instance.done.add(told["event_id"])
                instance.begun.pop(told["event_id"], None)
            vars(instance.saga).update(told["attributes"])
            instance.saga._compensations = [tuple(one) for one in told["undo"]]
            instance.saga.saga_state = told["state"]


def _left(instance: Instance, event_id: str | None) -> dict[str, Any]:
    saga = instance.saga
    return {
        "event_id": event_id,
        "attributes": _attributes(saga),
        "undo": [list(one) for one in saga._compensations],
        "state": saga.saga_state,
    }


def _attributes(saga: Any) -> dict[str, Any]:
    hidden = ("saga_id", "saga_state")
    return {k: v for k, v in vars(saga).items() if k[0] != "_" and k not in hidden}


def _completed(kind: type, name: str) -> type:
    """Return a class that has what sagas have, whatever it is made of."""
    bases = (kind,) if issubclass(kind, Saga) else (kind, Saga)
    body = {"saga_name": name, "__doc__": kind.__doc__, "__module__": kind.__module__}
    return type(kind.__name__, bases, body)


def _new(definition: Definition, saga_id: str) -> Any:
    saga = definition.kind()
    saga.saga_id, saga.saga_state, saga._compensations = saga_id, "running", []
    return saga


def _compensations(definition: Definition, saga: Any) -> list[tuple[str, Any]]:
    """Return what undoes a saga: what was noted, the last first; then what is marked."""
    noted = [*reversed(saga._compensations)]
    marked = [
        (name, None)
        for name, one in inspect.getmembers(definition.kind, inspect.isfunction)
        if hasattr(one, _COMPENSATES)
    ]
    return [*noted, *marked]


def _stream(saga_id: str) -> str:
    return f"{_PREFIX}.{saga_id}"


def _alias(definition: Definition, key: str) -> str:
    return f"{_PREFIX}.{definition.name}.by.{key}"
