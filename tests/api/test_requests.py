"""Request and response, as clients see them."""

from __future__ import annotations

import pytest

from tests.steps import bearer, listed

PATH = "/api/v1/requests"


@pytest.fixture
def respond(http, platform):
    """Let somebody answer as soon as a requester waits; returns the answers to that."""
    answers = []

    def arrange(*bodies):
        def act(_):
            for body in bodies:
                request = next(e for e in listed(platform) if e.reply_to)
                path = f"{PATH}/{request.id}/reply"
                answers.append(http.post(path, body))
            platform.requests.sleep = lambda _: None

        platform.requests.sleep = act
        return answers

    return arrange


def test_a_request_is_answered_with_the_reply_event(http, respond):
    answers = respond({"payload": {"sum": 3}, "source": "adder"}, {"payload": {}})

    answer = http.post(PATH, {"type": "calc.add", "payload": {"x": 1}})

    told = answer.json()
    assert answer.status == 200
    assert (told["payload"], told["source"]) == ({"sum": 3}, "adder")
    assert told["causation_id"].startswith("evt_")
    assert [a.status for a in answers] == [201, 409]
    assert answers[0].json()["status"] == "published"


def test_the_responders_failure_is_a_bad_gateway(http, respond):
    respond({"error": {"type": "KeyError", "message": "no user 7"}})

    answer = http.post(PATH, {"type": "user.get"})

    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (502, "request_failed")
    assert error["details"]["type"] == "KeyError"
    assert error["details"]["message"] == "no user 7"


def test_nobody_answering_is_a_gateway_timeout(http):
    answer = http.post(PATH, {"type": "user.get", "timeout_s": 0.1})

    error = answer.json()["error"]
    request = http.get(f"/api/v1/events/{error['details']['request_id']}").json()
    late = http.post(f"{PATH}/{request['id']}/reply", {"payload": {}})
    assert (answer.status, error["code"]) == (504, "timeout")
    assert (request["type"], request["ttl"]) == ("user.get", 0.1)
    assert (late.status, late.json()["error"]["code"]) == (409, "request_expired")


@pytest.mark.parametrize("seconds", [0, 0.05, 25.1, "5", True, [5]])
def test_a_time_that_makes_no_sense_is_refused(http, platform, seconds):
    answer = http.post(PATH, {"type": "a", "timeout_s": seconds})

    assert answer.status == 400
    assert answer.json()["error"]["details"] == {"field": "timeout_s"}
    assert listed(platform) == []


@pytest.mark.parametrize("body", [[], 7, {}, {"type": "a b"}, {"type": "eventyard.x"}])
def test_a_request_that_makes_no_sense_is_refused(http, body):
    assert http.post(PATH, body).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"payload": 5},
        {"payload": {}, "error": {"type": "a", "message": "b"}},
        {"error": {"type": "a"}},
        {"payload": {}, "more": 1},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(http, platform, respond, body):
    answers = respond(body, {"payload": {"ok": True}})

    answer = http.post(PATH, {"type": "a"})

    assert [a.status for a in answers] == [400, 201]
    assert answer.json()["payload"] == {"ok": True}


def test_an_answer_to_nothing_is_not_found(http):
    path = f"{PATH}/evt_01M7XZWQJYDFMFZR88CEXSY7JH/reply"

    assert http.post(path, {"payload": {}}).status == 404


def test_topic_scopes_apply(http, platform, locked):
    bearer(http, "events:publish:user.*", "events:subscribe:user.*")
    assert http.post(PATH, {"type": "order.get", "timeout_s": 0.1}).status == 403
    bearer(http, "events:publish")
    timed_out = http.post(PATH, {"type": "order.get", "timeout_s": 0.1})
    request_id = timed_out.json()["error"]["details"]["request_id"]
    path = f"{PATH}/{request_id}/reply"
    assert http.post(path, {"payload": {}}).status == 403

    bearer(http, "events:subscribe:user.*")
    hidden = http.post(path, {"payload": {}})
    bearer(http, "events:subscribe:order.*")
    seen = http.post(path, {"payload": {}})

    assert (hidden.status, seen.status) == (404, 409)
