"""/api/v1/schemas: written by admins, read by readers, asked at every publish."""

from __future__ import annotations

import pytest

from tests.steps import bearer, listed, publish

ORDER = {"type": "object", "required": ["total"]}


def save(http, **wish):
    body = {"topics": "order.*", "schema": ORDER, "mode": "enforce"}
    return http.post("/api/v1/schemas", {**body, **wish})


def test_a_schema_is_created_read_replaced_and_removed(http):
    created = save(http, description="orders")
    made = created.json()
    assert created.status == 201
    assert made.keys() == {
        *("id", "topics", "schema", "mode", "description", "created_at", "updated_at")
    }
    assert (made["topics"], made["schema"]) == ("order.*", ORDER)

    path = f"/api/v1/schemas/{made['id']}"
    assert http.get(path).json() == made
    replaced = save(http, mode="warn")
    assert (replaced.status, replaced.json()["id"]) == (200, made["id"])
    assert (replaced.json()["mode"], replaced.json()["description"]) == ("warn", "")
    assert replaced.json()["created_at"] == made["created_at"]
    assert http.get("/api/v1/schemas").json() == {
        "schemas": [replaced.json()],
        "cursor": None,
    }
    assert http.delete(path).json() == {"deleted": made["id"]}
    assert http.get(path).status == http.delete(path).status == 404
    assert http.get("/api/v1/schemas").json() == {"schemas": [], "cursor": None}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"topics": "a"},
        {"schema": {}},
        {"topics": "", "schema": {}},
        {"topics": "a*", "schema": {}},
        {"topics": ["a"], "schema": {}},
        {"topics": "a" * 257, "schema": {}},
        {"topics": "a", "schema": True},
        {"topics": "a", "schema": "{}"},
        {"topics": "a", "schema": {"type": "strin"}},
        {"topics": "a", "schema": {"$ref": "https://schemas.test"}},
        {"topics": "a", "schema": {"pattern": "(a+)+"}},
        {"topics": "a", "schema": {"description": "x" * 65_536}},
        {"topics": "a", "schema": {}, "mode": "on"},
        {"topics": "a", "schema": {}, "mode": None},
        {"topics": "a", "schema": {}, "description": 7},
        {"topics": "a", "schema": {}, "description": "x" * 501},
        {"topics": "a", "schema": {}, "definition": {}},
        {"topics": "a", "schema": {}, "other": 1},
    ],
)
def test_a_schema_that_makes_no_sense_is_not_saved(http, platform, body):
    told = http.post("/api/v1/schemas", body)

    assert told.status == 400
    assert told.json()["error"]["message"]
    assert http.get("/api/v1/schemas").json()["schemas"] == []
    assert listed(platform) == []


@pytest.mark.parametrize("name", ["x", "sch_" + "0" * 20, "x" * 2_000, "%20", "%F0%9F"])
def test_a_schema_that_is_not_there_is_not_found(http, name):
    assert http.get(f"/api/v1/schemas/{name}").status == 404
    assert http.delete(f"/api/v1/schemas/{name}").status == 404


def test_schemas_are_listed_by_pages(http):
    names = {save(http, topics=f"t.{n}", schema={}).json()["id"] for n in range(5)}

    first = http.get("/api/v1/schemas?limit=3").json()
    second = http.get(f"/api/v1/schemas?limit=3&cursor={first['cursor']}").json()

    assert [len(page["schemas"]) for page in (first, second)] == [3, 2]
    assert {s["id"] for s in first["schemas"] + second["schemas"]} == names
    assert second["cursor"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=51", "limit=x", "cursor=x", "cursor=%F4%8F%BF%BF"]
)
def test_a_page_that_makes_no_sense_is_refused(http, query):
    assert http.get(f"/api/v1/schemas?{query}").status == 400


def test_a_refused_event_is_told_with_its_place(http, platform):
    save(http)

    told = http.post("/api/v1/events", {"type": "order.x", "payload": {}})

    assert told.status == 400
    error = told.json()["error"]
    assert error["code"] == "invalid_event"
    assert error["details"] == {
        "index": 0,
        "pattern": "order.*",
        "path": "payload",
        "message": "'total' is a required property",
    }
    assert "order.*" in error["message"]
    assert [e.type for e in listed(platform)] == ["eventyard.schema.created"]


CLOUD = {"specversion": "1.0", "id": "1", "source": "s", "type": "order.x", "data": {}}


