"""The router in this process does what every router does."""

from __future__ import annotations

import asyncio

from tests.behaviours import Place, every_behaviour


@every_behaviour
def test_in_one_process(does):
    place = Place({"transport": "memory"})
    place.settings["url"] = f"memory://{place.mark}"
    asyncio.run(does(place))
