"""What tests of asynchronous code share: a loop each, conditions to wait for, a clock."""

# ruff: noqa: ASYNC110 - conditions are what tests wait for

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any

from eventyard.core import ulid

_LONGEST_S = 60


def awaited(test: Callable[..., Any]) -> Callable[..., Any]:
    """Run a coroutine function as a test, in an event loop of its own."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(_in_time(test(*arguments, **named)))

    return run


async def _in_time(act: Any) -> None:
    async with asyncio.timeout(_LONGEST_S):
        await act


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so; fail when it never is."""
    async with asyncio.timeout(_LONGEST_S / 2):
        while not condition():
            await asyncio.sleep(0.001)


async def turns(number: int = 50) -> None:
    """Let everything else that can go on do so."""
    for _ in range(number):
        await asyncio.sleep(0)


def address() -> str:
    """Return the address of a router in this process that nobody else has."""
    return f"memory://{ulid.new_ulid()}"


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
