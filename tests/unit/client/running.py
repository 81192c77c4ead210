"""Run a test in a loop, with a client of a router of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from eventyard.client import EventRouterClient
from eventyard.core import ulid
from eventyard.transports.memory import Broker


def with_client(test: Callable[[Any], Awaitable[None]], **settings: Any) -> None:
    name = ulid.new_ulid()

    async def run() -> None:
        url = f"memory://{name}"
        async with EventRouterClient(url=url, **settings) as client:
            async with asyncio.timeout(20):
                await test(client)

    try:
        asyncio.run(run())
    finally:
        Broker.forget(name)
