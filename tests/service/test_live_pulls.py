"""The channel of pull requests: each change once, in order, and nothing missed."""

from __future__ import annotations

import json

import pytest

from tests import github, steps
from tests.github import NUMBER, REPOSITORY
from tests.pulls import read
from tests.steps import connect, greeted, say

OPENED = github.load("pull_request.opened")
RED = github.load("check_run.completed.failure")
APPROVED = github.load("pull_request_review.submitted.approved")
LABELED = github.load("pull_request.labeled")


@pytest.fixture
def deliver(http, pump):
    pump.left.add("insights")

    def send(*samples):
        steps.deliver(http, *samples)
        pump.run()

    return send


def watch(pump, connection_id="c1", **query):
    return greeted(pump, connection_id, channel="pulls", **query)


def told(gateway, connection_id="c1"):
    return [
        f["data"] for f in gateway.frames(connection_id) if f["event"] == "pr_update"
    ]


def revisions(gateway, connection_id="c1"):
    return [one["revision"] for one in told(gateway, connection_id)]


def test_whoever_watches_is_greeted_with_a_cursor(pump):
    (hello,) = watch(pump, client_id="board")

    assert hello["event"] == "hello"
    assert hello["data"].keys() == {"client_id", "cursor"}
    assert hello["data"]["client_id"] == "board"


def test_who_names_no_channel_watches_pull_requests(pump, gateway, deliver):
    greeted(pump, channel="")
    deliver(OPENED)

    assert revisions(gateway) == [1]


def test_a_change_is_told_as_the_seed_shows_it(http, pump, gateway, deliver):
    watch(pump)
    deliver(OPENED)

    frame = gateway.frames("c1")[-1]
    assert frame.keys() == {"event", "data"}
    assert frame["event"] == "pr_update"
    data = frame["data"]
    assert data["pr_number"] == NUMBER
    assert data["title"] == OPENED.body["pull_request"]["title"]
    assert data["pipeline_status"] == {
        "status_pr": "opened",
        "status_build": "pending",
        "status_approval": "pending",
        "status_merge": "pending",
    }
    listed = http.get("/api/v1/pulls").json()["pulls"]
    assert [{k: v for k, v in data.items() if k != "cursor"}] == listed


def test_each_change_is_told_once_in_its_order(pump, gateway, deliver):
    watch(pump)
    deliver(OPENED, RED, APPROVED, LABELED)
    deliver(OPENED, RED.fresh())

    assert revisions(gateway) == sorted(set(revisions(gateway)))
    assert revisions(gateway)[0] == 1
    statuses = [one["status"] for one in told(gateway)]
    assert statuses[0] == "pending"
    assert statuses[-1] == "approved"


def test_a_change_that_shows_nothing_is_not_told(pump, gateway, deliver):
    watch(pump)
    deliver(OPENED)
    deliver(OPENED.fresh())

    assert revisions(gateway) == [1]


def test_a_connection_may_watch_one_repository_or_one_number(pump, gateway, deliver):
    watch(pump, "mine", repository=REPOSITORY)
    watch(pump, "other", repository="other/place")
    watch(pump, "one", repository=REPOSITORY, number=str(NUMBER))
    watch(pump, "two", repository=REPOSITORY, number="7")
    deliver(OPENED)

    assert [len(told(gateway, c)) for c in ("mine", "other", "one", "two")] == [
        1,
        0,
        1,
        0,
    ]


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 12])
def test_a_number_that_is_none_is_refused(platform, number):
    assert connect(platform, channel="pulls", number=number)["statusCode"] == 400


def test_what_changed_between_the_list_and_the_connection_is_told(
    pump, gateway, deliver
):
    deliver(OPENED)
    watch(pump)

    assert revisions(gateway) == [1]


def test_what_changed_long_before_is_for_the_list(
    platform, pump, gateway, deliver, clock
):
    deliver(OPENED)
    clock.tick(60)
    watch(pump)

    assert told(gateway) == []


