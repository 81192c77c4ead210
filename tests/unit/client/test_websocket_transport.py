"""The live transport against a server that breaks, floods, forgets and falls silent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from eventyard.core import errors
from eventyard.core.event import Event
from eventyard.settings import settled
from eventyard.transports import _live, _socket
from eventyard.transports._subscribers import Subscribers
from eventyard.transports.base import Commit, Delivery, Wish
from eventyard.transports.websocket import WebSocketTransport
from tests.behaviours import until
from tests.unit.client.platformserver import (
    PlatformServer,
    delivered,
    failure,
    place,
    subscribed,
)

QUICK = {"first_s": 0.01, "longest_s": 0.02}


def running(test: Any) -> Any:
    """Run a test in a loop, with a server and nothing left behind."""

    def run(monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            async with PlatformServer() as server:
                server.patch = monkeypatch
                try:
                    await test(server)
                finally:
                    await asyncio.gather(*(one.close() for one in server.clients))

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


async def connected(server: PlatformServer, **more: Any) -> WebSocketTransport:
    given = {"url": server.url, "reconnect": QUICK, **more}
    made = WebSocketTransport(settled(None, **given), "me")
    server.clients.append(made)
    await made.connect()
    return made


def commit(number: int = 1, **more: Any) -> Commit:
    return Commit((Event("a", {"n": number}),), f"key-{number}", **more)


class Taken(list[Delivery]):
    """A sink that keeps what it is handed, once it may."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, delivery: Delivery) -> None:
        await self.open.wait()
        self.append(delivery)

    @property
    def ids(self) -> list[str]:
        return [one.event.id for one in self]


def subscriptions(server: PlatformServer) -> list[dict[str, Any]]:
    return [said for said in server.said if said["type"] == "subscribe"]


async def listening(server: PlatformServer, count: int) -> str:
    """Wait until it was asked to subscribe so often; return the id of the last."""
    await until(lambda: len(subscriptions(server)) >= count)
    return f"sub_{count}"


@running
async def test_it_says_who_it_is_and_which_version_it_speaks(server):
    await connected(server, auth={"type": "api_key", "key": "ey_1"})
    (request,) = server.asked("/ws/router")
    assert dict(request.query) == {"client_id": "me", "frames": "batch", "v": "1"}
    assert request.headers["Authorization"] == "Bearer ey_1"


@running
async def test_the_live_address_that_a_platform_tells_is_taken(server):
    live = server.url.replace("http", "ws") + "/live"
    server.config = {"live_url": live}
    await connected(server)
    (request,) = server.asked("/live")
    assert request.query["channel"] == "router"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationError),
        (400, errors.InvalidRequestError),
        (503, errors.UnavailableError),
    ],
)
def test_a_connection_that_is_refused_is_told_as_what_it_is(status, kind, monkeypatch):
    @running
    async def refused(server):
        async def react(request: web.Request) -> Any:
            live = request.path == "/ws/router"
            return failure(status, "") if live else None

        server.react = react
        with pytest.raises(kind):
            await connected(server)

    refused(monkeypatch)


@running
async def test_a_token_that_is_refused_is_made_again(server):
    tokens = iter(["old", "new"])
    shown = []

    async def react(request: web.Request) -> Any:
        if request.path != "/ws/router":
            return None
        shown.append(request.headers["Authorization"])
        return failure(401, "") if len(shown) == 1 else None

    server.react = react
    await connected(server, auth={"type": "jwt", "token": lambda: next(tokens)})
    assert shown == ["Bearer old", "Bearer new"]


@running
async def test_who_may_not_listen_publishes_over_http(server):
    async def react(request: web.Request) -> Any:
        return web.Response(status=403) if request.path == "/ws/router" else None

    server.react = react
    server.scopes = ["events:publish"]
    made = await connected(server)
    assert (await made.publish(commit()))[0].event_id == "evt_0"
    assert len(server.asked("/api/v1/events")) == 1
    with pytest.raises(errors.PermissionDeniedError, match="events:subscribe"):
        await made.subscribe(Wish(("a",)), Taken())


