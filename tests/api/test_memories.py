"""Memories and knowledge over HTTP: statuses, shapes, keys, and who may what."""

from __future__ import annotations

import dataclasses

import pytest

from chalicelib.config import Embeddings
from chalicelib.memories.model import MOST_NUMBERS
from tests.embeddingservers import OPENAI_KEY, Gemini, OpenAI, Titan, openai_refusal
from tests.geminiserver import KEY as GEMINI_KEY
from tests.memories import PASSWORD, QUESTION, with_members
from tests.steps import bearer

PATH = "/api/v1/memories"
NEW = {"agent_id": 1, "content": PASSWORD}
KNOWN = {"title": "Deploying", "content": "make deploy"}


@pytest.fixture(autouse=True)
def memories(platform):
    return with_members(platform)


def remember(http, **more):
    told = http.post(PATH, {**NEW, **more})
    assert told.status == 201, told.text
    return told.json()["memory"]


def recall(http, agent=1, **more):
    asked = {"agent_id": agent, "query": QUESTION, "threshold": 0.3, **more}
    told = http.post(f"{PATH}/recall", asked)
    assert told.status == 200, told.text
    return told.json()


def test_a_memory_is_kept_shown_recalled_and_forgotten(http):
    made = remember(http, tags=["ops"], importance=0.9, key="db", source_type="chat")

    assert made["value"] == PASSWORD
    assert (made["key"], made["tags"], made["access_count"]) == ("db", ["ops"], 0)
    assert http.get(f"{PATH}/{made['id']}").json() == {"memory": made}
    (found,) = recall(http)["results"]
    assert (found["id"], found["similarity"] > 0.5) == (made["id"], True)
    assert recall(http)["searched"] == ["agent:1"]
    told = http.get(f"{PATH}/{made['id']}").json()["memory"]
    assert told["access_count"] == 2
    assert http.delete(f"{PATH}/{made['id']}").json() == {
        "id": made["id"],
        "forgotten": True,
    }
    assert http.get(f"{PATH}/{made['id']}").status == 404
    assert http.delete(f"{PATH}/{made['id']}").status == 404
    assert recall(http)["results"] == []


def test_a_get_recalls_as_well_and_counts_nothing(http):
    name = remember(http)["id"]

    told = http.get(f"{PATH}/recall?agent=1&query=database%20password&threshold=0.3")

    assert [one["id"] for one in told.json()["results"]] == [name]
    assert http.get(f"{PATH}/{name}").json()["memory"]["access_count"] == 0
    assert (
        http.get(f"{PATH}/recall?agent=1&query=x&tag=a&tag=b&memory_type=fact").status
        == 200
    )


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"content": ""}, "content"),
        ({"content": "  "}, "content"),
        ({"content": 7}, "content"),
        ({"content": "x" * 32_769}, "32768"),
        ({"agent_id": None}, "agent_id"),
        ({"agent_id": True}, "agent_id"),
        ({"agent_id": "a b"}, "agent_id"),
        ({"agent_id": "x" * 129}, "agent_id"),
        ({"memory_type": "rumour"}, "memory_type"),
        ({"importance": 2}, "importance"),
        ({"importance": "1"}, "importance"),
        ({"tags": ["x"] * 33}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"scope": "all"}, "scope"),
        ({"scope": "circle"}, "scope_id"),
        ({"scope": "global", "scope_id": 1}, "scope_id"),
        ({"colour": "red"}, "colour"),
        ({"embedding": []}, "embedding"),
        ({"embedding": [0.0] * 8}, "zeros"),
        ({"embedding": ["x"] * 8}, "embedding"),
        ({"embedding": [1.0] * 4_097}, "embedding"),
    ],
)
def test_what_is_no_memory_is_refused_with_the_reason(http, wrong, why):
    told = http.post(PATH, {**NEW, **wrong})

    assert told.status == 400, told.text
    assert why in told.text
    assert http.get(f"{PATH}?agent=1").json() == {"memories": [], "cursor": None}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"query": None}, "one of them"),
        ({"query": ""}, "query"),
        ({"query": " "}, "query"),
        ({"embedding": [1.0] * 8}, "one of them"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"threshold": 1.5}, "threshold"),
        ({"memory_type": "x"}, "memory_type"),
        ({"tags": "x"}, "tags"),
    ],
)
def test_what_is_no_question_is_refused_with_the_reason(http, wrong, why):
    asked = {"agent_id": 1, "query": QUESTION, **wrong}
    told = http.post(f"{PATH}/recall", asked)

    assert told.status == 400
    assert why in told.text


