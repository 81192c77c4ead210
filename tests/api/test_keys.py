"""Keys that expire, keys that are rotated, and what the log tells of them."""

from __future__ import annotations

import re

import boto3
import pytest

from tests.steps import bearer, connect, listed

DAY = 86_400


def made(http, **wish):
    told = http.post(
        "/api/v1/keys", {"name": "ci", "scopes": ["events:publish"], **wish}
    )
    assert told.status == 201, told.text
    return told.json()


def tried(http, key):
    return http.post("/api/v1/events", {"type": "a"}, Authorization=f"Bearer {key}")


def rotate(http, key_id, body=None):
    return http.post(f"/api/v1/keys/{key_id}/rotate", body)


def told_of(platform, change):
    name = f"eventyard.key.{change}"
    return [e.payload for e in listed(platform) if e.type == name]


@pytest.fixture
def admin(http, locked, clock):
    bearer(http, "admin", name="root")
    return http


def test_a_key_is_refused_from_its_expiry_on(admin, clock):
    key = made(admin, expires_in_s=100)
    assert key["expires_in_s"] == 100

    clock.tick(99)
    assert tried(admin, key["key"]).status == 201  # and is in the cache now
    clock.tick(1)
    told = tried(admin, key["key"])

    assert told.status == 401
    assert key["expires_at"] in told.json()["error"]["message"]
    assert told.json()["error"]["details"] == {"expired_at": key["expires_at"]}


def test_an_expired_key_opens_no_connection(admin, locked, clock):
    key = made(admin, scopes=["events:subscribe"], expires_in_s=10)["key"]
    clock.tick(10)

    assert connect(locked, token=key)["statusCode"] == 401


def test_an_expired_key_is_listed_for_a_week_and_leaves_by_itself(admin, locked, clock):
    key = made(admin, expires_in_s=10)

    rows = boto3.client("dynamodb").scan(TableName=locked.settings.table)["Items"]
    (row,) = [row for row in rows if row.get("id", {}).get("S") == key["id"]]

    assert int(row["ttl"]["N"]) == clock() + 10 + 7 * DAY
    assert key["id"] in [one["id"] for one in admin.get("/api/v1/keys").json()["keys"]]
    assert "ttl" not in admin.get("/api/v1/keys").text


def test_a_key_without_an_expiry_lasts(admin, locked, clock):
    key = made(admin)

    clock.tick(3650 * DAY)

    assert tried(admin, key["key"]).status == 201
    assert "expires_at" not in key


@pytest.mark.parametrize("seconds", [0, -1, 1.5, "60", True, 315_360_001, None, []])
def test_an_expiry_that_makes_no_sense_makes_no_key(admin, locked, seconds):
    told = admin.post(
        "/api/v1/keys", {"name": "x", "scopes": ["admin"], "expires_in_s": seconds}
    )

    assert told.status == (201 if seconds is None else 400)
    assert len(list(locked.keys.all())) == (2 if seconds is None else 1)


def test_a_rotated_key_works_on_until_its_grace_ends(admin, clock):
    old = made(admin, scopes=["events:publish:a", "events:subscribe"])
    assert tried(admin, old["key"]).status == 201

    told = rotate(admin, old["id"], {"grace_s": 3600})

    new = told.json()
    assert told.status == 201
    assert told.headers["cache-control"] == "no-store"
    assert (new["name"], new["scopes"]) == (old["name"], old["scopes"])
    assert new["id"] != old["id"]
    assert new["key"] != old["key"]
    assert re.fullmatch(r"ey_[\w-]{43}", new["key"])
    assert new["replaces"]["id"] == old["id"]
    assert new["replaces"]["replaced_by"] == new["id"]
    clock.tick(3599)
    assert tried(admin, old["key"]).status == 201
    clock.tick(1)
    refused = tried(admin, old["key"])
    assert refused.status == 401
    assert new["replaces"]["expires_at"] in refused.json()["error"]["message"]
    assert tried(admin, new["key"]).status == 201


@pytest.mark.parametrize("body", [None, {}])
def test_the_grace_is_a_day_unless_told_otherwise(admin, clock, body):
    old = made(admin)

    assert rotate(admin, old["id"], body).status == 201

    clock.tick(DAY - 1)
    assert tried(admin, old["key"]).status == 201
    clock.tick(1)
    assert tried(admin, old["key"]).status == 401


def test_without_grace_the_old_secret_ends_at_once(admin):
    old = made(admin)
    assert tried(admin, old["key"]).status == 201

    new = rotate(admin, old["id"], {"grace_s": 0}).json()

    assert tried(admin, old["key"]).status == 401
    assert tried(admin, new["key"]).status == 201


