"""docs/howto/use-the-client.md, run as it stands."""

from __future__ import annotations

import asyncio

import pytest

from eventyard import RequestError, ValidationError
from eventyard.transports.memory import Broker
from tests.awaiting import awaited, until
from tests.howto import blocks


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    Broker.forget()
    yield
    Broker.forget()


def is_reading(client):
    there = client._subscribing.registered
    return any(one.durable == "reader" and one.feed is not None for one in there)


@awaited
async def test_the_blocks_of_the_page_run():
    scope = {}
    for block in blocks("use-the-client", "python"):
        exec(block, scope)
    client, paid = scope["client"], scope["paid"]
    async with client:
        published, results = await scope["publish"]()
        assert published.startswith("evt_")
        assert isinstance(results[1], ValidationError)
        await until(lambda: len(paid) == 4)
        assert sorted(paid) == [120, 130, 140, 150]

        for wanted in ([1, 2], [3]):
            following = asyncio.create_task(scope["follow"](len(wanted)))
            await until(lambda: is_reading(client))
            for number in wanted:
                await client.publish("news.a", number)
            assert await following == wanted

        await client.publish("stock.changed", {})
        await until(lambda: scope["reported"])
        assert len(scope["calls"]) == 3
        assert scope["reported"] == [("ConnectionRefusedError", "stock.changed")]
        assert len(await client.transport.dead_letters()) == 1

        assert await scope["ask"]("book") == 12
        with pytest.raises(RequestError):
            await scope["ask"]("car")
        assert await scope["history"]() == [(1, "order.created"), (2, "order.paid")]

        await client.publish("trip.wanted", {"trip": "Rome"})
        await client.publish("flight.full", {"trip": "Rome"})
        await until(lambda: scope["undone"] == ["Rome"])
    assert scope["secret"].settings.encryption["key_id"] == "2026"
