"""A process tells, now and then, how it does: its cache, its bus, its telemetry."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from eventyard.core import moments
from eventyard.core.clocks import wall
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.events import EventBus
from eventyard.telemetry.runtime import telemetry

if TYPE_CHECKING:
    from eventyard.cache import CacheManager

_LOGGER: Final = logging.getLogger("eventyard.reporting")
#: The type of event that tells how a process does.
REPORTED: Final = "telemetry.reported"
_LONGEST_NAME: Final = 128
_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 300.0
#: Whatever else waits to be sent goes first, and is dropped last.
_PRIORITY: Final = 1


class Client(Protocol):
    """What a reporter needs of a client."""

    @property
    def is_connected(self) -> bool:
        """Tell whether it was connected, and not closed since."""

    @property
    def pending(self) -> int:
        """Return how many events wait to be sent."""

    def put_unheeded(
        self, event: Event, lost: Callable[[Exception, Event], None], /
    ) -> None:
        """Publish an event sometime soon; only `lost` hears when it is lost."""


class Reporter:
    """
    Publishes `telemetry.reported` when it is entered, every so often, and at the end.

    Nothing that goes wrong with it reaches the program: there is one line in the log
    until it works again. What is told are counts, none of them of others, and whether
    parts are on: no values, no addresses, no secrets.
    """

    def __init__(
        self,
        client: Client,
        name: str | None,
        cache: CacheManager | None,
        bus: EventBus,
        every_s: float,
    ) -> None:
        self._client, self._cache, self._bus = client, cache, bus
        self.name = _checked_name(name)
        self.every_s = _checked_pause(every_s)
        self._started_at = ""
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: A report was taken for sending: without a connection now, it was closed.
        self._taken = False
        #: Whether one was lost that was said, and whether one was since the last report.
        self._failing = self._lost_one = False

    async def __aenter__(self) -> Self:
        """Begin; raises InvalidRequestError when it has begun already."""
        if self._task is not None:
            raise InvalidRequestError("It reports already: make one for each block.")
        self._started_at = moments.at(wall())
        self._ending = asyncio.Event()
        # Whoever enters may be handling an event, or be in a span: reports are not
        # led to by either.
        self._task = asyncio.get_running_loop().create_task(
            self._go_on(), context=Context()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Tell for the last time, with `ended`."""
        task, self._task = self._task, None
        self._ending.set()
        if task is not None:
            await task

    async def _go_on(self) -> None:
        while not self._ending.is_set():
            self._tell(self.report())
            with suppress(TimeoutError):
                async with asyncio.timeout(self.every_s):
                    await self._ending.wait()
        self._tell({**self.report(), "ended": True})

    def report(self) -> dict[str, Any]:
        """Return what is told now."""
        return {
            "process": self.name,
            "started_at": self._started_at,
            "every_s": self.every_s,
            "cache": None if self._cache is None else self._cache.figures(),
            "bus": self._bus.get_stats(),
            "telemetry": {
                "enabled": telemetry.runtime is not None,
                "traces": telemetry.tracer is not None,
                "metrics": telemetry.meter is not None,
            },
            "client": {"pending": self._client.pending},
        }

    def _tell(self, told: dict[str, Any]) -> None:
        if self._taken and not self._client.is_connected:
            # Publishing would connect it again, behind the back of who closed it.
            return
        self._taken = True
        self._failing, self._lost_one = self._lost_one, False
        try:
            self._client.put_unheeded(
                Event(REPORTED, told, priority=_PRIORITY), self._lost
            )
        except Exception as error:  # noqa: BLE001 - a program must not fail by its figures
            self._say(error)

    def _lost(self, error: Exception, _: Event) -> None:
        # Where it never came to be connected, it may be tried again.
        self._taken = self._client.is_connected
        self._say(error)

    def _say(self, error: Exception) -> None:
        if not self._failing:
            _LOGGER.warning("it was not told how this process does: %s", error)
        self._failing = self._lost_one = True


def _checked_name(name: str | None) -> str:
    if name is None:
        return f"{socket.gethostname()}:{os.getpid()}"[-_LONGEST_NAME:]
    if not 0 < len(name) <= _LONGEST_NAME:
        raise InvalidRequestError(
            f"The name of a process has 1 to {_LONGEST_NAME} characters."
        )
    return name


def _checked_pause(every_s: float) -> float:
    if not _SHORTEST_S <= every_s <= _LONGEST_S:
        raise InvalidRequestError(
            f"every_s is {_SHORTEST_S:g} to {_LONGEST_S:g} seconds, not {every_s:g}."
        )
    return every_s
