"""What a hit in the cache costs, beside what one would use instead."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eventyard.cache import CacheConfig, CacheManager
from tests import redisserver
from tests.redisserver import RedisServer

_KEY = "gathering:circle:context:1"
#: A context of a circle as it is.
_VALUE = {"circle_id": 1, "name": "backend", "status": "running", "members": 12}
_VECTOR = [number / 1_536 for number in range(1_536)]
_ROUNDS = 5
#: So long is one of several looks at one of the ways; the best one counts.
_SECONDS = 0.1
_TIMEOUT_S = 20
_PEERS = ("cachetools", "cashews", "aiocache")

Hit = Callable[[], Any]
AsyncHit = Callable[[], Awaitable[Any]]


def measure() -> dict[str, Any]:
    """Read what is there: in the process, then from a real Redis."""
    figures: dict[str, Any] = _in_process()
    if redisserver.EXECUTABLE is None:
        return {**figures, "Redis": "not installed"}
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        figures |= _with_redis(server.port)
    missing = [name for name in _PEERS if find_spec(name) is None]
    return {**figures, **dict.fromkeys(missing, "not installed")}


def _in_process() -> dict[str, Any]:
    ours = _alone()
    dead = CacheManager(CacheConfig(host="127.0.0.1", port=1, pause=60))
    ways: dict[str, Hit] = {
        "in process: dict, µs": {_KEY: _VALUE}.copy().__getitem__,
        "in process: eventyard, µs": ours.get,
        "Redis gone: eventyard, µs": dead.get,
    }
    if find_spec("cachetools"):
        from cachetools import TTLCache

        kept: Any = TTLCache(1_000, 600)
        kept[_KEY] = _VALUE
        ways["in process: cachetools TTLCache, µs"] = kept.get
    best = _best({name: _calls(hit) for name, hit in ways.items()})
    vectors = {"in process: eventyard, 1,536 floats, µs": lambda: ours.get("v")}
    return {**best, **_best(vectors), **asyncio.run(_in_process_async())}


def _alone() -> CacheManager:
    cache = CacheManager(CacheConfig(host="127.0.0.1", port=1, local_tier=True))
    cache.set(_KEY, _VALUE, 600)
    cache.set("v", _VECTOR, 600)
    return cache


def _calls(hit: Callable[[str], Any]) -> Hit:
    return lambda: hit(_KEY)


def _best(ways: dict[str, Hit]) -> dict[str, float]:
    """Return µs a call; turn by turn, so that a busy moment is everybody's."""
    best: dict[str, float] = {}
    for _ in range(_ROUNDS):
        for name, hit in ways.items():
            best[name] = min(best.get(name, 1e9), _per_call(hit))
    return best


def _per_call(hit: Hit) -> float:
    calls, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < _SECONDS:
        for _ in range(100):
            hit()
        calls += 100
    return passed / calls * 1e6


async def _in_process_async() -> dict[str, float]:
    ways: dict[str, AsyncHit] = {}
    if find_spec("cashews"):
        from cashews import Cache

        cashews = Cache()
        cashews.setup("mem://")
        await cashews.set(_KEY, _VALUE, expire=600)
        ways["in process: cashews, µs"] = lambda: cashews.get(_KEY)
    if find_spec("aiocache"):
        from aiocache import SimpleMemoryCache

        aiocache = SimpleMemoryCache()
        await aiocache.set(_KEY, _VALUE, ttl=600)
        ways["in process: aiocache, µs"] = lambda: aiocache.get(_KEY)
    return await _best_async(ways)


async def _best_async(ways: dict[str, AsyncHit]) -> dict[str, float]:
    best: dict[str, float] = {}
    for _ in range(_ROUNDS):
        for name, hit in ways.items():
            calls, begun = 0, time.perf_counter()
            while (passed := time.perf_counter() - begun) < _SECONDS:
                for _ in range(10):
                    await hit()
                calls += 10
            best[name] = min(best.get(name, 1e9), passed / calls * 1e6)
    return best


def _with_redis(port: int) -> dict[str, Any]:
    where = {"host": "127.0.0.1", "port": port, "timeout": _TIMEOUT_S}
    far = CacheManager(CacheConfig(**where))
    near = CacheManager(CacheConfig(**where, local_tier=True))
    far.set(_KEY, _VALUE, 600)
    _warm(near)
    ways: dict[str, Hit] = {
        "before Redis: eventyard, µs": lambda: near.get(_KEY),
        "from Redis: eventyard, µs": lambda: far.get(_KEY),
        **_redis_py(port),
    }
    best = _best(ways)
    near.close()
    far.close()
    return {**best, **asyncio.run(_with_redis_async(port))}


def _warm(near: CacheManager) -> None:
    """Read until it is kept in the process as well."""
    while not near.get_stats()["local"]["entries"]:
        near.get(_KEY)
        time.sleep(0.01)


def _redis_py(port: int) -> dict[str, Hit]:
    import json

    from redis import Redis

    plain = Redis(host="127.0.0.1", port=port, protocol=2)
    # Its own client-side cache wants Redis 7.4 or later.
    name = "from Redis: redis-py and json, µs"
    return {name: lambda: json.loads(plain.get(_KEY))}


async def _with_redis_async(port: int) -> dict[str, float]:
    ways: dict[str, AsyncHit] = {}
    ends: list[AsyncHit] = []
    if find_spec("cashews"):
        from cashews import Cache

        cashews = Cache()
        cashews.setup(f"redis://127.0.0.1:{port}")
        await cashews.set("cashews", _VALUE, expire=600)
        ways["from Redis: cashews, µs"] = lambda: cashews.get("cashews")
        ends.append(cashews.close)
    if find_spec("aiocache"):
        from aiocache import RedisCache
        from aiocache.serializers import JsonSerializer

        aiocache = RedisCache(
            endpoint="127.0.0.1", port=port, serializer=JsonSerializer()
        )
        await aiocache.set("aiocache", _VALUE, ttl=600)
        ways["from Redis: aiocache, µs"] = lambda: aiocache.get("aiocache")
        ends.append(aiocache.close)
    best = await _best_async(ways)
    for end in ends:
        await end()
    return best
