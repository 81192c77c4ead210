"""The HTTP transport against a server that does what platforms and networks do."""

from __future__ import annotations

import asyncio
import builtins
import json
import socket
from typing import Any

import pytest
from aiohttp import web

from eventyard.core import errors
from eventyard.core.event import Event
from eventyard.settings import settled
from eventyard.transports.base import Commit, Wish
from eventyard.transports.http import HttpTransport
from tests.behaviours import until
from tests.unit.client.platformserver import PlatformServer, failure, place

QUICK = {"first_s": 0.01, "longest_s": 0.02}


def transport(url: str, **more: Any) -> HttpTransport:
    given = {"url": url, "transport": "http", "reconnect": QUICK, **more}
    return HttpTransport(settled(None, **given), "me")


def commit(*events: Event, **more: Any) -> Commit:
    return Commit(events or (Event("a", {"n": 1}),), "key-1", **more)


def running(test: Any) -> Any:
    """Run a test in a loop, with a server and nothing left behind."""

    def run(**given: Any) -> None:
        async def main() -> None:
            async with PlatformServer() as server:
                try:
                    await test(server, **given)
                finally:
                    await asyncio.gather(*(one.close() for one in server.clients))

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


async def connected(server: PlatformServer, **more: Any) -> HttpTransport:
    made = transport(server.url, **more)
    server.clients.append(made)
    await made.connect()
    return made


def first(*answers: web.Response) -> Any:
    """React to calls that are no question for the configuration: one by one."""
    left = list(answers)

    async def react(request: web.Request) -> web.Response | None:
        return left.pop(0) if left and not request.path.endswith("config") else None

    return react


@running
async def test_a_commit_goes_out_with_its_key_and_without_ids(server):
    made = await connected(server, auth={"type": "api_key", "key": "ey_1"})
    event = Event("a", {"n": 1}, ttl=5, attempts=2, last_error="x", own="y")
    await made.publish(commit(event))
    await made.publish(commit(event, own_ids=True))
    await made.close()

    without, with_ids = server.bodies[-2][0], server.bodies[-1][0]
    assert without.keys() == {
        *("type", "payload", "source", "priority", "timestamp"),
        *("ttl", "attributes"),
    }
    assert with_ids["id"] == event.id
    (request, _) = server.asked("/api/v1/events")
    assert request.headers["Idempotency-Key"] == "key-1"
    assert request.headers["Authorization"] == "Bearer ey_1"
    assert request.headers["eventyard-version"] == "1"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_event", errors.ValidationError),
        (400, "invalid_subscription", errors.SubscriptionError),
        (400, "invalid_request", errors.InvalidRequestError),
        (401, "unauthenticated", errors.AuthenticationError),
        (403, "permission_denied", errors.PermissionDeniedError),
        (404, "not_found", errors.NotFoundError),
        (409, "conflict", errors.ConflictError),
        (409, "of_tomorrow", errors.ConflictError),
        (413, "payload_too_large", errors.PayloadTooLargeError),
        (500, "internal", errors.UnavailableError),
        (502, "request_failed", errors.RequestError),
        (503, "busy", errors.UnavailableError),
        (504, "timeout", errors.TimeoutError),
    ],
)
def test_what_is_refused_is_the_error_of_that_name(status, code, kind):
    @running
    async def refused(server):
        made = await connected(server)
        server.react = first(failure(status, code))
        with pytest.raises(kind) as told:
            await made.publish(commit())
        assert type(told.value) is kind
        assert told.value.code == code
        assert "so it is" in told.value.message
        assert told.value.details["field"] == "x"
        assert told.value.retryable is (status in (500, 503, 504))
        await made.close()

    refused()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, errors.UnavailableError),
        (502, errors.UnavailableError),
        (504, errors.TimeoutError),
        (403, errors.PermissionDeniedError),
        (302, None),
    ],
)
@pytest.mark.parametrize("body", ["<html>", '{"message": "x"}', '{"error": 1}', "["])
def test_what_a_gateway_says_is_an_error_as_well(status, kind, body):
    @running
    async def refused(server):
        made = await connected(server)
        server.react = first(web.Response(status=status, text=body))
        with pytest.raises(kind or errors.EventRouterError):
            await made.publish(commit())
        await made.close()

    refused()


