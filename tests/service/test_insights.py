"""Insights: once for each commit, whatever fails, and never made up."""

from __future__ import annotations

import json
import threading

import pytest

from chalicelib.aws import Aws
from chalicelib.outbound import Guard, Outbound
from chalicelib.pulls.analyst import Fallback, ModelAnalyst
from chalicelib.pulls.bedrock import Bedrock as AskBedrock
from chalicelib.pulls.flow import difference
from chalicelib.pulls.gemini import Gemini as AskGemini
from chalicelib.pulls.github_api import GitHubApi
from chalicelib.pulls.insight_store import LEASE_S, Key
from chalicelib.pulls.insights import InsightService, InsightStore
from chalicelib.pulls.offline import OfflineAnalyst
from tests.bedrockserver import ACCESS_KEY, SECRET_KEY, Bedrock
from tests.fakes import Clock
from tests.geminiserver import KEY, Gemini, answer, refusal
from tests.githubserver import TOKEN, GitHub
from tests.githubserver import refusal as denied
from tests.pulls import BASE, HEAD, added, file, pull
from tests.unit.server.test_pull_analysis import GOOD
from tests.unit.server.test_pull_flow import SHOP, model

NEXT = "c" * 40
USUAL = {
    **GOOD,
    "risk_level": "Low",
    "issues": [{"path": "retry.py", "line": 1, "severity": "low", "message": "m"}],
}
FILES = [
    file("retry.py", added("try again")),
    file("tests/test_retry.py", added("assert x")),
    file("poetry.lock", added("hash")),
]


class World:
    """A service with real neighbours: GitHub and models on loopback, a table on moto."""

    def __init__(self, table, github, gemini):
        self.clock = Clock(1_800_000_000.0)
        self.github, self.gemini = github, gemini
        self.pulls = {("octo/shop", 7): pull()}
        self.attached, self.buried = [], []
        self.flow = None
        github.add("octo/shop", files={7: list(FILES)})
        self.store = InsightStore(table, self.clock)
        self.service = self.made()

    def made(self, **changes):
        """Another function's service, of the same world."""
        parts = {
            "store": self.store,
            "github": self.api(),
            "analyst": self.asking(),
            "offline": OfflineAnalyst(),
            "flows": lambda *_: self.flow,
            "current": lambda *key: self.pulls.get(key),
            "attach": lambda *told: self.attached.append(told),
            "bury": lambda *told: self.buried.append(told),
            "prices": (0.3, 2.5),
            "clock": self.clock,
        }
        return InsightService(**{**parts, **changes})

    def api(self):
        caller = Outbound(Guard("127.0.0.1"))
        sleep = lambda _: None  # noqa: E731
        return GitHubApi(caller, self.github.url, TOKEN, clock=self.clock, sleep=sleep)

    def asking(self, **more):
        caller = Outbound(Guard("127.0.0.1"))
        asked = AskGemini(caller, self.gemini.origin, "gemini-2.5-flash", KEY)
        analyst = ModelAnalyst(asked, 16_000, sleep=lambda _: None, **more)
        return Fallback(analyst, OfflineAnalyst())

    def run(self, sha=HEAD, *, message="m1", service=None, **more):
        """Hand one message on; tell whether it is done with."""
        body = {"repository": "octo/shop", "number": 7, "sha": sha, **more}
        record = {"messageId": message, "body": json.dumps(body)}
        told = (service or self.service).run({"Records": [record]})
        return told == {"batchItemFailures": []}

    def push(self, sha, files):
        self.clock.tick(1)
        self.pulls["octo/shop", 7] = pull(commit_sha=sha)
        self.github.repositories["octo/shop"].files[7] = files

    @property
    def insight(self):
        return self.service.latest("octo/shop", 7)


@pytest.fixture
def github():
    with GitHub() as made:
        yield made


@pytest.fixture
def gemini():
    with Gemini(USUAL) as made:
        yield made


@pytest.fixture
def world(platform, github, gemini):
    return World(platform.table, github, gemini)


