"""A router within this process: clients of one name share a log, as long as it runs."""

from __future__ import annotations

import asyncio
import builtins
import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from eventyard.core import moments, ulid
from eventyard.core.errors import (
    ConflictError,
    NotFoundError,
    RequestError,
    TimeoutError,  # noqa: A004 - its name there
)
from eventyard.core.event import Event
from eventyard.core.matching import Matcher
from eventyard.transports.base import (
    Caller,
    Commit,
    DeadLetter,
    Delivery,
    Feed,
    Published,
    Sink,
    Transport,
    Wish,
)

#: So many events are remembered for whoever comes back with a cursor.
MOST_REMEMBERED: Final = 10_000
#: So many are on their way to one subscriber; whoever publishes waits for room.
_MOST_WAITING: Final = 10_000
_MOST_DEAD: Final = 10_000
_MOST_CLAIMS: Final = 10_000
_REPLY: Final = "reply_to"


class Broker:
    """The router: a log, who is subscribed to it, streams, positions, dead letters."""

    _named: ClassVar[dict[str, Broker]] = {}

    def __init__(self) -> None:
        self.matcher: Matcher[MemoryFeed] = Matcher()
        self.streams: dict[str, list[Event]] = {}
        self.positions: dict[str, str] = {}
        self.dead: dict[str, DeadLetter] = {}
        self.asking: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self.published = self.delivered = self.failed = 0
        self._log: deque[Delivery] = deque(maxlen=MOST_REMEMBERED)
        self._claims: dict[object, list[Published]] = {}
        self._places = itertools.count(1)
        self._last = _place(0)

    @classmethod
    def named(cls, name: str) -> Broker:
        """Return the router of a name; it is made when it is first asked for."""
        return cls._named.setdefault(name, cls())

    @classmethod
    def forget(cls, name: str = "default") -> None:
        """Let a router go with all that it holds: tests begin anew."""
        cls._named.pop(name, None)

    @property
    def last(self) -> str:
        """Return the place of the newest event."""
        return self._last

    def since(self, cursor: str) -> list[Delivery]:
        """Return what is remembered behind a place."""
        return [one for one in self._log if one.cursor > cursor]

    async def accept(self, events: Sequence[Event], key: str | None) -> list[Published]:
        """Append a commit and hand it out; a second try is answered as the first."""
        claim: object = key or (events[0].source, events[0].id)
        known = self._claims.get(claim)
        if known is not None:
            return [Published(one.event_id, deduplicated=True) for one in known]
        told = self._claims[claim] = [Published(event.id) for event in events]
        if len(self._claims) > _MOST_CLAIMS:
            del self._claims[next(iter(self._claims))]
        crowded = [feed for event in events for feed in self._hand_out(event)]
        for feed in crowded:
            await feed.room()
        return told

    def _hand_out(self, event: Event) -> list[MemoryFeed]:
        """Append an event; return the feeds that have no room for more."""
        self._last = _place(next(self._places))
        delivery = Delivery(event, self._last)
        self._log.append(delivery)
        self.published += 1
        wanted = self.matcher.match_event(event)
        if event.target is not None:
            wanted = [feed for feed in wanted if feed.client_id == event.target]
        self.delivered += len(wanted)
        for feed in wanted:
            feed.put(delivery)
        return [feed for feed in wanted if feed.is_crowded]

    def append(self, stream: str, events: Sequence[Event], expected: int | None) -> int:
        """Append to a stream; raises ConflictError where it is elsewhere by now."""
        there = self.streams.setdefault(stream, [])
        if expected is not None and expected != len(there):
            raise ConflictError(
                f"The stream {stream} is at version {len(there)}, not {expected}.",
                code="version_conflict",
                details={"version": len(there), "expected_version": expected},
            )
        for event in events:
            there.append(event.copy(version=len(there) + 1, stream_id=stream))
        return len(there)

    def bury(self, letter: DeadLetter) -> None:
        """Keep what was given up, the newest ten thousand."""
        self.failed += 1
        self.dead[letter.id] = letter
        if len(self.dead) > _MOST_DEAD:
            del self.dead[next(iter(self.dead))]


