"""The base of all job services, as a program uses it that does jobs itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.jobs import BaseService, JobFailed, current_job
from eventyard.jobs.base import clamped, not_found
from eventyard.jobs.context import running


class Adder(BaseService):
    """Adds two numbers."""

    def __init__(self, dispatcher=None, task_queue=None):
        super().__init__("adder", dispatcher, task_queue)

    def validate_job_data(self, job_data):
        if not isinstance(job_data.get("a"), int):
            return False, "a must be a number"
        return True, None

    def job_defaults(self, job_data):
        return {"b": 1}

    async def process_job(self, job_data):
        return {"sum": job_data["a"] + job_data["b"]}


class Kept:
    """A store that keeps what it is asked."""

    def __init__(self):
        self.asked = []

    async def submit(self, service, job_data, *, priority, requires):
        self.asked.append((service.service_name, job_data, priority, requires))
        return {"success": True, "job_id": "j1"}

    async def status(self, service_name, job_id):
        return {"job_id": job_id} if job_id == "j1" else None

    async def listed(self, service_name, status, limit):
        return [{"job_id": "j1", "status": status}][:limit]

    async def cancel(self, service_name, job_id):
        return {"success": True, "job_id": job_id}

    async def stats(self, service_name):
        return {"service_name": service_name}

    async def record(self, service_name, *, success):
        self.asked.append((service_name, success))


def test_a_job_is_checked_with_its_defaults_and_the_callers_object_stays_as_it_was():
    given = {"a": 1}

    assert Adder().prepared(given) == {"a": 1, "b": 1}
    assert Adder().prepared({"a": 1, "b": 5})["b"] == 5
    assert given == {"a": 1}


@pytest.mark.parametrize("data", [None, [], "a", 1, {}, {"a": "x"}])
def test_what_is_no_job_is_refused_with_the_reason(data):
    with pytest.raises(InvalidRequestError) as refused:
        Adder().prepared(data)

    assert refused.value.code == "invalid_job"
    assert refused.value.message


@pytest.mark.parametrize(
    ("given", "taken"), [(-3, 1), (0, 1), (1, 1), (10, 10), (99, 10)]
)
def test_a_priority_out_of_range_becomes_the_nearest(given, taken):
    assert clamped(given) == taken


@pytest.mark.parametrize("name", ["", "Adder", "a-b", "1a", "a" * 41, "service", "a/b"])
def test_a_service_has_a_name_that_fits_an_address(name):
    class Named(Adder):
        def __init__(self):
            BaseService.__init__(self, name)

    with pytest.raises(InvalidRequestError, match="named by"):
        Named()


def test_a_subclass_must_say_what_is_valid_and_what_is_done():
    class Half(BaseService):
        def validate_job_data(self, job_data):
            return True, None

    with pytest.raises(TypeError, match="process_job"):
        Half("half")


def test_with_a_task_queue_a_service_takes_jobs():
    store = Kept()
    adder = Adder(task_queue=store)

    told = asyncio.run(adder.submit_job({"a": 2}, priority=50))
    refused = asyncio.run(adder.submit_job({}))

    assert told == {"success": True, "job_id": "j1"}
    assert store.asked == [("adder", {"a": 2, "b": 1}, 10, ())]
    assert refused == {
        "success": False,
        "error": "a must be a number",
        "job_id": None,
        "status": "rejected",
    }


def test_with_a_task_queue_a_service_answers_for_its_jobs():
    store = Kept()
    adder = Adder(task_queue=store)

    assert asyncio.run(adder.get_job_status("j1")) == {"job_id": "j1"}
    assert asyncio.run(adder.get_job_status("j2")) == not_found("j2")
    assert asyncio.run(adder.list_jobs("running", 1))[0]["status"] == "running"
    assert asyncio.run(adder.cancel_job("j1"))["success"] is True
    assert asyncio.run(adder.get_service_stats()) == {"service_name": "adder"}
    asyncio.run(adder.record_job_result(success=True))
    assert store.asked == [("adder", True)]


def test_without_a_task_queue_it_says_what_is_missing():
    with pytest.raises(EventRouterError, match="no task queue"):
        asyncio.run(Adder().submit_job({"a": 1}))


def test_the_current_job_is_the_one_that_is_being_done():
    with pytest.raises(EventRouterError, match="no job here"):
        current_job()

    job = object()
    with running(job):
        assert current_job() is job
    with pytest.raises(EventRouterError):
        current_job()


def test_a_failure_says_whether_another_try_may_help():
    assert JobFailed("no").retryable is False
    assert JobFailed("not now", retryable=True).retryable is True


def test_importing_it_brings_nothing_that_does_io():
    script = (
        "import sys; import eventyard.jobs; "
        "print(sorted({'asyncio', 'socket', 'pydantic', 'aiohttp', 'urllib3', 'ssl'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "sdk"},
    )
    assert done.stdout.strip() == "[]"
