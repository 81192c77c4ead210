"""What a client does over every transport: one suite, run wherever there is a router."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from eventyard.client import EventRouterClient
from eventyard.core.errors import (
    ConflictError,
    NotFoundError,
    RequestError,
    SubscriptionError,
    TimeoutError,  # noqa: A004
)
from eventyard.core.event import Event
from eventyard.events import EventBus
from eventyard.transports.base import Commit, Delivery, Wish

_SECONDS = 30.0


@dataclass
class Place:
    """A router, and names there that no other test has."""

    settings: dict[str, Any]
    mark: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}")

    def client(self, name: str = "", **more: Any) -> EventRouterClient:
        named = {"client_id": f"{self.mark}-{name}"} if name else {}
        return EventRouterClient(**{**self.settings, **named, **more})

    def topic(self, name: str) -> str:
        return f"{self.mark}.{name}"


Behaviour = Callable[[Place], Awaitable[None]]
BEHAVIOURS: list[Behaviour] = []


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS.append(function)
    return function


every_behaviour = pytest.mark.parametrize(
    "does", BEHAVIOURS, ids=lambda function: function.__name__
)


async def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """Return the condition's first true value."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _SECONDS
    while loop.time() < give_up:
        if value := condition():
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {_SECONDS} s")


class Heard(list[Event]):
    """A handler that keeps what it is called with."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def __bool__(self) -> bool:
        # A handler is one although it has heard nothing yet.
        return True

    @property
    def numbers(self) -> list[int]:
        return [event.payload["n"] for event in self]

    async def come_to(self, count: int) -> None:
        await until(lambda: len(self) >= count, f"hearing {count}, not {len(self)},")


@behaviour
async def an_event_arrives_as_it_was_published(at: Place) -> None:
    heard = Heard()
    async with at.client("p") as client:
        client.on(at.topic("a"))(heard)
        await client.connect()
        name = await client.publish(
            at.topic("a"),
            {"n": 1, "text": "ü✓"},
            priority=8,
            correlation_id="c",
            headers={"k": "v"},
            tags=["t"],
            own="x",
        )
        await heard.come_to(1)
    (event,) = heard
    assert event.id == name
    assert (event.type, event.payload) == (at.topic("a"), {"n": 1, "text": "ü✓"})
    assert (event.source, event.priority) == (client.client_id, 8)
    assert (event.correlation_id, event.headers) == ("c", {"k": "v"})
    assert (event.tags, event.own) == (["t"], "x")


@behaviour
async def an_id_of_ones_own_stays_and_counts_once(at: Place) -> None:
    heard = Heard()
    event = Event(at.topic("a"), {"n": 1}, id=f"order-{at.mark}", source=at.mark)
    async with at.client() as client:
        client.on(at.topic("*"))(heard)
        await client.connect()
        assert await client.publish(event) == event.id
        assert await client.publish(event.copy()) == event.id
        await client.publish(at.topic("end"), {"n": 2})
        await until(lambda: 2 in heard.numbers)
    assert sorted(heard.numbers) == [1, 2]


@behaviour
async def a_commit_sent_again_with_its_key_is_told_as_before(at: Place) -> None:
    events = tuple(Event(at.topic("a"), {"n": n}) for n in range(3))
    commit = Commit(events, f"key-{at.mark}")
    async with at.client("p") as client:
        first = await client.transport.publish(commit)
        again = await client.transport.publish(commit)
    assert [one.event_id for one in first] == [one.event_id for one in again]
    assert [one.deduplicated for one in again] == [True, True, True]
    assert not any(one.deduplicated for one in first)


@behaviour
async def a_batch_is_answered_in_its_order(at: Place) -> None:
    heard = Heard()
    async with at.client() as client:
        client.on(at.topic("**"))(heard)
        await client.connect()
        batch = [(at.topic(f"a{n % 3}"), {"n": n}) for n in range(250)]
        told = await client.publish_batch(batch)
        await heard.come_to(250)
    ids = {event.id: event.payload["n"] for event in heard}
    assert [ids[one.event_id] for one in told] == list(range(250))
    assert len(heard) == 250


@behaviour
async def a_transaction_is_all_or_nothing(at: Place) -> None:
    heard = Heard()
    async with at.client() as client:
        client.on(at.topic("**"))(heard)
        await client.connect()
        with pytest.raises(ZeroDivisionError):
            await fails_in_a_transaction(client, at.topic("never"))
        async with client.transaction() as tx:
            await tx.publish(at.topic("a"), {"n": 2})
            await tx.publish(at.topic("b"), {"n": 3})
        await heard.come_to(2)
    assert sorted(heard.numbers) == [2, 3]


async def fails_in_a_transaction(client: EventRouterClient, topic: str) -> None:
    async with client.transaction() as tx:
        await tx.publish(topic, {"n": 1})
        raise ZeroDivisionError


@behaviour
async def what_nobody_waits_for_arrives_before_the_client_is_closed(at: Place) -> None:
    heard = Heard()
    async with at.client() as listener:
        listener.on(at.topic("a"))(heard)
        await listener.connect()
        async with at.client() as client:
            for n in range(120):
                client.publish_nowait(at.topic("a"), {"n": n})
        await heard.come_to(120)
    assert sorted(heard.numbers) == list(range(120))


@behaviour
async def patterns_choose_what_arrives(at: Place) -> None:
    exact, one, any_number, several = Heard(), Heard(), Heard(), Heard()
    async with at.client() as client:
        client.on(at.topic("user.created"))(exact)
        client.on(at.topic("user.*"))(one)
        client.on(at.topic("**"))(any_number)
        client.on(at.topic("user.created"), at.topic("order.paid"))(several)
        await client.connect()
        topics = ("user.created", "user.created.v2", "order.paid", "end")
        for n, name in enumerate(topics):
            await client.publish(at.topic(name), {"n": n})
        await any_number.come_to(4)
        await several.come_to(2)
        await exact.come_to(1)
        await one.come_to(1)
    assert sorted(any_number.numbers) == [0, 1, 2, 3]
    assert (exact.numbers, one.numbers) == ([0], [0])
    assert sorted(several.numbers) == [0, 2]


@behaviour
async def filters_choose_what_arrives(at: Place) -> None:
    either, at_least, end = Heard(), Heard(), Heard()
    choice = {"$or": [{"payload.n": 1}, {"payload.kind": {"$regex": "^x"}}]}
    async with at.client() as client:
        client.on(at.topic("a"), filter=choice)(either)
        client.on(at.topic("a"), filter={"priority": {"$gte": 7}})(at_least)
        client.on(at.topic("a"), filter={"payload.n": 9})(end)
        await client.connect()
        await client.publish(at.topic("a"), {"n": 1})
        await client.publish(at.topic("a"), {"n": 2, "kind": "xy"}, priority=9)
        await client.publish(at.topic("a"), {"n": 3, "kind": "yx"}, priority=6)
        await client.publish(at.topic("a"), {"n": 9})
        await end.come_to(1)
        await either.come_to(2)
        await at_least.come_to(1)
    assert (sorted(either.numbers), at_least.numbers) == ([1, 2], [2])


@behaviour
async def what_is_no_pattern_or_filter_is_refused(at: Place) -> None:
    async with at.client() as client:
        for topics, conditions in (
            (["a..b"], None),
            ([at.topic("a")], {"payload.n": {"$nope": 1}}),
        ):
            with pytest.raises((SubscriptionError, ValueError)):
                await client.subscribe(topics, Heard(), filter=conditions)


@behaviour
async def an_event_for_one_client_reaches_no_other(at: Place) -> None:
    mine, others = Heard(), Heard()
    async with at.client("me") as client, at.client("other") as other:
        client.on(at.topic("*"))(mine)
        other.on(at.topic("*"))(others)
        await client.connect()
        await other.connect()
        await client.publish(at.topic("a"), {"n": 1}, target=client.client_id)
        await client.publish(at.topic("b"), {"n": 2})
        await mine.come_to(2)
        await others.come_to(1)
    assert sorted(mine.numbers) == [1, 2]
    assert others.numbers == [2]


@behaviour
async def a_large_payload_arrives_whole(at: Place) -> None:
    heard = Heard()
    text = "é" * 150_000
    async with at.client() as client:
        client.on(at.topic("a"))(heard)
        await client.connect()
        await client.publish(at.topic("a"), {"text": text})
        await heard.come_to(1)
    assert heard[0].payload == {"text": text}


@behaviour
async def a_subscription_goes_on_behind_its_cursor(at: Place) -> None:
    got: list[Delivery] = []

    async def take(delivery: Delivery) -> None:
        got.append(delivery)

    async with at.client() as client:
        feed = await client.transport.subscribe(Wish((at.topic("a"),)), take)
        for n in range(3):
            await client.publish(at.topic("a"), {"n": n})
        await until(lambda: len(got) >= 3)
        await feed.close()
        before = {one.event.id for one in got}
        cursor = max(one.cursor for one in got)
        for n in range(3, 8):
            await client.publish(at.topic("a"), {"n": n})
        got.clear()
        wish = Wish((at.topic("a"),), cursor=cursor)
        feed = await client.transport.subscribe(wish, take)
        await client.publish(at.topic("a"), {"n": 8})
        await until(lambda: {one.event.payload["n"] for one in got} >= set(range(3, 9)))
        await feed.close()
    new = [one.event.payload["n"] for one in got if one.event.id not in before]
    assert sorted(set(new)) == list(range(3, 9))
    assert all(one.cursor >= cursor for one in got if one.event.id not in before)


@behaviour
async def a_closed_subscription_hears_nothing_more(at: Place) -> None:
    gone, kept = Heard(), Heard()
    async with at.client() as client:
        subscription = await client.subscribe(at.topic("a"), gone)
        await client.subscribe(at.topic("a"), kept)
        await client.publish(at.topic("a"), {"n": 1})
        await gone.come_to(1)
        await subscription.unsubscribe()
        await client.publish(at.topic("a"), {"n": 2})
        await kept.come_to(2)
    assert gone.numbers == [1]


@behaviour
async def a_durable_subscription_that_has_had_nothing_yet_misses_nothing(
    at: Place,
) -> None:
    name, heard = f"new-{at.mark}", Heard()
    async with at.client() as client:
        client.on(at.topic("a"), durable=name)(Heard())
        await client.connect()
    async with at.client() as client:
        await client.publish(at.topic("a"), {"n": 1})
        client.on(at.topic("a"), durable=name)(heard)
        await client.connect()
        await heard.come_to(1)
    assert heard.numbers == [1]


@behaviour
async def a_durable_subscription_misses_nothing_while_it_is_away(at: Place) -> None:
    first, second = Heard(), Heard()
    name = f"durable-{at.mark}"
    async with at.client() as client:
        client.on(at.topic("a"), durable=name)(first)
        await client.connect()
        for n in range(3):
            await client.publish(at.topic("a"), {"n": n})
        await first.come_to(3)
    async with at.client() as publisher:
        for n in range(3, 6):
            await publisher.publish(at.topic("a"), {"n": n})
        async with at.client() as client:
            client.on(at.topic("a"), durable=name)(second)
            await client.connect()
            await publisher.publish(at.topic("a"), {"n": 6})
            await until(lambda: set(second.numbers) >= {3, 4, 5, 6})
    assert sorted(first.numbers) == [0, 1, 2]
    # What was handled may come once more, and each once.
    assert len(second.numbers) == len(set(second.numbers))


@behaviour
async def a_kept_position_only_moves_on(at: Place) -> None:
    name = f"position-{at.mark}"
    async with at.client() as client:
        assert await client.transport.position(name) is None
        await client.transport.keep_position(name, "b")
        await client.transport.keep_position(name, "a")
        assert await client.transport.position(name) == "b"


@behaviour
async def a_question_is_answered(at: Place) -> None:
    async with at.client() as responder, at.client() as client:

        @responder.respond(at.topic("sum"))
        def answer(event: Event) -> dict[str, Any]:
            return {"sum": sum(event.payload["of"])}

        await responder.connect()
        told = await client.request(at.topic("sum"), {"of": [1, 2]}, timeout=10)
    assert told.payload == {"sum": 3}


@behaviour
async def a_responder_that_fails_is_told_as_that(at: Place) -> None:
    async with at.client() as responder, at.client() as client:
        responder.on_error(lambda *_: None)

        @responder.respond(at.topic("sum"))
        def answer(_: Event) -> dict[str, Any]:
            raise LookupError("no such number")

        await responder.connect()
        with pytest.raises(RequestError, match="no such number") as told:
            await client.request(at.topic("sum"), {}, timeout=10)
    assert told.value.details["type"] == "LookupError"


@behaviour
async def a_question_that_nobody_answers_times_out(at: Place) -> None:
    async with at.client() as client:
        with pytest.raises(TimeoutError):
            await client.request(at.topic("nobody"), {}, timeout=0.3)


@behaviour
async def a_stream_has_versions_and_refuses_a_stale_append(at: Place) -> None:
    appended = Heard()
    async with at.client() as client:
        stream = client.event_stream(f"stream-{at.mark}")
        stream.on_append(appended)
        await client.connect()
        assert await stream.read() == []
        assert await stream.append(at.topic("opened"), {"n": 1}) == 1
        assert await stream.append(at.topic("paid"), {"n": 2}, expected_version=1) == 2
        with pytest.raises(ConflictError):
            await stream.append(at.topic("late"), {"n": 3}, expected_version=1)
        events = await stream.read()
        later = await stream.read(from_version=2)
        await appended.come_to(2)
    assert [(one.version, one.payload["n"]) for one in events] == [(1, 1), (2, 2)]
    assert [one.version for one in later] == [2]
    assert sorted(appended.numbers) == [1, 2]


@behaviour
async def what_a_handler_gives_up_is_a_dead_letter_and_can_be_retried(
    at: Place,
) -> None:
    tried: list[Event] = []
    others: list[int] = []
    async with at.client("worker") as client:
        client.on_error(lambda *_: None)

        @client.on(at.topic("a"))
        def another(event: Event) -> None:
            others.append(event.payload["n"])

        @client.on(at.topic("a"))
        @client.error_handler(max_retries=1, delay=0.01)
        def handle(event: Event) -> None:
            tried.append(event)
            if len(tried) <= 2:
                raise LookupError("not yet")

        await client.connect()
        await client.publish(at.topic("a"), {"n": 1})
        await until(lambda: len(tried) >= 2)
        letter = await letter_of(client, at)
        assert "not yet" in letter.last_error
        assert letter.attempts == 2
        assert letter.subscription.startswith(f"{client.client_id}/")
        assert letter.event.payload == {"n": 1}
        assert await client.transport.retry([letter.id]) == 1
        await until(lambda: len(tried) >= 3)
        left = await client.transport.dead_letters(200)
        await client.publish(at.topic("a"), {"n": 2})
        await until(lambda: others[-1:] == [2])
    # It is for the handler that gave it up alone.
    assert others == [1, 2]
    assert tried[2].payload == {"n": 1}
    assert letter.id not in [one.id for one in left]


async def letter_of(client: EventRouterClient, at: Place) -> Any:
    while True:
        for letter in await client.transport.dead_letters(200):
            if letter.event.type.startswith(at.mark):
                return letter
        await asyncio.sleep(0.05)


@behaviour
async def a_dead_letter_that_is_none_cannot_be_retried(at: Place) -> None:
    async with at.client() as client:
        with pytest.raises(NotFoundError):
            await client.transport.retry([f"none-{at.mark}"])


@behaviour
async def a_client_knows_who_it_is_and_how_the_router_does(at: Place) -> None:
    async with at.client("c") as client:
        await client.subscribe(at.topic("a"), Heard())
        who = await client.whoami()
        assert who.has_permission("events:publish")
        assert (await client.transport.health())["status"] in ("healthy", "degraded")
        stats = await client.transport.stats()
        assert {"events_published", "events_delivered", "error_rate"} <= stats.keys()
        for one in await client.transport.subscriptions():
            assert {"id", "topics", "client_id"} <= one.keys()


@behaviour
async def what_is_encrypted_is_read_by_who_has_the_key(at: Place) -> None:
    heard, blind = Heard(), Heard()
    sealed = {"encryption": {"key": b"k" * 32}}
    async with at.client(**sealed) as client, at.client() as other:
        client.on(at.topic("a"))(heard)
        other.on(at.topic("a"))(blind)

        @client.respond(at.topic("double"))
        def double(event: Event) -> dict[str, Any]:
            return {"n": event.payload["n"] * 2}

        await client.connect()
        await other.connect()
        await client.publish(at.topic("a"), {"n": 1})
        await heard.come_to(1)
        await blind.come_to(1)
        told = await client.request(at.topic("double"), {"n": 2}, timeout=10)
        stream = client.event_stream(f"sealed-{at.mark}")
        await stream.append(at.topic("opened"), {"n": 5})
        (opened,) = await stream.read()
    assert heard.numbers == [1]
    assert "n" not in blind[0].payload
    assert (told.payload, opened.payload) == ({"n": 4}, {"n": 5})


@behaviour
async def a_slow_handler_holds_up_no_other_and_gets_all_in_order(at: Place) -> None:
    slow, quick = Heard(), Heard()

    async def handle(event: Event) -> None:
        await asyncio.sleep(0.01)
        slow(event)

    async with at.client() as client:
        client.on(at.topic("a"))(handle)
        client.on(at.topic("a"))(quick)
        await client.connect()
        batch = [(at.topic("a"), {"n": n}) for n in range(100)]
        await client.publish_batch(batch)
        await quick.come_to(100)
        await client.publish(at.topic("b"), {"n": 0})
        await slow.come_to(100)
    assert slow.numbers == quick.numbers == list(range(100))


@behaviour
async def bridged_buses_hear_one_another_each_event_once(at: Place) -> None:
    buses = EventBus.separate(), EventBus.separate()
    heard = [Heard(), Heard()]
    pattern = (f"{at.mark}.**",)
    async with at.client("one") as one, at.client("two") as two:
        for bus, kept in zip(buses, heard, strict=True):
            bus.subscribe("**", kept)
        here = one.bridge(buses[0], pattern, pattern)
        async with here, two.bridge(buses[1], pattern, pattern):
            said = Event(at.topic("a"), {"n": 1}, circle_id=5)
            await buses[0].publish(said)
            await heard[1].come_to(1)
            await buses[1].publish(Event(at.topic("b"), {"n": 2}))
            await heard[0].come_to(2)
            # What would come back would do so before this.
            await buses[0].publish(Event(at.topic("c"), {"n": 3}))
            await heard[1].come_to(3)
    assert [one.numbers for one in heard] == [[1, 2, 3], [1, 2, 3]]
    assert (heard[1][0].id, heard[1][0].circle_id) == (said.id, 5)
