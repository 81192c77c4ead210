"""Doing the steps of sagas: each by one client, one of a saga after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from eventyard.core.errors import EventRouterError, ValidationError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps, loads
from eventyard.patterns._instance import UNDO, Instance, key_of
from eventyard.patterns.handling import (
    CircuitOpenError,
    NotHandledError,
    called,
    handling,
)
from eventyard.patterns.saga import Step, attributes, undo_with

_LOGGER: Final = logging.getLogger("eventyard.client")
_FIRST_LOOK_S: Final = 0.02
_LONGEST_LOOK_S: Final = 1.0


class Stepping:
    """Takes steps, runs them, and notes what they left."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock

    async def do(self, instance: Instance, step: Step, event: Event) -> None:
        key = key_of(step, event)
        if not await self._take(instance, step.name, event):
            return
        error = await self._run(instance, step, event)
        await self._end_step(instance, key)
        if instance.is_undoing:
            await self.undo(instance)
        if error is not None:
            raise error

    async def _run(
        self, instance: Instance, step: Step, event: Event
    ) -> Exception | None:
        """Call a step's method; return the error for which the saga is undone."""
        saga = instance.saga
        before = dumps(attributes(saga))
        cause = event.copy(correlation_id=event.correlation_id or event.id)
        renewing = asyncio.create_task(self._renew(instance, step.name, event))
        try:
            with handling(cause):
                await called(getattr(saga, step.name), event)
        except (CircuitOpenError, NotHandledError):
            # It waits, and is done when it may be.
            raise
        except Exception as error:  # noqa: BLE001 - the saga is undone, then it is told
            failed: Exception | None = error
        else:
            failed = None
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
        fault = _fault(saga, before)
        failed = failed or fault
        if failed is not None:
            saga.compensate()
            saga.reason = f"{type(failed).__name__}: {failed}"
        return failed

    async def _renew(self, instance: Instance, step: str, event: Event) -> None:
        """Hold a step for longer than a lease, while it takes longer."""
        while True:
            await asyncio.sleep(instance.definition.lease_s / 3)
            try:
                await instance.begin(step, event, self.clock())
            except EventRouterError:
                _LOGGER.warning("%s was not renewed", step, exc_info=True)

    async def _take(self, instance: Instance, step: str, event: Event) -> bool:
        """Note that a step begins; False: it is somebody else's, done, or too late."""
        key, pause = key_of(step, event), _FIRST_LOOK_S
        await instance.refresh()
        while not (instance.is_over or key in instance.done):
            if instance.is_undoing and step != UNDO:
                return False
            if self.is_held(instance, key):
                # Should they be gone, it is done when the lease is over.
                return False
            other = next((one for one in instance.begun if one != key), None)
            if other is not None and not instance.holds(other):
                # One step of a saga at a time: each sees what the others left.
                pause = await self._wait_for(instance, other, pause)
            elif await instance.begin(step, event, self.clock()):
                return True
            await instance.refresh()
        return False

    async def _wait_for(self, instance: Instance, other: str, pause: float) -> float:
        """Let another client do a step, or do it where that is gone."""
        begun = instance.begun[other]
        if self.is_held(instance, other):
            await asyncio.sleep(pause)
        elif other == UNDO:
            await self.undo(instance)
        else:
            await self.do(instance, instance.definition.step(begun.step), begun.event)
        return min(pause * 2, _LONGEST_LOOK_S)

    def is_held(self, instance: Instance, key: str) -> bool:
        """Tell whether another client has begun a step, and is at it still."""
        begun = instance.begun.get(key)
        if begun is None or instance.holds(key):
            return False
        return self.clock() - begun.at < instance.definition.lease_s

    async def _end_step(
        self, instance: Instance, key: str, undo: list[list[Any]] | None = None
    ) -> bool:
        """Note what a step left; False: another client took it over meanwhile."""
        saga = instance.saga
        left = attributes(saga), saga._undo, saga.saga_state  # noqa: SLF001
        ended = None if undo else key
        while not await instance.end(ended, undo):
            await instance.refresh()
            if not instance.holds(key):
                return False
            for name in attributes(saga):
                delattr(saga, name)
            vars(saga).update(left[0], _undo=left[1], saga_state=left[2])
        return True

    async def undo(self, instance: Instance) -> None:
        """Run what is left of the compensations; what fails is told, and not the last."""
        cause = instance.cause or Event("saga.undone")
        if not await self._take(instance, UNDO, cause):
            return
        saga = instance.saga
        undo = instance.undo
        left = instance.definition.compensations(saga) if undo is None else [*undo]
        while left:
            await self._run_compensation(saga, left.pop(0), cause)
            if left and not await self._end_step(instance, UNDO, left):
                return
        failed = getattr(saga, "not_undone", None)
        saga.saga_state = "failed" if failed else "compensated"
        await self._end_step(instance, UNDO)

    async def _run_compensation(self, saga: Any, what: list[Any], cause: Event) -> None:
        method, argument = what
        talk = cause.copy(correlation_id=cause.correlation_id or cause.id)
        try:
            with handling(talk):
                await undo_with(saga, method, argument)
        except Exception as error:
            _LOGGER.exception("%s was not undone by %s", saga.saga_id, method)
            told = f"{method}: {type(error).__name__}: {error}"
            saga.not_undone = [*getattr(saga, "not_undone", []), told]


def _fault(saga: Any, before: str) -> ValidationError | None:
    """Tell of an attribute that cannot be kept; all are then as they were before."""
    for name, value in attributes(saga).items():
        try:
            dumps(value)
        except ValidationError as error:
            _restore(saga, before)
            return ValidationError(
                f"The saga's attribute {name} is {error.message}: name it _{name} if it "
                "need not be kept."
            )
    return None


def _restore(saga: Any, before: str) -> None:
    for name in attributes(saga):
        delattr(saga, name)
    vars(saga).update(loads(before))
