"""Request and response over the log: the first answer counts, for everybody."""

from __future__ import annotations

import pytest

from chalicelib.events.drafts import drafts_of
from chalicelib.table import ThrottledError
from eventyard.core.errors import (
    ConflictError,
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    RequestError,
    TimeoutError,  # noqa: A004
)
from tests.steps import connect, listed, publish, say


class Waiting:
    """Time that passes only while somebody waits; things happen meanwhile."""

    def __init__(self, platform):
        self.now = 0.0
        self.meanwhile = []
        self.pauses = []
        self.platform = platform

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def waiting(platform, clock):
    made = Waiting(platform)
    platform.requests.clock, platform.requests.sleep = made.clock, made.sleep
    return made


def ask(platform, seconds=5.0, **fields):
    event = {"type": "calculator.add", "payload": {"x": 1}, **fields}
    (draft,) = drafts_of([event])
    return platform.requests.request(draft, "asker", seconds)


def send(platform, seconds=25.0, **fields):
    """Publish a request without waiting; returns its event as responders get it."""
    event = {"type": "calculator.add", "payload": {"x": 1}, **fields}
    (draft,) = drafts_of([event])
    key = platform.requests.send(draft, "asker", seconds)
    return platform.events.get(f"evt_{key}")


def asked(platform):
    """The one request that there is."""
    (request,) = [event for event in listed(platform) if event.reply_to]
    return request


def answered(platform):
    """The one answer to it."""
    address = asked(platform).reply_to
    (answer,) = [event for event in listed(platform) if event.type == address]
    return answer


def reply(platform, request, payload=None, by="responder", **more):
    said = {"payload": {"result": 30} if payload is None else payload, **more}
    return platform.requests.reply(request.id, said, by)


def test_the_first_answer_is_what_the_requester_gets(platform, waiting):
    waiting.meanwhile = [lambda: reply(platform, asked(platform))]

    answer = ask(platform)

    assert answer.payload == {"result": 30}


def test_a_request_tells_where_to_answer_and_how_long_it_waits(platform, clock):
    request = send(platform, seconds=7)

    assert request.reply_to == "reply." + request.id.removeprefix("evt_")
    assert request.correlation_id == request.id
    assert (request.ttl, request.expires_at.timestamp()) == (7, clock.now + 7)


def test_a_correlation_id_of_ones_own_is_kept_and_comes_back(platform, waiting):
    waiting.meanwhile = [lambda: reply(platform, asked(platform))]

    answer = ask(platform, correlation_id="workflow-1")

    request = asked(platform)
    assert request.correlation_id == answer.correlation_id == "workflow-1"
    assert answer.causation_id == request.id
    assert answer.type == request.reply_to


def test_a_responder_on_the_socket_answers_by_publishing(
    platform, waiting, pump, gateway
):
    connect(platform, channel="router", client_id="worker")
    say(platform, "c1", {"type": "subscribe", "subscription": {"topics": ["calc*.*"]}})
    say(platform, "c1", {"type": "subscribe", "subscription": {"topics": ["**"]}})

    def respond():
        pump.run()
        (request, *_) = [
            f["event"] for f in gateway.frames("c1") if f["type"] == "event"
        ]
        event = {
            "type": request["attributes"]["reply_to"],
            "correlation_id": request["correlation_id"],
            "payload": {"sum": 3},
        }
        (told,) = say(platform, "c1", {"type": "publish", "event": event})
        assert told["status"] == "queued"

    waiting.meanwhile = [respond]

    answer = ask(platform)

    assert (answer.payload, answer.source) == ({"sum": 3}, "worker")


@pytest.mark.parametrize("first", ["http", "published"])
@pytest.mark.parametrize("second", ["http", "published"])
def test_later_answers_are_refused_whichever_way_they_come(platform, first, second):
    request = send(platform)

    def answer(way, number):
        if way == "http":
            return reply(platform, request, {"n": number}, by=f"r{number}")
        event = {"type": request.reply_to, "payload": {"n": number}}
        return publish(platform, event, by=f"r{number}")[0]

    answer(first, 1)
    with pytest.raises(ConflictError) as raised:
        answer(second, 2)

    assert raised.value.details == {"request_id": request.id}
    assert answered(platform).payload == {"n": 1}


def test_of_two_answers_at_once_one_counts(platform):
    request = send(platform)
    write = platform.table.put_all_new

    def answer_first(items):
        platform.table.put_all_new = write
        reply(platform, request, {"n": 1}, by="quick")
        return write(items)

    platform.table.put_all_new = answer_first
    with pytest.raises(ConflictError):
        reply(platform, request, {"n": 2}, by="slow")

    assert answered(platform).payload == {"n": 1}


def test_an_answer_that_another_one_disturbs_is_tried_again(platform, waiting):
    request = send(platform)
    write = platform.table.put_all_new

    def disturb(items):
        platform.table.put_all_new = write
        raise ThrottledError

    platform.table.put_all_new = disturb

    assert reply(platform, request).deduplicated is False


def test_the_same_answer_sent_again_is_told_the_same(platform):
    request = send(platform)
    first = reply(platform, request)

    again = reply(platform, request)

    assert (again.event_id, again.deduplicated) == (first.event_id, True)
    assert again.timestamp == first.timestamp
    assert len(listed(platform)) == 2


