"""The part of a client that stands before handlers: breakers, retries, permissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from eventyard.core.event import Event
from eventyard.patterns import permissions
from eventyard.patterns.breaker import Breaker
from eventyard.patterns.kernel import Kernel
from eventyard.patterns.patience import patiently
from eventyard.patterns.retries import Retrying
from eventyard.transports.base import Caller

F = TypeVar("F", bound=Callable[..., Any])


class Guarding(Kernel):
    """Decorators of handlers; they stand above or below `on`, as one likes."""

    _who: Caller | None

    def circuit_breaker(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 30.0,
        expected_exception: type[BaseException]
        | tuple[type[BaseException], ...] = Exception,
    ) -> Callable[[F], F]:
        """Leave alone for a while what fails again and again; its events wait."""
        breaker = Breaker(failure_threshold, recovery_timeout, expected_exception)

        def wrap(function: F) -> F:
            return cast("F", breaker.wrap(function))

        return wrap

    def error_handler(self, **options: Any) -> Callable[[F], F]:
        """
        Try a handler again when it fails, then put its event into the dead letters.

        Options: `max_retries` (3), `backoff` (`exponential`, `linear`, `fixed`),
        `delay` (1 s), `longest_delay` (60 s), `dead_letter_queue` (True).
        """
        retrying = Retrying(**options)

        def wrap(function: F) -> F:
            return cast("F", retrying.wrap(function, self.bury))

        return wrap

    async def bury(self, event: Event, whose: str, error: str, attempts: int) -> None:
        """Put an event into the dead letters."""
        letter = self._sealing.sealed(event)
        subscription = f"{self.client_id}/{whose}"
        await patiently(
            lambda: self.transport.bury(letter, subscription, error, attempts)
        )

    def require_permission(self, name: str) -> Callable[[F], F]:
        """Call a handler only where this client may do something."""

        def wrap(function: F) -> F:
            return cast("F", permissions.requiring(name, function, self._caller))

        return wrap

    def authorize(self, function: F) -> F:
        """Have a handler called with `(event, context)`; what is not true refuses."""
        return cast("F", permissions.authorizing(function, self._caller))

    async def whoami(self) -> Caller:
        """Return who this client is to the router, and what it may do."""
        await self.connect()
        return await self.transport.whoami()

    async def _caller(self) -> Caller:
        if self._who is None:
            self._who = await self.whoami()
        return self._who
