"""Breakers, retries, dead letters and permissions, above and below `on`."""

from __future__ import annotations

import asyncio

import pytest

from eventyard import (
    CircuitOpenError,
    EventRouterClient,
    InvalidRequestError,
    PermissionDeniedError,
    RequestError,
)
from eventyard.core.event import Event
from eventyard.patterns.breaker import Breaker
from eventyard.patterns.handling import handling
from eventyard.patterns.retries import Retrying
from eventyard.transports.base import Caller
from tests.awaiting import Clock, address, awaited, turns, until

ORDERS = ["above", "below"]


def stacked(order, outer, inner):
    """Return a decorator of both, in one order or the other."""
    if order == "above":
        return lambda function: outer(inner(function))
    return lambda function: inner(outer(function))


# Breakers.


@awaited
async def test_a_breaker_opens_after_failures_in_a_row_and_tries_once_after_a_time():
    clock = Clock()
    breaker = Breaker(2, 30.0, ValueError, clock)
    fail = True

    async def act():
        if fail:
            raise ValueError

    protected = breaker.wrap(act)
    fail = False
    await protected()
    fail = True
    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011
            await protected()
    assert breaker.state == "open"
    with pytest.raises(CircuitOpenError) as caught:
        await protected()
    assert caught.value.retry_after_s == 30

    clock.now += 30
    with pytest.raises(ValueError):  # noqa: PT011
        await protected()
    with pytest.raises(CircuitOpenError):
        await protected()
    clock.now += 30
    fail = False
    await protected()
    assert (breaker.state, breaker.failures) == ("closed", 0)


@awaited
async def test_half_open_only_one_call_tries():
    clock, go = Clock(), asyncio.Event()
    breaker = Breaker(1, 1.0, ValueError, clock)

    async def act(value):
        if value == "fail":
            raise ValueError
        await go.wait()

    protected = breaker.wrap(act)
    with pytest.raises(ValueError):  # noqa: PT011
        await protected("fail")
    clock.now += 1
    trying = asyncio.create_task(protected("wait"))
    await turns()
    assert breaker.state == "half_open"
    with pytest.raises(CircuitOpenError):
        await protected("wait")
    trying.cancel()
    await asyncio.wait([trying])
    go.set()
    await protected("wait")
    assert breaker.state == "closed"


@awaited
async def test_a_call_from_before_it_opened_neither_closes_nor_prolongs_it():
    clock, go = Clock(), asyncio.Event()
    breaker = Breaker(1, 10.0, ValueError, clock)

    async def act(value):
        if value != "now":
            await go.wait()
        if value != "well":
            raise ValueError

    protected = breaker.wrap(act)
    slow = [asyncio.create_task(protected(value)) for value in ("well", "badly")]
    await turns()
    with pytest.raises(ValueError):  # noqa: PT011
        await protected("now")
    clock.now += 5
    go.set()
    await asyncio.wait(slow)
    assert breaker.state == "open"
    clock.now += 5
    await protected("well")


@awaited
async def test_other_errors_count_for_nothing_and_a_try_they_end_is_made_again():
    clock = Clock()
    breaker = Breaker(1, 1.0, ValueError, clock)
    errors = [KeyError, ValueError, KeyError]

    async def act():
        if errors:
            raise errors.pop(0)

    protected = breaker.wrap(act)
    for expected in (KeyError, ValueError):
        with pytest.raises(expected):
            await protected()
    clock.now += 1
    with pytest.raises(KeyError):
        await protected()
    await protected()
    assert breaker.state == "closed"


@pytest.mark.parametrize("order", ORDERS)
@awaited
async def test_events_wait_while_the_circuit_is_open(order):
    client = EventRouterClient(url=address())
    tried, got, told = [], [], []
    client.on_error(lambda error, event: told.append(event.payload))
    guard = client.circuit_breaker(failure_threshold=2, recovery_timeout=0.05)

    @stacked(order, client.on("x"), guard)
    async def handle(event):
        tried.append(event.payload)
        if len(tried) <= 2:
            raise ValueError
        got.append(event.payload)

    async with client:
        for number in range(4):
            await client.publish("x", number)
        await until(lambda: len(got) == 2)

    assert (tried, told, got) == ([0, 1, 2, 3], [0, 1], [2, 3])


