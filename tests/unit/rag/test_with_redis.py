"""Answers and vectors in a real Redis, shared by managers that know nothing of each other."""

from __future__ import annotations

import pytest

from eventyard.events import EventBus
from eventyard.rag import EmbeddingService, MemoryManager, VectorStore
from tests import redisserver
from tests.awaiting import awaited

cache = pytest.importorskip("eventyard.cache")
PASSWORD = "Database password is in .env.production"
QUESTION = "where is the database password?"


@pytest.fixture
def redis(tmp_path):
    redisserver.require()
    with redisserver.RedisServer(tmp_path) as server:
        server.caches = []
        yield server
        for kept in server.caches:
            kept.close()


def process(redis, store):
    kept = cache.CacheManager(cache.CacheConfig(port=redis.port))
    assert kept.is_enabled()
    redis.caches.append(kept)
    return MemoryManager(
        EmbeddingService("local", cache_manager=kept),
        store,
        kept,
        circles_of=lambda agent: {1: [5], 2: [5]}.get(agent, ()),
        bus=EventBus.separate(),
    )


@awaited
async def test_what_one_process_shares_outdates_the_answers_of_another(redis):
    store = VectorStore()
    one, two = process(redis, store), process(redis, store)
    assert await two.recall(2, QUESTION, threshold=0.3) == []
    assert await two.recall(3, QUESTION, threshold=0.3) == []

    # Its event reaches nobody: they share the cache alone.
    name = await one.remember(1, PASSWORD, scope="circle", scope_id=5)

    first = await two.recall(2, QUESTION, threshold=0.3)
    assert [found.id for found in first] == [name]
    assert await two.recall(3, QUESTION, threshold=0.3) == []
    store.search_memories = None  # whoever calls it fails
    assert await two.recall(2, QUESTION, threshold=0.3) == first
    assert await one.recall(2, QUESTION, threshold=0.3) == first


@awaited
async def test_a_vector_that_one_process_made_another_one_finds(redis):
    one, two = (process(redis, VectorStore()).embedder for _ in "ab")
    vector = await one.embed(PASSWORD)
    # Whoever is asked fails.
    two.embedder = type("Deaf", (), {"model": one.embedder.model})()

    assert await two.embed(PASSWORD) == pytest.approx(vector)
    with pytest.raises(AttributeError):
        await two.embed("something else")
