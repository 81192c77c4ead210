"""Memories on the platform: scopes, events, segments, and what is forgotten."""

from __future__ import annotations

import random
import threading
from dataclasses import replace

import pytest

from chalicelib import _transactions
from chalicelib.auth import ANYBODY, Principal
from chalicelib.memories import compact as compaction
from chalicelib.memories import model, service, store
from chalicelib.memories.access import Access
from chalicelib.memories.model import SpaceFullError, Vector
from chalicelib.memories.parts import Memories
from chalicelib.memories.service import Question, Wanted
from chalicelib.memories.store import Claim, KeyReusedError
from eventyard.core import ulid
from eventyard.core.errors import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from eventyard.rag.model import NewKnowledge, NewMemory, Wish
from eventyard.rag.spaces import InvalidMemoryError
from tests.memories import (
    PASSWORD,
    QUESTION,
    compact,
    recalled,
    remember,
    told,
    with_members,
)


@pytest.fixture
def memories(platform, clock):
    return with_members(platform)


def another(memories):
    """The same memories as another process has them."""
    made = Memories(memories.settings, memories.aws, memories.table, memories.needs)
    made.store.clock = made.files.clock = made.compactor.clock = memories.store.clock
    made.access = memories.access
    return made


def toward(*numbers, model="own"):
    return Vector.of([*numbers, *[0.0] * (8 - len(numbers))], model)


def keep(memories, content, vector, agent="v", **more):
    wanted = [Wanted(NewMemory(agent, content, **more), vector)]
    return memories.service.remember(wanted, ANYBODY)[0][0]


def near(memories, vector, agent="v", *, update_access=False, **wish):
    wish = Wish(**{"threshold": -1, **wish})
    question = Question(None, vector, wish, update_access)
    found = memories.service.recall(agent, question, ANYBODY)
    return [(one.value, one.similarity) for one in found.results]


# Remembering


@pytest.mark.parametrize(
    ("scope", "scope_id", "readers"),
    [
        ("agent", None, {1}),
        ("circle", 5, {1, 2}),
        ("project", 9, {1, 3}),
        ("global", None, {1, 2, 3, 4}),
    ],
)
def test_each_scope_is_recalled_by_its_members_and_nobody_else(
    memories, scope, scope_id, readers
):
    remember(memories, 1, PASSWORD, scope=scope, scope_id=scope_id)

    assert {agent for agent in (1, 2, 3, 4) if recalled(memories, agent)} == readers


def test_a_memory_and_its_event_are_one_transaction(platform, calls, memories):
    memories.service.compact = lambda _: None
    (name,) = remember(memories, 1, PASSWORD, scope="circle", scope_id=5)

    assert calls.counted == {"BatchGetItem": 1, "TransactWriteItems": 1}
    (event,) = told(platform, "memory.shared")
    assert event.source == "eventyard.memories"
    assert (event.circle_id, event.source_agent_id) == (5, 1)
    assert event.payload == {
        "memory_id": name,
        "content": PASSWORD,
        "memory_type": "fact",
        "scope": "circle",
        "scope_id": 5,
        "importance": 0.5,
    }


def test_when_the_transaction_fails_neither_is_there(platform, memories, monkeypatch):
    remember(memories, 1, "first")
    monkeypatch.setattr(_transactions, "_TRIES", 1)
    monkeypatch.setattr(memories.table, "write_all", lambda _: [0])

    with pytest.raises(Exception, match="Too much changes"):
        remember(memories, 1, PASSWORD)

    monkeypatch.undo()
    assert recalled(memories, 1) == []
    assert len(told(platform, "memory.created")) == 1


def test_a_batch_is_one_commit_with_an_event_each(platform, memories):
    names = remember(memories, 1, *(f"fact {n}" for n in range(40)))

    events = told(platform, "memory.created")
    assert sorted(e.payload["memory_id"] for e in events) == sorted(names)
    assert len(recalled(memories, 1, "fact", threshold=-1, limit=100)) == 40
    with pytest.raises(InvalidRequestError, match="1 to 40"):
        remember(memories, 1, *(f"fact {n}" for n in range(41)))
    with pytest.raises(InvalidRequestError, match="1 to 40"):
        remember(memories, 1)


