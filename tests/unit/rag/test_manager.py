"""Remembering and recalling in one process: scopes, events, and what is kept of answers."""

from __future__ import annotations

import asyncio

import pytest

from eventyard.events import Event, EventBus, EventType
from eventyard.rag import EmbeddingService, MemoryManager, VectorStore
from eventyard.rag.spaces import InvalidMemoryError, Reader
from tests.awaiting import awaited
from tests.unit.rag.keeping import Kept

PASSWORD = "Database password is in .env.production"
QUESTION = "where is the database password?"
CIRCLES = {1: [5], 2: [5], 3: [6], 4: []}
PROJECTS = {1: [9], 2: [], 3: [9], 4: []}


@pytest.fixture
def bus():
    return EventBus.separate()


def manager_on(bus, cache=None, store=None, **more):
    told = {"circles_of": CIRCLES.__getitem__, "projects_of": PROJECTS.__getitem__}
    return MemoryManager(
        EmbeddingService("local"),
        store or VectorStore(),
        cache,
        bus=bus,
        **{**told, **more},
    )


@pytest.fixture
def memory(bus):
    return manager_on(bus)


def seen(bus, kind):
    return list(reversed(bus.get_history(kind)))


async def found(memory, agent, query=QUESTION, **more):
    more = {"threshold": 0.3, **more}
    return [one.value for one in await memory.recall(agent, query, **more)]


@awaited
async def test_what_is_remembered_is_recalled_by_what_it_means(memory):
    name = await memory.remember(4, PASSWORD, tags=["ops"], importance=0.9)
    await memory.remember(4, "The team has lunch at noon")

    (one,) = await memory.recall(4, QUESTION, threshold=0.3)

    assert (one.id, one.value, one.memory_type) == (name, PASSWORD, "fact")
    assert 0.3 < one.similarity <= 1
    assert one.importance == 0.9
    assert name.startswith("mem_")
    assert await found(memory, 4, PASSWORD, threshold=0.99) == [PASSWORD]
    # The usual threshold is a high one.
    assert await memory.recall(4, "who has lunch with somebody else today?") == []


@pytest.mark.parametrize(
    ("scope", "scope_id", "readers"),
    [
        ("agent", None, {1}),
        ("circle", 5, {1, 2}),
        ("project", 9, {1, 3}),
        ("global", None, {1, 2, 3, 4}),
    ],
)
@awaited
async def test_each_scope_is_recalled_by_its_members_and_nobody_else(
    memory, scope, scope_id, readers
):
    await memory.remember(1, PASSWORD, scope=scope, scope_id=scope_id)

    found_by = {agent for agent in (1, 2, 3, 4) if await found(memory, agent)}
    assert found_by == readers


@awaited
async def test_who_leaves_a_circle_recalls_nothing_of_it_any_more(bus):
    members = {1: [5], 2: [5]}
    memory = manager_on(bus, Kept(), circles_of=members.__getitem__, projects_of=None)
    await memory.remember(1, PASSWORD, scope="circle", scope_id=5)
    assert await found(memory, 2) == [PASSWORD]

    members[2] = []

    assert await found(memory, 2) == []


@awaited
async def test_what_is_shared_is_told_to_all_with_what_it_says(memory, bus):
    await memory.remember(1, PASSWORD, scope="circle", scope_id=5, importance=0.8)
    await memory.remember(1, "my own")

    (shared,) = seen(bus, EventType.MEMORY_SHARED)
    assert shared.data["content"] == PASSWORD
    assert (shared.data["scope"], shared.data["scope_id"]) == ("circle", 5)
    assert shared.data["importance"] == 0.8
    assert (shared.circle_id, shared.project_id, shared.source_agent_id) == (5, None, 1)
    (created,) = seen(bus, EventType.MEMORY_CREATED)
    assert created.data.keys() == {"memory_id", "memory_type", "importance"}


@awaited
async def test_a_batch_tells_of_each_and_keeps_their_scopes(memory, bus):
    names = await memory.remember_batch(
        1, ["a plain one", {"content": PASSWORD, "scope": "circle", "scope_id": 5}]
    )

    assert len(set(names)) == 2
    told = [event.data["memory_id"] for event in reversed(bus.get_history())]
    assert told == names
    assert await found(memory, 2) == [PASSWORD]
    assert await memory.remember_batch(1, []) == []


@awaited
async def test_of_a_batch_with_one_that_is_none_nothing_is_kept(memory, bus):
    with pytest.raises(InvalidMemoryError, match="memory_type"):
        await memory.remember_batch(1, [PASSWORD, {"content": "x", "memory_type": "y"}])

    assert bus.get_history() == []
    assert await found(memory, 1) == []


@awaited
async def test_a_recall_is_told_without_what_was_asked(memory, bus):
    name = await memory.remember(1, PASSWORD)
    await found(memory, 1)

    (told,) = seen(bus, EventType.MEMORY_RECALLED)
    assert told.data == {"memory_ids": [name], "count": 1}
    assert told.source_agent_id == 1


