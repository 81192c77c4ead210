"""Connections as rows, and the audience: one compiled matcher over all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.live.subscriptions import Subscription
from chalicelib.table import Table
from chalicelib.wire import Placed
from eventyard.core.errors import UnavailableError
from eventyard.core.event import Event
from eventyard.core.matching import Matcher
from eventyard.core.topics import TopicPattern, compile_pattern

_PARTITION: Final = "live"
#: API Gateway ends a connection after two hours; a row that outlives it is rubbish.
_TTL_SECONDS: Final = 3 * 3_600
_ATTEMPTS: Final = 10
#: The item whose number changes whenever a row does.
VERSION_KEY: Final = ("version", "live")


def unnamed(connection_id: str) -> str:
    """Return the client id of a connection that brought none."""
    return f"client_{connection_id}"


@dataclass(frozen=True, slots=True)
class Connection:
    """One live connection: who it is, where it is reached, what it asked for."""

    id: str
    channel: str
    client_id: str
    endpoint: str
    #: The place in the log at which it connected.
    since: str
    connected_at: float
    #: Whether events share frames.
    batch: bool
    #: Topic patterns its scopes allow; None means all.
    allowed: tuple[str, ...] | None
    #: Topic patterns it may publish to; None means all.
    may_publish: tuple[str, ...] | None
    subscriptions: tuple[Subscription, ...] = ()
    #: Where it wants to be resumed from.
    cursor: str | None = None

    @property
    def own_name(self) -> str:
        """Return the name that the client gave itself, or nothing."""
        return "" if self.client_id == unnamed(self.id) else self.client_id

    def with_subscription(self, subscription: Subscription) -> Connection:
        """Return the connection with one more subscription."""
        others = tuple(s for s in self.subscriptions if s.id != subscription.id)
        return replace(self, subscriptions=(*others, subscription))

    def without_subscription(self, subscription_id: str) -> Connection:
        """Return the connection without one subscription."""
        kept = tuple(s for s in self.subscriptions if s.id != subscription_id)
        return replace(self, subscriptions=kept)

    def caught_up(self) -> Connection:
        """Return the connection with nothing left to send of what it missed."""
        ready = tuple(replace(s, behind=None) for s in self.subscriptions)
        return replace(self, subscriptions=ready)

    def behind(self, subscription_id: str) -> str | None:
        """Return the cursor that a subscription still resumes from."""
        for subscription in self.subscriptions:
            if subscription.id == subscription_id:
                return subscription.behind
        return None


@dataclass(slots=True)
class ConnectionStore:
    """Rows in one partition; every change moves the version after it is written."""

    table: Table
    clock: Callable[[], float] = time.time

    def save(self, connection: Connection) -> None:
        """Write a connection; whoever reads the version from now on finds it."""
        self.table.put(_to_item(connection, int(self.clock()) + _TTL_SECONDS))
        self._changed()

    def get(self, connection_id: str) -> Connection | None:
        """Read one connection."""
        item = self.table.get(_PARTITION, connection_id)
        return _from_item(item) if item else None

    def change(
        self, connection_id: str, change: Callable[[Connection], Connection]
    ) -> None:
        """
        Change the subscriptions of a connection, if it is there.

        Messages of one client are answered side by side: whoever finds that another
        was faster begins again. Raises UnavailableError when that does not end.
        """
        for _ in range(_ATTEMPTS):
            item = self.table.get(_PARTITION, connection_id)
            if item is None or self._changes(item, change(_from_item(item))):
                return
        raise UnavailableError("The connection is being changed; try again.")

    def _changes(self, item: Item, changed: Connection) -> bool:
        old, new = item["subscriptions"], _to_text(changed.subscriptions)
        if new == old:
            return True
        if not self.table.set(
            _PARTITION,
            changed.id,
            {"subscriptions": new},
            only_if={"subscriptions": old},
        ):
            return False
        self._changed()
        return True

    def remove(self, connection_id: str) -> bool:
        """Remove a connection; tell whether it was there."""
        removed = self.table.delete(_PARTITION, connection_id)
        if removed:
            self._changed()
        return removed

    def all(self) -> Iterator[Connection]:
        """Yield every connection: one call for each megabyte."""
        yield from map(_from_item, self.table.query(_PARTITION))

    def version(self) -> int:
        """Read the version by itself."""
        return version_in({VERSION_KEY: self.table.get(*VERSION_KEY) or {}})

    def _changed(self) -> None:
        self.table.add(*VERSION_KEY, n=1)


def version_in(found: Mapping[tuple[str, str], Item]) -> int:
    """Take the version out of what a batch read found."""
    return int(found.get(VERSION_KEY, {}).get("n", 0))


def _to_item(connection: Connection, ttl: int) -> Item:
    fields = asdict(connection)
    del fields["id"]
    fields["subscriptions"] = _to_text(connection.subscriptions)
    return {"pk": _PARTITION, "sk": connection.id, "ttl": ttl, **fields}


def _to_text(subscriptions: Iterable[Subscription]) -> str:
    # Filters hold what DynamoDB's types would bend, so they rest as text.
    return json.dumps([subscription.to_dict() for subscription in subscriptions])


def _from_item(item: Item) -> Connection:
    return Connection(
        id=item["sk"],
        channel=item["channel"],
        client_id=item["client_id"],
        endpoint=item["endpoint"],
        since=item["since"],
        connected_at=float(item["connected_at"]),
        batch=item["batch"],
        allowed=_patterns(item.get("allowed")),
        may_publish=_patterns(item.get("may_publish")),
        subscriptions=tuple(
            Subscription(s["id"], tuple(s["topics"]), s["filter"], s.get("behind"))
            for s in json.loads(item["subscriptions"])
        ),
        cursor=item.get("cursor"),
    )


def _patterns(stored: list[str] | None) -> tuple[str, ...] | None:
    return None if stored is None else tuple(stored)


#: For each connection, what it is to be sent: an event, and why.
Plan = dict[str, list[tuple[Placed, str]]]


View = Callable[[Event], Mapping[str, Any]]


@dataclass(slots=True)
class Audience:
    """Every connection as of one version, behind one matcher."""

    version: int
    connections: dict[str, Connection]
    #: What filters look at: a payload that rests elsewhere is fetched for them.
    view: View
    _matcher: Matcher[tuple[str, str]]
    _allowed: dict[str, tuple[TopicPattern, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, version: int, connections: Iterable[Connection], view: View = Event.view
    ) -> Audience:
        """Compile the subscriptions of all connections."""
        rows = {connection.id: connection for connection in connections}
        matcher = Matcher(
            ((row.id, subscription.id), subscription.topics, subscription.filter)
            for row in rows.values()
            for subscription in row.subscriptions
        )
        allowed = {
            row.id: tuple(map(compile_pattern, row.allowed))
            for row in rows.values()
            if row.allowed is not None
        }
        return cls(version, rows, view, matcher, allowed)

    def plan(self, events: Iterable[Placed], only: set[str] | None = None) -> Plan:
        """
        Match events against every connection, or against some.

        What has expired is for nobody any more; it stays in the log.
        """
        plan: Plan = {}
        now = datetime.now(UTC)
        for placed in events:
            if placed.event.is_expired(now):
                continue
            topic, view = placed.event.type, self.view(placed.event)
            for connection_id, subscription_id in self._matcher.match(topic, view):
                if only is not None and connection_id not in only:
                    continue
                if self._sees(connection_id, placed):
                    plan.setdefault(connection_id, []).append((placed, subscription_id))
        return plan

    def _sees(self, connection_id: str, placed: Placed) -> bool:
        connection = self.connections[connection_id]
        target = placed.event.target
        # A dashboard watches the whole traffic; an addressed event is for its
        # addressee alone among those who take part in it.
        if target and connection.channel == "router" and target != connection.client_id:
            return False
        allowed = self._allowed.get(connection_id)
        return allowed is None or any(p.matches(placed.event.type) for p in allowed)
