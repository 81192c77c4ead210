"""A subscription over plain HTTP: the log, asked again and again for what is new."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from eventyard.core import ulid
from eventyard.core.errors import (
    EventRouterError,
    InvalidRequestError,
    SubscriptionError,
)
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.settings import Reconnect
from eventyard.transports._backoff import Backoff
from eventyard.transports._ending import ended
from eventyard.transports.base import Delivery, Feed, Sink, Watched, Wish

_LOGGER: Final = logging.getLogger("eventyard.transports")
#: The platform waits so long for something new. It does not hear that a connection
#: broke, so where they break it is asked to wait less: each wait keeps a function busy.
_LONGEST_WAIT_S: Final = 10
_FIRST_WAIT_S: Final = 1
#: Who is answered at once that there is nothing asks no oftener than this.
_PAUSE_S: Final = 0.2
#: A lower place may become visible so long after a higher one.
OVERLAP_MS: Final = 10_000
_PLACE: Final = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
#: A place of the live channel, what an answer brought, or what was made of that here.
_CURSOR: Final = re.compile(
    rf"({_PLACE})(?:~[0-9]+|\.([0-9]{{8}})\.([\w-]*)|\.([\w-]+))?", re.ASCII
)

#: Asks for what comes behind an id, and how long to wait; returns the answer's text.
Poll = Callable[[Wish, str | None, int], Awaitable[str]]
#: Makes an event whole whose payload did not come with it.
Complete = Callable[[Event], Awaitable[Event]]


@dataclass(slots=True)
class Progress:
    """
    How far a subscription is, as an id of the platform's, and as a text that sorts.

    Ids say what was sent beyond a place, so they do not sort: a number that counts
    what was sent at one place stands before that.
    """

    id: str | None = None
    place: str = ""
    number: int = 0

    @classmethod
    def behind(cls, cursor: str) -> Progress:
        """Go on behind a cursor, of this transport or of the live channel."""
        match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise SubscriptionError(
                f"{cursor!r:.60} is no cursor: give back one that a delivery brought."
            )
        place, number, packed, raw = match.groups()
        if number is not None:
            return cls(_id(place, packed), place, int(number))
        if raw is not None:
            return cls(_id(place, raw), place)
        # Of the live channel: lower places may have become visible after it.
        return cls(earlier(place), place)

    def reach(self, name: str) -> str:
        """Note an id that came with an event; return the cursor."""
        place, _, packed = name.partition(".")
        self.number = self.number + 1 if place == self.place else 0
        self.id, self.place = name, place
        return f"{place}.{self.number:08d}.{packed}"


def _id(place: str, packed: str) -> str:
    return f"{place}.{packed}" if packed else place


def earlier(place: str) -> str:
    """Return a place from which on nothing is missed that came late."""
    return ulid.floor(max(ulid.timestamp_ms(place) - OVERLAP_MS, 0))


def query_of(wish: Wish) -> tuple[tuple[str, str], ...]:
    """Return the query that asks for what is wished."""
    query = [("topics", ",".join(wish.topics))]
    if wish.filter is not None:
        query.append(("filter", dumps(dict(wish.filter))))
    return tuple(query)


def frames_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of server-sent events with their data, which may be nothing."""
    for block in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.split("\n"))
        if "id" in fields:
            yield fields["id"], fields.get("data", "")


class PollingFeed(Feed):
    """Asks, delivers, and asks again from where it is; nothing is kept elsewhere."""

    def __init__(
        self, wish: Wish, sink: Sink, poll: Poll, complete: Complete, client_id: str
    ) -> None:
        self.id = f"sub_{ulid.new_ulid()}"
        self._wish, self._sink = wish, sink
        self._poll, self._complete = poll, complete
        self._client_id = client_id
        self._progress = (
            Progress() if wish.cursor is None else Progress.behind(wish.cursor)
        )
        self._wait_s = _FIRST_WAIT_S
        self._task: asyncio.Task[None] | None = None

    async def open(self, reconnect: Reconnect, watched: Watched) -> None:
        """Begin; what is published from here on is delivered. Raises SubscriptionError."""
        first = await self._poll(self._wish, self._progress.id, 0)
        told = next(iter(frames_of(first)), ("", "nothing"))
        # With data it says where that is, and not what it came behind.
        self.begins = None if told[1] else told[0]
        self._task = asyncio.create_task(self._run(first, reconnect, watched))

    async def _run(self, text: str, reconnect: Reconnect, watched: Watched) -> None:
        try:
            await self._go_on(text, Backoff(reconnect), watched)
        except EventRouterError as error:
            _LOGGER.error("%s ended: %s", self.id, error)  # noqa: TRY400
            watched.change("closed")
        except Exception:
            _LOGGER.exception("%s ended", self.id)
            watched.change("closed")

    async def _go_on(self, text: str, backoff: Backoff, watched: Watched) -> None:
        while True:
            if not await self._deliver(text):
                # A server that does not wait must not be asked without a pause.
                await asyncio.sleep(_PAUSE_S)
            text = await self._next(backoff, watched)

    async def _next(self, backoff: Backoff, watched: Watched) -> str:
        while True:
            try:
                text = await self._poll(self._wish, self._progress.id, self._wait_s)
            except EventRouterError as error:
                if not error.retryable or not await backoff.wait():
                    raise
                self._wait_s = _FIRST_WAIT_S
                watched.change("reconnecting")
            else:
                backoff.reset()
                self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)
                watched.change("connected")
                return text

    async def _deliver(self, text: str) -> bool:
        """Deliver what an answer holds; tell whether that was anything."""
        found = False
        for name, data in frames_of(text):
            if not data:
                self._progress.id = name
                continue
            found = True
            cursor = self._progress.reach(name)
            try:
                event = Event.from_json(data)
            except InvalidRequestError as error:
                # It comes no better a second time, and must not hold up all others.
                _LOGGER.error("an event cannot be read: %s", error)  # noqa: TRY400
                continue
            if event.target in (None, self._client_id):
                await self._sink(Delivery(await self._complete(event), cursor))
        return found

    async def close(self) -> None:
        """End it."""
        task, self._task = self._task, None
        await ended(task)
