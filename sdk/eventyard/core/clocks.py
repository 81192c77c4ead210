"""The clocks of this machine, asked for by name each time: tests may replace them."""

from __future__ import annotations

import time


def monotonic() -> float:
    """Return seconds that only grow."""
    return time.monotonic()


def wall() -> float:
    """Return Unix seconds."""
    return time.time()
