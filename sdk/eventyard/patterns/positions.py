"""How far a durable subscription has come: the place behind which nothing is handled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from eventyard.core.clocks import monotonic
from eventyard.core.errors import EventRouterError

_LOGGER: Final = logging.getLogger("eventyard.client")
_EVERY_S: Final = 1.0
_EVERY: Final = 100

Keep = Callable[[str], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Position:
    """
    Keeps the highest place up to which everything was handled.

    It is kept once a second or every hundred events: after a crash some are handled
    again, and none is left out.
    """

    keep: Keep
    clock: Callable[[], float] = monotonic
    #: Places that were begun, in the order of the log; True: done.
    _open: dict[str, bool] = field(default_factory=dict)
    _reached: str = ""
    _kept: str = ""
    _kept_at: float = 0.0
    _since: int = 0
    _keeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    _later: asyncio.Task[None] | None = None

    @property
    def reached(self) -> str:
        """Return the place up to which everything was handled."""
        return self._reached

    def begin(self, cursor: str) -> None:
        """Note that something is being handled."""
        self._open[cursor] = False

    def skip(self, cursor: str) -> None:
        """Note something that needs no handling."""
        if cursor not in self._open:
            self._open[cursor] = True
            self._advance()

    async def done(self, cursor: str) -> None:
        """Note that something was handled, and keep the place now and then."""
        self._open[cursor] = True
        self._advance()
        now = self.clock()
        if self._since >= _EVERY or now - self._kept_at >= _EVERY_S:
            await self._write(now)
        elif self._later is None:
            self._later = asyncio.create_task(self._write_later())

    def _advance(self) -> None:
        while self._open:
            cursor = next(iter(self._open))
            if not self._open[cursor]:
                return
            del self._open[cursor]
            self._reached = max(self._reached, cursor)
            self._since += 1

    async def _write_later(self) -> None:
        """Keep the place of the last of some events, when no more come."""
        await asyncio.sleep(_EVERY_S)
        self._later = None
        try:
            await self._write(self.clock())
        except EventRouterError:
            _LOGGER.warning("a position was not kept", exc_info=True)

    async def _write(self, now: float) -> None:
        async with self._keeping:
            if self._reached <= self._kept:
                return
            self._kept_at, self._since = now, 0
            reached = self._reached
            try:
                await self.keep(reached)
            except EventRouterError as error:
                # The next one says it as well.
                if not error.retryable:
                    raise
            else:
                self._kept = reached

    async def close(self) -> None:
        """Keep where it has come to."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        await self._write(self.clock())
