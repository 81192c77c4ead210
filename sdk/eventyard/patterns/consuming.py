"""The part of a client that subscribes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from eventyard.core.errors import SubscriptionError
from eventyard.core.event import Event
from eventyard.patterns import windows
from eventyard.patterns.handling import Handler, Registration, marked
from eventyard.patterns.kernel import Kernel
from eventyard.patterns.options import registered
from eventyard.patterns.subscribing import ErrorHandler
from eventyard.patterns.subscription import Subscription, one_by_one
from eventyard.transports.base import Wish

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound=ErrorHandler)


class Consuming(Kernel):
    """Subscribes to events: for handlers, to be iterated, or by windows of time."""

    def on(
        self,
        *types: str,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - as callers know it
        **options: Any,
    ) -> Callable[[F], F]:
        """
        Have a function called with each event of some types, or patterns.

        Options are those of `subscribe`. It may be used before there is a connection.
        A function that is registered more than once is called once for each event.
        """

        def register(function: F) -> F:
            self._mark(function, self._registration(types, function, filter, options))
            return function

        return register

    def on_pattern(self, regex: str, **options: Any) -> Callable[[F], F]:
        """Have a function called with each event whose whole type fits a regex."""
        try:
            pattern = re.compile(regex)
        except re.error as error:
            raise SubscriptionError(f"{regex!r} is no regex: {error}") from None

        def register(function: F) -> F:
            registration = self._registration(("**",), function, None, options)
            wish = Wish(("**",), {"type": {"$regex": f"^(?:{regex})$"}})
            registration.wish, registration.pattern = wish, pattern
            self._mark(function, registration)
            return function

        return register

    def _mark(self, function: Handler, registration: Registration) -> None:
        marked(function, registration)
        self.register(registration)

    def subscribe(
        self,
        topics: str | Sequence[str],
        handler: Handler | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - as callers know it
        **options: Any,
    ) -> Subscription:
        """
        Subscribe to topics: await it, enter it, or iterate it.

        Args:
            topics: A pattern or several; `*` is one segment, `**` any number.
            handler: What is called with each event; without one, iterate.
            filter: Conditions, looked at by the router.
            **options: `local_filter`: conditions that are looked at here, of payloads
                that are encrypted, for one. `concurrency`: how many events are handled
                at a time (1). `order_by`: returns what events of one order share, with
                a concurrency. `durable`: a name; what came while nobody was connected
                is delivered later. `since`: a cursor to begin behind.
        """
        wanted = (topics,) if isinstance(topics, str) else tuple(topics)
        registration = self._registration(
            wanted, _nothing if handler is None else handler, filter, options
        )
        return Subscription(
            registration, self._open, self._subscribing.close, iterated=handler is None
        )

    async def _open(self, registration: Registration) -> None:
        await self.connect()
        await self._subscribing.open(registration)

    def _registration(
        self,
        topics: Sequence[str],
        handler: Handler,
        conditions: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ) -> Registration:
        return registered(
            topics, handler, conditions, options, sealed=self._sealing.is_on
        )

    def stream(
        self,
        topics: str | Sequence[str],
        batch_size: int = 1,
        timeout: float | None = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """
        Yield events as they come; with a `batch_size` lists of so many.

        After `timeout` seconds a list is yielded as it is. It ends with its loop. With
        `durable` a list counts as handled when the next one is asked for.
        """
        if batch_size < 1:
            raise SubscriptionError("batch_size is 1 or more.")
        subscription = self.subscribe(topics, **options).holding(batch_size)
        if batch_size == 1:
            return one_by_one(subscription)
        return windows.batched(subscription, batch_size, timeout)

    def window(
        self,
        topics: str | Sequence[str],
        size: str | float = "1m",
        slide: str | float | None = None,
        grace: str | float = 0,
        **options: Any,
    ) -> AsyncIterator[list[Event]]:
        """
        Yield the events of windows of time, when each is over; empty ones are left out.

        Windows tumble, or slide by `slide`; who is late by `grace` counts. With
        `durable` an event counts as handled when all its windows were yielded, and
        more is asked for; so do the oldest where over ten thousand are not.
        """
        gathered = windows.windows(size, slide, grace)
        subscription = self.subscribe(topics, **options).holding(windows.MOST_OPEN)
        return windows.windowed(subscription, gathered)

    def on_error(self, handler: E) -> E:
        """Have a function called with each error that nothing helped, and its event."""
        self._subscribing.error_handlers.append(handler)
        return handler


async def _nothing(_: Event) -> None:
    """Stand in for whoever iterates."""
