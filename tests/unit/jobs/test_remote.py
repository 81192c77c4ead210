"""A service of a program whose jobs a platform does."""

from __future__ import annotations

import asyncio
import json

import pytest

from eventyard.core.errors import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name the errors' module gives it
    EventRouterError,
)
from eventyard.jobs.remote import PlatformQueue
from tests.loopback import Loopback, reply
from tests.unit.jobs.test_local import Counting


class Platform(Loopback):
    """Answers as the platform's addresses of a service do."""

    def __init__(self):
        super().__init__()
        self.told = {}

    def answer(self, request):
        if request.headers.get("authorization") != "Bearer ey_key":
            return reply(401, {"error": {"code": "unauthenticated", "message": "Who?"}})
        name = f"{request.method} {request.path}"
        status, body = self.told.get(name, (500, {"error": {"message": "broken"}}))
        return reply(status, body)


@pytest.fixture
def platform():
    with Platform() as made:
        yield made


def asked(platform, act, key="ey_key"):
    async def main():
        async with PlatformQueue(platform.origin + "/", key) as queue:
            return await act(Counting(None, queue))

    return asyncio.run(main())


def test_a_job_is_submitted_with_its_priority(platform):
    told = {"success": True, "job_id": "j1", "status": "submitted"}
    platform.told["POST /api/countings/submit"] = (200, told)

    assert asked(platform, lambda s: s.submit_job({"to": 3}, priority=7)) == told
    assert json.loads(platform.requests[0].body) == {"to": 3, "priority": 7}


def test_what_is_no_job_is_not_even_asked(platform):
    told = asked(platform, lambda s: s.submit_job({"to": "x"}))

    assert told["success"] is False
    assert platform.requests == []


@pytest.mark.parametrize("status", [400, 409])
def test_a_refusal_is_told_as_the_platform_tells_it(platform, status):
    told = {"success": False, "error": "no", "job_id": None, "status": "rejected"}
    platform.told["POST /api/countings/submit"] = (status, told)

    assert asked(platform, lambda s: s.submit_job({"to": 3})) == told


def test_status_lists_and_counts_are_asked_for(platform):
    platform.told |= {
        "GET /api/countings/jobs/a%20b": (200, {"job_id": "a b", "status": "running"}),
        "GET /api/countings/jobs": (200, {"jobs": [{"job_id": "a b"}]}),
        "GET /api/countings/stats": (200, {"stats": {"total_jobs": 1}}),
        "DELETE /api/countings/jobs/a%20b": (200, {"success": True}),
    }

    async def act(service):
        return [
            (await service.get_job_status("a b"))["status"],
            await service.list_jobs("running", 5),
            (await service.get_service_stats())["stats"],
            await service.cancel_job("a b"),
        ]

    assert asked(platform, act) == [
        "running",
        [{"job_id": "a b"}],
        {"total_jobs": 1},
        {"success": True},
    ]
    assert platform.requests[1].query == {"limit": "5", "status": "running"}


def test_a_job_that_is_not_there_is_told_so(platform):
    told = {"job_id": "x", "status": "not_found", "error": "no such job"}
    platform.told["GET /api/countings/jobs/x"] = (404, told)

    status = asked(platform, lambda s: s.get_job_status("x"))

    assert status["status"] == "not_found"


def test_a_wrong_key_and_a_fault_are_errors(platform):
    with pytest.raises(AuthenticationError, match=r"Who\?"):
        asked(platform, lambda s: s.get_job_status("x"), key="wrong")
    with pytest.raises(EventRouterError, match="broken"):
        asked(platform, lambda s: s.get_service_stats())


def test_a_platform_that_does_not_run_is_told_so():
    async def act():
        async with PlatformQueue("http://127.0.0.1:9") as queue:
            await Counting(None, queue).get_service_stats()

    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:9"):
        asyncio.run(act())