@running
async def test_why_a_connection_was_refused_is_asked_over_http(server):
    async def react(request: web.Request) -> Any:
        if request.path == "/ws/router":
            return web.Response(status=403)
        unknown = failure(401, "unauthenticated", "This key is unknown.")
        return unknown if request.path == "/api/v1/me" else None

    server.react = react
    with pytest.raises(errors.AuthenticationError, match="This key is unknown"):
        await connected(server)


@running
async def test_commits_are_pipelined_and_answers_may_come_in_any_order(server):
    held: list[dict[str, Any]] = []

    def answer(said: dict[str, Any]) -> list[dict[str, Any]]:
        if said["type"] != "publish":
            return server.usual(said)
        held.append(said)
        return [t for s in held[::-1] for t in server.usual(s)] if len(held) > 2 else []

    server.answer = answer
    made = await connected(server)
    told = await asyncio.gather(*(made.publish(commit(n)) for n in range(3)))
    assert [[one.event_id for one in each] for each in told] == [["evt_0"]] * 3
    assert [each[0].status for each in told] == ["published"] * 3
    assert [said["key"] for said in held] == ["key-0", "key-1", "key-2"]
    assert "id" not in held[0]["events"][0]


@running
async def test_what_is_large_goes_over_http(server):
    made = await connected(server)
    await made.publish(Commit((Event("a", {"text": "x" * 100_000}),), "big"))
    (request,) = server.asked("/api/v1/events")
    assert request.headers["Idempotency-Key"] == "big"
    assert [said["type"] for said in server.said] == ["ping"]


@running
async def test_what_is_refused_is_the_error_of_that_name(server):
    def answer(said: dict[str, Any]) -> list[dict[str, Any]]:
        told = {"type": "error", "error": "no", "code": "permission_denied"}
        return [{**told, "details": {"topic": "a"}, "ref": said.get("ref")}]

    server.answer = answer
    made = await connected(server)
    with pytest.raises(errors.PermissionDeniedError) as told:
        await made.publish(commit())
    assert told.value.details == {"topic": "a"}


@running
async def test_what_a_connection_took_with_it_is_sent_again_with_its_key(server):
    server.answer = lambda _: []
    made = await connected(server)
    sending = asyncio.create_task(made.publish(commit()))
    await until(lambda: [s for s in server.said if s["type"] == "publish"])
    server.answer = server.usual
    await server.cut()

    (told,) = await sending
    published = [said for said in server.said if said["type"] == "publish"]
    assert told.event_id == "evt_0"
    assert [said["key"] for said in published] == ["key-1", "key-1"]
    assert published[0]["events"] == published[1]["events"]


@running
async def test_a_platform_that_stays_away_is_told_in_time(server):
    made = await connected(server, pool_timeout=0.2)
    refusing = web.Response(status=503)

    async def react(request: web.Request) -> Any:
        return refusing if request.path == "/ws/router" else None

    server.react = react
    await server.cut()
    await until(lambda: not made._socket.is_open)
    with pytest.raises(errors.ConnectionError) as told:
        await made.publish(commit())
    assert told.value.retryable
    assert made.watched.state == "reconnecting"


@running
async def test_tries_to_come_back_may_be_counted(server):
    made = await connected(server, reconnect={**QUICK, "max_attempts": 3})

    async def react(request: web.Request) -> Any:
        return failure(503, "busy") if request.path == "/ws/router" else None

    server.react = react
    await server.cut()
    await until(lambda: not made._socket.is_open)
    with pytest.raises(errors.ConnectionError, match="3 tries"):
        await made.publish(commit())
    assert len(server.asked("/ws/router")) == 4
    assert made.watched.state == "closed"


