"""What every part of a client is built on: who it is, and its way to the router."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable
from typing import Any, Self

from eventyard.core.causes import cause_of
from eventyard.core.event import Event
from eventyard.patterns.encryption import Sealing
from eventyard.patterns.handling import Registration, handled_event
from eventyard.patterns.outbox import Outbox
from eventyard.patterns.subscribing import Subscribing
from eventyard.settings import Settings
from eventyard.telemetry.handling import headers_for
from eventyard.transports.base import Commit, Published, Transport


class Kernel(ABC):
    """What patterns may ask of a client."""

    settings: Settings
    client_id: str
    transport: Transport
    _sealing: Sealing
    _subscribing: Subscribing
    _outbox: Outbox | None

    @abstractmethod
    async def connect(self) -> Self:
        """Connect, unless it is connected."""

    @abstractmethod
    async def commit(self, commit: Commit) -> list[Published]:
        """Publish a commit as it is, tried again where that may help."""

    @abstractmethod
    def go_on(self, act: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; it ends with the client."""

    def event(self, type: str | Event, payload: Any = None, **fields: Any) -> Event:  # noqa: A002
        """
        Return an event as it would be published: from this client, of this conversation.

        What is published while an event is handled has that as its cause. It carries
        the span that it is published under, as `traceparent` in its headers.
        """
        if isinstance(type, Event):
            return _traced(self._completed(type))
        given = {name: value for name, value in fields.items() if value is not None}
        body = {} if payload is None else payload
        caused = cause_of(None, handled_event())
        told = {"source": self.client_id, **caused, **given}
        return _traced(Event(type, body, **told))

    def _completed(self, event: Event) -> Event:
        """Return an event that is made already, with what it leaves open."""
        told = {"source": self.client_id, **cause_of(event.id, handled_event())}
        missing = {k: v for k, v in told.items() if getattr(event, k) is None}
        return event.copy(**missing) if missing else event

    def sealed(self, events: Iterable[Event]) -> list[Event]:
        """Return events as they go out: encrypted, where that is set up."""
        return [self._sealing.sealed(event) for event in events]

    def sealed_for(self, stream: str, events: Iterable[Event]) -> list[Event]:
        """Return events as they go into a stream."""
        return [self._sealing.sealed(event, stream=stream) for event in events]

    def opened(self, events: Iterable[Event]) -> list[Event]:
        """Return events as they can be read; raises DecryptionError."""
        return [self._sealing.opened(event) for event in events]

    async def failed(self, error: Exception, event: Event) -> None:
        """Tell whoever asked by `on_error` of something that nothing helped."""
        await self._subscribing.failed(error, event)

    def register(self, registration: Registration) -> None:
        """Subscribe a registration, now or once there is a connection."""
        self._subscribing.register(registration)

    def forget(self, registration: Registration) -> None:
        """Take back a registration that is not open yet."""
        self._subscribing.forget(registration)


def _traced(event: Event) -> Event:
    headers = headers_for(event, handled_event())
    return event if headers is None else event.copy(headers=headers)
