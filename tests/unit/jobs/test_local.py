"""Jobs in a program of one's own: a queue, workers, SQLite, and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from eventyard.jobs import BaseService, JobFailed, current_job
from eventyard.jobs.database import DatabaseManager
from eventyard.jobs.dispatcher import Dispatcher, Node
from eventyard.jobs.task import Task, TaskPriority, TaskStatus
from eventyard.jobs.task_queue import TaskQueue, until_ended
from tests.fakes import Clock

_INITDB = shutil.which("initdb") or next(
    (str(p) for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")), None
)


class Counting(BaseService):
    """Counts to a number, a step at a time."""

    def __init__(self, dispatcher=None, task_queue=None):
        super().__init__("counting", dispatcher, task_queue)
        self.done, self.steps = [], []
        self.wait = None

    def validate_job_data(self, job_data):
        fits = isinstance(job_data.get("to"), int)
        return fits, None if fits else "to must be a number"

    async def process_job(self, job_data):
        job = current_job()
        begin = job.checkpoint or 0
        for n in range(begin, job_data["to"]):
            await job.progress(n / job_data["to"])
            self.steps.append((job.data.get("name"), n))
            await job.results([{"key": str(n), "n": n}])
            await job.save(n + 1)
            if self.wait is not None:
                await self.wait(job, n)
        self.done.append(job_data.get("name"))
        return {"counted": job_data["to"]}


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server of our own; where there is none, that is said loudly."""
    if _INITDB is None:
        told = "NO POSTGRESQL, SO ITS ADAPTER IS NOT TESTED: install postgresql"
        if os.environ.get("REQUIRE_POSTGRES"):
            pytest.fail(told)
        pytest.skip(told)
    pytest.importorskip("asyncpg")
    # Not in pytest's own folder, which each run of it shuts to other users anew.
    with tempfile.TemporaryDirectory() as folder:
        yield from _serving(Path(folder))


