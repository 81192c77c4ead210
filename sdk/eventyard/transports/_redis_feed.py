"""A subscription to a router in Redis: the log is read behind a place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import Final, Protocol

from eventyard.core import ulid
from eventyard.core.errors import (
    EventRouterError,
)
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps, loads
from eventyard.core.matching import Matcher
from eventyard.settings import Settings
from eventyard.transports._redis_parts import (
    ALIVE_S,
    BLOCK_MS,
    COUNTS,
    FEEDS,
    LAST,
    LOG,
    Redis,
    entry_of,
    place_of,
    told,
)
from eventyard.transports.base import (
    Delivery,
    Feed,
    Sink,
    Watched,
    Wish,
)

_LOGGER: Final = logging.getLogger("eventyard.redis")
_READ_COUNT: Final = 100


class _Owner(Protocol):
    """What a feed needs of the transport that opened it."""

    watched: Watched
    settings: Settings

    @property
    def redis(self) -> Redis:
        """Return the connections."""
        ...


class RedisFeed(Feed):
    """Reads the log behind a place, and hands on what is wanted."""

    def __init__(
        self,
        transport: _Owner,
        client_id: str,
        wish: Wish,
        sink: Sink,
        start: str,
    ) -> None:
        self.id = f"sub_{ulid.new_ulid()}"
        self._transport = transport
        self._client_id = client_id
        self._wish = wish
        self._sink = sink
        self._cursor = self.begins = start
        self._matcher = Matcher([(self.id, wish.topics, wish.filter)])
        self._task: asyncio.Task[None] | None = None
        self._beaten_at = 0.0
        self._closed = False

    def open(self) -> None:
        """Begin to read."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def beat(self) -> None:
        """Say that somebody listens."""
        now = time.time()
        if now - self._beaten_at < ALIVE_S / 3:
            return
        self._beaten_at = now
        told_of = {
            "id": self.id,
            "topics": list(self._wish.topics),
            "client_id": self._client_id,
            "heard": now,
        }
        async with told():
            await self._transport.redis.hset(FEEDS, self.id, dumps(told_of))

    async def _follow(self) -> None:
        failures = 0
        while not self._closed:
            try:
                await self.beat()
                await self._read()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                _LOGGER.warning("a feed of Redis is opened again: %r", error)
                self._transport.watched.change("reconnecting")
                failures += 1
                longest = min(0.2 * 2**failures, self._longest_s)
                await asyncio.sleep(random.uniform(0, longest))  # noqa: S311
            else:
                failures = 0
                self._transport.watched.change("connected")

    @property
    def _longest_s(self) -> float:
        return self._transport.settings.reconnect.longest_s

    async def _read(self) -> None:
        """Read what is behind the place, waiting for it a while."""
        entry, index = entry_of(self._cursor)
        redis = self._transport.redis
        async with told():
            if index < LAST:
                # It is in the middle of a commit: the rest of that comes first.
                entries = await redis.xrange(LOG, entry, entry)
            else:
                wish = {LOG: entry}
                found = await redis.xread(wish, count=_READ_COUNT, block=BLOCK_MS)
                entries = found[0][1] if found else []
        for name, fields in entries:
            await self._hand_on(name, fields[b"commit"])
        if index < LAST:
            self._cursor = max(self._cursor, place_of(entry.encode(), LAST))

    async def _hand_on(self, name: bytes, text: bytes) -> None:
        delivered = 0
        for number, wire in enumerate(loads(text)):
            place = place_of(name, number)
            if place <= self._cursor:
                continue
            event = Event.from_dict(wire)
            if self._is_for_us(event):
                await self._sink(Delivery(event, place))
                delivered += 1
            self._cursor = place
        self._cursor = max(self._cursor, place_of(name, LAST))
        if delivered:
            async with told():
                await self._transport.redis.hincrby(COUNTS, "delivered", delivered)

    def _is_for_us(self, event: Event) -> bool:
        if event.target not in (None, self._client_id):
            return False
        return bool(self._matcher.match_event(event))

    async def close(self) -> None:
        """End it."""
        self._closed = True
        task, self._task = self._task, None
        while task not in (None, asyncio.current_task()) and not task.done():
            # Once is not enough where a time-out takes the cancellation for its own.
            task.cancel()
            await asyncio.wait({task}, timeout=0.5)
        with contextlib.suppress(EventRouterError):
            async with told():
                await self._transport.redis.hdel(FEEDS, self.id)
