"""Jobs from submission to their end: states, events, order, results."""

from __future__ import annotations

import json

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.jobs.service import Wish
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
)
from tests import jobservices
from tests.jobservices import (
    NAME,
    Steps,
    caller,
    events,
    kinds,
    submit,
    work,
)
from tests.steps import listed

jobs = pytest.fixture(jobservices.registered)


def test_a_job_is_done_and_each_transition_is_told_once(platform, jobs, pump, clock):
    row = submit(jobs)
    pump.run()

    told = jobs.service.get(row.id)
    assert (told["status"], told["progress"], told["attempts"]) == ("completed", 1.0, 1)
    assert told["data"] == {"steps": 2, "url": "https://example.com/"}
    assert told["result"] == {"success": True, "steps": 2}
    assert told["facts"] == {"steps_done": 2}
    assert told["started_at"] <= told["completed_at"]
    assert told["assigned_node"]
    assert kinds(platform, row.id) == [
        "submitted",
        "started",
        "progress",
        "completed",
    ]
    told = events(platform, row.id)
    assert [e.payload["revision"] for e in told] == [1, 2, 3, 4]
    assert {e.payload["service_name"] for e in told} == {NAME}
    assert told[2].payload["steps_done"] == 1
    assert told[-1].payload["status"] == "completed"


def test_progress_is_told_once_a_second_and_at_the_end(
    platform, jobs, pump, clock, monkeypatch
):
    row = submit(jobs, data={"steps": 6})
    # The fourth step begins a second after the first one was told of.
    late = staticmethod(lambda _, n: clock.tick(1 if n == 3 else 0))
    monkeypatch.setattr(Steps, "at_step", late)
    pump.run()

    shares = [e.payload["progress"] for e in events(platform, row.id)]
    assert shares == [0, 0, 0.1667, 0.6667, 1]
    assert events(platform, row.id)[-1].payload["steps_done"] == 6


def test_a_job_that_is_not_valid_is_refused_and_leaves_nothing(platform, jobs):
    with pytest.raises(InvalidRequestError, match="steps must be"):
        submit(jobs, data={"steps": "x"})
    with pytest.raises(PayloadTooLargeError):
        submit(jobs, data={"steps": 1, "text": "x" * 200_001})
    with pytest.raises(NotFoundError):
        submit(jobs, name="nobody")

    assert jobs.service.page(NAME, None, None, 10) == ([], None)
    assert listed(platform) == []


def test_higher_priorities_go_first_whatever_messages_say(jobs):
    rows = {p: submit(jobs, data={"steps": 0}, priority=p) for p in (1, 10, 5, 99)}
    order = []
    for _ in rows:
        work(jobs)
        order += [
            priority
            for priority, row in rows.items()
            if jobs.service.get(row.id)["status"] == "completed"
            and priority not in order
        ]

    # What is out of range is the nearest; of the same priority the older goes first.
    assert order == [10, 99, 5, 1]


def test_who_submits_little_does_not_wait_behind_who_submits_much(jobs):
    many = [submit(jobs, caller("a"), data={"steps": 0}) for _ in range(3)]
    one = submit(jobs, caller("b"), data={"steps": 0})

    turns = [jobs.claims.take("jobs", f"n{n}").row.id for n in range(4)]

    assert turns == [many[0].id, one.id, many[1].id, many[2].id]
    assert jobs.claims.take("jobs", "n") is None


def test_of_very_many_submitters_everybody_has_a_turn(jobs, monkeypatch):
    from chalicelib.jobs import ready

    monkeypatch.setattr(ready, "_MOST_ASKED", 1)
    rows = {submit(jobs, caller(str(n)), data={"steps": 0}).id for n in range(4)}

    assert {jobs.claims.take("jobs", f"n{n}").row.id for n in range(4)} == rows


def test_what_lies_in_everybodys_way_is_taken_out_of_it(platform, jobs):
    gone, row = submit(jobs, priority=9), submit(jobs)
    platform.table.delete(f"job#{gone.id}", "job")

    assert jobs.claims.take("jobs", "n").row.id == row.id
    assert jobs.ready.pick("jobs", {}) is None


