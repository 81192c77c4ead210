"""A router within this process: clients of one name share a log, as long as it runs."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from eventyard.core import moments, ulid
from eventyard.core.errors import (
    NotFoundError,
    TimeoutError,  # noqa: A004 - its name there
)
from eventyard.core.event import Event
from eventyard.transports._broker import Broker, MemoryFeed, is_running, own_copy
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

__all__ = ["Broker", "MemoryTransport"]

_REPLY: Final = "reply_to"


class MemoryTransport(Transport):
    """A client of a router in this process."""

    name = "memory"

    def __init__(self, client_id: str, name: str = "default") -> None:
        super().__init__()
        self._client_id = client_id
        self._router = Broker.named(name)
        self._feeds: set[MemoryFeed] = set()

    async def connect(self) -> None:
        """There is always a router."""
        self.watched.change("connected")

    async def close(self) -> None:
        """End all feeds."""
        for feed in [*self._feeds]:
            await feed.close()
        self._feeds.clear()
        self.watched.change("closed")

    async def publish(self, commit: Commit) -> list[Published]:
        """Append a commit."""
        claims: list[object] = [commit.key]
        if commit.own_ids:
            claims += [(event.source, event.id) for event in commit.events]
        return self._router.accept(commit.events, claims)

    def is_crowded(self, event: Event) -> bool:
        """Tell whether a subscriber has ten thousand events waiting."""
        return self._router.is_crowded(event)

    async def subscribe(self, wish: Wish, sink: Sink) -> Feed:
        """Have events delivered from now on, or behind a place."""
        feed = MemoryFeed(self._router, self._client_id, wish, sink)
        feed.open()
        self._feeds.add(feed)
        return feed

    async def request(self, event: Event, timeout_s: float) -> Event:
        """Publish a question and wait for its answer."""
        address = f"reply.{ulid.new_ulid()}"
        asked = event.copy(
            reply_to=address, correlation_id=event.correlation_id or event.id
        )
        future: asyncio.Future[Mapping[str, Any]]
        future = asyncio.get_running_loop().create_future()
        self._router.asking[address] = future
        try:
            self._router.accept([asked], ())
            async with asyncio.timeout(timeout_s):
                answer = await future
        except builtins.TimeoutError:
            raise TimeoutError(
                f"Nobody answered {event.type} within {timeout_s:g} s: is there a "
                "responder, and is it connected?"
            ) from None
        finally:
            self._router.asking.pop(address, None)
        return answered(asked, address, answer)

    async def reply(self, request: Event, answer: Mapping[str, Any]) -> bool:
        """Answer a question; the first answer counts."""
        # Whoever takes it out is first.
        future = self._router.asking.pop(str(request.attributes.get(_REPLY)), None)
        if future is None:
            return False
        loop = future.get_loop()
        if is_running(loop):
            _settle(future, answer)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_settle, future, answer)
        return True

    async def append(
        self, stream: str, events: Sequence[Event], expected_version: int | None
    ) -> int:
        """Append to a stream, and publish what was appended."""
        version = self._router.append(stream, events, expected_version)
        there = self._router.streams[stream]
        self._router.accept(there[version - len(events) : version], ())
        return version

    async def read(
        self, stream: str, from_version: int, to_version: int | None, limit: int
    ) -> list[Event]:
        """Read a page of a stream."""
        there = self._router.streams.get(stream, [])
        start = max(from_version, 1) - 1
        last = len(there) if to_version is None else max(to_version, 0)
        return [own_copy(event) for event in there[start:last][:limit]]

    async def position(self, name: str) -> str | None:
        """Return a place that was kept."""
        return self._router.positions.get(name)

    async def keep_position(self, name: str, cursor: str) -> None:
        """Keep a place, unless a higher one is kept."""
        kept = self._router.positions
        kept[name] = max(cursor, kept.get(name, ""))

    async def bury(
        self, event: Event, subscription: str, error: str, attempts: int
    ) -> None:
        """Put an event into the dead letters."""
        letter = DeadLetter(
            f"dead_{ulid.new_ulid()}",
            event,
            error,
            attempts,
            subscription,
            moments.write(datetime.now(UTC)),
        )
        self._router.bury(letter)

    async def dead_letters(self, limit: int = 50) -> list[DeadLetter]:
        """Return dead letters, the newest first."""
        return [*self._router.dead.values()][::-1][:limit]

    async def retry(self, ids: Sequence[str]) -> int:
        """Deliver dead letters again, to whom they are for."""
        missing = [one for one in ids if one not in self._router.dead]
        if missing:
            raise NotFoundError(f"There is no dead letter {missing[0]}.")
        for one in ids:
            self._router.accept([self._router.dead.pop(one).again()], ())
        return len(ids)

    async def whoami(self) -> Caller:
        """In one process everybody may do everything."""
        return Caller(self._client_id, frozenset({"admin"}))

    async def stats(self) -> dict[str, Any]:
        """Return counts."""
        router = self._router
        handled = router.delivered + router.failed
        return {
            "events_published": router.published,
            "events_delivered": router.delivered,
            "active_subscriptions": len(router.matcher),
            "queue_depth": 0,
            "error_rate": router.failed / handled if handled else 0.0,
        }

    async def subscriptions(self) -> list[dict[str, Any]]:
        """Return who is subscribed."""
        return [
            {"id": one.id, "topics": [*one.wish.topics], "client_id": one.client_id}
            for one in self._router.feeds()
        ]

    async def health(self) -> dict[str, Any]:
        """Return that it is as well as this process."""
        return {"status": "healthy", "checks": {"transport": "ok"}}


def _settle(
    future: asyncio.Future[Mapping[str, Any]], answer: Mapping[str, Any]
) -> None:
    if not future.done():
        future.set_result(answer)