@awaited
async def test_closing_does_not_wait_for_an_open_circuit_and_durable_events_come_again():
    url = address()
    client = EventRouterClient(url=url)
    told, got = [], []
    client.on_error(lambda error, event: told.append((type(error), event.payload)))
    guard = client.circuit_breaker(failure_threshold=1, recovery_timeout=3_600)

    async def handle(event):
        raise ValueError

    client.on("x", durable="d")(guard(handle))
    async with client:
        await client.publish("x", 0)
        await client.publish("x", 1)
        await until(lambda: told)
        await turns()
    async with EventRouterClient(url=url) as other:
        await other.subscribe("x", handler=got.append, durable="d")
        await until(lambda: got)

    assert told == [(ValueError, 0), (CircuitOpenError, 1)]
    assert got[0].payload == 1


# Retries.


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        ("exponential", [1, 2, 4, 8, 10]),
        ("linear", [1, 2, 3, 4, 5]),
        ("fixed", [1, 1, 1, 1, 1]),
    ],
)
def test_delays_grow_as_one_says(backoff, delays):
    retrying = Retrying(backoff=backoff, longest_delay=10)
    assert [retrying.delay_s(failures) for failures in range(1, 6)] == delays
    assert retrying.delay_s(10_000) <= 10


@pytest.mark.parametrize(
    "options", [{"max_retries": -1}, {"backoff": "never"}, {"delay": -1}]
)
def test_retries_that_make_no_sense_are_refused(options):
    with pytest.raises(InvalidRequestError):
        EventRouterClient(url=address()).error_handler(**options)


@pytest.mark.parametrize(
    "options", [{"failure_threshold": 0}, {"recovery_timeout": -1}]
)
def test_breakers_that_make_no_sense_are_refused(options):
    with pytest.raises(InvalidRequestError):
        EventRouterClient(url=address()).circuit_breaker(**options)


@pytest.mark.parametrize("order", ORDERS)
@awaited
async def test_a_handler_is_tried_again_then_its_event_is_a_dead_letter(order):
    client = EventRouterClient(url=address())
    tried, told = [], []
    guard = client.error_handler(max_retries=3, delay=0)

    @stacked(order, client.on("x"), guard)
    async def handle(event):
        tried.append(event.payload)
        if event.payload == "bad" or len(tried) < 3:
            raise ValueError("no")

    @client.on_error
    def failed(error, event):
        told.append((error.attempts, event.payload))

    async with client:
        await client.publish("x", "good")
        await client.publish("x", "bad")
        await until(lambda: told)
        (letter,) = await client.transport.dead_letters()

    assert tried == ["good"] * 3 + ["bad"] * 4
    assert told == [(4, "bad")]
    assert (letter.event.payload, letter.attempts) == ("bad", 4)
    assert letter.last_error == "ValueError: no"
    assert letter.subscription.startswith(f"{client.client_id}/")
    assert letter.subscription.endswith("handle")


@awaited
async def test_without_a_dead_letter_queue_the_error_is_told_alone():
    client = EventRouterClient(url=address())
    told = []
    client.on_error(lambda error, event: told.append(error))

    @client.on("x")
    @client.error_handler(max_retries=0, dead_letter_queue=False)
    async def handle(event):
        raise ValueError

    async with client:
        await client.publish("x")
        await until(lambda: told)
        assert await client.transport.dead_letters() == []


@awaited
async def test_a_dead_letter_that_is_tried_again_goes_to_the_handler_it_failed_in():
    client = EventRouterClient(url=address())
    got, others, fail = [], [], True

    @client.on("x")
    @client.error_handler(max_retries=0)
    async def handle(event):
        if fail:
            raise ValueError
        got.append(event.payload)

    @client.on("x")
    async def other(event):
        others.append(event.payload)

    async with client:
        await client.publish("x", 1)
        await until(lambda: client.transport._router.dead and others)
        (letter,) = await client.transport.dead_letters()
        fail = False
        assert await client.transport.retry([letter.id]) == 1
        await until(lambda: got)
        await turns()
        assert await client.transport.dead_letters() == []

    assert (got, others) == ([1], [1])


