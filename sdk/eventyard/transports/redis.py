"""A router in Redis: one stream is the log, every commit an entry of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from eventyard.core import moments, ulid
from eventyard.core.errors import (
    ConflictError,
    ConnectionError,  # noqa: A004 - its name there
    EventRouterError,
    NotFoundError,
    TimeoutError,  # noqa: A004 - its name there
)
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps, loads
from eventyard.settings import Settings
from eventyard.transports import _redis_scripts as scripts
from eventyard.transports._redis_feed import RedisFeed
from eventyard.transports._redis_parts import (
    ALIVE_S,
    BLOCK_MS,
    COUNTS,
    DEAD,
    FEEDS,
    LAST,
    LOG,
    PREFIX,
    Redis,
    entry_of,
    letter_of,
    of_stream,
    opened,
    place_of,
    told,
)
from eventyard.transports.base import (
    Caller,
    Commit,
    DeadLetter,
    Feed,
    Published,
    Sink,
    Transport,
    Wish,
    answered,
)

#: About so many commits are kept.
_MOST_COMMITS: Final = 100_000
_CLAIMED_S: Final = 86_400


class RedisTransport(Transport):
    """
    A client of a router that is a Redis server, of version 6.2 or later.

    Connections are told by `url` (`redis://` or `rediss://`), or by `connection`:
    `host`, `port`, `password`, `username`, `db`, `ssl`.
    """

    name: ClassVar[str] = "redis"

    def __init__(self, settings: Settings, client_id: str) -> None:
        super().__init__()
        self.settings = settings
        self._client_id = client_id
        self._made: Redis | None = None
        self._feeds: set[RedisFeed] = set()

    @property
    def redis(self) -> Redis:
        """Return the connections; raises ConnectionError before there are any."""
        if self._made is None:
            raise ConnectionError(
                "The client is not connected: `await client.connect()`."
            )
        return self._made

    async def connect(self) -> None:
        """Make sure that Redis answers."""
        if self._made is None:
            self._made = opened(self.settings)
        self.watched.change("connecting")
        try:
            async with told():
                await self.redis.ping()
        except EventRouterError:
            await self.close()
            raise
        self.watched.change("connected")

    async def close(self) -> None:
        """End all feeds and connections."""
        for feed in [*self._feeds]:
            await feed.close()
        self._feeds.clear()
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()
        self.watched.change("closed")

    async def publish(self, commit: Commit) -> list[Published]:
        """Append a commit, unless its key is known: one script, one entry."""
        text = dumps([event.to_dict() for event in commit.events])
        ids = dumps([event.id for event in commit.events])
        keys = [LOG, f"{PREFIX}claim:{commit.key}", COUNTS]
        more = [text, ids, _CLAIMED_S, _MOST_COMMITS, len(commit.events)]
        known = await self._run(scripts.PUBLISH, keys, more)
        found = loads(known or ids)
        return [Published(one, deduplicated=known is not None) for one in found]

    async def _run(
        self, script: str, keys: Sequence[str], values: Sequence[Any]
    ) -> Any:
        async with told():
            return await self.redis.eval(script, len(keys), *keys, *values)

    async def subscribe(self, wish: Wish, sink: Sink) -> Feed:
        """Have events delivered, from where the log ends now or behind a place."""
        async with told():
            start = wish.cursor or await self._end()
        entry_of(start)
        feed = RedisFeed(self, self._client_id, wish, sink, start)
        self._feeds.add(feed)
        feed.open()
        await feed.beat()
        return feed

    async def _end(self) -> str:
        last = await self.redis.xrevrange(LOG, count=1)
        return place_of(last[0][0], LAST) if last else place_of(b"0-0", 0)

    async def request(self, event: Event, timeout_s: float) -> Event:
        """Publish a question, and wait at a list of its own for the answer."""
        key = ulid.new_ulid()
        asked = event.copy(
            reply_to=f"reply.{key}", correlation_id=event.correlation_id or event.id
        )
        waits = max(int(timeout_s * 1000), 1)
        async with told():
            await self.redis.set(f"{PREFIX}asking:{key}", "1", px=waits)
        await self.publish(Commit((asked,), f"request-{key}", own_ids=True))
        found = await self._wait_for(f"{PREFIX}reply:{key}", timeout_s)
        if found is None:
            raise TimeoutError(
                f"Nobody answered {event.type} within {timeout_s:g} s: is there a "
                "responder, and is it connected?"
            )
        return answered(asked, f"reply.{key}", loads(found))

    async def _wait_for(self, key: str, timeout_s: float) -> bytes | None:
        """Wait for something in a list, in turns shorter than a silence may be."""
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            async with told():
                found = await self.redis.blpop([key], min(left, BLOCK_MS / 1000))
            if found is not None:
                return bytes(found[1])
        return None

    async def reply(self, request: Event, answer: Mapping[str, Any]) -> bool:
        """Answer a question: only where it is still asked."""
        key = str(request.attributes.get("reply_to", "")).removeprefix("reply.")
        keys = [f"{PREFIX}asking:{key}", f"{PREFIX}reply:{key}"]
        return bool(await self._run(scripts.REPLY, keys, [dumps(dict(answer))]))

    async def append(
        self, stream: str, events: Sequence[Event], expected_version: int | None
    ) -> int:
        """Append to a list, and to the log, in one script."""
        keys = [f"{PREFIX}stream:{stream}", LOG, COUNTS]
        expected = -1 if expected_version is None else expected_version
        texts = [dumps(of_stream(event, stream).to_dict()) for event in events]
        version = int(
            await self._run(scripts.APPEND, keys, [expected, _MOST_COMMITS, *texts])
        )
        if version < 0:
            there = -version - 1
            raise ConflictError(
                f"The stream {stream} is at version {there}, not {expected_version}.",
                code="version_conflict",
                details={"version": there, "expected_version": expected_version},
            )
        return version

    async def read(
        self, stream: str, from_version: int, to_version: int | None, limit: int
    ) -> list[Event]:
        """Read a page of a list."""
        first = max(from_version, 1)
        last = first + limit - 1
        end = last if to_version is None else min(last, to_version)
        if end < first:
            return []
        async with told():
            found = await self.redis.lrange(
                f"{PREFIX}stream:{stream}", first - 1, end - 1
            )
        return [
            Event.from_dict({**loads(text), "version": first + number})
            for number, text in enumerate(found)
        ]

    async def position(self, name: str) -> str | None:
        """Return a place that was kept."""
        async with told():
            found = await self.redis.get(f"{PREFIX}position:{name}")
        return None if found is None else found.decode()

    async def keep_position(self, name: str, cursor: str) -> None:
        """Keep a place, unless a higher one is kept."""
        await self._run(scripts.KEEP_HIGHEST, [f"{PREFIX}position:{name}"], [cursor])

    async def bury(
        self, event: Event, subscription: str, error: str, attempts: int
    ) -> None:
        """Put an event into the dead letters."""
        letter = {
            "id": f"dead_{ulid.new_ulid()}",
            "event": event.to_dict(),
            "last_error": error,
            "attempts": attempts,
            "subscription": subscription,
            "failed_at": moments.at(time.time()),
        }
        async with told():
            await self.redis.hset(DEAD, letter["id"], dumps(letter))
            await self.redis.hincrby(COUNTS, "failed", 1)

    async def dead_letters(self, limit: int = 50) -> list[DeadLetter]:
        """Return dead letters, the newest first."""
        async with told():
            found = await self.redis.hgetall(DEAD)
        letters = [letter_of(loads(text)) for text in found.values()]
        return sorted(letters, key=lambda one: one.id, reverse=True)[:limit]

    async def retry(self, ids: Sequence[str]) -> int:
        """Deliver dead letters again."""
        for one in ids:
            async with told():
                text = await self.redis.hget(DEAD, one)
            if text is None:
                raise NotFoundError(f"There is no dead letter {one}.")
            again = letter_of(loads(text)).again()
            # Published first: who dies in between has it twice, not never.
            await self.publish(Commit((again,), f"retry-{one}", own_ids=True))
            async with told():
                await self.redis.hdel(DEAD, one)
        return len(ids)

    async def whoami(self) -> Caller:
        """Whoever may use the server may do everything."""
        return Caller(self._client_id, frozenset({"admin"}))

    async def stats(self) -> dict[str, Any]:
        """Return counts."""
        async with told():
            raw = await self.redis.hgetall(COUNTS)
        counts = {name.decode(): int(value) for name, value in raw.items()}
        published, failed = counts.get("published", 0), counts.get("failed", 0)
        delivered = counts.get("delivered", 0)
        handled = delivered + failed
        return {
            "events_published": published,
            "events_delivered": delivered,
            "active_subscriptions": len(await self.subscriptions()),
            "queue_depth": 0,
            "error_rate": failed / handled if handled else 0.0,
        }

    async def subscriptions(self) -> list[dict[str, Any]]:
        """Return who was heard of within a minute."""
        async with told():
            raw = await self.redis.hgetall(FEEDS)
        known = [loads(text) for text in raw.values()]
        alive = time.time() - ALIVE_S
        return [
            {name: one[name] for name in ("id", "topics", "client_id")}
            for one in known
            if one["heard"] >= alive
        ]

    async def health(self) -> dict[str, Any]:
        """Ask Redis how it is."""
        try:
            async with told():
                await self.redis.ping()
        except EventRouterError as error:
            return {"status": "unhealthy", "checks": {"transport": error.message}}
        return {"status": "healthy", "checks": {"transport": "ok"}}
