"""A router in a real Redis: nothing is lost when it, or a client, dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventyard.client import EventRouterClient
from eventyard.core.errors import (
    AuthenticationError,
    ConflictError,
    ConnectionError,  # noqa: A004 - its name there
    InvalidRequestError,
    NotFoundError,
    PublishError,
)
from eventyard.core.event import Event
from eventyard.transports.base import Commit, Delivery, Wish
from eventyard.transports.redis import RedisTransport
from tests import redisserver
from tests.redisserver import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    redisserver.require()
    with RedisServer(tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that the test may kill."""
    redisserver.require()
    with RedisServer(tmp_path) as made:
        yield made


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(60):
            return await main()

    return asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for sets no event
        await asyncio.sleep(0.01)


class Heard:
    """Keeps deliveries, in their order."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    async def take(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    @property
    def numbers(self) -> list[int]:
        return [one.event.payload["n"] for one in self.deliveries]


def events(topic: str, *numbers: int) -> tuple[Event, ...]:
    return tuple(Event(topic, {"n": n}) for n in numbers)


def client(server: RedisServer, **more: Any) -> EventRouterClient:
    return EventRouterClient(url=server.url, **more)


def transport(server: RedisServer) -> RedisTransport:
    made = client(server).transport
    assert isinstance(made, RedisTransport)
    return made


def test_a_commit_is_answered_as_the_first_time_and_appended_once(
    server: RedisServer,
) -> None:
    async def main() -> None:
        ours, heard = transport(server), Heard()
        await ours.connect()
        await ours.subscribe(Wish(("once.*",)), heard.take)
        commit = Commit(events("once.a", 1, 2), "key-1")
        first, again = await ours.publish(commit), await ours.publish(commit)
        await ours.publish(Commit(events("once.a", 3), "key-2"))
        await until(lambda: 3 in heard.numbers)
        await ours.close()

        assert [one.event_id for one in first] == [one.event_id for one in again]
        assert {one.deduplicated for one in again} == {True}
        assert heard.numbers == [1, 2, 3]

    run(main)


def test_a_subscription_goes_on_in_the_middle_of_a_commit(server: RedisServer) -> None:
    async def main() -> None:
        ours, heard, later = transport(server), Heard(), Heard()
        await ours.connect()
        await ours.subscribe(Wish(("mid.a",)), heard.take)
        await ours.publish(Commit(events("mid.a", 1, 2, 3), "mid"))
        await until(lambda: len(heard.deliveries) == 3)
        cursor = heard.deliveries[0].cursor
        await ours.subscribe(Wish(("mid.a",), cursor=cursor), later.take)
        await ours.publish(Commit(events("mid.a", 4), "mid-2"))
        await until(lambda: len(later.deliveries) == 3)
        await ours.close()

        assert later.numbers == [2, 3, 4]

    run(main)


def test_filters_and_targets_are_kept(server: RedisServer) -> None:
    async def main() -> None:
        one, other = client(server, client_id="one"), client(server, client_id="two")
        got: list[Any] = []
        await one.subscribe("kept.*", got.append, {"payload.n": {"$gt": 1}})
        for n, target in ((1, None), (2, "two"), (3, "one"), (4, None)):
            await other.publish("kept.a", {"n": n}, target=target)
        await until(lambda: got and got[-1].payload["n"] == 4)
        await one.close()
        await other.close()

        assert [event.payload["n"] for event in got] == [3, 4]

    run(main)


def test_nothing_is_missed_or_doubled_while_redis_dies_again_and_again(
    own_server: RedisServer,
) -> None:
    async def main() -> None:
        ours, got = client(own_server), []
        await ours.subscribe("hard.*", lambda event: got.append(event.payload["n"]))
        published = []
        for n in range(60):
            if n % 20 == 10:
                own_server.kill()
                sending = asyncio.create_task(ours.publish("hard.a", {"n": n}))
                await asyncio.sleep(0.1)
                own_server.start()
                await sending
            else:
                await ours.publish("hard.a", {"n": n})
            published.append(n)
        await until(lambda: len(got) >= 60)
        await ours.close()

        assert got == published

    run(main)


def test_who_appends_to_a_stream_at_once_wins_once(server: RedisServer) -> None:
    async def main() -> None:
        ours = client(server)
        stream = ours.event_stream("race")
        told = await asyncio.gather(
            *(stream.append("race.run", {"n": n}, 0) for n in range(10)),
            return_exceptions=True,
        )
        read = await stream.read()
        await ours.close()

        assert sum(1 for one in told if one == 1) == 1
        assert sum(1 for one in told if isinstance(one, ConflictError)) == 9
        assert [event.version for event in read] == [1]

    run(main)


def test_what_is_appended_is_published_with_its_version(server: RedisServer) -> None:
    async def main() -> None:
        ours, got = client(server), []
        stream = ours.event_stream("told")
        stream.on_append(got.append)
        await ours.connect()
        await stream.append_all([Event("told.a", {}), Event("told.b", {"x": "}"})])
        await until(lambda: len(got) == 2)
        page = await stream.read(2, 2)
        await ours.close()

        assert [(e.type, e.version, e.stream_id) for e in got] == [
            ("told.a", 1, "told"),
            ("told.b", 2, "told"),
        ]
        assert [event.type for event in page] == ["told.b"]

    run(main)


def test_the_first_answer_counts(server: RedisServer) -> None:
    async def main() -> None:
        asking, one, two = (client(server) for _ in range(3))
        answered: list[str] = []
        for responder, name in ((one, "one"), (two, "two")):

            async def answer(_: Any, name: str = name) -> dict[str, str]:
                answered.append(name)
                return {"by": name}

            responder.respond("who.answers")(answer)
            await responder.connect()
        told = await asking.request("who.answers", {}, timeout=10)
        for each in (asking, one, two):
            await each.close()

        assert told.payload["by"] in answered

    run(main)


def test_a_durable_subscription_gets_what_came_meanwhile(server: RedisServer) -> None:
    async def main() -> None:
        got: list[int] = []
        for n in (1, 3):
            ours = client(server)
            await ours.subscribe(
                "durable.*", lambda e: got.append(e.payload["n"]), durable="mine"
            )
            await ours.publish("durable.a", {"n": n})
            await until(lambda n=n: n in got)
            await ours.close()
            other = client(server)
            await other.publish("durable.a", {"n": n + 1})
            await other.close()

        assert got == [1, 2, 3]

    run(main)


def test_dead_letters_are_kept_and_delivered_again(server: RedisServer) -> None:
    async def main() -> None:
        ours, got = client(server), []
        fine = False

        @ours.on("dead.*")
        @ours.error_handler(max_retries=0)
        async def handle(event: Event) -> None:
            if not fine:
                raise ValueError("no")
            got.append(event)

        await ours.connect()
        await ours.publish("dead.a", {"n": 1})
        letters: list[Any] = []
        while not letters:
            letters = await ours.transport.dead_letters()
        fine = True
        count = await ours.transport.retry([letters[0].id])
        await until(lambda: got)
        left = await ours.transport.dead_letters()
        with pytest.raises(NotFoundError):
            await ours.transport.retry([letters[0].id])
        await ours.close()

        assert letters[0].last_error == "ValueError: no"
        assert (count, left) == (1, [])
        assert got[0].headers["retry-of"] == letters[0].id

    run(main)


def test_who_listens_and_how_much_is_told(server: RedisServer) -> None:
    async def main() -> None:
        ours = client(server, client_id="teller")
        subscription = await ours.subscribe("stats.*", lambda _: None)
        found = await ours.transport.subscriptions()
        mine = [one for one in found if one["client_id"] == "teller"]
        stats = await ours.transport.stats()
        health = await ours.transport.health()
        await subscription.unsubscribe()
        after = await ours.transport.subscriptions()
        await ours.close()

        assert [one["topics"] for one in mine] == [["stats.*"]]
        assert stats["events_published"] >= 0
        assert health["status"] == "healthy"
        assert "teller" not in [one["client_id"] for one in after]

    run(main)


def test_a_wrong_password_and_a_server_that_is_away_are_told(tmp_path: Path) -> None:
    redisserver.require()

    async def main() -> None:
        with RedisServer(tmp_path, password="secret") as guarded:
            wrong = EventRouterClient(
                config={
                    "transport": "redis",
                    "connection": {"port": guarded.port, "password": "wrong"},
                }
            )
            with pytest.raises(AuthenticationError):
                await wrong.connect()
            right = client(guarded)
            await right.publish("a.b", {})
            await right.close()
            await wrong.close()
        away = client(guarded)
        with pytest.raises(ConnectionError, match="Does it run"):
            await away.connect()

    run(main)


def test_a_place_that_is_none_is_refused(server: RedisServer) -> None:
    async def main() -> None:
        ours = transport(server)
        await ours.connect()
        with pytest.raises(InvalidRequestError, match="no place"):
            await ours.subscribe(Wish(("a.b",), cursor="nowhere"), Heard().take)
        await ours.close()

    run(main)


def test_what_cannot_be_sent_for_long_is_told(own_server: RedisServer) -> None:
    async def main() -> None:
        ours = client(own_server)
        await ours.connect()
        own_server.kill()
        with pytest.raises(PublishError) as told:
            await ours.publish("a.b", {})
        assert told.value.retryable
        await ours.close()

    run(main)
