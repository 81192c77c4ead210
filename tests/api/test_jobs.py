"""Jobs over HTTP: the seven addresses of each service, and those of all."""

from __future__ import annotations

import csv
import io
import json

import pytest

from app import app
from chalicelib.jobs.registry import SERVICES
from tests import jobservices
from tests.jobservices import Steps
from tests.steps import bearer

jobs = pytest.fixture(jobservices.registered)
SUBMIT, JOBS = "/api/scrapers/submit", "/api/scrapers/jobs"
URL = {"url": "https://example.com/"}


def take(http, **body):
    answer = http.post(SUBMIT, {**URL, **body})
    assert answer.status in (200, 202), answer.text
    return answer.json()


def test_every_service_has_its_addresses_and_the_work_is_not_imported(platform):
    for name in SERVICES:
        for method, path in (
            ("POST", "/submit"),
            ("GET", "/jobs"),
            ("GET", "/history"),
            ("GET", "/stats"),
            ("GET", "/jobs/{job_id}"),
            ("GET", "/jobs/{job_id}/results"),
            ("DELETE", "/jobs/{job_id}"),
        ):
            assert method in app.routes[f"/api/{name}s{path}"]


def test_a_job_is_submitted_looked_at_and_done(http, jobs, pump):
    answer = http.post(SUBMIT, {**URL, "steps": 3, "priority": 4})
    told = answer.json()

    assert answer.status == 202
    assert told == {
        "success": True,
        "job_id": told["job_id"],
        "task_id": told["job_id"].replace("job_", "task_"),
        "status": "submitted",
        "queue_position": 1,
        "deduplicated": False,
        "error": None,
    }
    job = http.get(f"{JOBS}/{told['job_id']}").json()
    assert (job["status"], job["priority"], job["queue_position"]) == ("pending", 4, 1)
    assert job["data"] == {"steps": 3, **URL}
    assert job["submitted_by"] == "anybody"
    pump.run()

    job = http.get(f"{JOBS}/{told['job_id']}").json()
    assert (job["status"], job["progress"]) == ("completed", 1.0)
    assert job["result"] == {"success": True, "steps": 3}
    assert http.get(f"/api/v1/jobs/{told['job_id']}").json() == {"job": job}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({**URL, "steps": "x"}, "steps must be"),
        ({**URL, "steps": True}, "steps must be"),
        ({**URL, "priority": "high"}, "priority must be a whole number"),
        ({**URL, "priority": 1.5}, "priority must be a whole number"),
        ({**URL, "priority": True}, "priority must be a whole number"),
        ({**URL, "expires_in_s": 0}, "expires_in_s"),
        ({**URL, "expires_in_s": "1"}, "expires_in_s"),
        ({**URL, "expires_in_s": 1e10}, "expires_in_s"),
        ({**URL, "repeat_every_s": 59.9}, "repeat_every_s"),
        ({**URL, "repeat_every_s": 31_622_401}, "repeat_every_s"),
        ({**URL, "repeat_every_s": "60"}, "repeat_every_s"),
        ({**URL, "repeat_every_s": True}, "repeat_every_s"),
        ({**URL, "repeat_every_s": [60]}, "repeat_every_s"),
        ({**URL, "singleton_key": ""}, "singleton_key"),
        ({**URL, "singleton_key": 7}, "singleton_key"),
        ({**URL, "idempotency_key": "x" * 257}, "idempotency_key"),
        ([], "A job is an object"),
        ("{", ""),
        ("", ""),
    ],
)
def test_what_is_no_job_is_rejected(http, jobs, body, error):
    answer = http.post(SUBMIT, body)

    told = answer.json()
    assert answer.status == 400
    assert told.keys() == {"success", "error", "job_id", "status"}
    assert (told["success"], told["job_id"], told["status"]) == (
        False,
        None,
        "rejected",
    )
    assert error in told["error"]
    assert http.get(JOBS).json()["jobs"] == []


def test_a_job_that_is_too_large_is_a_413(http, jobs):
    answer = http.post(SUBMIT, {**URL, "more": "x" * 200_000})

    assert answer.status == 413
    assert answer.json()["error"]["details"]["limit"] == 200_000


