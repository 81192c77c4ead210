"""A platform over plain HTTP: what every network lets through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from eventyard.core import ulid
from eventyard.core.errors import ConflictError, EventRouterError, NotFoundError
from eventyard.core.event import Event
from eventyard.settings import Settings
from eventyard.transports._backoff import Backoff
from eventyard.transports._calls import Calls, Question
from eventyard.transports._polling import PollingFeed, query_of
from eventyard.transports.base import (
    LONGEST_SUBSCRIPTION,
    Caller,
    Commit,
    DeadLetter,
    Feed,
    Published,
    Sink,
    Transport,
    Wish,
)

#: What the platform writes, and refuses where somebody else does.
_THE_PLATFORMS: Final = ("attempts", "last_error")
#: Where the payload of a large event lies that came without it.
_ELSEWHERE: Final = "api/v1/events/"
_PAGE: Final = 200
_DEAD: Final = "/api/v1/dead-letters"
_LONGEST_ERROR: Final = 4_000


class HttpTransport(Transport):
    """
    A client of a platform.

    Subscriptions ask the log for what is new and wait for it there, which brings each
    event once, in the order of the log, within half a second or so.
    """

    name = "http"

    def __init__(
        self, settings: Settings, client_id: str, calls: Calls | None = None
    ) -> None:
        super().__init__()
        self.client_id = client_id
        self.settings = settings
        self.calls = calls or Calls(settings)
        self._feeds: set[Feed] = set()

    async def connect(self) -> None:
        """Find the platform, and agree on a version with it."""
        self.watched.change("connecting")
        try:
            await self.calls.open()
        except BaseException:
            self.watched.change("closed")
            raise
        self.watched.change("connected")

    async def close(self) -> None:
        """End all feeds and connections."""
        await asyncio.gather(*(feed.close() for feed in self._feeds))
        self._feeds.clear()
        await self.calls.close()
        self.watched.change("closed")

    async def publish(self, commit: Commit) -> list[Published]:
        """Append a commit; with the same key again it is answered as before."""
        told = await self.calls.ask(
            Question(
                "POST",
                "/api/v1/events",
                [sent(event, own_id=commit.own_ids) for event in commit.events],
                headers={"Idempotency-Key": commit.key},
            )
        )
        return [published(one) for one in told["events"]]

    async def subscribe(self, wish: Wish, sink: Sink) -> Feed:
        """Have events delivered from now on, or behind a place."""
        feed = PollingFeed(wish, sink, self._poll, self.completed, self.client_id)
        await feed.open(self.settings.reconnect, self.watched)
        self._feeds.add(feed)
        return feed

    async def _poll(self, wish: Wish, last_id: str | None, wait_s: int) -> str:
        question = Question(
            "GET",
            "/api/v1/events/stream",
            query=(*query_of(wish), ("wait", str(wait_s))),
            headers={"Last-Event-ID": last_id} if last_id else None,
            longer_s=wait_s,
        )
        return (await self.calls.read(question)).decode()

    async def completed(self, event: Event) -> Event:
        """
        Return an event with its payload, which may have been left behind.

        It is waited for as a connection is; what was deleted since comes without.
        """
        dataref = event.dataref or ""
        if event.payload is not None or not dataref.startswith(_ELSEWHERE):
            return event
        query = (("source", event.source),) if event.source else ()
        path = f"/api/v1/events/{quote(event.id, safe='')}"
        backoff = Backoff(self.settings.reconnect)
        while True:
            try:
                told = await self.calls.ask(Question("GET", path, query=query))
                return Event.from_dict(told)
            except NotFoundError:
                return event
            except EventRouterError as error:
                if not error.retryable or not await backoff.wait():
                    raise

    async def request(self, event: Event, timeout_s: float) -> Event:
        """Publish a question; the platform gives it its id, and waits for the answer."""
        body = {**sent(event, own_id=False), "timeout_s": timeout_s}
        question = Question("POST", "/api/v1/requests", body, longer_s=timeout_s)
        # Beside the calls in turn: questions that wait hold up nothing else.
        return Event.from_json(await self.calls.read(question))

    async def reply(self, request: Event, answer: Mapping[str, Any]) -> bool:
        """Answer a question; the first answer counts."""
        path = f"/api/v1/requests/{quote(request.id, safe='')}/reply"
        body = {"source": self.client_id, **answer}
        try:
            await self.calls.ask_again(Question("POST", path, body))
        except (ConflictError, NotFoundError):
            return False
        return True

    async def append(
        self, stream: str, events: Sequence[Event], expected_version: int | None
    ) -> int:
        """Append to a stream; a try that was cut off is found again by its key."""
        body: dict[str, Any] = {"events": [_appended(event) for event in events]}
        if expected_version is not None:
            body["expected_version"] = expected_version
        told = await self.calls.ask_again(
            Question(
                "POST",
                _stream(stream),
                body,
                headers={"Idempotency-Key": f"client-{ulid.new_ulid()}"},
            )
        )
        return int(told["version"])

    async def read(
        self, stream: str, from_version: int, to_version: int | None, limit: int
    ) -> list[Event]:
        """Read a page of a stream; one that is not there has none."""
        query = [("from_version", str(max(from_version, 0))), ("limit", str(limit))]
        if to_version is not None:
            query.append(("to_version", str(to_version)))
        question = Question("GET", _stream(stream), query=tuple(query))
        try:
            told = await self.calls.ask_again(question)
        except NotFoundError:
            return []
        return [Event.from_dict(one) for one in told["events"]]

    async def position(self, name: str) -> str | None:
        """Return a place that was kept."""
        told = await self.calls.ask_again(Question("GET", _position(name)))
        cursor: str | None = told["cursor"]
        return cursor

    async def keep_position(self, name: str, cursor: str) -> None:
        """Keep a place, unless a higher one is kept."""
        question = Question("PUT", _position(name), {"cursor": cursor})
        await self.calls.ask_again(question)

    async def bury(
        self, event: Event, subscription: str, error: str, attempts: int
    ) -> None:
        """Put an event into the dead letters."""
        body = {
            "event_id": event.id,
            "source": event.source,
            "subscription": subscription[:LONGEST_SUBSCRIPTION],
            "error": error[:_LONGEST_ERROR],
            "attempts": attempts,
        }
        await self.calls.ask_again(Question("POST", _DEAD, body))

    async def dead_letters(self, limit: int = 50) -> list[DeadLetter]:
        """Return dead letters, those of the newest events first."""
        found: list[DeadLetter] = []
        most = min(max(limit, 1), _PAGE)
        async for page in self._pages(_DEAD, ("events", "true"), most=most):
            whole = [await self._with_event(one) for one in page["dead_letters"]]
            found += [_letter(one) for one in whole if one["event"]]
            if len(found) >= limit:
                break
        return found[:limit]

    async def _with_event(self, letter: dict[str, Any]) -> dict[str, Any]:
        """Return a letter with its event, which large ones come without; or None."""
        if "event" in letter:
            return letter
        path = f"{_DEAD}/{quote(letter['id'], safe='')}"
        try:
            told: dict[str, Any] = await self.calls.ask_again(Question("GET", path))
        except NotFoundError:  # somebody retried it meanwhile
            return {**letter, "event": None}
        return told

    async def retry(self, ids: Sequence[str]) -> int:
        """Deliver dead letters again."""
        if not ids:
            return 0
        body = {"ids": list(ids)}
        told = await self.calls.ask(Question("POST", f"{_DEAD}/retry", body))
        if told["failed"]:
            raise NotFoundError(told["failed"][0]["reason"], details=dict(told))
        return int(told["retried"])

    async def whoami(self) -> Caller:
        """Return who this client is to the platform."""
        told = await self.calls.ask_again(Question("GET", "/api/v1/me"))
        return Caller(told["id"], frozenset(told["scopes"]))

    async def stats(self) -> dict[str, Any]:
        """Return counts."""
        told: dict[str, Any] = await self.calls.ask_again(
            Question("GET", "/api/v1/stats")
        )
        return told

    async def subscriptions(self) -> list[dict[str, Any]]:
        """Return who is subscribed: clients, webhooks and queues."""
        found = []
        async for page in self._pages("/api/v1/subscriptions"):
            live = page.get("live", ())
            found += [_subscribed(one) for one in (*page["subscriptions"], *live)]
        return found

    async def _pages(
        self, path: str, *query: tuple[str, str], most: int = _PAGE
    ) -> AsyncIterator[Any]:
        cursor: str | None = ""
        while cursor is not None:
            here = (("cursor", cursor),) if cursor else ()
            asked = (("limit", str(most)), *query, *here)
            page = await self.calls.ask_again(Question("GET", path, query=asked))
            yield page
            cursor = page["cursor"]

    async def health(self) -> dict[str, Any]:
        """Return how the platform does; one that does not do well answers as well."""
        return await self.calls.ask_whatever(Question("GET", "/health"))


def sent(event: Event, *, own_id: bool) -> dict[str, Any]:
    """Return an event as it is published."""
    wire = event.to_dict()
    for name in _THE_PLATFORMS if own_id else (*_THE_PLATFORMS, "id"):
        wire.pop(name, None)
    if event.ttl is not None:
        # It follows from the other, and requests have neither.
        wire.pop("expires_at", None)
    return wire


def _appended(event: Event) -> dict[str, Any]:
    wire = sent(event, own_id=False)
    wire.pop("version", None)
    return wire


def published(told: Mapping[str, Any]) -> Published:
    """Return what is told of an event, over HTTP or live."""
    status = "published" if told["status"] == "queued" else told["status"]
    return Published(
        told["event_id"],
        status,
        deduplicated=bool(told.get("deduplicated")),
        warnings=told.get("warnings", ()),
    )


def _letter(told: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(
        told["id"],
        Event.from_dict(told["event"]),
        str(told["reason"]),
        told["tries"],
        told["subscription"],
        str(told["last_attempt_at"]),
    )


def _subscribed(told: Mapping[str, Any]) -> dict[str, Any]:
    return {**told, "client_id": told["target"].get("client_id") or told.get("name")}


def _stream(name: str) -> str:
    return f"/api/v1/streams/{quote(name, safe='')}/events"


def _position(name: str) -> str:
    return f"/api/v1/positions/{quote(name, safe='')}"
