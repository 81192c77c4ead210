"""Events that are published together, or not at all."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.transports.base import MOST_EVENTS, Commit, Published

if TYPE_CHECKING:
    from eventyard.patterns.kernel import Kernel


class Transaction:
    """
    Holds events back until its block ends well; an exception throws them away.

    Each has the attribute `transaction_id`. Of a block that is left by an exception
    nothing is published, and nothing is delivered before all is.
    """

    def __init__(self, client: Kernel) -> None:
        self.id = f"tx_{ulid.new_ulid()}"
        #: What is told of each event, once they are published.
        self.results: list[Published] = []
        self._client = client
        self._events: list[Event] = []
        self._open = False

    async def publish(
        self,
        type: str | Event,  # noqa: A002 - the field's own name
        payload: Any = None,
        **fields: Any,
    ) -> str:
        """Hold an event back; return its id."""
        if not self._open:
            raise InvalidRequestError(
                "Publish within `async with client.transaction()`."
            )
        if len(self._events) >= MOST_EVENTS:
            raise InvalidRequestError(
                f"A transaction has {MOST_EVENTS} events at most."
            )
        event = self._client.event(type, payload, **fields)
        # What cannot be sent is refused here, not when the others are to go.
        dumps(event.payload)
        self._events.append(event.copy(transaction_id=self.id))
        return event.id

    async def __aenter__(self) -> Self:
        """Begin; an earlier block of it left nothing."""
        self._open, self._events = True, []
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Publish all, or throw all away."""
        self._open = False
        if kind is None and self._events:
            commit = Commit(tuple(self._events), self.id, own_ids=True)
            self.results = await self._client.commit(commit)
