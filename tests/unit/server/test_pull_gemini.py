"""Asking Gemini, against a server that refuses what Gemini refuses."""

from __future__ import annotations

import json

import pytest

from chalicelib.outbound import Guard, Outbound
from chalicelib.pulls import gemini as adapter
from chalicelib.pulls.analysis import check
from chalicelib.pulls.analyst import AnalystError, BusyError, ModelAnalyst
from chalicelib.pulls.prompt import build
from tests.geminiserver import KEY, Gemini, answer, refusal
from tests.loopback import Reply, reply
from tests.pulls import file, request
from tests.unit.server.test_pull_analysis import GOOD

USUAL = {**GOOD, "issues": []}


@pytest.fixture
def server():
    with Gemini(USUAL) as made:
        yield made


def asked(server, *, key=KEY, model="gemini-2.5-flash", timeout_s=5.0):
    caller = Outbound(Guard("127.0.0.1"))
    asking = adapter.Gemini(caller, server.origin, model, key)
    return asking.say(build(request(file("a.py")), 16_000, lambda: "m"), timeout_s)


def test_a_question_is_put_as_the_documents_say(server):
    said = asked(server)

    (sent,) = server.requests
    assert sent.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert sent.headers["x-goog-api-key"] == KEY
    assert sent.query == {}
    config = server.questions[0]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseSchema"]["properties"]["risk_level"] == {
        "type": "STRING",
        "format": "enum",
        "enum": ["low", "medium", "high"],
        "description": "How much could go wrong when this is merged.",
    }
    assert (config["temperature"], config["maxOutputTokens"]) == (0.3, 8_192)
    assert (
        "senior engineer"
        in server.questions[0]["systemInstruction"]["parts"][0]["text"]
    )
    assert json.loads(said.text) == USUAL
    assert (said.tokens_in, said.tokens_out, said.cut) == (1_200, 300, False)
    assert said.model == "gemini-2.5-flash-002"


def test_a_whole_reading_is_made_of_its_answer(server):
    caller = Outbound(Guard("127.0.0.1"))
    asking = adapter.Gemini(caller, server.origin, "gemini-2.5-flash", KEY)

    found = ModelAnalyst(asking, 16_000).analyse(request(file("a.py")))

    assert found.analysis == check(USUAL)
    assert (found.analyst, found.model, found.read) == (
        "gemini",
        "gemini-2.5-flash-002",
        ("a.py",),
    )


def test_a_model_may_be_named_as_google_does(server):
    asked(server, model="models/gemini-2.5-pro")

    assert server.requests[0].path == "/v1beta/models/gemini-2.5-pro:generateContent"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"key": "hunter2"}, "400: API key not valid"),
        ({"key": ""}, "403: Method doesn't allow unregistered callers"),
        ({"model": "gemini-0"}, "404: models/gemini-0 is not found"),
        ({"model": "a/b"}, "404"),
    ],
)
def test_a_refusal_is_told_and_holds_no_key(server, given, told):
    with pytest.raises(AnalystError, match=told) as caught:
        asked(server, **given)

    assert not isinstance(caught.value, BusyError)
    assert "hunter2" not in str(caught.value)


def test_an_echoed_key_is_masked(server):
    server.told = [refusal(400, "INVALID_ARGUMENT", f"no such key: {KEY}")]

    with pytest.raises(AnalystError) as caught:
        asked(server)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_gemini_may_be_asked_again(server, status):
    server.told = [refusal(status, "RESOURCE_EXHAUSTED", "slow down")]

    with pytest.raises(BusyError, match=f"{status}: slow down"):
        asked(server)


def test_an_answer_that_was_cut_says_so_and_what_it_cost(server):
    server.told = [answer('{"risk_level": "lo', "MAX_TOKENS", thoughtsTokenCount=7_000)]
    said = asked(server)
    assert (said.cut, said.tokens_out) == (True, 7_300)

    # Who thinks until the end answers nothing at all.
    server.told = [answer(None, "MAX_TOKENS", candidatesTokenCount=0)]
    assert asked(server).text == ""


