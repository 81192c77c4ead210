"""Jobs on the running platform: submitted, done by workers, told live, cancelled."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.listener import JobsListener
from tests.e2e.running import RunningPlatform, let_the_lease_end, wait_until
from tests.e2e.staged import with_service
from tests.site import Site

OVER = ("completed", "failed", "cancelled")
FAMILY = "/api/paceds"


@pytest.fixture(scope="module")
def yard(tmp_path_factory):
    """A platform with one more service, where callers are told apart by their keys."""
    folder = tmp_path_factory.mktemp("jobs")
    settings = {"EVENTYARD_AUTH": "keys", "EVENTYARD_ALLOW_PRIVATE_HOSTS": "127.0.0.1"}
    platform = RunningPlatform(folder / "state", **settings)
    service = Path(__file__).with_name("paced.py")
    platform.root = with_service(folder / "project", "paced", service, "Paced")
    platform.start()
    platform.key = first_key(platform)
    yield platform
    platform.stop()


def first_key(platform):
    command = [sys.executable, "-m", "infra.keys", "admin"]
    made = subprocess.run(
        command,
        cwd=platform.root,
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return made.stdout.split()[0]


def bearer(yard, name):
    """Another caller, as the header of theirs."""
    wish = {"name": name, "scopes": ["jobs:submit"]}
    _, made = yard.request("POST", "/api/v1/keys", wish)
    return {"Authorization": f"Bearer {made['key']}"}


@pytest.fixture
def workers(yard):
    """Says how many workers there may be at once; afterwards as many as there were."""
    functions, name = yard.aws("lambda"), "eventyard-dev-work"

    def most(number):
        functions.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=number
        )

    yield most
    functions.delete_function_concurrency(FunctionName=name)


def submit(yard, service="paced", headers=None, **job):
    path = f"/api/{service}s/submit"
    status, told = yard.request("POST", path, job, **(headers or {}))
    assert status in (200, 202), told
    return told["job_id"]


def job(yard, job_id):
    return yard.get(f"/api/v1/jobs/{job_id}")["job"]


def cancel(yard, job_id, **headers):
    return yard.request("DELETE", f"{FAMILY}/jobs/{job_id}", **headers)


def until(yard, job_id, *states):
    def there():
        told = job(yard, job_id)
        return told if told["status"] in states else None

    return wait_until(there, what=" or ".join(states))


def busy(yard, headers=None):
    """A job that takes until it is cancelled, begun."""
    job_id = submit(yard, headers=headers, steps=2_000, step_s=0.05)
    until(yard, job_id, "running")
    return job_id


def rows(yard, job_id, name="results"):
    return yard.get(f"{FAMILY}/jobs/{job_id}/results")[name]


def events(yard, job_id):
    """What the log has of a job, in its order."""
    found = yard.logged("eventyard.job.*").items()
    return [e for _, e in sorted(found) if e["payload"]["job_id"] == job_id]


def kinds(yard, job_id):
    return [event["type"].rpartition(".")[2] for event in events(yard, job_id)]


def begun(yard, job_ids):
    """Jobs in the order in which they were begun."""
    found = sorted(yard.logged("eventyard.job.started").items())
    order = [event["payload"]["job_id"] for _, event in found]
    return [one for one in order if one in job_ids]


def assert_told_once(yard, listener, job_id, service):
    """Each change of a job is one event, and live two messages, each once."""
    told = events(yard, job_id)
    counted = Counter(kinds(yard, job_id))
    assert {name: counted[name] for name in ("submitted", "started", "completed")} == {
        "submitted": 1,
        "started": 1,
        "completed": 1,
    }
    assert counted["progress"] >= 1
    revisions = [event["payload"]["revision"] for event in told]
    assert revisions == [*range(1, len(told) + 1)]
    expected = Counter(
        (f"{who}_job_{event['type'].rpartition('.')[2]}", event["id"])
        for event in told
        for who in ("service", service)
    )
    wait_until(lambda: listener.of(job_id) == expected, what=f"{expected} live")


def test_a_job_goes_its_way_and_each_step_is_told_once(yard):
    before = yard.get(f"{FAMILY}/stats")["stats"]
    with JobsListener(yard.live, token=yard.key) as listener:
        job_id = submit(yard, steps=3, step_s=0.6, priority=4)
        told = until(yard, job_id, *OVER)

        assert_told_once(yard, listener, job_id, "paced")
    assert (told["status"], told["progress"], told["priority"]) == ("completed", 1.0, 4)
    assert told["result"] == {"success": True, "steps": 3}
    assert {row["key"] for row in rows(yard, job_id)} == {"step 0", "step 1", "step 2"}
    past = yard.get(f"{FAMILY}/history")["history"]
    assert past[0]["job_id"] == job_id
    stats = yard.get(f"{FAMILY}/stats")["stats"]
    for counted in ("total_jobs", "successful_jobs"):
        assert stats[counted] == before[counted] + 1
    assert yard.get("/api/v1/workers")["workers"][0]["job_id"] == job_id


def test_a_scrape_is_told_under_both_names_once(yard):
    with Site() as site, JobsListener(yard.live, token=yard.key) as listener:
        site.odd = False
        job_id = submit(yard, "scraper", url=f"{site.origin}/", max_pages=6)
        told = until(yard, job_id, *OVER)

        assert (told["status"], told["error"]) == ("completed", None)
        assert_told_once(yard, listener, job_id, "scraper")
    found = yard.get(f"/api/scrapers/jobs/{job_id}/results")
    assert found["total_urls_crawled"] == len(told["result"]["crawled"]) == 6
    assert len({row["url"] for row in found["results_by_url"]}) == 6


def test_higher_priorities_go_first_where_one_worker_is_busy(yard, workers):
    workers(1)
    blocker = busy(yard)
    priorities = random.sample(range(1, 11), 10)
    waiting = {submit(yard, steps=0, priority=p): p for p in priorities}
    highest = max(waiting, key=lambda one: waiting[one])
    lowest = min(waiting, key=lambda one: waiting[one])
    assert job(yard, highest)["queue_position"] == 1
    assert job(yard, lowest)["queue_position"] == 10

    cancel(yard, blocker)
    for job_id in waiting:
        until(yard, job_id, "completed")

    assert [waiting[one] for one in begun(yard, waiting)] == [*range(10, 0, -1)]


def test_who_submits_little_does_not_wait_behind_who_submits_much(yard, workers):
    much, little, other = (bearer(yard, name) for name in ("much", "little", "other"))
    workers(2)
    first, blocker = busy(yard, much), busy(yard, other)
    many = [submit(yard, headers=much, steps=0) for _ in range(3)]
    one = submit(yard, headers=little, steps=0)

    cancel(yard, blocker, **other)
    for job_id in (*many, one):
        until(yard, job_id, "completed")

    assert begun(yard, {one, *many}) == [one, *many]
    assert cancel(yard, first, **little)[0] == 403
    assert cancel(yard, first, **much)[0] == 200
    until(yard, first, "cancelled")


def test_who_waits_or_runs_is_cancelled_and_who_has_ended_is_not(yard, workers):
    workers(1)
    runs = busy(yard)
    waits = submit(yard, steps=1)

    assert cancel(yard, waits)[0] == 200
    assert job(yard, waits)["status"] == "cancelled"
    wait_until(lambda: rows(yard, runs), what="the first rows")
    status, told = cancel(yard, runs)
    assert (status, told["success"]) == (200, True)
    ended = until(yard, runs, *OVER)
    assert (ended["status"], ended["cancel_requested"]) == ("cancelled", True)
    assert 0 < len(rows(yard, runs)) < 2_000
    assert [cancel(yard, one)[0] for one in (runs, waits)] == [200, 200]
    assert kinds(yard, waits) == ["submitted", "cancelled"]
    assert kinds(yard, runs).count("cancelled") == 1

    done = submit(yard, steps=0)
    until(yard, done, "completed")
    status, told = cancel(yard, done)
    assert (status, told["success"], told["status"]) == (409, False, "completed")
    assert cancel(yard, "job_x")[0] == 404


def test_a_second_try_with_the_same_key_is_answered_with_the_first(yard):
    path, wish = f"{FAMILY}/submit", {"steps": 0}
    tries = [yard.request("POST", path, wish, Idempotency_Key="k") for _ in range(3)]
    other = yard.request("POST", path, {"steps": 1}, Idempotency_Key="k")

    (job_id,) = {told["job_id"] for _, told in tries}
    assert [status for status, _ in tries] == [202, 200, 200]
    assert (other[0], other[1]["job_id"]) == (409, job_id)
    until(yard, job_id, "completed")
    assert Counter(kinds(yard, job_id))["submitted"] == 1


def test_a_job_whose_worker_is_killed_is_completed_from_its_checkpoint(yard):
    done = yard.get(f"{FAMILY}/stats")["stats"]["successful_jobs"]
    job_id = submit(yard, steps=8, step_s=0.4)
    wait_until(lambda: len(rows(yard, job_id)) >= 2, what="two steps")
    assert yard.kill_worker("work") > 0
    before = {row["key"]: row for row in rows(yard, job_id)}
    assert job(yard, job_id)["status"] == "running"
    let_the_lease_end(yard, job_id)

    told = until(yard, job_id, *OVER)

    assert (told["status"], told["attempts"]) == ("completed", 2)
    after = {row["n"]: row for row in rows(yard, job_id)}
    assert sorted(after) == [*range(8)]
    # What was saved is not done again; the step that was under way may be.
    kept = sorted(before.values(), key=lambda row: row["n"])[:-1]
    assert [after[row["n"]] for row in kept] == kept
    assert after[7]["process"] != after[0]["process"]
    counted = Counter(kinds(yard, job_id))
    assert (counted["submitted"], counted["started"], counted["completed"]) == (1, 2, 1)
    stats = yard.get(f"{FAMILY}/stats")["stats"]
    assert stats["successful_jobs"] == done + 1


def test_a_job_pauses_without_a_worker_and_is_repeated_until_that_is_cancelled(yard):
    job_id = submit(yard, steps=2, pause_at=1, repeat_every_s=3_600)
    told = until(yard, job_id, *OVER)
    waits = job(yard, told["next_job_id"])

    assert (told["status"], told["attempts"]) == ("completed", 1)
    assert Counter(kinds(yard, job_id))["started"] == 1
    assert (waits["status"], waits["previous_job_id"]) == ("pending", job_id)
    assert waits["data"] == told["data"]
    assert kinds(yard, waits["job_id"]) == ["submitted"]
    assert cancel(yard, waits["job_id"])[0] == 200
    assert job(yard, waits["job_id"])["next_job_id"] is None
