"""What tests do again and again, in one line each."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from chalicelib.events.drafts import drafts_of
from tests import github


def publish(platform: Any, *events: dict[str, Any], **more: Any) -> list[Any]:
    """Publish events as one commit; returns what the publisher is told of each."""
    return platform.events.publish(drafts_of(events), **{"by": "tester", **more})


def ids(told: list[Any]) -> list[str]:
    return [one.event_id for one in told]


def listed(platform: Any, **wish: Any) -> list[Any]:
    """The newest events first; by default all that there are."""
    every = {"since_ms": 0, "until_ms": None, "limit": 500, "cursor": None}
    wanted = wish.pop("wanted", lambda _: True)
    return platform.events.page(wanted, **{**every, **wish}).events


def connect(platform: Any, connection_id: str = "c1", **query: str) -> dict[str, Any]:
    """Open a live connection, to a dashboard unless told, as API Gateway announces it."""
    return platform.live.connect(
        {
            "requestContext": {
                "connectionId": connection_id,
                "domainName": "x.test",
                "stage": "api",
            },
            "queryStringParameters": {"channel": "dashboard", **query},
        }
    )


def greeted(pump: Any, connection_id: str = "c1", **query: str) -> list[Any]:
    """Open a live connection and read its greeting, and what came with it."""
    connect(pump.platform, connection_id, **query)
    pump.run()
    return pump.platform.gateway.frames(connection_id)


def say(platform: Any, connection_id: str, message: Any) -> list[Any]:
    """Let a client send a message; returns the frames that it is answered with."""
    before = len(platform.gateway.frames(connection_id))
    text = message if isinstance(message, str) else json.dumps(message)
    platform.live.receive(connection_id, text)
    return platform.gateway.frames(connection_id)[before:]


def deliver(http: Any, *samples: Any) -> list[str]:
    """Send deliveries of GitHub, by name or made; returns their places in the log."""
    places = []
    for one in samples:
        sample = github.load(one) if isinstance(one, str) else one
        answer = http.post("/webhook", sample.raw, **sample.headers)
        assert answer.status == 202, answer.text
        places.append(answer.json()["eventId"].removeprefix("evt_"))
    return places


def bearer(http: Any, *scopes: str, name: str = "caller") -> str:
    """Make a key of these scopes, send it from now on, and return its secret."""
    from chalicelib.bootstrap import platform

    secret, _ = platform().keys.create(name, scopes)
    http.headers["Authorization"] = f"Bearer {secret}"
    return secret


def without_delay(platform: Any) -> list[int]:
    """Let what is put off come at once; returns the delays as they were asked for."""
    delays: list[int] = []
    enqueue = platform._delivery.enqueue

    def at_once(body: Any, delay_seconds: int = 0) -> None:
        delays.append(delay_seconds)
        enqueue(body)

    platform._delivery.enqueue = at_once
    return delays


class Crash(Exception):  # noqa: N818 - what it plays is no error
    """The process died here."""


def crash_before_append(platform: Any) -> None:
    """Let the next publish die between its claims and its commit."""

    def die() -> None:
        raise Crash

    meanwhile(platform, die)


def meanwhile(platform: Any, act: Callable[[], Any]) -> None:
    """Let something happen just before the next commit is written."""
    append = platform.log.append

    def act_first(*args: Any) -> bool:
        platform.log.append = append
        act()
        return append(*args)

    platform.log.append = act_first


def dying(monkeypatch: Any, owner: type, verb: str, nth: int, *, noted: bool) -> None:
    """Let the process die at the nth call of a method: after it, or instead of it."""
    real, calls = getattr(owner, verb), []

    def die(self: Any, *args: Any, **named: Any) -> Any:
        calls.append(args)
        if len(calls) != nth:
            return real(self, *args, **named)
        if noted:
            real(self, *args, **named)
        raise SystemExit

    monkeypatch.setattr(owner, verb, die)


def one_update_at_a_time(platform: Any) -> None:
    """Let moto update items as DynamoDB does: of two at once, one after the other."""
    alone = threading.Lock()
    update = platform.aws.dynamodb.update_item

    def update_alone(**asked: Any) -> Any:
        with alone:
            return update(**asked)

    platform.aws.dynamodb.update_item = update_alone


def subscribe(platform: Any, url: str, topics: Any = "**", **wish: Any) -> Any:
    """Subscribe a webhook; returns the subscription."""
    from chalicelib.auth import ANYBODY

    target = {"type": "webhook", "url": url}
    for name in ("secret", "headers"):
        if name in wish:
            target[name] = wish.pop(name)
    every = {"topics": topics, "target": target, **wish}
    made, _ = platform.subscribed.service.create(every, ANYBODY)
    return made


def row_of(platform: Any, event_id: str, subscription: Any) -> Any:
    """What became of an event for a subscription."""
    place = platform.events.locate(event_id).place
    rows = platform.subscribed.rows.of_event(place)
    return next((row for row in rows if row.subscription == subscription.id), None)


def counters(platform: Any, subscription: Any) -> dict[str, int]:
    return platform.subscribed.store.counters([subscription])[subscription.id]


def due(platform: Any, pump: Any) -> int:
    """Let the sweep do what is due; returns how many rows of the agenda were."""
    done = platform.agenda.tick()
    pump.run()
    return done
