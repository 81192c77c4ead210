"""What is said on a connection of a dashboard, by both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.jsontext import loads
from eventyard.websocket import _sockets
from eventyard.websocket._sockets import Gone
from eventyard.websocket.wishes import normal

if TYPE_CHECKING:
    from eventyard.websocket.manager import ConnectionManager

#: Closes whoever says what is no JSON.
_NO_JSON: Final = 1007
_ANSWER = dict[str, Any]


async def serve(manager: ConnectionManager, websocket: Any) -> None:
    """Greet a connection and answer it until it ends."""
    hello = {"type": "connection.established", "data": _greeting(manager, websocket)}
    if not await manager.send_personal({**hello, "timestamp": _now()}, websocket):
        return
    try:
        while websocket in manager.active_connections:
            text = await _sockets.receive(websocket)
            manager.received(websocket)
            answer = _answer(manager, websocket, text)
            if answer is not None:
                await manager.send_personal(answer, websocket)
    except Gone:
        return
    except InvalidRequestError:
        await _sockets.close(websocket, _NO_JSON, "that is no JSON")


def _greeting(manager: ConnectionManager, websocket: Any) -> _ANSWER:
    info = manager.active_connections[websocket]
    return {"client_id": info["client_id"], "message": "Connected to Eventyard"}


def _answer(manager: ConnectionManager, websocket: Any, text: Any) -> _ANSWER | None:
    """Return what to answer, if anything; raises InvalidRequestError for no JSON."""
    if text is None:
        raise InvalidRequestError("A message must be text.")
    message = loads(text)
    kind = message.get("type") if isinstance(message, Mapping) else None
    if kind == "ping":
        echo = message.get("echo", message.get("timestamp"))
        return {"type": "pong", "timestamp": _now(), "echo": echo}
    return _filter(manager, websocket, message) if kind == "filter" else None


def _filter(
    manager: ConnectionManager, websocket: Any, message: Mapping[str, Any]
) -> _ANSWER:
    said = {name: value for name, value in message.items() if name != "type"}
    try:
        wish = normal(said)
        manager.set_filter(websocket, wish)
    except EventRouterError as error:
        return {"type": "error", "error": str(error), "timestamp": _now()}
    return {"type": "filter.changed", "data": wish, "timestamp": _now()}


def _now() -> str:
    from eventyard.websocket.manager import now

    return now()
