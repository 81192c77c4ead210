"""Asking Bedrock, against a server that refuses what Bedrock refuses."""

from __future__ import annotations

import functools
import json

import pytest
from botocore.session import get_session

from chalicelib.aws import Aws
from chalicelib.outbound import Guard, Outbound
from chalicelib.pulls import bedrock as adapter
from chalicelib.pulls.analysis import check
from chalicelib.pulls.analyst import AnalystError, BusyError, ModelAnalyst
from chalicelib.pulls.prompt import build
from tests.bedrockserver import (
    ACCESS_KEY,
    SECRET_KEY,
    Bedrock,
    answer,
    refusal,
    used,
)
from tests.loopback import Reply, reply
from tests.pulls import file, request
from tests.unit.server.test_pull_analysis import GOOD

USUAL = {**GOOD, "issues": []}
NOVA = "amazon.nova-lite-v1:0"


@pytest.fixture
def server(monkeypatch):
    # Where moto is at work, others stand in the environment.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with Bedrock(USUAL) as made:
        yield made


@functools.cache
def descriptions():
    """What botocore knows of services, read once: it takes longest."""
    return get_session().get_component("data_loader")


def connect():
    aws = Aws()
    aws.session.register_component("data_loader", descriptions())
    return aws


def model(server, name=NOVA, timeout_s=5.0):
    return adapter.Bedrock(lambda: connect().bedrock(server.origin, timeout_s), name)


def asked(server, *args, **more):
    return model(server, *args, **more).say(
        build(request(file("a.py")), 16_000, lambda: "m"), 5.0
    )


def test_a_question_is_put_as_the_documents_say(server):
    said = asked(server)

    (question,) = server.questions
    assert server.requests[0].path == "/model/amazon.nova-lite-v1%3A0/converse"
    assert question["toolConfig"]["toolChoice"] == {"tool": {"name": "report"}}
    assert question["inferenceConfig"] == {"maxTokens": 4_096, "temperature": 0.3}
    assert "senior engineer" in question["system"][0]["text"]
    assert json.loads(said.text) == USUAL
    assert (said.tokens_in, said.tokens_out, said.cut) == (900, 200, False)
    assert said.model == NOVA


def test_a_whole_reading_is_made_of_its_answer(server):
    found = ModelAnalyst(model(server), 16_000).analyse(request(file("a.py")))

    assert found.analysis == check(USUAL)
    assert (found.analyst, found.model) == ("bedrock", NOVA)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("amazon.nova-premier-v1:0", "AccessDeniedException: You don't have access"),
        ("anthropic.none-v1", "ResourceNotFoundException: Could not resolve"),
    ],
)
def test_a_refusal_is_told(server, name, told):
    with pytest.raises(AnalystError, match=told) as caught:
        asked(server, name)
    assert not isinstance(caught.value, BusyError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "ThrottlingException"),
        (429, "ModelNotReadyException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ],
)
def test_a_busy_bedrock_may_be_asked_again_and_is_asked_once_here(server, status, kind):
    server.told = [refusal(status, kind, "slow down")] * 3

    with pytest.raises(BusyError, match=f"{kind}: slow down"):
        asked(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(408, "ModelTimeoutException"), (424, "ModelErrorException")]
)
def test_a_model_that_failed_is_not_asked_again(server, status, kind):
    server.told = [refusal(status, kind, "too long")]

    with pytest.raises(AnalystError, match=kind) as caught:
        asked(server)
    assert not isinstance(caught.value, BusyError)


@pytest.mark.parametrize(
    "stop", ["content_filtered", "guardrail_intervened", "malformed_tool_use"]
)
def test_a_model_that_will_not_answer_is_told_with_its_cost(server, stop):
    server.told = [answer({"text": "no"}, stop=stop)]

    with pytest.raises(AnalystError, match=f"refused to answer: {stop}") as caught:
        asked(server)
    assert (caught.value.tokens_in, caught.value.tokens_out) == (900, 200)