@running
async def test_a_server_that_says_when_is_asked_again_then(server):
    made = await connected(server)
    server.react = first(failure(503, "busy", **{"Retry-After": "0"}))
    (told,) = await made.publish(commit())
    assert told.event_id == "evt_0"

    server.react = first(failure(429, "x", **{"Retry-After": "86400"}))
    with pytest.raises(errors.UnavailableError) as late:
        await made.publish(commit())
    assert late.value.details["retry_after_s"] == 86_400
    await made.close()


def test_nobody_there_is_told_with_what_to_do():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def nobody():
        made = transport(f"http://127.0.0.1:{port}")
        with pytest.raises(errors.ConnectionError, match="make run") as told:
            await made.connect()
        assert isinstance(told.value, builtins.ConnectionError)
        assert made.watched.state == "closed"

    asyncio.run(nobody())


@running
async def test_an_answer_that_does_not_come_is_a_time_out(server):
    made = await connected(server, pool_timeout=0.05)

    async def sleep(_: web.Request) -> None:
        await asyncio.sleep(5)

    server.react = sleep
    with pytest.raises(errors.TimeoutError, match=r"within 0\.05 s"):
        await made.publish(commit())
    await made.close()


@running
async def test_only_so_many_calls_are_on_their_way(server):
    made = await connected(server, pool_size=2, pool_timeout=0.3)
    at_once = most = 0

    async def count(_: web.Request) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1

    server.react = count
    await asyncio.gather(*(made.publish(commit()) for _ in range(8)))
    assert most == 2
    await made.close()


@pytest.mark.parametrize("is_async", [True, False])
def test_a_token_is_made_again_once_when_it_is_refused(is_async):
    made_tokens: list[str] = []

    def make() -> Any:
        made_tokens.append(f"t{len(made_tokens)}")
        return asyncio.sleep(0, made_tokens[-1]) if is_async else made_tokens[-1]

    @running
    async def refused(server):
        made = await connected(server, auth={"type": "jwt", "token": make})
        server.react = first(failure(401, "unauthenticated"))
        await made.publish(commit())
        shown = [r.headers["Authorization"] for r in server.asked("/api/v1/events")]
        assert shown == ["Bearer t0", "Bearer t1"]

        server.react = first(*(failure(401, "unauthenticated") for _ in range(2)))
        with pytest.raises(errors.AuthenticationError, match="Give the client a key"):
            await made.publish(commit())
        assert made_tokens == ["t0", "t1", "t2"]
        await made.close()

    refused()


@pytest.mark.parametrize(
    ("auth", "named"),
    [
        ({"type": "password"}, "'password'"),
        ({"key": "x"}, "None"),
        ({"type": "api_key"}, "'key'"),
        ({"type": "jwt", "token": ""}, "'token'"),
        ({"type": "mtls", "cert": "x"}, "'key'"),
    ],
)
def test_credentials_that_make_no_sense_are_told_at_once(auth, named):
    with pytest.raises(errors.InvalidRequestError, match=named):
        transport("http://127.0.0.1:1", auth=auth)


def test_certificates_that_are_none_are_told_when_connecting():
    async def connect():
        auth = {"type": "mtls", "cert": "/none.pem", "key": "/none.key"}
        with pytest.raises(errors.InvalidRequestError, match="PEM"):
            await transport("https://127.0.0.1:1", auth=auth).connect()

    asyncio.run(connect())


@pytest.mark.parametrize(
    "path", ["", "/", "/api/v1/events", "/ws/router", "/?x=1", "/a/b/c/d"]
)
@pytest.mark.parametrize("prefix", ["", "/api", "/stage/api"])
def test_an_address_may_have_a_path(path, prefix):
    async def find():
        async with PlatformServer(prefix) as server:
            made = transport(server.url.replace("http", "ws") + path)
            await made.connect()
            assert made.calls.base == server.url
            await made.close()

    asyncio.run(find())


