"""Who may do what over HTTP, and that a secret is never kept or told."""

from __future__ import annotations

import boto3
import pytest

from tests.steps import bearer, listed, publish


def everything_stored(platform):
    pages = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=platform.settings.table)
    )
    return str([item for page in pages for item in page["Items"]])


OPEN_TO_ALL = ("/", "/health", "/api/v1/config", "/static/app.css")
FOR_READERS = (
    "/api/v1/events",
    "/api/v1/events/x",
    "/api/v1/stats",
    "/metrics",
    "/ws/stats",
    "/api/v1/queues",
)
FOR_ADMINS = (
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("DELETE", "/api/v1/keys/x"),
    ("GET", "/api/v1/queues/routing/dead-letters"),
    ("POST", "/api/v1/queues/routing/redrive"),
    ("DELETE", "/api/v1/queues/routing/dead-letters"),
)


def test_an_open_platform_asks_nobody(http):
    assert http.post("/api/v1/events", {"type": "a"}).status == 201
    assert http.get("/api/v1/keys").status == 200


@pytest.mark.parametrize("address", OPEN_TO_ALL)
def test_some_addresses_are_for_everybody(http, locked, address):
    assert http.get(address).status == 200


@pytest.mark.parametrize("address", FOR_READERS)
def test_reading_needs_a_key_with_its_scope(http, locked, address):
    without = http.get(address)
    bearer(http, "events:publish")
    wrong = http.get(address)
    bearer(http, "events:subscribe")
    right = http.get(address)

    assert (without.status, wrong.status) == (401, 403)
    assert wrong.json()["error"]["code"] == "permission_denied"
    assert wrong.json()["error"]["details"] == {"scope": "events:subscribe"}
    assert right.status in (200, 404)


@pytest.mark.parametrize(("method", "address"), FOR_ADMINS)
def test_operating_needs_an_admin(http, locked, method, address):
    ask = {"GET": http.get, "POST": http.post, "DELETE": http.delete}[method]
    without = ask(address)
    bearer(http, "events:publish", "events:subscribe")
    wrong = ask(address)
    bearer(http, "admin")
    right = ask(address)

    assert (without.status, wrong.status) == (401, 403)
    assert right.status in (200, 400, 404)


@pytest.mark.parametrize("scopes", [["events:publish"], ["admin"]])
def test_publishing_with_its_scope_is_allowed(http, locked, scopes):
    bearer(http, *scopes)

    assert http.post("/api/v1/events", {"type": "a"}).status == 201


def test_publishing_without_its_scope_is_refused(http, locked):
    bearer(http, "events:subscribe")

    told = http.post("/api/v1/events", {"type": "a"})

    assert told.status == 403
    assert told.json()["error"]["details"] == {"scope": "events:publish"}
    assert listed(locked) == []


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer ey_unknown",
        "Basic ey_unknown",
        "ey_unknown",
        "Bearer ey_unknown ey_other",
        "Bearer " + "x" * 600,
    ],
)
def test_whoever_has_no_known_key_is_told_how_to_come_in(http, locked, header):
    if header is not None:
        http.headers["Authorization"] = header

    told = http.post("/api/v1/events", {"type": "a"})

    assert told.status == 401
    assert told.headers["www-authenticate"] == "Bearer"
    assert told.json()["error"]["code"] == "unauthenticated"
    assert listed(locked) == []


@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION"])
def test_a_header_name_has_no_case(http, locked, name):
    secret = bearer(http, "events:publish")
    http.headers = {name: f"bearer {secret}"}

    assert http.post("/api/v1/events", {"type": "a"}).status == 201


def test_a_revoked_key_is_refused_once_the_cache_forgets_it(http, locked, clock):
    bearer(http, "events:publish")
    assert http.post("/api/v1/events", {"type": "a"}).status == 201
    (row,) = locked.keys.all()
    locked.keys.revoke(row["id"])

    clock.tick(31)

    assert http.post("/api/v1/events", {"type": "a"}).status == 401
    assert len(listed(locked)) == 1


def test_a_key_for_some_topics_publishes_those_alone(http, locked):
    bearer(http, "events:publish:order.*", "events:publish:user.created")

    assert http.post("/api/v1/events", {"type": "order.paid"}).status == 201
    assert http.post("/api/v1/events", {"type": "user.created"}).status == 201
    refused = http.post("/api/v1/events", {"type": "user.deleted"})

    assert refused.status == 403
    assert refused.json()["error"]["details"] == {
        "scope": "events:publish",
        "topic": "user.deleted",
    }


