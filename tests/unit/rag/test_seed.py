"""
Memories as the design document writes them.

| Section | Block | Here |
| --- | --- | --- |
| Use Cases 2 | knowledge sharing | runs: SHARING; both members have it, nobody else |
| Intégrations | `EmbeddingService.__init__`, `embed`: a hit asks nobody | behaviour: a hit in the shared cache, one in the process, `use_cache=False` |
| Intégrations | `EmbeddingService.from_env`: a cache, or none | behaviour |
| Intégrations | `MemoryManager.__init__`: listens where it has a cache | behaviour |
| Intégrations | `recall`: from the cache unless filtered | behaviour; all of it in test_manager |
| Intégrations | `remember`: outdates, then tells | behaviour |
| Intégrations | `_on_memory_created` | behaviour: what another process tells outdates |
| Intégrations | `MemoryManager.from_env`: no cache where none is enabled | behaviour |
"""

from __future__ import annotations

from typing import Final

import pytest

from eventyard.events import Event, EventType, event_bus
from eventyard.rag import EmbeddingService, MemoryManager, VectorStore
from tests import redisserver, seeds
from tests.awaiting import awaited

cache = pytest.importorskip("eventyard.cache")

SHARING: Final = """
# Agent shares knowledge (auto-publishes MEMORY_SHARED)
await memory.remember(
    agent_id=1,
    content="Database password is in .env.production",
    scope="circle",
    scope_id=5,
)

# All circle members notified
async def on_knowledge(event: Event):
    print(f"New knowledge: {event.data['content']}")

event_bus.subscribe(EventType.MEMORY_SHARED, on_knowledge)
"""
PASSWORD: Final = "Database password is in .env.production"
QUESTION: Final = "where is the database password?"
CIRCLES: Final = {1: [5], 2: [5], 3: [6]}


class Counting:
    """An embedder that counts what it is asked."""

    def __init__(self):
        self.asked = []
        self._real = EmbeddingService("local").embedder
        self.model = self._real.model

    async def embed(self, texts):
        self.asked += texts
        return await self._real.embed(texts)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for name in ("OPENAI_API_KEY", "EVENTYARD_EMBEDDINGS", "EVENTYARD_URL"):
        monkeypatch.delenv(name, raising=False)
    event_bus.reset()
    yield
    event_bus.reset()


@pytest.fixture
def redis(tmp_path):
    redisserver.require()
    with redisserver.RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def shared(redis):
    made = cache.CacheManager(cache.CacheConfig(port=redis.port))
    yield made
    made.close()


def manager(kept=None, store=None):
    service = EmbeddingService(Counting(), cache_manager=kept)
    store = VectorStore() if store is None else store
    return MemoryManager(service, store, kept, circles_of=lambda one: CIRCLES[one])


def asked(memory):
    return memory.embedder.embedder.asked


async def values(memory, agent, **more):
    found = await memory.recall(agent, QUESTION, threshold=0.3, **more)
    return [one.value for one in found]


@awaited
async def test_knowledge_is_shared_with_the_circle_and_all_are_told(capsys):
    memory = manager()
    given = {"event_bus": event_bus, "Event": Event, "EventType": EventType}
    await seeds.run(SHARING, memory=memory, **given)
    # The document subscribes behind its first memory: the next one is heard.
    await seeds.run(SHARING.partition("# All")[0], memory=memory)

    assert capsys.readouterr().out == f"New knowledge: {PASSWORD}\n"
    assert await values(memory, 2) == [PASSWORD, PASSWORD]
    assert await values(memory, 3) == []


@awaited
async def test_a_hit_asks_nobody_in_the_process_or_in_the_shared_cache(shared):
    one, two = (EmbeddingService(Counting(), cache_manager=shared) for _ in "ab")
    vector = await one.embed("a text")

    assert await one.embed("a text") == vector
    assert await two.embed("a text") == pytest.approx(vector)
    assert (one.embedder.asked, two.embedder.asked) == (["a text"], [])
    await one.embed("a text", use_cache=False)
    assert one.embedder.asked == ["a text"] * 2


@awaited
async def test_an_answer_is_kept_unless_filtered_and_outdated_by_what_is_new(shared):
    memory = manager(shared)
    assert await values(memory, 2) == []
    await memory.remember(1, PASSWORD, scope="circle", scope_id=5)
    assert await values(memory, 2) == [PASSWORD]

    memory.store.search_memories = None  # whoever calls it fails
    assert await values(memory, 2) == [PASSWORD]
    with pytest.raises(TypeError):
        await values(memory, 2, memory_type="fact")
    with pytest.raises(TypeError):
        await values(memory, 2, tags=["x"])
    told = Event(EventType.MEMORY_CREATED, {}, source_agent_id=2)
    await event_bus.publish(told)
    with pytest.raises(TypeError):
        await values(memory, 2)
    memory.close()


def test_it_listens_only_where_it_has_a_cache_and_until_it_is_closed(shared):
    before = event_bus.get_stats()["active_subscribers"]
    manager()
    assert event_bus.get_stats()["active_subscribers"] == before
    memory = manager(shared)
    assert event_bus.get_stats()["active_subscribers"] > before
    memory.close()
    assert event_bus.get_stats()["active_subscribers"] == before


@awaited
async def test_made_of_the_environment_it_has_the_cache_that_is_there(
    redis, monkeypatch
):
    monkeypatch.setenv("CACHE_ENABLED", "true")
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", str(redis.port))
    one, two = (EmbeddingService.from_env("local") for _ in "ab")
    vector = await one.embed("a text")
    two.embedder = type("Deaf", (), {"model": one.embedder.model})()
    assert await two.embed("a text") == pytest.approx(vector)

    monkeypatch.setenv("REDIS_PORT", "1")
    memory = MemoryManager.from_env()
    assert event_bus.get_stats()["active_subscribers"] == 0
    await memory.remember(1, PASSWORD)
    assert await values(memory, 1) == [PASSWORD]