@awaited
async def test_an_open_circuit_costs_no_try():
    breaker = Breaker(1, 0.01, ValueError)
    tried, buried = [], []

    async def act(event):
        tried.append(event)
        raise ValueError

    async def bury(*told):
        buried.append(told)

    guarded = Retrying(max_retries=2, delay=0).wrap(breaker.wrap(act), bury)
    event = Event("x")
    with handling(event), pytest.raises(ValueError):  # noqa: PT011
        await guarded(event)

    assert len(tried) == 3
    assert buried[0][3] == 3


@awaited
async def test_closing_gives_up_what_would_be_tried_much_later():
    client = EventRouterClient(url=address())
    told = []
    client.on_error(lambda error, event: told.append(error.attempts))

    @client.on("x")
    @client.error_handler(max_retries=5, delay=3_600, longest_delay=3_600)
    async def handle(event):
        raise ValueError

    async with client:
        await client.publish("x")
        await turns()
    assert told == [1]
    assert len(client.transport._router.dead) == 1


# Permissions.


@pytest.mark.parametrize("order", ORDERS)
@awaited
async def test_a_handler_is_called_only_for_those_who_may(order):
    client = EventRouterClient(url=address())
    got = []

    @stacked(order, client.on("x"), client.require_permission("admin"))
    async def handle(event):
        got.append(event.payload)

    async with client:
        await client.publish("x", 1)
        await until(lambda: got)
        await as_nobody(client)
        await client.publish("x", 2)
        async with client.subscribe("y") as end:
            await client.publish("y")
            await end.next()
        await turns()
    assert got == [1]


async def as_nobody(client):
    async def nobody():
        return Caller("nobody", frozenset({"read:sensitive.a"}))

    client.transport.whoami = nobody
    await client.reconnect()


@pytest.mark.parametrize("order", ORDERS)
@awaited
async def test_a_rule_of_ones_own_decides_and_a_refusal_is_told(order):
    client = EventRouterClient(url=address())
    told, asked = [], []
    client.on_error(lambda error, event: told.append((type(error), event.type)))

    @stacked(order, client.on("sensitive.*"), client.authorize)
    async def check(event, context):
        asked.append(context.user.id)
        return context.user.has_permission(f"read:{event.type}")

    async with client:
        await as_nobody(client)
        await client.publish("sensitive.a")
        await client.publish("sensitive.b")
        await until(lambda: told)

    assert asked == ["nobody"] * 2
    assert told == [(PermissionDeniedError, "sensitive.b")]


@awaited
async def test_a_responder_that_is_not_allowed_leaves_the_answer_to_others():
    url = address()
    mine, other = EventRouterClient(url=url), EventRouterClient(url=url)

    @mine.respond("who")
    @mine.require_permission("admin")
    def refused(request):
        return {"who": "mine"}

    @mine.authorize
    @mine.respond("sum")
    def sums(request, context):
        return {}

    @other.respond("who")
    async def answers(request):
        return {"who": "other"}

    async with mine, other:
        await as_nobody(mine)
        assert (await other.request("who")).payload == {"who": "other"}
        assert (await other.request("sum")).payload == {}


@pytest.mark.parametrize("order", ORDERS)
@awaited
async def test_a_question_to_an_open_circuit_is_answered_at_once(order):
    client = EventRouterClient(url=address())
    guard = client.circuit_breaker(failure_threshold=1, recovery_timeout=3_600)

    @stacked(order, client.respond("x"), guard)
    async def fails(request):
        raise ValueError("no")

    async with client:
        for kind in ("ValueError", "CircuitOpenError"):
            with pytest.raises(RequestError) as caught:
                await client.request("x")
            assert caught.value.details["type"] == kind
