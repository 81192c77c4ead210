"""The router of a process: a log, who is subscribed to it, and what else it keeps."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from contextvars import Context
from typing import Any, ClassVar, Final

from eventyard.core import ulid
from eventyard.core.errors import ConflictError
from eventyard.core.event import Event
from eventyard.core.matching import Matcher
from eventyard.transports.base import DeadLetter, Delivery, Feed, Published, Sink, Wish

#: So many events are remembered for whoever comes back with a cursor.
MOST_REMEMBERED: Final = 10_000
#: So many are on their way to one subscriber; then whoever publishes waits for room.
_MOST_WAITING: Final = 10_000
_MOST_DEAD: Final = 10_000
_MOST_CLAIMS: Final = 10_000
#: So long after it was cancelled a feed that goes on is cancelled again.
_AGAIN_S: Final = 0.1


class Broker:
    """The router: a log, who is subscribed to it, streams, positions, dead letters."""

    _named: ClassVar[dict[str, Broker]] = {}

    def __init__(self) -> None:
        self.matcher: Matcher[MemoryFeed] = Matcher()
        self.streams: dict[str, list[Event]] = {}
        self.positions: dict[str, str] = {}
        self.dead: dict[str, DeadLetter] = {}
        self.asking: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        #: Feeds that have more waiting than they should.
        self.crowded: set[MemoryFeed] = set()
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

    def feeds(self) -> list[MemoryFeed]:
        """Return who is subscribed."""
        return self.matcher.keys()

    def since(self, cursor: str) -> list[Delivery]:
        """Return what is remembered behind a place."""
        return [one for one in self._log if one.cursor > cursor]

    def accept(
        self, events: Sequence[Event], claims: Sequence[object]
    ) -> list[Published]:
        """
        Append a commit and hand it out; a second try is answered as the first.

        A second try is one that claims what was claimed before: a key, or an id.
        """
        for claim in claims:
            if claim in self._claims:
                return [
                    Published(one.event_id, deduplicated=True)
                    for one in self._claims[claim]
                ]
        told = [Published(event.id) for event in events]
        for claim in claims:
            self._claim(claim, told)
        for event in events:
            self._hand_out(event)
        return told

    def _claim(self, claim: object, told: list[Published]) -> None:
        self._claims[claim] = told
        if len(self._claims) > _MOST_CLAIMS:
            del self._claims[next(iter(self._claims))]

    def _hand_out(self, event: Event) -> None:
        """Append an event, and put it into the feeds that it is for."""
        # Whoever published it may change it; what is in the log stays as it is.
        kept = own_copy(event)
        self._last = _place(next(self._places))
        self._log.append(Delivery(kept, self._last))
        self.published += 1
        wanted = self.wanted(kept)
        self.delivered += len(wanted)
        for feed in wanted:
            feed.put(Delivery(own_copy(kept), self._last))

    def wanted(self, event: Event) -> list[MemoryFeed]:
        """Return the feeds that an event is for."""
        wanted = self.matcher.match_event(event)
        if event.target is None:
            return wanted
        return [feed for feed in wanted if feed.client_id == event.target]

    def is_crowded(self, event: Event) -> bool:
        """Tell whether a feed that an event is for has no room."""
        if not self.crowded:
            return False
        return any(feed in self.crowded for feed in self.wanted(event))

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
            kept = own_copy(event).copy(version=len(there) + 1, stream_id=stream)
            there.append(kept)
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
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin: with what is missed since its cursor, where it has one."""
        self.begins = self._broker.last
        self._broker.matcher.add(self, self.wish.topics, self.wish.filter)
        if self.wish.cursor is not None:
            for one in self._broker.since(self.wish.cursor):
                if self in self._broker.wanted(one.event):
                    self.put(Delivery(own_copy(one.event), one.cursor))
        # It outlives whoever opens it, and is of no conversation.
        self._task = self._loop.create_task(self._pump(), context=Context())

    def put(self, delivery: Delivery) -> None:
        """Take a delivery, from whichever thread."""
        self._waiting.append(delivery)
        if len(self._waiting) >= _MOST_WAITING:
            self._broker.crowded.add(self)
        if self._filled.is_set():
            return
        if is_running(self._loop):
            self._filled.set()
        else:
            self._fill_from_elsewhere()

    def _fill_from_elsewhere(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:
            # Its loop has ended, and nobody closed it.
            self._leave()

    async def _pump(self) -> None:
        waiting, sink = self._waiting, self._sink
        while True:
            self._filled.clear()
            while waiting:
                await sink(waiting.popleft())
                if self._broker.crowded and len(waiting) < _MOST_WAITING:
                    self._broker.crowded.discard(self)
            await self._filled.wait()

    def _leave(self) -> None:
        if self in self._broker.matcher:
            self._broker.matcher.remove(self)
        self._waiting.clear()
        self._broker.crowded.discard(self)

    async def close(self) -> None:
        """End it."""
        self._leave()
        task, self._task = self._task, None
        if task is None or task is asyncio.current_task():
            return
        while is_running(self._loop) and not task.done():
            # A handler may take a cancellation for something else, and go on.
            task.cancel()
            await asyncio.wait([task], timeout=_AGAIN_S)


def is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether this is called in a loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def own_copy(event: Event) -> Event:
    """Return an event of one's own: whoever changes it changes nobody else's."""
    own = Event.__new__(Event)
    state = own.__dict__
    state.update(event.__dict__)
    for name in ("payload", "headers", "tags", "attributes"):
        value = state[name]
        if value:
            state[name] = _own_value(value)
        elif value is not None:
            state[name] = type(value)()
    return own


def _own_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _own_value(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_own_value(one) for one in value]
    return value


def _place(number: int) -> str:
    return f"{number:020d}"
