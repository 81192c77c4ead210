"""Deliveries into states: whatever comes first, twice, late, or never ends."""

from __future__ import annotations

import json

import pytest

from chalicelib.pulls import deliveries as raw
from eventyard.core.graph.drawing import draw
from tests import github, steps
from tests.github import FORKS_NUMBER, NUMBER, REPOSITORY
from tests.steps import listed
from tests.unit.server.test_pull_flow import model

OPENED = github.load("pull_request.opened")
PUSHED = github.load("pull_request.synchronize")
HEAD = OPENED.body["pull_request"]["head"]["sha"]
RED = github.load("check_run.completed.failure")
GREEN = github.load("check_run.completed.success")


@pytest.fixture
def deliver(http, pump):
    pump.left.add("insights")

    return lambda *samples: steps.deliver(http, *samples)


def pull(http, number=NUMBER, repository=REPOSITORY):
    return http.get(f"/api/v1/pulls/{repository}/{number}").json()["pull"]


def deliveries(http, state):
    answer = http.get(f"/api/v1/webhooks/deliveries?state={state}")
    return answer.json()["deliveries"]


def updates(platform):
    found = listed(platform, wanted=lambda e: e["type"] == "eventyard.pull.updated")
    return found[::-1]


def test_a_check_that_comes_before_its_pull_request_counts(http, pump, deliver):
    deliver(RED)
    pump.run()
    deliver(OPENED)
    pump.run()

    assert pull(http)["status"] == "buildFailed"


def test_a_forks_checks_are_found_by_its_commit(http, pump, deliver):
    deliver("pull_request.opened.fork", "check_run.completed.fork")
    pump.run()

    shown = pull(http, FORKS_NUMBER)
    assert shown["fork"] is True
    assert shown["pipeline_status"]["status_build"] == "passed"


def test_a_new_head_begins_without_checks_and_approvals(http, pump, deliver):
    deliver(OPENED, RED, "pull_request_review.submitted.changes_requested", PUSHED)
    pump.run()

    states = pull(http)["pipeline_status"]
    assert (states["status_build"], states["status_approval"]) == ("pending", "pending")


def test_one_number_in_two_repositories_is_two_pull_requests(http, pump, deliver):
    deliver(
        OPENED, OPENED.in_repository("other/place").having(pull_request__title="Theirs")
    )
    pump.run()

    assert pull(http)["title"] != "Theirs"
    assert pull(http, repository="other/place")["title"] == "Theirs"


def test_each_change_is_an_event_in_its_order_with_its_cause(
    platform, http, pump, deliver
):
    first, second = deliver(OPENED, RED)
    pump.run()
    deliver(OPENED.fresh())
    pump.run()

    events = updates(platform)
    assert [event.payload["revision"] for event in events] == [1, 2]
    assert [event.causation_id for event in events] == [f"evt_{first}", f"evt_{second}"]
    assert events[-1].payload == pull(http)


def test_the_first_commit_is_known_from_the_branchs_pushes(http, pump, deliver):
    deliver(OPENED)
    pump.run()
    assert pull(http)["first_commit_at"] is None

    deliver("push.created")
    pump.run()

    assert pull(http)["first_commit_at"] == "2026-03-02T09:04:40.000Z"


def test_the_timeline_tells_each_thing_once_newest_first(http, pump, deliver):
    names = ("pull_request.labeled", "pull_request_review.submitted.approved")
    deliver(OPENED, *names, OPENED.fresh())
    pump.run()

    path = f"/api/v1/pulls/{REPOSITORY}/{NUMBER}/history"
    told = http.get(path).json()
    assert [line["kind"] for line in told["history"]] == [
        "approved",
        "labeled",
        "opened",
    ]
    first = http.get(f"{path}?limit=2").json()
    rest = http.get(f"{path}?limit=2&cursor={first['cursor']}").json()
    assert [*first["history"], *rest["history"]] == told["history"]


def test_one_bad_delivery_never_blocks_others(
    platform, http, pump, deliver, monkeypatch
):
    merge = platform.pulls.projection.merge
    spoiled = OPENED.of_number(7)

    def fail_for_seven(told, cause=None):
        if told.number == 7:
            raise RuntimeError("told to fail")
        return merge(told, cause)

    monkeypatch.setattr(
        type(platform.pulls.projection), "merge", lambda _, *a: fail_for_seven(*a)
    )
    deliver(spoiled, OPENED)
    pump.run()

    assert pull(http)["pr_number"] == NUMBER
    (waiting,) = deliveries(http, "open")
    assert waiting["reason"] == "RuntimeError: told to fail"
    assert waiting["processed"] is False


