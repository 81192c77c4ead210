"""Channels whose messages one capability puts in order, one thing after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chalicelib.live import frames
from chalicelib.live.delivery import Delivery
from chalicelib.live.resume import Resumer
from chalicelib.live.store import Connection, ConnectionStore
from chalicelib.live.subscriptions import Subscription
from chalicelib.telemetry import log_error
from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.filters import Predicate, compile_filter
from eventyard.core.wire import dumps

CHANNEL: Final = "pulls"
#: What its connections are told of.
TOPIC: Final = "eventyard.pull.updated"
#: Whoever reads a list and then listens gets what changed in between: connections
#: that bring no cursor are told what changed in so long before.
BEFORE_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class _Watchers:
    version: int
    connections: tuple[tuple[Connection, Predicate], ...]


@dataclass
class Watching:
    """
    Tells connections what changed, in the order in which it is called.

    Routing never posts here: its batches overtake each other, and whoever watches one
    thing must see its states in their order. `show` is asked to tell one connection
    the newest state of one thing, in its turn.
    """

    connections: ConnectionStore
    delivery: Delivery
    resumer: Resumer
    show: Callable[[Connection, int, Placed], None]
    _watchers: _Watchers = field(default_factory=lambda: _Watchers(-1, ()))

    def tell(self, place: str, text: str) -> int:
        """
        Post a change, the JSON text of an object, to every connection that wants it.

        Returns the version of the connections that it was posted to. One that does
        not take it is closed, so that it comes back with its cursor.
        """
        watchers = self._current()
        view = {"payload": json.loads(text)}
        wanted = [one for one, wants in watchers.connections if wants(view)]
        self.delivery.post_each([(one, _frame(one, place, text)) for one in wanted])
        return watchers.version

    def tell_one(self, connection: Connection, place: str, text: str) -> None:
        """Post the newest state of one thing to one connection."""
        self.delivery.send_whole(connection, [_frame(connection, place, text)])

    def _current(self) -> _Watchers:
        version = self.connections.version()
        if self._watchers.version != version:
            found = tuple(
                (row, compile_filter(row.subscriptions[0].filter))
                for row in self.connections.all()
                # One that was not greeted yet asks for no topics.
                if row.channel == CHANNEL and row.subscriptions[0].topics
            )
            self._watchers = _Watchers(version, found)
        return self._watchers

    def greet(self, connection: Connection) -> bool:
        """
        Post the greeting, then what was missed; False when it was not taken.

        It is told what changes from here on before what it missed is looked up, so
        nothing falls between the two; what is told twice has the same revision.
        """
        start = connection.cursor or _shortly_before(connection.since)
        found = self._missed(connection, start)
        recovered = (
            {} if connection.cursor is None else {"recovered": found is not None}
        )
        cursor = start if found is not None else connection.since
        if not self._post(connection, _hello(connection, cursor, recovered)):
            return False
        ready = self._listening(connection, start)
        if found is not None:
            self._catch_up(ready, start)
        self.connections.change(connection.id, Connection.caught_up)
        return True

    def _post(self, connection: Connection, text: str) -> bool:
        try:
            gateway = self.delivery.gateway
            return gateway.post(connection.endpoint, connection.id, text)
        except EventRouterError as error:
            log_error("a greeting was not taken", error, connection=connection.id)
            return False

    def _listening(self, connection: Connection, start: str) -> Connection:
        (wish,) = connection.subscriptions
        asked = replace(wish, topics=(TOPIC,), behind=start)
        self.connections.change(connection.id, lambda c: c.with_subscription(asked))
        return connection.with_subscription(asked)

    def _missed(self, connection: Connection, start: str) -> list[Placed] | None:
        wants = compile_filter(connection.subscriptions[0].filter)
        return self.resumer.missed(
            start, lambda p: p.event.type == TOPIC and wants(p.event.view())
        )

    def _catch_up(self, connection: Connection, start: str) -> None:
        version = self.connections.version()
        for placed in _newest_of_each(self._missed(connection, start) or []):
            self.show(connection, version, placed)


def wish_of(query: Mapping[str, Any]) -> Subscription:
    """
    Read what a connection wants to watch: one repository, one number of it, or all.

    Raises InvalidRequestError.
    """
    wanted: dict[str, Any] = {}
    if query.get("repository"):
        wanted["payload.repository_name"] = str(query["repository"])
    if number := query.get("number"):
        if not str(number).isdecimal() or len(str(number)) > 10:  # noqa: PLR2004
            raise InvalidRequestError("number must be that of a pull request.")
        wanted["payload.pr_number"] = int(number)
    return Subscription(CHANNEL, (), wanted)


def pong(message: Mapping[str, Any]) -> str:
    """Answer a ping in the manner of the channel."""
    echo = message.get("echo", message.get("timestamp"))
    data = {"timestamp": frames.now(), "echo": echo}
    return dumps({"event": "pong", "data": data})


def _hello(connection: Connection, cursor: str, recovered: Mapping[str, bool]) -> str:
    data = {"client_id": connection.client_id, "cursor": cursor, **recovered}
    return dumps({"event": "hello", "data": data})


def _frame(connection: Connection, place: str, text: str) -> str:
    # While it is behind, a cursor further on would skip what it is still to be sent.
    cursor = connection.behind(CHANNEL) or place
    return f'{{"event":"pr_update","data":{text[:-1]},"cursor":"{cursor}"}}}}'


def _shortly_before(place: str) -> str:
    return ulid.floor(max(ulid.timestamp_ms(place) - BEFORE_MS, 0))


def _newest_of_each(events: list[Placed]) -> Iterator[Placed]:
    latest = {placed.event.attributes.get("group"): placed for placed in events}
    yield from latest.values()
