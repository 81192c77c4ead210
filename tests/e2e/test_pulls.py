"""Pull requests, the whole way: signed webhooks over HTTP, states, live, insights."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.pulls.shown import show
from eventyard.core.graph.drawing import draw
from tests import github
from tests.e2e.following import (
    all_done,
    deliver,
    deliveries,
    detail,
    insight_of,
    post,
    pull,
)
from tests.e2e.listener import Watcher
from tests.e2e.outside import SECRET, USUAL, Outside
from tests.e2e.running import RunningPlatform, wait_until
from tests.geminiserver import KEY, answer, refusal
from tests.github import BOTS_NUMBER, FORKS_NUMBER, NUMBER, REPOSITORY, Sample
from tests.pulls import added, file, told
from tests.unit.server.test_pull_flow import model

OPENED = github.load("pull_request.opened")
PUSHED = github.load("pull_request.synchronize")
HEAD = OPENED.body["pull_request"]["head"]["sha"]
NEXT = PUSHED.body["after"]
#: What comes beside the webhooks, or from what came to the branch.
BESIDE = {"revision", "ai_insight", "files_changed", "first_commit_at", "updated_at"}


def without(state: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in names}


def several(count: int, repositories: int) -> dict[tuple[str, int], list[Sample]]:
    """The story, told of several pull requests whose numbers are not unique."""
    found: dict[tuple[str, int], list[Sample]] = {}
    name = f"burst/r{uuid4().hex[:8]}"
    for n in range(count):
        key = (f"{name}-{n % repositories}", 200 + n // repositories)
        found[key] = [_of(github.load(one), *key, n) for one in github.STORY]
    return found


def _of(sample: Sample, repository: str, number: int, n: int) -> Sample:
    other = sample.in_repository(repository).of_number(number)
    return other.at_commit(HEAD, f"{n + 1:040x}").at_commit(NEXT, f"{n + 501:040x}")


def test_the_whole_story_ends_as_it_was_told(
    running: RunningPlatform, outside: Outside
) -> None:
    outside.github.add(REPOSITORY, files={NUMBER: [file("shop/pay.py")]})
    samples = [github.load(name) for name in github.SAMPLES]
    answered = deliver(running, *samples)

    assert [one["eventType"].split(".")[2] for one in answered] == [
        sample.event for sample in samples
    ]
    for number in (NUMBER, FORKS_NUMBER, BOTS_NUMBER):
        what = f"the insight of {number}"
        wait_until(
            lambda n=number: pull(running, REPOSITORY, n)["ai_insight"], what=what
        )
        expected = without(show(told(samples, REPOSITORY, number)), BESIDE)
        assert without(pull(running, REPOSITORY, number), BESIDE) == expected

    whole = detail(running, REPOSITORY)
    assert whole["pull"]["status"] == "merged"
    assert whole["pull"]["first_commit_at"] == "2026-03-02T09:04:40.000Z"
    assert whole["pull"]["files_changed"] == ["shop/pay.py"]
    assert {check["sha"] for check in whole["checks"]} == {NEXT}
    assert whole["phases"]["merge_s"] == 600
    assert whole["insights"][0] == whole["pull"]["ai_insight"]
    listed = running.get(f"/api/v1/pulls?repository={REPOSITORY}&state=done")["pulls"]
    assert listed == [whole["pull"]]
    history = running.get(f"/api/v1/pulls/{REPOSITORY}/{NUMBER}/history?limit=200")
    kinds = [line["kind"] for line in history["history"]]
    assert kinds[0] == "insight"
    assert {"opened", "pushed", "labeled", "approved", "merged"} <= {*kinds}
    bots = pull(running, REPOSITORY, BOTS_NUMBER)["ai_insight"]
    assert (bots["analyst"], bots["fallback_reason"]) == ("offline", None)


def test_the_seeds_addresses_tell_it_in_the_seeds_shapes(
    running: RunningPlatform,
) -> None:
    name = f"seed/s{uuid4().hex[:8]}"
    deliver(running, OPENED.in_repository(name))
    insight_of(running, name, HEAD)

    (shown,) = running.get(f"/api/prs?repository={name}")
    assert shown == {
        "number": NUMBER,
        "title": "Fix payment processing",
        "description": OPENED.body["pull_request"]["body"],
        "author": "ada",
        "authorAvatar": OPENED.body["pull_request"]["user"]["avatar_url"],
        "commitSha": HEAD,
        "repositoryName": name,
        "createdAt": "2026-03-02T09:06:00.000Z",
        "updatedAt": "2026-03-02T09:06:00.000Z",
        "status": "pending",
        "filesChanged": [],
        "additions": 15,
        "deletions": 12,
        "branchName": "hotfix/payment-gateway",
        "isDraft": False,
    }
    (insight,) = running.get(f"/api/insights/{NUMBER}?repository={name}")
    assert insight.pop("id").startswith("ins_")
    # Made now: that is no change of the pull request.
    assert insight.pop("createdAt") > shown["updatedAt"]
    assert insight == {
        "prNumber": NUMBER,
        "commitSha": HEAD,
        "riskLevel": "medium",
        "summary": USUAL["summary"],
        "recommendation": USUAL["recommendation"],
        "keyChanges": USUAL["key_changes"],
        "confidenceScore": USUAL["confidence_score"],
    }
    repository = running.get(f"/api/repository?repository={name}")
    told_of = OPENED.in_repository(name).body["repository"]
    assert repository == {
        "name": name.split("/")[1],
        "fullName": name,
        "description": told_of["description"],
        "owner": "seed",
        "ownerAvatar": told_of["owner"]["avatar_url"],
        "isPrivate": told_of["private"],
        "defaultBranch": "main",
        "openPRs": 1,
        "totalPRs": 1,
        "lastActivity": repository["lastActivity"],
        "languages": [told_of["language"]],
        "stars": told_of["stargazers_count"],
        "forks": told_of["forks_count"],
    }
    assert running.get("/api/insights/987654321") == []
    assert running.request("GET", "/api/insights/x")[0] == 422


def test_what_is_not_signed_with_the_secret_leaves_nothing(
    running: RunningPlatform,
) -> None:
    name = f"forged/f{uuid4().hex[:8]}"
    sample = OPENED.in_repository(name)
    right = sample.signed(SECRET)
    unsigned = {n: v for n, v in right.items() if n != "X-Hub-Signature-256"}
    forged = [
        (sample.raw, sample.signed("another secret")),
        (sample.raw, unsigned),
        (sample.raw, {**right, "X-Hub-Signature-256": "sha256=short"}),
        (sample.raw.replace(b"ada", b"eve"), right),
        (json.dumps(sample.body).encode(), right),
    ]
    for raw, headers in forged:
        status, answered = running.send("/webhook", raw, headers)
        assert (status, answered["error"]["code"]) == (401, "unauthenticated")

    deliver(running, OPENED.in_repository(f"{name}-true"))
    assert running.request("GET", f"/api/v1/pulls/{name}/{NUMBER}")[0] == 404
    names = {one["repository"] for one in deliveries(running, "done")}
    assert name not in names
    assert f"{name}-true" in names
    # The very bytes count, however they are written.
    spaced = json.dumps(sample.body, indent=1).encode()
    headers = {**right, "X-Hub-Signature-256": github.sign(SECRET, spaced)}
    assert running.send("/webhook", spaced, headers)[0] == 202
    all_done(running)
    assert pull(running, name)["title"] == "Fix payment processing"


@pytest.mark.soak
def test_a_burst_ends_as_in_order_though_functions_die_and_connections_are_cut(
    running: RunningPlatform,
) -> None:
    stories = several(10, repositories=4)
    chance = random.Random(11)
    samples = [sample for story in stories.values() for sample in story]
    samples += chance.sample(samples, len(samples) // 5)
    chance.shuffle(samples)
    assert len(samples) > 500

    with Watcher(running.live) as watcher, ThreadPoolExecutor(8) as pool:
        answered = [pool.submit(post, running, sample) for sample in samples]
        for part in range(1, 6):
            wait_until(lambda n=part: watcher.count > 15 * n, 120, "news")
            watcher.cut()
            if part in (2, 4):
                assert running.kill_worker("follow") > 0
            wait_until(lambda n=part: len(watcher.hellos) > n, what="its return")
        places = {one.result()["eventId"] for one in answered}
        assert len(places) == len(github.STORY) * len(stories)
        all_done(running, 180)

        def told_all() -> bool:
            ends = {key: watcher.states(*key)[-1:] for key in stories}
            return all([pull(running, *key)] == end for key, end in ends.items())

        wait_until(told_all, 60, "the last news")

    assert not deliveries(running, "dead")
    for key, story in stories.items():
        expected = without(show(told(story, *key)), BESIDE)
        assert without(pull(running, *key), BESIDE) == expected
    assert len(watcher.told) >= 6
    # A greeting may come twice, and the first connection brings no cursor.
    assert all(one["data"].get("recovered", True) for one in watcher.hellos)
    for connection in watcher.told:
        for states in connection.values():
            revisions = [state["revision"] for state in states]
            assert revisions == sorted(revisions)


def test_an_insight_comes_when_the_model_is_ready_and_nothing_waits_for_it(
    running: RunningPlatform, outside: Outside
) -> None:
    name = f"slow/s{uuid4().hex[:8]}"
    files = [file("retry.py", added("try again")), file("poetry.lock", added("hash"))]
    outside.github.add(name, files={NUMBER: files})
    go_on = threading.Event()

    def slow() -> Any:
        go_on.wait(60)
        return answer(json.dumps(USUAL))

    outside.gemini.told_of[name] = [slow]
    with Watcher(running.live, repository=name) as watcher:
        deliver(running, OPENED.in_repository(name))
        wait_until(lambda: outside.gemini.asked_of(name), what="the question")
        (state,) = wait_until(lambda: watcher.states(name, NUMBER))
        assert state == pull(running, name)
        assert state["ai_insight"] is None
        go_on.set()
        wait_until(lambda: len(watcher.states(name, NUMBER)) == 2, what="the insight")

    shown = pull(running, name)
    assert watcher.states(name, NUMBER)[-1] == shown
    assert shown["files_changed"] == ["retry.py", "poetry.lock"]
    insight = shown["ai_insight"]
    assert (insight["analyst"], insight["model"]) == ("gemini", "gemini-2.5-flash-002")
    assert insight["issues"] == USUAL["issues"]
    assert insight["basis"] == {
        "files": 2,
        "read": 1,
        "skipped": ["poetry.lock: lock file"],
        "incremental": False,
    }


def test_each_commit_is_read_once_and_the_next_by_what_is_new(
    running: RunningPlatform, outside: Outside
) -> None:
    name = f"read/r{uuid4().hex[:8]}"
    opened, pushed = OPENED.in_repository(name), PUSHED.in_repository(name)
    first, fresh = file("retry.py", added("try again")), file("limit.py", added("most"))
    known = outside.github.add(name, files={NUMBER: [first]})
    known.compared[HEAD, NEXT] = {"status": "ahead", "files": [fresh]}

    deliver(running, opened)
    insight_of(running, name, HEAD)
    known.files[NUMBER] = [first, fresh]
    deliver(running, pushed)
    assert insight_of(running, name, NEXT)["basis"]["incremental"] is True
    question = json.dumps(outside.gemini.asked_of(name)[-1])
    assert "most" in question
    assert "try again" not in question

    (again,) = deliver(running, pushed)
    assert again["message"] == "known, and done"
    deliver(running, opened, opened.fresh(), pushed.fresh())
    path = f"/api/v1/pulls/{name}/{NUMBER}/analyse"
    assert running.request("POST", path)[0] == 202
    wait_until(lambda: len(outside.gemini.asked_of(name)) >= 3, what="the third")
    # It was asked for last: whatever the others cost would have been asked before.
    assert len(outside.gemini.asked_of(name)) == 3
    commits = [one["commit_sha"] for one in detail(running, name)["insights"]]
    assert commits == [NEXT, HEAD]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ([refusal(403, "PERMISSION_DENIED", "Not you.")], "403: Not you."),
        ([refusal(503, "UNAVAILABLE", "Too many.")] * 3, "503: Too many."),
        (
            [answer("Looks fine to me!"), answer('{"risk_level": []}')],
            "twice: risk_level",
        ),
        ([answer(None, "SAFETY")], "refused to answer: SAFETY"),
    ],
)
def test_where_the_model_fails_the_rules_read_and_say_why(
    running: RunningPlatform, outside: Outside, trouble: list[Any], reason: str
) -> None:
    name = f"fails/f{uuid4().hex[:8]}"
    outside.github.add(name, files={NUMBER: [file("db/migrate.sql", added("DROP"))]})
    outside.gemini.told_of[name] = list(trouble)
    with Watcher(running.live, repository=name) as watcher:
        deliver(running, OPENED.in_repository(name))
        wait_until(lambda: len(watcher.states(name, NUMBER)) == 2, what="the insight")
    before, after = watcher.states(name, NUMBER)

    assert before["ai_insight"] is None
    insight = after["ai_insight"]
    assert (insight["analyst"], insight["model"]) == ("offline", None)
    assert reason in insight["fallback_reason"]
    assert insight["basis"]["files"] == 1
    assert len(outside.gemini.asked_of(name)) == len(trouble)
    counted = running.get("/api/v1/pulls/metrics")["insights"]
    assert counted["fallbacks"] >= 1


def test_a_scan_that_comes_later_tells_what_becomes_of_the_flow_of_events(
    running: RunningPlatform,
) -> None:
    name = f"flow/f{uuid4().hex[:8]}"
    base = OPENED.body["pull_request"]["base"]["sha"]
    push_scan(running, name, "main", base, "shop > order.placed")
    with Watcher(running.live, repository=name) as watcher:
        deliver(running, OPENED.in_repository(name))
        assert insight_of(running, name, HEAD)["flow"] is None
        push_scan(running, name, "hotfix/payment-gateway", HEAD, "shop > order.paid")

        def flow() -> Any:
            states = watcher.states(name, NUMBER)
            return (
                states and states[-1]["ai_insight"] and states[-1]["ai_insight"]["flow"]
            )

        told_of = wait_until(flow, what="the flow")

    assert told_of["project"] == name
    assert (told_of["base"]["commit"], told_of["head"]["commit"]) == (base, HEAD)
    assert told_of["publishers_removed"] == [{"event": "order.placed", "agent": "shop"}]
    assert told_of["lost_last_publisher"] == ["order.placed"]
    insight = pull(running, name)["ai_insight"]
    assert (insight["flow"], insight["risk_level"]) == (told_of, "high")
    running.request("DELETE", f"/api/graph?project={name}")


def push_scan(
    running: RunningPlatform, project: str, ref: str, commit: str, *edges: str
) -> None:
    found = model("billing < order.placed", *edges)
    wish = {
        "graph_type": "complete",
        "dot_content": draw(found, "complete"),
        "model": found.to_dict(),
        "project": project,
        "ref": ref,
        "commit": commit,
    }
    status, answered = running.request("POST", "/api/graph", wish)
    assert status == 201, answered


def test_only_who_reads_pull_requests_is_given_the_key_for_it(
    running: RunningPlatform,
) -> None:
    environment = Path(f"/proc/{running.emulator_pid}/environ").read_bytes()
    assert KEY.encode() not in environment
    names = {}
    for function in ("api", "follow", "analyse"):
        found = running.aws("lambda").get_function_configuration(
            FunctionName=f"eventyard-dev-{function}"
        )
        names[function] = {*found["Environment"]["Variables"]}
    assert "GEMINI_API_KEY" in names["analyse"]
    assert "GEMINI_API_KEY" not in names["api"] | names["follow"]