def test_a_second_try_with_the_same_key_is_answered_with_the_first(platform, memories):
    def take(content, body="a", key="k", by=ANYBODY):
        wanted = [Wanted(NewMemory(1, content))]
        return memories.service.remember(wanted, by, Claim(by.id, key, body))

    first, fresh = take(PASSWORD)
    assert fresh
    assert take(PASSWORD) == (first, False)
    assert len(recalled(memories, 1)) == 1
    with pytest.raises(KeyReusedError):
        take("other", body="b")
    other = Principal("o", frozenset({"admin"}), "other")
    assert take(PASSWORD, by=other)[1]
    assert len(told(platform, "memory.created")) == 2


# Who may what


def caller(*scopes):
    return Principal("k", frozenset(scopes), "k")


def test_a_key_speaks_for_the_agents_that_it_names_and_no_others(memories):
    key = caller("memories:write:team.*", "memories:read:team.*")
    remember(memories, "team.a", PASSWORD, by=key)

    assert recalled(memories, "team.a", by=key) == [PASSWORD]
    for wrong in (
        lambda: remember(memories, "other", "x", by=key),
        lambda: recalled(memories, "other", by=key),
        lambda: remember(memories, "team.a", "x", by=key, scope="global"),
        lambda: remember(memories, "team.a", "x", by=key, scope="circle", scope_id=5),
    ):
        with pytest.raises(PermissionDeniedError):
            wrong()


def test_an_agent_writes_to_no_circle_or_project_that_it_is_not_in(memories):
    key = caller("memories:write", "memories:read")
    remember(memories, 1, PASSWORD, by=key, scope="circle", scope_id=5)
    remember(memories, 1, PASSWORD, by=key, scope="global")
    with pytest.raises(PermissionDeniedError, match="Agent 3 is not in circle 5"):
        remember(memories, 3, "poison", by=key, scope="circle", scope_id=5)
    with pytest.raises(PermissionDeniedError, match="not in project 9"):
        remember(memories, 2, "poison", by=key, scope="project", scope_id=9)
    # An admin is in all of them.
    remember(memories, 3, "advice", scope="circle", scope_id=5)


def test_who_may_not_read_a_memory_is_told_that_there_is_none(memories):
    (own,) = remember(memories, "team.a", PASSWORD)
    (shared,) = remember(memories, 1, PASSWORD, scope="circle", scope_id=5)
    one, two = caller("memories:read:1"), caller("memories:read:2")
    team = caller("memories:read:team.*", "memories:write:team.*")

    assert memories.service.get(own, team).value == PASSWORD
    assert memories.service.get(shared, two, 2).value == PASSWORD
    for name, by, agent in ((own, one, None), (own, one, 1), (shared, team, None)):
        with pytest.raises(NotFoundError):
            memories.service.get(name, by, agent)
    with pytest.raises(NotFoundError):
        memories.service.forget(shared, team)
    with pytest.raises(PermissionDeniedError):
        memories.service.get(shared, one, 2)


# Forgetting


def test_what_is_forgotten_is_gone_at_once_told_once_and_for_its_agent_alone(
    platform, memories
):
    (name,) = remember(memories, 1, PASSWORD, scope="circle", scope_id=5)
    with pytest.raises(PermissionDeniedError, match="of another agent"):
        memories.service.forget(name, ANYBODY, 2)

    memories.service.forget(name, ANYBODY, 1)

    assert recalled(memories, 2) == []
    for again in (memories.service.forget, memories.service.get):
        with pytest.raises(NotFoundError):
            again(name, ANYBODY)
    (event,) = told(platform, "memory.forgotten")
    assert event.payload == {"memory_id": name, "scope": "circle", "scope_id": 5}
    assert (event.circle_id, event.source_agent_id) == (5, 1)


@pytest.mark.parametrize(
    "name", ["", "mem_", "mem_x", "kn_", "x" * 300, "mem_" + "0" * 26]
)
def test_a_name_of_nothing_is_not_found(memories, name):
    with pytest.raises(NotFoundError):
        memories.service.get(name, ANYBODY)


# Segments


