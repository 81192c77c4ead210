"""Asking a model: checked, once more, and done without; always an answer."""

from __future__ import annotations

import json

import pytest

from chalicelib.outbound import Guard, Outbound
from chalicelib.pulls.analysis import check
from chalicelib.pulls.analyst import (
    AnalystError,
    BusyError,
    Fallback,
    ModelAnalyst,
    Said,
)
from chalicelib.pulls.gemini import Gemini as Asking
from chalicelib.pulls.offline import OfflineAnalyst
from tests.fakes import Clock
from tests.geminiserver import KEY, Gemini, answer, refusal
from tests.loopback import Reply
from tests.pulls import added, file, request
from tests.unit.server.test_pull_analysis import GOOD

ISSUE = {"path": "retry.py", "line": 1, "severity": "low", "message": "No jitter."}
USUAL = {**GOOD, "issues": [ISSUE]}
RETRY = file("retry.py", added("try again"))


@pytest.fixture
def server():
    with Gemini(USUAL) as made:
        yield made


@pytest.fixture
def analyst(server):
    return connect(server.origin)


def connect(url, **more):
    model = Asking(Outbound(Guard("127.0.0.1")), url, "gemini-2.5-flash", KEY)
    made = ModelAnalyst(model, 16_000, clock=Clock(0.0), jitter=lambda: 1.0, **more)
    made.slept = []
    made.sleep = made.slept.append
    return made


def nonsense(text="I think it is fine."):
    return answer(text)


def test_a_good_answer_is_asked_for_once(server, analyst):
    found = analyst.analyse(request(RETRY))

    assert found.analysis == check(USUAL)
    assert (found.tokens_in, found.tokens_out) == (1_200, 300)
    assert (analyst.name, analyst.key) == ("gemini", "gemini/gemini-2.5-flash")
    assert len(server.requests) == 1


def test_a_fenced_answer_needs_no_repair(server, analyst):
    server.told = [nonsense(f"```json\n{json.dumps(USUAL)}\n```")]

    assert analyst.analyse(request(RETRY)).analysis == check(USUAL)
    assert len(server.requests) == 1


def test_a_bad_answer_is_asked_for_once_more_with_what_was_wrong(server, analyst):
    server.told = [nonsense(json.dumps({**USUAL, "risk_level": "purple"}))]

    found = analyst.analyse(request(RETRY))

    second = server.questions[1]["contents"][0]["parts"][0]["text"]
    assert "risk_level: Input should be 'low', 'medium' or 'high'" in second
    assert found.analysis == check(USUAL)
    assert (found.tokens_in, found.tokens_out) == (2_400, 600)


def test_an_answer_that_was_cut_is_asked_for_more_briefly(server, analyst):
    server.told = [answer('{"risk_level": "low"', "MAX_TOKENS")]

    analyst.analyse(request(RETRY))

    second = server.questions[1]["contents"][0]["parts"][0]["text"]
    assert "It was cut off before its end." in second


def test_a_bad_answer_twice_is_an_error_with_its_cost(server, analyst):
    server.told = [nonsense(), nonsense("[]")]

    with pytest.raises(AnalystError, match="none, twice: It is no JSON") as caught:
        analyst.analyse(request(RETRY))

    assert (caught.value.tokens_in, caught.value.tokens_out) == (2_400, 600)
    assert len(server.requests) == 2


def test_a_repair_that_is_refused_counts_what_the_first_answer_cost(server, analyst):
    server.told = [nonsense(), answer("no", "SAFETY")]

    with pytest.raises(AnalystError, match="SAFETY") as caught:
        analyst.analyse(request(RETRY))

    assert (caught.value.tokens_in, caught.value.tokens_out) == (2_400, 600)