def test_whoever_comes_back_is_told_the_newest_of_what_it_missed(
    http, platform, pump, gateway, deliver
):
    live = http.get("/api/v1/pulls").json()["live"]
    deliver(OPENED, RED, APPROVED)

    hello, update = watch(pump, cursor=live)

    assert hello["data"]["recovered"] is True
    assert update["data"]["revision"] == 3
    assert update["data"]["cursor"] == live
    deliver(github.load("pull_request.closed.merged"))
    assert told(gateway)[-1]["revision"] == 4
    assert told(gateway)[-1]["cursor"] > live


def test_a_cursor_that_is_too_old_is_told_so(pump):
    (hello,) = watch(pump, cursor="01ARZ3NDEKTSV4RRFFQ69G5FAV")

    assert hello["data"]["recovered"] is False


def test_one_that_was_not_greeted_yet_gets_what_it_missed_with_its_greeting(
    platform, pump, gateway, deliver, http
):
    connect(platform, channel="pulls")
    http.post("/webhook", OPENED.raw, **OPENED.headers)
    pump.relay()
    pump.queue("pulls")
    assert gateway.frames("c1") == []

    pump.run()

    assert [frame["event"] for frame in gateway.frames("c1")] == ["hello", "pr_update"]


def test_a_connection_that_does_not_take_a_frame_is_closed_and_others_are_told(
    platform, pump, gateway, deliver
):
    watch(pump, "stuck")
    watch(pump, "well")
    gateway.failing.add("stuck")
    deliver(OPENED)

    assert gateway.closed == ["stuck"]
    assert revisions(gateway, "well") == [1]
    assert [row.id for row in platform.connections.all()] == ["well"]


def test_a_connection_that_is_gone_is_forgotten(platform, pump, gateway, deliver):
    watch(pump, "gone")
    gateway.gone.add("gone")
    deliver(OPENED)

    assert list(platform.connections.all()) == []


def test_routing_sends_nothing_to_this_channel(platform, pump, gateway):
    watch(pump)
    platform.audit.tell("test.told", platform_principal(), {})
    pump.run()

    assert [frame["event"] for frame in gateway.frames("c1")] == ["hello"]


def platform_principal():
    from chalicelib.events.audit import PLATFORM

    return PLATFORM


def test_a_dashboard_that_asks_is_told_of_the_events_too(pump, gateway, deliver):
    greeted(pump, channel="dashboard", events="eventyard.pull.*")
    deliver(OPENED)

    assert gateway.frames("c1")[-1]["type"] == "eventyard.pull.updated"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "subscribe"}', "hello"])
def test_what_a_client_says_is_not_looked_at(platform, pump, text):
    watch(pump)

    assert say(platform, "c1", text) == []


def test_a_ping_is_answered(platform, pump):
    watch(pump)

    (pong,) = say(platform, "c1", {"type": "ping", "echo": 5})

    assert pong["event"] == "pong"
    assert pong["data"]["echo"] == 5


def test_frames_may_be_shared(pump, gateway, deliver):
    watch(pump, frames="batch")
    deliver(OPENED)

    assert isinstance(json.loads(gateway.posted["c1"][-1]), list)


def test_whoever_finds_another_telling_leaves_it_what_is_new(
    platform, pump, gateway, deliver
):
    watch(pump)
    announcer, tell = platform.pulls.announcer, platform.watching.tell
    late = []

    def tell_while_another_comes(place, text):
        if not late:
            late.append(1)
            deliver_quietly(platform)
            announcer.announce(REPOSITORY, NUMBER)
        return tell(place, text)

    platform.watching.tell = tell_while_another_comes
    deliver(OPENED)

    assert revisions(gateway) == [1, 2]