def test_an_answer_that_was_cut_says_so(server):
    server.told = [answer(used({"risk_level": "low"}), stop="max_tokens")]

    assert asked(server).cut is True


def test_a_model_that_writes_rather_than_use_the_tool_is_read_as_well(server):
    blocks = [{"text": "Here: "}, {"text": json.dumps(USUAL)}]
    server.told = [answer(*blocks, stop="end_turn")]
    assert check(json.loads(asked(server).text.removeprefix("Here: "))) == check(USUAL)

    server.told = [answer({"text": "hm"}, used({}, "other"), stop="tool_use")]
    assert asked(server).text == "hm"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"output": {"message": {"role": "assistant", "content": []}}},
        {"output": None, "usage": None, "stopReason": None},
        "<html>",
    ],
)
def test_odd_answers_are_empty_ones(server, body):
    told = Reply(200, b"<html>") if body == "<html>" else reply(200, body)
    server.told = [told]

    said = asked(server)

    assert (said.text, said.tokens_in, said.tokens_out) == ("", 0, 0)


@pytest.mark.parametrize(
    "body",
    [b"[]", b'{"output": "x"}', b'{"output": {}}', b'{"usage": 5}'],
)
def test_what_is_no_answer_at_all_is_told(server, body):
    server.told = [Reply(200, body, {"Content-Type": "application/json"})]

    with pytest.raises(AnalystError, match="answer makes no sense"):
        asked(server)


def test_a_hung_bedrock_is_not_waited_for(server):
    server.told = [lambda: server.hang() or answer()]

    with pytest.raises(AnalystError, match="ReadTimeoutError"):
        asked(server, timeout_s=0.3)
    assert len(server.requests) == 1


def test_a_bedrock_that_is_not_there_is_told(server):
    nobody = adapter.Bedrock(lambda: connect().bedrock("http://127.0.0.1:9", 1), NOVA)

    with pytest.raises(AnalystError, match="EndpointConnectionError"):
        nobody.say(build(request(file("a.py")), 16_000, lambda: "m"), 5.0)


def test_without_credentials_it_says_so(server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(AnalystError, match="NoCredentialsError"):
        asked(server)


def send(server, body, **headers):
    return Outbound(Guard("127.0.0.1")).call(
        "POST",
        f"{server.origin}/model/amazon.nova-lite-v1%3A0/converse",
        headers=headers,
        body=json.dumps(body).encode(),
        timeout_s=5,
        most_bytes=100_000,
    )


def test_the_server_of_these_tests_wants_a_signature(server, monkeypatch):
    assert send(server, {}).status == 403
    assert b"Credential" in send(server, {}, authorization="Bearer x").body
    asked(server)
    signed = {
        name: server.requests[-1].headers[name]
        for name in ("authorization", "x-amz-date", "content-type")
    }
    assert b"does not match" in send(server, {"messages": []}, **signed).body
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    with pytest.raises(AnalystError, match="UnrecognizedClientException"):
        asked(server)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"system": [{"text": ""}]}, "at least 1"),
        ({"messages": []}, "at least one message"),
        (
            {"messages": [{"role": "assistant", "content": [{"text": "x"}]}]},
            "alternate",
        ),
        ({"inferenceConfig": {"temperature": 1.5}}, "between 0 and 1"),
        ({"inferenceConfig": {"maxTokens": 0}}, "at least 1"),
        ({"toolConfig": {"tools": []}}, "at least one member"),
    ],
)
def test_the_server_of_these_tests_refuses_what_bedrock_refuses(server, change, told):
    from botocore.config import Config
    from botocore.exceptions import ClientError

    usual = {"messages": [{"role": "user", "content": [{"text": "x"}]}]}
    # botocore checks some of it itself; the service does in any case.
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    client = connect().session.create_client(
        "bedrock-runtime", endpoint_url=server.origin, config=config
    )

    with pytest.raises(ClientError, match=told) as caught:
        client.converse(modelId=NOVA, **{**usual, **change})
    assert caught.value.response["Error"]["Code"] == "ValidationException"