class MemoryFeed(Feed):
    """A subscription: what is on its way, and a task that hands it on in order."""

    def __init__(self, broker: Broker, client_id: str, wish: Wish, sink: Sink) -> None:
        self.id = f"sub_{ulid.new_ulid()}"
        self.client_id = client_id
        self.wish = wish
        self._broker = broker
        self._sink = sink
        self._waiting: deque[Delivery] = deque()
        self._loop = asyncio.get_running_loop()
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin: with what is missed since its cursor, where it has one."""
        self._broker.matcher.add(self, self.wish.topics, self.wish.filter)
        if self.wish.cursor is not None:
            for one in self._broker.since(self.wish.cursor):
                if self in self._broker.matcher.match_event(one.event):
                    self.put(one)
        self._task = self._loop.create_task(self._pump())

    def put(self, delivery: Delivery) -> None:
        """Take a delivery, from whichever thread."""
        self._waiting.append(delivery)
        if self._filled.is_set():
            return
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._filled.set()
        else:
            self._loop.call_soon_threadsafe(self._filled.set)

    @property
    def is_crowded(self) -> bool:
        """Tell whether whoever publishes is to wait."""
        return len(self._waiting) >= _MOST_WAITING

    async def room(self) -> None:
        """Wait until there is room, unless its own handler is who publishes."""
        while self.is_crowded and asyncio.current_task() is not self._task:
            self._emptied.clear()
            await self._emptied.wait()

    async def _pump(self) -> None:
        waiting, sink = self._waiting, self._sink
        while True:
            while waiting:
                await sink(waiting.popleft())
                if not self._emptied.is_set() and not self.is_crowded:
                    self._emptied.set()
            self._filled.clear()
            if not waiting:
                await self._filled.wait()

    async def close(self) -> None:
        """End it."""
        if self in self._broker.matcher:
            self._broker.matcher.remove(self)
        self._waiting.clear()
        self._emptied.set()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


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
        return await self._router.accept(commit.events, commit.key)

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
        future = asyncio.get_running_loop().create_future()
        self._router.asking[address] = future
        try:
            await self._router.accept([asked], None)
            async with asyncio.timeout(timeout_s):
                answer = await future
        except builtins.TimeoutError:
            raise TimeoutError(
                f"Nobody answered {event.type} within {timeout_s:g} s: is there a "
                "responder, and is it connected?"
            ) from None
        finally:
            self._router.asking.pop(address, None)
        return _answer_event(asked, address, answer)

    async def reply(self, request: Event, answer: Mapping[str, Any]) -> bool:
        """Answer a question; the first answer counts."""
        future = self._router.asking.get(str(request.attributes.get(_REPLY)))
        if future is None or future.done():
            return False
        future.set_result(answer)
        return True

    async def append(
        self, stream: str, events: Sequence[Event], expected_version: int | None
    ) -> int:
        """Append to a stream, and publish what was appended."""
        version = self._router.append(stream, events, expected_version)
        there = self._router.streams[stream]
        await self._router.accept(there[version - len(events) : version], None)
        return version

    async def read(
        self, stream: str, from_version: int, to_version: int | None, limit: int
    ) -> list[Event]:
        """Read a page of a stream."""
        there = self._router.streams.get(stream, [])
        start = max(from_version, 1) - 1
        return there[start:to_version][:limit]

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
            event = self._router.dead.pop(one).event
            # Again, though its id was seen before: as another fact of the same.
            again = event.copy(headers={**event.headers, "retry-of": one})
            await self._router.accept([again], one)
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
            {"id": one.id, "topics": list(one.wish.topics), "client_id": one.client_id}
            for one in self._router.matcher.keys()
        ]

    async def health(self) -> dict[str, Any]:
        """It is as well as this process."""
        return {"status": "healthy", "checks": {"transport": "ok"}}


def _place(number: int) -> str:
    return f"{number:020d}"


def _answer_event(asked: Event, address: str, answer: Mapping[str, Any]) -> Event:
    error = answer.get("error")
    if error is not None:
        raise RequestError(
            f"The responder failed: {error['message']}", details=dict(error)
        )
    return Event(
        address,
        answer["payload"],
        correlation_id=asked.correlation_id,
        causation_id=asked.id,
        source=answer.get("source"),
    )
