"""A real Redis for all tests of the cache, and caches that end with their test."""

from __future__ import annotations

import logging
import time

import pytest

from eventyard.cache import CacheConfig, CacheManager
from tests import redisserver
from tests.redisserver import RedisServer


def wait_until(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def warned(caplog):
    """Hear warnings also where a test before this one loaded the platform."""
    caplog.set_level(logging.WARNING, "eventyard.cache")


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    redisserver.require()
    with RedisServer(tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.fixture
def server(shared):
    """A Redis that holds nothing."""
    client = redis_of(shared)
    client.flushall()
    client.close()
    return shared


@pytest.fixture
def own_server(tmp_path):
    """A Redis that the test may kill."""
    redisserver.require()
    with RedisServer(tmp_path) as made:
        yield made


def redis_of(server):
    from redis import Redis

    return Redis(port=server.port, host="127.0.0.1")


@pytest.fixture
def raw(server):
    """What anybody else does with that Redis."""
    with redis_of(server) as client:
        yield client


@pytest.fixture
def make_cache():
    made = []

    def make(port, **more):
        cache = CacheManager(CacheConfig(host="127.0.0.1", port=port, **more))
        made.append(cache)
        return cache

    yield make
    for cache in made:
        cache.close()


@pytest.fixture
def cache(server, make_cache):
    # Other work on the machine must not look like a slow Redis.
    return make_cache(server.port, timeout=20)


@pytest.fixture
def near_cache(server, make_cache):
    """A cache that keeps things in the process as well, and hears of changes."""
    cache = make_cache(server.port, timeout=20, local_tier=True)
    wait_until(lambda: cache._store.watch._heard)
    return cache
