"""The friendly address: forwards HTTP and WebSocket to the deployed gateways."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

#: API Gateway takes no more in one request.
_BODY_LIMIT: Final = 10 * 1024 * 1024
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_UNKNOWN_ADDRESS: Final = "MissingAuthenticationTokenException"
_NO_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True)
class Addresses:
    """Where the two gateways answer, without a slash at the end."""

    http: str
    live: str


class Front:
    """
    Only forwards: whatever happens, happens in a deployed function.

    The one thing it decides is who may ask: only this machine, and no web page of
    somebody else's, because the local platform is open to whoever reaches it.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen on loopback, both kinds of address where there are both."""
        timeout = aiohttp.ClientTimeout(total=60, connect=5)
        self._session = aiohttp.ClientSession(
            timeout=timeout,
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
        )
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        with contextlib.suppress(OSError):  # where there is no IPv6
            await web.TCPSite(self._runner, "::1", port).start()

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if not _is_local(request):
            return _failure(
                403,
                "not_local",
                "The local platform answers this machine and its own pages alone.",
            )
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._forward_socket(request)
            return await self._forward(request)
        except web.HTTPRequestEntityTooLarge:
            return _failure(413, "payload_too_large", "A request may have 10 MB.")
        except (aiohttp.ClientError, TimeoutError) as error:
            return _failure(
                502, "gateway_unreachable", f"The emulator does not answer: {error!r}"
            )

    async def _forward(self, request: web.Request) -> web.Response:
        assert self._session is not None  # noqa: S101 - set by start
        async with self._session.request(
            request.method,
            # As it came: a path that was quoted must stay so.
            URL(self._addresses.http + request.raw_path, encoded=True),
            headers=_passed_on(request.headers),
            data=await request.read() or None,
            allow_redirects=False,
            skip_auto_headers=("Accept", "Content-Type", "User-Agent"),
        ) as answer:
            body = await answer.read()
            if answer.headers.get("x-amzn-ErrorType") == _UNKNOWN_ADDRESS:
                # What the template tells API Gateway to say; emulators cannot hear it.
                return _failure(404, "not_found", "There is nothing at this address.")
            headers = _passed_on(answer.headers)
            if answer.status in _NO_BODY:
                headers.pop("Content-Type", None)
            return web.Response(status=answer.status, headers=headers, body=body)

    async def _forward_socket(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None  # noqa: S101 - set by start
        try:
            upstream = await self._session.ws_connect(
                self._live_address(request),
                headers=_credentials(request),
                max_msg_size=0,
                compress=0,
            )
        except aiohttp.WSServerHandshakeError as error:
            return _failure(
                error.status,
                "connection_refused",
                "The platform refused the connection: check channel, events, cursor "
                "and, where keys are asked for, ticket or token.",
            )
        client = web.WebSocketResponse(max_msg_size=0, compress=False)
        async with upstream:
            # Who left meanwhile must not leave a connection behind that nobody closes.
            with contextlib.suppress(ConnectionResetError):
                await client.prepare(request)
                await _pump_both(client, upstream)
        return client

    def _live_address(self, request: web.Request) -> str:
        query = dict(parse_qsl(request.query_string, keep_blank_values=True))
        channel = request.path.removeprefix("/ws").strip("/")
        if channel:
            query["channel"] = channel
        return f"{self._addresses.live}?{urlencode(query)}"


def _is_local(request: web.Request) -> bool:
    # A page elsewhere can reach 127.0.0.1 by a name of its own (DNS rebinding), and
    # can open a WebSocket here: neither name is one of ours.
    if not _is_loopback(f"//{request.host}"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or _is_loopback(origin)


def _is_loopback(address: str) -> bool:
    name = urlsplit(address).hostname or ""
    return name in _LOOPBACK or name.endswith(".localhost")


def _passed_on(headers: Any) -> dict[str, str]:
    return {n: v for n, v in headers.items() if n.lower() not in _HOP_BY_HOP}


def _credentials(request: web.Request) -> dict[str, str]:
    value = request.headers.get("Authorization")
    return {"Authorization": value} if value else {}


async def _pump_both(
    client: web.WebSocketResponse, upstream: aiohttp.ClientWebSocketResponse
) -> None:
    pumps = [
        asyncio.create_task(_pump(client, upstream)),
        asyncio.create_task(_pump(upstream, client)),
    ]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for pump in pumps:
        pump.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    await client.close()


async def _pump(source: Any, sink: Any) -> None:
    async for message in source:
        if message.type == aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
    await sink.close()


def _failure(status: int, code: str, message: str) -> web.Response:
    body = {"error": {"code": code, "message": message, "details": {}}}
    return web.json_response(body, status=status)