@pytest.mark.parametrize(
    "query",
    [
        "query=x",
        "agent=1",
        "agent=1&query=x&threshold=far",
        "agent=1&query=x&limit=0",
        "agent=a%20b&query=x",
        "agent=1&query=x&threshold=nan",
    ],
)
def test_a_get_that_makes_no_sense_is_refused(http, query):
    assert http.get(f"{PATH}/recall?{query}").status == 400


def test_a_batch_is_kept_whole_or_not_at_all(http):
    told = http.post(f"{PATH}/batch", {"memories": [NEW, {**NEW, "content": "b"}]})
    assert told.status == 201
    assert len(told.json()["ids"]) == 2

    for wrong in ([], [NEW] * 41, [NEW, {**NEW, "scope": "circle"}], [NEW, {}]):
        assert http.post(f"{PATH}/batch", {"memories": wrong}).status == 400
    spread = [{**NEW, "agent_id": n} for n in range(11)]
    assert "10 spaces" in http.post(f"{PATH}/batch", {"memories": spread}).text
    assert len(http.get(f"{PATH}?agent=1").json()["memories"]) == 2


def test_a_second_try_is_answered_with_the_first(http):
    first = http.post(PATH, NEW, Idempotency_Key="k")
    again = http.post(PATH, NEW, Idempotency_Key="k")
    other = http.post(PATH, {**NEW, "content": "b"}, Idempotency_Key="k")
    odd = http.post(PATH, NEW, Idempotency_Key="k k")

    assert [first.status, again.status, other.status, odd.status] == [
        201,
        200,
        409,
        400,
    ]
    assert again.json() == first.json()
    assert other.fault()["code"] == "idempotency_key_reused"
    batch = {"memories": [NEW]}
    ids = [http.post(f"{PATH}/batch", batch, Idempotency_Key="b").json() for _ in "ab"]
    assert ids[0] == ids[1]


def test_a_list_walks_from_page_to_page(http):
    for n in range(5):
        remember(http, content=f"fact {n}", tags=[f"t{n % 2}"])
    found, cursor = [], ""
    while cursor is not None:
        page = http.get(f"{PATH}?agent=1&limit=2&cursor={cursor}").json()
        found += [one["value"] for one in page["memories"]]
        cursor = page["cursor"]

    assert sorted(found) == [f"fact {n}" for n in range(5)]
    assert len(http.get(f"{PATH}?agent=1&tag=t0").json()["memories"]) == 3
    assert http.get(f"{PATH}?agent=1&memory_type=error").json()["memories"] == []
    assert http.get(PATH).status == 400


def test_statistics_and_spaces_tell_what_there_is(http):
    remember(http)
    remember(http, scope="circle", scope_id=5)
    http.post(f"{PATH}/knowledge", KNOWN)

    told = http.get(f"{PATH}/stats?agent=1").json()
    assert told["memories"] == {"total": 1, "by_type": {"fact": 1}}
    assert [(s["space"], s["count"]) for s in told["spaces"]] == [
        ("agent:1", 1),
        ("circle:5", 1),
    ]
    assert told["spaces"][0]["limit"] == MOST_NUMBERS // 256
    assert told["knowledge"] == {"total": 1}
    assert http.get(f"{PATH}/stats").json()["memories"] is None
    spaces = http.get(f"{PATH}/spaces").json()["spaces"]
    assert [s["space"] for s in spaces] == ["agent:1", "circle:5", "knowledge"]


