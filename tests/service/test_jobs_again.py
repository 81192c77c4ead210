"""Jobs that are repeated: one after the other, each once, whatever happens."""

from __future__ import annotations

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.jobs import again
from chalicelib.jobs.model import JobRow
from chalicelib.jobs.outcomes import Outcome
from eventyard.core import moments
from tests import jobservices
from tests.jobservices import NAME, Steps, caller, events, kinds, submit, work
from tests.steps import dying

jobs = pytest.fixture(jobservices.registered)
HOUR = 3_600


def told(jobs, job_id):
    return jobs.service.get(job_id)


def repeated(jobs, **wish):
    wish = {"data": {"steps": 1}, "repeat_every_s": HOUR, **wish}
    return submit(jobs, caller("a"), **wish)


def all_jobs(jobs):
    """All there are, a next one before the one that it repeats."""
    found = jobs.service.page(NAME, None, None, 100)[0]
    return sorted(found, key=lambda one: one["previous_job_id"] is None)


def next_of(jobs, job_id):
    return told(jobs, told(jobs, job_id)["next_job_id"])


def pass_by(platform, clock, seconds):
    clock.tick(seconds)
    platform.sweep()


def test_a_job_that_is_repeated_is_followed_by_one_that_waits_for_its_turn(
    platform, jobs, clock
):
    first = repeated(jobs, priority=7)
    begun = clock()
    clock.tick(100)
    work(jobs)

    done, waits = told(jobs, first.id), next_of(jobs, first.id)
    assert (done["status"], done["next_try_at"]) == ("completed", None)
    assert (done["repeat_every_s"], done["previous_job_id"]) == (HOUR, None)
    assert waits["previous_job_id"] == first.id
    assert waits["next_try_at"] == moments.at(begun + HOUR)
    assert (waits["status"], waits["attempts"]) == ("pending", 0)
    assert (waits["priority"], waits["submitted_by"]) == (7, "a")
    assert (waits["data"], waits["repeat_every_s"]) == (done["data"], HOUR)
    assert (waits["queue_position"], waits["next_job_id"]) == (None, None)
    assert [one["job_id"] for one in all_jobs(jobs)] == [waits["job_id"], first.id]
    assert kinds(platform, waits["job_id"]) == ["submitted"]
    assert events(platform, waits["job_id"])[0].payload["status"] == "pending"


def test_turns_are_as_far_apart_as_was_asked_for(platform, jobs, clock):
    job_id = repeated(jobs).id
    first = clock()
    turns = []
    for _ in range(3):
        clock.tick(10)  # each is begun late; the next one's turn does not move
        work(jobs)
        job_id = next_of(jobs, job_id)["job_id"]
        due = moments.read(told(jobs, job_id)["next_try_at"]).timestamp()
        turns.append(due - first)
        pass_by(platform, clock, due - clock() - 2)
        work(jobs)
        assert told(jobs, job_id)["status"] == "pending"
        pass_by(platform, clock, 2)

    assert turns == [HOUR, 2 * HOUR, 3 * HOUR]
    assert len(Steps.done) == 3


def test_who_takes_longer_than_its_turn_is_followed_at_once(jobs, pump, clock):
    job_id = repeated(jobs, repeat_every_s=60).id
    pump.messages("jobs")
    clock.tick(200)
    work(jobs)

    waits = next_of(jobs, job_id)
    assert (waits["status"], waits["next_try_at"]) == ("pending", None)
    assert waits["queue_position"] == 1
    assert len(pump.messages("jobs")) == 1
    work(jobs)
    late = next_of(jobs, waits["job_id"])
    assert late["next_try_at"] == moments.at(clock() + 60)


def test_a_job_that_failed_is_repeated_too(platform, jobs, clock):
    fails = {"steps": 0, "brings": {"success": False}}
    failed = repeated(jobs, data=fails, priority=9)
    expired = repeated(jobs, expires_in_s=600)
    work(jobs)
    pass_by(platform, clock, 600)

    assert told(jobs, failed.id)["status"] == "failed"
    assert next_of(jobs, failed.id)["status"] == "pending"
    assert told(jobs, expired.id)["status"] == "failed"
    assert next_of(jobs, expired.id)["status"] == "pending"
    assert len(all_jobs(jobs)) == 4