def test_another_process_trusts_what_it_read_for_half_a_minute_at_most(
    admin, locked, clock
):
    old = made(admin)
    assert tried(admin, old["key"]).status == 201
    locked.keys.rotate(old["id"], 0)  # as if it happened elsewhere

    clock.tick(30)

    assert tried(admin, old["key"]).status == 401


def test_the_cache_never_outlives_an_expiry_that_was_read(admin, clock):
    old = made(admin)
    rotate(admin, old["id"], {"grace_s": 10})
    assert tried(admin, old["key"]).status == 201

    clock.tick(10)

    assert tried(admin, old["key"]).status == 401


def test_a_key_with_an_expiry_is_replaced_by_one_of_the_same_lifetime(admin, clock):
    old = made(admin, expires_in_s=100)
    clock.tick(60)

    new = rotate(admin, old["id"], {"grace_s": 1000}).json()

    assert new["replaces"]["expires_at"] == old["expires_at"]  # never longer
    clock.tick(99)
    assert tried(admin, old["key"]).status == 401
    assert tried(admin, new["key"]).status == 201
    clock.tick(1)
    assert tried(admin, new["key"]).status == 401


def test_a_key_is_rotated_once_and_its_successor_after_it(admin):
    old = made(admin)
    new = rotate(admin, old["id"]).json()

    again = rotate(admin, old["id"])

    assert (again.status, again.json()["error"]["code"]) == (409, "conflict")
    assert again.json()["error"]["details"] == {"replaced_by": new["id"]}
    assert len(admin.get("/api/v1/keys").json()["keys"]) == 3
    assert rotate(admin, new["id"]).status == 201


def test_of_two_that_rotate_at_once_one_does(admin, locked):
    old = made(admin)
    write = locked.keys.table.set

    def another_first(*args, **more):
        locked.keys.table.set = write
        locked.keys.rotate(old["id"], 60)
        return write(*args, **more)

    locked.keys.table.set = another_first

    assert rotate(admin, old["id"]).status == 409
    assert len(list(locked.keys.all())) == 3  # root, old, one successor


def test_a_key_revoked_while_it_is_rotated_leaves_no_successor(admin, locked):
    old = made(admin)
    write = locked.keys.table.set

    def revoke_first(*args, **more):
        locked.keys.table.set = write
        locked.keys.revoke(old["id"])
        return write(*args, **more)

    locked.keys.table.set = revoke_first

    assert rotate(admin, old["id"]).status == 404
    assert [key["name"] for key in locked.keys.all()] == ["root"]


@pytest.mark.parametrize(
    "body", [{"grace_s": -1}, {"grace_s": 604_801}, {"grace_s": "1"}, {"x": 1}, [], "{"]
)
def test_a_grace_that_makes_no_sense_rotates_nothing(admin, locked, body):
    old = made(admin)

    assert rotate(admin, old["id"], body).status == 400
    assert len(list(locked.keys.all())) == 2
    assert tried(admin, old["key"]).status == 201


def test_a_key_that_is_not_there_is_not_rotated(admin, locked):
    assert rotate(admin, "missing").status == 404
    assert len(list(locked.keys.all())) == 1


def test_a_secret_of_a_rotated_key_is_stored_hashed_only(admin, locked):
    new = rotate(admin, made(admin)["id"]).json()

    rows = boto3.client("dynamodb").scan(TableName=locked.settings.table)["Items"]

    assert new["key"].removeprefix("ey_") not in str(rows)
    assert new["key"] not in admin.get("/api/v1/keys").text


def test_a_revoked_key_ends_at_once_where_it_was_revoked(admin):
    key = made(admin)
    assert tried(admin, key["key"]).status == 201

    admin.delete(f"/api/v1/keys/{key['id']}")

    assert tried(admin, key["key"]).status == 401


def test_the_log_tells_who_changed_which_key_and_nothing_secret(admin, locked):
    key = made(admin, expires_in_s=1000)
    new = rotate(admin, key["id"]).json()
    admin.delete(f"/api/v1/keys/{new['id']}")

    (created,) = told_of(locked, "created")
    (rotated,) = told_of(locked, "rotated")
    (revoked,) = told_of(locked, "revoked")

    assert {one["by"]["name"] for one in (created, rotated, revoked)} == {"root"}
    assert (created["id"], created["scopes"]) == (key["id"], ["events:publish"])
    assert created["expires_at"] == key["expires_at"]
    assert (rotated["old"]["id"], rotated["new"]["id"]) == (key["id"], new["id"])
    assert revoked["id"] == new["id"]
    told = str([event.to_dict() for event in listed(locked)])
    assert key["key"] not in told
    assert new["key"] not in told


def test_what_was_refused_is_not_told(admin, locked):
    admin.post("/api/v1/keys", {"name": "x", "scopes": ["root"]})
    rotate(admin, "missing")
    admin.delete("/api/v1/keys/missing")

    assert listed(locked) == []