@pytest.mark.parametrize(
    "told",
    [
        answer("no", "SAFETY"),
        answer(None, "PROHIBITED_CONTENT"),
        answer(None, "RECITATION"),
        reply(
            200,
            {
                "promptFeedback": {"blockReason": "BLOCKLIST"},
                "usageMetadata": {"promptTokenCount": 1_200},
            },
        ),
    ],
)
def test_a_model_that_will_not_answer_is_told_with_its_cost(server, told):
    server.told = [told]

    with pytest.raises(AnalystError, match=r"refused to answer: [A-Z_]+") as caught:
        asked(server)
    assert caught.value.tokens_in == 1_200


def test_what_a_model_thinks_is_no_part_of_its_answer(server):
    parts = [{"text": "Hmm", "thought": True}, {"text": "{}"}, {"text": " "}]
    server.told = [reply(200, {"candidates": [{"content": {"parts": parts}}]})]

    said = asked(server)

    assert (said.text, said.tokens_in, said.model) == ("{} ", 0, "gemini-2.5-flash")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"candidates": []},
        {"candidates": None},
        {"candidates": ["x"]},
        {"candidates": [{"content": "x"}]},
        {"candidates": [{"content": {"parts": [None, 1, {"text": 5}]}}]},
        {"candidates": [{"content": {}}], "usageMetadata": [], "promptFeedback": 1},
        {"usageMetadata": {"promptTokenCount": "many", "candidatesTokenCount": -4}},
    ],
)
def test_odd_answers_are_empty_ones(server, body):
    server.told = [reply(200, body)]

    said = asked(server)

    assert (said.text, said.tokens_in, said.tokens_out) == ("", 0, 0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff"])
def test_what_is_no_answer_at_all_is_told(server, body):
    server.told = [Reply(200, body)]
    with pytest.raises(AnalystError, match="no JSON object"):
        asked(server)

    server.told = [Reply(400, body)]
    with pytest.raises(AnalystError, match="no reason given"):
        asked(server)


def test_a_hung_gemini_is_not_waited_for(server):
    server.told = [lambda: server.hang() or answer("{}")]

    with pytest.raises(AnalystError, match=r"no answer within 0\.3 s") as caught:
        asked(server, timeout_s=0.3)
    assert not isinstance(caught.value, BusyError)


def test_a_redirect_is_not_followed_with_the_key(server):
    server.told = [reply(302, {}, Location="http://127.0.0.1:9/")]

    with pytest.raises(AnalystError, match="302"):
        asked(server)
    assert len(server.requests) == 1


def test_its_key_is_never_shown():
    assert KEY not in repr(adapter.Gemini(Outbound(Guard()), "https://x", "m", KEY))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(extra=1),
        lambda body: body["generationConfig"].update(responseFormat={}),
        lambda body: body["generationConfig"].update(responseMimeType="text/plain"),
        lambda body: body["generationConfig"]["responseSchema"].update(
            additionalProperties=False
        ),
        lambda body: body["generationConfig"]["responseSchema"].update(type="object"),
        lambda body: body["generationConfig"]["responseSchema"]["required"].append("x"),
        lambda body: body["contents"][0].update(role="assistant"),
        lambda body: body.update(contents=[]),
    ],
)
def test_the_server_of_these_tests_refuses_what_gemini_refuses(server, change):
    asked(server)
    body = server.questions[0]
    change(body)
    told = Outbound(Guard("127.0.0.1")).call(
        "POST",
        f"{server.origin}/v1beta/models/gemini-2.5-flash:generateContent",
        headers={"x-goog-api-key": KEY},
        body=json.dumps(body).encode(),
        timeout_s=5,
        most_bytes=100_000,
    )

    assert told.status == 400
    assert b"INVALID_ARGUMENT" in told.body