def test_compacted_and_not_it_is_found_the_same_by_two_processes(memories, clock):
    for n in range(12):
        keep(memories, f"{n}", toward(1, n / 10))
    before = near(memories, toward(1), limit=5)
    assert compact(memories, "agent:v", clock) == 12
    for n in range(12, 15):
        keep(memories, f"{n}", toward(1, n / 10))

    other = another(memories)
    assert near(memories, toward(1), limit=5) == before
    assert near(other, toward(1), limit=5) == before
    assert near(memories, toward(0, 1), limit=100) == near(
        other, toward(0, 1), limit=100
    )
    assert len(near(other, toward(1), limit=100)) == 15


def test_what_is_in_a_segment_is_read_from_the_bucket_once(calls, memories, clock):
    keep(memories, "a", toward(1))
    compact(memories, "agent:v", clock)
    near(memories, toward(1))
    calls.clear()

    assert near(memories, toward(1)) == [("a", 1.0)]
    # Spaces; what is in no segment; the rows. Then the event of the recall.
    assert calls.counted == {"BatchGetItem": 2, "Query": 1}


def test_rows_that_are_young_are_left_where_they_are_until_writers_have_ended(
    memories, clock
):
    keep(memories, "a", toward(1))

    assert memories.compactor.run({"space": "agent:v"}) == 0
    clock.tick(30)
    assert memories.compactor.run({"space": "agent:v"}) == 0
    clock.tick(31)
    assert memories.compactor.run({"space": "agent:v"}) == 1


def test_a_space_of_nothing_is_no_failure(memories):
    assert memories.compactor.run({"space": "agent:nobody"}) == 0
    assert near(memories, toward(1)) == []


def test_forgotten_ones_are_not_found_in_segments_that_were_read_before(
    memories, clock
):
    names = [keep(memories, f"{n}", toward(1, n / 10)) for n in range(6)]
    compact(memories, "agent:v", clock)
    other = another(memories)
    assert len(near(memories, toward(1))) == len(near(other, toward(1))) == 6

    for name in names[:3]:
        memories.service.forget(name, ANYBODY)

    for process in (memories, other, another(memories)):
        assert [v for v, _ in near(process, toward(1), limit=2)] == ["3", "4"]


def test_when_tombstones_are_lost_the_rows_tell_all_the_same(memories, clock):
    names = [keep(memories, f"{n}", toward(1, n / 10)) for n in range(6)]
    compact(memories, "agent:v", clock)
    for name in names[:4]:
        memories.service.forget(name, ANYBODY)
    memories.table.delete(*model.gone_key("agent:v"))

    assert [v for v, _ in near(memories, toward(1), limit=2)] == ["4", "5"]


def test_filters_are_right_when_nearly_all_that_is_near_is_filtered_out(
    memories, clock
):
    for n in range(120):
        tags = ["rare"] if n >= 117 else ["often"]
        keep(
            memories,
            f"{n}",
            toward(1, n / 100),
            tags=tags,
            memory_type="error" if n == 118 else "fact",
        )
        if n == 60:
            compact(memories, "agent:v", clock)

    assert [v for v, _ in near(memories, toward(1), limit=2, tags=("rare", "x"))] == [
        "117",
        "118",
    ]
    assert [v for v, _ in near(memories, toward(1), limit=5, kind="error")] == ["118"]
    assert near(memories, toward(1), tags=("none",)) == []


def test_segments_grow_together_so_that_there_are_few(memories, clock):
    for n in range(40):
        keep(memories, f"{n}", toward(1, n / 10))
        compact(memories, "agent:v", clock)

    (space,) = memories.store.spaces(["agent:v"])[0].values()
    assert len(space.segments) <= 6
    assert space.total == 40
    assert {v for v, _ in near(memories, toward(1), limit=100)} == {
        str(n) for n in range(40)
    }


def test_a_segment_has_so_many_bytes_at_most(memories, clock, monkeypatch):
    monkeypatch.setattr(compaction, "SEGMENT_BYTES", 10 * 16)
    for n in range(35):
        keep(memories, f"{n}", toward(1, n / 10))
    compact(memories, "agent:v", clock)

    (space,) = memories.store.spaces(["agent:v"])[0].values()
    assert [segment.count for segment in space.segments] == [10, 10, 10, 5]
    assert len(near(another(memories), toward(1), limit=100)) == 35


