"""A platform over a live connection: events are pushed, publishing is pipelined."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from eventyard.core.errors import (
    ConnectionError,  # noqa: A004 - its name there
    EventRouterError,
    PermissionDeniedError,
)
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.settings import Settings
from eventyard.transports._backoff import Backoff
from eventyard.transports._calls import Question
from eventyard.transports._faults import fault_of, unreachable
from eventyard.transports._live import LiveFeed
from eventyard.transports._polling import query_of
from eventyard.transports._socket import Socket
from eventyard.transports._subscribers import Said
from eventyard.transports._wire import live_address
from eventyard.transports.base import Caller, Commit, Feed, Published, Sink, Wish
from eventyard.transports.http import HttpTransport, published, sent

_CONNECT_S: Final = 10.0
#: A gateway takes messages of 128 KB; what is larger goes over HTTP.
MOST_BYTES: Final = 100_000
_REFUSALS: Final = (400, 401, 403)
_LISTEN: Final = "events:subscribe"
#: An export without an end leaves out the last seconds; one ends at now at the latest.
_UNTIL: Final = ("until", "9999-01-01T00:00:00Z")


class WebSocketTransport(HttpTransport):
    """
    A client of a platform that keeps one connection open.

    Publishing and subscribing go over it, all else over HTTP. When it breaks it is
    made again: what was on its way is sent again with its key, and each subscription
    goes on behind its last delivery.
    """

    name = "websocket"

    def __init__(self, settings: Settings, client_id: str) -> None:
        super().__init__(settings, client_id)
        self._socket: Socket | None = None
        self._opening = asyncio.Lock()
        self._backoff = Backoff(settings.reconnect)
        self._may_listen = True

    async def connect(self) -> None:
        """Find the platform, and open the connection."""
        await super().connect()
        try:
            await self.socket()
        except PermissionDeniedError:
            # Who may publish and not listen does so over HTTP.
            self._may_listen = False
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End all feeds and connections."""
        await asyncio.gather(*(feed.close() for feed in self._feeds))
        self._feeds.clear()
        if self._socket is not None:
            socket, self._socket = self._socket, None
            await socket.close()
        await super().close()

    async def socket(self) -> Socket:
        """Return a connection that is open; raises ConnectionError and others."""
        async with self._opening:
            if self._socket is None:
                self._socket = await self._open()
            elif not self._socket.is_open:
                self._socket = await self._open_again()
            self.watched.change("connected")
            return self._socket

    async def _open_again(self) -> Socket:
        self.watched.change("reconnecting")
        while await self._backoff.wait():
            try:
                return await self._open()
            except EventRouterError as error:
                if not error.retryable:
                    raise
        self.watched.change("closed")
        raise ConnectionError(
            f"The live connection broke, and {self._backoff.failed} tries to make it "
            "again failed. See `reconnect` for more of them."
        )

    async def _open(self) -> Socket:
        credentials = await self.calls.credentials.headers()
        try:
            return await self._handshake(credentials)
        except EventRouterError as error:
            if error.details.get("status") not in _REFUSALS:
                raise
            self.calls.credentials.renew(credentials)
            fresh = await self._known(error)
        return await self._handshake(fresh)

    async def _known(self, refusal: EventRouterError) -> dict[str, str]:
        """
        Return credentials that are worth another try; raise why there are none.

        Gateways say of a handshake no more than that it was refused; over HTTP the
        platform says whom it knows, and what they may do.
        """
        who = await self.whoami()
        fresh = await self.calls.credentials.headers()
        if not _may_listen(who):
            raise PermissionDeniedError(
                f"Listening needs the scope {_LISTEN}, and this key has "
                f"{', '.join(sorted(who.scopes))}. An administrator can make another.",
                details={"scope": _LISTEN},
            ) from refusal
        if not self.calls.credentials.is_renewable:
            raise refusal
        return fresh

    async def _handshake(self, credentials: Mapping[str, str]) -> Socket:
        import aiohttp

        address, query = live_address(self.calls.base, self.calls.config)
        asked = {"client_id": self.client_id, "frames": "batch"}
        version = {"v": str(self.calls.version)}
        try:
            async with asyncio.timeout(_CONNECT_S):
                socket = await self.calls.session.ws_connect(
                    address,
                    params={**query, **asked, **version},
                    headers=credentials,
                    max_msg_size=0,
                    autoping=True,
                )
        except aiohttp.WSServerHandshakeError as error:
            raise fault_of(error.status, error.message.encode()) from error
        except (aiohttp.ClientError, OSError, builtins.TimeoutError) as error:
            raise unreachable(address, error) from error
        return Socket(socket)

    async def publish(self, commit: Commit) -> list[Published]:
        """Append a commit over the connection, or over HTTP where it is large."""
        events = [sent(event, own_id=commit.own_ids) for event in commit.events]
        message = {"type": "publish", "events": events, "key": commit.key}
        if not self._may_listen or len(dumps(message).encode()) > MOST_BYTES:
            return await super().publish(commit)
        told = await self._ask(message)
        return [published(one) for one in told["events"]]

    async def _ask(self, message: Said) -> Said:
        """Ask on whichever connection stands; what one took with it is asked again."""
        seconds = self.settings.pool_timeout
        try:
            async with asyncio.timeout(seconds):
                while True:
                    socket = await self.socket()
                    try:
                        told = await socket.ask(message, seconds)
                    except ConnectionError:
                        if socket.is_open:
                            raise
                    else:
                        self._backoff.reset()
                        return told
        except builtins.TimeoutError as error:
            raise unreachable(self.calls.base, error) from None

    async def subscribe(self, wish: Wish, sink: Sink) -> Feed:
        """Have events pushed from now on, or from behind a place."""
        feed = LiveFeed(self, wish, sink)
        await feed.open()
        self._feeds.add(feed)
        return feed

    async def enter(self, feed: LiveFeed) -> Said:
        """Subscribe on the connection; from then on its events reach the feed."""
        socket = await self.socket()
        wanted: dict[str, Any] = {"topics": list(feed.wish.topics)}
        if feed.wish.filter is not None:
            wanted["filter"] = dict(feed.wish.filter)
        message: dict[str, Any] = {"type": "subscribe", "subscription": wanted}
        if feed.cursor is not None:
            message["cursor"] = feed.cursor

        def answered(told: Said) -> None:
            socket.subscribers.add(str(told["subscription_id"]), feed)

        with socket.subscribers.entering():
            told = await socket.ask(message, self.settings.pool_timeout, answered)
        self._backoff.reset()
        return told

    async def leave(self, feed: LiveFeed) -> None:
        """Unsubscribe; a connection that broke forgot it already."""
        socket = self._socket
        name = None if socket is None else socket.subscribers.remove(feed)
        if socket is None or name is None or not socket.is_open:
            return
        message = {"type": "unsubscribe", "subscription_id": name}
        try:
            await socket.ask(message, _CONNECT_S)
        except EventRouterError as error:
            if not error.retryable:
                raise

    async def missed(
        self, wish: Wish, place: str
    ) -> AsyncIterator[tuple[list[Event], str]]:
        """Yield pages of what is in the log behind a place, and where each ends."""
        while True:
            query = (*query_of(wish), _UNTIL, ("cursor", place))
            question = Question("GET", "/api/v1/export", query=query)
            page = await self.calls.ask_again(question)
            events = [Event.from_dict(one) for one in page["events"]]
            yield events, page["cursor"] or place
            if page["cursor"] is None:
                return
            place = page["cursor"]


def _may_listen(who: Caller) -> bool:
    # Or to some topics alone.
    return who.has_permission(_LISTEN) or any(
        scope.startswith(f"{_LISTEN}:") for scope in who.scopes
    )
