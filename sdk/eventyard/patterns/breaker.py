"""A circuit breaker: what fails again and again is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

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
    clock: Callable[[], float] = time.monotonic
    state: State = "closed"
    failures: int = 0
    _opened_at: float = 0.0

    def wrap(self, function: Handler) -> Handler:
        """Return a function that is protected by this breaker."""

        @wraps(function)
        async def protected(*arguments: Any, **named: Any) -> Any:
            self._enter()
            try:
                value = await called(lambda: function(*arguments, **named))
            except self.expected_exception:
                self._failed()
                raise
            except BaseException:
                self._unsure()
                raise
            self.state, self.failures = "closed", 0
            return value

        return carried_over(protected, function)

    def _enter(self) -> None:
        """Let a call through, or raise CircuitOpenError."""
        if self.state == "closed":
            return
        left = self._opened_at + self.recovery_timeout - self.clock()
        if self.state == "half_open" or left > 0:
            raise CircuitOpenError(
                f"The circuit is open after {self.failures} failures in a row; it is "
                f"tried again in {max(left, 0):.0f} s.",
                retry_after_s=max(left, 0.05),
            )
        self.state = "half_open"

    def _failed(self) -> None:
        self.failures += 1
        if self.state == "half_open" or self.failures >= self.failure_threshold:
            self.state, self._opened_at = "open", self.clock()

    def _unsure(self) -> None:
        """Something else went wrong: the one try has shown nothing."""
        if self.state == "half_open":
            self.state, self._opened_at = "open", self.clock()