def test_a_busy_vendor_is_asked_again_briefly(server, analyst):
    server.told = [
        refusal(429, "RESOURCE_EXHAUSTED", "x"),
        refusal(503, "UNAVAILABLE", "x"),
    ]

    assert analyst.analyse(request(RETRY)).analysis == check(USUAL)
    assert analyst.slept == [1.0, 2.0]


def test_a_vendor_that_stays_busy_is_given_up(server, analyst):
    server.told = [refusal(429, "RESOURCE_EXHAUSTED", "quota")] * 5

    with pytest.raises(BusyError, match="quota"):
        analyst.analyse(request(RETRY))
    assert len(server.requests) == 3


def test_all_of_a_reading_ends_in_time():
    class Slow:
        provider, model, asked = "gemini", "slow", []

        def say(self, question, timeout_s):
            self.asked.append(timeout_s)
            clock.tick(50)
            return Said("no", 10, 1, "slow")

    clock = Clock(0.0)
    analyst = ModelAnalyst(Slow(), 16_000, clock=clock)
    with pytest.raises(AnalystError, match="twice"):
        analyst.analyse(request(RETRY))
    assert Slow.asked == [60.0, 60.0]

    clock = Clock(0.0)
    analyst = ModelAnalyst(Slow(), 16_000, clock=lambda: clock.now * 3)
    with pytest.raises(AnalystError, match="No answer within 120 s") as caught:
        analyst.analyse(request(RETRY))
    assert caught.value.tokens_in == 10


def test_what_a_model_makes_up_is_dropped(server, analyst):
    server.usual = {
        **USUAL,
        "issues": [
            {**ISSUE, "path": "main.js"},
            {**ISSUE, "line": 99},
            ISSUE,
        ],
    }

    found = analyst.analyse(request(RETRY))

    assert [(one.path, one.line) for one in found.analysis.issues] == [
        ("retry.py", None),
        ("retry.py", 1),
    ]
    assert analyst.analyse(request(known=False)).analysis.issues == ()


# --- Done without -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "reason", "spent"),
    [
        ([refusal(403, "PERMISSION_DENIED", "no")], "Gemini answered 403: no", (0, 0)),
        ([Reply(500, b"")] * 3, "Gemini answered 500", (0, 0)),
        ([nonsense(), nonsense()], "The answer was none, twice", (2_400, 600)),
        ([answer(None, "SAFETY")], "refused to answer: SAFETY", (1_200, 300)),
    ],
)
def test_where_a_model_fails_the_rules_read_and_say_why(
    server, analyst, told, reason, spent
):
    server.told = told
    offline = OfflineAnalyst()

    found = Fallback(analyst, offline).analyse(request(RETRY))

    assert found.analysis == offline.analyse(request(RETRY)).analysis
    assert (found.analyst, found.model) == ("offline", None)
    assert found.fallback_reason.startswith(reason) or reason in found.fallback_reason
    assert (found.tokens_in, found.tokens_out) == spent


def test_a_hung_model_is_waited_for_once_and_done_without(server):
    server.told = [lambda: server.hang() or answer("{}")] * 3
    analyst = connect(server.origin, call_s=0.3)

    found = Fallback(analyst, OfflineAnalyst()).analyse(request(RETRY))

    assert found.fallback_reason == "Gemini: no answer within 0.3 s"
    assert len(server.requests) == 1


def test_a_fault_that_nobody_thought_of_is_done_without_as_well():
    class Broken:
        name, key = "bedrock", "bedrock/x"

        def analyse(self, request):
            raise KeyError("AKIA" + "Z9" * 8)

    made = Fallback(Broken(), OfflineAnalyst())
    found = made.analyse(request(RETRY))

    assert (made.name, made.key) == ("bedrock", "bedrock/x")
    assert found.fallback_reason == "KeyError"


def test_a_good_answer_needs_no_reason(server, analyst):
    found = Fallback(analyst, OfflineAnalyst()).analyse(request(RETRY))

    assert (found.analyst, found.fallback_reason) == ("gemini", None)
