"""The sagas of a client: what is theirs, what was left, what takes too long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from eventyard.core.clocks import wall
from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.patterns._finding import SHARDS, Finding
from eventyard.patterns._instance import UNDO, Instance
from eventyard.patterns._stepping import Stepping
from eventyard.patterns.handling import Registration, handling
from eventyard.patterns.kernel import Kernel
from eventyard.patterns.saga import Definition
from eventyard.transports.base import Wish

_LOGGER: Final = logging.getLogger("eventyard.client")
T = TypeVar("T", bound=type)
#: So many sagas are had in hand at a time.
_AT_ONCE: Final = 100
#: What was named so long ago, and has no history, never began.
_NEVER_BEGAN_S: Final = 60.0
_PAUSE_S: Final = 0.02


class Sagas:
    """
    The sagas of a client; their history is kept in event streams.

    Whichever of several clients appends first that a step begins does it, so each step
    is done by one of them, and the steps of one saga one after the other. Who begins a
    step holds it for a lease, and renews that; when a lease is over (whoever had it is
    gone) another client does the step again: steps may be begun twice, and end once.
    """

    def __init__(self, client: Kernel, clock: Callable[[], float] = wall) -> None:
        self._client = client
        self.clock = clock
        self.finding = Finding(client, self.now)
        self.stepping = Stepping(self.now)
        self._timer: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.defined: dict[str, Definition] = {}

    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        return self.clock()

    def definer(self, name: str, **options: Any) -> Callable[[T], T]:
        """
        Return what makes a class a saga.

        Options: `keys`, by which fields of payloads events belong together; `starts`,
        the names of the methods that begin one (the first, unless others are named);
        `timeout`, seconds after which it is undone; `lease`, seconds after which a
        step of a client that is gone is done by another (30); `durable`, whether what
        came while no client was connected is delivered later (True).
        """

        def define(kind: T) -> T:
            definition = Definition.of(name, kind, options)
            for step in definition.steps:
                self._client.forget(step.registration)
            self.defined[name] = definition
            self._client.register(self._registration(definition))
            return definition.kind  # type: ignore[return-value]

        return define

    def _registration(self, definition: Definition) -> Registration:
        async def handle(event: Event) -> None:
            await self.handle(definition, event)

        return Registration(
            Wish(definition.topics),
            handle,
            f"saga {definition.name}",
            concurrency=_AT_ONCE,
            order_by=definition.order_of,
            durable=f"saga.{definition.name}" if definition.durable else None,
        )

    async def handle(self, definition: Definition, event: Event) -> None:
        """Have an event's steps done, if it is for a saga and nobody did them."""
        if str(event.attributes.get("stream_id")).startswith("saga."):
            # Its own history: it would never come to an end.
            return
        for step in definition.steps_for(event):
            instance = await self.finding.instance(definition, step, event)
            if instance is not None:
                async with instance.lock:
                    await self.stepping.do(instance, step, event)
                self._note(instance)

    def _note(self, instance: Instance) -> None:
        if instance.is_over:
            self.finding.open.pop(instance.stream.id, None)
        elif self._dues(instance):
            # There is something to be done when its time has come.
            self._changed.set()

    async def connected(self) -> None:
        """Take up what was left by clients that are gone."""
        self._changed = asyncio.Event()
        if self.defined and self._timer is None:
            self._timer = asyncio.create_task(self._watch())

    async def disconnected(self) -> None:
        """Look after nothing any more."""
        timer, self._timer = self._timer, None
        if timer is not None and timer is not asyncio.current_task():
            timer.cancel()
            await asyncio.wait([timer])
        self.finding.forget()

    async def _watch(self) -> None:
        for definition in [*self.defined.values()]:
            try:
                await self._find_left(definition)
            except EventRouterError:
                _LOGGER.exception("the sagas %s were not looked for", definition.name)
        while True:
            self._changed.clear()
            due = self._next_due()
            try:
                left = None if due is None else max(due - self.clock(), 0.0)
                async with asyncio.timeout(left):
                    await self._changed.wait()
                    continue
            except TimeoutError:
                await self.sweep()
                # What could not be done now is not tried again at once.
                await asyncio.sleep(_PAUSE_S)

    async def _find_left(self, definition: Definition) -> None:
        """Find the sagas that are not over, beginning where all before are."""
        for shard in range(SHARDS):
            name = definition.register_of(shard)
            known = await self._past(name)
            past, in_row = known, True
            async for event in self.finding.stream(name).events(known + 1):
                is_past = await self._is_past(definition, event)
                in_row = in_row and is_past
                past = event.version if in_row and event.version else past
            if past > known:
                told = Event("saga.past", {"version": past})
                await self.finding.stream(f"{name}.past").append_all([told])

    async def _past(self, name: str) -> int:
        """Return up to which version of a stream all sagas are over."""
        notes = self.finding.stream(f"{name}.past")
        last = await notes.version()
        page = await notes.read(last, last) if last else []
        return int(page[0].payload["version"]) if page else 0

    async def _is_past(self, definition: Definition, named: Event) -> bool:
        """Tell whether a saga that was named needs nothing any more."""
        found = await self.finding.find(definition, named.payload["saga_id"])
        if found is None or found.version == 0:
            return bool(self.clock() - named.payload["at"] > _NEVER_BEGAN_S)
        return found.is_over

    def _next_due(self) -> float | None:
        """Return when something is to be looked at."""
        dues = [due for one in self.finding.open.values() for due in self._dues(one)]
        return min(dues, default=None)

    def _dues(self, instance: Instance) -> list[float]:
        definition = instance.definition
        if instance.is_over:
            return []
        dues = [
            one.at + definition.lease_s
            for key, one in instance.begun.items()
            if not instance.holds(key)
        ]
        if definition.timeout_s is not None and not instance.is_undoing:
            dues.append(instance.started_at + definition.timeout_s)
        return dues

    async def sweep(self) -> None:
        """Do what is due: steps whose lease is over, and sagas that take too long."""
        now = self.clock()
        due = [
            one
            for one in self.finding.open.values()
            if min(self._dues(one), default=now + 1) <= now
        ]
        await asyncio.gather(*map(self._look, due))

    async def _look(self, instance: Instance) -> None:
        try:
            async with instance.lock:
                await self._look_after(instance)
        except Exception as error:  # noqa: BLE001 - told; others are looked after
            await self._tell(error, instance.cause or Event("saga.failed"))

    async def _tell(self, error: Exception, event: Event) -> None:
        with handling(event):
            await self._client.failed(error, event)

    async def _look_after(self, instance: Instance) -> None:
        await instance.refresh()
        for key, begun in [*instance.begun.items()]:
            if key != UNDO and not self.stepping.is_held(instance, key):
                step = instance.definition.step(begun.step)
                await self.stepping.do(instance, step, begun.event)
        if instance.is_over:
            self.finding.open.pop(instance.stream.id, None)
        elif instance.is_undoing:
            await self.stepping.undo(instance)
        elif self._is_too_late(instance):
            instance.saga.reason = "It took too long."
            instance.saga.compensate()
            await self.stepping.undo(instance)

    def _is_too_late(self, instance: Instance) -> bool:
        limit = instance.definition.timeout_s
        return limit is not None and self.clock() >= instance.started_at + limit

    async def resume(self, name: str, key: str) -> Any | None:
        """Take up a saga by a key of its: steps that were left; return it, or None."""
        definition = self.defined[name]
        await self._client.connect()
        instance = await self.finding.find(definition, definition.address(key))
        if instance is None:
            return None
        async with instance.lock:
            await self._look_after(instance)
        return instance.saga
