"""`eventyard doctor`: each thing that can be wrong, and how it says to mend it."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest

from eventyard.cli import doctor

_KEYS = {"code": "unauthenticated", "message": "Send an API key."}
_DENIED = {"code": "permission_denied", "message": "This needs the scope."}


@pytest.fixture
def well(fake):
    """A platform where nothing is wrong."""
    fake.answers["/api/v1/config"]["auth"] = "keys"
    fake.answers["/api/v1/events"] = (
        400,
        {"error": {"code": "invalid_request", "message": "A commit has 1 to 100."}},
        {},
    )
    for path in ("/api/graph/projects", "/api/v1/workers", "/api/v1/repositories"):
        fake.answers[path] = {}
    fake.answers["/api/v1/circles"] = {"circles": [], "cursor": None, "live": ""}
    fake.answers["/api/v1/memories/spaces"] = {"spaces": []}
    fake.answers["/api/v1/memories/recall"] = {"results": []}
    fake.answers["/api/v1/keys"] = {"keys": []}
    return fake


@pytest.fixture
def found(call, monkeypatch):
    """Have a platform looked at; return what is found, by name."""
    monkeypatch.setattr(doctor, "_EXTRAS", {})

    def look(at, status=0):
        told = call("doctor", "--json", "--api-key", "ey_x", at=at, status=status)
        return {one["name"]: one for one in json.loads(told.stdout)}

    return look


def test_where_nothing_is_wrong_it_says_so(call, well, found):
    told = found(well)
    assert {one["state"] for one in told.values()} == {"ok"}
    assert list(told) == [
        *("python", "extras", "address", "key"),
        *("clock", "live", "version", "health", "dead letters", "memories"),
    ]
    assert told["key"]["found"].startswith(
        "accepted: admin, circles:read, events:publish"
    )
    shown = call("doctor", at=well).stdout
    assert shown.endswith("Nothing is wrong.\n")
    assert "✓ address: http://127.0.0.1" in shown
    assert "(EVENTYARD_URL)" in shown


def test_looking_publishes_nothing(well, found):
    found(well)
    written = [
        (path, body) for method, path, _, body in well.requests if method != "GET"
    ]
    asked = {"agent_id": "doctor", "query": "are you well?", "update_access": False}
    assert written == [("/api/v1/events", []), ("/api/v1/memories/recall", asked)]


def test_what_cannot_be_reached_leaves_the_rest_unsaid(call):
    told = call("doctor", "--url", "http://127.0.0.1:1", status=1).stdout
    assert "✗ address: http://127.0.0.1:1: Nothing answers" in told
    assert "→ Start the platform" in told
    assert told.count("the platform has to be reached first") == 7
    assert told.endswith("1 wrong.\n")


def test_another_server_is_no_platform(call, fake):
    fake.answers["/api/v1/config"] = {"hello": "world"}
    assert "✗ address" in call("doctor", at=fake, status=1).stdout


def test_a_key_that_is_not_known_is_found(well, found):
    for path in doctor._PROBES.values():
        well.answers[f"/{path[1]}"] = (401, {"error": _KEYS}, {})
    key = found(well, status=1)["key"]
    assert (key["state"], key["found"]) == ("failed", "Send an API key.")
    assert "eventyard key create" in key["mend"]


def test_a_key_without_what_a_client_needs_is_found(well, found):
    for path in ("/api/v1/stats", "/api/v1/events", "/api/v1/keys"):
        well.answers[path] = (403, {"error": _DENIED}, {})
    told = found(well, status=1)
    assert told["key"]["found"] == (
        "accepted: circles:read, graph:read, jobs:read, memories:read, pulls:read"
    )
    assert "A client needs events:publish" in told["key"]["mend"]
    assert told["dead letters"]["state"] == "skipped"


def test_an_open_platform_is_a_warning(well, found):
    well.answers["/api/v1/config"]["auth"] = "open"
    assert found(well)["key"]["state"] == "warning"


@pytest.mark.parametrize(
    ("ahead_s", "state", "said"),
    [(-3600, "failed", "ahead"), (3600, "failed", "behind"), (5, "ok", "agrees")],
)
def test_clocks_that_differ_are_found(well, found, ahead_s, state, said):
    date = formatdate(time.time() + ahead_s, usegmt=True)
    config = well.answers["/api/v1/config"]
    well.answers["/api/v1/config"] = (200, config, {"Date": date})
    clock = found(well, status=int(state == "failed"))["clock"]
    assert clock["state"] == state
    assert said in clock["found"]


def test_a_live_channel_that_refuses_is_found(well, found):
    well.frames = None
    live = found(well, status=1)["live"]
    assert live["state"] == "failed"
    assert 'transport="http"' in live["mend"]


@pytest.mark.parametrize(
    ("version", "mend"),
    [("0.0.9", "the platform"), ("9.1.0", "the package"), ("0.1.7", "")],
)
def test_versions_that_differ_are_a_warning(well, found, version, mend):
    well.answers["/api/v1/config"]["version"] = version
    told = found(well)["version"]
    assert (told["state"] == "warning") is bool(mend)
    assert mend in told["mend"]


def test_messages_that_the_other_side_does_not_understand_are_found(well, found):
    well.answers["/api/v1/config"] |= {
        "version": "9.0.0",
        "wire": {"lowest": 7, "highest": 9},
    }
    told = found(well, status=1)["version"]
    assert told["state"] == "failed"
    assert "pip install -U eventyard" in told["mend"]


def test_a_platform_that_tells_scopes_is_not_tried(well, found):
    well.answers["/api/v1/me"] = {"scopes": ["events:subscribe:order.*"]}
    key = found(well)["key"]
    assert key["found"] == "accepted: events:subscribe:order.*"
    written = [path for method, path, *_ in well.requests if method != "GET"]
    assert written == ["/api/v1/memories/recall"]


def test_a_platform_that_is_not_well_is_found(well, found):
    checks = {"transport": "ok", "queue": "9 dead letters of live"}
    well.answers["/health"] = {"status": "degraded", "checks": checks}
    health = found(well)["health"]
    assert (health["state"], health["found"]) == (
        "warning",
        "degraded: queue: 9 dead letters of live",
    )
    well.answers["/health"] = (503, {"status": "unhealthy", "checks": checks}, {})
    assert found(well, status=1)["health"]["state"] == "failed"


def test_dead_letters_are_a_warning(well, found):
    well.answers["/api/v1/stats"]["undelivered"] = 7
    assert found(well)["dead letters"]["found"] == "7 were not delivered"


def test_a_vendor_of_vectors_that_does_not_answer_is_found(well, found):
    told = {"code": "embedding_failed", "message": "openai: Incorrect API key."}
    well.answers["/api/v1/memories/recall"] = (503, {"error": told}, {})
    memories = found(well, status=1)["memories"]
    assert (memories["state"], memories["found"]) == ("failed", told["message"])
    assert "EVENTYARD_EMBEDDINGS" in memories["mend"]


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (403, _DENIED, "the key may not look"),
        (404, {"code": "not_found", "message": "There is nothing."}, "it is older"),
    ],
)
def test_memories_that_cannot_be_looked_at_are_nothing_wrong(
    well, found, status, error, said
):
    well.answers["/api/v1/memories/recall"] = (status, {"error": error}, {})
    memories = found(well)["memories"]
    assert memories["state"] == "skipped"
    assert said in memories["found"]


def test_what_is_not_installed_is_told_with_how_to():
    import importlib.util

    missing = "no_such_module_anywhere"
    assert importlib.util.find_spec(missing) is None
    before = dict(doctor._EXTRAS)
    doctor._EXTRAS.clear()
    doctor._EXTRAS["crypto"] = (missing, "encrypted payloads")
    try:
        told = doctor._extras()
    finally:
        doctor._EXTRAS.update(before)
    assert told.state == "warning"
    assert told.mend.endswith("pip install 'eventyard[crypto]'")


def test_a_python_that_is_too_old_is_found():
    told = doctor._python((3, 10))
    assert (told.state, told.found) == ("failed", "3.10 is too old")
