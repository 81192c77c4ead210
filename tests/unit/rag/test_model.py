"""What a memory may hold, who shares what, and what the local vectors know."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.rag import hashing
from eventyard.rag.model import NewKnowledge, NewMemory, RecallResult, Wish
from eventyard.rag.spaces import InvalidMemoryError, readable, space_of
from eventyard.rag.tell import created


def test_a_memory_is_what_it_says_and_no_more_need_be_said():
    memory = NewMemory(1, "water boils at 100 °C")

    assert (memory.memory_type, memory.scope, memory.importance) == (
        "fact",
        "agent",
        0.5,
    )
    assert len(memory.name) == 16
    assert memory.name == NewMemory(2, "water boils at 100 °C").name
    assert NewMemory(1, "x", key="mine").name == "mine"
    assert NewMemory(1, "x", tags=["b", "a", "b"]).tags == ("b", "a")
    assert memory.space == "agent:1"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"content": ""}, "content is a text that is not empty"),
        ({"content": " \n"}, "content is a text that is not empty"),
        ({"content": 7}, "content is a text"),
        ({"content": "\ud800"}, "UTF-8"),
        ({"content": "é" * 16_385}, "32768 bytes, not 32770"),
        ({"memory_type": "rumour"}, "memory_type is one of fact, preference"),
        ({"memory_type": None}, "memory_type is one of"),
        ({"importance": 1.1}, "importance is a number from 0 to 1"),
        ({"importance": True}, "importance"),
        ({"importance": float("nan")}, "importance"),
        ({"importance": "0.5"}, "importance"),
        ({"tags": "abc"}, "tags are a list"),
        ({"tags": 7}, "tags are a list"),
        ({"tags": [""]}, "A tag"),
        ({"tags": [7]}, "A tag"),
        ({"tags": ["x" * 65]}, "A tag"),
        ({"tags": [str(n) for n in range(33)]}, "32 tags, not 33"),
        ({"key": ""}, "key is a text of 1 to 256"),
        ({"key": "x" * 257}, "key"),
        ({"scope": "everybody"}, "scope is one of agent, circle, project, global"),
        ({"scope": "circle"}, "scope_id"),
        ({"scope": "circle", "scope_id": True}, "scope_id"),
        ({"scope": "circle", "scope_id": "a#b"}, "scope_id"),
        ({"scope": "global", "scope_id": 1}, "global has no scope_id"),
        ({"scope": "agent", "scope_id": 2}, "no other than the agent"),
        ({"agent_id": ""}, "agent_id"),
        ({"agent_id": "x" * 129}, "agent_id"),
        ({"agent_id": 1.5}, "agent_id"),
        ({"agent_id": None}, "agent_id"),
        ({"agent_id": "a b"}, "agent_id"),
    ],
)
def test_what_is_no_memory_is_told_why(wrong, why):
    told = {"agent_id": 1, "content": "x", **wrong}

    with pytest.raises(InvalidMemoryError, match=why) as caught:
        NewMemory(**told)

    assert isinstance(caught.value, ValueError)


def test_a_batch_takes_texts_and_mappings_and_nothing_else():
    assert NewMemory.read(1, "x") == NewMemory(1, "x")
    assert NewMemory.read(1, {"content": "x", "tags": ["a"]}).tags == ("a",)
    for wrong in (7, None, {}, {"contents": "x"}, {"content": "x", "colour": "red"}):
        with pytest.raises(InvalidMemoryError):
            NewMemory.read(1, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": -1},
        {"limit": 101},
        {"limit": True},
        {"threshold": 1.1},
        {"threshold": float("nan")},
        {"tags": "a"},
    ],
)
def test_what_is_no_wish_is_told(wrong):
    with pytest.raises(InvalidMemoryError):
        Wish(**wrong)


def test_knowledge_has_a_title_and_a_content():
    made = NewKnowledge("How to deploy", "make deploy", project_id=7)
    assert made.text == "How to deploy\nmake deploy"
    for wrong in (("", "x"), ("x", ""), ("x" * 257, "x")):
        with pytest.raises(InvalidMemoryError):
            NewKnowledge(*wrong)
    with pytest.raises(InvalidMemoryError):
        NewKnowledge("x", "y", project_id="a#b")


def test_an_agent_recalls_from_its_own_and_what_it_shares_and_no_space_twice():
    assert readable(1) == ("agent:1", "global")
    found = readable("ann", [5, "5", 6], (9,))
    assert found == ("agent:ann", "circle:5", "circle:6", "project:9", "global")
    assert space_of("project", 9, "ann") == "project:9"


@given(st.from_type(int) | st.text(max_size=20), st.text(max_size=20))
def test_no_name_reaches_into_the_space_of_another_kind(agent, circle):
    try:
        own, shared = space_of("agent", None, agent), space_of("circle", circle, agent)
    except InvalidMemoryError:
        return
    assert own.startswith("agent:")
    assert shared.startswith("circle:")
    assert "#" not in own + shared


def test_what_is_shared_is_told_with_its_content_and_what_is_not_without():
    shared = NewMemory(1, "secret", scope="circle", scope_id=5, importance=0.9)
    kind, data, attributes = created("mem_1", shared)
    assert kind == "memory.shared"
    assert data == {
        "memory_id": "mem_1",
        "content": "secret",
        "memory_type": "fact",
        "scope": "circle",
        "scope_id": 5,
        "importance": 0.9,
    }
    assert attributes == {"source_agent_id": 1, "circle_id": 5}

    kind, data, attributes = created("mem_1", NewMemory(1, "secret"))
    assert kind == "memory.created"
    assert data == {"memory_id": "mem_1", "memory_type": "fact", "importance": 0.5}
    assert attributes == {"source_agent_id": 1}
    project = NewMemory(1, "x", scope="project", scope_id=2)
    assert created("m", project)[2] == {"source_agent_id": 1, "project_id": 2}


def test_an_answer_goes_to_json_and_back():
    one = RecallResult("mem_1", "k", "v", "fact", 0.9, 0.5, 1, tags=("a",))

    assert RecallResult(**json.loads(json.dumps(one.dict()))) == one
    # As others make one.
    assert (
        RecallResult(
            id="a",
            key="k",
            value="v",
            memory_type="fact",
            similarity=1.0,
            importance=0.5,
        ).tags
        == ()
    )
    assert asdict(one)["similarity"] == 0.9


def similarity(one, other):
    return sum(map(float.__mul__, hashing.embed(one), hashing.embed(other)))


@pytest.mark.parametrize(
    ("text", "related", "other"),
    [
        (
            "Database password is in .env.production",
            "where is the database password?",
            "The team has lunch at noon",
        ),
        ("Deployments run on Fridays", "when do we deploy?", "The cat sat on the mat"),
        (
            "Use pytest fixtures for test set-up",
            "how are tests set up with fixtures",
            "customers are billed monthly",
        ),
        ("Le mot de passe est changé", "mot de passe", "rapport de ventes annuel"),
        ("The API times out after 30 seconds", "API timeout", "paint the fence green"),
    ],
)
def test_related_texts_are_nearer_than_others(text, related, other):
    assert similarity(text, related) > 0.15
    assert similarity(text, related) > 2 * abs(similarity(text, other))


@given(st.text(min_size=1, max_size=200), st.sampled_from([16, 256, 1_536]))
def test_every_text_has_one_vector_of_length_one(text, dimension):
    vector = hashing.embed(text, dimension)

    assert len(vector) == dimension
    assert sum(x * x for x in vector) == pytest.approx(1)
    assert hashing.embed(text, dimension) == vector


def test_the_same_text_has_the_same_vector_in_every_process():
    import hashlib
    import struct

    vector = hashing.embed("Database password is in .env.production")
    raw = struct.pack("<256e", *vector)

    # Rows that are stored must be found by what is asked later.
    assert hashlib.sha256(raw).hexdigest()[:16] == DIGEST


DIGEST = "601cdf5163fd448b"


def test_a_project_that_no_memory_can_be_for_keeps_nobody_from_the_others():
    found = readable(7, (1,), ("my project", "shop", "a\nb"))
    assert found == ("agent:7", "circle:1", "project:shop", "global")