def test_what_fails_is_tried_again_and_at_last_given_up_with_its_reason(
    platform, http, pump, deliver, clock, monkeypatch
):

    def fail(*_):
        raise RuntimeError("told to fail")

    monkeypatch.setattr(type(platform.pulls.projection), "merge", fail)
    (place,) = deliver(OPENED)
    pump.run()
    rounds = 0
    while deliveries(http, "open"):
        rounds += 1
        clock.tick(2_000)
        platform.pulls.deliveries.take_up()
        pump.queue("pulls")

    assert rounds == raw.MOST_ATTEMPTS + 1
    (dead,) = deliveries(http, "dead")
    assert (dead["id"], dead["attempts"]) == (place, raw.MOST_ATTEMPTS)
    assert dead["reason"] == "RuntimeError: told to fail"

    monkeypatch.undo()
    assert http.post(f"/api/v1/webhooks/deliveries/{place}/retry").status == 202
    pump.run()

    assert pull(http)["pr_number"] == NUMBER
    assert deliveries(http, "dead") == []


def test_the_schedule_leaves_what_the_queue_has_only_just_got(platform, pump, deliver):
    deliver(OPENED)

    assert platform.pulls.deliveries.take_up() == 0


def test_what_the_queue_lost_is_taken_up_by_the_schedule(
    platform, http, pump, deliver, clock
):
    deliver(OPENED)
    pump.records()
    clock.tick(61)

    assert platform.sweep()["taken_up"] == 1
    pump.queue("pulls")

    assert pull(http)["pr_number"] == NUMBER


@pytest.mark.parametrize("verb", ["announce", "merge", "analyse", "finish"])
def test_a_function_that_dies_at_any_step_leaves_nothing_undone(
    platform, http, pump, deliver, monkeypatch, verb
):
    pulls = platform.pulls
    owner = {
        "announce": pulls.announcer,
        "merge": pulls.projection,
        "finish": pulls.deliveries,
    }
    real = getattr(owner.get(verb, pulls), verb)
    deaths = []

    def die_once(*args):
        done = real(*args)
        if not deaths:
            deaths.append(1)
            raise SystemExit
        return done

    follower = pulls.follower
    if verb == "analyse":
        follower.analyse = die_once
    else:
        monkeypatch.setattr(type(owner[verb]), verb, lambda _, *args: die_once(*args))
    deliver(OPENED)
    records = _relayed(pump)
    with pytest.raises(SystemExit):
        follower.follow({"Records": records})

    follower.follow({"Records": records})

    assert pull(http)["revision"] == 1
    assert [event.payload["revision"] for event in updates(platform)] == [1]
    assert deliveries(http, "open") == []
    assert (
        list(
            platform.table.query(
                f"pull#{REPOSITORY}#{NUMBER}", after="out#", until="out#~"
            )
        )
        == []
    )


def _relayed(pump):
    pump.relay()
    return pump.messages("pulls")


def test_a_message_that_cannot_be_read_goes_to_the_dead_letters(platform, pump):
    for body in ("{", "[]", '{"what": 1}', "[1]"):
        platform.aws.sqs.send_message(
            QueueUrl=platform.settings.pulls_queue_url, MessageBody=body
        )
    pump.queue("pulls")

    queues = {queue["name"]: queue for queue in platform.queues.all()}
    assert queues["pulls"]["waiting"] == 0
    assert queues["pulls"]["dead"] == 3


def test_a_large_payload_is_fetched_from_where_it_rests(http, pump, deliver):
    deliver(OPENED.having(pull_request__body="x" * 300_000))
    pump.run()

    shown = pull(http)
    assert len(shown["description"].encode()) <= 16_000


def test_a_new_commit_asks_for_an_analysis_and_other_changes_do_not(
    platform, pump, deliver
):
    deliver(OPENED)
    pump.run()
    asked = [json.loads(one["body"]) for one in pump.messages("insights")]

    assert asked == [
        {
            "repository": REPOSITORY,
            "number": NUMBER,
            "sha": OPENED.body["pull_request"]["head"]["sha"],
            "again": False,
        }
    ]
    deliver(RED, "pull_request_review.submitted.approved")
    pump.run()
    assert pump.messages("insights") == []


def test_what_is_known_of_the_flow_later_becomes_part_of_the_same_insight(
    http, pump, deliver
):
    deliver(OPENED)
    pump.left.clear()
    pump.run()
    before = pull(http)["ai_insight"]
    commits = {"main": OPENED.body["pull_request"]["base"]["sha"], "x": HEAD}
    edges = {"main": "shop > order.placed", "x": "shop > order.paid"}
    for ref, commit in commits.items():
        flow = model("billing < order.placed", edges[ref])
        push = {
            "graph_type": "complete",
            "dot_content": draw(flow, "complete"),
            "model": flow.to_dict(),
            "project": REPOSITORY,
            "ref": ref,
            "commit": commit,
        }
        assert http.post("/api/graph", push).status == 201
    pump.run()

    shown = pull(http)
    assert before["flow"] is None
    assert shown["ai_insight"]["id"] == before["id"]
    assert shown["ai_insight"]["flow"]["lost_last_publisher"] == ["order.placed"]
    assert shown["revision"] == 3