def test_a_long_way_is_gone_in_steps(memories, clock, monkeypatch):
    monkeypatch.setattr(compaction, "_STEP", 4)
    left = []
    memories.compactor.leave = left.append
    for n in range(10):
        keep(memories, f"{n}", toward(1, n / 10))

    assert compact(memories, "agent:v", clock) == 10
    assert left == [{"kind": "memories", "space": "agent:v"}] * 2


def test_what_was_forgotten_leaves_segments_and_tombstones(
    memories, clock, monkeypatch
):
    monkeypatch.setattr(compaction, "MOST_GONE", 3)
    names = [keep(memories, f"{n}", toward(1, n / 10)) for n in range(8)]
    compact(memories, "agent:v", clock)
    for name in names[:5]:
        memories.service.forget(name, ANYBODY)

    compact(memories, "agent:v", clock)

    spaces, gone = memories.store.spaces(["agent:v"])
    assert spaces["agent:v"].total == 3
    assert gone["agent:v"] == set()
    assert {v for v, _ in near(another(memories), toward(1))} == {"5", "6", "7"}


def test_files_that_nobody_names_are_removed_when_nobody_can_read_them(
    platform, memories, clock, monkeypatch
):
    def files():
        listed = platform.aws.s3.list_objects_v2(
            Bucket=platform.settings.bucket, Prefix="memories/"
        )
        return {one["Key"] for one in listed.get("Contents", ())}

    keep(memories, "0", toward(1))
    compact(memories, "agent:v", clock)
    (old,) = files()
    keep(memories, "1", toward(1, 1))
    compact(memories, "agent:v", clock)
    assert old in files()

    clock.tick(1_000)
    memories.compactor.run({"space": "agent:v"})

    (left,) = files()
    assert left != old
    assert len(near(another(memories), toward(1))) == 2


def test_a_reader_whose_segments_went_meanwhile_reads_again(
    memories, clock, monkeypatch
):
    keep(memories, "0", toward(1))
    compact(memories, "agent:v", clock)
    other = another(memories)
    spaces = other.store.spaces
    stale = [spaces(["agent:v", "global"])]
    keep(memories, "1", toward(1, 1))
    compact(memories, "agent:v", clock)
    clock.tick(1_000)
    memories.compactor.run({"space": "agent:v"})
    monkeypatch.setattr(
        type(other.store),
        "spaces",
        lambda self, names: stale.pop() if stale else spaces(names),
    )

    assert len(near(other, toward(1))) == 2
    assert stale == []


def test_of_two_who_compact_at_once_one_is_right_and_nothing_is_lost(
    memories, clock, monkeypatch
):
    for n in range(5):
        keep(memories, f"{n}", toward(1, n / 10))
    clock.tick(120)
    other = another(memories)
    write = memories.files.write

    def late(space, block):
        monkeypatch.undo()
        other.compactor.run({"space": space})
        return write(space, block)

    monkeypatch.setattr(memories.files, "write", late)
    memories.compactor.run({"space": "agent:v"})

    (space,) = memories.store.spaces(["agent:v"])[0].values()
    assert space.total == 5
    assert len(near(another(memories), toward(1))) == 5


def test_remembering_forgetting_and_compacting_in_any_order_is_always_right(
    memories, clock, monkeypatch
):
    monkeypatch.setattr(compaction, "MOST_GONE", 4)
    monkeypatch.setattr(compaction, "SEGMENT_BYTES", 7 * 16)
    chance = random.Random(7)
    there: dict[str, str] = {}
    for n in range(120):
        match chance.choice(["keep", "keep", "forget", "compact", "look"]):
            case "keep":
                there[keep(memories, f"{n}", toward(1, chance.random()))] = f"{n}"
            case "forget" if there:
                name = chance.choice([*there])
                memories.service.forget(name, ANYBODY)
                del there[name]
            case "compact":
                clock.tick(chance.choice([10, 70, 1_000]))
                memories.compactor.run({"space": "agent:v"})
            case _:
                found = near(another(memories), toward(1), limit=100)
                assert sorted(v for v, _ in found) == sorted(there.values())
    assert sorted(v for v, _ in near(memories, toward(1), limit=100)) == sorted(
        there.values()
    )


