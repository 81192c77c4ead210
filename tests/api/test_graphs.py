"""`/api/graph`: what scanners push, and what they and others are told of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from tests.contract import AnswersOnly, http_contract
from tests.http import Http
from tests.stack import client
from tests.steps import listed

DOT = 'digraph { "order.placed" -> billing; billing -> "order.paid" }'
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><title>G</title></svg>'
TYPES = ("simplified", "complete", "full-tree")
MODEL = {
    "events": [
        {"name": "OrderPlaced", "namespace": "orders"},
        {"name": "PaymentFailed", "namespace": "payments", "failed": True},
        {"name": "PaymentDone", "namespace": "payments"},
    ],
    "agents": [{"id": "billing", "namespace": "payments"}, {"id": "shop"}],
    "edges": [
        {"agent": "shop", "event": "OrderPlaced", "kind": "publishes"},
        {"agent": "billing", "event": "OrderPlaced", "kind": "subscribes"},
        {"agent": "billing", "event": "PaymentDone", "kind": "publishes"},
        {"agent": "billing", "event": "PaymentFailed", "kind": "publishes"},
    ],
}


def push(http, graph_type="complete", dot=DOT, **more):
    told = http.post(
        "/api/graph", {"graph_type": graph_type, "dot_content": dot, **more}
    )
    assert told.status == 201, told.text
    return told.json()


@pytest.fixture
def anything(http):
    """A caller who sends what no document allows."""
    return Http(http._client, AnswersOnly(http_contract().document))


def error_of(answer):
    assert set(answer.json()) == {"error"}
    return answer.status, answer.json()["error"]


def test_a_push_is_told_when_it_came_in_utc(http):
    before = datetime.now(UTC).replace(tzinfo=None)

    told = push(http)

    moment = datetime.fromisoformat(told["timestamp"])
    assert moment.tzinfo is None
    assert before <= moment <= before + timedelta(seconds=60)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", told["timestamp"])
    assert {name: told[name] for name in told if name != "timestamp"} == {
        "status": "success",
        "graph_type": "complete",
        "version": 1,
        "unchanged": False,
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "No JSON payload provided"),
        (None, "No JSON payload provided"),
        ("null", "No JSON payload provided"),
        ("[]", "No JSON payload provided"),
        ("[1]", "The JSON payload must be an object."),
        ({"dot_content": DOT}, "Missing required field: graph_type"),
        ({"graph_type": "nonsense"}, "Missing required field: dot_content"),
        ({"stats": {}}, "Missing required field: graph_type"),
        (
            {"graph_type": "nonsense", "dot_content": 7},
            "Invalid graph_type. Must be one of: simplified, complete, full-tree",
        ),
        (
            {"graph_type": ["complete"], "dot_content": DOT},
            "Invalid graph_type. Must be one of: simplified, complete, full-tree",
        ),
        (
            {"graph_type": "complete", "dot_content": 7},
            "dot_content must be a text of DOT.",
        ),
        (
            {"graph_type": "complete", "dot_content": " "},
            "dot_content must be a text of DOT.",
        ),
    ],
)
def test_a_push_without_what_it_needs_is_refused_in_these_words(
    anything, body, message
):
    assert error_of(anything.post("/api/graph", body)) == (400, message)
    assert anything.get("/api/graph/status").json()["total_graphs"] == 0


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"namespaces": "a"}, "namespaces"),
        ({"namespaces": [1]}, "namespaces"),
        ({"namespaces": ["x" * 257]}, "namespaces"),
        ({"stats": []}, "stats"),
        ({"stats": {"events": "7"}}, "stats.events"),
        ({"stats": {"events": True}}, "stats.events"),
        ({"stats": {"events": 1.5}}, "stats.events"),
        ({"stats": {"events": 10**30}}, "stats.events"),
        ({"svg_content": 7}, "svg_content"),
        ({"svg_content": "no SVG"}, "SVG"),
        ({"svg_content": "<html/>"}, "SVG"),
        ({"model": []}, "model"),
        ({"model": {"events": [{"name": 7}]}}, "model.events[0].name"),
        ({"anomalies": []}, "anomalies"),
        ({"project": ""}, "project"),
        ({"project": "a#b"}, "project"),
        ({"project": "x" * 129}, "project"),
        ({"project": 7}, "project"),
        ({"ref": "a\nb"}, "ref"),
        ({"ref": "\U00010400" * 128}, "ref"),
        ({"commit": 7}, "commit"),
        ({"commit": "x" * 257}, "commit"),
    ],
)
def test_what_else_comes_with_a_push_is_checked_and_changes_nothing(
    anything, wish, named
):
    body = {"graph_type": "complete", "dot_content": DOT, **wish}

    status, message = error_of(anything.post("/api/graph", body))

    assert status == 400
    assert named in message
    assert anything.get("/api/graph/projects").json() == {"projects": []}


def test_malformed_json_is_the_callers_fault(anything):
    status, message = error_of(anything.post("/api/graph", '{"graph_type": '))

    assert status == 400
    assert message.startswith("invalid JSON")


def test_another_type_of_body_is_refused_in_the_familys_shape(anything):
    answer = anything.post("/api/graph", "graph_type=complete", Content_Type="text/a")

    assert error_of(answer) == (415, "Unsupported media type: text/a")


def test_too_large_a_push_is_told_where_to_put_it(anything):
    body = {"graph_type": "complete", "dot_content": "x" * 5_000_000}

    status, message = error_of(anything.post("/api/graph", body))

    assert status == 413
    assert "POST /api/graph/uploads" in message


def test_the_status_tells_of_each_type_in_one_order(http):
    for graph_type in reversed(TYPES):
        push(http, graph_type, stats={"agents": 1, "events": 2}, svg_content=SVG)
    push(http, stats={"agents": 1, "events": 3}, namespaces=["b", "a", "b"])

    told = http.get("/api/graph/status").json()

    assert (told["total_graphs"], told["persist_enabled"]) == (3, True)
    assert tuple(told["graphs"]) == TYPES
    assert told["graphs"]["complete"]["stats"] == {"agents": 1, "events": 3}
    assert told["graphs"]["complete"]["namespaces"] == ["a", "b"]
    assert [told["graphs"][name]["has_svg"] for name in TYPES] == [True, False, True]
    assert told["graphs"]["complete"]["version"] == 2


def test_nothing_pushed_is_an_empty_status(http):
    told = http.get("/api/graph/status").json()

    assert told == {"total_graphs": 0, "persist_enabled": True, "graphs": {}}


def test_what_a_push_does_not_count_is_read_out_of_its_dot(http):
    push(http)

    told = http.get("/api/graph/status").json()["graphs"]["complete"]

    assert told["stats"] == {"events": 2, "agents": 1, "connections": 2}
    assert told["namespaces"] == ["unknown"]


def test_dot_that_is_none_is_kept_as_it_came(http):
    push(http, dot="digraph {...}")

    assert http.get("/api/graph/complete").text == "digraph {...}"


def test_a_graph_is_read_as_it_was_pushed(http):
    push(http, svg_content=SVG, commit="abc", namespaces=["z", "y"], model=MODEL)

    dot = http.get("/api/graph/complete")
    svg = http.get("/api/graph/complete?format=svg")
    record = http.get("/api/graph/complete?format=json").json()

    assert (dot.text, dot.headers["content-type"]) == (DOT, "text/plain; charset=utf-8")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert "<title>G</title>" in svg.text
    assert record["dot_content"] == DOT
    assert record["svg_content"] == svg.text
    assert record["namespaces"] == ["y", "z"]
    assert record["commit"] == "abc"
    assert {edge["event"] for edge in record["model"]["edges"]} == {
        "OrderPlaced",
        "PaymentDone",
        "PaymentFailed",
    }


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("mermaid", "graph TD"), ("text", "PaymentFailed"), ("asyncapi", '"asyncapi"')],
)
def test_a_graph_speaks_other_languages(http, wanted, expected):
    push(http, model=MODEL)

    assert expected in http.get(f"/api/graph/complete?format={wanted}").text


def test_a_drawing_that_was_not_pushed_is_not_made_here(http):
    push(http)

    answer = http.get("/api/graph/complete?format=svg")

    assert error_of(answer) == (404, "SVG content not available for this graph")


def test_an_unknown_format_is_refused(http):
    push(http)

    answer = http.get("/api/graph/complete?format=png")

    assert error_of(answer) == (400, "Invalid format: png. Use dot, svg, or json")


@pytest.mark.parametrize("name", ["simplified", "nonsense", 'a"b', "{}"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_not_there_is_not_found(http, method, name):
    push(http)

    answer = http._call(method, f"/api/graph/{quote(name)}", None, {})

    assert error_of(answer) == (404, f'Graph type "{name}" not found in cache')


def test_deleting_one_leaves_the_others(http):
    push(http)
    push(http, "simplified")

    told = http.delete("/api/graph/complete")

    assert told.status == 200
    assert told.json() == {
        "status": "success",
        "message": 'Graph "complete" cleared from cache',
    }
    assert list(http.get("/api/graph/status").json()["graphs"]) == ["simplified"]
    assert http.get("/api/graph/complete").status == 404


@pytest.mark.parametrize("pushed", [TYPES, ()])
def test_deleting_all_is_done_also_where_there_is_nothing(http, pushed):
    for graph_type in pushed:
        push(http, graph_type)

    told = http.delete("/api/graph")

    assert told.status == 200
    assert told.json() == {
        "status": "success",
        "message": "All graphs cleared from cache",
    }
    assert http.get("/api/graph/status").json()["total_graphs"] == 0


def test_projects_and_refs_keep_their_graphs_apart(http):
    push(http, project="shop", ref="feature/a b@1", dot="digraph { a }")
    push(http, project="shop", dot="digraph { b }")
    push(http, dot="digraph { c }")
    where = "project=shop&ref=feature/a%20b%401"

    there = http.get(f"/api/graph/complete?{where}").text

    assert there == "digraph { a }"
    assert http.get("/api/graph/complete").text == "digraph { c }"
    listed = http.get("/api/graph/projects").json()["projects"]
    assert {p["project"]: [r["ref"] for r in p["refs"]] for p in listed} == {
        "default": ["main"],
        "shop": ["feature/a b@1", "main"],
    }
    assert http.delete(f"/api/graph?{where}").status == 200
    assert http.get("/api/graph/complete?project=shop").text == "digraph { b }"


@pytest.mark.parametrize("where", ["project=", "project=a%23b", "ref=%0A"])
@pytest.mark.parametrize(
    "path", ["/api/graph/status", "/api/graph/complete", "/api/graph/complete/versions"]
)
def test_names_that_are_none_are_refused(anything, path, where):
    assert anything.get(f"{path}?{where}").status == 400


@pytest.mark.parametrize("wanted", ["dot", "svg", "json", "mermaid", "asyncapi"])
def test_what_a_caller_has_already_is_not_sent_again(http, wanted):
    push(http, svg_content=SVG)
    path = f"/api/graph/complete?format={wanted}"
    first = http.get(path)
    tag = first.headers["etag"]

    same = http.get(path, If_None_Match=f'"other", W/{tag}')
    push(http, dot="digraph { a -> b }", svg_content=SVG)
    changed = http.get(path, If_None_Match=tag)

    assert (same.status, same.text) == (304, "")
    assert changed.status == 200
    assert changed.headers["etag"] != tag
    assert first.headers["cache-control"] == "no-cache"


def test_a_version_stays_when_others_come(http):
    push(http, dot="digraph { a }", commit="1")
    push(http, dot="digraph { b }", commit="2")
    push(http, dot="digraph { a }", commit="3")

    listed = http.get("/api/graph/complete/versions").json()["versions"]

    assert [(v["version"], v["commit"]) for v in listed] == [
        (3, "3"),
        (2, "2"),
        (1, "1"),
    ]
    assert http.get("/api/graph/complete?version=2").text == "digraph { b }"
    answer = http.get("/api/graph/complete?version=4")
    assert error_of(answer) == (404, 'Graph type "complete" has no version 4')


def test_versions_come_in_pages_without_gaps(http):
    for number in range(5):
        push(http, dot=f"digraph {{ a{number} }}")
    found, cursor = [], ""

    for _ in range(3):
        page = http.get(f"/api/graph/complete/versions?limit=2&cursor={cursor}").json()
        found += [version["version"] for version in page["versions"]]
        cursor = page["cursor"]

    assert found == [5, 4, 3, 2, 1]
    assert cursor is None


def test_the_same_again_is_no_version(http):
    first = push(http, model=MODEL, commit="1")

    again = push(http, model=MODEL, commit="2")

    assert again == {**first, "unchanged": True}


def test_two_versions_are_compared(http):
    push(http, model=MODEL)
    more = {"agent": "mail", "event": "PaymentDone", "kind": "subscribes"}
    push(http, model={**MODEL, "edges": [*MODEL["edges"], more]})

    told = http.get("/api/graph/diff").json()

    assert (told["base"]["version"], told["head"]["version"]) == (1, 2)
    assert told["empty"] is False
    assert [agent["id"] for agent in told["added"]["agents"]] == ["mail"]
    assert [edge["event"] for edge in told["added"]["edges"]] == ["PaymentDone"]
    assert told["removed"] == {"events": [], "agents": [], "edges": []}
    assert http.get("/api/graph/diff?base=2&head=2").json()["empty"] is True


def test_a_branch_is_compared_with_another(http):
    push(http, model=MODEL)
    push(http, model={"events": MODEL["events"][:1]}, ref="mine")

    told = http.get("/api/graph/diff?ref=mine&base_ref=main").json()

    assert (told["base"]["ref"], told["head"]["ref"]) == ("main", "mine")
    assert [event["name"] for event in told["removed"]["events"]] == [
        "PaymentDone",
        "PaymentFailed",
    ]


def test_the_first_version_is_compared_with_nothing(http):
    push(http, model=MODEL)

    told = http.get("/api/graph/diff").json()

    assert told["base"] is None
    assert len(told["added"]["events"]) == 3


def test_a_graph_is_analysed(http):
    push(http, model=MODEL)

    told = http.get("/api/graph/analysis").json()

    assert told["terminals"] == ["PaymentDone", "PaymentFailed"]
    assert told["anomalies"]["summary"]["orphaned_events_count"] == 2


def test_a_circle_is_told_by_its_events_and_agents(http):
    edges = [
        {"agent": "a", "event": "X", "kind": "publishes"},
        {"agent": "a", "event": "X", "kind": "subscribes"},
    ]
    push(http, model={"edges": edges})

    assert http.get("/api/graph/analysis").json()["cycles"] == [["X", "a"]]


def test_whom_a_change_concerns_is_told(http):
    push(http, model=MODEL)

    told = http.get("/api/graph/impact?event=OrderPlaced").json()

    assert [one["agent"] for one in told["impact"]["consumers"]] == ["billing"]
    assert http.get("/api/graph/impact?event=Nothing").status == 404
    assert http.get("/api/graph/impact").status == 400


def test_a_large_graph_goes_by_way_of_the_bucket(http, platform):
    import requests

    dot = "digraph { " + "a" * 5_000_001 + " }"
    body = json.dumps({"graph_type": "complete", "dot_content": dot}).encode()
    place = http.post("/api/graph/uploads", {"size": len(body)}).json()
    done = requests.request(
        place["method"], place["url"], data=body, headers=place["headers"], timeout=10
    )
    assert done.status_code == 200

    told = http.post("/api/graph", {"upload": place["upload"]})

    assert told.status == 201
    assert platform.graphs.store.head(_place()).bytes > 5_000_000
    again = http.post("/api/graph", {"upload": place["upload"]})
    assert again.status == 404
    assert "no such upload" in again.json()["error"]


def _place():
    from chalicelib.graphs.content import Place

    return Place("default", "main", "complete")


def test_what_is_too_large_for_an_answer_is_fetched_from_the_bucket(http, platform):
    import requests

    dot = "digraph { " + "a" * 5_600_000 + " }"
    key = "uploads/01M7YMZY33S54SX5WJ7QMPS0F7.json"
    body = json.dumps({"graph_type": "complete", "dot_content": dot}).encode()
    client("s3").put_object(Bucket=platform.settings.bucket, Key=key, Body=body)
    assert http.post("/api/graph", {"upload": key}).status == 201

    answer = http.get("/api/graph/complete")

    assert (answer.status, answer.text) == (307, "")
    assert requests.get(answer.headers["location"], timeout=10).text == dot


@pytest.mark.parametrize(
    "key", ["", "graphs/x", "uploads/../graphs/x", "uploads/x.json", 7]
)
def test_only_uploads_can_be_pushed_by_their_key(anything, key):
    assert anything.post("/api/graph", {"upload": key}).status == 400


def test_an_upload_has_a_limit(http):
    answer = http.post("/api/graph/uploads", {"size": 100_000_001})

    assert answer.status == 413


def test_an_upload_that_is_wrong_stays_for_another_try(http, platform):
    key = "uploads/01M7YMZY33S54SX5WJ7QMPS0F7.json"
    client("s3").put_object(Bucket=platform.settings.bucket, Key=key, Body=b"{}")

    assert http.post("/api/graph", {"upload": key}).status == 400
    assert client("s3").head_object(Bucket=platform.settings.bucket, Key=key)


def test_who_pushed_and_deleted_is_in_the_audit_trail(http, platform):
    push(http, project="shop", commit="abc")
    push(http, project="shop", commit="abc")
    http.delete("/api/graph/complete?project=shop")
    http.delete("/api/graph?project=shop")

    told = [(e.type, e.payload) for e in reversed(listed(platform))]

    assert [kind for kind, _ in told] == [
        "eventyard.graph.pushed",
        "eventyard.graph.deleted",
    ]
    assert told[0][1]["commit"] == "abc"
    assert told[0][1]["version"] == 1
    assert told[1][1]["graph_types"] == ["complete"]


def test_a_pushed_drawing_is_kept_without_its_poison(http):
    poison = '<svg onload="x()"><script>x()</script><g id="event:a"/></svg>'
    push(http, svg_content=poison)

    answer = http.get("/api/graph/complete?format=svg")

    assert answer.text == '<svg><g id="event:a"/></svg>'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "sandbox" in answer.headers["content-security-policy"]


def test_the_drawing_of_the_example_comes_back_as_it_was(http):
    push(http, svg_content="<svg>...</svg>")

    assert http.get("/api/graph/complete?format=svg").text == "<svg>...</svg>"