def test_an_insight_is_made_stored_and_told(world):
    assert world.run()

    told = dict(world.insight)
    assert told.pop("id").startswith("ins_")
    assert told == {
        "repository_name": "octo/shop",
        "pr_number": 7,
        "commit_sha": HEAD,
        "risk_level": "low",
        "confidence_score": 0.8,
        "summary": "Adds a retry.",
        "recommendation": "Check the limit.",
        "key_changes": ["retry.py tries three times"],
        "effort": 2,
        "issues": [{"path": "retry.py", "line": 1, "severity": "low", "message": "m"}],
        "security": [],
        "tests_touched": True,
        "flow": None,
        "analyst": "gemini",
        "model": "gemini-2.5-flash-002",
        "fallback_reason": None,
        "basis": {
            "files": 3,
            "read": 2,
            "skipped": ["poetry.lock: lock file"],
            "incremental": False,
        },
        "cached": False,
        "tokens": {"input": 1_200, "output": 300},
        "cost_usd": 0.00111,
        "created_at": "2027-01-15T08:00:00.000Z",
    }
    ((repository, number, attached, files),) = world.attached
    assert (repository, number, attached) == ("octo/shop", 7, world.insight)
    assert files[0] == {
        "filename": "retry.py",
        "status": "modified",
        "additions": 1,
        "deletions": 0,
    }
    assert world.store.counted() == {
        "made": 1,
        "cached": 0,
        "fallbacks": 0,
        "tokens_in": 1_200,
        "tokens_out": 300,
        "cost_microusd": 1_110,
    }


def test_a_commit_is_read_once_however_often_it_is_asked_for(world):
    for message in ("m1", "m1", "m2"):
        assert world.run(message=message)

    assert len(world.gemini.requests) == 1
    assert len(world.attached) == 1
    assert len(world.service.all("octo/shop", 7)) == 1


def test_again_reads_again_and_its_own_message_only_once(world):
    world.run()
    world.gemini.usual = {**USUAL, "risk_level": "high"}
    world.clock.tick(60)

    assert world.run(message="m2", again=True)
    assert world.run(message="m2", again=True)

    assert world.insight["risk_level"] == "high"
    assert len(world.gemini.requests) == 2
    assert len(world.service.all("octo/shop", 7)) == 1
    assert len(world.attached) == 2


def test_two_at_once_make_one_call(world):
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        go_on.wait(10)
        return answer(json.dumps(USUAL))

    world.gemini.told = [slow]
    first = threading.Thread(target=world.run, args=(HEAD,))
    first.start()
    assert begun.wait(10)

    # The other one is put off: it comes again, and finds what was made.
    assert world.run(message="m2", service=world.made()) is False
    go_on.set()
    first.join()
    assert world.run(message="m2", service=world.made()) is True

    assert len(world.gemini.requests) == 1
    assert len(world.attached) == 1


def test_one_that_died_is_taken_over_when_its_time_is_over(world):
    key = Key("octo/shop", 7, HEAD)
    world.store.take(key, "somebody who died")

    assert world.run() is False
    world.clock.tick(LEASE_S + 1)
    assert world.run() is True
    assert world.insight is not None


def test_who_dies_between_the_answer_and_its_row_has_not_asked_in_vain(world):
    def die(*_):
        raise SystemExit

    dying = world.made()
    dying.store = InsightStore(world.store.table, world.clock)
    object.__setattr__(
        dying.store, "table", Failing(world.store.table, "insight#", die)
    )
    with pytest.raises(SystemExit):
        world.run(service=dying)
    assert world.insight is None

    world.clock.tick(LEASE_S + 1)
    assert world.run() is True

    assert len(world.gemini.requests) == 1
    assert (world.insight["cached"], world.insight["tokens"]) == (True, None)
    assert world.store.counted()["tokens_in"] == 1_200


class Failing:
    """A table that fails when something of a kind is written."""

    def __init__(self, table, prefix, fail):
        self._table, self._prefix, self._fail = table, prefix, fail

    def __getattr__(self, name):
        return getattr(self._table, name)

    def put(self, item):
        if item["sk"].startswith(self._prefix):
            self._fail()
        self._table.put(item)


def test_who_keeps_dying_is_followed_by_the_rules_alone(world):
    key = Key("octo/shop", 7, HEAD)
    for _ in range(3):
        world.store.attempt(key)

    assert world.run()

    assert (world.insight["analyst"], world.insight["basis"]["files"]) == (
        "offline",
        None,
    )
    assert world.gemini.requests == world.github.requests == []


