"""A router in Redis does what every router does."""

from __future__ import annotations

import asyncio

import pytest

from tests import redisserver
from tests.behaviours import Place, every_behaviour
from tests.redisserver import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    redisserver.require()
    with RedisServer(tmp_path_factory.mktemp("redis")) as made:
        yield made


@every_behaviour
def test_in_redis(server, does):
    asyncio.run(does(Place({"url": server.url})))
