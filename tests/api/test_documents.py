"""/openapi.json and /asyncapi.json say what is, and /docs and /redoc show it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import app
from chalicelib.api import FAMILIES
from chalicelib.live.messages import MESSAGES, QUERY
from tests.contract import Contract, http_contract, live_contract

WEB = Path(__file__).parents[2] / "chalicelib" / "web"
OPENAPI = http_contract().document
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
]
ADDRESSES = {
    (address.path, address.method.lower()): address
    for family in FAMILIES
    for address in family.routes.addresses
}


def references(value):
    """Every place that a document refers to."""
    if isinstance(value, dict):
        found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return found + [one for part in value.values() for one in references(part)]
    if isinstance(value, list):
        return [one for part in value for one in references(part)]
    return []


def resolve(document, reference):
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_document_is_openapi_3_1(http):
    document = http.get("/openapi.json").json()

    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_every_address_that_is_deployed_is_described_and_no_other(http):
    paths = http.get("/openapi.json").json()["paths"]

    deployed = {(path, m.lower()) for path, views in app.routes.items() for m in views}
    assert {(path, m) for path, methods in paths.items() for m in methods} == deployed


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_told_whole(path, method, operation):
    address = ADDRESSES[path, method]
    responses = operation["responses"]
    success = responses[str(address.status)]

    assert re.fullmatch(r"[A-Z].{5,119}[^.]", operation["summary"])
    assert all(content["schema"] for content in success.get("content", {}).values())
    assert "application/json" not in success.get("content", {}) or address.answer
    assert {"500", "503"} <= responses.keys()
    guarded = bool(address.scope)
    # Where a signature decides, there is no scope that could be missing.
    assert ("401" in responses) == (guarded or 401 in address.also)
    assert ("403" in responses) == guarded
    assert operation["security"] == (
        [{"key": [address.scope]}] if address.scope else []
    )
    assert "400" in responses or not address.query
    assert ({"400", "413", "415"} <= responses.keys()) or not address.bodies
    named = re.findall(r"\{(\w+)\}", path)
    assert [
        p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"
    ] == (named)


def test_operations_have_names_that_stay():
    names = [operation["operationId"] for _, _, operation in map(values, OPERATIONS)]

    assert Counter(names).most_common(1)[0][1] == 1
    assert {
        "publish",
        "publish_batch",
        "list_events",
        "get_event",
        "health",
        "create_key",
        "redrive",
    } <= set(names)


def values(parameter):
    return parameter.values


def test_a_parameter_tells_its_kind_and_its_bounds():
    listed = OPENAPI["paths"]["/api/v1/events"]["get"]["parameters"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in listed}

    assert schemas["limit"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 500,
        "default": 50,
    }
    assert schemas["topics"] == {"type": "array", "items": {"type": "string"}}
    assert schemas["since"] == {"type": "string", "format": "date-time"}
    assert all(parameter["description"] for parameter in listed)


def test_publishing_takes_three_media_types():
    body = OPENAPI["paths"]["/api/v1/events"]["post"]["requestBody"]

    assert set(body["content"]) == {
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }


def test_what_may_be_missing_from_an_answer_is_never_null():
    event = OPENAPI["components"]["schemas"]["Event"]

    assert event["properties"]["target"] == {"type": "string"}
    assert event["properties"]["source"]["type"] == ["string", "null"]
    assert "source" in event["required"]
    assert "target" not in event["required"]


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_a_document_that_is_known_is_not_sent_again(http, locked, name):
    first = http.get(f"/{name}.json")
    again = http.get(f"/{name}.json", If_None_Match=first.headers["etag"])

    assert (first.status, first.headers["content-type"]) == (200, "application/json")
    assert first.headers["cache-control"] == "no-cache"
    assert (again.status, again.text) == (304, "")


def test_the_shapes_of_addresses_and_messages_are_all_there(http):
    for name in ("openapi", "asyncapi"):
        document = http.get(f"/{name}.json").json()
        found = references(document)

        assert len(found) > 20
        assert all(resolve(document, reference) for reference in found)


def test_every_shape_has_a_name_of_its_own():
    # Two of one name would be told apart by the modules they are in.
    for contract in (OPENAPI, live_contract().document):
        names = contract["components"]["schemas"]
        assert [
            name for name in names if not re.fullmatch("[A-Z][A-Za-z]+", name)
        ] == []


def test_a_body_is_required_where_something_must_be_said():
    required = {
        operation["operationId"]: operation["requestBody"]["required"]
        for _, _, operation in map(values, OPERATIONS)
        if "requestBody" in operation
    }

    assert required["publish"]
    assert required["create_subscription"]
    assert not required["rotate_key"]
    assert not required["pause_subscription"]


def test_the_contract_of_the_tests_finds_what_is_not_described(http):
    answer = http.get("/health")
    document = json.loads(http.get("/openapi.json").text)
    del document["components"]["schemas"]["Health"]["properties"]["checks"]

    with pytest.raises(AssertionError, match="checks"):
        Contract(document).check("GET", "/health", b"", "application/json", answer)
    del document["paths"]["/health"]["get"]["responses"]["200"]
    with pytest.raises(AssertionError, match="answers 200"):
        Contract(document).check("GET", "/health", b"", "application/json", answer)
    del document["paths"]["/health"]
    with pytest.raises(AssertionError, match="not documented"):
        Contract(document).check("GET", "/health", b"", "application/json", answer)


def test_every_message_that_is_handled_is_in_the_table(platform):
    handled = {*platform.live.conversation.handlers(), "ping", "filter"}

    said = {message.type for message in MESSAGES if message.by == "client"}
    assert said == handled


def test_every_answer_in_the_table_is_a_message_of_the_same_channel():
    told = {
        (channel, message.name or message.type)
        for message in MESSAGES
        if message.by == "platform"
        for channel in message.channels
    }
    asked = {
        (channel, answer)
        for message in MESSAGES
        for channel in message.channels
        for answer in message.answers
    }
    assert asked <= told
    assert len({m.name or m.type for m in MESSAGES}) == len(MESSAGES)


def test_the_live_channels_are_described_in_both_directions(http):
    document = http.get("/asyncapi.json").json()
    subscribe = document["operations"]["router_subscribe"]

    assert document["asyncapi"] == "3.0.0"
    assert document["channels"]["router"]["address"] == "/ws/router"
    assert document["servers"]["live"]["protocol"] == "ws"
    # The platform receives what clients send.
    assert subscribe["action"] == "receive"
    assert subscribe["reply"]["messages"] == [
        {"$ref": "#/channels/router/messages/subscribed"},
        {"$ref": "#/channels/router/messages/error"},
    ]
    assert document["operations"]["router_event"]["action"] == "send"
    assert "get_health" not in document["channels"]["dashboard"]["messages"]


def test_a_gateway_of_its_own_is_named_with_its_channels(http, platform):
    platform.settings = dataclasses.replace(
        platform.settings, live_url="wss://abc.execute-api.eu-west-1.amazonaws.com/api"
    )

    document = http.get("/asyncapi.json").json()

    server = document["servers"]["live"]
    query = document["channels"]["router"]["bindings"]["ws"]["query"]
    assert server["host"] == "abc.execute-api.eu-west-1.amazonaws.com"
    assert (server["pathname"], server["protocol"]) == ("/api", "wss")
    assert document["channels"]["router"]["address"] == "/"
    assert query["properties"]["channel"]["const"] == "router"
    assert query["required"] == ["channel"]


def test_the_reference_names_every_parameter_of_a_connection():
    page = (WEB.parents[1] / "docs" / "reference.md").read_text()
    live = page[page.index("## WebSocket") : page.index("## Limits")]

    assert [name for name in QUERY if f"`{name}" not in live] == []


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        ({"type": "pong", "timestamp": "2026-01-01T00:00:00Z"}, "echo"),
        ({"type": "welcome", "extra": 1}, "extra"),
        ([{"type": "unsubscribed", "subscription_id": 7}], "7 is not of type"),
    ],
)
def test_a_frame_that_is_not_described_is_found(frame, fault):
    with pytest.raises(AssertionError, match=fault):
        live_contract().check(frame)


@pytest.mark.parametrize("name", ["docs", "redoc"])
def test_a_page_of_the_documents_runs_under_a_policy_of_its_own(http, locked, name):
    answer = http.get(f"/{name}")

    policy = dict(
        part.split(" ", 1)
        for part in answer.headers["content-security-policy"].split("; ")
    )
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert policy.get("worker-src") == (None if name == "docs" else "blob:")
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>|\son\w+=", answer.text)


@pytest.mark.parametrize("name", ["docs", "redoc"])
def test_everything_a_page_of_the_documents_names_is_served(http, name):
    named = re.findall(r'(?:src|href)="([^"]+)"', http.get(f"/{name}").text)

    assert len(named) > 6
    for address in named:
        answer = http.get("/" + address.removeprefix("./"))
        assert (address, answer.status) == (address, 200)


def test_what_was_taken_from_others_brings_its_licence_and_fits_an_answer():
    for stem, files in {
        "swagger-ui": ("swagger-ui-bundle.js", "swagger-ui.css"),
        "redoc": ("redoc.standalone.js",),
        "viz": ("viz.js",),
        "dompurify": ("dompurify.js",),
    }.items():
        licence = (WEB / "static" / f"{stem}.LICENSE.txt").read_text()
        for name in files:
            text = (WEB / "static" / name).read_text()
            assert name in licence
            assert "sourceMappingURL" not in text.splitlines()[-1][-200:]
            # Lambda answers with at most 6 MB, in which quotes are escaped.
            assert len(json.dumps(text)) < 5_500_000


def test_words_that_are_written_down_for_cold_starts_are_those_of_the_package():
    from typing import get_args

    from chalicelib.api import _circles, _memories
    from chalicelib.api.shapes import circles
    from eventyard.orchestration.model import CircleStatus, TaskPriority, TaskStatus
    from eventyard.rag.model import MEMORY_TYPES

    assert _memories.TYPE.choices == MEMORY_TYPES
    assert tuple(TaskStatus) == _circles.TASK_STATUSES
    assert get_args(circles.TaskStatus) == tuple(TaskStatus)
    assert get_args(circles.CircleStatus) == tuple(CircleStatus)
    assert get_args(circles.Priority) == tuple(TaskPriority)
