"""A client with OpenTelemetry: it publishes under a span, and handles what it published."""

from __future__ import annotations

import asyncio
import sys

from eventyard import EventRouterClient
from eventyard.telemetry import get_tracer, setup_telemetry, shutdown_telemetry


async def main(url: str) -> None:
    done = asyncio.Event()
    async with EventRouterClient(url=url) as client:

        @client.on("traced.first")
        async def first(event):
            await client.publish("traced.second", {"n": 2})

        @client.on("traced.second")
        async def second(event):
            done.set()

        await client.connect()
        with get_tracer().start_as_current_span("checkout"):
            await client.publish("traced.first", {"n": 1})
        await asyncio.wait_for(done.wait(), 60)


if __name__ == "__main__":
    assert setup_telemetry()
    asyncio.run(main(sys.argv[1]))
    shutdown_telemetry()
