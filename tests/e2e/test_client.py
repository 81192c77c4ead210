"""The package against the running platform: the contract, and what networks do."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter

import aiohttp
import pytest

from eventyard.core.errors import (
    ConnectionError,  # noqa: A004 - its name there
    InvalidRequestError,
    NotFoundError,
    PublishError,
)
from eventyard.transports import _wire
from eventyard.transports.base import Wish
from tests.behaviours import Heard, Place, every_behaviour, until
from tests.e2e.cutting import Cutter
from tests.e2e.running import free_port, in_a_loop


@pytest.mark.parametrize("transport", ["http", "websocket"])
@every_behaviour
def test_over(running, transport, does):
    in_a_loop(lambda: does(Place({"transport": transport, "url": running.address})))


def by_iam(running, **changes):
    """What a client is told to call the platform's function itself."""
    connection = {
        "endpoint_url": f"http://127.0.0.1:{running.emulator_port}",
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    return {"url": "aws://dev", "connection": {**connection, **changes}}


@pytest.mark.soak
@every_behaviour
def test_by_iam(running, does):
    in_a_loop(lambda: does(Place(by_iam(running))))


def test_a_stage_that_is_not_there_is_told(running):
    async def connect():
        client = Place({**by_iam(running), "url": "aws://nowhere"}).client()
        with pytest.raises(NotFoundError, match="eventyard-nowhere-api"):
            await client.connect()

    in_a_loop(connect)


def test_an_account_that_is_away_is_told(running):
    async def connect():
        away = by_iam(running, endpoint_url=f"http://127.0.0.1:{free_port()}")
        with pytest.raises(ConnectionError, match="AWS does not answer"):
            await Place(away).client().connect()

    in_a_loop(connect)


@pytest.mark.parametrize(
    "transport", ["websocket", pytest.param("http", marks=pytest.mark.soak)]
)
def test_a_hundred_cuts_lose_nothing_and_double_nothing(running, transport):
    in_a_loop(lambda: a_hundred_cuts(running, transport))


async def a_hundred_cuts(running, transport):
    """Publish and listen through a proxy that cuts everything again and again."""
    place = Place({})
    topic, heard = place.topic("a"), Heard()
    chance = random.Random(7)
    async with Cutter(running.port) as cutter:
        reconnect = {"first_s": 0.05, "longest_s": 0.3}
        settings = {"transport": transport, "url": cutter.address}
        place.settings = {**settings, "reconnect": reconnect, "pool_size": 8}
        async with place.client("listener") as listener, place.client("p") as client:
            listener.on(topic)(heard)
            await listener.connect()
            sent, stop = [], asyncio.Event()
            loads = [
                asyncio.create_task(load(client, topic, sent, stop)) for _ in range(8)
            ]
            for _ in range(100):
                # However slow all is, something comes through from cut to cut.
                before = len(sent)
                await until(lambda: len(sent) > before and cutter.is_used)  # noqa: B023
                await asyncio.sleep(chance.uniform(0, 0.1))
                cutter.cut()
            stop.set()
            await asyncio.gather(*loads)
            await until(lambda: len(heard) >= len(sent))
            # What is published last comes behind whatever might come twice.
            await client.publish(topic, {"last": True})
            await until(lambda: any("last" in one.payload for one in heard))
    told = Counter(one.payload["name"] for one in heard if "name" in one.payload)
    assert told == Counter(sent)
    logged = running.logged(topic).values()
    names = [one["payload"]["name"] for one in logged if "name" in one["payload"]]
    assert sorted(names) == sorted(sent)
    print(transport, len(sent), "events,", cutter.cuts, "cuts")


async def load(client, topic, sent, stop):
    """Publish until told to stop; note the names of what was accepted."""
    while not stop.is_set():
        name = uuid.uuid4().hex
        await published(client, topic, name)
        sent.append(name)


async def published(client, topic, name):
    """Publish, again under its key where the client itself has given up."""
    # Over HTTP six tries in a row may meet a cut each; over a socket none gives up.
    key = name if client.transport.name == "http" else None
    while True:
        try:
            return await client.publish(topic, {"name": name}, idempotency_key=key)
        except PublishError as error:
            if key is None or not error.retryable:
                raise


def test_more_than_a_connection_brings_is_read_from_the_log(running):
    in_a_loop(lambda: away_for_long(running))


async def away_for_long(running):
    """Miss more than the live channel sends again, then come back."""
    place = Place({"transport": "websocket", "url": running.address})
    got, topic = [], place.topic("a")

    async def take(delivery):
        got.append(delivery)

    async with place.client() as client:
        wish = Wish((topic,), {"payload.n": {"$gte": 0}})
        feed = await client.transport.subscribe(wish, take)
        await client.publish(topic, {"n": 0})
        await until(lambda: got)
        await feed.close()
        batch = [(topic, {"n": n}) for n in range(1, 1201)]
        await client.publish_batch([*batch, (topic, {"n": -1})])
        wish = Wish((topic,), wish.filter, cursor=got[-1].cursor)
        await client.transport.subscribe(wish, take)
        await client.publish(topic, {"n": 1201})
        await until(lambda: {one.event.payload["n"] for one in got} >= {1201})
        await until(lambda: len({one.event.id for one in got}) == 1202)
    assert {one.event.payload["n"] for one in got} == set(range(1202))


def test_a_client_from_before_there_were_versions_is_served(running):
    in_a_loop(lambda: an_older_client(running))


async def an_older_client(running):
    """Say nothing of a version, and nothing that came with it."""
    place = Place({"transport": "websocket", "url": running.address})
    heard, topic = Heard(), place.topic("a")
    async with aiohttp.ClientSession(running.address) as session:
        live = running.live + "/ws/router?client_id=older"
        async with place.client() as newer, session.ws_connect(live) as socket:
            newer.on(topic)(heard)
            await newer.connect()
            wish = {"type": "subscribe", "subscription": {"topics": [topic]}}
            await socket.send_json(wish)
            frames = [await socket.receive_json(), await socket.receive_json()]
            assert {frame["type"] for frame in frames} == {"welcome", "subscribed"}
            event = {"type": topic, "payload": {"n": 1}}
            await socket.send_json({"type": "publish", "event": event})
            async with session.post("/api/v1/events", json=event) as told:
                assert told.status == 201
            await newer.publish(topic, {"n": 2})
            came = []
            while len(came) < 3:
                frame = await socket.receive_json(timeout=30)
                came += [frame] if frame["type"] == "event" else []
            await heard.come_to(3)
    assert sorted(heard.numbers) == [1, 1, 2]
    assert sorted(one["event"]["payload"]["n"] for one in came) == [1, 1, 2]


def test_a_version_that_is_not_spoken_is_refused_with_what_to_do(running, monkeypatch):
    monkeypatch.setattr(_wire, "LOWEST", 2)
    monkeypatch.setattr(_wire, "HIGHEST", 2)
    place = Place({"transport": "websocket", "url": running.address})
    with pytest.raises(InvalidRequestError, match="update the platform"):
        in_a_loop(lambda: place.client().connect())

    told = running.request("GET", "/api/v1/stats", eventyard_version="2")
    assert told[0] == 400
    assert told[1]["error"]["code"] == "unsupported_version"
