"""docs/howto/cache-what-is-dear.md, run as it stands."""

from __future__ import annotations

import asyncio

from eventyard.events import event_bus
from tests.howto import blocks
from tests.unit.cache.conftest import wait_until


def test_the_blocks_of_the_page_run(server, raw):
    scope, seen = {}, {}
    event_bus.reset()
    for block in blocks("cache-what-is-dear", "python"):
        here = block.replace("localhost", "127.0.0.1").replace("6379", str(server.port))
        if "stats = " in block:
            asyncio.run(scope["share"]())
            cache, near = scope["cache"], scope["near"]
            seen["recalled"] = cache.get_rag_results(2, "what is known?")
            wait_until(lambda near=near: near.get("gathering:greeting") == "hello")
        exec(here, scope)
        if "report" in block:
            seen["kept"] = scope["cache"].get("gathering:report")
        if "set_embedding" in block:
            seen["vector"] = scope["cache"].get_embedding("a text", model="small")
    event_bus.reset()
    assert seen == {
        "kept": {"orders": 1234},
        "vector": [0.1, 0.2],
        "recalled": None,
    }
    assert scope["found"] == {"orders": 1234}
    assert scope["stats"]["enabled"] is True
    assert not raw.keys("gathering:price:*")