@running
async def test_another_server_is_no_platform(server):
    server.config = {"some": "thing"}
    with pytest.raises(errors.ConnectionError, match="There is no platform"):
        await transport(server.url + "/api").connect()


@pytest.mark.parametrize(
    ("wire", "outcome"),
    [
        (None, 1),
        ({"lowest": 1, "highest": 1}, 1),
        ({"lowest": 1, "highest": 3}, 1),
        ({"lowest": 2, "highest": 3}, "update the package"),
        ({"lowest": 0, "highest": 0}, "update the platform"),
    ],
)
def test_a_version_is_agreed_on(wire, outcome):
    @running
    async def agree(server):
        server.config = {"live_url": ""} | ({"wire": wire} if wire else {})
        made = transport(server.url)
        if isinstance(outcome, int):
            await made.connect()
            assert made.calls.version == outcome
        else:
            with pytest.raises(errors.InvalidRequestError, match=outcome) as told:
                await made.connect()
            assert told.value.code == "unsupported_version"
        await made.close()

    agree()


@running
async def test_reading_is_tried_again_and_writing_is_left_to_its_key(server):
    made = await connected(server)
    busy = [failure(503, "busy") for _ in range(2)]
    server.react = first(*busy)
    assert await made.stats() == {"events_published": 1}

    server.react = first(*(failure(503, "busy") for _ in range(9)))
    with pytest.raises(errors.UnavailableError):
        await made.stats()
    count = len(server.requests)
    with pytest.raises(errors.UnavailableError):
        await made.publish(commit())
    assert len(server.requests) == count + 1
    await made.close()


@running
async def test_a_sick_platform_tells_of_its_health(server):
    made = await connected(server)
    sick = {"status": "unhealthy", "checks": {"queue": "gone"}}
    server.react = first(web.json_response(sick, status=503))
    assert await made.health() == sick
    server.react = first(failure(503, "busy"))
    with pytest.raises(errors.UnavailableError):
        await made.health()
    await made.close()


def sse(*frames: tuple[str, Any]) -> web.Response:
    text = "retry: 1000\n\n" + "".join(
        f"id: {name}\n" + (f"data: {json.dumps(data)}\n\n" if data else "\n")
        for name, data in frames
    )
    return web.Response(text=text, content_type="text/event-stream")


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"e{number}", "type": "a", "payload": {"n": number}, **more}


class Stream:
    """Server-sent events as a test has them; whatever is asked for is kept."""

    def __init__(self, *answers: web.Response | None) -> None:
        self.answers = list(answers)
        self.asked: list[web.Request] = []

    async def __call__(self, request: web.Request) -> web.Response | None:
        if not request.path.endswith("/stream"):
            return None
        self.asked.append(request)
        if not self.answers:
            await asyncio.sleep(5)
        told = self.answers.pop(0)
        if told is None:
            request.transport.abort()
            return web.Response()
        return told


@running
async def test_a_subscription_goes_on_behind_the_last_id_whatever_breaks(server):
    a, b = place(1), place(2)
    server.react = stream = Stream(
        sse((a, None)),
        None,
        sse((f"{a}.AAAA", event(1)), (f"{a}.BBBB", event(2, target="other"))),
        failure(503, "busy"),
        sse((b, None)),
        sse((f"{b}.AAAA", {"type": "no type"}), (f"{b}.CCCC", event(3, target="me"))),
    )
    got = []

    async def take(delivery: Any) -> None:
        got.append(delivery)

    made = await connected(server)
    states = []
    made.watched.listeners.append(states.append)
    wish = Wish(("a", "b.*"), {"payload.n": {"$gt": 0}})
    feed = await made.subscribe(wish, take)
    await until(lambda: len(stream.asked) == 7)
    await feed.close()
    await made.close()

    assert [one.event.id for one in got] == ["e1", "e3"]
    ids = [request.headers.get("Last-Event-ID") for request in stream.asked]
    assert ids == [None, a, a, f"{a}.BBBB", f"{a}.BBBB", b, f"{b}.CCCC"]
    assert dict(stream.asked[0].query) == {
        "topics": "a,b.*",
        "filter": '{"payload.n":{"$gt":0}}',
        "wait": "0",
    }
    assert [one.cursor for one in got] == sorted(one.cursor for one in got)
    assert "reconnecting" in states
    assert states[-1] == "closed"