def test_a_try_that_failed_is_no_end(platform, jobs, clock, monkeypatch):
    def fail(*_):
        raise OSError

    monkeypatch.setattr(Steps, "at_step", staticmethod(fail))
    job = repeated(jobs)
    work(jobs)
    assert len(all_jobs(jobs)) == 1
    for _ in range(2):
        pass_by(platform, clock, 2)
        work(jobs)

    assert told(jobs, job.id)["status"] == "failed"
    assert len(all_jobs(jobs)) == 2


def test_cancelling_the_next_one_ends_it(platform, jobs, clock):
    job = repeated(jobs)
    work(jobs)
    waits = next_of(jobs, job.id)["job_id"]

    done, message = jobs.service.cancel(waits, NAME, caller("a"))

    assert (done.status, message) == ("cancelled", "It is cancelled.")
    assert kinds(platform, waits) == ["submitted", "cancelled"]
    pass_by(platform, clock, 2 * HOUR)
    work(jobs)
    assert len(all_jobs(jobs)) == 2
    assert told(jobs, waits)["next_job_id"] is None


def test_cancelling_the_one_that_runs_ends_it(jobs, monkeypatch):
    def cancel(job, _):
        jobs.service.cancel(job.id, NAME, ANYBODY)

    monkeypatch.setattr(Steps, "at_step", staticmethod(cancel))
    job = repeated(jobs)
    work(jobs)

    assert told(jobs, job.id)["status"] == "cancelled"
    assert len(all_jobs(jobs)) == 1


def test_what_is_large_is_still_there_for_the_next_one(platform, jobs, clock):
    job = repeated(jobs, data={"steps": 1, "text": "x" * 190_000})
    work(jobs)
    waits = next_of(jobs, job.id)["job_id"]
    pass_by(platform, clock, HOUR)
    work(jobs)

    assert told(jobs, waits)["status"] == "completed"
    assert told(jobs, waits)["data"] == told(jobs, job.id)["data"]
    # The first one's is forgotten with it; the next one's when that has its time.
    platform.table.delete(f"job#{job.id}", "data")
    third = next_of(jobs, waits)
    assert len(third["data"]["text"]) == 190_000


def test_what_is_gone_is_not_repeated(platform, jobs):
    job = repeated(jobs, data={"steps": 1, "text": "x" * 190_000})
    turn = jobs.claims.take("jobs", "n")
    platform.table.delete(f"job#{job.id}", "data")

    jobs.settler.end_run(job.id, turn.lease.owner, Outcome("completed"))

    assert told(jobs, job.id)["status"] == "completed"
    assert len(all_jobs(jobs)) == 1


def test_the_key_of_a_singleton_goes_to_the_next_one(platform, jobs, clock):
    job = repeated(jobs, singleton_key="s")
    work(jobs)
    waits = next_of(jobs, job.id)["job_id"]

    assert submit(jobs, singleton_key="s").id == waits
    pass_by(platform, clock, HOUR)
    work(jobs)
    third = next_of(jobs, waits)["job_id"]
    jobs.service.cancel(third, NAME, ANYBODY)
    assert submit(jobs, singleton_key="s").id not in (job.id, waits, third)


def test_its_expiry_is_counted_from_its_turn(platform, jobs, clock):
    job = repeated(jobs, expires_in_s=600)
    begun = clock()
    clock.tick(500)
    work(jobs)

    waits = next_of(jobs, job.id)
    assert waits["expires_at"] == moments.at(begun + HOUR + 600)
    pass_by(platform, clock, HOUR - 500 + 599)
    assert told(jobs, waits["job_id"])["status"] == "pending"
    pass_by(platform, clock, 1)
    assert "expired" in told(jobs, waits["job_id"])["error"]


def test_what_is_repeated_counts_each_time(platform, jobs, clock):
    repeated(jobs)
    work(jobs)
    pass_by(platform, clock, HOUR)
    work(jobs)

    counted = jobs.service.stats(NAME)["stats"]
    assert (counted["total_jobs"], counted["successful_jobs"]) == (3, 2)
    assert counted["active_jobs"] == 1