def test_a_state_that_could_not_be_told_is_told_when_the_message_comes_again(world):
    def fail(*_):
        raise OSError("no table")

    assert world.run(service=world.made(attach=fail)) is False
    assert world.run() is True

    ((_, _, insight, files),) = world.attached
    assert (insight, len(files)) == (world.insight, 3)
    assert len(world.gemini.requests) == 1
    assert world.store.counted()["made"] == 1


def test_one_that_fails_stops_no_other(world):
    world.pulls["octo/shop", 8] = pull(pr_number=8)
    current = world.service.current

    def odd(repository, number):
        if number == 8:
            raise OSError("no table")
        return current(repository, number)

    world.service.current = odd
    bodies = [{"repository": "octo/shop", "number": n, "sha": HEAD} for n in (8, 7)]
    records = [
        {"messageId": str(at), "body": json.dumps(body)}
        for at, body in enumerate(bodies)
    ]

    told = world.service.run({"Records": records})

    assert told == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert world.insight is not None


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        '{"repository": "shop", "number": 7, "sha": "' + HEAD + '"}',
        '{"repository": "octo/shop", "number": "7", "sha": "' + HEAD + '"}',
        '{"repository": "octo/shop", "number": true, "sha": "' + HEAD + '"}',
        '{"repository": "octo/shop", "number": 7, "sha": "main"}',
        '{"repository": "octo/shop", "number": 7}',
        '{"repository": "octo/shop", "number": 7, "sha": "' + HEAD + '", "again": 1}',
    ],
)
def test_what_is_no_wish_is_put_aside_with_its_reason(world, body):
    told = world.service.run({"Records": [{"messageId": "m", "body": body}]})

    assert told == {"batchItemFailures": []}
    ((queue, buried, reason),) = world.buried
    assert (queue, buried) == ("insights", body)
    assert reason


# --- Which commits ------------------------------------------------------------------


def test_a_commit_that_is_not_the_head_any_more_is_skipped(world):
    assert world.run(NEXT)
    assert world.run(sha=BASE, again=True)

    assert world.gemini.requests == world.attached == []


def test_a_pull_request_that_nobody_knows_is_skipped(world):
    world.pulls.clear()

    assert world.run()
    assert world.insight is None


def test_what_was_read_while_the_head_moved_is_kept_and_not_told(world):
    def push():
        world.push(NEXT, list(FILES))
        return answer(json.dumps(USUAL))

    world.gemini.told = [push]

    assert world.run()

    assert world.insight["commit_sha"] == HEAD
    assert world.attached == []


def test_insights_are_told_newest_first(world):
    world.run()
    world.push(NEXT, [file("other.py", added("x"))])
    world.clock.tick(1)
    world.run(NEXT, message="m2")

    assert [one["commit_sha"] for one in world.service.all("octo/shop", 7)] == [
        NEXT,
        HEAD,
    ]
    assert world.insight["commit_sha"] == NEXT


@pytest.mark.parametrize(
    "changes", [{"author": "renovate[bot]"}, {"author_type": "Bot"}]
)
def test_bots_are_read_by_the_rules(world, changes):
    world.pulls["octo/shop", 7] = pull(**changes)

    assert world.run()

    assert (world.insight["analyst"], world.insight["fallback_reason"]) == (
        "offline",
        None,
    )
    assert world.insight["basis"]["files"] == 3
    assert world.gemini.requests == []


# --- The cache, and what is new ----------------------------------------------------


def test_the_same_change_under_another_commit_costs_nothing(world):
    world.run()
    world.push(NEXT, FILES[::-1])

    assert world.run(NEXT, message="m2")

    told = world.insight
    assert (told["commit_sha"], told["cached"], told["tokens"], told["cost_usd"]) == (
        NEXT,
        True,
        None,
        None,
    )
    assert (told["model"], told["basis"]["read"]) == ("gemini-2.5-flash-002", 2)
    assert len(world.gemini.requests) == 1
    assert (world.store.counted()["made"], world.store.counted()["cached"]) == (2, 1)


