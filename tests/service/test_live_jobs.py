"""The channel of jobs: each message once under each of its names."""

from __future__ import annotations

import pytest

from chalicelib.auth import ANYBODY
from tests import jobservices
from tests.jobservices import ANOTHER, NAME, submit
from tests.steps import connect, greeted, say

jobs = pytest.fixture(jobservices.registered)


def told(gateway, connection_id="c1"):
    return [f for f in gateway.frames(connection_id) if f["event"] != "hello"]


def test_whoever_connects_is_greeted_with_a_cursor(pump, jobs):
    (hello,) = greeted(pump, channel="jobs", client_id="page")

    assert hello["event"] == "hello"
    assert hello["data"].keys() == {"client_id", "cursor"}
    assert hello["data"]["client_id"] == "page"


def test_each_change_is_told_once_under_each_of_its_names(pump, gateway, jobs, clock):
    greeted(pump, channel="jobs")
    row = submit(jobs, data={"steps": 1})
    gone = submit(jobs, name=ANOTHER)
    jobs.service.cancel(gone.id, ANOTHER, ANYBODY)
    pump.run()

    names = [frame["event"] for frame in told(gateway)]
    kinds = ["submitted", "started", "progress", "completed"]
    own = [f"{who}_job_{kind}" for kind in kinds for who in ("service", NAME)]
    other = [
        f"{who}_job_{kind}"
        for kind in ("submitted", "cancelled")
        for who in ("service", ANOTHER)
    ]
    assert sorted(names) == sorted([*own, *other])
    last = next(f for f in told(gateway) if f["event"] == f"{NAME}_job_completed")
    assert last["data"]["event_type"] == "job_completed"
    assert last["data"]["service_name"] == NAME
    assert last["data"]["job_id"] == row.id
    assert (last["data"]["status"], last["data"]["progress"]) == ("completed", 1)
    assert last["data"]["steps_done"] == 1


def test_a_failure_is_told_with_its_reason(pump, gateway, jobs):
    greeted(pump, channel="jobs")
    submit(jobs, data={"steps": 0, "brings": {"success": False, "error": "it is so"}})
    pump.run()

    last = told(gateway)[-1]
    assert last["event"] == f"{NAME}_job_failed"
    assert (last["data"]["status"], last["data"]["error"]) == ("failed", "it is so")


def test_a_connection_may_be_told_of_one_service_or_one_job(pump, gateway, jobs):
    row = submit(jobs, data={"steps": 0})
    pump.run()
    for name, wish in {
        "all": {},
        "service": {"service": ANOTHER},
        "job": {"job": row.id},
    }.items():
        greeted(pump, name, channel="jobs", **wish)
    submit(jobs, name=ANOTHER, data={"steps": 0})
    pump.run()

    heard = {name: len(told(gateway, name)) for name in ("all", "service", "job")}
    assert heard == {"all": 6, "service": 6, "job": 0}


def test_whoever_comes_back_is_told_what_was_missed(platform, pump, gateway, jobs):
    cursor = platform.log.new_key()
    submit(jobs, data={"steps": 0})
    pump.run()

    hello, *missed = greeted(pump, channel="jobs", cursor=cursor)

    assert hello["data"]["recovered"] is True
    assert [frame["event"] for frame in missed] == [
        f"{who}_job_{kind}"
        for kind in ("submitted", "started", "completed")
        for who in ("service", NAME)
    ]
    assert len({frame["data"]["event_id"] for frame in missed}) == 3


def test_frames_are_shared_by_whoever_asks_for_that(pump, gateway, jobs):
    greeted(pump, channel="jobs", frames="batch")
    submit(jobs)
    pump.relay()
    pump.queue("routing")

    assert len(gateway.posted["c1"]) == 2
    assert len(told(gateway)) == 2


def test_a_client_is_answered_pings_alone(pump, platform, jobs):
    greeted(pump, channel="jobs")

    (pong,) = say(platform, "c1", {"type": "ping", "echo": 7})

    assert (pong["event"], pong["data"]["echo"]) == ("pong", 7)
    for text in ("{", "[]", '{"type": "subscribe"}'):
        assert say(platform, "c1", text) == []


@pytest.mark.parametrize("wish", [{"service": "x" * 65}, {"job": "x" * 65}])
def test_a_wish_that_makes_no_sense_is_refused(platform, jobs, wish):
    assert connect(platform, channel="jobs", **wish)["statusCode"] == 400


def test_reading_jobs_is_enough_and_nothing_else_is_told(locked, pump, gateway, jobs):
    secret, _ = locked.keys.create("page", ["jobs:read"])
    greeted(pump, channel="jobs", token=secret)
    locked.audit.tell("something.changed", ANYBODY, {})
    submit(jobs, data={"steps": 0})
    pump.run()

    assert len(told(gateway)) == 6
    assert {frame["data"]["service_name"] for frame in told(gateway)} == {NAME}


def test_nobody_else_says_what_happened_to_a_job(http, pump, gateway, jobs):
    greeted(pump, channel="jobs")
    forged = {"type": "eventyard.job.completed", "payload": {"service_name": "x"}}

    assert http.post("/api/v1/events", forged).status in (400, 403)
    pump.run()
    assert told(gateway) == []