def test_a_place_in_the_queue_counts_who_goes_before(jobs):
    low = submit(jobs, caller("a"))
    high = submit(jobs, caller("b"), priority=5)
    last = submit(jobs, caller("c"))

    places = [jobs.service.get(row.id)["queue_position"] for row in (high, low, last)]
    assert places == [1, 2, 3]
    assert jobs.service.submit(NAME, {}, Wish(priority=9), ANYBODY).position == 1


def test_who_waits_for_a_moment_has_no_place_in_the_queue(jobs, clock, monkeypatch):
    def fail(*_):
        raise OSError

    monkeypatch.setattr(Steps, "at_step", staticmethod(fail))
    row = submit(jobs)
    work(jobs)

    told = jobs.service.get(row.id)
    assert (told["status"], told["queue_position"]) == ("pending", None)


def test_workers_take_only_what_they_can_do(platform, jobs, pump):
    row = submit(jobs, name=jobservices.ANOTHER)
    work(jobs)
    assert jobs.service.get(row.id)["status"] == "pending"

    pump.run()

    assert jobs.service.get(row.id)["status"] == "completed"
    (worker,) = jobs.service.all_workers()
    assert (worker["queue"], worker["capabilities"]) == ("scraping", ["scraping"])


def test_a_second_try_with_the_same_key_is_answered_with_the_first(platform, jobs):
    first = submit(jobs, idempotency_key="k")
    again = jobs.service.submit(NAME, {}, Wish(idempotency_key="k"), ANYBODY)
    other = submit(jobs, caller("b"), idempotency_key="k")

    assert (again.row.id, again.known) == (first.id, True)
    assert other.id != first.id
    assert kinds(platform, first.id) == ["submitted"]
    with pytest.raises(ConflictError) as refused:
        submit(jobs, data={"steps": 3}, idempotency_key="k")
    assert refused.value.code == "idempotency_key_reused"


def test_a_key_of_a_submitter_is_remembered_for_a_day(jobs, clock, pump):
    first = submit(jobs, idempotency_key="k", data={"steps": 0})
    pump.run()
    assert submit(jobs, idempotency_key="k", data={"steps": 0}).id == first.id

    clock.tick(86_401)

    assert submit(jobs, idempotency_key="k", data={"steps": 3}).id != first.id


def test_of_a_singleton_key_one_job_at_a_time_is_unfinished(jobs, pump):
    first = submit(jobs, data={"steps": 0}, singleton_key="s")
    # Whatever is asked for, by whomever.
    again = submit(jobs, caller("b"), data={"steps": 5}, singleton_key="s")
    other = submit(jobs, singleton_key="t")
    elsewhere = submit(jobs, name=jobservices.ANOTHER, singleton_key="s")
    assert again.id == first.id
    assert len({first.id, other.id, elsewhere.id}) == 3

    pump.run()

    assert submit(jobs, singleton_key="s").id != first.id


def test_what_nobody_begins_in_time_expires(platform, jobs, clock):
    row = submit(jobs, expires_in_s=60)
    taken = submit(jobs, expires_in_s=60, priority=9, data={"steps": 0})
    work(jobs)
    clock.tick(61)

    platform.agenda.tick()

    told = jobs.service.get(row.id)
    assert (told["status"], told["attempts"]) == ("failed", 0)
    assert "expired" in told["error"]
    assert kinds(platform, row.id) == ["submitted", "failed"]
    assert jobs.service.get(taken.id)["status"] == "completed"


def test_what_is_too_old_is_not_begun_although_the_schedule_is_late(jobs, clock):
    row = submit(jobs, expires_in_s=60)
    clock.tick(60)
    fresh = submit(jobs, data={"steps": 0})

    work(jobs)

    assert jobs.service.get(row.id)["status"] == "failed"
    assert jobs.service.get(fresh.id)["status"] == "completed"


def test_lists_show_the_newest_first_by_state_and_in_pages(jobs):
    rows = [submit(jobs, data={"steps": 0}) for _ in range(3)]
    submit(jobs, name=jobservices.ANOTHER)
    work(jobs)

    page, cursor = jobs.service.page(NAME, None, None, 2)
    rest, end = jobs.service.page(NAME, None, cursor, 2)
    assert [one["job_id"] for one in page + rest] == [row.id for row in rows[::-1]]
    assert end is None
    done, _ = jobs.service.page(NAME, "completed", None, 10)
    assert [one["job_id"] for one in done] == [rows[0].id]
    assert len(jobs.service.page(None, None, None, 10)[0]) == 4


