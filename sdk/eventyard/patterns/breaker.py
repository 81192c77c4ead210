"""A circuit breaker: what fails again and again is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

from eventyard.core.clocks import monotonic
from eventyard.core.errors import InvalidRequestError
from eventyard.patterns.handling import (
    CircuitOpenError,
    Handler,
    called,
    carried_over,
)

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class Breaker:
    """
    Closed it lets calls through; open it refuses them; half open it lets one try.

    It opens after so many failures in a row, and tries again after a time.
    """

    failure_threshold: int = 5
    recovery_timeout: float = 30.0
    expected_exception: type[BaseException] | tuple[type[BaseException], ...] = (
        Exception
    )
    clock: Callable[[], float] = monotonic
    state: State = "closed"
    failures: int = 0
    _opened_at: float = 0.0

    def __post_init__(self) -> None:
        """Check what was given; raises InvalidRequestError."""
        if self.failure_threshold < 1:
            raise InvalidRequestError("failure_threshold is 1 or more.")
        if self.recovery_timeout < 0:
            raise InvalidRequestError("recovery_timeout is 0 or more seconds.")

    def wrap(self, function: Handler) -> Handler:
        """Return a function that is protected by this breaker."""

        @wraps(function)
        async def protected(*arguments: Any, **named: Any) -> Any:
            is_the_try = self._enter()
            try:
                value = await called(function, *arguments, **named)
            except BaseException as error:
                self._left(error, is_the_try=is_the_try)
                raise
            if is_the_try or self.state == "closed":
                self.state, self.failures = "closed", 0
            return value

        return carried_over(protected, function)

    def _enter(self) -> bool:
        """Let a call through; True: it is the one try. Raises CircuitOpenError."""
        if self.state == "closed":
            return False
        left = self._opened_at + self.recovery_timeout - self.clock()
        if self.state == "half_open" or left > 0:
            raise CircuitOpenError(
                f"The circuit is open after {self.failures} failures in a row; it is "
                f"tried again in {max(left, 0):.0f} s.",
                retry_after_s=max(left, 0.05),
            )
        self.state = "half_open"
        return True

    def _left(self, error: BaseException, *, is_the_try: bool) -> None:
        """Note how a call failed; those begun before it opened say nothing new."""
        expected = isinstance(error, self.expected_exception)
        if expected and not isinstance(error, CircuitOpenError):
            if is_the_try or self.state == "closed":
                self._failed()
        elif is_the_try:
            # Something else went wrong: it has shown nothing, so another may try.
            self.state = "open"

    def _failed(self) -> None:
        self.failures += 1
        if self.state == "half_open" or self.failures >= self.failure_threshold:
            self.state, self._opened_at = "open", self.clock()
