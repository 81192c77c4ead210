"""`/graph` and `/api/graph/filtered`: drawings of graphs, and of what went wrong."""

from __future__ import annotations

import dataclasses
import json
import re
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from chalicelib.graphs.drawings import renderer
from tests.api.test_graphs import DOT, MODEL, push
from tests.stack import client

SVG = "{http://www.w3.org/2000/svg}"


def draw(http, query="", graph_type="complete", **headers):
    return http.get(f"/graph/{graph_type}{query}", **headers)


def drawn(answer):
    """The names of what a drawing shows."""
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    root = ET.fromstring(answer.text)
    groups = [g for g in root.iter(f"{SVG}g") if "node" in g.get("class", "").split()]
    return {group.get("id").partition(":")[2] for group in groups} - {"start", "end"}


def words(answer):
    root = ET.fromstring(answer.text)
    assert root.tag == f"{SVG}svg"
    assert (root.get("width"), root.get("height")) == ("800", "400")
    return " ".join(text.text for text in root.iter(f"{SVG}text"))


def test_a_graph_is_drawn(http):
    push(http)

    answer = draw(http)

    assert answer.status == 200
    assert ">order.placed</text>" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_drawing_that_was_pushed_is_shown(http):
    push(http, svg_content="<svg><title>mine</title></svg>")

    assert draw(http).text == "<svg><title>mine</title></svg>"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (
            "?namespaces=",
            {"OrderPlaced", "PaymentDone", "PaymentFailed", "billing", "shop"},
        ),
        ("?namespaces=orders", {"OrderPlaced", "billing", "shop"}),
        ("?namespaces=payments", {"PaymentDone", "PaymentFailed", "billing"}),
        (
            "?namespaces=orders&namespaces=payments&hide_failed=1",
            {"OrderPlaced", "PaymentDone", "billing", "shop"},
        ),
        ("?namespaces=nothing", set()),
        ("?hide_failed=1", {"OrderPlaced", "PaymentDone", "billing", "shop"}),
        (
            "?hide_failed=true&namespaces=payments",
            {"PaymentDone", "PaymentFailed", "billing"},
        ),
        (
            "?hide_rejected=1",
            {"OrderPlaced", "PaymentDone", "PaymentFailed", "billing", "shop"},
        ),
    ],
)
def test_filters_leave_out_what_they_say(http, query, shown):
    from chalicelib.graphs.content import FlowModel
    from eventyard.core.graph.drawing import draw as draw_model

    dot = draw_model(FlowModel.from_dict(MODEL), "complete")
    push(http, dot=dot, model=MODEL)

    assert drawn(draw(http, query)) == shown


def test_filters_work_on_dot_alone(http):
    dot = (
        'digraph { a [class="namespace-x event"]; b [class="namespace-y event failed"];'
        ' s [shape=box class="namespace-x agent"]; s -> a; s -> b }'
    )
    push(http, dot=dot)

    assert drawn(draw(http, "?namespaces=x")) == {"a", "s"}
    assert drawn(draw(http, "?hide_failed=1")) == {"a", "s"}


def test_a_part_is_told_as_dot_too(http):
    push(http, model=MODEL)

    answer = draw(http, "?namespaces=orders&format=dot")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "OrderPlaced" in answer.text
    assert "PaymentDone" not in answer.text
    assert draw(http, "?format=dot").text == DOT


@pytest.mark.parametrize(
    ("wish", "shown"),
    [
        ({"namespaces": ["payments"]}, {"PaymentDone", "PaymentFailed", "billing"}),
        (
            {"namespaces": ["payments"], "keywords": ["FAILED"]},
            {"PaymentDone", "billing"},
        ),
        ({"namespaces": []}, set()),
        ({"keywords": ["payment", "shop"]}, {"OrderPlaced", "billing"}),
    ],
)
def test_a_part_can_be_asked_for_in_a_body(http, wish, shown):
    push(http, model=MODEL)

    assert drawn(http.post("/api/graph/filtered/complete", wish)) == shown


def test_a_part_of_what_is_not_there_is_not_found(http):
    answer = http.post("/api/graph/filtered/complete", {"namespaces": ["a"]})

    assert answer.status == 404
    assert answer.json() == {"error": 'Graph type "complete" not found in cache'}


