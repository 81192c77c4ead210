"""How a feed's task ends, whatever it is in the middle of."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_PAUSE_S: Final = 0.5


async def ended(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task and wait until it is over, unless that is who asks."""
    if task is None or task is asyncio.current_task():
        return
    while not task.done():
        # Once is not enough where a time-out takes the cancellation for its own.
        task.cancel()
        await asyncio.wait({task}, timeout=_PAUSE_S)
