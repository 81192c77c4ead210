"""What happens on live connections: connect, talk, be sent events, leave."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chalicelib.auth import Gatekeeper, Principal
from chalicelib.aws import Item
from chalicelib.live import frames, jobs, watching
from chalicelib.live.conversation import Conversation
from chalicelib.live.delivery import Delivery
from chalicelib.live.resume import Resumer, check_cursor
from chalicelib.live.store import (
    Audience,
    Connection,
    ConnectionStore,
    Plan,
    unnamed,
    version_in,
)
from chalicelib.live.subscriptions import Subscription, dashboard_subscription
from chalicelib.live.watching import Watching
from chalicelib.telemetry import log_error
from chalicelib.wire import Placed, check_version, cloud, placed_of
from eventyard.core.errors import (
    AuthenticationError,
    EventRouterError,
    InvalidRequestError,
    PermissionDeniedError,
    UnavailableError,
)
from eventyard.core.topics import TopicPattern, compile_pattern, covers
from eventyard.core.wire import loads

#: Each channel with the scope that it needs. Who names none gets the seed's own.
CHANNELS: Final = {
    "pulls": "pulls:read",
    "dashboard": "events:subscribe",
    "router": "events:subscribe",
    jobs.CHANNEL: "jobs:read",
}
SCOPE: Final = "events:subscribe"
PUBLISH: Final = "events:publish"
#: Up to so many connections are posted to where their events were matched; beyond,
#: the work is split over the live queue into pieces of this size.
DIRECT: Final = 100
_GREETING_ATTEMPTS: Final = 10
#: So long after connecting the gateway knows a connection for certain.
_SETTLED_SECONDS: Final = 60
#: How many connections one tick of the sweep asks the gateway about.
ASKED_A_TICK: Final = 200
_CLIENT_ID: Final = re.compile(r"[\w.:@/ -]{1,128}")
_STATUS: Final = {
    AuthenticationError: 401,
    PermissionDeniedError: 403,
    UnavailableError: 503,
}


class Stragglers(Protocol):
    """Remembers what a resume would not find where it looks."""

    def note_late(self, events: Sequence[Placed]) -> None:
        """Note those that are offered long after they were placed."""
        ...

    def note_put_off(self, events: Sequence[Placed]) -> None:
        """Note those that somebody did not take, and may be sent again."""
        ...


@dataclass
class LiveService:
    """The verbs of the WebSocket functions, of routing and of the fan-out."""

    connections: ConnectionStore
    delivery: Delivery
    resumer: Resumer
    conversation: Conversation
    stragglers: Stragglers
    watching: Watching
    gatekeeper: Gatekeeper
    max_clients: int
    _audience: Audience | None = None

    def connect(self, event: Item) -> Item:
        """
        Admit a connection, or refuse it with 400, 401, 403 or 503.

        Nothing can be sent from inside the connect call, so the greeting goes
        through the queue.
        """
        try:
            connection = self._admit(event)
        except EventRouterError as error:
            log_error("a connection was refused", error)
            return {"statusCode": _STATUS.get(type(error), 400), "body": str(error)}
        self.connections.save(connection)
        self.delivery.enqueue(
            {"kind": "greet", "connection": connection.id, "attempt": 0}
        )
        return {"statusCode": 200}

    def _admit(self, event: Item) -> Connection:
        query = event.get("queryStringParameters") or {}
        principal = self.gatekeeper.identify(event.get("headers") or {}, query)
        channel = query.get("channel") or next(iter(CHANNELS))
        principal.require(CHANNELS.get(channel, SCOPE))
        check_version(query.get("v"))
        if channel not in CHANNELS:
            raise InvalidRequestError(
                f"There is no channel {channel}; there are {', '.join(CHANNELS)}."
            )
        context = event["requestContext"]
        cursor = check_cursor(query["cursor"]) if query.get("cursor") else None
        return Connection(
            id=context["connectionId"],
            channel=channel,
            client_id=_client_id(query, context["connectionId"]),
            endpoint=f"https://{context['domainName']}/{context['stage']}",
            since=self.resumer.now(),
            connected_at=self.connections.clock(),
            batch=query.get("frames") == "batch",
            allowed=_allowed(channel, principal),
            may_publish=principal.topics(PUBLISH),
            subscriptions=_wishes(channel, query, cursor),
            cursor=cursor,
        )

    def disconnect(self, connection_id: str) -> None:
        """Forget a connection; one forgotten already is fine."""
        self.connections.remove(connection_id)

    def receive(self, connection_id: str, text: str) -> None:
        """Answer a message of a client."""
        connection = self.connections.get(connection_id)
        if connection is None:
            return
        reply = self.conversation.answer(connection, text)
        if reply is None:
            self.delivery.drop(connection)
        elif reply.resumes:
            self._catch_up(connection, reply.frames)
        else:
            self.delivery.send(connection, reply.frames)

    def _catch_up(self, connection: Connection, frames: Sequence[str]) -> None:
        """Send what was missed; from then on live frames say how far it is."""
        if self.delivery.send_whole(connection, frames):
            self.connections.change(connection.id, Connection.caught_up)

    def offer(
        self, events: Sequence[Placed], found: Mapping[tuple[str, str], Item]
    ) -> bool:
        """
        Send events to every connection that wants them.

        Tells whether all of them took them at once; otherwise some get them later.
        """
        if not events:
            return True
        self.stragglers.note_late(events)
        audience = self._current(version_in(found))
        plan = audience.plan(events)
        if len(plan) <= DIRECT:
            return self._send(audience, plan, events)
        self._spread(events, list(plan))
        return False

    def _send(self, audience: Audience, plan: Plan, events: Sequence[Placed]) -> bool:
        taken = self.delivery.send_plan(audience, plan)
        if not taken:
            self.stragglers.note_put_off(events)
        return taken

    def _spread(self, events: Sequence[Placed], wanted_by: list[str]) -> None:
        for start in range(0, len(wanted_by), DIRECT):
            for placed in events:
                body = {
                    "kind": "offer",
                    "events": [cloud(placed)],
                    "to": wanted_by[start : start + DIRECT],
                }
                self.delivery.enqueue(body)

    def _current(self, version: int) -> Audience:
        if self._audience is None or self._audience.version != version:
            routed = (
                row for row in self.connections.all() if row.channel != watching.CHANNEL
            )
            self._audience = Audience.of(version, routed, self.conversation.view)
        return self._audience

    def fan_out(self, event: Item) -> Item:
        """Do the work of the live queue; returns Lambda's partial batch response."""
        failed = []
        for record in event["Records"]:
            try:
                self._work(loads(record["body"]))
            except Exception as error:  # noqa: BLE001 - one bad record never blocks others
                log_error("live work failed", error, message_id=record["messageId"])
                failed.append({"itemIdentifier": record["messageId"]})
        self.delivery.tally.flush()
        return {"batchItemFailures": failed}

    def _work(self, body: Item) -> None:
        match body["kind"]:
            case "greet":
                self._greet(body["connection"], body["attempt"])
            case "again":
                self.delivery.again(
                    body["connection"], body["messages"], body["attempt"]
                )
            case "offer":
                self._offer_some(placed_of(body["events"]), set(body["to"]))
            case kind:
                raise InvalidRequestError(f"There is no live work {kind!r}.")

    def _offer_some(self, events: Sequence[Placed], to: set[str]) -> None:
        self.stragglers.note_late(events)
        audience = self._current(self.connections.version())
        self._send(audience, audience.plan(events, to), events)

    def _greet(self, connection_id: str, attempt: int) -> None:
        connection = self.connections.get(connection_id)
        if connection is None:
            return
        if self._is_one_too_many():
            self._turn_away(connection)
        elif connection.channel != watching.CHANNEL:
            self._greet_routed(connection, attempt)
        elif not self.watching.greet(connection):
            self._greet_later(connection, attempt)

    def _greet_routed(self, connection: Connection, attempt: int) -> None:
        missed = self._missed(connection)
        recovered = (
            {} if connection.cursor is None else {"recovered": missed is not None}
        )
        hello = frames.hello(connection, recovered)
        if not self._post_hello(connection, hello):
            self._greet_later(connection, attempt)
        elif connection.cursor is not None:
            self._catch_up(connection, missed or [])

    def _post_hello(self, connection: Connection, hello: str) -> bool:
        try:
            return self.delivery.gateway.post(connection.endpoint, connection.id, hello)
        except EventRouterError as error:
            log_error("a greeting was not taken", error, connection=connection.id)
            return False

    def _greet_later(self, connection: Connection, attempt: int) -> None:
        # The connection may not be registered yet; or it is gone already.
        if attempt >= _GREETING_ATTEMPTS:
            self.connections.remove(connection.id)
            return
        body = {"kind": "greet", "connection": connection.id, "attempt": attempt + 1}
        self.delivery.enqueue(body, 1)

    def _missed(self, connection: Connection) -> list[str] | None:
        if connection.cursor is None:
            return []
        return self.conversation.replay(connection, connection.cursor)

    def _is_one_too_many(self) -> bool:
        if not self.max_clients:
            return False
        return sum(1 for _ in self.connections.all()) > self.max_clients

    def _turn_away(self, connection: Connection) -> None:
        text = frames.error("max_clients_reached", limit=self.max_clients)
        self.delivery.gateway.post(connection.endpoint, connection.id, text)
        self.delivery.drop(connection)

    def sweep(self) -> int:
        """Remove connections that are gone without having said so; count them."""
        now = self.connections.clock()
        settled = [
            connection
            for connection in self.connections.all()
            if now - connection.connected_at > _SETTLED_SECONDS
        ]
        # A tick has a minute, so it asks after some of many; whoever is sent anything
        # is found out anyway, and what is never sent anything is gone within hours.
        asked = random.sample(settled, min(len(settled), ASKED_A_TICK))
        gone = [connection for connection in asked if not self._stands(connection)]
        for connection in gone:
            self.connections.remove(connection.id)
        return len(gone)

    def _stands(self, connection: Connection) -> bool:
        try:
            return self.delivery.gateway.is_open(connection.endpoint, connection.id)
        except EventRouterError as error:
            log_error("the gateway was not asked", error, connection=connection.id)
            return True

    def subscriptions(self, allowed: Sequence[str] | None) -> list[Item]:
        """Describe what live connections listen to, within the patterns allowed."""
        wide = [compile_pattern(pattern) for pattern in allowed or ()]
        return [
            {
                "id": wish.id,
                "topics": list(wish.topics),
                "filter": dict(wish.filter),
                "target": {"type": "websocket", "client_id": row.client_id},
                "state": "RUNNING",
            }
            for row in self.connections.all()
            for wish in row.subscriptions
            if allowed is None or all(_within(topic, wide) for topic in wish.topics)
        ]

    def stats(self) -> Item:
        """Count connections, those that are and those that ever were, and frames."""
        rows = list(self.connections.all())
        counted = self.delivery.counted()
        return {
            "active_connections": len(rows),
            "total_messages_sent": counted.get("sent", 0),
            "total_messages_failed": counted.get("failed", 0),
            "total_broadcasts": counted.get("broadcasts", 0),
            "active_subscriptions": sum(len(row.subscriptions) for row in rows),
            "clients": [_describe(row) for row in rows],
        }


