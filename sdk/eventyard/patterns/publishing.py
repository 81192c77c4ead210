"""The part of a client that publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.patterns.handling import handled_event
from eventyard.patterns.kernel import Kernel
from eventyard.patterns.outbox import Letter, Lost, Outbox
from eventyard.patterns.patience import patiently
from eventyard.patterns.repeats import Repeats
from eventyard.patterns.transaction import Transaction
from eventyard.transports.base import Commit, Published

_LOOK_S: Final = 0.01


class Publishing(Kernel):
    """Publishes events: one, many, later, or all or nothing."""

    _repeats: Repeats

    async def publish(
        self,
        type: str | Event,  # noqa: A002 - the field's own name
        payload: Any = None,
        *,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> str:
        """
        Publish an event; return its id once it is in the log.

        `fields` are those of an event: `source`, `target`, `priority`,
        `correlation_id`, `ttl`, `headers`, `tags`, or attributes of one's own. It is
        tried again where that may help; a second try never publishes twice. Outside of
        handlers it waits while subscribers in this process have too much.

        Raises PublishError (`retryable`), ValidationError, PermissionDeniedError.
        """
        event = self.event(type, payload, **fields)
        letter = self._letter(event, self._keeps_id(type, fields), idempotency_key)
        if idempotency_key is not None or self._repeats.size == 0:
            return (await self._send(letter)).event_id
        known = self._repeats.known(event)
        if isinstance(known, str):
            return known
        if known is None:
            known = asyncio.ensure_future(self._send(letter))
            self._repeats.note(event, known)
        # Whoever else waits for it must not be cancelled with whoever is.
        return (await asyncio.shield(known)).event_id

    async def _send(self, letter: Letter) -> Published:
        crowded = self.transport.is_crowded
        while handled_event() is None and crowded(letter.event):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        return await (self._its_outbox() or await self._connected_outbox()).put(letter)

    def _its_outbox(self) -> Outbox | None:
        outbox = self._outbox
        return outbox if outbox is not None and outbox.is_usable else None

    async def _connected_outbox(self) -> Outbox:
        while (outbox := self._its_outbox()) is None:
            await self.connect()
        return outbox

    def publish_nowait(
        self,
        type: str | Event,  # noqa: A002 - the field's own name
        payload: Any = None,
        **fields: Any,
    ) -> None:
        """
        Publish an event sometime soon; whoever asked by `on_error` hears if it is lost.

        It needs a running loop. Nothing is lost silently: also what is dropped because
        too much waits is told. With the overflow policy `block` or `error` it raises
        PublishError instead, as it cannot wait.
        """
        event = self.event(type, payload, **fields)
        letter = self._letter(event, self._keeps_id(type, fields), None)
        if self._repeats.size:
            if self._repeats.known(event) is not None:
                return
            self._repeats.note(event, event.id)
            letter.lost = lambda error, _: self._lose_known(error, event)
        self._put_soon(letter)

    def put_unheeded(self, event: Event, lost: Lost) -> None:
        """
        Publish an event sometime soon; only `lost` hears when it is lost.

        Repeats are sent, unlike by `publish_nowait`. Raises PublishError as that does.
        """
        letter = self._letter(self.event(event), self._sealing.is_on, None)
        letter.lost = lost
        self._put_soon(letter)

    def _put_soon(self, letter: Letter) -> None:
        outbox = self._its_outbox()
        if outbox is not None:
            outbox.put_nowait(letter)
        else:
            self.go_on(self._connect_and_put(letter))

    @property
    def pending(self) -> int:
        """Return how many events wait to be sent."""
        return 0 if self._outbox is None else self._outbox.pending

    async def _connect_and_put(self, letter: Letter) -> None:
        try:
            (await self._connected_outbox()).put_nowait(letter)
        except EventRouterError as error:
            # Nobody waits for it: told instead.
            (letter.lost or self._lose)(error, letter.event)

    def _lose(self, error: Exception, event: Event) -> None:
        self.go_on(self._subscribing.failed(error, event))

    def _lose_known(self, error: Exception, event: Event) -> None:
        """Lose an event of which a repeat is to be sent after all."""
        self._repeats.forget(event)
        self._lose(error, event)

    def _keeps_id(self, type: str | Event, fields: dict[str, Any]) -> bool:  # noqa: A002
        # What is sealed is bound to its id.
        return isinstance(type, Event) or "id" in fields or self._sealing.is_on

    def _letter(self, event: Event, own_id: bool, key: str | None) -> Letter:  # noqa: FBT001
        return Letter(self._sealing.sealed(event), own_id, key)

    async def publish_batch(
        self, events: Iterable[Event | tuple[str, Any]]
    ) -> list[Published | Exception]:
        """
        Publish many events; return in their order what is told of each.

        They go as commits of up to a hundred; one that is refused costs no other, and
        its error stands in its place.
        """
        sending = [self._send_one(one) for one in events]
        told = await asyncio.gather(*sending, return_exceptions=True)
        return [_known(one) for one in told]

    async def _send_one(self, one: Event | tuple[str, Any]) -> Published:
        type_, payload = one if isinstance(one, tuple) else (one, None)
        event = self.event(type_, payload)
        return await self._send(self._letter(event, self._keeps_id(type_, {}), None))

    async def publish_events(
        self, events: Iterable[Event]
    ) -> list[Published | Exception]:
        """Publish events that are made already, as `publish_batch` does."""
        return await self.publish_batch(events)

    def transaction(self) -> Transaction:
        """Return what publishes all or nothing, when its block ends well."""
        return Transaction(self)

    async def flush(self) -> None:
        """Wait until nothing is left to be sent; what is lost meanwhile is told."""
        outbox = self._its_outbox()
        if outbox is not None:
            await outbox.flush()

    async def commit(self, commit: Commit) -> list[Published]:
        """Publish a commit as it is, tried again where that may help."""
        await self._connected_outbox()
        sealed = replace(commit, events=tuple(self.sealed(commit.events)))
        return await patiently(lambda: self.transport.publish(sealed))


def _known(told: Published | BaseException) -> Published | Exception:
    if isinstance(told, Published | Exception):
        return told
    raise told
