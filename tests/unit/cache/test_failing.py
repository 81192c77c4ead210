"""A cache without Redis: absent, refused, slow, dying in mid-use, back again."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventyard.cache import CacheConfig, CacheManager
from tests.slowproxy import SlowProxy
from tests.unit.cache.conftest import redis_of, wait_until


@pytest.fixture
def nobody():
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def everything(cache):
    """Do everything; return what came."""
    return {
        "enabled": cache.is_enabled(),
        "client": cache.client,
        "get": cache.get("a"),
        "set": cache.set("a", 1, 10, tags=["t"]),
        "delete": cache.delete("a"),
        "delete_pattern": cache.delete_pattern("*"),
        "clear_all": cache.clear_all(),
        "tag": cache.invalidate_tag("t"),
        "get_embedding": cache.get_embedding("a"),
        "set_embedding": cache.set_embedding("a", [1.0]),
        "get_rag": cache.get_rag_results(1, "q"),
        "set_rag": cache.set_rag_results(1, "q", []),
        "invalidate_rag": cache.invalidate_rag_results(1),
        "all_rag": cache.invalidate_all_rag_results(),
        "get_circle": cache.get_circle_context(1),
        "set_circle": cache.set_circle_context(1, {}),
        "circle": cache.invalidate_circle_context(1),
        "get_llm": cache.get_llm_response("h"),
        "set_llm": cache.set_llm_response("h", 1),
        "made": cache.get_or_set("a", lambda: "made"),
        "made_async": asyncio.run(cache.get_or_set_async("a", lambda: "made")),
    }


def nothing():
    counts = ("delete_pattern", "clear_all", "tag", "invalidate_rag", "all_rag")
    nones = ("client", "get", "get_embedding", "get_rag", "get_circle", "get_llm")
    falses = ("enabled", "set", "delete", "set_embedding", "set_rag", "set_circle")
    return {
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(nones),
        **dict.fromkeys((*falses, "circle", "set_llm"), False),
        "made": "made",
        "made_async": "made",
    }


def warnings(caplog):
    return [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_disabled_it_keeps_nothing(caplog):
    cache = CacheManager(CacheConfig(enabled=False, local_tier=True))
    assert everything(cache) == nothing()
    assert cache.get_stats() == {"enabled": False, "reason": "the cache is disabled"}
    assert len(warnings(caplog)) == 1


def test_without_the_library_it_keeps_nothing(caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    cache = CacheManager(CacheConfig())
    assert everything(cache) == nothing()
    assert "pip install 'eventyard[redis]'" in cache.get_stats()["reason"]
    assert len(warnings(caplog)) == 1


def test_without_the_library_the_process_alone_keeps_things(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    cache = CacheManager(CacheConfig(local_tier=True))
    assert cache.is_enabled() is True
    assert cache.set("a", {"b": 1}, 10) is True
    assert cache.get("a") == {"b": 1}


def test_refused_it_keeps_nothing_and_says_so_once(caplog, make_cache, nobody):
    cache = make_cache(nobody)
    assert everything(cache) == nothing()
    assert everything(cache) == nothing()
    assert cache.get_stats()["enabled"] is False
    assert "refused" in cache.get_stats()["reason"]
    assert len(warnings(caplog)) == 1


def test_a_host_without_an_address_is_as_good_as_none(caplog):
    cache = CacheManager(CacheConfig(host="no.such.host.invalid"))
    assert everything(cache) == nothing()
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("more", [{"port": -1}, {"port": 99_999}, {"db": -5}])
def test_what_makes_no_sense_is_as_good_as_none(caplog, more):
    cache = CacheManager(CacheConfig(host="127.0.0.1", **more))
    assert everything(cache) == nothing()
    assert len(warnings(caplog)) == 1


def test_a_dead_redis_is_not_asked_each_time(make_cache, server):
    with SlowProxy(server.port) as proxy:
        proxy.delay_s = 30
        begun = time.monotonic()
        cache = make_cache(proxy.port, timeout=0.2, pause=60)
        assert 0.1 < time.monotonic() - begun < 10
        asked = proxy.count
        begun = time.monotonic()
        for _ in range(1_000):
            assert cache.get("a") is None
        # A thousand time-outs would be 200 s.
        assert time.monotonic() - begun < 5
        assert proxy.count == asked


def test_one_that_becomes_slow_is_left_alone_and_comes_back(caplog, make_cache, server):
    with SlowProxy(server.port) as proxy:
        cache = make_cache(proxy.port, timeout=1, pause=0.2)
        assert cache.set("a", 1) is True
        proxy.delay_s = 3
        assert cache.get("a") is None
        assert cache.is_enabled() is False
        assert len(warnings(caplog)) == 1
        proxy.delay_s = 0
        wait_until(lambda: cache.get("a") == 1)
        assert cache.is_enabled() is True
        assert cache.client is not None


def test_a_connection_that_is_cut_is_made_again_unnoticed(caplog, make_cache, server):
    with SlowProxy(server.port) as proxy:
        cache = make_cache(proxy.port, timeout=20)
        cache.set("a", 1)
        proxy.cut()
        assert cache.get("a") == 1
        assert warnings(caplog) == []


def test_killed_in_mid_use_and_started_again(caplog, make_cache, own_server):
    cache = make_cache(own_server.port, pause=0.1, timeout=5)
    cache.set("gathering:a", 1)
    own_server.kill()
    assert cache.get("gathering:a") is None
    assert everything(cache) == nothing()
    assert cache.get_stats()["enabled"] is False
    assert len(warnings(caplog)) == 1
    own_server.start()
    wait_until(cache.is_enabled)
    assert cache.set("gathering:a", 2) is True
    assert cache.get("gathering:a") == 2
    own_server.kill()
    assert cache.get("gathering:a") is None
    assert len(warnings(caplog)) == 2


@pytest.mark.parametrize(
    "remove",
    [
        lambda cache: cache.delete("gathering:a"),
        lambda cache: cache.delete_pattern("gathering:*"),
        lambda cache: cache.invalidate_tag("t"),
        lambda cache: cache.clear_all(),
        lambda cache: cache.set("gathering:a", "newer"),
    ],
)
def test_what_ended_while_redis_was_away_is_never_read_again(
    make_cache, own_server, remove
):
    cache = make_cache(own_server.port, pause=0.1, timeout=5)
    cache.set("gathering:a", "old", tags=["t"])
    own_server.kill()
    assert remove(cache) in (0, False)
    own_server.start()
    assert redis_of(own_server).exists("gathering:a") == 1
    wait_until(cache.is_enabled)
    assert cache.get("gathering:a") is None
    assert redis_of(own_server).exists("gathering:a") == 0


def test_too_much_to_remember_clears_everything(make_cache, own_server):
    cache = make_cache(own_server.port, pause=0.1, timeout=5)
    cache.set("gathering:a", 1)
    cache.set("elsewhere", 1)
    own_server.kill()
    for number in range(1_500):
        cache.delete(f"gathering:{number}")
    own_server.start()
    wait_until(cache.is_enabled)
    assert cache.get("gathering:a") is None
    assert cache.get("elsewhere") == 1


def test_a_full_redis_refuses_writing_and_is_still_read(caplog, cache, raw):
    cache.set("gathering:a", 1)
    raw.config_set("maxmemory", 1)
    try:
        assert cache.set("gathering:b", 2) is False
        assert cache.set("gathering:a", 2) is False
        # What it held of before is not true any more.
        assert cache.get("gathering:a") is None
        assert cache.is_enabled() is True
    finally:
        raw.config_set("maxmemory", 0)
    assert cache.set("gathering:b", 2) is True


def test_scripts_that_redis_forgot_are_told_again(cache, raw):
    cache.set("a", 1)
    raw.script_flush()
    assert cache.set("a", 2) is True
    assert cache.get("a") == 2


def test_many_threads_at_once_are_no_outage(caplog, make_cache, server):
    with SlowProxy(server.port) as proxy:
        cache = make_cache(proxy.port, timeout=30)
        cache.set("a", 1)
        proxy.delay_s = 0.3
        with ThreadPoolExecutor(150) as pool:
            found = [*pool.map(lambda _: cache.get("a"), range(150))]
    assert found == [1] * 150
    assert warnings(caplog) == []
