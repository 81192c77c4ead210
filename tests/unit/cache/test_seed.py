"""
The cache as the design document writes it.

| block of phase 5.2 | here |
| --- | --- |
| Configuration: CacheConfig | behaviour: test_config (defaults, variables) |
| Embedding Cache | runs: EMBEDDINGS |
| RAG Results Cache | runs: RECALL |
| Circle Context Cache | runs: CIRCLES |
| Generic Operations | runs: GENERIC |
| Test sans Redis | runs: WITHOUT_REDIS |
| EmbeddingService, MemoryManager | their own parts; what they ask of a cache: CALLERS |
| Manual invalidation | runs: MANUAL |
| Pattern-based invalidation | runs: PATTERNS |
| Cache statistics | runs: STATISTICS |
| Redis CLI monitoring | behaviour: names of keys, test_names_of_keys |
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from types import SimpleNamespace
from typing import Final

import pytest

from eventyard import Event
from eventyard.cache import CacheConfig, CacheManager
from eventyard.events import EventType, event_bus

EMBEDDINGS: Final = """
cache.set_embedding(text, embedding, ttl=86400)
cached = cache.get_embedding(text)  # None si cache miss
"""

RECALL: Final = """
cache.set_rag_results(agent_id, query, results, ttl=300)
cached = cache.get_rag_results(agent_id, query)
cache.invalidate_rag_results(agent_id)  # Clear all for agent
"""

CIRCLES: Final = """
cache.set_circle_context(circle_id, context, ttl=600)
cached = cache.get_circle_context(circle_id)
cache.invalidate_circle_context(circle_id)
"""

GENERIC: Final = """
cache.get(key)
cache.set(key, value, ttl)
cache.delete(key)
cache.delete_pattern("gathering:rag:*")
cache.clear_all()
cache.get_stats()  # Hit rate, total keys, etc.
"""

WITHOUT_REDIS: Final = """
# Test sans Redis
config = CacheConfig(enabled=False)
cache = CacheManager(config)

assert cache.is_enabled() is False
# Toutes les ops retournent None/False
"""

MANUAL: Final = """
memory.invalidate_cache(agent_id)
cache.invalidate_rag_results(agent_id)
cache.invalidate_circle_context(circle_id)
"""

PATTERNS: Final = """
# Clear all RAG results for agent 1
cache.delete_pattern("gathering:rag:agent:1:*")

# Clear all embeddings
cache.delete_pattern("gathering:embedding:*")

# Clear everything
cache.clear_all()
"""

STATISTICS: Final = """
stats = cache.get_stats()
"""


@pytest.fixture
def scope(cache):
    return {
        "cache": cache,
        "CacheConfig": CacheConfig,
        "CacheManager": CacheManager,
        "text": "some text",
        "embedding": [0.1, 0.2],
        "agent_id": 1,
        "query": "what is known?",
        "results": [{"id": 1, "value": "a"}],
        "circle_id": 2,
        "context": {"members": [1, 2]},
        "key": "key",
        "value": {"a": 1},
        "ttl": 60,
        "memory": SimpleNamespace(invalidate_cache=cache.invalidate_rag_results),
    }


def test_embeddings(scope):
    exec(EMBEDDINGS, scope)
    assert scope["cached"] == [0.1, 0.2]


def test_recall(scope):
    exec(RECALL, scope)
    assert scope["cached"] == scope["results"]
    assert scope["cache"].get_rag_results(1, scope["query"]) is None


def test_circles(scope):
    exec(CIRCLES, scope)
    assert scope["cached"] == {"members": [1, 2]}
    assert scope["cache"].get_circle_context(2) is None


def test_generic_operations(scope, raw):
    scope["cache"].set_rag_results(1, "q", [])
    exec(GENERIC, scope)
    assert raw.keys("*") == []


def test_without_redis(scope):
    exec(WITHOUT_REDIS, scope)
    assert scope["cache"].set("a", 1) is False
    assert scope["cache"].get("a") is None


def test_manual_invalidation(scope):
    cache = scope["cache"]
    cache.set_rag_results(1, "q", [1])
    cache.set_circle_context(2, {})
    exec(MANUAL, scope)
    assert cache.get_rag_results(1, "q") is cache.get_circle_context(2) is None


def test_patterns(scope):
    cache = scope["cache"]
    cache.set_rag_results(1, "q", [1])
    cache.set_rag_results(11, "q", [1])
    cache.set_embedding("t", [1.0])
    first, second, _ = PATTERNS.strip().split("\n\n")
    exec(first, scope)
    assert cache.get_rag_results(1, "q") is None
    assert cache.get_rag_results(11, "q") == [1]
    exec(second, scope)
    assert cache.get_embedding("t") is None
    exec(PATTERNS, scope)
    assert cache.get_rag_results(11, "q") is None


def test_statistics(scope):
    exec(STATISTICS, scope)
    names = ("host", "port", "total_keys", "hits", "misses", "hit_rate")
    assert scope["stats"]["enabled"] is True
    assert {*names} <= scope["stats"].keys()


def test_names_of_keys(cache, raw):
    cache.set_embedding("text", [1.0])
    cache.set_rag_results(1, "text", [])
    cache.set_circle_context(2, {})
    cache.set_llm_response("abc", "answer")
    whole = sha256(b"text").hexdigest()
    assert {key.decode() for key in raw.keys("gathering:[^~]*")} == {
        f"gathering:embedding:{whole}",
        f"gathering:rag:agent:1:{whole}",
        "gathering:circle:context:2",
        "gathering:llm:abc",
    }


def test_callers_ask_the_cache_first_and_events_empty_it(cache):
    """What MemoryManager and EmbeddingService do with a cache: CALLERS."""
    searched = []

    async def recall(agent_id, query):
        cached = cache.get_rag_results(agent_id, query)
        if cached is not None:
            return cached
        searched.append(query)
        cache.set_rag_results(agent_id, query, [{"id": len(searched)}])
        return [{"id": len(searched)}]

    async def use():
        cache.follow()
        await recall(1, "q")
        assert await recall(1, "q") == [{"id": 1}]
        await event_bus.publish(Event(type=EventType.MEMORY_CREATED, source_agent_id=1))
        assert await recall(1, "q") == [{"id": 2}]

    try:
        asyncio.run(use())
    finally:
        cache.unfollow()
        event_bus.reset()
    assert searched == ["q", "q"]