@pytest.mark.parametrize(("given", "taken"), [(-1, 1), (0, 1), (7, 7), (99, 10)])
def test_a_priority_out_of_range_becomes_the_nearest(http, jobs, given, taken):
    name = take(http, priority=given)["job_id"]

    assert http.get(f"{JOBS}/{name}").json()["priority"] == taken


def test_a_second_try_is_answered_with_the_first(http, jobs):
    first = http.post(SUBMIT, URL, Idempotency_Key="k")
    again = http.post(SUBMIT, {**URL, "idempotency_key": "k"})
    other = http.post(SUBMIT, {**URL, "steps": 7}, Idempotency_Key="k")

    assert (first.status, again.status, other.status) == (202, 200, 409)
    assert again.json()["job_id"] == first.json()["job_id"]
    assert again.json()["deduplicated"] is True
    assert other.json()["job_id"] == first.json()["job_id"]
    assert other.json()["success"] is False


@pytest.mark.parametrize("period", [60, 61.5, 31_622_400])
def test_a_job_is_repeated_until_the_next_one_is_cancelled(http, jobs, pump, period):
    name = take(http, steps=1, repeat_every_s=period)["job_id"]
    pump.run()

    waits, done = http.get(JOBS).json()["jobs"]
    assert (done["job_id"], done["repeat_every_s"]) == (name, period)
    assert done["next_job_id"] == waits["job_id"]
    assert (waits["previous_job_id"], waits["status"]) == (name, "pending")
    assert waits["data"] == done["data"] == {**URL, "steps": 1}
    assert waits["next_try_at"] is not None
    assert http.delete(f"{JOBS}/{name}").status == 409
    assert http.delete(f"{JOBS}/{waits['job_id']}").json()["status"] == "cancelled"


def test_of_a_singleton_there_is_one(http, jobs):
    first, again = take(http, singleton_key="s"), take(http, singleton_key="s")

    assert (first["job_id"], True) == (again["job_id"], again["deduplicated"])


@pytest.mark.parametrize("name", ["job_x", "x" * 200, "job_01J00000000000000000000000"])
@pytest.mark.parametrize("path", ["", "/results"])
def test_a_job_that_is_not_there_is_not_found(http, jobs, name, path):
    answer = http.get(f"{JOBS}/{name}{path}")

    assert answer.status == 404
    told = answer.json()
    assert told.keys() == {"job_id", "status", "error"}
    assert (told["job_id"], told["status"]) == (name, "not_found")
    assert http.delete(f"{JOBS}/{name}").json()["status"] == "not_found"
    assert http.get(f"/api/v1/jobs/{name}").json()["error"]["code"] == "not_found"


def test_a_name_that_is_no_key_is_not_found(http, jobs):
    answer = http.get(f"{JOBS}/{'x' * 300}")

    assert (answer.status, answer.json()["status"]) == (404, "not_found")


def test_jobs_are_cancelled_once(http, jobs, pump):
    name = take(http)["job_id"]

    first = http.delete(f"{JOBS}/{name}")
    again = http.delete(f"{JOBS}/{name}")

    assert (first.status, again.status) == (200, 200)
    assert first.json() == {
        "success": True,
        "job_id": name,
        "status": "cancelled",
        "message": "It is cancelled.",
    }
    assert http.get(f"{JOBS}/{name}").json()["cancel_requested"] is True
    done = take(http)["job_id"]
    pump.run()
    refused = http.delete(f"{JOBS}/{done}")
    assert refused.status == 409
    assert refused.json()["status"] == "completed"
    assert refused.json()["success"] is False


def test_lists_and_history_go_on_where_they_ended(http, jobs, pump):
    names = [take(http, steps=0)["job_id"] for _ in range(3)]
    pump.run()
    waits = take(http)["job_id"]
    every = [waits, *names[::-1]]

    first = http.get(f"{JOBS}?limit=3").json()
    rest = http.get(f"{JOBS}?limit=3&cursor={first['cursor']}").json()
    assert [one["job_id"] for one in first["jobs"] + rest["jobs"]] == every
    assert (first["total"], rest["total"], rest["cursor"]) == (3, 1, None)
    done = http.get("/api/scrapers/history?status=completed").json()
    assert [one["job_id"] for one in done["history"]] == names[::-1]
    assert done["history"][0]["url"] == URL["url"]
    assert http.get(f"{JOBS}?status=running").json()["jobs"] == []
    assert http.get(f"{JOBS}?status=lost").status == 400
    assert http.get(f"{JOBS}?limit=0").json()["status"] == "rejected"
    told = http.get("/api/v1/jobs?service=scraper&status=pending").json()
    assert [one["job_id"] for one in told["jobs"]] == [waits]
    assert {"name": "scraper", "path": "/api/scrapers"} in told["services"]
    assert http.get("/api/v1/jobs?service=nobody").status == 400