def test_a_long_tail_has_its_space_compacted(
    platform, memories, clock, pump, monkeypatch
):
    from chalicelib.memories import search

    monkeypatch.setattr(search, "LONG_TAIL", 3)
    for n in range(4):
        keep(memories, f"{n}", toward(1, n / 10))
    near(memories, toward(1))
    near(memories, toward(1))
    clock.tick(120)

    platform.agenda.tick()
    chores = pump.messages("chores")
    assert len([one for one in chores if '"memories"' in one["body"]]) == 1
    assert platform.chores.run({"Records": chores}) == {"batchItemFailures": []}

    (space,) = memories.store.spaces(["agent:v"])[0].values()
    assert space.total == 4


def test_what_a_process_keeps_of_segments_is_bounded(memories, clock):
    for agent in "abc":
        for n in range(10):
            keep(memories, f"{agent}{n}", toward(1, n / 10), agent=agent)
        compact(memories, f"agent:{agent}", clock)
    memories.files.most_bytes = 2_500

    for agent in "abcabc":
        assert len(near(memories, toward(1), agent=agent)) == 10
        assert memories.files.bytes_kept <= 2_500


# One space, one model


def test_one_space_takes_the_vectors_of_one_model_and_says_which(memories):
    keep(memories, "a", toward(1))

    with pytest.raises(
        InvalidMemoryError,
        match="agent:v have 8 numbers and are of own; this one has 9",
    ):
        keep(memories, "b", Vector.of([1.0] * 9, "own"))
    with pytest.raises(InvalidMemoryError, match="is of other"):
        keep(memories, "b", toward(1, model="other"))
    with pytest.raises(InvalidMemoryError, match="256"):
        remember(memories, "v", "by the platform's own")


def test_where_only_some_spaces_fit_the_others_are_named(memories):
    keep(memories, "a", toward(1), agent="1")
    remember(memories, 1, PASSWORD, scope="global")

    found = memories.service.recall(
        "1", Question(QUESTION, None, Wish(threshold=0.3)), ANYBODY
    )

    assert [one.value for one in found.results] == [PASSWORD]
    assert [space.name for space in found.skipped] == ["agent:1"]
    assert found.searched == ["global"]
    with pytest.raises(InvalidMemoryError):
        near(memories, toward(1, model="third"), agent="1")


def test_a_space_that_is_full_says_so_and_takes_no_more(
    platform, memories, clock, monkeypatch
):
    monkeypatch.setattr(model, "MOST_NUMBERS", 8 * 3)
    for n in range(3):
        keep(memories, f"{n}", toward(1, n))
    compact(memories, "agent:v", clock)

    with pytest.raises(
        SpaceFullError, match="has 3 vectors of 8 numbers, and may have 3"
    ):
        keep(memories, "3", toward(1))
    assert len(told(platform, "memory.created")) == 3
    assert model.Space("s", 256, "m").most == 3 * 8 // 256


# Looking


def test_a_list_has_the_newest_first_and_goes_on_where_it_ended(memories, clock):
    names = remember(memories, 1, *(f"{n}" for n in range(5)), tags=["a"])
    clock.tick(1)
    names += remember(memories, 2, "shared", scope="circle", scope_id=5, tags=["b"])
    remember(memories, 3, "not for one")
    memories.service.forget(names[0], ANYBODY)

    def pages(**wish):
        cursor, found = None, []
        while True:
            page, cursor = memories.service.page(
                1, ANYBODY, Wish(limit=2, **wish), cursor
            )
            found.append([one.value for one in page])
            if cursor is None:
                return found

    every = [value for page in pages() for value in page]
    assert every == ["shared", "4", "3", "2", "1"]
    assert [v for page in pages(tags=("b",)) for v in page] == ["shared"]


def test_accesses_are_counted_and_told_of_without_the_question(platform, memories):
    (name,) = remember(memories, 1, PASSWORD)
    recalled(memories, 1)
    near(memories, Vector.of([1.0] * 256, "local/hashing-1/256"), agent=1)

    shown = memories.service.get(name, ANYBODY)
    assert shown.access_count == 1
    assert shown.last_accessed_at is not None
    (event,) = told(platform, "memory.recalled")
    assert event.payload == {"memory_ids": [name], "count": 1}