def _serving(folder):
    as_user = []
    if os.getuid() == 0:  # it refuses to run as root
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, bin_ = folder / "data", Path(_INITDB).resolve().parent

    def run(*command):
        whole = [*as_user, *map(str, command)]
        subprocess.run(whole, check=True, capture_output=True, cwd=folder)

    run(_INITDB, "-D", data, "-A", "trust", "-U", "test")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    control = [bin_ / "pg_ctl", "-D", data, "-w"]
    run(*control, "-o", options, "-l", folder / "log", "start")
    yield f"postgresql://test@127.0.0.1:{port}/postgres"
    run(*control, "-m", "immediate", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def make_database(request, tmp_path):
    """Open the same database again and again, as several programs would."""
    made = []

    def open_one():
        if request.param == "sqlite":
            one = DatabaseManager(db_path=str(tmp_path / "jobs.db"))
        else:
            dsn = request.getfixturevalue("postgres")
            one = DatabaseManager("postgresql", dsn=dsn)
        made.append(one)
        return one

    return open_one


def in_a_queue(make_database, act, **more):
    """Run a coroutine function with a clean queue; returns what it returns."""

    async def main():
        async with make_database() as database:
            for table in ("jobs", "job_results", "job_turns"):
                await database.execute(f"DELETE FROM {table}")
            return await act(TaskQueue(database, **more))

    return asyncio.run(asyncio.wait_for(main(), 30))


def test_a_job_is_done_and_its_results_are_kept(make_database):
    async def act(queue):
        async with Dispatcher() as dispatcher:
            service = Counting(dispatcher, queue)
            told = await service.submit_job({"to": 3})
            await until_ended(queue, told["job_id"])
            return (
                told,
                await service.get_job_status(told["job_id"]),
                await queue.results(told["job_id"]),
            )

    told, status, results = in_a_queue(make_database, act)

    assert told["success"] is True
    assert told["status"] == "submitted"
    assert told["dispatch_result"]["status"] == "dispatched"
    assert status["status"] == "completed"
    assert status["progress"] == 1
    assert status["result"] == {"counted": 3}
    assert status["assigned_node"] == "local"
    assert [row["n"] for row in results] == [0, 1, 2]


def test_higher_priorities_go_first_and_equal_ones_in_their_order(make_database):
    async def act(queue):
        service = Counting(None, queue)
        for name, priority in (("a", 1), ("b", 10), ("c", 5), ("d", 10), ("e", 99)):
            await service.submit_job({"to": 1, "name": name}, priority)
        await Dispatcher([Node(slots=1)]).serve(queue, service)
        return service.done

    assert in_a_queue(make_database, act) == ["b", "d", "e", "c", "a"]


def test_two_programs_share_a_queue_and_nothing_is_done_twice(make_database):
    async def act(queue):
        service = Counting(None, queue)
        for n in range(20):
            await service.submit_job({"to": 1, "name": n})
        async with make_database() as other:
            second = Counting(None, TaskQueue(other))
            await asyncio.gather(
                Dispatcher([Node("one")]).serve(queue, service),
                Dispatcher([Node("two")]).serve(second.task_queue, second),
            )
        return sorted(service.done + second.done)

    assert in_a_queue(make_database, act) == list(range(20))


def test_what_fails_is_tried_three_times_and_then_has_failed(make_database):
    clock = Clock(1_000.0)

    async def act(queue):
        service = Counting(None, queue)

        told = await service.submit_job({"to": 5})
        waits = []
        for _ in range(3):
            task = await queue.pop("w", ["counting"])
            await queue.mark_failed(task.task_id, "RuntimeError: told to fail")
            waits.append(await queue.next_due_s())
            clock.tick(60)
        return waits, await service.get_job_status(told["job_id"])

    waits, status = in_a_queue(make_database, act, clock=clock)

    assert waits == [1.0, 2.0, None]
    assert status["status"] == "failed"
    assert status["error"] == "RuntimeError: told to fail"


def test_an_error_of_a_job_is_its_own(make_database):
    async def act(queue):
        service = Counting(None, queue)

        async def fail(job, _):
            if job.data["name"] == "bad":
                raise JobFailed("cannot be done")

        service.wait = fail
        bad = await service.submit_job({"to": 1, "name": "bad"})
        good = await service.submit_job({"to": 1, "name": "good"})
        await Dispatcher().serve(queue, service)
        return [
            (await service.get_job_status(one["job_id"]))["status"]
            for one in (bad, good)
        ]

    assert in_a_queue(make_database, act) == ["failed", "completed"]


def test_what_waits_is_cancelled_at_once_and_what_runs_at_its_next_step(make_database):
    async def act(queue):
        service = Counting(None, queue)
        waiting = await service.submit_job({"to": 1})
        first = await service.cancel_job(waiting["job_id"])
        again = await service.cancel_job(waiting["job_id"])

        async def cancel(job, n):
            if n == 1:
                await service.cancel_job(job.id)

        service.wait = cancel
        job = await service.submit_job({"to": 5})
        await Dispatcher().serve(queue, service)
        status = await service.get_job_status(job["job_id"])
        service.wait = None
        done = await service.submit_job({"to": 1})
        await Dispatcher().serve(queue, service)
        late = await service.cancel_job(done["job_id"])
        return first, again, status, len(await queue.results(job["job_id"])), late

    first, again, status, kept, late = in_a_queue(make_database, act)

    assert first["success"] is again["success"] is True
    assert status["status"] == "cancelled"
    assert kept == 2
    assert (late["success"], late["status"]) == (False, "completed")


def test_a_worker_that_died_is_followed_from_its_checkpoint(make_database):
    clock = Clock(1_000.0)

    async def act(queue):
        service = Counting(None, queue)

        async def die(_, n):
            if n == 2:
                raise KeyboardInterrupt

        service.wait = die
        told = await service.submit_job({"to": 5})
        task = await queue.pop("dead", ["counting"])
        from eventyard.jobs.context import running
        from eventyard.jobs.local import LocalJob

        with contextlib.suppress(KeyboardInterrupt), running(LocalJob(queue, task)):
            await service.process_job(dict(task.payload))
        service.wait = None
        clock.tick(31)
        assert await queue.release_stalled() == 1
        clock.tick(2)
        await Dispatcher().serve(queue, service)
        return service.steps, await service.get_job_status(told["job_id"])

    steps, status = in_a_queue(make_database, act, clock=clock)

    assert [n for _, n in steps] == [0, 1, 2, 3, 4]
    assert status["status"] == "completed"


def test_a_pause_is_no_try_and_goes_on(make_database):
    async def act(queue):
        service = Counting(None, queue)

        async def pause(job, n):
            if n in (0, 1, 2, 3):
                await job.pause()

        service.wait = pause
        told = await service.submit_job({"to": 5})
        await Dispatcher().serve(queue, service)
        task = await queue.of_job(told["job_id"])
        return service.steps, task

    steps, task = in_a_queue(make_database, act)

    assert [n for _, n in steps] == [0, 1, 2, 3, 4]
    assert (task.status, task.retry_count) == (TaskStatus.COMPLETED, 0)


def pausing(queue, meanwhile):
    """A service whose job `polite` pauses once; then one does what `meanwhile` says."""
    service = Counting(None, queue)

    async def wait(job, n):
        if job.data["name"] == "polite" and n == 0:
            await job.pause(4)
        if job.data["name"] == "other":
            await meanwhile(service)

    service.wait = wait
    return service


def test_a_pause_for_a_while_lets_others_have_the_worker(make_database):
    clock = Clock(1_000.0)

    async def act(queue):
        due = []

        async def meanwhile(_):
            due.append(await queue.next_due_s())
            clock.tick(3)

        service = pausing(queue, meanwhile)
        told = await service.submit_job({"to": 2, "name": "polite"}, 9)
        await service.submit_job({"to": 2, "name": "other"})
        await Dispatcher([Node(slots=1)]).serve(queue, service)
        return service.steps, due, await queue.of_job(told["job_id"])

    steps, due, task = in_a_queue(make_database, act, clock=clock)

    assert steps == [("polite", 0), ("other", 0), ("other", 1), ("polite", 1)]
    assert due == [4.0, 1.0]
    assert (task.status, task.retry_count) == (TaskStatus.COMPLETED, 0)


def test_what_pauses_is_cancelled_at_once(make_database):
    async def act(queue):
        told = []

        async def meanwhile(service):
            told.append(await service.cancel_job(polite["job_id"]))

        service = pausing(queue, meanwhile)
        polite = await service.submit_job({"to": 2, "name": "polite"}, 9)
        await service.submit_job({"to": 1, "name": "other"})
        await Dispatcher([Node(slots=1)]).serve(queue, service)
        status = await service.get_job_status(polite["job_id"])
        return told[0]["success"], status["status"], service.steps

    assert in_a_queue(make_database, act) == (
        True,
        "cancelled",
        [("polite", 0), ("other", 0)],
    )


def test_a_worker_waits_for_what_it_can_do_alone(make_database):
    async def act(queue):
        service, other = Counting(None, queue), Counting(None, queue)
        other.service_name, other.requires = "other", ("gpu",)
        await other.submit_job({"to": 1})
        told = await service.submit_job({"to": 2})

        async def pause(job, n):
            if n == 0:
                await job.pause(0.2)

        service.wait = pause
        # What only others can do is due all the time; that is no reason to leave.
        await Dispatcher([Node(slots=1)]).serve(queue, service)
        return await service.get_job_status(told["job_id"])

    assert in_a_queue(make_database, act)["status"] == "completed"


def test_a_job_reads_the_rows_of_another_of_its_service(make_database):
    from eventyard.jobs.local import LocalJob

    async def act(queue):
        service = Counting(None, queue)
        told = await service.submit_job({"to": 2})
        await Dispatcher().serve(queue, service)
        last = told["job_id"]
        more = {"service_name": service.service_name}
        named = {"previous_job_id": last}
        job = LocalJob(queue, await queue.push(Task(named, **more)))
        first = LocalJob(queue, await queue.push(Task({}, **more)))
        odd = LocalJob(queue, await queue.push(Task({"previous_job_id": 7}, **more)))
        stranger = LocalJob(queue, await queue.push(Task(named)))
        return (
            await job.rows_of(job.previous_job_id),
            [await job.rows_of("nobody"), await stranger.rows_of(last)],
            [first.previous_job_id, odd.previous_job_id],
        )

    rows, none, unknown = in_a_queue(make_database, act)

    assert rows == [{"key": "0", "n": 0}, {"key": "1", "n": 1}]
    assert (none, unknown) == ([[], []], [None, None])


def test_turns_at_something_shared_are_apart(make_database):
    from eventyard.jobs.local import LocalJob

    clock = Clock(1_000.0)

    async def act(queue):
        task = await queue.push(Task({}))
        job = LocalJob(queue, task)
        first = [await job.shared_gap("example.com", 2) for _ in range(3)]
        clock.tick(10)
        return [
            *first,
            await job.shared_gap("example.com", 2),
            await job.shared_gap("other", 2),
        ]

    assert in_a_queue(make_database, act, clock=clock) == [0, 2, 4, 0, 0]


def test_statistics_are_of_what_has_ended(make_database):
    async def act(queue):
        service = Counting(None, queue)
        for _ in range(3):
            await service.submit_job({"to": 1})
        before = await service.get_service_stats()
        await Dispatcher().serve(queue, service)
        await service.record_job_result(False)
        return before, await service.get_service_stats(), await queue.get_stats()

    before, after, counts = in_a_queue(make_database, act)

    assert before["stats"]["failure_rate"] == before["stats"]["success_rate"] == 0
    assert before["queue_size"] == before["stats"]["active_jobs"] == 3
    assert (after["stats"]["success_rate"], after["stats"]["failure_rate"]) == (
        75.0,
        25.0,
    )
    assert counts == {
        "pending": 0,
        "running": 0,
        "completed": 3,
        "failed": 0,
        "cancelled": 0,
        "total": 3,
    }


def test_what_ended_long_ago_is_forgotten_with_its_results(make_database):
    async def act(queue):
        service = Counting(None, queue)
        told = await service.submit_job({"to": 1})
        await Dispatcher().serve(queue, service)
        kept = await queue.cleanup_old_tasks(days=1)
        gone = await queue.cleanup_old_tasks(days=-1)
        return (
            kept,
            gone,
            await queue.results(told["job_id"]),
            await service.get_job_status(told["job_id"]),
        )

    kept, gone, results, status = in_a_queue(make_database, act)

    assert (kept, gone, results) == (0, 1, [])
    assert status["status"] == "not_found"


def test_the_scrapers_tables_are_there_under_their_names(make_database):
    async def act(queue):
        task = Task({"url": "https://a.test/", "max_pages": 3}, service_name="scraper")
        await queue.push(task)
        await queue.database.execute(
            "INSERT INTO job_results (job_id, row_key, row_data) VALUES (?, ?, ?)",
            [
                task.job_id,
                "k",
                '{"url": "https://a.test/", "emails": ["a@b.test"], "links_count": 2}',
            ],
        )
        jobs = await queue.database.fetch_one(
            "SELECT url, max_pages, status FROM scraper_jobs"
        )
        pages = await queue.database.fetch_one(
            "SELECT url, emails, links_count FROM scraper_results"
        )
        return jobs, pages

    jobs, pages = in_a_queue(make_database, act)

    assert {k: str(v) for k, v in jobs.items()} == {
        "url": "https://a.test/",
        "max_pages": "3",
        "status": "pending",
    }
    assert (pages["url"], str(pages["links_count"])) == ("https://a.test/", "2")
    assert "a@b.test" in pages["emails"]


def test_a_queue_does_what_queues_do(make_database):
    async def act(queue):
        low, high = Task({"n": 1}), Task({"n": 2}, priority=TaskPriority.URGENT)
        for task in (low, high):
            await queue.push(task)
        first = await queue.peek()
        taken = await queue.pop("w")
        assert await queue.position(low) == 1
        assert await queue.mark_running(low, "x") is True
        assert await queue.mark_running(low, "x") is False
        assert await queue.mark_completed(high.task_id, {"ok": 1}) is True
        assert await queue.mark_completed(high.task_id, {"ok": 2}) is False
        recent = await queue.get_recent_tasks(1)
        return (
            first.task_id == taken.task_id == high.task_id,
            recent[0].payload,
            (await queue.get_task(high.task_id)).result,
        )

    assert in_a_queue(make_database, act) == (True, {"n": 2}, {"ok": 1})


@pytest.mark.parametrize("data", [{}, {"to": "x"}, "text", None])
def test_a_job_that_is_none_is_not_taken(data):
    async def act():
        return await Counting(None, TaskQueue()).submit_job(data)

    told = asyncio.run(act())

    assert told["success"] is False
    assert told["job_id"] is None
    assert told["error"]


def test_nobody_who_could_do_it_is_told_so():
    class Picky(Counting):
        requires = ("gpu",)

    async def act():
        async with Dispatcher() as dispatcher:
            return await Picky(dispatcher, TaskQueue()).submit_job({"to": 1})

    assert asyncio.run(act())["dispatch_result"] == {
        "status": "queued",
        "reason": "no_available_nodes",
    }


def test_a_dispatcher_that_closes_puts_back_what_runs():
    async def act():
        queue = TaskQueue()
        begun = asyncio.Event()
        service = Counting(None, queue)

        async def hang(*_):
            begun.set()
            await asyncio.sleep(60)

        service.wait = hang
        dispatcher = Dispatcher()
        service.dispatcher = dispatcher
        told = await service.submit_job({"to": 5})
        await begun.wait()
        await dispatcher.close()
        return await queue.of_job(told["job_id"])

    task = asyncio.run(act())

    assert (task.status, task.checkpoint, task.retry_count) == (
        TaskStatus.PENDING,
        1,
        0,
    )


def test_there_is_no_adapter_for_other_databases():
    with pytest.raises(ValueError, match="oracle"):
        DatabaseManager("oracle")
    with pytest.raises(ValueError, match="dsn"):
        DatabaseManager("postgresql")


def test_a_task_is_written_and_read_as_it_is():
    task = Task({"a": 1}, requires=("x",), priority=7)

    assert Task.from_dict(task.to_dict()).to_dict() == task.to_dict()