@running
async def test_a_connection_that_breaks_is_gone_on_from_behind_the_last_delivery(
    server,
):
    taken = Taken()
    made = await connected(server)
    await made.subscribe(Wish(("a",), {"priority": 5}), taken)
    await server.push(delivered("sub_1", 1), delivered("sub_1", 2))
    await until(lambda: len(taken) == 2)
    taken.open.clear()
    await server.push(*(delivered("sub_1", n) for n in (3, 4, 5)))
    await asyncio.sleep(0.05)
    await server.cut()
    await until(lambda: not made._socket.is_open)
    taken.open.set()

    name = await listening(server, 2)
    again = subscriptions(server)[1]
    assert again["cursor"] == place(3)
    assert again["subscription"] == {"topics": ["a"], "filter": {"priority": 5}}
    await server.push(*(delivered(name, n) for n in (4, 5)))
    await until(lambda: len(taken) == 5)
    assert taken.ids == ["e1", "e2", "e3", "e4", "e5"]


@running
async def test_without_a_delivery_it_goes_on_from_where_it_began(server):
    made = await connected(server)
    await made.subscribe(Wish(("a",)), Taken())
    await server.cut()
    await listening(server, 2)
    assert "cursor" not in subscriptions(server)[0]
    assert subscriptions(server)[1]["cursor"] == place(0)


@running
async def test_events_may_be_faster_than_the_answer_that_says_whose_they_are(server):
    def answer(said: dict[str, Any]) -> list[dict[str, Any]]:
        if said["type"] != "subscribe":
            return server.usual(said)
        mine, other = delivered("s", 1), delivered("other", 2)
        return [mine, other, subscribed("s", ref=said["ref"]), delivered("s", 3)]

    server.answer = answer
    taken = Taken()
    made = await connected(server)
    await made.subscribe(Wish(("a",)), taken)
    await until(lambda: len(taken) == 2)
    assert taken.ids == ["e1", "e3"]


@running
async def test_what_was_too_much_to_be_sent_is_read_from_the_log(server):
    pages = {place(0): ([5], place(10)), place(10): ([11, 12], None)}
    refused = iter([True, False, False])

    async def react(request: web.Request) -> Any:
        if request.path != "/api/v1/export":
            return None
        if next(refused):
            return failure(503, "busy")
        numbers, cursor = pages[request.query["cursor"]]
        events = [delivered("", n)["event"] for n in numbers]
        events.append({"id": "theirs", "type": "a", "target": "somebody"})
        return web.json_response({"events": events, "cursor": cursor})

    def answer(said: dict[str, Any]) -> list[dict[str, Any]]:
        if said["type"] != "subscribe":
            return server.usual(said)
        told = subscribed("s", ref=said["ref"], cursor=place(20_000), recovered=False)
        return [told, delivered("s", 20_001)]

    server.react, server.answer = react, answer
    taken = Taken()
    made = await connected(server)
    await made.subscribe(Wish(("a",), cursor=place(10_000)), taken)
    await until(lambda: len(taken) == 4)
    assert taken.ids == ["e5", "e11", "e12", "e20001"]
    query = server.asked("/api/v1/export")[0].query
    assert (query["topics"], query["until"]) == ("a", "9999-01-01T00:00:00Z")
    assert [one.cursor for one in taken] == sorted(one.cursor for one in taken)


@running
async def test_too_much_for_a_handler_stays_in_the_log_and_holds_up_nobody(server):
    server.patch.setattr(_live, "MOST_WAITING", 10)
    slow, quick = Taken(), Taken()
    slow.open.clear()
    made = await connected(server)
    await made.subscribe(Wish(("a",)), slow)
    await made.subscribe(Wish(("a",)), quick)
    for n in range(1, 31):
        await server.push(delivered("sub_1", n), delivered("sub_2", n))
        await until(lambda: len(quick) == n)  # noqa: B023
    assert (await made.publish(commit()))[0].event_id == "evt_0"

    slow.open.set()
    name = await listening(server, 3)
    (last,) = subscriptions(server)[2:]
    assert len(slow) == 11
    assert last["cursor"] == place(11)
    left = [said for said in server.said if said["type"] == "unsubscribe"]
    assert [said["subscription_id"] for said in left] == ["sub_1"]
    await server.push(*(delivered(name, n) for n in range(12, 18)))
    await until(lambda: len(slow) == 17)
    assert slow.ids == [f"e{n}" for n in range(1, 18)]


