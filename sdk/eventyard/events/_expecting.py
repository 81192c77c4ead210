"""Waiting for one event that somebody will publish."""

from __future__ import annotations

import asyncio
import builtins
import weakref
from collections.abc import Callable, Generator
from typing import Any, Protocol

from eventyard.core.errors import TimeoutError  # noqa: A004 - its name there
from eventyard.core.event import Event


class _Bus(Protocol):
    def subscribe(
        self, event_type: str, handler: Callable[[Event], None], /, *more: Any
    ) -> str: ...

    def unsubscribe(self, subscription_id: str, /) -> bool: ...


class Expectation:
    """The next event of a type, once it is awaited; whoever forgets it unsubscribes."""

    def __init__(
        self,
        bus: _Bus,
        event_type: str,
        passes: Callable[[Event], bool],
        timeout: float | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._event_type, self._timeout = event_type, timeout
        self._until = None if timeout is None else loop.time() + max(timeout, 0)
        self._future: asyncio.Future[Event] = loop.create_future()
        take = _taker(weakref.ref(self._future), loop)
        subscription = bus.subscribe(event_type, take, passes, f"expect {event_type}")
        self._end = weakref.finalize(self, bus.unsubscribe, subscription)

    def __await__(self) -> Generator[Any, Any, Event]:
        """Wait for it; raises TimeoutError."""
        return self._awaited().__await__()

    async def _awaited(self) -> Event:
        try:
            async with asyncio.timeout_at(self._until):
                return await asyncio.shield(self._future)
        except builtins.TimeoutError:
            raise TimeoutError(
                f"No {self._event_type} that passes came within {self._timeout:g} s: is "
                "it published on this bus, after expect() was called?"
            ) from None
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Wait no longer."""
        self._end()


def _taker(
    future: weakref.ref[asyncio.Future[Event]], loop: asyncio.AbstractEventLoop
) -> Callable[[Event], None]:
    def settle(event: Event) -> None:
        wanted = future()
        if wanted is not None and not wanted.done():
            wanted.set_result(event)

    def take(event: Event) -> None:
        if asyncio.get_running_loop() is loop:
            settle(event)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(settle, event)

    return take
