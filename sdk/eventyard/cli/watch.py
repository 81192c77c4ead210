"""Follow the live channel, across reconnections, from where it was left."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import aiohttp

from eventyard.cli.http import Api

_LONGEST_PAUSE = 30.0
_REMEMBERED = 5_000


class _Feed:
    """What was seen: the highest cursor, and ids, since events may come twice."""

    def __init__(self) -> None:
        self.cursor = ""
        self._seen: dict[str, None] = {}

    def fresh(self, message: dict[str, Any]) -> bool:
        cursor = message.get("cursor") or message.get("data", {}).get("cursor", "")
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
                async with session.ws_connect(
                    await _address(session, api, topics, feed.cursor)
                ) as socket:
                    attempt = 0
                    tell(f"connected, watching {topics}")
                    await _follow(socket, feed, show, tell)
            except (aiohttp.ClientError, OSError) as error:
                tell(f"disconnected: {error}")
            attempt += 1
            # Full jitter: a thousand clients must not come back in one wave.
            pause = min(0.5 * 2**attempt, _LONGEST_PAUSE)
            await asyncio.sleep(random.uniform(0.1, pause))  # noqa: S311


async def _address(
    session: aiohttp.ClientSession, api: Api, topics: str, cursor: str
) -> str:
    base = api.url.rstrip("/")
    async with session.get(f"{base}/api/v1/config") as answer:
        live = (await answer.json())["live_url"]
    query = {"events": topics, "frames": "batch", "client_id": "eventyard-monitor"}
    query |= {"cursor": cursor} if cursor else {}
    query |= {"token": api.key} if api.key else {}
    if live:
        return f"{live}?{urlencode({'channel': 'dashboard', **query})}"
    return f"{base.replace('http', 'ws', 1)}/ws/dashboard?{urlencode(query)}"


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
            elif message.get("data", {}).get("recovered") is False:
                tell("too much was missed to send it again: see `eventyard events`")


def _messages(text: str) -> Iterator[dict[str, Any]]:
    value = json.loads(text)
    yield from value if isinstance(value, list) else [value]
