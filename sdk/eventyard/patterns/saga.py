"""Sagas: a conversation of several steps, which ends well or is undone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar, Final, TypeVar

from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.core.filters import Predicate, compile_filter
from eventyard.core.topics import TopicPattern, compile_pattern
from eventyard.patterns.handling import MARK, Registration, handled_event

F = TypeVar("F", bound=Callable[..., Any])
#: By these fields of payloads events are told to belong together, unless others are named.
KEYS: Final = ("order_id", "id")
ENDS: Final = frozenset({"completed", "compensated", "failed"})
_COMPENSATES: Final = "__eventyard_compensates__"
_HIDDEN: Final = ("saga_id", "saga_state")


class Saga:
    """
    What a saga's class has, whether it says so or not.

    Attributes that are set in a step are kept with it, as JSON; those whose names begin
    with `_` are not.
    """

    #: What it is called.
    saga_name: ClassVar[str]
    saga_id: str
    #: `running`, `completed`, `compensating`, `compensated` or `failed`.
    saga_state: str = "running"
    #: Why it was undone, or failed.
    reason: str
    _undo: list[list[Any]]

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
        if not callable(getattr(self, method, None)):
            raise InvalidRequestError(
                f"The saga {self.saga_name} has no method {method}."
            )
        self._undo.append([method, argument])


def compensates(function: F) -> F:
    """Mark a method of a saga that is run when it is undone, whatever was noted."""
    setattr(function, _COMPENSATES, True)
    return function


@dataclass(frozen=True, slots=True)
class Step:
    """A method of a saga, and the events that it is for."""

    name: str
    registration: Registration
    patterns: tuple[TopicPattern, ...]
    passes: Predicate | None

    @classmethod
    def of(cls, name: str, registration: Registration) -> Step:
        """Return the step that a method was registered for."""
        wish = registration.wish
        patterns = tuple(compile_pattern(topic) for topic in wish.topics)
        passes = None if wish.filter is None else compile_filter(wish.filter)
        return cls(name, registration, patterns, passes)

    def is_for(self, event: Event) -> bool:
        """Tell whether an event is for it."""
        one = self.registration
        if not any(pattern.matches(event.type) for pattern in self.patterns):
            return False
        if one.pattern is not None and one.pattern.fullmatch(event.type) is None:
            return False
        checks = [check for check in (self.passes, one.passes) if check is not None]
        return not checks or all(map(_passing(event), checks))


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A class that was made a saga, and what it was told."""

    name: str
    kind: type[Any]
    steps: tuple[Step, ...]
    #: The steps that begin a saga; others are for those that have begun.
    starts: frozenset[str]
    keys: tuple[str, ...] = KEYS
    timeout_s: float | None = None
    lease_s: float = 30.0
    durable: bool = True

    @classmethod
    def of(cls, name: str, kind: type[Any], told: Mapping[str, Any]) -> Definition:
        """Return what a class and options say; raises InvalidRequestError."""
        unknown = told.keys() - _OPTIONS
        if unknown:
            raise InvalidRequestError(
                f"A saga has no option {min(unknown)!r}; there are "
                f"{', '.join(sorted(_OPTIONS))}."
            )
        steps = tuple(_steps(kind))
        if not steps:
            raise InvalidRequestError(
                f"The saga {name} has no step: mark its methods with client.on(...)."
            )
        return cls(
            name,
            _completed(kind, name),
            steps,
            _starts(name, steps, told.get("starts")),
            tuple(told.get("keys", KEYS)),
            told.get("timeout"),
            told.get("lease", 30.0),
            told.get("durable", True),
        )

    @property
    def topics(self) -> tuple[str, ...]:
        """Return what it is subscribed to."""
        topics = (t for step in self.steps for t in step.registration.wish.topics)
        return tuple(dict.fromkeys(topics))

    def steps_for(self, event: Event) -> list[Step]:
        """Return the steps that an event is for; a method is named once."""
        found = {step.name: step for step in self.steps if step.is_for(event)}
        return [*found.values()]

    def step(self, name: str) -> Step:
        """Return a step by its name."""
        return next(one for one in self.steps if one.name == name)

    def own_keys(self, event: Event) -> list[str]:
        """Return what the payload of an event says of where it belongs."""
        payload = event.payload if isinstance(event.payload, Mapping) else {}
        found = [payload.get(name) for name in self.keys]
        usable = [f"{one}" for one in found if isinstance(one, str | int) and one != ""]
        return [*dict.fromkeys(usable)]

    def order_of(self, event: Event) -> str:
        """Return what events have in common that must stay in order."""
        keys = self.own_keys(event)
        return keys[0] if keys else event.correlation_id or event.id

    def address(self, key: str) -> str:
        """Return the stream in which a saga of a key is, or what says where it is."""
        # Keys are of any form, and streams' ids of one.
        return f"saga.{_tidy(self.name)}.{sha256(key.encode()).hexdigest()[:32]}"

    def register_of(self, shard: int) -> str:
        """Return one of the streams that name all its sagas."""
        return f"saga.{_tidy(self.name)}.all.{shard}"

    def new(self, saga_id: str) -> Any:
        """Return an instance that has done nothing yet."""
        saga = self.kind()
        saga.saga_id, saga.saga_state, saga._undo = saga_id, "running", []  # noqa: SLF001
        return saga

    def compensations(self, saga: Any) -> list[list[Any]]:
        """Return what undoes a saga: what was noted, the last first; what is marked."""
        noted: list[list[Any]] = [*reversed(saga._undo)]  # noqa: SLF001
        marked = [
            [name, None]
            for name, one in _members(self.kind)
            if hasattr(one, _COMPENSATES)
        ]
        return [*noted, *reversed(marked)]


