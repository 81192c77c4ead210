"""The package against the running platform: the contract, and what networks do."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter

import pytest

from eventyard.core.errors import PublishError
from tests.behaviours import Heard, Place, every_behaviour, until
from tests.e2e.cutting import Cutter


@pytest.mark.parametrize("transport", ["http", "websocket"])
@every_behaviour
def test_over(running, transport, does):
    asyncio.run(does(Place({"transport": transport, "url": running.address})))


@pytest.mark.parametrize(
    ("transport", "longest_s", "publishers"),
    [
        ("websocket", 0.15, 8),
        # Each of its calls needs a while without a cut.
        pytest.param("http", 0.6, 3, marks=pytest.mark.soak),
    ],
)
def test_a_hundred_cuts_lose_nothing_and_double_nothing(
    running, transport, longest_s, publishers
):
    asyncio.run(a_hundred_cuts(running, transport, longest_s, publishers))


async def a_hundred_cuts(running, transport, longest_s, publishers):
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
            stop = asyncio.Event()
            loads = [
                asyncio.create_task(load(client, topic, stop))
                for _ in range(publishers)
            ]
            while cutter.cuts < 100:
                await until(lambda: cutter.is_used)
                await asyncio.sleep(chance.uniform(0, longest_s))
                cutter.cut()
            stop.set()
            sent = [name for names in await asyncio.gather(*loads) for name in names]
            await until(lambda: len(heard) >= len(sent))
            # What is published last comes behind whatever might come twice.
            await client.publish(topic, {"last": True})
            await until(lambda: any("last" in one.payload for one in heard))
    told = Counter(one.payload["name"] for one in heard if "name" in one.payload)
    assert told == Counter(sent)
    logged = running.logged(topic).values()
    names = [one["payload"]["name"] for one in logged if "name" in one["payload"]]
    assert sorted(names) == sorted(sent)
    assert len(sent) > 100, "too little flowed"
    print(transport, len(sent), "events,", cutter.cuts, "cuts")


async def load(client, topic, stop):
    """Publish until told to stop; return the names of what was accepted."""
    names = []
    while not stop.is_set():
        name = uuid.uuid4().hex
        await published(client, topic, name)
        names.append(name)
    return names


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