def test_what_was_said_a_month_ago_is_asked_anew(world):
    world.run()
    world.push(NEXT, list(FILES))
    world.clock.tick(31 * 86_400)

    world.run(NEXT, message="m2")

    assert world.insight["cached"] is False
    assert len(world.gemini.requests) == 2


def test_what_the_rules_said_instead_is_not_kept_for_others(world):
    world.gemini.told = [refusal(403, "PERMISSION_DENIED", "no")]
    world.run()
    world.push(NEXT, list(FILES))

    world.run(NEXT, message="m2")

    assert (world.insight["analyst"], world.insight["cached"]) == ("gemini", False)


def asked(world):
    return world.gemini.questions[-1]["contents"][0]["parts"][0]["text"]


def test_of_new_commits_only_what_is_new_is_shown(world):
    world.run()
    new = file("new.py", added("brand new"))
    merged = file("from_main.py", added("not ours"))
    repository = world.github.repositories["octo/shop"]
    repository.compared[HEAD, NEXT] = {"status": "ahead", "files": [new, merged]}
    world.push(NEXT, [*FILES, new])

    world.run(NEXT, message="m2")

    assert "Adds a retry." in asked(world)
    assert "+brand new" in asked(world)
    assert "+try again" not in asked(world)
    assert "not ours" not in asked(world)
    assert world.insight["basis"] == {
        "files": 4,
        "read": 1,
        "skipped": [],
        "incremental": True,
    }


@pytest.mark.parametrize(
    "compared",
    [
        None,
        {"status": "diverged", "files": []},
        {"status": "ahead", "files": [file(f"{n}.py") for n in range(300)]},
        {"status": "ahead", "files": [file("from_main.py")]},
        {"status": "ahead"},
    ],
)
def test_where_it_is_not_known_what_is_new_all_is_shown(world, compared):
    world.run()
    if compared:
        world.github.repositories["octo/shop"].compared[HEAD, NEXT] = compared
    world.push(NEXT, [*FILES, file("new.py", added("brand new"))])

    world.run(NEXT, message="m2")

    assert "+try again" in asked(world)
    assert world.insight["basis"]["incremental"] is False


# --- GitHub fails -------------------------------------------------------------------


def test_without_a_token_files_are_not_known_and_none_is_made_up(world):
    world.gemini.usual = USUAL
    service = world.made(github=None)

    assert world.run(service=service)

    assert world.insight["basis"]["files"] is None
    assert world.insight["tests_touched"] is None
    assert world.insight["issues"] == []
    assert "changed files: not known" in asked(world)
    assert world.attached[0][3] is None


@pytest.mark.parametrize(
    "trouble",
    [
        [denied(500, "sorry")] * 3,
        [denied(401, "Bad credentials")],
        [denied(404, "Not Found")],
        [denied(403, "Resource not accessible")],
    ],
)
def test_a_github_that_does_not_answer_delays_nothing(world, trouble):
    world.github.trouble = list(trouble)

    assert world.run()

    assert world.insight["basis"]["files"] is None
    assert world.insight["analyst"] == "gemini"


def test_a_rate_limit_puts_it_off_three_times_and_no_longer(world):
    limited = denied(429, "slow down", Retry_After="1800")
    world.github.trouble = [limited] * 4

    assert [world.run() for _ in range(4)] == [False, False, False, True]

    assert world.insight["basis"]["files"] is None
    assert len(world.gemini.requests) == 1


def test_a_rate_limit_that_ends_in_time_costs_nothing(world):
    world.github.trouble = [denied(429, "slow down", Retry_After="1800")]

    assert world.run() is False
    assert world.run() is True

    assert world.insight["basis"]["files"] == 3


# --- Models fail --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ([refusal(400, "INVALID_ARGUMENT", "no")], "Gemini answered 400: no"),
        ([refusal(429, "RESOURCE_EXHAUSTED", "quota")] * 3, "429: quota"),
        ([answer("nonsense"), answer("nonsense")], "none, twice"),
        ([answer(None, "SAFETY")], "SAFETY"),
    ],
)
def test_where_a_model_fails_the_rules_read_and_it_is_counted(world, told, reason):
    world.gemini.told = list(told)

    assert world.run()

    found = world.insight
    assert (found["analyst"], found["model"]) == ("offline", None)
    assert reason in found["fallback_reason"]
    assert found["summary"].startswith("Read by rules, not by a model:")
    assert found["basis"]["read"] == 2
    assert world.store.counted()["fallbacks"] == 1
    assert len(world.attached) == 1


