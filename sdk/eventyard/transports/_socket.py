"""One live connection: messages with their answers, events, and signs of life."""

from __future__ import annotations

import asyncio
import builtins
import itertools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from eventyard.core.errors import (
    ConnectionError,  # noqa: A004 - its name there
    InvalidRequestError,
)
from eventyard.core.jsontext import dumps, loads
from eventyard.transports._faults import fault_said, too_slow
from eventyard.transports._subscribers import Said, Subscribers

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

_LOGGER: Final = logging.getLogger("eventyard.transports")
#: A sign of life is asked for so often; after so many without one it is over.
HEARTBEAT_S: Final = 30.0
_MISSED: Final = 2
_CLOSING_S: Final = 2.0

Answered = Callable[[Said], None]


class Socket:
    """
    A connection to the router's channel, until it breaks.

    Whatever comes is handed on at once, so no slow handler ever holds up an answer or
    a sign of life.
    """

    def __init__(
        self, socket: ClientWebSocketResponse, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self.subscribers = Subscribers()
        self._socket = socket
        self._heartbeat_s = heartbeat_s
        self._references = itertools.count(1)
        self._asking: dict[int, tuple[asyncio.Future[Said], Answered | None]] = {}
        self._missed = 0
        self._reason = "it broke"
        self._shutting: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read())
        self._beating = asyncio.create_task(self._beat())

    @property
    def is_open(self) -> bool:
        """Tell whether anything may be said."""
        return not self._socket.closed and not self._reading.done()

    async def ask(
        self, message: Said, seconds: float, answered: Answered | None = None
    ) -> Said:
        """
        Say something and return its answer; `answered` sees it before what comes later.

        Raises what the platform says, ConnectionError when the connection breaks
        before, or TimeoutError.
        """
        reference = next(self._references)
        future: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._asking[reference] = future, answered
        try:
            async with asyncio.timeout(seconds):
                await self._say({**message, "ref": reference})
                return await future
        except builtins.TimeoutError:
            raise too_slow("The live connection", seconds) from None
        finally:
            self._asking.pop(reference, None)

    async def _say(self, message: Said) -> None:
        if not self.is_open:
            raise self._lost()
        try:
            await self._socket.send_str(dumps(dict(message)))
        except (OSError, RuntimeError) as error:
            raise self._lost() from error

    def _lost(self) -> ConnectionError:
        return ConnectionError(
            f"The live connection ended before an answer came: {self._reason}."
        )

    async def _read(self) -> None:
        from aiohttp import WSMsgType

        try:
            async for message in self._socket:
                self._missed = 0
                if message.type is WSMsgType.TEXT:
                    self._take(message.data)
        except OSError as error:
            self._reason = str(error) or type(error).__name__
        finally:
            self._over()

    def _take(self, text: str) -> None:
        try:
            told = loads(text)
        except InvalidRequestError as error:
            _LOGGER.warning("a message is no JSON: %s", error)
            return
        for one in told if isinstance(told, list) else [told]:
            if not isinstance(one, dict):
                _LOGGER.warning("a message is no object: %r", one)
            elif one.get("ref") in self._asking:
                self._answer(one)
            elif one.get("type") == "error":
                self._reason = str(one.get("error"))
                _LOGGER.warning("the platform says: %s", self._reason)
            else:
                self.subscribers.hear(one)

    def _answer(self, told: Said) -> None:
        future, answered = self._asking[told["ref"]]
        if future.done():
            return
        if told["type"] == "error":
            future.set_exception(fault_said(told))
            return
        if answered is not None:
            answered(told)
        future.set_result(told)

    async def _beat(self) -> None:
        while self._missed < _MISSED:
            self._missed += 1
            try:
                # A dead peer takes nothing more one day: that counts as silence.
                async with asyncio.timeout(self._heartbeat_s):
                    await self._say({"type": "ping"})
            except ConnectionError:
                return
            except builtins.TimeoutError:
                continue
            await asyncio.sleep(self._heartbeat_s)
        self._reason = f"no sign of life for {_MISSED} heartbeats"
        await self._shut()

    async def _shut(self) -> None:
        self._shutting = asyncio.current_task()
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._socket.close()
        except builtins.TimeoutError:
            _LOGGER.debug("a connection did not close in time")
        # Where nobody answers the goodbye, reading ends all the same.
        self._reading.cancel()

    def _over(self) -> None:
        for future, _ in [*self._asking.values()]:
            if not future.done():
                future.set_exception(self._lost())
        if self._beating is not self._shutting:
            self._beating.cancel()
        self.subscribers.lose()

    async def close(self) -> None:
        """Say goodbye; who still waits for an answer is told."""
        self._reason = "the client closed it"
        await self._shut()
        await asyncio.gather(self._reading, self._beating, return_exceptions=True)
