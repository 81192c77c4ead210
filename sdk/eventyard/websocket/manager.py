"""Who is connected, and what is said to them."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Task
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from eventyard.core.jsontext import dumps
from eventyard.websocket import _sockets
from eventyard.websocket._connection import Connection, Limits, Said
from eventyard.websocket.wishes import Wish, wanted

_LOGGER = logging.getLogger("eventyard.websocket")
_GOING_AWAY: Final = 1001


class ConnectionManager:
    """
    Sends messages to all who are connected, or to one; a slow one delays nobody.

    Sockets are those of Starlette and FastAPI, aiohttp, websockets, or anything with
    `send_json`. A message is written once for all of them.

    Args:
        most_waiting: Messages that may wait for a slow client; one that is further
            behind is closed with 1013, so that it comes back and catches up.
        send_timeout: Seconds that one message may take, with the same end.
        most_failures: Failures in a row until a client is dropped; one that is gone is
            dropped at once.
        patience: Seconds that a broadcast waits for those who do not take it at once.
    """

    def __init__(
        self,
        *,
        most_waiting: int = 256,
        send_timeout: float = 20.0,
        most_failures: int = 3,
        patience: float = 0.1,
    ) -> None:
        #: What is known of each socket.
        self.active_connections: dict[Any, dict[str, Any]] = {}
        self.total_connections = 0
        self.total_messages_sent = 0
        self.total_broadcasts = 0
        self._limits = Limits(most_waiting, send_timeout, most_failures)
        self._patience = patience
        self._connections: dict[Any, Connection] = {}
        self._closing: set[Task[None]] = set()

    async def connect(
        self,
        websocket: Any,
        client_id: str | None = None,
        *,
        filter: Wish = None,  # noqa: A002 - as callers know it
        scope: Wish = None,
    ) -> None:
        """
        Accept a connection, and send it what is said from now on.

        `filter` is what it wants and may change, `scope` what it may see at all: each a
        mapping of `types` (patterns), `circle_id` and `project_id`, one or several, or
        a function of the message.

        Raises:
            InvalidRequestError: that makes no sense.
            RuntimeError: the object has no way to send.
        """
        wishes = wanted(filter), wanted(scope)
        info = {
            "client_id": client_id or f"client_{id(websocket)}",
            "connected_at": datetime.now(UTC),
            "messages_received": 0,
            "messages_sent": 0,
        }
        connection = Connection(websocket, info, self._limits)
        connection.wanted, connection.scope = wishes
        connection.drop, connection.on_sent = self._drop, self._sent
        await _sockets.accept(websocket)
        self.active_connections[websocket] = info
        self._connections[websocket] = connection
        self.total_connections += 1

    def set_filter(self, websocket: Any, filter: Wish) -> None:  # noqa: A002
        """Change what a connection wants; raises InvalidRequestError."""
        wish = wanted(filter)
        if websocket in self._connections:
            self._connections[websocket].wanted = wish

    def received(self, websocket: Any) -> None:
        """Count a message of a client; `serve` does so by itself."""
        if websocket in self.active_connections:
            self.active_connections[websocket]["messages_received"] += 1

    async def disconnect(self, websocket: Any) -> None:
        """Forget a connection; one that is forgotten already is fine."""
        self._forget(websocket)

    def _forget(self, websocket: Any) -> bool:
        self.active_connections.pop(websocket, None)
        connection = self._connections.pop(websocket, None)
        if connection is not None:
            connection.end()
        return connection is not None

    def _drop(self, connection: Connection, code: int, reason: str) -> None:
        if self._forget(connection.websocket):
            _LOGGER.info("%s was dropped: %s", connection.info["client_id"], reason)
            self._close(connection, code, reason)

    def _close(self, connection: Connection, code: int, reason: str) -> None:
        closing = _sockets.close(connection.websocket, code, reason)
        task = connection.loop.create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _sent(self) -> None:
        self.total_messages_sent += 1

    async def send_personal(self, message: Mapping[str, Any], websocket: Any) -> bool:
        """
        Send a message to one client, behind what waits for it; tell whether it took it.

        One that fails is disconnected.
        """
        connection = self._connections.get(websocket)
        if connection is None:
            return False
        taken = await self._send(connection, (message, dumps(message)))
        if not taken:
            self._forget(websocket)
        return taken

    @staticmethod
    async def _send(connection: Connection, said: Said) -> bool:
        if connection.loop is asyncio.get_running_loop():
            return await connection.send(said)
        sending = asyncio.run_coroutine_threadsafe(
            connection.send(said), connection.loop
        )
        return await asyncio.wrap_future(sending)

    async def broadcast(self, message: Mapping[str, Any]) -> int:
        """
        Send a message to all whom it is for; returns how many took it.

        It gets a `timestamp` unless it has one. Who is still busy with what came before
        takes it later, and counts.
        """
        return await self._broadcast(message, heeded=True)

    async def _broadcast(self, message: Mapping[str, Any], *, heeded: bool) -> int:
        if not self._connections:
            return 0
        stamped = message if "timestamp" in message else {**message, "timestamp": now()}
        said = (stamped, dumps(stamped))
        self.total_broadcasts += 1
        loop, taken = asyncio.get_running_loop(), 0
        begun: list[Task[bool]] = []
        for connection in [*self._connections.values()]:
            if heeded and not connection.wants(stamped):
                continue
            answer = _offer(connection, said, loop)
            if isinstance(answer, bool):
                taken += answer
            else:
                begun.append(answer)
        return taken + (await self._count(begun) if begun else 0)

    async def _count(self, begun: list[Task[bool]]) -> int:
        """Wait a moment for those who did not take it at once."""
        ended, late = await asyncio.wait(begun, timeout=self._patience)
        taken = [task for task in ended if not task.cancelled() and task.result()]
        return len(taken) + len(late)

    async def broadcast_event(self, event_type: str, data: Any) -> int:
        """Send an event as `{"type", "data", "timestamp"}`; returns how many took it."""
        return await self.broadcast({"type": event_type, "data": data})

    async def ping_all(self) -> int:
        """Send everybody a ping, whatever they filter; returns how many took it."""
        return await self._broadcast({"type": "ping"}, heeded=False)

    def get_client_count(self) -> int:
        """Return how many are connected."""
        return len(self.active_connections)

    def get_stats(self) -> dict[str, Any]:
        """Return who is connected, and how much was said."""
        return {
            "active_connections": len(self.active_connections),
            "total_connections": self.total_connections,
            "total_messages_sent": self.total_messages_sent,
            "total_broadcasts": self.total_broadcasts,
            "clients": [
                {**info, "connected_at": info["connected_at"].isoformat()}
                for info in self.active_connections.values()
            ],
        }

    async def serve(
        self,
        websocket: Any,
        client_id: str | None = None,
        *,
        filter: Wish = None,  # noqa: A002 - as callers know it
        scope: Wish = None,
    ) -> None:
        """
        Keep a connection until it ends: greet it, answer it, send what is said.

        A client may say `{"type": "ping"}`, answered by `pong` with the time and what
        came with it, and `{"type": "filter", "types": [...], "circle_id": ...,
        "project_id": ...}`. What is no JSON closes it; all else is ignored.
        """
        from eventyard.websocket._serving import serve

        await self.connect(websocket, client_id, filter=filter, scope=scope)
        try:
            await serve(self, websocket)
        finally:
            await self.disconnect(websocket)

    async def close(self, code: int = _GOING_AWAY, reason: str = "going away") -> None:
        """Close all connections, at once; returns when they are closed."""
        for connection in [*self._connections.values()]:
            self._drop(connection, code, reason)
        while self._closing:
            await asyncio.wait(self._closing)


def _offer(
    connection: Connection, said: Said, loop: asyncio.AbstractEventLoop
) -> bool | Task[bool]:
    if connection.loop is loop:
        return connection.offer(said)
    # A socket is for its own loop alone; whoever says something may be in another.
    if connection.loop.is_closed():
        return False
    connection.loop.call_soon_threadsafe(partial(connection.offer, said))
    return True


def now() -> str:
    """Return the time as clients read it."""
    return datetime.now(UTC).isoformat()


#: Another name for it.
WebSocketManager = ConnectionManager

_made: ConnectionManager | None = None


def get_connection_manager() -> ConnectionManager:
    """Return the manager of this process."""
    global _made  # noqa: PLW0603 - there is one
    if _made is None:
        _made = ConnectionManager()
    return _made
