"""`/ws/dashboard` and `/ws/stats` for a program that has a web server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from eventyard.core.errors import EventRouterError
from eventyard.websocket.manager import ConnectionManager, get_connection_manager
from eventyard.websocket.wishes import Wish, wanted, wish_of

if TYPE_CHECKING:
    from aiohttp import web

DASHBOARD: Final = "/ws/dashboard"
STATS: Final = "/ws/stats"
#: Returns what whoever asks may see, given the query and the headers (names in lower
#: case); raises AuthenticationError or PermissionDeniedError to turn them away.
Authorise = Callable[[Mapping[str, str], Mapping[str, str]], Wish]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]
_REFUSED: Final = 1008


def query_of(address: str) -> dict[str, str]:
    """Read what stands behind the question mark of an address."""
    return dict(parse_qsl(urlsplit(address).query))


def aiohttp_routes(
    manager: ConnectionManager | None = None, authorise: Authorise | None = None
) -> list[web.RouteDef]:
    """Return routes for `app.add_routes(...)` of aiohttp."""
    from aiohttp import web

    async def dashboard(request: web.Request) -> web.StreamResponse:
        query, headers = dict(request.query), _lower(request.headers.items())
        try:
            wishes = _wishes(query, headers, authorise)
        except EventRouterError as error:
            return web.json_response(_told(error), status=_status(error))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await _of(manager).serve(socket, query.get("client_id"), **wishes)
        return socket

    async def stats(request: web.Request) -> web.StreamResponse:
        try:
            if authorise is not None:
                authorise(dict(request.query), _lower(request.headers.items()))
        except EventRouterError as error:
            return web.json_response(_told(error), status=_status(error))
        return web.json_response(_of(manager).get_stats())

    return [web.get(DASHBOARD, dashboard), web.get(STATS, stats)]


def asgi_app(
    manager: ConnectionManager | None = None, authorise: Authorise | None = None
) -> Asgi:
    """Return an ASGI application of both addresses, for `app.mount("/", ...)` too."""

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        headers = _lower(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope.get("headers", ())
        )
        if scope["type"] == "websocket" and path == DASHBOARD:
            socket = AsgiSocket(receive, send)
            await _dashboard(_of(manager), socket, (query, headers), authorise)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        elif scope["type"] == "http":
            await _http(_of(manager), path, (query, headers), authorise, send)

    return app


async def _dashboard(
    manager: ConnectionManager,
    socket: AsgiSocket,
    asked: tuple[dict[str, str], dict[str, str]],
    authorise: Authorise | None,
) -> None:
    try:
        wishes = _wishes(*asked, authorise)
    except EventRouterError as error:
        await socket.close(_REFUSED, str(error))
    else:
        await manager.serve(socket, asked[0].get("client_id"), **wishes)


async def _http(
    manager: ConnectionManager,
    path: str,
    asked: tuple[dict[str, str], dict[str, str]],
    authorise: Authorise | None,
    send: Any,
) -> None:
    status, body = 404, {"error": {"code": "not_found", "message": "Nothing here."}}
    if path == STATS:
        try:
            if authorise is not None:
                authorise(*asked)
            status, body = 200, manager.get_stats()
        except EventRouterError as error:
            status, body = _status(error), _told(error)
    head = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class AsgiSocket:
    """A WebSocket of an ASGI server, without a framework."""

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send

    async def accept(self) -> None:
        """Take the connection."""
        await self._receive()
        await self._send({"type": "websocket.accept"})

    async def send_text(self, text: str) -> None:
        """Send a message."""
        await self._send({"type": "websocket.send", "text": text})

    async def receive_text(self) -> str:
        """Return the next message; raises Gone."""
        return str((await self.receive()).get("text"))

    async def receive(self) -> dict[str, Any]:
        """Return the next message of the server, as ASGI has it."""
        message: dict[str, Any] = await self._receive()
        return message

    async def close(self, code: int, reason: str) -> None:
        """End the connection."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


def _of(manager: ConnectionManager | None) -> ConnectionManager:
    return get_connection_manager() if manager is None else manager


def _wishes(
    query: Mapping[str, str], headers: Mapping[str, str], authorise: Authorise | None
) -> dict[str, Any]:
    """Return filter and scope of whoever asks; raises what turns them away."""
    scope = None if authorise is None else authorise(query, headers)
    wish = wish_of(query)
    wanted(wish)
    return {"filter": wish, "scope": scope}


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def _status(error: EventRouterError) -> int:
    from eventyard.core.errors import AuthenticationError, PermissionDeniedError

    if isinstance(error, AuthenticationError):
        return 401
    return 403 if isinstance(error, PermissionDeniedError) else 400


def _told(error: EventRouterError) -> dict[str, Any]:
    told = {"code": error.code, "message": str(error), "details": error.details}
    return {"error": told}
