"""Who a caller is, what is kept for them, and which versions are spoken."""

from __future__ import annotations

import pytest

from chalicelib import wire
from tests.steps import bearer, connect

_POSITION = "/api/v1/positions/orders"
_VERSION = "eventyard_version"


def keep(http, cursor, path=_POSITION):
    return http.put(path, {"cursor": cursor})


def test_a_caller_is_told_who_they_are(http, locked):
    bearer(http, "events:publish", "events:subscribe:order.*")

    told = http.get("/api/v1/me")

    assert told.status == 200
    assert told.json()["scopes"] == ["events:publish", "events:subscribe:order.*"]
    assert told.json()["id"]


def test_without_a_key_nobody_is_told_anything(http, locked):
    told = http.get("/api/v1/me")

    assert told.status == 401
    assert told.headers["www-authenticate"] == "Bearer"


def test_where_the_door_is_open_everybody_is_the_same(http):
    assert http.get("/api/v1/me").json() == {
        "id": "anybody",
        "name": "anybody",
        "scopes": ["admin"],
    }


def test_a_position_that_was_never_kept_is_null(http):
    assert http.get(_POSITION).json() == {"cursor": None}


def test_a_position_is_kept_and_only_moves_on(http):
    assert keep(http, "01B").json() == {"cursor": "01B"}
    assert keep(http, "01A").json() == {"cursor": "01B"}
    assert keep(http, "01B~1").json() == {"cursor": "01B~1"}

    assert http.get(_POSITION).json() == {"cursor": "01B~1"}


def test_callers_do_not_meet_under_a_name(http, locked):
    bearer(http, "events:subscribe")
    keep(http, "9")
    bearer(http, "events:subscribe")

    assert http.get(_POSITION).json() == {"cursor": None}


def test_a_name_may_have_anything_in_it(http):
    keep(http, "1", "/api/v1/positions/a%2Fb%20%C3%A9")

    assert http.get("/api/v1/positions/a%2Fb%20%C3%A9").json() == {"cursor": "1"}
    assert http.get(_POSITION).json() == {"cursor": None}


@pytest.mark.parametrize("cursor", ["", "a b", "\u00e9", "x" * 8193, 1, None])
def test_what_is_no_cursor_is_refused(http, cursor):
    assert keep(http, cursor).status == 400


def test_the_versions_that_are_spoken_are_told(http):
    told = http.get("/api/v1/config", **{_VERSION: "99"})

    assert told.json()["wire"] == {"lowest": 1, "highest": 1}


@pytest.mark.parametrize("said", ["0", "2", "x", "1.0"])
def test_another_version_is_refused_with_what_to_do(http, said):
    told = http.get("/api/v1/events", **{_VERSION: said})

    assert told.status == 400
    assert told.fault()["code"] == "unsupported_version"
    assert told.fault()["details"] == {"lowest": 1, "highest": 1}
    assert "update the package" in told.fault()["message"]


@pytest.mark.parametrize("said", [{}, {_VERSION: "1"}])
def test_a_client_one_version_behind_is_served(http, monkeypatch, said):
    monkeypatch.setattr(wire, "HIGHEST", 2)

    assert http.post("/api/v1/events", {"type": "a"}, **said).status == 201
    assert http.get("/api/v1/events", **{_VERSION: "2"}).status == 200


def test_a_connection_of_another_version_is_refused(platform):
    assert connect(platform, channel="router", v="1")["statusCode"] == 200
    refused = connect(platform, "c2", channel="router", v="7")

    assert refused["statusCode"] == 400
    assert "The versions 1 to 1 are spoken here" in refused["body"]