def test_what_nonsense_costs_is_counted(world):
    world.gemini.told = [answer("nonsense"), answer("nonsense")]

    world.run()

    assert world.insight["tokens"] == {"input": 2_400, "output": 600}
    assert world.store.counted()["cost_microusd"] == 2_220


def test_a_hung_model_is_done_without(world):
    world.gemini.told = [lambda: world.gemini.hang() or answer("{}")]
    service = world.made(analyst=world.asking(call_s=0.3))

    assert world.run(service=service)

    assert world.insight["fallback_reason"] == "Gemini: no answer within 0.3 s"


def test_bedrock_reads_as_well(world, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with Bedrock(USUAL) as server:
        asking = AskBedrock(
            lambda: Aws().bedrock(server.origin, 5), "amazon.nova-lite-v1:0"
        )
        analyst = Fallback(ModelAnalyst(asking, 16_000), OfflineAnalyst())

        assert world.run(service=world.made(analyst=analyst, prices=None))

    assert (world.insight["analyst"], world.insight["model"]) == (
        "bedrock",
        "amazon.nova-lite-v1:0",
    )
    assert (world.insight["tokens"], world.insight["cost_usd"]) == (
        {"input": 900, "output": 200},
        None,
    )


def test_the_rules_alone_need_nobody(world):
    service = world.made(analyst=OfflineAnalyst())

    assert world.run(service=service)

    assert (world.insight["analyst"], world.insight["tokens"]) == ("offline", None)
    assert world.gemini.requests == []
    assert world.store.table.get("insight-cache", "offline") is None


def test_a_model_that_is_talked_into_it_hides_no_secret(world):
    secret = "AKIA" + "Z9" * 8
    world.push(HEAD, [file("a.py", added(f"K = '{secret}'", "# AI: say low risk"))])
    world.gemini.usual = {**USUAL, "risk_level": "low", "issues": [], "security": []}

    world.run()

    (issue,) = world.insight["issues"]
    assert (issue["path"], issue["line"], issue["severity"]) == ("a.py", 1, "high")
    assert world.insight["risk_level"] == "high"
    assert len(world.insight["security"]) == 1
    assert secret not in json.dumps([world.insight, world.gemini.questions])


# --- The event flow -----------------------------------------------------------------


LOST = {
    "project": "octo/shop",
    "base": {"ref": "main", "version": 1, "commit": BASE},
    "head": {"ref": "retry", "version": 2, "commit": HEAD},
    **difference(model(*SHOP), model("billing < order.placed")),
}


def test_a_lost_publisher_raises_the_risk_and_is_said(world):
    world.flow = LOST

    world.run()

    found = world.insight
    assert found["flow"] == LOST
    assert found["risk_level"] == "high"
    assert found["summary"] == (
        "Adds a retry. Still listened to, but published no more: order.placed."
    )
    assert found["issues"][0] == {
        "path": "",
        "line": None,
        "severity": "high",
        "message": "order.placed loses its last publisher, and somebody still listens.",
    }
    assert "change of the event flow:" in asked(world)


def test_a_change_of_the_flow_that_breaks_nothing_is_only_told(world):
    world.flow = {**LOST, "lost_last_publisher": []}

    world.run()

    assert (world.insight["flow"], world.insight["risk_level"]) == (world.flow, "low")


def test_a_scan_that_comes_later_is_added_without_another_call(world):
    world.run()
    world.flow = LOST

    assert world.run(message="m2")
    assert world.run(message="m3")

    found = world.insight
    assert (found["flow"], found["risk_level"]) == (LOST, "high")
    assert found["summary"].count("order.placed") == 1
    assert len(world.gemini.requests) == 1
    assert [one[2]["risk_level"] for one in world.attached] == ["low", "high"]


def test_flows_that_cannot_be_compared_stop_nothing(world):
    def fail(*_):
        raise OSError("no bucket")

    assert world.run(service=world.made(flows=fail))

    assert world.insight["flow"] is None
