"""Subscriptions over HTTP: made, shown, changed, tested, paused, removed."""

from __future__ import annotations

import pytest

from tests.receiver import Receiver
from tests.steps import bearer, greeted, ids, listed, publish, say

PATH = "/api/v1/subscriptions"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOBODY = f"{PATH}/sub_01M7XZWQJYDFMFZR88CEXSY7JH"


@pytest.fixture
def wish(receiver):
    """The least that makes a subscription."""
    return {"topics": ["a.*"], "target": {"type": "webhook", "url": receiver.url}}


@pytest.fixture
def made(http, wish):
    """A subscription, as its maker is told of it."""
    return http.post(PATH, wish).json()


def path_of(made):
    return f"{PATH}/{made['id']}"


def test_what_is_published_after_the_answer_is_delivered_and_signed(
    http, platform, pump, receiver, wish
):
    answer = http.post(PATH, {**wish, "filter": {"priority": {"$gte": 7}}})
    told = ids(
        publish(
            platform, {"type": "a.b", "priority": 7}, {"type": "a.b", "priority": 6}
        )
    )
    pump.run()

    assert answer.status == 201
    assert receiver.ids() == told[:1]
    receiver.received[0].verify(answer.json()["secret"])
    counters = http.get(path_of(answer.json())).json()["counters"]
    assert {name: n for name, n in counters.items() if n} == {
        "matched": 1,
        "delivered": 1,
        "filtered_out": 1,
    }


def test_the_answer_tells_what_holds_where_nothing_was_said(made):
    del made["secret"], made["target"], made["created_at"]

    assert made.pop("id").startswith("sub_")
    assert set(made.pop("counters").values()) == {0}
    assert made == {
        "topics": ["a.*"],
        "filter": {},
        "name": None,
        "retry": {
            "schedule_s": [5, 300, 1800, 7200, 18000, 36000, 36000],
            "jitter": 0.2,
            "timeout_s": 15,
            "disable_after_s": 432_000,
        },
        "concurrency": None,
        "rate_limit": None,
        "batch_size": 1,
        "state": "RUNNING",
        "reason": None,
        "created_by": "anybody",
        "revision": 1,
        "stopped_s": 0,
    }


def test_all_that_can_be_said_is_kept(http, wish, receiver):
    every = {
        "topics": ["a.*", "b.**"],
        "filter": {"payload.n": {"$gt": 1}},
        "name": "shop",
        "retry": {
            "schedule_s": [1, 2.5],
            "jitter": 0,
            "timeout_s": 5,
            "disable_after_s": 3600,
        },
        "concurrency": 3,
        "rate_limit": 2.5,
        "batch_size": 7,
    }

    answer = http.post(PATH, {**wish, **every, "start": "earliest"})

    shown = http.get(path_of(answer.json())).json()
    assert {name: shown[name] for name in every} == every


def test_a_secret_is_shown_once_and_only_if_it_was_made_here(http, made, wish):
    wish["target"] |= {"secret": SECRET, "headers": {"x-token": "t0p"}}
    own = http.post(PATH, wish)

    shown = http.get(PATH).text + http.get(path_of(made)).text + own.text
    assert made["secret"].startswith("whsec_")
    assert "secret" not in own.json()
    assert [s for s in (made["secret"], SECRET, "t0p") if s in shown] == []
    assert own.json()["target"]["secrets"] == [{"hint": "whsec_...LaSw"}]
    assert own.json()["target"]["headers"] == {"x-token": "***"}


def test_neither_the_trail_nor_the_log_has_a_secret(http, platform, made, wish):
    http.patch(path_of(made), {"target": {**wish["target"], "secret": SECRET}})
    http.post(f"{path_of(made)}/rotate-secret", {"secret": "whsec_" + "A" * 40})
    http.delete(path_of(made))

    trail = [event.to_dict() for event in listed(platform)]
    assert [event["type"] for event in trail[::-1]] == [
        f"eventyard.subscription.{change}"
        for change in ("created", "changed", "secret_rotated", "removed")
    ]
    secrets = (made["secret"], SECRET, "whsec_" + "A" * 40)
    assert [secret for secret in secrets if secret in str(trail)] == []


