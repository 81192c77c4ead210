"""Follow the live channel, across reconnections, from where it was left."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp

from eventyard.cli.http import Api
from eventyard.core.errors import ConnectionError  # noqa: A004 - its name there

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LONGEST_PAUSE = 30.0
_REMEMBERED = 5_000
_PATIENCE_S = 10.0


class _Feed:
    """What was seen: the highest cursor, and ids, since events may come twice."""

    def __init__(self) -> None:
        self.cursor = ""
        self._seen: dict[str, None] = {}

    def fresh(self, message: dict[str, Any]) -> bool:
        cursor = message.get("cursor") or _data(message).get("cursor", "")
        self.cursor = max(self.cursor, cursor)
        if "event_id" not in message or message["event_id"] in self._seen:
            return False
        self._seen[message["event_id"]] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True


async def watch(
    api: Api,
    topics: str,
    show: Callable[[dict[str, Any]], None],
    tell: Callable[[str], None],
) -> None:
    """Show every event of the topics, for ever; `tell` hears of the connection."""
    feed = _Feed()
    attempt = 0
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                query = {"events": topics, "frames": "batch"}
                query |= {"cursor": feed.cursor} if feed.cursor else {}
                address = await _address(session, api, "dashboard")
                async with _connected(session, api, address, query) as socket:
                    attempt = 0
                    tell(f"connected, watching {topics}")
                    await _follow(socket, feed, show, tell)
            except (aiohttp.ClientError, OSError) as error:
                tell(f"disconnected: {error}")
            attempt += 1
            # Full jitter: a thousand clients must not come back in one wave.
            pause = min(0.5 * 2**attempt, _LONGEST_PAUSE)
            await asyncio.sleep(random.uniform(0.1, pause))  # noqa: S311


async def welcomed(api: Api) -> str:
    """
    Connect to the live address once, and wait to be welcomed; return that address.

    Raises ConnectionError with the reason.
    """
    address = ""
    try:
        async with asyncio.timeout(_PATIENCE_S), aiohttp.ClientSession() as session:
            address = await _address(session, api, "router")
            async with _connected(session, api, address, {}) as socket:
                frame = await socket.receive()
                if frame.type is aiohttp.WSMsgType.TEXT:
                    return address
                reason = f"it was closed with {socket.close_code}"
    except TimeoutError:
        reason = f"nothing came within {_PATIENCE_S:g} s"
    except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
        reason = str(error) or type(error).__name__
    raise ConnectionError(
        f"The live address {address} cannot be connected: {reason}. A proxy on the way "
        "may refuse WebSockets."
    )


@asynccontextmanager
async def _connected(
    session: aiohttp.ClientSession, api: Api, address: str, query: dict[str, str]
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    # A query that is there already says which channel, where one address has all.
    joint = "&" if "?" in address else "?"
    whole = {"client_id": "eventyard-command-line", **query}
    # A header, not the query: addresses are written into logs.
    headers = {"Authorization": f"Bearer {api.key}"} if api.key else {}
    async with session.ws_connect(
        f"{address}{joint}{urlencode(whole)}", headers=headers
    ) as socket:
        yield socket


async def _address(session: aiohttp.ClientSession, api: Api, channel: str) -> str:
    async with session.get(f"{api.base}/api/v1/config") as answer:
        live = (await answer.json())["live_url"]
    if live:
        return f"{live}?{urlencode({'channel': channel})}"
    return f"{api.base.replace('http', 'ws', 1)}/ws/{channel}"


async def _follow(
    socket: aiohttp.ClientWebSocketResponse,
    feed: _Feed,
    show: Callable[[dict[str, Any]], None],
    tell: Callable[[str], None],
) -> None:
    async for frame in socket:
        if frame.type is not aiohttp.WSMsgType.TEXT:
            continue
        for message in _messages(frame.data):
            if feed.fresh(message):
                show(message)
            elif "event_id" not in message and _data(message).get("recovered") is False:
                tell("too much was missed to send it again: see `eventyard events`")


def _messages(text: str) -> Iterator[dict[str, Any]]:
    value = json.loads(text)
    yield from value if isinstance(value, list) else [value]


def _data(message: dict[str, Any]) -> dict[str, Any]:
    """Return what the channel itself says; a payload may be anything."""
    data = message.get("data")
    return data if isinstance(data, dict) else {}