def test_an_insight_is_part_of_the_state_and_told_of(platform, http, pump, deliver):
    deliver(OPENED)
    pump.left.clear()
    pump.run()

    shown = pull(http)
    insight = shown["ai_insight"]
    assert insight["analyst"] == "offline"
    assert insight["commit_sha"] == shown["commit_sha"]
    assert updates(platform)[-1].payload == shown
    assert shown["revision"] == 2
    detail = http.get(f"/api/v1/pulls/{REPOSITORY}/{NUMBER}").json()
    assert detail["insights"] == [insight]
    (seed,) = http.get(f"/api/insights/{NUMBER}").json()
    assert seed == {
        "id": insight["id"],
        "prNumber": NUMBER,
        "commitSha": insight["commit_sha"],
        "riskLevel": insight["risk_level"],
        "summary": insight["summary"],
        "recommendation": insight["recommendation"],
        "createdAt": insight["created_at"],
        "keyChanges": insight["key_changes"],
        "confidenceScore": insight["confidence_score"],
    }
    assert http.get("/api/v1/pulls?risk=" + insight["risk_level"]).json()["pulls"]
    path = f"/api/v1/pulls/{REPOSITORY}/{NUMBER}/history"
    assert "insight" in [line["kind"] for line in http.get(path).json()["history"]]
    assert http.get("/api/v1/pulls/metrics").json()["insights"]["made"] == 1


def test_two_scans_tell_how_the_flow_of_events_changes(platform, http, pump, deliver):
    head = OPENED.body["pull_request"]["head"]["sha"]
    base = OPENED.body["pull_request"]["base"]["sha"]
    before = 'digraph { shop -> "order.placed"; "order.placed" -> billing; }'
    after = 'digraph { "order.placed" -> billing; }'
    for ref, commit, dot in (("main", base, before), ("fix", head, after)):
        push = {"graph_type": "complete", "project": REPOSITORY, "ref": ref}
        model = {
            "events": [{"name": "order.placed"}],
            "agents": [{"id": "shop"}, {"id": "billing"}],
            "edges": [
                *(
                    [{"agent": "shop", "event": "order.placed", "kind": "publishes"}]
                    if ref == "main"
                    else []
                ),
                {"agent": "billing", "event": "order.placed", "kind": "subscribes"},
            ],
        }
        body = {**push, "commit": commit, "dot_content": dot, "model": model}
        assert http.post("/api/graph", body).status == 201
    deliver(OPENED)
    pump.left.clear()
    pump.run()

    insight = pull(http)["ai_insight"]
    assert insight["flow"]["lost_last_publisher"] == ["order.placed"]
    assert insight["flow"]["publishers_removed"] == [
        {"event": "order.placed", "agent": "shop"}
    ]
    assert insight["risk_level"] == "high"


def test_a_scan_that_comes_later_has_the_pull_request_looked_at_again(
    http, pump, deliver
):
    deliver(OPENED)
    pump.run()
    pump.messages("insights")
    sha = OPENED.body["pull_request"]["head"]["sha"]
    push = {"graph_type": "complete", "dot_content": "digraph { a -> b }"}
    for project in (REPOSITORY, "shop", "elsewhere"):
        body = {**push, "project": project, "commit": sha}
        assert http.post("/api/graph", body).status == 201
    pump.run()

    asked = [json.loads(one["body"]) for one in pump.messages("insights")]
    assert [(one["number"], one["sha"], one["again"]) for one in asked] == [
        (NUMBER, sha, False),
        (NUMBER, sha, False),
    ]


def test_what_only_waits_in_a_long_queue_is_neither_sent_again_nor_counted(
    platform, http, pump, deliver, clock
):
    deliver(*(OPENED.of_number(number) for number in range(1, 13)))
    pump.relay()
    clock.tick(10_000)

    assert platform.pulls.deliveries.take_up() == 0
    assert {one["attempts"] for one in deliveries(http, "open")} == {0}


def test_many_that_wait_for_their_next_try_do_not_hide_one_that_was_lost(
    platform, pump, deliver, clock, monkeypatch
):
    monkeypatch.setattr(raw, "_TAKEN_UP_A_TICK", 2)
    failing = deliver(*(OPENED.of_number(number) for number in range(1, 5)))
    for row in platform.pulls.deliveries.open_among(failing).values():
        platform.table.set(raw.OPEN, row["sk"], {"due": clock.now + 100_000})
    (lost,) = deliver(OPENED)
    pump.records()
    clock.tick(61)

    assert platform.pulls.deliveries.take_up() == 1
    (message,) = pump.messages("pulls")
    assert json.loads(message["body"]) == {"places": [lost]}