def test_a_recall_that_others_hinder_from_being_counted_is_answered(
    memories, monkeypatch
):
    from chalicelib.table import ThrottledError

    remember(memories, 1, PASSWORD)
    memories.store.sleep = lambda _: None

    def busy(_):
        raise ThrottledError

    monkeypatch.setattr(memories.table, "write_all", busy)
    assert recalled(memories, 1) == [PASSWORD]


def test_counts_are_right_before_compaction_and_after(memories, clock):
    names = remember(memories, 1, *(f"{n}" for n in range(5)), memory_type="error")
    memories.service.forget(names[0], ANYBODY)

    def counted():
        told = memories.service.stats(1, ANYBODY)
        (space,) = told["spaces"]
        return told["memories"], space["count"]

    expected = ({"total": 4, "by_type": {"error": 4}}, 4)
    assert counted() == expected
    compact(memories, "agent:1", clock)
    assert counted() == expected
    memories.service.forget(names[1], ANYBODY)
    assert counted() == ({"total": 3, "by_type": {"error": 3}}, 3)


# Knowledge


def test_knowledge_is_added_found_changed_and_forgotten(platform, memories, clock):
    service = memories.knowledge
    new = NewKnowledge("Deploying", "make deploy", category="ops", project_id=9)
    kept, _ = service.add(new, None, ANYBODY)
    compact(memories, "knowledge", clock)

    def found(query, **wish):
        vector = memories.vectoriser.vectors([query])[0]
        wish = Wish(**{"threshold": 0.3, **wish})
        return [(one.id, one.content) for one in service.search(vector, wish)]

    assert found("deploying") == [(kept.id, "make deploy")]
    assert found("deploying", kind="law") == []
    assert found("deploying", project_id="9") == [(kept.id, "make deploy")]
    changed = NewKnowledge("Holidays", "the office is closed")
    service.change(kept.id, changed, None, ANYBODY)
    assert found("deploying") == []
    assert found("holidays") == [(kept.id, "the office is closed")]
    assert service.get(kept.id).title == "Holidays"
    assert service.count(Wish()) == 1
    service.forget(kept.id, ANYBODY)
    assert found("holidays") == []
    with pytest.raises(NotFoundError):
        service.change(kept.id, changed, None, ANYBODY)
    kinds = [
        e.type
        for k in ("added", "changed", "forgotten")
        for e in told(platform, f"knowledge.{k}")
    ]
    assert kinds == ["knowledge.added", "knowledge.changed", "knowledge.forgotten"]


@pytest.mark.parametrize(
    "content",
    [
        "<script>alert(1)</script>",
        "'; DROP TABLE memories; --",
        "\x00\x01\x1f",
        "\U0001d54a \u202e right to left",
        "a" * 32_768,
        "#pk",
        ":v",
        "🧠" * 50,
    ],
)
def test_hostile_content_is_a_content_like_any_other(memories, clock, content):
    (name,) = remember(
        memories, 1, content, tags=[content[:64] or "x"], key=content[:64]
    )
    compact(memories, "agent:1", clock)

    assert memories.service.get(name, ANYBODY).value == content
    assert recalled(memories, 1, content, threshold=0.99) == [content]
    assert recalled(memories, 1, content, threshold=0.9, tags=(content[:64],)) == [
        content
    ]


def test_many_writers_at_once_lose_nothing(memories):
    lock, errors = threading.Lock(), []
    write = memories.table.write_all

    def alone(writes):
        with lock:  # moto is for one at a time
            return write(writes)

    memories.table.write_all = alone

    def work(n):
        try:
            for m in range(5):
                remember(memories, 1, f"{n} {m}", scope="global")
        except Exception as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]

    assert errors == []
    del memories.table.write_all
    assert len(recalled(memories, 2, "x", threshold=-1, limit=100)) == 20


# Limits, and those who are late


@pytest.fixture
def small(memories, monkeypatch):
    """Spaces have room for five vectors of eight numbers."""
    monkeypatch.setattr(model, "MOST_NUMBERS", 5 * 8)
    return memories


def looked_after(monkeypatch, answer):
    for part in (store, service):
        monkeypatch.setattr(part, "is_looked_after", lambda _: answer)