def test_large_texts_rest_beside_and_lists_leave_them_out(platform, jobs, pump):
    data = {"steps": 1, "brings": {"large": "é" * 110_000}, "more": "x" * 10}
    with pytest.raises(PayloadTooLargeError):
        submit(jobs, data=data)
    data["brings"]["large"] = "x" * 190_000
    row = submit(jobs, data=data)
    pump.run()

    told = jobs.service.get(row.id)
    assert told["data"]["brings"] == data["brings"]
    assert told["result"]["large"] == data["brings"]["large"]
    (shown,), _ = jobs.service.page(NAME, None, None, 10)
    assert (shown["data"], shown["result"]) == (None, None)
    assert shown["large"] == ["data", "result"]


def test_a_result_over_200_kb_and_a_large_row_rest_in_the_bucket(
    platform, jobs, pump, monkeypatch
):
    async def process(self, job_data):
        job = jobservices.current_job()
        await job.results([{"key": "large", "text": "x" * 250_000}])
        await job.save({"large": "y" * 250_000})
        return {"large": "z" * 250_000}

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    pump.run()

    assert jobs.service.get(row.id)["result"] == {"large": "z" * 250_000}
    (shown,) = jobs.service.results(row.id, NAME, None, 10).rows
    assert shown["text"] == "x" * 250_000
    names = platform.aws.s3.list_objects_v2(Bucket=platform.settings.bucket)
    assert names["KeyCount"] == 3


def test_results_are_read_in_pages_and_the_same_key_replaces(jobs, pump, monkeypatch):
    async def process(self, job_data):
        job = jobservices.current_job()
        rows = [{"key": str(n), "n": n} for n in range(5)]
        await job.results(rows)
        await job.results([{"key": "1", "n": 11, "error": "broken"}, rows[2], rows[2]])
        return {}

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    pump.run()

    page = jobs.service.results(row.id, NAME, None, 3)
    rest = jobs.service.results(row.id, NAME, page.cursor, 3)
    found = {one["key"]: one["n"] for one in page.rows + rest.rows}
    assert found == {"0": 0, "1": 11, "2": 2, "3": 3, "4": 4}
    assert (len(page.rows), len(rest.rows), rest.cursor) == (3, 2, None)
    assert jobs.rows.count(row.id) == (4, 1)


def test_what_ended_is_forgotten_after_its_time(platform, jobs, clock):
    row = submit(jobs, data={"steps": 1})
    other = submit(jobs, name=jobservices.ANOTHER, data={"steps": 1})
    work(jobs)
    jobs.scraping.run({"Records": [{"messageId": "m", "body": "{}"}]})
    day = 86_400

    clock.tick(day + 1)
    assert jobs.service.get(row.id)["status"] == "completed"
    with pytest.raises(NotFoundError):
        jobs.service.get(other.id)
    assert jobs.service.page(jobservices.ANOTHER, None, None, 10)[0] == []
    with pytest.raises(NotFoundError):
        jobs.service.results(other.id, jobservices.ANOTHER, None, 10)
    clock.tick(6 * day)
    with pytest.raises(NotFoundError):
        jobs.service.get(row.id)


def test_a_service_has_its_counts(platform, jobs, pump, clock):
    assert jobs.service.stats(NAME)["stats"]["success_rate"] == 0
    began = jobs.service.stats(NAME)["stats"]["created_at"]
    clock.tick(10)
    submit(jobs, data={"steps": 0})
    submit(jobs, data={"steps": 0, "brings": {"success": False, "error": "no"}})
    submit(jobs, name=jobservices.ANOTHER)
    pump.left.add("scraping")
    pump.run()
    gone = submit(jobs, data={"steps": 0})
    jobs.service.cancel(gone.id, NAME, ANYBODY)
    submit(jobs)

    told = jobs.service.stats(NAME)
    assert told["stats"] == {
        "total_jobs": 4,
        "successful_jobs": 1,
        "failed_jobs": 1,
        "cancelled_jobs": 1,
        "active_jobs": 1,
        "success_rate": 50.0,
        "failure_rate": 50.0,
        "created_at": began,
    }
    assert told["queue_size"] == 1
    assert told["dispatcher"]["total_dispatched"] == 2
    with pytest.raises(NotFoundError):
        jobs.service.stats("nobody")