@running
async def test_a_subscription_that_is_refused_says_so_at_once(server):
    server.react = Stream(failure(400, "invalid_subscription"))
    made = await connected(server)
    with pytest.raises(errors.SubscriptionError):
        await made.subscribe(Wish(("a",)), None)
    with pytest.raises(errors.SubscriptionError, match="is no cursor"):
        await made.subscribe(Wish(("a",), cursor="yesterday"), None)
    await made.close()


@running
async def test_a_subscription_ends_when_it_may_no_longer_listen(server):
    server.react = Stream(sse((place(1), None)), failure(403, "permission_denied"))
    made = await connected(server)
    await made.subscribe(Wish(("a",)), None)
    await until(lambda: made.watched.state == "closed")
    await made.close()


@running
async def test_reconnecting_may_be_left_off(server):
    server.react = stream = Stream(sse((place(1), None)), failure(503, "busy"))
    made = await connected(server, reconnect={"enabled": False})
    await made.subscribe(Wish(("a",)), None)
    await until(lambda: made.watched.state == "closed")
    assert len(stream.asked) == 2
    await made.close()


@running
async def test_a_payload_that_was_left_behind_is_fetched(server):
    small = event(1, payload=None, dataref="api/v1/events/e1", source="s/1")
    theirs = event(2, payload=None, dataref="https://example.com/x")
    gone = event(3, payload=None, dataref="api/v1/events/e3")
    stream = Stream(
        sse(*((f"{place(1)}.AAA{n}", e) for n, e in enumerate((small, theirs, gone))))
    )
    tries = iter([failure(503, "busy"), web.json_response(event(1, source="s/1"))])

    async def react(request: web.Request) -> Any:
        if request.path.endswith("/e1"):
            assert request.query["source"] == "s/1"
            return next(tries)
        return await stream(request)

    server.react = react
    got = []

    async def take(delivery: Any) -> None:
        got.append(delivery.event)

    made = await connected(server)
    await made.subscribe(Wish(("a",)), take)
    await until(lambda: len(got) == 3)
    assert [one.payload for one in got] == [{"n": 1}, None, None]
    await made.close()


@running
async def test_dead_letters_come_page_by_page_with_their_events(server):
    def letter(number: int, **more: Any) -> dict[str, Any]:
        told = {"id": f"d/{number}", "reason": "x", "tries": 2, "subscription": "c/h"}
        return {**told, "last_attempt_at": "2026-01-01T00:00:00Z", **more}

    pages = {
        None: [[letter(1, event=event(1)), letter(2)], "next"],
        "next": [[letter(3), letter(4), letter(5, event=event(5))], None],
    }
    singles = {"d/2": event(2), "d/3": None}

    async def react(request: web.Request) -> Any:
        name = request.path.removeprefix("/api/v1/dead-letters").strip("/")
        if request.path.endswith("config"):
            return None
        if not name:
            letters, cursor = pages[request.query.get("cursor")]
            return web.json_response({"dead_letters": letters, "cursor": cursor})
        if name not in singles:
            return failure(404, "not_found")
        return web.json_response({**letter(2), "event": singles[name]})

    server.react = react
    made = await connected(server)
    found = await made.dead_letters(3)
    assert [one.event.id for one in found] == ["e1", "e2", "e5"]
    assert found[0].last_error == "x"
    assert [one.event.id for one in await made.dead_letters(1)] == ["e1"]
    assert server.asked("/api/v1/dead-letters")[0].query["limit"] == "3"