_OPTIONS: Final = frozenset({"keys", "starts", "timeout", "lease", "durable"})


async def undo_with(saga: Any, method: str, argument: Any) -> None:
    """Run a compensation; it is given its argument, or the event that led to it."""
    function = getattr(saga, method)
    wanted = inspect.signature(function).parameters
    if argument is not None:
        told = function(argument)
    elif any(one.default is one.empty for one in wanted.values()):
        told = function(handled_event())
    else:
        told = function()
    if inspect.isawaitable(told):
        await told


def attributes(saga: Any) -> dict[str, Any]:
    """Return what is kept of a saga."""
    state = vars(saga)
    return {k: v for k, v in state.items() if k[0] != "_" and k not in _HIDDEN}


def _passing(event: Event) -> Callable[[Predicate], bool]:
    view = event.view()
    return lambda check: check(view)


def _members(kind: type[Any]) -> Iterable[tuple[str, Any]]:
    """Yield what a class has, its own and what it inherits, in the order of writing."""
    found: dict[str, Any] = {}
    for one in reversed(kind.__mro__):
        found.update(vars(one))
    return found.items()


def _steps(kind: type[Any]) -> Iterable[Step]:
    for name, function in _members(kind):
        for registration in getattr(function, MARK, ()):
            yield Step.of(name, registration)


def _starts(
    name: str, steps: tuple[Step, ...], told: Iterable[str] | None
) -> frozenset[str]:
    if told is None:
        return frozenset({steps[0].name})
    starts = frozenset([told] if isinstance(told, str) else told)
    unknown = starts - {step.name for step in steps}
    if unknown:
        raise InvalidRequestError(f"The saga {name} has no step {min(unknown)!r}.")
    return starts


def _completed(kind: type[Any], name: str) -> type[Any]:
    """Return a class that has what sagas have, whatever it is made of."""
    bases = (kind,) if issubclass(kind, Saga) else (kind, Saga)
    body = {"saga_name": name, "__doc__": kind.__doc__, "__module__": kind.__module__}
    return type(kind.__name__, bases, body)


def _tidy(name: str) -> str:
    return "".join(one if one.isalnum() and one.isascii() else "-" for one in name)[:40]