@running
async def test_a_closed_subscription_is_taken_back_and_hears_nothing_more(server):
    taken = Taken()
    made = await connected(server)
    feed = await made.subscribe(Wish(("a",)), taken)
    await feed.close()
    await server.push(delivered("sub_1", 1))
    await made.publish(commit())
    assert taken == []
    await server.cut()
    await made.publish(commit())
    assert len(subscriptions(server)) == 1


@running
async def test_silence_is_a_connection_that_broke(server):
    server.patch.setattr(_socket.Socket.__init__, "__defaults__", (0.03,))
    server.answer = lambda said: [] if said["type"] == "ping" else server.usual(said)
    made = await connected(server)
    await made.subscribe(Wish(("a",)), Taken())
    await listening(server, 2)
    first = server.said.index(subscriptions(server)[1])
    pings = [said for said in server.said[:first] if said["type"] == "ping"]
    # Two on the first connection; the second one may have sent its own already.
    assert len(pings) in (2, 3)


@running
async def test_signs_of_life_keep_a_connection(server):
    server.patch.setattr(_socket.Socket.__init__, "__defaults__", (0.02,))
    made = await connected(server)
    await until(lambda: len(server.said) > 10)
    assert len(server.asked("/ws/router")) == 1
    assert made._socket.is_open


@running
async def test_what_makes_no_sense_does_not_end_a_connection(server):
    taken = Taken()
    made = await connected(server)
    await made.subscribe(Wish(("a",)), taken)
    broken = delivered("sub_1", 1, event={"type": "no good type"})
    nothing = {"type": "event", "subscription_id": "sub_1"}
    await server.push(nothing, {"type": "event"})
    for text in ("{", "1", '"x"', "[[], 2]", "null", json.dumps(broken)):
        await server.sockets[-1].send_str(text)
    await server.push({"type": "error", "error": "odd"}, {"type": "of_tomorrow"})
    await server.push(delivered("none", 2), delivered("sub_1", 3))
    await until(lambda: len(taken) == 1)
    assert taken.ids == ["e3"]
    assert len(server.sockets) == 1


@running
async def test_a_subscription_that_is_refused_says_so(server):
    def answer(said: dict[str, Any]) -> list[dict[str, Any]]:
        if said["type"] != "subscribe":
            return server.usual(said)
        told = {"type": "error", "error": "no", "code": "invalid_subscription"}
        return [{**told, "ref": said["ref"]}]

    server.answer = answer
    made = await connected(server)
    with pytest.raises(errors.SubscriptionError):
        await made.subscribe(Wish(("a",)), Taken())


@running
async def test_a_connection_that_says_nothing_of_an_answer_is_a_time_out(server):
    server.answer = lambda _: []
    made = await connected(server, pool_timeout=0.05)
    with pytest.raises(errors.EventRouterError) as told:
        await made.publish(commit())
    assert told.value.retryable


class Subscriber:
    def __init__(self) -> None:
        self.got: list[Any] = []
        self.overran = False

    def put(self, told: Any) -> None:
        self.got.append(told)

    def overrun(self) -> None:
        self.overran = True


def test_only_so_many_early_events_are_kept():
    subscribers, subscriber = Subscribers(), Subscriber()
    with subscribers.entering():
        for n in range(Subscribers.MOST_EARLY + 1):
            subscribers.hear(delivered("s", n))
        subscribers.add("s", subscriber)
    assert len(subscriber.got) == Subscribers.MOST_EARLY
    assert subscriber.overran
    subscribers.hear(delivered("t", 1))
    assert subscribers._early == {}
