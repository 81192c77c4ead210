"""A server's part, played for the browser alone: a live channel, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Request, Route, WebSocketRoute, expect

Json = dict[str, Any]
Query = dict[str, list[str]]


def ago(**span: float) -> str:
    """Return a moment some time ago, as the server writes it."""
    moment = datetime.now(UTC) - timedelta(**span)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def live(page: Page) -> None:
    """Wait until the page is connected."""
    mark = page.locator(".connection")
    expect(mark).to_have_attribute("title", re.compile("^Live"))


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Let the browser go on until something holds at the server."""
    for _ in range(400):
        if holds():
            return
        page.wait_for_timeout(25)
    raise AssertionError("it never held")


class RoutedServer:
    """Answers a page's requests that match, and tells it of changes on one channel."""

    #: Which addresses are answered here, and the name of the channel.
    addresses: re.Pattern[str]
    channel: str

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.connected: list[Query] = []
        #: What is answered instead, by a part of the address: a status.
        self.failing: dict[str, int] = {}
        self.page_size = 100
        self.place = 0
        self.recovers = True
        self._sockets: list[WebSocketRoute] = []
        page.route(self.addresses, self._answer)
        page.route_web_socket(re.compile(rf"/ws/{self.channel}\b"), self._connect)

    @property
    def cursor(self) -> str:
        return f"{self.place:026d}"

    def frame(self, messages: Iterable[Json], *, of_one: bool = False) -> None:
        """
        Send messages in one frame; each has the next cursor in its data.

        `of_one` says that they tell of one event, and so share a cursor.
        """
        told = []
        self.place += of_one
        for one in messages:
            self.place += not of_one
            told.append({**one, "data": {**one["data"], "cursor": self.cursor}})
        for socket in self._sockets:
            socket.send(json.dumps(told))

    def hang_up(self) -> None:
        """Lose every connection."""
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close()

    def _connect(self, socket: WebSocketRoute) -> None:
        query = parse_qs(urlsplit(socket.url).query)
        self.connected.append(query)
        self._sockets.append(socket)
        socket.on_message(lambda text: self._pong(socket, str(text)))
        told: Json = {"client_id": "page-1", "cursor": self.cursor}
        if "cursor" in query:
            told["recovered"] = self.recovers
        socket.send(json.dumps([{"event": "hello", "data": told}]))

    def _pong(self, socket: WebSocketRoute, text: str) -> None:
        if json.loads(text).get("type") == "ping":
            socket.send(json.dumps([{"event": "pong", "data": {}}]))

    def _answer(self, route: Route, request: Request) -> None:
        address = urlsplit(request.url)
        self.asked.append(f"{request.method} {address.path}?{address.query}")
        status = next((s for part, s in self.failing.items() if part in request.url), 0)
        if status:
            error = {"code": "broken", "message": "It is broken.", "details": {}}
            route.fulfill(status=status, json={"error": error})
            return
        self.answer(route, request, address.path, parse_qs(address.query))

    def answer(self, route: Route, request: Request, path: str, query: Query) -> None:
        """Answer one request."""
        raise NotImplementedError

    def pages(self, name: str, rows: list[Json], query: Query) -> Json:
        """Return the page of rows that a query asks for."""
        start = int(query.get("cursor", ["0"])[0])
        end = start + min(self.page_size, int(query.get("limit", ["100"])[0]))
        return {name: rows[start:end], "cursor": str(end) if end < len(rows) else None}