#: Where whoever ends a job may die: what it calls, how often before, whether it did.
DEATHS = [
    ("settler", "end_run", 1, False),
    ("settler", "_write", 1, False),
    ("store", "change", 2, False),
    ("store", "change", 2, True),
    ("settler", "_go_on", 1, False),
    ("settler", "_go_on", 2, True),
    ("settler", "end_run", 1, True),
    ("workers", "ended", 1, False),
]


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_whoever_dies_at_the_end_leaves_one_next_job(
    platform, jobs, clock, monkeypatch, death
):
    part, verb, nth, noted = death
    job = repeated(jobs, data={"steps": 1, "text": "x" * 5_000})
    with monkeypatch.context() as patch:
        dying(patch, type(getattr(jobs, part)), verb, nth, noted=noted)
        with pytest.raises(SystemExit):
            work(jobs)
    for _ in range(3):
        pass_by(platform, clock, 61)
        work(jobs)

    assert told(jobs, job.id)["status"] == "completed"
    waits, first = all_jobs(jobs)
    assert (first["next_job_id"], waits["status"]) == (waits["job_id"], "pending")
    assert kinds(platform, waits["job_id"]) == ["submitted"]
    assert kinds(platform, job.id).count("completed") == 1
    pass_by(platform, clock, HOUR)
    work(jobs)
    assert told(jobs, waits["job_id"])["status"] == "completed"


def test_of_two_that_end_a_job_at_once_one_makes_the_next(
    platform, jobs, clock, monkeypatch
):
    job = repeated(jobs)
    turn = jobs.claims.take("jobs", "n")
    change = type(jobs.store).change
    others = []

    def meanwhile(store, *args, **more):
        monkeypatch.undo()
        other = jobs.settler.end_run(job.id, turn.lease.owner, Outcome("completed"))
        others.append(other)
        return change(store, *args, **more)

    monkeypatch.setattr(type(jobs.store), "change", meanwhile)
    ended = jobs.settler.end_run(job.id, turn.lease.owner, Outcome("failed", "x"))

    assert (ended, others[0].status) == (None, "completed")
    waits, first = all_jobs(jobs)
    assert first["next_job_id"] == waits["job_id"]
    assert kinds(platform, waits["job_id"]) == ["submitted"]


@pytest.fixture
def looking(monkeypatch):
    """Lets each job keep two rows, and look at those of the jobs in the list."""
    wanted, seen = [], []

    async def process(self, job_data):
        job = jobservices.current_job()
        seen.append({one: await job.rows_of(one) for one in wanted})
        seen[-1]["previous"] = job.previous_job_id
        text = "x" * 250_000
        await job.results([{"key": "a", "n": len(seen)}, {"key": "b", "text": text}])
        return {}

    monkeypatch.setattr(Steps, "process_job", process)
    return wanted, seen


def test_a_job_reads_all_that_the_last_one_kept(platform, jobs, clock, looking):
    wanted, seen = looking
    job = repeated(jobs)
    work(jobs)
    wanted.append(job.id)
    pass_by(platform, clock, HOUR)
    work(jobs)

    assert (seen[0]["previous"], seen[1]["previous"]) == (None, job.id)
    rows = {row["key"]: row for row in seen[1][job.id]}
    assert rows.keys() == {"a", "b"}
    assert rows["a"] == {"key": "a", "n": 1}
    assert len(rows["b"]["text"]) == 250_000  # from the bucket


def test_a_job_reads_nothing_of_other_services_or_of_what_is_gone(
    platform, jobs, clock, looking
):
    wanted, seen = looking
    gone = submit(jobs)
    work(jobs)
    clock.tick(8 * 86_400)
    other = submit(jobs, name=jobservices.ANOTHER)
    jobs.scraping.run({"Records": [{"messageId": "m", "body": "{}"}]})
    wanted += [gone.id, other.id, "job_x", "", "x" * 3_000]
    submit(jobs)
    work(jobs)

    assert jobs.rows.count(other.id) == (2, 0)
    assert seen[-1] == {**{one: [] for one in wanted}, "previous": None}


def test_a_job_from_before_there_were_any_is_read(platform, jobs):
    job = submit(jobs)
    item = platform.table.get(f"job#{job.id}", "job")
    later = {"repeat_s", "turn", "previous", "next"}
    kept = {name: item[name] for name in item if name not in later}
    platform.table.put(kept)
    work(jobs)

    assert told(jobs, job.id)["repeat_every_s"] is None
    assert told(jobs, job.id)["status"] == "completed"


def test_the_next_turn_is_never_in_the_past():
    row = JobRow("job_x", NAME, "jobs", "a", 1, created=1_000.0, keep_s=1, repeat_s=60)

    late = again.following(row, "job_y", 5_000.0)

    assert (late.turn, late.due) == (5_000.0, None)
    assert late.ready is not None
