"""`/webhook`: what is taken, what is refused, and what GitHub is told."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import quote_plus

import pytest

from tests import github
from tests.steps import listed

SECRET = "the secret of the hook"


@pytest.fixture
def platform(platform):
    platform.settings = dataclasses.replace(platform.settings, github_secret=SECRET)
    return platform


OPENED = github.load("pull_request.opened")


def send(http, sample, path="/webhook", **changed):
    return http.post(path, sample.raw, **{**sample.signed(SECRET), **changed})


@pytest.mark.parametrize("path", ["/webhook", "/webhooks/github"])
def test_a_signed_delivery_is_in_the_log_when_it_is_answered(http, platform, path):
    answer = send(http, OPENED, path)

    assert answer.status == 202
    told = answer.json()
    assert told["success"] is True
    assert told["eventType"] == "com.github.pull_request.opened"
    (event,) = listed(platform)
    assert event.id == told["eventId"]
    assert event.payload == OPENED.body
    assert event.source == "https://github.com/octo/shop"
    assert event.subject == "101"
    assert event.attributes["delivery"] == OPENED.delivery


def test_taking_a_delivery_is_one_call(http, calls):
    send(http, OPENED)

    assert calls.made == ["TransactWriteItems"]


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "nonsense", "é"],
)
def test_without_the_right_signature_nothing_is_taken(http, platform, signature):
    headers = {**OPENED.signed(SECRET), "X-Hub-Signature-256": signature}
    if signature is None:
        del headers["X-Hub-Signature-256"]

    answer = http.post("/webhook", OPENED.raw, **headers)

    assert answer.status == 401
    assert answer.fault()["code"] == "unauthenticated"
    assert listed(platform) == []


def test_the_signature_of_another_body_is_refused(http, platform):
    forged = OPENED.having(pull_request__title="Mine")

    answer = http.post("/webhook", forged.raw, **OPENED.signed(SECRET))

    assert answer.status == 401
    assert listed(platform) == []


def test_the_same_value_in_other_bytes_is_another_body(http):
    spaced = json.dumps(OPENED.body, indent=1).encode()

    answer = http.post("/webhook", spaced, **OPENED.signed(SECRET))

    assert answer.status == 401


def test_the_signature_comes_before_everything_else(http):
    huge = b"x" * 5_100_000

    assert http.post("/webhook", huge).status == 401
    signed = {"X-Hub-Signature-256": github.sign(SECRET, huge)}
    assert http.post("/webhook", huge, **signed).status == 413


@pytest.mark.parametrize(
    ("body", "changed", "told"),
    [
        (b"{", {}, "JSON"),
        (b"[1]", {}, "object"),
        (b'"text"', {}, "object"),
        (b'{"a": "\\ud800"}', {}, "JSON"),
        (b"{}", {"X-GitHub-Event": ""}, "X-GitHub-Event"),
        (b"{}", {"X-GitHub-Event": "Not an event"}, "X-GitHub-Event"),
        (b"{}", {"X-GitHub-Delivery": ""}, "X-GitHub-Delivery"),
        (b"{}", {"X-GitHub-Delivery": "a/b"}, "X-GitHub-Delivery"),
    ],
)
def test_what_is_no_delivery_is_told_so_and_changes_nothing(
    http, platform, body, changed, told
):
    headers = {**OPENED.headers, "X-Hub-Signature-256": github.sign(SECRET, body)}

    answer = http.post("/webhook", body, **{**headers, **changed})

    assert answer.status == 400, answer.text
    assert told in answer.fault()["message"]
    assert listed(platform) == []


def test_without_a_secret_nothing_is_taken_unless_all_is_open(http, platform, locked):
    locked.settings = dataclasses.replace(locked.settings, github_secret="")

    answer = http.post("/webhook", OPENED.raw, **OPENED.headers)

    assert answer.status == 401
    assert "EVENTYARD_GITHUB_SECRET" in answer.fault()["message"]


def test_where_all_is_open_a_delivery_needs_no_secret(http, platform):
    platform.settings = dataclasses.replace(platform.settings, github_secret="")

    assert http.post("/webhook", OPENED.raw, **OPENED.headers).status == 202


def test_a_secret_is_asked_for_even_where_all_is_open(http):
    assert http.post("/webhook", OPENED.raw, **OPENED.headers).status == 401


def test_a_form_is_read_as_what_it_holds(http, platform):
    body = b"payload=" + quote_plus(OPENED.raw.decode()).encode()
    headers = {
        **OPENED.headers,
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Hub-Signature-256": github.sign(SECRET, body),
    }

    answer = http.post("/webhook", body, **headers)

    assert answer.status == 202
    assert listed(platform)[0].payload == OPENED.body


@pytest.mark.parametrize("name", ["ping.repository", "ping.organization"])
def test_a_ping_is_answered(http, name):
    answer = send(http, github.load(name))

    assert answer.status == 202
    assert answer.json()["message"] == "pong"


def test_a_kind_that_nobody_knows_is_kept_and_harmless(http, platform, pump):
    told = send(http, github.load("star.created")).json()
    pump.run()

    assert listed(platform)[0].type == "com.github.star.created"
    done = http.get("/api/v1/webhooks/deliveries?state=done").json()["deliveries"]
    assert [one["event_id"] for one in done] == [told["eventId"]]
    assert done[0]["processed"] is True


def test_the_same_delivery_twice_is_taken_once(http, platform, pump):
    first = send(http, OPENED).json()
    pump.run()
    second = send(http, OPENED).json()

    assert second["eventId"] == first["eventId"]
    assert second["message"] == "known, and done"
    assert len(listed(platform, wanted=lambda e: e["type"].startswith("com."))) == 1


def test_a_delivery_whose_work_was_never_done_is_worked_on_again(http, platform, pump):
    first = send(http, OPENED).json()
    # The queue lost it: the stream's record went nowhere.
    pump.records()

    second = send(http, OPENED).json()

    assert second["eventId"] == first["eventId"]
    assert second["message"] == "known, and worked on again"
    pump.queue("pulls")
    assert http.get("/api/prs").json()[0]["number"] == 101


def test_one_id_with_another_body_is_another_delivery(http, platform):
    send(http, OPENED)
    other = OPENED.having(pull_request__title="Another")
    poisoned = dataclasses.replace(other, headers=OPENED.headers)

    assert send(http, poisoned).json()["message"] == "accepted"
    assert len(listed(platform)) == 2


def test_one_event_of_two_hooks_is_two_deliveries(http, platform):
    send(http, OPENED)

    answer = send(http, OPENED, **{"X-GitHub-Hook-ID": "480099"})

    assert answer.json()["message"] == "accepted"


def test_no_topic_of_github_can_be_made_of_what_somebody_publishes(http, pump):
    event = {"type": "com.github.pull_request.opened", "payload": OPENED.body}

    assert http.post("/api/v1/events", event).status == 201
    pump.run()

    assert http.get("/api/prs").json() == []


def test_deliveries_are_listed_by_state_page_by_page(http, pump):
    for name in ("push.created", "star.created", "ping.repository"):
        send(http, github.load(name))
    pump.run()

    first = http.get("/api/v1/webhooks/deliveries?state=done&limit=2").json()
    rest = http.get(
        f"/api/v1/webhooks/deliveries?state=done&limit=2&cursor={first['cursor']}"
    ).json()

    shown = [one["event"] for one in [*first["deliveries"], *rest["deliveries"]]]
    assert shown == ["ping", "star", "push"]
    assert rest["cursor"] is None
    assert http.get("/api/v1/webhooks/deliveries").json()["deliveries"] == []


def test_a_retry_of_what_is_not_there_is_told_so(http):
    answer = http.post("/api/v1/webhooks/deliveries/01ARZ3NDEKTSV4RRFFQ69G5FAV/retry")

    assert answer.status == 404


def test_a_retry_of_what_is_done_is_refused(http, pump):
    told = send(http, OPENED).json()
    pump.run()

    place = told["eventId"].removeprefix("evt_")
    answer = http.post(f"/api/v1/webhooks/deliveries/{place}/retry")

    assert answer.status == 409
