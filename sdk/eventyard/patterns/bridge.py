"""A bus of this process and a router: what is said on one is heard on the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final, Protocol, Self

from eventyard.core.causes import handled
from eventyard.core.event import Event
from eventyard.events import EventBus, EventType
from eventyard.patterns.handling import Handler
from eventyard.patterns.subscription import Subscription

#: What agents, circles, tasks and memories speak in.
SPOKEN: Final = tuple(sorted({f"{one.partition('.')[0]}.**" for one in EventType}))
_REMEMBERED: Final = 10_000


class Client(Protocol):
    """What a bridge needs of a client."""

    def subscribe(
        self, topics: Sequence[str], handler: Handler, /, *, durable: str | None
    ) -> Subscription:
        """Subscribe to topics."""

    async def publish(self, event: Event, /) -> str:
        """Publish an event, and wait until the router has it."""

    def publish_nowait(self, event: Event, /) -> None:
        """Publish an event sometime soon."""


class Bridge:
    """
    Carries events between a bus and a client's router, each of them once.

    What comes from one side never goes back to it, so two processes with a bridge each
    hear one another and nothing twice. Enter it, or `open` and `close` it.
    """

    def __init__(
        self,
        client: Client,
        bus: EventBus,
        outward: Sequence[str] = SPOKEN,
        inward: Sequence[str] = SPOKEN,
        *,
        acknowledged: bool = False,
        durable: str | None = None,
    ) -> None:
        self._client, self._bus = client, bus
        self._outward, self._inward = tuple(outward), tuple(inward)
        self._acknowledged, self._durable = acknowledged, durable
        self._carried: OrderedDict[str, None] = OrderedDict()
        self._open = AsyncExitStack()

    async def open(self) -> Self:
        """Begin; raises ConnectionError, SubscriptionError."""
        async with AsyncExitStack() as stack:
            if self._inward:
                wish = self._client.subscribe(
                    self._inward, self._take_in, durable=self._durable
                )
                await stack.enter_async_context(wish)
            for pattern in self._outward:
                subscription = self._bus.subscribe(pattern, self._send_out)
                stack.callback(self._bus.unsubscribe, subscription)
            self._open = stack.pop_all()
        return self

    async def close(self) -> None:
        """End; what waits to go out is the client's, which sends it."""
        await self._open.aclose()

    async def __aenter__(self) -> Self:
        """Begin."""
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        """End."""
        await self.close()

    async def _send_out(self, event: Event) -> None:
        if not self._is_new(event):
            return
        # It is carried on, not led to by itself.
        handled.set(None)
        if self._acknowledged:
            await self._client.publish(event)
        else:
            self._client.publish_nowait(event)

    async def _take_in(self, event: Event) -> None:
        if not self._is_new(event):
            return
        token = handled.set(None)
        try:
            await self._bus.publish(event)
        finally:
            handled.reset(token)

    def _is_new(self, event: Event) -> bool:
        if event.id in self._carried:
            return False
        self._carried[event.id] = None
        if len(self._carried) > _REMEMBERED:
            self._carried.popitem(last=False)
        return True
