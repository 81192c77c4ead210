"""Doing jobs: whatever fails, dies, takes too long, or comes twice."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.jobs import lease, outcomes
from chalicelib.jobs.lease import Heart, LostError
from chalicelib.jobs.outcomes import Outcome
from chalicelib.jobs.running import RunningJob
from chalicelib.table import ThrottledError
from eventyard.core import moments
from eventyard.core.errors import InvalidRequestError, UnavailableError
from eventyard.jobs import JobFailed, JobPaused
from tests import jobservices
from tests.jobservices import NAME, Invocation, Steps, events, kinds, submit, work
from tests.steps import dying

jobs = pytest.fixture(jobservices.registered)


def told(jobs, row):
    return jobs.service.get(row.id)


def rows_of(jobs, row):
    return {one["key"] for one in jobs.service.results(row.id, NAME, None, 100).rows}


@pytest.fixture
def failing(monkeypatch):
    """Lets jobs raise what is in the list, one at a time; then they do their work."""
    errors = []

    def fail(*_):
        if errors:
            raise errors.pop(0)

    monkeypatch.setattr(Steps, "at_step", staticmethod(fail))
    return errors


def test_a_try_that_failed_is_made_again_after_a_while(
    platform, jobs, pump, clock, failing
):
    failing += [RuntimeError("first"), OSError("second")]
    row = submit(jobs)
    work(jobs)
    waits = told(jobs, row)
    assert (waits["status"], waits["error"]) == ("pending", "RuntimeError: first")
    work(jobs)
    platform.agenda.tick()
    assert told(jobs, row)["attempts"] == 1  # it is not due yet

    clock.tick(1)
    platform.agenda.tick()
    work(jobs)
    assert told(jobs, row)["attempts"] == 2
    clock.tick(1)
    platform.agenda.tick()
    work(jobs)
    assert told(jobs, row)["attempts"] == 2  # the wait doubles
    clock.tick(1)
    platform.agenda.tick()
    work(jobs)

    done = told(jobs, row)
    assert (done["status"], done["attempts"], done["error"]) == ("completed", 3, None)
    assert kinds(platform, row.id).count("started") == 3
    assert jobs.service.stats(NAME)["dispatcher"]["total_dispatched"] == 1
    waited = [e.payload for e in events(platform, row.id) if "error" in e.payload]
    assert [(one["status"], one["error"]) for one in waited] == [
        ("pending", "RuntimeError: first"),
        ("pending", "OSError: second"),
    ]


def test_the_message_of_the_next_try_is_enough(platform, jobs, clock, failing):
    failing.append(RuntimeError("once"))
    row = submit(jobs)
    work(jobs)
    clock.tick(1)
    body = json.dumps({"job": row.id})

    jobs.work.run({"Records": [{"messageId": "m", "body": body}] * 2})

    assert told(jobs, row)["status"] == "completed"
    assert kinds(platform, row.id).count("completed") == 1


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (RuntimeError("x"), 3),
        (JobFailed("x", retryable=True), 3),
        (UnavailableError("x"), 3),
        (asyncio.CancelledError("x"), 3),
        (JobFailed("x"), 1),
        (InvalidRequestError("x"), 1),
    ],
)
def test_a_job_fails_when_no_other_try_may_help(
    platform, jobs, clock, failing, error, attempts
):
    failing += [error] * 9
    row = submit(jobs, data={"steps": 1})
    for _ in range(4):
        work(jobs)
        clock.tick(3)
        platform.agenda.tick()

    failed = told(jobs, row)
    assert (failed["status"], failed["attempts"]) == ("failed", attempts)
    assert failed["error"].endswith("x")
    assert kinds(platform, row.id).count("failed") == 1


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (None, "failed"),
        ([1], "failed"),
        ({"at": object()}, "failed"),
        ({"success": False, "error": "it said so"}, "failed"),
        ({"large": "x" * 4_000_001}, "failed"),
        ({"success": True}, "completed"),
        ({}, "completed"),
    ],
)
def test_what_a_service_returns_decides(jobs, monkeypatch, result, status):
    async def process(self, job_data):
        return result

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs)

    assert told(jobs, row)["status"] == status
    assert bool(told(jobs, row)["error"]) == (status == "failed")


def test_a_service_that_is_not_here_is_tried_again(platform, jobs, clock):
    row = submit(jobs)
    jobs.registry._made.clear()
    jobs.registry.paths = {NAME: "nowhere.at.all:Steps"}
    work(jobs)
    waits = told(jobs, row)

    assert (waits["status"], waits["attempts"]) == ("pending", 1)


def test_one_bad_job_never_blocks_others(platform, jobs, failing):
    failing.append(MemoryError())
    bad = submit(jobs, priority=10)
    good = submit(jobs)

    work(jobs, 2)

    assert told(jobs, bad)["status"] == "pending"
    assert told(jobs, good)["status"] == "completed"


def test_work_that_is_longer_than_an_invocation_goes_on_where_it_was(
    platform, jobs, pump, clock
):
    row = submit(jobs, data={"steps": 3})
    # Ten seconds before the end of an invocation it pauses as soon as it has saved.
    work(jobs, seconds=9)
    between = told(jobs, row)
    work(jobs, seconds=9)
    work(jobs, seconds=100)

    assert (between["status"], between["progress"]) == ("running", 0.3333)
    done = told(jobs, row)
    assert (done["status"], done["attempts"]) == ("completed", 1)
    assert Steps.done == [(1, 0), (1, 1), (1, 2)]
    assert rows_of(jobs, row) == {"step 0", "step 1", "step 2"}
    assert kinds(platform, row.id).count("started") == 1
    assert done["assigned_node"] == "request-1"


def test_a_pause_leaves_a_message_for_the_next_invocation(jobs, pump):
    submit(jobs, data={"steps": 3})
    pump.messages("jobs")
    work(jobs, seconds=9)

    assert len(pump.messages("jobs")) == 1


def test_a_job_that_paused_is_cancelled_at_once(platform, jobs):
    row = submit(jobs, data={"steps": 3})
    work(jobs, seconds=9)

    done, _ = jobs.service.cancel(row.id, NAME, ANYBODY)

    assert done.status == "cancelled"
    work(jobs)
    assert Steps.done == [(1, 0)]


@pytest.fixture
def pausing(monkeypatch):
    """Lets a job pause at its start, for each number of seconds in the list, in turn."""
    pauses = []

    async def process(self, job_data):
        job = jobservices.current_job()
        self.done.append((job.attempt, job.checkpoint))
        if pauses:
            if job.checkpoint is None:
                await job.save("kept")
            await job.pause(pauses.pop(0))
        return {}

    monkeypatch.setattr(Steps, "process_job", process)
    return pauses


def test_a_pause_for_a_while_is_over_then_and_costs_no_try(
    platform, jobs, clock, pausing
):
    # The second changes nothing of what is saved, as a host that says so once more.
    pausing += [30, 2_000]
    row = submit(jobs)
    work(jobs)
    now = clock()
    for seconds in (30, 2_000):
        waits = told(jobs, row)
        assert (waits["status"], waits["attempts"]) == ("running", 1)
        assert waits["next_try_at"] == moments.at(now + seconds)
        assert waits["error"] is None
        clock.tick(seconds - 2)
        platform.agenda.tick()
        work(jobs)
        assert told(jobs, row) == waits  # it is not due yet

        clock.tick(2)
        platform.agenda.tick()
        assert told(jobs, row)["next_try_at"] is None
        now = clock()
        work(jobs)

    done = told(jobs, row)
    assert (done["status"], done["attempts"]) == ("completed", 1)
    assert Steps.done == [(1, None), (1, "kept"), (1, "kept")]
    assert kinds(platform, row.id) == ["submitted", "started", "completed"]


def test_nobody_waits_while_a_job_pauses_and_a_message_ends_that(
    platform, jobs, pump, clock, pausing
):
    pausing.append(30)
    row = submit(jobs)
    pump.messages("jobs")
    work(jobs)

    assert list(jobs.store.runs()) == []
    assert jobs.ready.pick("jobs", {}) is None
    queues = {queue["name"]: queue for queue in platform.queues.all()}
    assert queues["jobs"]["delayed"] == 1
    clock.tick(30)
    body = json.dumps({"job": row.id})
    jobs.work.run({"Records": [{"messageId": "m", "body": body}] * 2})
    assert told(jobs, row)["status"] == "completed"


def test_a_job_that_pauses_for_a_while_is_cancelled_at_once(
    platform, jobs, clock, pausing
):
    pausing.append(3_600)
    row = submit(jobs)
    work(jobs)

    done, message = jobs.service.cancel(row.id, NAME, ANYBODY)

    assert (done.status, message) == ("cancelled", "It is cancelled.")
    clock.tick(3_600)
    platform.agenda.tick()
    work(jobs)
    assert Steps.done == [(1, None)]
    assert kinds(platform, row.id) == ["submitted", "started", "cancelled"]


def test_who_was_to_stop_while_it_pauses_is_cancelled(jobs, clock, monkeypatch):
    async def process(self, job_data):
        job = jobservices.current_job()
        await job.save("kept")
        jobs.service.cancel(job.id, NAME, ANYBODY)
        await job.pause(60)

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs)

    assert told(jobs, row)["status"] == "cancelled"


@pytest.mark.parametrize(
    ("wished", "paused_s"),
    [(-5, 0), (float("nan"), 0), (0.5, 0.5), (float("inf"), 86_400), (10**9, 86_400)],
)
def test_a_pause_is_no_longer_than_a_day(jobs, clock, pausing, wished, paused_s):
    pausing.append(wished)
    row = submit(jobs)
    work(jobs)

    due = moments.at(clock() + paused_s) if paused_s else None
    assert (told(jobs, row)["status"], told(jobs, row)["next_try_at"]) == (
        "running",
        due,
    )


def test_what_was_found_before_a_pause_is_kept_as_long_as_the_job(
    platform, jobs, clock, monkeypatch
):
    async def process(self, job_data):
        job = jobservices.current_job()
        if job.checkpoint is None:
            await job.results([{"key": "early"}])
            await job.save(1)
            await job.pause(86_400)
        return {}

    monkeypatch.setattr(Steps, "process_job", process)
    monkeypatch.setattr(Steps, "retention_days", 1 / 24)
    row = submit(jobs)
    work(jobs)
    clock.tick(86_400)
    platform.agenda.tick()
    work(jobs)

    done = jobs.store.get(row.id)[0]
    (kept,) = platform.table.query(f"jobs-results#{row.id}")
    assert (done.status, done.keep_s) == ("completed", 3_600)
    assert kept["ttl"] >= done.ttl


def test_a_pause_for_a_while_needs_something_to_go_on_from(jobs, clock, monkeypatch):
    async def process(self, job_data):
        await jobservices.current_job().pause(60)

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs)

    assert (told(jobs, row)["status"], told(jobs, row)["attempts"]) == ("pending", 1)
    assert "paused without having saved" in told(jobs, row)["error"]


def test_a_pause_without_anything_saved_is_a_failed_try(jobs, clock, monkeypatch):
    async def process(self, job_data):
        await jobservices.current_job().pause()

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs)

    waits = told(jobs, row)
    assert waits["status"] == "pending"
    assert "paused without having saved" in waits["error"]


def test_saving_the_same_again_is_no_reason_to_go_on(jobs, clock, monkeypatch):
    async def process(self, job_data):
        job = jobservices.current_job()
        await job.save("same")
        await job.pause()

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs, 2)

    assert told(jobs, row)["status"] == "pending"


@pytest.mark.parametrize("saves", [True, False])
def test_a_job_that_does_not_stop_by_itself_is_stopped_in_time(
    jobs, clock, monkeypatch, saves
):
    async def process(self, job_data):
        job = jobservices.current_job()
        if saves:
            job._text = None
            job.seconds_left = lambda: 100
            await job.save(1)
        await asyncio.sleep(60)

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs, seconds=3.05)

    waits = told(jobs, row)
    assert waits["status"] == ("running" if saves else "pending")
    assert (waits["error"] or "").startswith("" if saves else "It took longer than")


def test_a_time_out_of_the_services_own_is_an_error_like_any_other(
    jobs, clock, failing
):
    failing.append(TimeoutError("of a host"))
    row = submit(jobs)
    work(jobs)

    assert told(jobs, row)["error"] == "TimeoutError: of a host"


#: Where a worker may die: what it calls, how often before, and whether it was done.
DEATHS = [
    ("store", "change", 1, False),
    ("store", "change", 1, True),
    ("workers", "began", 1, True),
    ("rows", "pieces", 1, False),
    ("lease", "write", 1, False),
    ("lease", "write", 1, True),
    ("lease", "write", 3, False),
    ("lease", "write", 3, True),
    ("lease", "write", 4, True),
    ("settler", "end_run", 1, False),
    ("settler", "end_run", 1, True),
    ("workers", "ended", 1, False),
]


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_a_function_that_dies_at_any_step_leaves_nothing_undone_or_twice(
    platform, jobs, pump, clock, monkeypatch, death
):
    part, verb, nth, noted = death
    row = submit(jobs)
    owner = lease.Lease if part == "lease" else type(getattr(jobs, part))
    with monkeypatch.context() as patch:
        dying(patch, owner, verb, nth, noted=noted)
        with pytest.raises(SystemExit):
            work(jobs)
    for _ in range(3):
        clock.tick(61)
        platform.sweep()
        platform.agenda.tick()
        pump.run()

    done = told(jobs, row)
    assert done["status"] == "completed"
    assert done["result"] == {"success": True, "steps": 2}
    assert rows_of(jobs, row) == {"step 0", "step 1"}
    assert jobs.rows.count(row.id) == (2, 0)
    assert kinds(platform, row.id).count("completed") == 1
    assert kinds(platform, row.id).count("submitted") == 1
    assert list(jobs.store.runs()) == []
    assert jobs.service.stats(NAME)["stats"]["successful_jobs"] == 1


@pytest.mark.parametrize("noted", [True, False])
def test_a_submission_that_dies_is_whole_or_not_there(
    platform, jobs, pump, clock, monkeypatch, noted
):
    with monkeypatch.context() as patch:
        dying(patch, type(jobs.store), "change", 1, noted=noted)
        with pytest.raises(SystemExit):
            submit(jobs, idempotency_key="k", data={"steps": 0})
    assert pump.messages("jobs") == []

    row = submit(jobs, idempotency_key="k", data={"steps": 0})
    pump.messages("jobs")
    clock.tick(61)
    platform.sweep()
    pump.run()

    assert told(jobs, row)["status"] == "completed"
    assert len(jobs.service.page(NAME, None, None, 10)[0]) == 1


def test_a_job_whose_function_is_killed_three_times_has_failed(
    platform, jobs, pump, clock, monkeypatch
):
    def die(*_):
        raise SystemExit

    monkeypatch.setattr(Steps, "at_step", staticmethod(die))
    row = submit(jobs)
    for _ in range(3):
        with pytest.raises(SystemExit):
            work(jobs)
        (worker, *_) = jobs.service.all_workers()
        assert worker["state"] == "busy"
        clock.tick(31)
        assert jobs.service.all_workers()[0]["state"] == "lost"
        assert platform.sweep()["died"] == 1
        clock.tick(3)
        platform.agenda.tick()

    failed = told(jobs, row)
    assert (failed["status"], failed["error"]) == ("failed", outcomes.NEVER_ENDED)
    assert kinds(platform, row.id).count("failed") == 1
    assert platform.sweep()["died"] == 0


def test_a_job_that_dies_goes_on_from_its_checkpoint(
    platform, jobs, clock, monkeypatch
):
    deaths = [2]

    def die(_, n):
        if n in deaths:
            deaths.remove(n)
            raise SystemExit

    monkeypatch.setattr(Steps, "at_step", staticmethod(die))
    row = submit(jobs, data={"steps": 4})
    with pytest.raises(SystemExit):
        work(jobs)
    clock.tick(31)
    platform.sweep()
    clock.tick(1)
    platform.agenda.tick()
    work(jobs)

    assert told(jobs, row)["status"] == "completed"
    assert Steps.done == [(1, 0), (1, 1), (1, 2), (2, 2), (2, 3)]


def test_a_job_that_died_after_it_was_to_stop_is_cancelled(
    platform, jobs, clock, monkeypatch
):
    def die(job, _):
        jobs.service.cancel(job.id, NAME, ANYBODY)
        raise SystemExit

    monkeypatch.setattr(Steps, "at_step", staticmethod(die))
    row = submit(jobs)
    with pytest.raises(SystemExit):
        work(jobs)
    clock.tick(31)

    assert platform.sweep()["died"] == 1
    assert told(jobs, row)["status"] == "cancelled"


def test_of_two_workers_at_once_one_does_a_job(jobs, monkeypatch):
    row = submit(jobs)
    change = jobs.store.change
    turns = []

    def meanwhile(store, *args, **more):
        monkeypatch.undo()
        turns.append(jobs.claims.take("jobs", "other"))
        return change(*args, **more)

    monkeypatch.setattr(type(jobs.store), "change", meanwhile)
    turns.append(jobs.claims.take("jobs", "one"))

    other, one = turns
    assert (other.row.id, one) == (row.id, None)


def test_workers_that_are_woken_together_each_do_another_job(jobs):
    rows = {submit(jobs, data={"steps": 0}).id for _ in range(3)}

    turns = {jobs.claims.take("jobs", f"n{n}").row.id for n in range(3)}

    assert turns == rows


@pytest.fixture
def turns(jobs, clock):
    """Two workers that both take themselves for the one whose job it is."""
    submit(jobs, data={"steps": 5})
    first = jobs.claims.take("jobs", "first")
    clock.tick(31)
    jobs.repairs.sweep()
    clock.tick(2)
    jobs.repairs.retry(first.row.id)
    return first, jobs.claims.take("jobs", "second")


@pytest.mark.parametrize(
    "act",
    [
        lambda job: job.progress(0.9),
        lambda job: job.save({"late": True}),
        lambda job: job.results([{"key": "late"}]),
    ],
)
def test_a_worker_that_was_away_too_long_writes_nothing_any_more(
    platform, jobs, turns, act
):
    first, second = turns
    late = RunningJob(first, jobs.work.tools, first.row.data, lambda: 100)
    before = jobs.store.get(first.row.id)

    with pytest.raises(LostError):
        asyncio.run(act(late))

    assert jobs.store.get(first.row.id) == before
    assert jobs.texts.read(first.row.id, "checkpoint") is None
    assert jobs.service.results(first.row.id, NAME, None, 10).rows == []
    assert second.lease.read()["node"] == "second"


@pytest.mark.parametrize("kind", ["completed", "failed", "cancelled", "paused"])
def test_a_worker_that_was_away_too_long_ends_nothing(platform, jobs, turns, kind):
    first, second = turns
    before = jobs.store.get(first.row.id)

    ended = jobs.settler.end_run(first.row.id, first.lease.owner, Outcome(kind, "x"))

    assert ended is None
    assert jobs.store.get(first.row.id) == before
    done = jobs.settler.end_run(second.row.id, second.lease.owner, Outcome("completed"))
    assert done.status == "completed"


def test_a_job_that_is_lost_while_it_is_done_is_left_to_the_other(
    platform, jobs, clock, monkeypatch
):
    row = submit(jobs, data={"steps": 3})
    others = []

    def lose(job, n):
        if n == 1 and not others:
            clock.tick(31)
            jobs.repairs.sweep()
            clock.tick(2)
            jobs.repairs.retry(row.id)
            others.append(jobs.claims.take("jobs", "other"))

    monkeypatch.setattr(Steps, "at_step", staticmethod(lose))
    work(jobs)

    assert told(jobs, row)["status"] == "running"
    assert others[0].lease.read()["node"] == "other"
    assert rows_of(jobs, row) == {"step 0"}


def test_a_sign_of_life_keeps_a_job_from_being_taken_back(platform, jobs, clock):
    submit(jobs)
    turn = jobs.claims.take("jobs", "n")
    clock.tick(25)
    turn.lease.write()
    clock.tick(25)

    assert platform.sweep()["died"] == 0
    clock.tick(6)
    assert platform.sweep()["died"] == 1


def test_a_sign_of_life_in_the_last_moment_counts(platform, jobs, clock, monkeypatch):
    submit(jobs)
    turn = jobs.claims.take("jobs", "n")
    clock.tick(31)
    real = jobs.store.get

    def beat(store, job_id):
        monkeypatch.undo()
        turn.lease.write()
        return real(job_id)

    monkeypatch.setattr(type(jobs.store), "get", beat)

    assert jobs.repairs.sweep() == 0
    assert turn.lease.read()["node"] == "n"


def test_signs_of_life_are_given_while_a_job_is_done():
    heard = threading.Semaphore(0)
    errors = [ThrottledError("busy")]

    def beat():
        heard.release()
        if errors:
            raise errors.pop()

    with Heart(beat, every_s=0.001):
        # Also after one that was not taken.
        assert all(heard.acquire(timeout=10) for _ in range(3))


def test_signs_of_life_end_when_the_job_is_somebody_elses():
    beats = []

    def beat():
        beats.append(1)
        raise LostError

    with Heart(beat, every_s=0.001) as heart:
        heart._thread.join(timeout=10)
        assert beats == [1]


def test_what_no_message_asks_for_is_begun_by_the_schedule(platform, jobs, pump, clock):
    row = submit(jobs, data={"steps": 0})
    pump.messages("jobs")
    platform.sweep()
    assert pump.messages("jobs") == []

    clock.tick(61)
    platform.sweep()
    assert told(jobs, row)["status"] == "pending"
    pump.run()
    assert told(jobs, row)["status"] == "completed"


def test_where_messages_wait_nobody_is_woken_up_besides(platform, jobs, pump, clock):
    submit(jobs, data={"steps": 0})
    clock.tick(61)
    platform.sweep()

    assert len(pump.messages("jobs")) == 1


def test_a_job_is_taken_although_nobody_can_be_woken_up(
    platform, jobs, pump, clock, monkeypatch
):
    url = platform.settings.jobs_queue_url
    monkeypatch.setattr(type(jobs), "_urls", {"jobs": url + "-gone"})
    row = submit(jobs, data={"steps": 0})
    monkeypatch.undo()
    clock.tick(61)
    platform.sweep()
    pump.run()

    assert told(jobs, row)["status"] == "completed"


@pytest.mark.parametrize("share", ["x", None, float("nan")])
def test_progress_is_a_number(jobs, share, monkeypatch):
    async def process(self, job_data):
        await jobservices.current_job().progress(share)

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs)

    assert "Progress is a number" in told(jobs, row)["error"]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([{"n": 1}], "text as key"),
        ([{"key": 7}], "text as key"),
        (["x"], "text as key"),
        ([{"key": "x", "text": "y" * 4_000_000}], "may have"),
    ],
)
def test_a_row_of_results_has_a_key_and_a_limit(jobs, rows, error, monkeypatch):
    async def process(self, job_data):
        await jobservices.current_job().results(rows)

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs)

    assert told(jobs, row)["status"] == "failed"
    assert error in told(jobs, row)["error"]


def test_facts_of_a_job_are_few(jobs, monkeypatch):
    async def process(self, job_data):
        await jobservices.current_job().progress(0.5, text="x" * 5_000)

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    work(jobs)

    assert "facts of a job" in told(jobs, row)["error"]


def test_turns_at_what_is_shared_are_given_out_in_advance(jobs, clock):
    waits = [jobs.gaps.wait_s("example.com", 2) for _ in range(3)]
    other = jobs.gaps.wait_s("example.org", 2)
    clock.tick(5)

    assert (waits, other) == ([0, 2, 4], 0)
    assert jobs.gaps.wait_s("example.com", 2) == 1
    clock.tick(60)
    assert jobs.gaps.wait_s("example.com", 2) == 0


def test_who_is_always_too_late_for_a_turn_waits_longest(jobs, monkeypatch):
    monkeypatch.setattr(type(jobs.table), "put_new", lambda *_: False)

    assert jobs.gaps.wait_s("example.com", 0.2) == 1


def test_pausing_is_known_by_its_error(jobs):
    submit(jobs)
    turn = jobs.claims.take("jobs", "n")
    job = RunningJob(turn, jobs.work.tools, turn.row.data, Invocation(100).seconds.real)

    with pytest.raises(JobPaused):
        asyncio.run(job.pause())
