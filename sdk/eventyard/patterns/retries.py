"""Handlers that are tried again, and what becomes of events that nothing helps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Literal

from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.patterns.handling import (
    CircuitOpenError,
    Handler,
    called,
    carried_over,
)

Backoff = Literal["exponential", "linear", "fixed"]
_BACKOFFS: Final = ("exponential", "linear", "fixed")
#: Puts an event aside: the event, whose handler it was, the error, how often tried.
Bury = Callable[[Event, str, str, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retrying:
    """How often a handler is tried again, and how long is waited in between."""

    max_retries: int = 3
    backoff: Backoff = "exponential"
    dead_letter_queue: bool = True
    #: The first wait, in seconds.
    delay: float = 1.0
    longest_delay: float = 60.0

    def __post_init__(self) -> None:
        """Check what was given; raises InvalidRequestError."""
        if self.backoff not in _BACKOFFS:
            raise InvalidRequestError(f"backoff is one of {', '.join(_BACKOFFS)}.")
        if self.max_retries < 0:
            raise InvalidRequestError("max_retries is 0 or more.")

    def delay_s(self, failures: int) -> float:
        """Return how long to wait after so many failures."""
        factor = {
            "exponential": 2.0 ** (failures - 1),
            "linear": float(failures),
            "fixed": 1.0,
        }[self.backoff]
        return min(self.delay * factor, self.longest_delay)

    def wrap(self, function: Handler, bury: Bury) -> Handler:
        """
        Return a function that is tried again when it fails.

        When nothing helped it puts the event into the dead letters and raises the last
        error, with `attempts` noted on it.
        """
        named = getattr(function, "__qualname__", repr(function))

        @wraps(function)
        async def retried(*arguments: Any, **more: Any) -> Any:
            for attempt in range(1, self.max_retries + 2):
                try:
                    return await called(lambda: function(*arguments, **more))
                except CircuitOpenError:
                    # Nothing was tried: it waits, and costs no try.
                    raise
                except Exception as error:
                    if attempt > self.max_retries:
                        error.attempts = attempt  # type: ignore[attr-defined]
                        await self._give_up(arguments, named, error, attempt, bury)
                        raise
                await asyncio.sleep(self.delay_s(attempt))
            raise AssertionError

        return carried_over(retried, function)

    async def _give_up(
        self,
        arguments: tuple[Any, ...],
        named: str,
        error: Exception,
        attempts: int,
        bury: Bury,
    ) -> None:
        event = next((one for one in arguments if isinstance(one, Event)), None)
        if self.dead_letter_queue and event is not None:
            told = f"{type(error).__name__}: {error}"
            await bury(event, named, told, attempts)