@pytest.mark.parametrize("name", ["complete", "nonsense", "<script>x</script>", "\x01"])
def test_what_is_not_there_is_a_picture_that_names_the_scanner(http, name):
    answer = draw(http, graph_type=quote(name, safe=""))

    assert answer.status == 404
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "eventyard scan" in words(answer)
    assert "<script" not in answer.text


@pytest.mark.parametrize("dot", ["this is no DOT", "digraph {...}", "graph { a -> b }"])
def test_what_cannot_be_drawn_is_a_picture_that_says_why(http, dot):
    push(http, dot=dot)

    answer = draw(http)

    assert answer.status == 500
    assert "syntax error" in words(answer)


def test_what_breaks_out_of_graphviz_is_no_drawing(http):
    push(http, dot='digraph { stylesheet="a?><script>alert(1)</script>"; a }')

    answer = draw(http)

    assert answer.status == 500
    assert "<script" not in answer.text


def test_what_takes_too_long_is_told_to_be_too_large(http, platform):
    from chalicelib.graphs.render import WasmRenderer

    platform.graphs.drawings._draw = WasmRenderer(seconds=0.2)
    edges = ";".join(f"a{i}->a{j}" for i in range(90) for j in range(90) if i != j)
    push(http, dot=f"digraph {{{edges}}}")

    answer = draw(http)

    assert answer.status == 422
    assert "the page at /flow still draws it" in words(answer).lower()


def test_what_is_drawn_once_is_not_drawn_again(http, platform):
    push(http)
    first = draw(http).text

    def never(_):
        raise AssertionError("it was drawn again")

    platform.graphs.drawings._draw = never
    assert draw(http).text == first
    platform.graphs.drawings._kept.clear()
    assert draw(http).text == first


def test_a_drawing_that_the_bucket_lost_is_made_again(http, platform):
    push(http)
    first = draw(http).text
    platform.graphs.drawings._kept.clear()
    s3, bucket = client("s3"), platform.settings.bucket
    for found in s3.list_objects_v2(Bucket=bucket, Prefix="rendered/")["Contents"]:
        s3.delete_object(Bucket=bucket, Key=found["Key"])

    assert draw(http).text == first


@pytest.mark.parametrize("query", ["", "?namespaces=unknown", "?format=dot"])
def test_a_drawing_that_a_caller_has_is_not_sent_again(http, query):
    push(http)
    tag = draw(http, query).headers["etag"]

    same = draw(http, query, If_None_Match=tag)
    other = draw(http, "?hide_failed=1", If_None_Match=tag)

    assert (same.status, same.text) == (304, "")
    assert other.status == 200


def test_an_older_version_is_drawn_as_it_was(http):
    push(http, dot="digraph { older }")
    push(http, dot="digraph { newer }")

    assert ">older</text>" in draw(http, "?version=1").text
    assert ">newer</text>" in draw(http).text


def test_where_drawing_is_off_a_picture_says_so(http, platform):
    platform.settings = dataclasses.replace(platform.settings, renderer="off")
    push(http)

    answer = draw(http)

    assert answer.status == 500
    assert "EVENTYARD_RENDERER=off" in words(answer)


def test_without_sandbox_and_program_a_picture_says_so(http, platform, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    platform.graphs.drawings._draw = renderer("dot")
    push(http)

    answer = draw(http)

    assert answer.status == 500
    assert "There is nothing to draw with" in words(answer)


def test_a_version_whose_content_is_gone_is_not_found(http, platform):
    push(http)
    s3, bucket = client("s3"), platform.settings.bucket
    (found,) = s3.list_objects_v2(Bucket=bucket, Prefix="graphs/")["Contents"]
    s3.delete_object(Bucket=bucket, Key=found["Key"])

    answer = http.get("/api/graph/complete")

    assert answer.status == 404
    assert "push it again" in answer.json()["error"]
    assert "push it again" in words(draw(http))
    assert push(http)["unchanged"] is True
    assert http.get("/api/graph/complete").text == DOT


def test_a_body_of_filters_that_is_none_is_refused(http):
    answer = http.post("/api/graph/filtered/complete", json.dumps({"namespaces": "a"}))

    assert answer.status == 400
    assert re.search("namespaces", answer.json()["error"])
