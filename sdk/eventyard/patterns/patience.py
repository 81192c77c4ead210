"""Trying again what may help, with pauses that spread those who come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from eventyard.core.errors import EventRouterError, PublishError

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0
_TRIES: Final = 6

T = TypeVar("T")


async def patiently(act: Callable[[], Awaitable[T]]) -> T:
    """Do something, again where that may help; raises PublishError when it did not."""
    attempt = 1
    while True:
        try:
            return await act()
        except EventRouterError as error:
            if not error.retryable:
                raise
            if attempt == _TRIES:
                raise _given_up(error, attempt) from error
        await asyncio.sleep(_pause_s(attempt))
        attempt += 1


def _pause_s(attempt: int) -> float:
    longest = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
    # Full jitter: a thousand clients must not come back in one wave.
    return random.uniform(0, longest)  # noqa: S311


def _given_up(error: EventRouterError, attempts: int) -> PublishError:
    return PublishError(
        f"It was tried {attempts} times: {error.message}",
        code=error.code,
        details=error.details,
        retryable=True,
    )