def test_a_burst_fills_a_space_no_further_than_it_goes(small, clock, monkeypatch):
    looked_after(monkeypatch, answer=True)
    for n in range(5):
        keep(small, f"{n}", toward(1, n / 10))
    with pytest.raises(SpaceFullError, match="has 5 vectors"):
        keep(small, "5", toward(1))
    # Who does not count is told, too, whichever process it is.
    looked_after(monkeypatch, answer=False)
    with pytest.raises(SpaceFullError):
        keep(another(small), "5", toward(1))
    keep(small, "other", toward(1), agent="w")

    compact(small, "agent:v", clock)

    with pytest.raises(SpaceFullError):
        keep(small, "5", toward(1))
    assert len(near(small, toward(1))) == 5


def test_a_tail_that_was_too_long_is_no_hindrance_once_it_is_shorter(
    small, clock, monkeypatch
):
    looked_after(monkeypatch, answer=True)
    names = [keep(small, f"{n}", toward(1, n / 10)) for n in range(5)]
    with pytest.raises(SpaceFullError):
        keep(small, "5", toward(1))
    for name in names[:2]:
        small.service.forget(name, ANYBODY)
    compact(small, "agent:v", clock)

    keep(small, "5", toward(1))
    keep(small, "6", toward(1))
    with pytest.raises(SpaceFullError):
        keep(small, "7", toward(1))


def test_what_is_forgotten_makes_room_at_once(small, clock):
    names = [keep(small, f"{n}", toward(1, n / 10)) for n in range(5)]
    compact(small, "agent:v", clock)
    with pytest.raises(SpaceFullError):
        keep(small, "5", toward(1))

    small.service.forget(names[0], ANYBODY)

    keep(small, "5", toward(1))
    assert [v for v, _ in near(small, toward(1), limit=1)] == ["5"]


def test_a_space_that_is_full_is_looked_after(small, clock, monkeypatch):
    looked_after(monkeypatch, answer=False)
    for n in range(5):
        keep(small, f"{n}", toward(1, n / 10))
    asked = []
    small.service.compact = asked.append
    looked_after(monkeypatch, answer=True)
    with pytest.raises(SpaceFullError):
        keep(small, "5", toward(1))
    assert asked == ["agent:v"]


@pytest.mark.parametrize("second", [0, 1, 59, 59.999])
def test_when_a_space_is_looked_after_what_is_written_now_is_settled(
    memories, clock, second
):
    noted = []
    needs = replace(
        memories.needs, later=lambda *row: noted.append((row[2], row[3])), leave=print
    )
    clock.now = clock.now // 60 * 60 + second
    made = Memories(memories.settings, memories.aws, memories.table, needs)
    made.store.clock = memories.store.clock
    made.compact_soon("agent:v")
    made.compact_soon("agent:v")

    ((at_ms, ref),) = noted
    assert ref == {"space": "agent:v"}
    assert 60_000 <= at_ms - clock.now * 1_000 <= 120_000


def test_a_chore_says_how_young_a_row_may_be(memories, clock):
    keep(memories, "a", toward(1))
    clock.tick(2)
    assert memories.compactor.run({"space": "agent:v"}) == 0
    assert memories.compactor.run({"space": "agent:v", "settle_ms": 1_000}) == 1


def test_a_row_that_would_come_late_is_refused_and_nothing_is_written(
    platform, memories, clock
):
    old = ulid.new_ulid(int((clock() - 26) * 1_000))
    memories.store.new_key, fresh = lambda: old, memories.store.new_key
    with pytest.raises(store.LateError):
        keep(memories, "late", toward(1))
    memories.store.new_key = fresh
    assert near(memories, toward(1)) == []
    assert told(platform, "memory.created") == []


def test_a_clock_that_is_behind_hides_nothing_from_searches(memories, clock):
    keep(memories, "a", toward(1))
    slow = another(memories)
    slow.store.clock = lambda: clock() - 600
    slow.store.new_key = lambda: ulid.new_ulid(int((clock() - 600) * 1_000))
    compact(memories, "agent:v", clock)

    with pytest.raises(store.LateError):
        keep(slow, "behind the segments", toward(1))
    assert len(near(memories, toward(1))) == 1


def test_a_member_of_a_circle_of_an_odd_project_recalls_all_the_same(memories):
    memories.access = Access(lambda _: [5], lambda _: ["my project", 9])
    remember(memories, 1, PASSWORD, scope="project", scope_id=9)
    assert recalled(memories, 2) == [PASSWORD]