def test_knowledge_is_added_looked_up_changed_and_forgotten(http):
    made = http.post(f"{PATH}/knowledge", {**KNOWN, "category": "ops", "project_id": 9})
    assert made.status == 201
    kept = made.json()["knowledge"]
    one = f"{PATH}/knowledge/{kept['id']}"

    def search(**more):
        asked = {"query": "how to deploy", "threshold": 0.1, **more}
        told = http.post(f"{PATH}/knowledge/search", asked)
        assert told.status == 200, told.text
        return [each["title"] for each in told.json()["results"]]

    assert search() == ["Deploying"]
    assert search(category="law") == []
    assert search(project_id=9) == ["Deploying"]
    assert http.get(one).json() == {"knowledge": kept}
    assert http.get(f"{PATH}/knowledge?category=ops&project=9").json()["knowledge"] == [
        kept
    ]
    assert http.get(f"{PATH}/knowledge?category=law").json()["knowledge"] == []
    changed = http.put(one, {"title": "Holidays", "content": "the office is closed"})
    assert changed.json()["knowledge"]["title"] == "Holidays"
    assert search() == []
    assert http.get(f"{PATH}/stats?category=ops").json()["knowledge"] == {"total": 0}
    assert http.delete(one).status == 200
    for gone in (http.get(one), http.delete(one), http.put(one, KNOWN)):
        assert gone.status == 404
    again = [http.post(f"{PATH}/knowledge", KNOWN, Idempotency_Key="k") for _ in "ab"]
    assert [a.status for a in again] == [201, 200]
    assert again[0].json() == again[1].json()
    for wrong in ({}, {"title": "x"}, {**KNOWN, "title": ""}, {**KNOWN, "tags": 7}):
        assert http.post(f"{PATH}/knowledge", wrong).status == 400


# Keys


def test_without_a_scope_nothing_is_read_or_written(locked, http):
    assert http.get(f"{PATH}?agent=1").status == 401
    bearer(http, "graph:read")
    for told in (
        http.get(f"{PATH}?agent=1"),
        http.get(f"{PATH}/spaces"),
        http.post(PATH, NEW),
        http.post(f"{PATH}/recall", {"agent_id": 1, "query": "x"}),
        http.delete(f"{PATH}/mem_x"),
        http.post(f"{PATH}/knowledge", KNOWN),
    ):
        assert told.status == 403, told.text


def test_a_key_for_some_agents_is_for_those_alone(locked, http):
    bearer(http, "memories:write:team.*", "memories:read:team.*")
    mine = remember(http, agent_id="team.a")

    assert http.get(f"{PATH}/{mine['id']}").status == 200
    assert http.post(PATH, NEW).fault()["details"]["scope"] == "memories:write"
    assert http.get(f"{PATH}?agent=1").status == 403
    assert http.get(f"{PATH}/stats?agent=1").status == 403
    assert [s["space"] for s in http.get(f"{PATH}/spaces").json()["spaces"]] == [
        "agent:team.a"
    ]
    bearer(http, "memories:write:1", "memories:read:1")
    assert http.get(f"{PATH}/{mine['id']}").status == 404
    assert http.delete(f"{PATH}/{mine['id']}").status == 404
    assert http.post(PATH, {**NEW, "scope": "circle", "scope_id": 6}).status == 403
    remember(http, scope="circle", scope_id=5)
    author = {**KNOWN, "author_agent_id": 2}
    assert http.post(f"{PATH}/knowledge", author).status == 403


def test_a_key_for_writing_alone_is_shown_what_it_wrote_and_nothing_else(locked, http):
    bearer(http, "memories:write")
    made = remember(http)

    assert http.get(f"{PATH}/{made['id']}").status == 403


def test_members_recall_what_is_shared_and_others_do_not(locked, http):
    bearer(http, "memories:write", "memories:read")
    remember(http, scope="circle", scope_id=5)

    assert len(recall(http, 2)["results"]) == 1
    assert recall(http, 3)["results"] == []


# Vectors