@awaited
async def test_what_is_forgotten_is_never_recalled_and_only_its_agent_forgets_it(
    memory, bus
):
    name = await memory.remember(1, PASSWORD, scope="circle", scope_id=5)

    assert await memory.forget(name, agent_id=2) is False
    assert await found(memory, 2) == [PASSWORD]
    assert await memory.forget(name, agent_id=1) is True
    assert await memory.forget(name) is False
    assert await memory.forget("mem_none") is False
    assert await found(memory, 2) == []
    (told,) = seen(bus, "memory.forgotten")
    assert (told.data["memory_id"], told.circle_id) == (name, 5)


@awaited
async def test_filters_take_a_type_and_any_of_the_tags(memory):
    for n, (kind, tags) in enumerate(
        [("fact", ["a"]), ("error", ["b"]), ("fact", ["c"])]
    ):
        await memory.remember(1, f"{PASSWORD} {n}", kind, tags=tags)

    async def which(**more):
        return {text[-1] for text in await found(memory, 1, **more)}

    assert await which() == {"0", "1", "2"}
    assert await which(memory_type="fact") == {"0", "2"}
    assert await which(tags=["a", "b"]) == {"0", "1"}
    assert await which(memory_type="error", tags=["c"]) == set()
    assert len(await found(memory, 1, limit=2)) == 2
    assert await found(memory, 1, limit=0) == []


@awaited
async def test_accesses_are_counted_unless_one_only_looks(memory):
    name = await memory.remember(1, PASSWORD)
    await found(memory, 1)
    await found(memory, 1, update_access=False)

    assert memory.store.get_memory(name).access_count == 1
    assert memory.store.list_memories(Reader(1, (5,)))[0].id == name


# What is kept of answers


@awaited
async def test_an_answer_is_kept_and_the_same_question_asks_nobody(bus):
    cache = Kept()
    memory = manager_on(bus, cache)
    await memory.remember(1, PASSWORD)
    first = await found(memory, 1)
    memory.store.search_memories = None  # whoever calls it fails

    assert await found(memory, 1) == first == [PASSWORD]


@awaited
async def test_another_limit_or_threshold_is_another_question(bus):
    memory = manager_on(bus, Kept())
    for n in range(5):
        await memory.remember(1, f"{PASSWORD} {n}")

    assert len(await found(memory, 1, limit=1)) == 1
    assert len(await found(memory, 1, limit=5)) == 5
    assert await found(memory, 1, limit=5, threshold=0.999) == []


@awaited
async def test_answers_to_filters_are_not_kept(bus):
    cache = Kept()
    memory = manager_on(bus, cache)
    await found(memory, 1, memory_type="fact")
    await found(memory, 1, tags=["a"])

    assert not [key for key in cache.held if key.startswith("rag:agent")]


@pytest.mark.parametrize(
    ("writer", "told", "concerned"),
    [
        (1, {}, {1}),
        (1, {"scope": "circle", "scope_id": 5}, {1, 2}),
        (1, {"scope": "project", "scope_id": 9}, {1, 3}),
        (1, {"scope": "global"}, {1, 2, 3, 4}),
    ],
)
@awaited
async def test_a_new_memory_outdates_the_answers_of_all_it_concerns_and_no_others(
    bus, writer, told, concerned
):
    memory = manager_on(bus, Kept())
    for agent in CIRCLES:
        assert await found(memory, agent) == []
    asked = []
    search = memory.store.search_memories
    memory.store.search_memories = lambda reader, *args, **more: (
        asked.append(reader.agent_id),
        search(reader, *args, **more),
    )[1]

    await memory.remember(writer, PASSWORD, **told)
    knowing = {agent for agent in CIRCLES if await found(memory, agent)}

    assert knowing == set(asked) == concerned


@awaited
async def test_forgetting_outdates_them_as_well(bus):
    memory = manager_on(bus, Kept())
    name = await memory.remember(1, PASSWORD, scope="circle", scope_id=5)
    assert await found(memory, 2) == [PASSWORD]

    await memory.forget(name)

    assert await found(memory, 2) == []


@awaited
async def test_what_another_process_did_outdates_answers_by_its_event(bus):
    store = VectorStore()
    mine, theirs = (
        manager_on(bus, Kept(), store),
        manager_on(EventBus.separate(), None, store),
    )
    assert await found(mine, 2) == []
    await theirs.remember(1, PASSWORD, scope="circle", scope_id=5)
    assert await found(mine, 2) == []  # it was not told yet

    (event,) = theirs._bus.get_history(EventType.MEMORY_SHARED)
    await bus.publish(Event.from_json(event.to_json()))

    assert await found(mine, 2) == [PASSWORD]