@pytest.mark.parametrize(
    ("path", "body", "media"),
    [
        ("/api/v1/events", {"type": "order.x"}, "application/json"),
        ("/api/v1/events", [{"type": "a"}, {"type": "order.x"}], "application/json"),
        ("/api/v1/events/batch", [{"type": "order.x"}], "application/json"),
        ("/api/v1/events", CLOUD, "application/cloudevents+json"),
        ("/api/v1/events", [CLOUD], "application/cloudevents-batch+json"),
    ],
)
def test_every_way_of_publishing_is_checked(http, platform, path, body, media):
    save(http)
    refused = http.post(path, body, Content_Type=media)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "invalid_event")
    save(http, mode="warn")

    warned = http.post(path, body, Content_Type=media)

    assert warned.status == 201
    results = warned.json().get("events", [warned.json()])
    assert [bool(one.get("warnings")) for one in results] == [
        *[False] * (len(results) - 1),
        True,
    ]
    assert results[-1]["warnings"][0]["pattern"] == "order.*"


def test_a_key_for_some_topics_sees_the_schemas_that_may_apply_to_them(http, locked):
    bearer(http, "admin")
    for topics in ("user.*", "order.*", "**", "*.created", "user.created.v2"):
        save(http, topics=topics, schema={})
    hidden = http.get("/api/v1/schemas").json()["schemas"]
    bearer(http, "events:subscribe:user.*")

    shown = http.get("/api/v1/schemas?limit=3").json()

    assert {s["topics"] for s in shown["schemas"]} == {"user.*", "**", "*.created"}
    assert shown["cursor"] is None
    for schema in hidden:
        status = http.get(f"/api/v1/schemas/{schema['id']}").status
        assert status == (200 if schema in shown["schemas"] else 404)


def test_the_log_tells_who_changed_a_schema(http, locked):
    bearer(http, "admin", name="root")
    made = save(http).json()
    save(http, mode="off")
    http.delete(f"/api/v1/schemas/{made['id']}")

    told = [(e.type, e.payload) for e in reversed(listed(locked))]

    assert [name for name, _ in told] == [
        f"eventyard.schema.{change}" for change in ("created", "replaced", "deleted")
    ]
    assert [p["mode"] for _, p in told] == ["enforce", "off", "off"]
    assert {p["by"]["name"] for _, p in told} == {"root"}
    assert {p["id"] for _, p in told} == {made["id"]}


def test_a_schema_is_inferred_saved_and_accepts_what_it_came_from(http, platform):
    events = [
        {"type": "order.placed", "payload": {"order": 1, "total": 9.5, "note": None}},
        {"type": "order.placed", "payload": {"order": 2, "total": 3, "tags": ["a"]}},
        {"type": "user.created", "payload": "ada"},
    ]
    publish(platform, *events)

    told = http.post("/api/v1/schemas/infer", {"topics": ["order.*"], "last": 50})
    assert told.status == 200
    inferred = told.json()
    assert inferred["examined"] == 2
    assert set(inferred["schema"]["required"]) == {"order", "total"}
    assert http.get("/api/v1/schemas").json()["schemas"] == []

    assert save(http, schema=inferred["schema"]).status == 201
    assert http.post("/api/v1/events", events).status == 201
    odd = {"type": "order.placed", "payload": {"order": "x", "total": 1}}
    assert http.post("/api/v1/events", odd).status == 400


def test_a_key_for_some_topics_infers_from_those_alone(http, locked):
    publish(
        locked, {"type": "user.a", "payload": 1}, {"type": "order.a", "payload": "x"}
    )
    bearer(http, "events:subscribe:user.*")

    told = http.post("/api/v1/schemas/infer", {})
    none = http.post("/api/v1/schemas/infer", {"topics": ["order.*"]})

    assert told.json()["examined"] == 1
    assert told.json()["schema"]["type"] == "integer"
    assert none.status == 404


def test_nothing_can_be_inferred_from_an_empty_log(http):
    told = http.post("/api/v1/schemas/infer", {"topics": ["*"]})

    assert (told.status, told.json()["error"]["code"]) == (404, "not_found")
    assert "no events" in told.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"topics": "order.*"},
        {"topics": []},
        {"topics": ["a*"]},
        {"topics": [7]},
        {"topics": ["a"] * 101},
        {"last": 0},
        {"last": 1001},
        {"last": "7"},
        {"other": 1},
    ],
)
def test_a_wish_to_infer_that_makes_no_sense_is_refused(http, platform, body):
    publish(platform, {"type": "a"})

    assert http.post("/api/v1/schemas/infer", body).status == 400
