"""How the sockets of different servers are accepted, written to, read and closed."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from eventyard.core.jsontext import dumps

#: Starlette's and FastAPI's, aiohttp's, anybody's, that of websockets.
_SENDS: Final = ("send_text", "send_str", "send_json", "send")
#: What is raised to whoever writes to one who left, by the names of its classes.
_GONE: Final = frozenset(
    {
        "BrokenPipeError",
        "ClientConnectionResetError",
        "ClientDisconnected",
        "ConnectionAbortedError",
        "ConnectionClosed",
        "ConnectionResetError",
        "GoneError",
        "GoneException",
        "WebSocketDisconnect",
    }
)

#: Takes a message, and the same as text.
Send = Callable[[Mapping[str, Any], str], Awaitable[Any]]


class Gone(Exception):  # noqa: N818 - it is no error
    """Whoever was listened to left."""


def sender(websocket: Any) -> Send:
    """
    Return what writes to a socket, as text where it takes text.

    Raises:
        RuntimeError: it has no way to send that is known.
    """
    kind = type(websocket)
    # What only seems to be there, as with a mock, does not count.
    name = next((name for name in _SENDS if _has(kind, name)), "send_json")
    send = getattr(websocket, name, None)
    if not callable(send):
        raise RuntimeError(  # noqa: TRY004 - as callers know it
            f"{kind.__name__} is no WebSocket: it has none of send_text, send_str, "
            "send_json and send."
        )
    if name == "send_json":
        return lambda message, _: send(message)
    return lambda _, text: send(text)


def _has(kind: type, name: str) -> bool:
    return inspect.getattr_static(kind, name, None) is not None


async def accept(websocket: Any) -> None:
    """Accept a connection, where its server has not done so."""
    if hasattr(websocket, "accept"):
        await websocket.accept()


def is_gone(websocket: Any, error: BaseException) -> bool:
    """Tell whether a failure means that nobody is there any more."""
    if any(kind.__name__ in _GONE for kind in type(error).__mro__):
        return True
    if getattr(websocket, "closed", None) is True:
        return True
    state = getattr(websocket, "client_state", None)
    return getattr(state, "name", None) == "DISCONNECTED"


async def receive(websocket: Any) -> Any:
    """
    Return the next message as text, or as a value where the socket reads JSON itself.

    None stands for a message that is no text. Raises Gone at the end.
    """
    kind = type(websocket)
    try:
        if _has(kind, "receive_text"):
            return await _starlette(websocket)
        if _has(kind, "recv"):
            text = await websocket.recv()
            return text if isinstance(text, str) else None
        if _has(kind, "receive"):
            return await _aiohttp(websocket)
        return dumps(await websocket.receive_json())
    except json.JSONDecodeError:
        return None
    except Exception as error:
        if is_gone(websocket, error):
            raise Gone from error
        raise


async def _starlette(websocket: Any) -> str | None:
    # Its `receive_text` has no answer to a message of bytes.
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise Gone
    text = message.get("text")
    return text if isinstance(text, str) else None


async def _aiohttp(websocket: Any) -> str | None:
    message = await websocket.receive()
    name = message.type.name
    if name in ("CLOSE", "CLOSING", "CLOSED", "ERROR"):
        raise Gone
    return str(message.data) if name == "TEXT" else None


async def close(websocket: Any, code: int, reason: str) -> None:
    """Close a socket, and say why; one that is closed already is fine."""
    end = getattr(websocket, "close", None)
    if end is None:
        return
    with suppress(Exception):
        if _has(type(websocket), "send_str"):
            # aiohttp takes both by name alone, and bytes for a reason.
            ended = end(code=code, message=reason.encode())
        else:
            ended = end(code, reason)
        if inspect.isawaitable(ended):
            await ended
