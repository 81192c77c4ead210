"""The package's memories over a platform: the same verbs, over real HTTP."""

from __future__ import annotations

import pytest

from eventyard.core.errors import (
    AuthenticationError,
    ConnectionError,  # noqa: A004
    InvalidRequestError,
    PermissionDeniedError,
)
from eventyard.events import EventBus
from eventyard.rag import EmbeddingService, MemoryManager, VectorStore
from eventyard.rag.spaces import Reader
from tests.awaiting import awaited
from tests.loopback import Loopback, Reply, Request
from tests.memories import CIRCLES, PASSWORD, QUESTION, told, with_members
from tests.steps import bearer
from tests.unit.rag.keeping import Kept


class Front(Loopback):
    """Hands requests to the application, as the front of `make run` does."""

    def __init__(self, http):
        super().__init__()
        self.http = http

    def answer(self, request: Request) -> Reply:
        named = {"Content-Type": request.headers.get("content-type", "")}
        if "authorization" in request.headers:
            named["Authorization"] = request.headers["authorization"]
        raw = self.http._client.http.request(
            request.method, request.target, headers=named, body=request.body
        )
        return Reply(raw.status_code, raw.body, {"Content-Type": "application/json"})


@pytest.fixture
def front(platform, http):
    with_members(platform)
    with Front(http) as made:
        yield made


def manager(front, cache=None, key=None, **more):
    store = VectorStore.connect(front.origin, key)
    bus = EventBus.separate()
    return MemoryManager(EmbeddingService("local"), store, cache, bus=bus, **more)


async def found(memory, agent, **more):
    more = {"threshold": 0.3, **more}
    return [one.value for one in await memory.recall(agent, QUESTION, **more)]


@awaited
async def test_what_one_program_remembers_another_one_recalls(platform, front):
    one, two = manager(front), manager(front)
    name = await one.remember(1, PASSWORD, scope="circle", scope_id=5, tags=["ops"])

    assert await found(two, 2) == [PASSWORD]
    assert await found(two, 3) == []
    assert await found(two, 2, tags=["ops", "x"], memory_type="fact") == [PASSWORD]
    assert await found(two, 2, limit=0) == []
    (event,) = told(platform, "memory.shared")
    assert event.payload["content"] == PASSWORD
    (local,) = one._bus.get_history("memory.shared")
    assert local.data == event.payload
    assert await two.forget(name, agent_id=2) is False
    assert await two.forget(name, agent_id=1) is True
    assert await two.forget(name) is False
    assert await found(one, 2) == []


@awaited
async def test_many_go_in_pieces_and_come_in_pages(front):
    memory = manager(front)
    names = await memory.remember_batch(1, [f"fact {n}" for n in range(90)])

    assert len(set(names)) == 90
    assert len(front.requests) == 3
    listed = memory.store.list_memories(Reader(1), 250)
    assert {one.id for one in listed} == set(names)
    assert len(memory.store.list_memories(Reader(1), 7)) == 7
    told = await memory.get_stats(1)
    assert told["memories"] == {"total": 90, "by_type": {"fact": 90}}
    assert memory.store.get_memory(names[0]).value == "fact 0"
    assert memory.store.get_memory("mem_none") is None


@awaited
async def test_knowledge_is_kept_there_as_well(front):
    memory = manager(front)
    one = await memory.add_knowledge(
        "Deploying", "make deploy", category="ops", project_id=9
    )

    (kept,) = await memory.search_knowledge("how to deploy", threshold=0.1)
    assert (kept.id, kept.title) == (one, "Deploying")
    assert await memory.search_knowledge("x", threshold=0.1, limit=0) == []
    assert await memory.count_knowledge(category="ops") == 1
    assert await memory.count_knowledge(category="law") == 0
    assert [k.id for k in await memory.list_knowledge(project_id=9)] == [one]
    assert memory.store.get_knowledge(one).content == "make deploy"
    assert memory.store.forget_knowledge(one) is True
    assert memory.store.forget_knowledge(one) is False
    assert memory.store.get_knowledge(one) is None


@awaited
async def test_answers_are_kept_only_where_it_is_known_whom_a_change_concerns(front):
    cache = Kept()
    memory = manager(front, cache)
    await found(memory, 2)
    assert not [key for key in cache.held if key.startswith("rag:agent")]
    knowing = manager(front, cache, circles_of=lambda a: CIRCLES.get(str(a), ()))
    assert await found(knowing, 2) == []
    assert [key for key in cache.held if key.startswith("rag:agent")]

    await knowing.remember(1, PASSWORD, scope="circle", scope_id=5)

    assert await found(knowing, 2) == [PASSWORD]


@awaited
async def test_what_the_platform_refuses_is_the_error_that_it_is(locked, http, front):
    with pytest.raises(AuthenticationError):
        await manager(front).remember(1, PASSWORD)
    key = bearer(http, "memories:write:1", "memories:read:1")
    memory = manager(front, key=key)
    await memory.remember(1, PASSWORD)
    with pytest.raises(PermissionDeniedError, match="memories:write:2"):
        await memory.remember(2, PASSWORD)
    memory.embedder = EmbeddingService("local", dimension=64)
    with pytest.raises(InvalidRequestError, match="have 256 numbers") as caught:
        await memory.remember(1, PASSWORD)
    assert caught.value.code == "wrong_dimension"


@awaited
async def test_a_platform_that_is_not_there_is_a_connection_error(front):
    memory = manager(front)
    front.__exit__()
    with pytest.raises(ConnectionError, match="Does it run"):
        await memory.remember(1, PASSWORD)
    front.__exit__ = lambda *_: None


def test_an_address_that_is_none_is_refused():
    for wrong in ("localhost:5555", "redis://x", "http://"):
        with pytest.raises(InvalidRequestError, match="no address"):
            VectorStore.connect(wrong)


def test_from_env_is_the_platform_that_is_named_or_this_process(monkeypatch, tmp_path):
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    assert isinstance(VectorStore.from_env(), VectorStore)
    file = tmp_path / ".env"
    file.write_text("EVENTYARD_URL=http://platform.test/\nEVENTYARD_API_KEY=ey_x\n")
    made = VectorStore.from_env(file)
    assert (made.url, made._key) == ("http://platform.test", "ey_x")
    with MemoryManager.from_env(file) as memory:
        assert memory.store.is_remote
        assert memory.embedder.provider == "local"