@awaited
async def test_a_write_in_the_middle_of_a_recall_is_not_hidden_by_its_answer(bus):
    cache, store = Kept(), VectorStore()
    memory = manager_on(bus, cache, store)
    search = store.search_memories

    def slow(*args, **more):
        answer = search(*args, **more)
        # Somebody else shares before this answer is kept.
        memory._answers.outdate("circle:5")
        return answer

    store.search_memories = slow
    assert await found(memory, 2) == []
    store.search_memories = search
    await memory.remember(1, PASSWORD, scope="circle", scope_id=5)

    assert await found(memory, 2) == [PASSWORD]


@awaited
async def test_a_cache_that_is_gone_changes_nothing_but_speed(bus):
    cache = Kept()
    memory = manager_on(bus, cache)
    await memory.remember(1, PASSWORD)
    cache.down = True

    assert await found(memory, 1) == [PASSWORD]
    await memory.remember(1, PASSWORD + "!")
    assert len(await found(memory, 1)) == 2
    assert memory.invalidate_cache(1) == 0 or cache.held


@awaited
async def test_an_answer_of_another_version_or_of_a_stranger_is_not_taken(bus):
    cache = Kept()
    memory = manager_on(bus, cache)
    await memory.remember(1, PASSWORD)
    await found(memory, 1)
    for odd in ('[{"id": 1}]', '"text"', "7", "[7]"):
        for key in [key for key in cache.held if key.startswith("rag:agent")]:
            cache.held[key] = odd
        assert await found(memory, 1) == [PASSWORD]


@awaited
async def test_a_closed_manager_listens_to_nobody(bus):
    async with manager_on(bus, Kept()) as memory:
        assert bus.get_stats()["active_subscribers"] == 3
        await memory.remember(1, PASSWORD)
    assert bus.get_stats()["active_subscribers"] == 0
    memory.close()
    with manager_on(bus, Kept()):
        pass
    assert bus.get_stats()["active_subscribers"] == 0


@awaited
async def test_events_that_make_no_sense_do_no_harm(bus):
    memory = manager_on(bus, Kept())
    for data in (None, [], {"scope": []}, {"scope": "circle", "scope_id": {"a": 1}}):
        await bus.publish(Event(EventType.MEMORY_SHARED, data, circle_id="a#b"))

    assert bus.get_stats()["handler_errors"] == 0
    assert await found(memory, 1) == []


# Knowledge


@awaited
async def test_knowledge_is_everybodys_and_found_within_a_category_or_project(memory):
    one = await memory.add_knowledge(
        "Deploying",
        "make deploy to production",
        category="ops",
        project_id=9,
        tags=["x"],
    )
    await memory.add_knowledge("Production", "deploy with care", category="law")

    async def which(**more):
        found = await memory.search_knowledge(
            "deploy production", threshold=0.1, **more
        )
        return [each.title for each in found]

    assert set(await which()) == {"Deploying", "Production"}
    assert await which(category="ops") == ["Deploying"]
    assert await which(project_id=9) == ["Deploying"]
    assert await which(project_id="9", category="law") == []
    assert await which(tags=["x", "y"]) == ["Deploying"]
    assert len(await which(limit=1)) == 1
    assert await memory.count_knowledge() == 2
    assert await memory.count_knowledge(category="law") == 1
    assert [k.id for k in await memory.list_knowledge(project_id=9)] == [one]
    assert [k.title for k in await memory.list_knowledge()] == [
        "Production",
        "Deploying",
    ]
    assert memory.store.forget_knowledge(one) is True
    assert memory.store.forget_knowledge(one) is False
    assert await which(category="ops") == []


@awaited
async def test_statistics_count_ones_own_memories_and_vectors(memory):
    await memory.remember(1, "a thing", "error")
    await memory.remember(2, "a thing")

    told = await memory.get_stats(1)

    assert told["memories"] == {"total": 1, "by_type": {"error": 1}}
    assert told["embedding_cache"] == {
        "entries": 1,
        "model": "hashing-1",
        "provider": "local",
    }


@awaited
async def test_vectors_of_another_length_are_refused_and_say_so(memory):
    await memory.remember(1, PASSWORD)
    memory.embedder = EmbeddingService("local", dimension=64)

    with pytest.raises(
        InvalidMemoryError, match="agent:1 have 256 numbers, and this one has 64"
    ):
        await memory.remember(1, "more")
    with pytest.raises(InvalidMemoryError, match="256"):
        await found(memory, 1)


@awaited
async def test_many_forgotten_leave_what_is_left_findable(bus):
    memory = manager_on(bus)
    names = await memory.remember_batch(1, [f"note number {n}" for n in range(5_000)])
    for name in names[:-3]:
        memory.store.forget_memory(name)

    left = await memory.recall(1, "note number", threshold=-1, limit=100)
    assert {one.id for one in left} == set(names[-3:])


@awaited
async def test_many_at_once_lose_nothing(memory):
    await asyncio.gather(
        *(memory.remember(1, f"fact {n}", scope="global") for n in range(50))
    )

    assert len(await memory.recall(2, "fact", threshold=-1, limit=100)) == 50
