"""How long to wait before a connection is made again."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Final

from eventyard.settings import Reconnect

_FACTOR: Final = 1.5


@dataclass(slots=True)
class Backoff:
    """Counts tries in a row that failed."""

    settings: Reconnect
    failed: int = 0

    def reset(self) -> None:
        """Note that it worked."""
        self.failed = 0

    async def wait(self) -> bool:
        """Wait before another try; False: there is to be none."""
        most = self.settings.max_attempts
        if not self.settings.enabled or (most is not None and self.failed >= most):
            return False
        # Full jitter: a thousand clients must not come back in one wave.
        await asyncio.sleep(random.uniform(0, self.longest_s))  # noqa: S311
        self.failed += 1
        return True

    @property
    def longest_s(self) -> float:
        """Return how long the next wait is at most."""
        first = self.settings.first_s
        match self.settings.backoff:
            case "fixed":
                planned = first
            case "linear":
                planned = first * (self.failed + 1)
            case _:
                # Bounded, so that no power overflows.
                planned = first * _FACTOR ** min(self.failed, 100)
        return min(planned, self.settings.longest_s)
