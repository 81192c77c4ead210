"""docs/howto/use-the-bus.md, run as it stands."""

from __future__ import annotations

import pytest

from eventyard.client import EventRouterClient
from eventyard.events import event_bus
from eventyard.transports.memory import Broker
from tests.awaiting import awaited, until
from tests.howto import blocks


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    Broker.forget()
    event_bus.reset()
    yield
    event_bus.reset()
    Broker.forget()


@awaited
async def test_the_blocks_of_the_page_run():
    scope, heard = {}, []
    for block in blocks("use-the-bus", "python"):
        exec(block, scope)
    await scope["work"]()
    assert scope["completed"] == [123]
    assert event_bus.unsubscribe(scope["subscription"])

    assert await scope["ask"]() == 12
    assert scope["history"]()
    assert scope["statistics"]() == 3

    other = EventRouterClient()
    async with other, other.subscribe("task.*", heard.append):
        await scope["join"]()
        await until(lambda: heard)
    assert heard[0].data == {"title": "Tidy up"}