def test_one_topic_outside_refuses_the_whole_array(http, locked):
    bearer(http, "events:publish:order.*")

    told = http.post("/api/v1/events", [{"type": "order.paid"}, {"type": "user.x"}])

    assert told.status == 403
    assert listed(locked) == []


def test_a_key_for_some_topics_lists_and_reads_those_alone(http, locked):
    mine, other = publish(locked, {"type": "user.created"}, {"type": "order.paid"})
    bearer(http, "events:subscribe:user.*")

    page = http.get("/api/v1/events").json()

    assert [event["id"] for event in page["events"]] == [mine.event_id]
    assert http.get(f"/api/v1/events/{mine.event_id}").status == 200
    hidden = http.get(f"/api/v1/events/{other.event_id}")
    missing = http.get("/api/v1/events/evt_missing")
    assert hidden.status == missing.status == 404
    assert hidden.json()["error"]["code"] == missing.json()["error"]["code"]


def test_topics_asked_for_never_widen_a_key(http, locked):
    publish(locked, {"type": "user.created"}, {"type": "order.paid"})
    bearer(http, "events:subscribe:user.*")

    page = http.get("/api/v1/events?topics=order.*,*").json()

    assert [event["type"] for event in page["events"]] == ["user.created"]


def test_a_new_key_is_told_once_and_works(http, locked):
    bearer(http, "admin")

    told = http.post("/api/v1/keys", {"name": "ci", "scopes": ["events:publish"]})

    answer = told.json()
    assert told.status == 201
    assert answer.keys() == {"id", "name", "scopes", "created_at", "key"}
    assert answer["key"].startswith("ey_")
    assert len(answer["key"]) > 40
    assert told.headers["cache-control"] == "no-store"
    http.headers["Authorization"] = f"Bearer {answer['key']}"
    assert http.post("/api/v1/events", {"type": "a"}).status == 201
    assert http.get("/api/v1/events").status == 403


def test_keys_are_listed_without_anything_secret(http):
    told = http.post("/api/v1/keys", {"name": "ci", "scopes": ["admin"]}).json()

    listing = http.get("/api/v1/keys")

    del told["key"]
    assert listing.json() == {"keys": [told]}


def test_a_key_is_stored_hashed_only(http, locked):
    secret = bearer(http, "admin")
    http.post("/api/v1/events", {"type": "a"})

    stored = everything_stored(locked)

    assert "caller" in stored
    assert secret not in stored
    assert secret.removeprefix("ey_") not in stored


def test_a_secret_is_in_no_line_of_the_log(http, locked, capsys):
    secret = bearer(http, "events:publish")
    unknown = "ey_" + "u" * 43
    http.post("/api/v1/events", {"type": "a"})
    http.get("/api/v1/events")
    http.headers["Authorization"] = f"Bearer {unknown}"
    http.post("/api/v1/events", {"type": "a"})
    for token in (secret, unknown):
        context = {"connectionId": "c", "domainName": "x", "stage": "api"}
        locked.live.connect(
            {"requestContext": context, "queryStringParameters": {"token": token}}
        )

    written = capsys.readouterr()

    assert "a connection was refused" in written.err
    assert '"invoked"' in written.err
    for token in (secret, unknown):
        assert token not in written.err + written.out


def test_a_revoked_key_is_gone_from_the_list(http):
    told = http.post("/api/v1/keys", {"name": "ci", "scopes": ["admin"]}).json()

    revoked = http.delete(f"/api/v1/keys/{told['id']}")

    assert revoked.json() == {"revoked": told["id"]}
    assert http.get("/api/v1/keys").json() == {"keys": []}
    assert http.delete(f"/api/v1/keys/{told['id']}").status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"name": "x"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": "admin"},
        {"name": "x", "scopes": [1]},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": ["admin:orders"]},
        {"name": "x", "scopes": ["events:publish:a*"]},
        {"name": "", "scopes": ["admin"]},
        {"name": "<b>", "scopes": ["admin"]},
        {"name": 7, "scopes": ["admin"]},
        {"name": "x" * 65, "scopes": ["admin"]},
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(http, body):
    told = http.post("/api/v1/keys", body)

    assert told.status == 400
    assert told.json()["error"]["message"]
    assert http.get("/api/v1/keys").json() == {"keys": []}