def test_a_vector_of_ones_own_is_taken_and_its_length_and_model_are_held(http):
    own = {"embedding": [1.0] * 16, "embedding_model": "mine"}
    remember(http, **own)
    asked = {"agent_id": 1, **own, "threshold": 0.9}
    assert len(http.post(f"{PATH}/recall", asked).json()["results"]) == 1

    wrong = http.post(PATH, {**NEW, "embedding": [1.0] * 17, "embedding_model": "mine"})
    assert (wrong.status, wrong.fault()["code"]) == (400, "wrong_dimension")
    assert "have 16 numbers and are of mine; this one has 17" in wrong.text
    assert http.post(PATH, NEW).status == 400
    told = http.post(f"{PATH}/recall", {"agent_id": 1, "query": "x"})
    assert (told.status, told.fault()["details"]["dimension"]) == (400, 16)


def test_a_space_of_another_model_is_named_where_nothing_was_looked_for(http):
    remember(http, scope="circle", scope_id=5)
    remember(http, embedding=[1.0] * 16)

    told = recall(http)
    assert len(told["results"]) == 1
    assert told["skipped"] == [{"space": "agent:1", "dimension": 16, "model": "own"}]


def test_a_full_space_is_a_409_that_says_how_much_is_in_it(http, monkeypatch):
    from chalicelib.memories import model

    monkeypatch.setattr(model, "MOST_NUMBERS", 255)
    told = http.post(PATH, NEW)

    assert (told.status, told.fault()["code"]) == (409, "space_full")
    assert told.fault()["details"] == {"space": "agent:1", "limit": 0}


def chosen(platform, provider, server, key="", **more):
    told = {"model": None, "dimension": None, "url": server.origin, "key": key, **more}
    embeddings = Embeddings(provider=provider, **told)
    platform.memories.settings = dataclasses.replace(
        platform.settings, embeddings=embeddings
    )


@pytest.mark.parametrize(
    ("provider", "kind", "key", "dimension"),
    [
        ("openai", OpenAI, OPENAI_KEY, 1_536),
        ("gemini", Gemini, GEMINI_KEY, 3_072),
        ("bedrock", Titan, "", 1_024),
    ],
)
def test_each_provider_makes_the_vectors(
    platform, http, provider, kind, key, dimension
):
    with kind() as server:
        # moto puts other credentials into the environment.
        found = platform.aws.session.get_credentials()
        server.access_key, server.secret_key = found.access_key, found.secret_key
        chosen(platform, provider, server, key)
        remember(http)
        assert len(recall(http)["results"]) == 1
        assert recall(http)["results"] != []

    (space,) = http.get(f"{PATH}/spaces").json()["spaces"]
    assert space["dimension"] == dimension
    assert space["model"].startswith(provider)
    # The second question was known.
    assert len(server.requests) == 2


def test_a_provider_that_refuses_is_a_503_and_nothing_is_kept(platform, http):
    with OpenAI() as server:
        chosen(platform, "openai", server, "sk-" + "wrong-one")
        told = http.post(PATH, NEW)
        assert (told.status, told.fault()["code"]) == (503, "embedding_failed")
        assert "401" in told.text
        assert "wrong-one" not in told.text
    chosen(platform, "openai", server, OPENAI_KEY)
    platform.memories.__dict__.pop("service")
    platform.memories.__dict__.pop("vectoriser")
    assert http.post(PATH, NEW).status == 503
    platform.memories.settings = platform.settings
    platform.memories.__dict__.pop("service")
    platform.memories.__dict__.pop("vectoriser")
    assert http.get(f"{PATH}?agent=1").json()["memories"] == []


def test_a_busy_provider_is_a_503(platform, http):
    with OpenAI() as server:
        server.told = [openai_refusal(429, "slow down")]
        chosen(platform, "openai", server, OPENAI_KEY)
        told = http.post(PATH, NEW)

    assert told.status == 503
    assert "slow down" in told.text


def test_an_operator_without_a_key_is_told_which(platform, http):
    with OpenAI() as server:
        chosen(platform, "openai", server)
        with pytest.raises(Exception, match="OPENAI_API_KEY"):
            _ = platform.memories.vectoriser