def _within(topic: str, wide: Sequence[TopicPattern]) -> bool:
    return any(covers(pattern.text, topic) for pattern in wide)


def _wishes(
    channel: str, query: Mapping[str, Any], cursor: str | None
) -> tuple[Subscription, ...]:
    match channel:
        case "dashboard":
            return (dashboard_subscription(query, cursor),)
        case watching.CHANNEL:
            return (watching.wish_of(query),)
        case jobs.CHANNEL:
            return (jobs.wish_of(query, cursor),)
    return ()


def _allowed(channel: str, principal: Principal) -> tuple[str, ...] | None:
    # Whoever may read jobs is told of them, whatever other events they may see.
    return jobs.TOPICS if channel == jobs.CHANNEL else principal.topics(SCOPE)


def _client_id(query: Mapping[str, Any], connection_id: str) -> str:
    wanted = query.get("client_id") or unnamed(connection_id)
    if not _CLIENT_ID.fullmatch(wanted):
        raise InvalidRequestError(
            "client_id must be 1 to 128 letters, digits, spaces or any of _ . : @ / -"
        )
    return str(wanted)


def _describe(row: Connection) -> Item:
    return {
        "client_id": row.client_id,
        "channel": row.channel,
        "connected_at": frames.moment(row.connected_at),
        "subscriptions": len(row.subscriptions),
    }
