"""What clients say on their connections, and what they are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.live import frames, jobs, watching
from chalicelib.live.resume import Resumer, check_cursor
from chalicelib.live.store import Audience, Connection, ConnectionStore, View
from chalicelib.live.subscriptions import dashboard_wish, router_subscription
from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.wire import dumps, loads
from eventyard.websocket.wishes import normal

#: Publishes raw events for a connection, with the key that names the call, if any;
#: returns what the publisher is told of each.
PublishFor = Callable[[Connection, list[Any], Any], list[dict[str, Any]]]
#: Answers one type of message: a value, then frames.
Handler = Callable[[Connection, Any], list[Any]]
#: API Gateway takes no larger message; an emulator may.
_MESSAGE_LIMIT: Final = 131_072
_MOST_SUBSCRIPTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Reply:
    """Frames to answer with; `resumes` when they hold what a subscription missed."""

    frames: list[str]
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """Answers one message at a time; the connection's row is all it remembers."""

    connections: ConnectionStore
    resumer: Resumer
    publish: PublishFor
    health: Callable[[], dict[str, Any]]
    #: What filters look at of an event.
    view: View

    def answer(self, connection: Connection, text: str) -> Reply | None:
        """
        Return what to answer; None asks to close the connection.

        A dashboard knows ping and filter, ignores the rest, and is closed for what is no
        JSON; who watches pull requests or jobs may say anything, and is answered
        pings alone; the router tells what was wrong.
        """
        if connection.channel in (watching.CHANNEL, jobs.CHANNEL):
            return Reply(_pongs(text))
        return self._answer(connection, text)

    def _answer(self, connection: Connection, text: str) -> Reply | None:
        if len(text.encode()) > _MESSAGE_LIMIT:
            told = f"A message may have {_MESSAGE_LIMIT} bytes; publish more over HTTP."
            return Reply([frames.error(told, code="payload_too_large")])
        try:
            message = loads(text)
        except InvalidRequestError as error:
            if connection.channel == "dashboard":
                return None
            return Reply([frames.error(f"Invalid JSON: {error}")])
        kind = message.get("type") if isinstance(message, Mapping) else None
        if kind == "ping":
            return Reply([_pong(message)])
        if connection.channel == "dashboard":
            return Reply(self._filter(connection, message) if kind == "filter" else [])
        return self._answer_router(connection, kind, message)

    def _filter(self, connection: Connection, message: Mapping[str, Any]) -> list[str]:
        """Have a dashboard be sent something else from now on."""
        said = {name: value for name, value in message.items() if name != "type"}
        try:
            wish = dashboard_wish(said)
        except EventRouterError as error:
            return [frames.error(str(error), code=error.code)]
        self.connections.change(
            connection.id,
            lambda c: c.with_subscription(replace(wish, behind=c.behind(wish.id))),
        )
        return [
            dumps(
                {
                    "type": "filter.changed",
                    "data": normal(said),
                    "timestamp": frames.now(),
                }
            )
        ]

    def _answer_router(self, connection: Connection, kind: Any, message: Any) -> Reply:
        handler = self.handlers().get(kind) if isinstance(kind, str) else None
        reference = {"ref": message["ref"]} if _has_reference(message) else {}
        if handler is None:
            return Reply([frames.error(f"Unknown message type: {kind}", **reference)])
        try:
            first, *rest = handler(connection, message)
        except EventRouterError as error:
            more = {"code": error.code, "details": error.details, **reference}
            return Reply([frames.error(str(error), **more)])
        return Reply([dumps({**first, **reference}), *rest], "recovered" in first)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each type of message to the router, besides ping."""
        return {
            "publish": self._publish,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "get_health": self._get_health,
        }

    def _publish(self, connection: Connection, message: Any) -> list[Any]:
        events = message.get("events", [message.get("event")])
        if not isinstance(events, list):
            raise InvalidRequestError("events must be a list.")
        completed = [_completed(event, connection) for event in events]
        told = self.publish(connection, completed, message.get("key"))
        results = [{**one, "status": _status(one)} for one in told]
        if "events" in message:
            return [{"type": "published", "events": results}]
        return [{"type": "published", **results[0]}]

    def _subscribe(self, connection: Connection, message: Any) -> list[Any]:
        if len(connection.subscriptions) >= _MOST_SUBSCRIPTIONS:
            raise InvalidRequestError(
                f"A connection has at most {_MOST_SUBSCRIPTIONS} subscriptions."
            )
        name = f"sub_{ulid.new_ulid().lower()}"
        subscription = router_subscription(name, message.get("subscription"))
        cursor = message.get("cursor")
        if cursor is not None:
            check_cursor(cursor)
        # From here on its events come live; what came before is read after, so that
        # nothing falls between the two.
        behind = replace(subscription, behind=cursor)
        self.connections.change(connection.id, lambda c: c.with_subscription(behind))
        answer = {
            "type": "subscribed",
            "subscription_id": subscription.id,
            "topics": list(subscription.topics),
            "cursor": self.resumer.now(),
        }
        if cursor is None:
            return [answer]
        missed = self.replay(replace(connection, subscriptions=(subscription,)), cursor)
        if missed is None:
            return [{**answer, "recovered": False}]
        return [{**answer, "cursor": cursor, "recovered": True}, *missed]

    def replay(self, connection: Connection, cursor: str) -> list[str] | None:
        """Write what the connection missed after the cursor; None: too much."""
        renderer = frames.Renderer(self.resumer.reading())
        alone = Audience.of(0, [connection.caught_up()], self.view)
        missed = self.resumer.missed(cursor, lambda placed: bool(alone.plan([placed])))
        if missed is None:
            return None
        plan = alone.plan(missed).get(connection.id, [])
        ready = alone.connections[connection.id]
        return [text for one in plan for text in renderer.frames(ready, *one)]

    def _unsubscribe(self, connection: Connection, message: Any) -> list[Any]:
        name = message.get("subscription_id")
        if name not in [s.id for s in connection.subscriptions]:
            owned = any(
                s.id == name for c in self.connections.all() for s in c.subscriptions
            )
            raise InvalidRequestError(
                "Subscription not owned by client"
                if owned
                else "Subscription not found"
            )
        self.connections.change(connection.id, lambda c: c.without_subscription(name))
        return [{"type": "unsubscribed", "subscription_id": name}]

    def _get_health(self, _: Connection, __: Any) -> list[Any]:
        return [{"type": "health", "health": self.health()}]


def _status(told: Mapping[str, Any]) -> Any:
    # The name that this channel has for it.
    return "queued" if told["status"] == "published" else told["status"]


def _pong(message: Mapping[str, Any]) -> str:
    echo = message.get("echo", message.get("timestamp"))
    return dumps({"type": "pong", "timestamp": frames.now(), "echo": echo})


def _pongs(text: str) -> list[str]:
    try:
        message = loads(text)
    except InvalidRequestError:
        return []
    asked = isinstance(message, Mapping) and message.get("type") == "ping"
    return [watching.pong(message)] if asked else []


def _has_reference(message: Any) -> bool:
    return isinstance(message, Mapping) and isinstance(message.get("ref"), str | int)


def _completed(event: Any, connection: Connection) -> Any:
    if not isinstance(event, Mapping):
        raise InvalidRequestError("event must be an object.")
    completed = {**event}
    if not completed.get("type") and completed.get("topic"):
        completed["type"] = completed["topic"]
    completed.pop("topic", None)
    completed.setdefault("source", connection.client_id)
    return completed