def test_who_waits_is_cancelled_at_once_and_again_is_the_same(platform, jobs):
    row = submit(jobs, caller("a"))

    done, told = jobs.service.cancel(row.id, NAME, caller("a"))
    again, _ = jobs.service.cancel(row.id, NAME, caller("a"))

    assert (done.status, again.status) == ("cancelled", "cancelled")
    assert told == "It is cancelled."
    assert kinds(platform, row.id) == ["submitted", "cancelled"]
    assert events(platform, row.id)[-1].payload["cancelled_by"] == "a"
    work(jobs)
    assert Steps.done == []


def test_who_runs_stops_at_the_next_step_and_keeps_what_it_has(
    platform, jobs, pump, monkeypatch
):
    row = submit(jobs, data={"steps": 5})
    asked = []

    def cancel(job, n):
        if n == 2:
            asked.append(jobs.service.cancel(row.id, NAME, ANYBODY)[1])
            asked.append(jobs.service.cancel(row.id, NAME, ANYBODY)[0].status)
            asked.append(jobs.service.get(row.id)["cancel_requested"])

    monkeypatch.setattr(Steps, "at_step", staticmethod(cancel))
    pump.run()

    told = jobs.service.get(row.id)
    assert asked == ["It stops at its next step.", "running", True]
    assert (told["status"], told["progress"]) == ("cancelled", 0.6)
    assert len(jobs.service.results(row.id, NAME, None, 10).rows) == 3
    assert Steps.done == [(1, 0), (1, 1), (1, 2)]
    assert kinds(platform, row.id)[-1] == "cancelled"


def test_who_was_told_that_it_stops_finds_it_cancelled(jobs, pump, monkeypatch):
    async def process(self, job_data):
        jobs.service.cancel(row.id, NAME, ANYBODY)
        return {"whole": True}  # it never looks

    monkeypatch.setattr(Steps, "process_job", process)
    row = submit(jobs)
    pump.run()

    told = jobs.service.get(row.id)
    assert (told["status"], told["result"]) == ("cancelled", {"whole": True})


def test_what_has_ended_cannot_be_cancelled(jobs, pump):
    row = submit(jobs, data={"steps": 0})
    pump.run()

    with pytest.raises(ConflictError, match="completed"):
        jobs.service.cancel(row.id, NAME, ANYBODY)
    with pytest.raises(NotFoundError):
        jobs.service.cancel("job_x", NAME, ANYBODY)
    with pytest.raises(NotFoundError):
        jobs.service.cancel(row.id, jobservices.ANOTHER, ANYBODY)


def test_what_somebody_else_submitted_only_an_admin_cancels(jobs):
    row = submit(jobs, caller("a"))

    with pytest.raises(PermissionDeniedError):
        jobs.service.cancel(row.id, NAME, caller("b"))
    assert jobs.service.cancel(row.id, NAME, ANYBODY)[0].status == "cancelled"


@pytest.mark.parametrize("body", ["{", "[]", '{"job": 1}', '"x"'])
def test_a_message_that_cannot_be_read_goes_to_the_dead_letters(
    platform, jobs, pump, body
):
    platform.aws.sqs.send_message(
        QueueUrl=platform.settings.jobs_queue_url, MessageBody=body
    )
    pump.queue("jobs")

    queues = {queue["name"]: queue for queue in platform.queues.all()}
    assert (queues["jobs"]["waiting"], queues["jobs"]["dead"]) == (0, 1)


@pytest.mark.parametrize("name", ["", "nobody", "x" * 3_000, "job_\ud800"])
def test_a_message_for_a_job_that_is_not_there_does_no_harm(jobs, name):
    row = submit(jobs, data={"steps": 0})
    body = json.dumps({"job": name})

    told = jobs.work.run({"Records": [{"messageId": "m", "body": body}]})

    if "\ud800" not in name:
        assert told == {"batchItemFailures": []}
        assert jobs.service.get(row.id)["status"] == "completed"
