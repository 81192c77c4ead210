"""Handlers that are tried again, and what becomes of events that nothing helps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Literal

from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.patterns.handling import (
    CircuitOpenError,
    Handler,
    NotHandledError,
    called,
    carried_over,
    name_of,
    paused,
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
        if self.delay < 0 or self.longest_delay < 0:
            raise InvalidRequestError("A delay is 0 or more seconds.")

    def delay_s(self, failures: int) -> float:
        """Return how long to wait after so many failures."""
        factor = {
            # Beyond that it is the longest anyway, and no float holds it.
            "exponential": 2.0 ** min(failures - 1, 60),
            "linear": float(failures),
            "fixed": 1.0,
        }[self.backoff]
        return min(self.delay * factor, self.longest_delay)

    def wrap(self, function: Handler, bury: Bury) -> Handler:
        """
        Return a function that is tried again when it fails.

        When nothing helped it puts the event into the dead letters and raises the last
        error, with `attempts` noted on it. When its client is closed it tries no more.
        """

        @wraps(function)
        async def retried(*arguments: Any, **named: Any) -> Any:
            failures = 0
            while True:
                try:
                    return await called(function, *arguments, **named)
                except (NotHandledError, CircuitOpenError) as error:
                    # Nothing was tried: it waits, and costs no try.
                    if not await _waited(error):
                        raise
                except Exception as error:
                    failures += 1
                    if await self._goes_on(failures):
                        continue
                    error.attempts = failures  # type: ignore[attr-defined]
                    if self.dead_letter_queue:
                        await _give_up(arguments, function, error, bury)
                    raise

        return carried_over(retried, function)

    async def _goes_on(self, failures: int) -> bool:
        """Wait for the next try; False: there is none."""
        return failures <= self.max_retries and await paused(self.delay_s(failures))


async def _waited(error: NotHandledError | CircuitOpenError) -> bool:
    return isinstance(error, CircuitOpenError) and await paused(error.retry_after_s)


async def _give_up(
    arguments: tuple[Any, ...], function: Handler, error: Exception, bury: Bury
) -> None:
    event = next((one for one in arguments if isinstance(one, Event)), None)
    if event is not None:
        told = f"{type(error).__name__}: {error}"
        attempts = getattr(error, "attempts", 1)
        await bury(event, name_of(function), told, attempts)
