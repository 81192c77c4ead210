"""The package against the running platform: the contract, and what networks do."""

from __future__ import annotations

import asyncio

import pytest

from tests.behaviours import Place, every_behaviour


@pytest.mark.parametrize("transport", ["http", "websocket"])
@every_behaviour
def test_over(running, transport, does):
    asyncio.run(does(Place({"transport": transport, "url": running.address})))