def deliver_quietly(platform, *samples):
    """Let changes be written by somebody who is just about to tell of them."""
    for sample in samples or (LABELED,):
        (facts,) = read(sample).pulls
        platform.pulls.projection.merge(facts)


def test_a_teller_that_died_is_followed_by_another(platform, pump, gateway, deliver):
    watch(pump)
    pk = f"pull#{REPOSITORY}#{NUMBER}"
    now = platform.pulls.announcer.clock()
    platform.table.lease(pk, "teller", "dead", now, now + 20)
    deliver(OPENED)
    assert told(gateway) == []

    platform.pulls.announcer.clock = lambda: now + 21
    platform.pulls.announcer.announce(REPOSITORY, NUMBER)

    assert revisions(gateway) == [1]


@pytest.mark.parametrize(("lasted", "trusted"), [(1, True), (3, False)])
def test_behind_a_turn_that_lasts_somebody_looks_again(
    platform, pump, gateway, deliver, lasted, trusted
):
    watch(pump)
    announcer, asked = platform.pulls.announcer, []
    announcer.later = lambda *told: asked.append(told)
    now = announcer.clock()
    announcer.clock = lambda: now
    pk = f"pull#{REPOSITORY}#{NUMBER}"
    platform.table.lease(pk, "teller", "dead", now - lasted, now + 20 - lasted)
    deliver(OPENED)

    assert told(gateway) == []
    if trusted:
        assert asked == []
        return
    ((repository, number, seconds),) = asked
    assert (repository, number, seconds) == (REPOSITORY, NUMBER, 18)
    announcer.clock = lambda: now + seconds
    platform.pulls._tell_later(repository, number, 0)
    pump.run()
    assert revisions(gateway) == [1]


def test_who_follows_a_teller_that_died_begins_with_what_it_told_last(
    platform, pump, gateway, deliver
):
    watch(pump)
    announcer, tell = platform.pulls.announcer, platform.watching.tell

    def die_behind_the_second(place, text):
        version = tell(place, text)
        if len(revisions(gateway)) == 2:
            raise SystemExit
        return version

    deliver_quietly(platform, OPENED, LABELED, APPROVED)
    platform.watching.tell = die_behind_the_second
    with pytest.raises(SystemExit):
        announcer.announce(REPOSITORY, NUMBER)
    platform.watching.tell = tell
    now = announcer.clock()
    announcer.clock = lambda: now + 21
    announcer.announce(REPOSITORY, NUMBER)

    assert revisions(gateway) == [1, 2, 2, 3]


def test_what_is_written_while_somebody_is_told_what_it_missed_comes_behind_that(
    http, platform, pump, gateway, deliver, monkeypatch
):
    live = http.get("/api/v1/pulls").json()["live"]
    deliver(OPENED)
    announcer, drained = platform.pulls.announcer, []
    drain = type(announcer)._drain

    def drain_and_let_another_write(self, turn):
        drain(self, turn)
        if not drained:
            drained.append(1)
            deliver_quietly(platform, LABELED, APPROVED)
            announcer.announce(REPOSITORY, NUMBER)

    monkeypatch.setattr(type(announcer), "_drain", drain_and_let_another_write)
    watch(pump, cursor=live)

    assert revisions(gateway) == [1, 2, 3]


def test_a_hundred_watchers_are_told_all_at_once(platform, pump, gateway, deliver):
    for n in range(100):
        watch(pump, f"c{n}")
    deliver(OPENED)

    assert all(revisions(gateway, f"c{n}") == [1] for n in range(100))


def test_watching_needs_its_scope(platform, locked, http):
    secret, _ = locked.keys.create("reader", ["pulls:read"])
    other, _ = locked.keys.create("other", ["events:subscribe"])

    assert connect(locked, "a", channel="pulls", token=secret)["statusCode"] == 200
    assert connect(locked, "b", channel="pulls", token=other)["statusCode"] == 403
    assert connect(locked, "c", channel="pulls")["statusCode"] == 401
