"""The part of a client for what takes several events: questions, streams, sagas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from eventyard.core.errors import RequestError
from eventyard.core.event import Event
from eventyard.patterns.consuming import Consuming
from eventyard.patterns.requests import responder
from eventyard.patterns.sagas import Sagas
from eventyard.patterns.streams import EventStream

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T", bound=type)


class Conversing(Consuming):
    """Asks and answers, keeps histories, and has sagas."""

    _sagas: Sagas

    async def request(
        self,
        type: str,  # noqa: A002 - the field's own name
        payload: Any = None,
        timeout: float = 5.0,  # noqa: ASYNC109 - as callers know it
        **fields: Any,
    ) -> Event:
        """
        Ask something; return the first answer.

        Raises RequestError with what the responder says, or TimeoutError.
        """
        await self.connect()
        event = self.event(type, payload, **fields)
        if event.correlation_id is None:
            event.correlation_id = event.id
        asked = self._sealing.sealed_request(event)
        try:
            answer = await self.transport.request(asked, timeout)
        except RequestError as error:
            raise self._sealing.opened_error(error) from None
        return self._sealing.opened_answer(answer)

    def respond(self, type: str, **options: Any) -> Callable[[F], F]:  # noqa: A002
        """
        Have a function answer questions; what it returns, or raises, is the answer.

        Options are those of `subscribe`.
        """

        def register(function: F) -> F:
            registration = self._registration((type,), function, None, options)
            registration.caller = responder(self.transport, self._sealing)
            self._mark(function, registration)
            return function

        return register

    def event_stream(self, stream_id: str) -> EventStream:
        """Return the history of one thing."""
        return EventStream(self, stream_id)

    def saga(self, name: str, **options: Any) -> Callable[[T], T]:
        """
        Make a class a saga: an instance for each conversation; see `Sagas`.

        Options: `keys`, `starts`, `timeout`, `lease`, `durable`.
        """
        return self._sagas.definer(name, **options)