def test_one_pattern_needs_no_list(http, wish):
    assert http.post(PATH, {**wish, "topics": "a.*"}).json()["topics"] == ["a.*"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"topics": None}, "topics"),
        ({"topics": []}, "topics"),
        ({"topics": ["a..b"]}, "a..b"),
        ({"topics": ["a"] * 101}, "topics"),
        ({"filter": {"n": {"$near": 1}}}, "$near"),
        ({"filter": []}, "filter"),
        ({"target": None}, "target"),
        ({"target": {"type": "pigeon"}}, "target"),
        ({"target": {"type": "webhook"}}, "target.webhook.url"),
        ({"target": {"type": "webhook", "url": "ftp://a"}}, "URL"),
        ({"target": {"type": "webhook", "url": "http://10.0.0.1/"}}, "10.0.0.1"),
        ({"target": {"type": "queue", "queue": "somebodys"}}, "target.queue"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"retry": {"schedule_s": [-1]}}, "retry.schedule_s.0"),
        ({"retry": {"schedule_s": [1] * 51}}, "retry.schedule_s"),
        ({"retry": {"jitter": 1.1}}, "retry.jitter"),
        ({"retry": {"timeout_s": 31}}, "retry.timeout_s"),
        ({"retry": {"twice": 1}}, "retry.twice"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": "3"}, "concurrency"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"batch_size": 21}, "batch_size"),
        ({"start": "yesterday"}, "start"),
        ({"more": 1}, "more"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_name(
    http, platform, wish, change, named
):
    answer = http.post(PATH, {**wish, **change})

    assert answer.status == 400
    assert named in answer.json()["error"]["message"]
    assert list(platform.subscribed.store.all()) == []


@pytest.mark.parametrize("name", ["Host", "webhook-id", "a b", "eventyard-x"])
def test_headers_that_are_not_theirs_to_set_are_refused(http, wish, name):
    wish["target"]["headers"] = {name: "x"}

    answer = http.post(PATH, wish)

    assert answer.status == 400
    assert "target.headers" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", ["", "{", "[]", "7"])
def test_a_body_that_is_no_object_is_refused(http, body):
    assert http.post(PATH, body).status == 400


def test_they_are_listed_in_the_order_of_creation_page_by_page(http, wish):
    made = [http.post(PATH, wish).json()["id"] for _ in range(5)]

    seen, cursor = [], ""
    while cursor is not None:
        page = http.get(f"{PATH}?limit=2&cursor={cursor}").json()
        assert len(page["subscriptions"]) <= 2
        seen += [one["id"] for one in page["subscriptions"]]
        cursor = page["cursor"]
    assert seen == made


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x"])
def test_a_page_that_makes_no_sense_is_refused(http, query):
    assert http.get(f"{PATH}?{query}").status == 400


def test_those_of_live_connections_are_on_the_first_page(http, platform, pump, made):
    greeted(pump, channel="router", client_id="me")
    say(platform, "c1", {"type": "subscribe", "subscription": {"topics": ["b.*"]}})

    first = http.get(PATH).json()
    later = http.get(f"{PATH}?cursor={made['id']}").json()
    (live,) = first["live"]
    assert live["topics"] == ["b.*"]
    assert live["target"] == {"type": "websocket", "client_id": "me"}
    assert (later["subscriptions"], later["live"]) == ([], [])


def test_a_change_counts_for_what_is_published_after_it(
    http, platform, pump, receiver, made
):
    answer = http.patch(path_of(made), {"filter": {"payload.n": 2}, "name": "shop"})
    publish(platform, *({"type": "a.b", "payload": {"n": n}} for n in (1, 2)))
    pump.run()

    assert [one.event["data"] for one in receiver.received] == [{"n": 2}]
    assert (answer.json()["name"], answer.json()["revision"]) == ("shop", 2)


def test_a_change_of_the_target_keeps_the_secret(http, platform, pump, receiver, made):
    with Receiver() as other:
        http.patch(path_of(made), {"target": {"type": "webhook", "url": other.url}})
        publish(platform, {"type": "a.b"})
        pump.run()

    assert receiver.received == []
    other.received[0].verify(made["secret"])


def test_null_takes_away_and_says_nothing_of_what_must_be_there(http, wish):
    full = {"name": "n", "concurrency": 2, "rate_limit": 5, "filter": {"priority": 5}}
    retry = {"schedule_s": [1], "jitter": 0}
    made = http.post(PATH, {**wish, **full, "batch_size": 3, "retry": retry}).json()
    nothing = dict.fromkeys([*full, "topics", "batch_size", "target"])

    after = http.patch(path_of(made), {**nothing, "retry": {"jitter": None}}).json()

    assert [after[name] for name in full] == [None, None, None, {}]
    assert [after[n] for n in ("topics", "batch_size")] == [["a.*"], 3]
    assert (after["retry"]["schedule_s"], after["retry"]["jitter"]) == ([1], 0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"topics": ["b..c"]}, "b..c"),
        ({"filter": {"$nor": []}}, "$nor"),
        ({"batch_size": 0}, "batch_size"),
        ({"state": "RUNNING"}, "state"),
        ({"start": "latest"}, "start"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(http, made, change, named):
    answer = http.patch(path_of(made), {"name": "new", **change})

    assert answer.status == 400
    assert named in answer.json()["error"]["message"]
    assert http.get(path_of(made)).json()["revision"] == 1


def test_of_two_changes_at_once_one_is_told_of_the_other(
    http, platform, made, monkeypatch
):
    store = type(platform.subscribed.store)
    save = store.save

    def late(self, after):
        monkeypatch.setattr(store, "save", save)
        assert http.patch(path_of(made), {"name": "first"}).status == 200
        save(self, after)

    monkeypatch.setattr(store, "save", late)
    second = http.patch(path_of(made), {"name": "second"})

    assert (second.status, second.json()["error"]["code"]) == (409, "conflict")
    assert http.get(path_of(made)).json()["name"] == "first"


def test_a_pause_holds_events_back_and_resuming_delivers_them(
    http, platform, pump, receiver, made
):
    paused = http.post(f"{path_of(made)}/pause", {"reason": "maintenance"}).json()
    told = ids(publish(platform, {"type": "a.b"}))
    pump.run()
    assert receiver.received == []

    resumed = http.post(f"{path_of(made)}/resume", {"from": "last_processed"}).json()
    pump.run()

    assert (paused["state"], paused["reason"]) == ("PAUSED", "maintenance")
    assert (resumed["state"], resumed["reason"]) == ("RUNNING", None)
    assert receiver.ids() == told


def test_resuming_from_the_latest_leaves_out_what_came_meanwhile(
    http, platform, clock, pump, receiver, made
):
    http.post(f"{path_of(made)}/pause")
    publish(platform, {"type": "a.b"})
    pump.run()
    clock.tick(10)

    assert http.get(path_of(made)).json()["stopped_s"] == 10
    http.post(f"{path_of(made)}/resume", {"from": "latest"})
    told = ids(publish(platform, {"type": "a.b"}))
    pump.run()

    assert receiver.ids() == told


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("pause", {"reason": "x" * 501}),
        ("pause", {"why": "x"}),
        ("resume", {"from": "earliest"}),
        ("rotate-secret", {"secret": "abc"}),
        ("rotate-secret", {"grace_s": 604_801}),
    ],
)
def test_a_verb_with_a_body_that_makes_no_sense_changes_nothing(http, made, verb, body):
    answer = http.post(f"{path_of(made)}/{verb}", body)

    assert answer.status == 400
    assert next(iter(body)) in answer.json()["error"]["message"]
    assert http.get(path_of(made)).json()["revision"] == 1


def test_after_a_rotation_both_secrets_sign_until_the_grace_is_over(
    http, platform, clock, pump, receiver, made
):
    told = http.post(f"{path_of(made)}/rotate-secret", {"grace_s": 60}).json()
    for _ in range(2):
        publish(platform, {"type": "a.b"})
        pump.run()
        clock.tick(60)

    during, after = receiver.received
    signatures = [one.headers["webhook-signature"] for one in (during, after)]
    assert [len(text.split()) for text in signatures] == [2, 1]
    assert told["secret"] != made["secret"]
    assert [set(secret) for secret in told["secrets"]] == [
        {"hint"},
        {"hint", "expires_at"},
    ]


def test_a_queue_has_no_secret_to_rotate(http, platform, monkeypatch):
    monkeypatch.setattr(platform.subscribed.targets.queues, "check", lambda _: None)
    name = f"{platform.settings.target_queues}orders"
    target = {"type": "queue", "queue": name}
    made = http.post(PATH, {"topics": "a.*", "target": target}).json()

    answer = http.post(f"{path_of(made)}/rotate-secret")

    assert made["target"] == target
    assert "secret" not in made
    assert answer.status == 400


def test_a_test_is_sent_now_and_counts_nothing(http, platform, receiver, made):
    told = http.post(f"{path_of(made)}/test").json()

    assert (told["delivered"], told["status"], told["error"]) == (True, 204, None)
    assert receiver.ids() == [told["event"]["id"]]
    assert receiver.received[0].event["type"] == "eventyard.test"
    assert set(http.get(path_of(made)).json()["counters"].values()) == {0}
    assert [e.type for e in listed(platform)] == ["eventyard.subscription.created"]


def test_a_test_that_fails_says_how(http, receiver, made):
    receiver.reaction = lambda *_: (418, {})

    told = http.post(f"{path_of(made)}/test").json()

    assert (told["delivered"], told["status"]) == (False, 418)
    assert "418" in told["error"]


def test_what_is_removed_gets_nothing_more(http, platform, pump, receiver, made):
    assert http.delete(path_of(made)).json() == {"removed": made["id"]}
    publish(platform, {"type": "a.b"})
    pump.run()

    assert receiver.received == []
    assert http.get(path_of(made)).status == 404
    assert http.get(PATH).json()["subscriptions"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", NOBODY),
        ("PATCH", NOBODY),
        ("DELETE", NOBODY),
        ("POST", f"{NOBODY}/pause"),
        ("POST", f"{NOBODY}/resume"),
        ("POST", f"{NOBODY}/rotate-secret"),
        ("POST", f"{NOBODY}/test"),
    ],
)
def test_one_that_is_not_there_is_not_found(http, method, path):
    answer = http._call(method, path, None, {})

    assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


def test_topic_scopes_apply(http, locked, wish):
    bearer(http, "events:subscribe")
    wide = http.post(PATH, {**wish, "topics": ["**"]}).json()
    bearer(http, "events:subscribe:a.*")
    mine = http.post(PATH, wish).json()
    beyond = http.post(PATH, {**wish, "topics": ["a.*", "b.c"]})
    wider = http.patch(path_of(mine), {"topics": ["a.**"]})

    assert [one["id"] for one in http.get(PATH).json()["subscriptions"]] == [mine["id"]]
    assert http.get(path_of(wide)).status == 404
    assert (beyond.status, wider.status) == (403, 403)
    assert beyond.json()["error"]["details"]["topic"] == "b.c"
    assert http.get(path_of(mine)).json()["topics"] == ["a.*"]