def test_the_responders_error_is_the_requesters(platform, waiting):
    error = {"type": "ValueError", "message": "no such user"}
    waiting.meanwhile = [lambda: reply(platform, asked(platform), error=error)]

    with pytest.raises(RequestError, match="no such user") as raised:
        ask(platform)

    request_id = raised.value.details.pop("request_id")
    assert raised.value.details == error
    assert platform.events.get(request_id).type == "calculator.add"


def test_nobody_answering_is_a_timeout_that_names_the_request(platform, waiting):
    with pytest.raises(TimeoutError) as raised:
        ask(platform, seconds=2)

    assert raised.value.details == {"request_id": asked(platform).id}
    assert waiting.now == pytest.approx(2)
    assert waiting.pauses[0] == 0.05
    assert max(waiting.pauses) == 0.25


def test_after_the_timeout_an_answer_is_refused(platform, waiting):
    """Nobody is told yes for an answer that nobody reads."""
    with pytest.raises(TimeoutError):
        ask(platform, seconds=2)

    with pytest.raises(ConflictError) as raised:
        reply(platform, asked(platform))

    assert raised.value.code == "request_expired"
    assert len(listed(platform)) == 1


def test_an_answer_in_the_last_moment_counts_for_both(platform, waiting):
    put = platform.table.put_new

    def answer_first(item):
        platform.table.put_new = put
        reply(platform, asked(platform), {"late": True})
        return put(item)

    platform.table.put_new = answer_first

    assert ask(platform, seconds=0.1).payload == {"late": True}


def test_when_the_requester_has_died_its_request_ends_all_the_same(platform, clock):
    request = send(platform, seconds=3)
    clock.tick(3.1)

    with pytest.raises(ConflictError) as raised:
        reply(platform, request)

    assert raised.value.code == "request_expired"


def test_a_late_responder_sees_no_request(platform, clock, pump, gateway):
    connect(platform, channel="router")
    say(platform, "c1", {"type": "subscribe", "subscription": {"topics": ["**"]}})
    send(platform, seconds=0.1)
    import time

    expires = asked(platform).expires_at.timestamp()
    while time.time() <= expires:
        time.sleep(0.01)
    pump.run()

    assert [f for f in gateway.frames("c1") if f["type"] == "event"] == []


@pytest.mark.parametrize(
    "request_id", ["evt_01M7XZWQJYDFMFZR88CEXSY7JH", "evt_1", "mine"]
)
def test_an_answer_to_nothing_is_refused(platform, request_id):
    with pytest.raises(NotFoundError):
        platform.requests.reply(request_id, {"payload": {}}, "r")


def test_publishing_to_an_address_that_nobody_has_is_refused(platform):
    with pytest.raises(NotFoundError):
        publish(platform, {"type": "reply.01M7XZWQJYDFMFZR88CEXSY7JH"})

    publish(platform, {"type": "reply.all"}, {"type": "reply.01M7"})
    assert len(listed(platform)) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload": [1]},
        {"payload": "x"},
        {"payload": None},
        {"correlation_id": "another"},
        {"deliver_at": "2030-01-01T00:00:00Z"},
        {"error": "text"},
        {"error": {"type": "x"}},
        {"error": {"type": "x", "message": 1}},
        {"error": {"type": "x", "message": "y", "more": "z"}},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_and_uses_nothing_up(platform, wrong):
    request = send(platform)
    event = {"type": request.reply_to, "payload": {}}

    with pytest.raises(InvalidRequestError):
        publish(platform, {**event, **wrong})

    assert publish(platform, event)[0].deduplicated is False


def test_an_answer_is_a_commit_of_its_own(platform):
    request = send(platform)

    with pytest.raises(InvalidRequestError, match="alone"):
        publish(platform, {"type": request.reply_to}, {"type": "a"})

    assert len(listed(platform)) == 1


@pytest.mark.parametrize(
    "field",
    [
        {"id": "mine"},
        {"ttl": 5},
        {"expires_at": "2030-01-01T00:00:00Z"},
        {"deliver_at": "2030-01-01T00:00:00Z"},
        {"reply_to": "me"},
        {"type": "reply.01M7XZWQJYDFMFZR88CEXSY7JH"},
    ],
)
def test_what_the_platform_gives_a_request_cannot_be_given(platform, field):
    with pytest.raises(InvalidRequestError) as raised:
        ask(platform, **field)

    assert raised.value.details["field"] in {*field, "ttl"}
    assert listed(platform) == []


def test_large_requests_and_answers_are_whole(platform, waiting):
    large = {"text": "x" * 300_000}
    seen = []

    def respond():
        request = asked(platform)
        seen.append(platform.log.whole(request).payload)
        reply(platform, request, large)

    waiting.meanwhile = [respond]

    assert ask(platform, payload=large).payload == large
    assert seen == [large]


def test_a_request_that_is_refused_is_not_published(platform):
    with pytest.raises(EventRouterError):
        ask(platform, headers={"h": "x" * 40_000})

    assert listed(platform) == []


def test_a_request_costs_one_write_and_its_looks(platform, waiting, calls):
    with pytest.raises(TimeoutError):
        ask(platform, seconds=0.1)

    assert calls.made[0] == "TransactWriteItems"
    assert set(calls.made[1:]) == {"GetItem", "PutItem"}