def test_what_came_of_a_job_is_told_with_its_rows(http, jobs, pump):
    name = take(http, steps=3)["job_id"]
    assert http.get(f"{JOBS}/{name}/results").json()["results"] == []
    pump.run()

    told = http.get(f"{JOBS}/{name}/results").json()
    assert sorted(one["n"] for one in told["results"]) == [0, 1, 2]
    assert (told["total_results"], told["failed_results"]) == (3, 0)
    assert (told["url"], told["status"]) == (URL["url"], "completed")
    assert told["result"] == {"success": True, "steps": 3}
    first = http.get(f"{JOBS}/{name}/results?limit=2").json()
    rest = http.get(f"{JOBS}/{name}/results?limit=2&cursor={first['cursor']}").json()
    assert first["results"] + rest["results"] == told["results"]
    assert rest["cursor"] is None


def test_rows_are_to_be_had_as_lines_and_as_csv(http, jobs, pump, monkeypatch):
    rows = [
        {"key": "a", "n": 1, "more": ["x", "y"]},
        {"key": "b", "n": 2, "error": '=cmd("x")'},
    ]

    async def process(self, job_data):
        await jobservices.current_job().results(rows)
        return {}

    monkeypatch.setattr(Steps, "process_job", process)
    name = take(http)["job_id"]
    pump.run()

    lines = http.get(f"{JOBS}/{name}/results?format=jsonl")
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    told = [json.loads(line) for line in lines.text.splitlines()]
    assert sorted(told, key=lambda row: row["key"]) == rows
    table = http.get(f"{JOBS}/{name}/results?format=csv").text
    head, *found = csv.reader(io.StringIO(table))
    assert head == ["key", "n", "error"]
    assert sorted(found) == [["a", "1", ""], ["b", "2", '\'=cmd("x")']]
    part = http.get(f"{JOBS}/{name}/results?format=csv&limit=1")
    cursor = part.headers["eventyard-cursor"]
    rest = http.get(f"{JOBS}/{name}/results?format=csv&limit=1&cursor={cursor}")
    assert part.text + rest.text == table
    assert "eventyard-cursor" not in rest.headers
    monkeypatch.setattr(Steps, "result_columns", ())
    every = http.get(f"{JOBS}/{name}/results?format=csv").text
    assert sorted(next(csv.reader(io.StringIO(every)))) == ["error", "key", "more", "n"]


def test_a_service_and_its_workers_are_counted(http, jobs, pump):
    take(http, steps=0)
    pump.run()
    take(http)

    told = http.get("/api/scrapers/stats").json()
    assert told["service_name"] == "scraper"
    assert told["stats"]["total_jobs"] == 2
    assert told["stats"]["success_rate"] == 100.0
    assert told["queue_size"] == 1
    (worker,) = http.get("/api/v1/workers").json()["workers"]
    assert (worker["state"], worker["queue"]) == ("ended", "jobs")


def test_a_job_is_cancelled_by_whom_it_belongs_to(http, locked, jobs):
    bearer(http, "jobs:submit", "jobs:read", name="one")
    name = take(http)["job_id"]
    bearer(http, "jobs:submit", name="two")
    refused = http.delete(f"{JOBS}/{name}")

    assert refused.status == 403
    assert http.get(JOBS).status == 403
    bearer(http, "admin", name="three")
    assert http.delete(f"{JOBS}/{name}").status == 200


def test_who_may_only_read_submits_nothing(http, locked, jobs):
    bearer(http, "jobs:read")

    assert http.post(SUBMIT, URL).status == 403
    assert http.get(JOBS).json()["jobs"] == []


def test_a_service_that_is_not_here_is_not_available(http, jobs):
    jobs.registry._made.clear()
    jobs.registry.paths = {"scraper": "nowhere.at.all:Scraper"}

    answer = http.post(SUBMIT, URL)

    assert (answer.status, answer.json()["error"]["code"]) == (503, "unavailable")
    assert http.get(JOBS).status == 200
