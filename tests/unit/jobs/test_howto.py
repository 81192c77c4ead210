"""docs/howto/do-jobs-in-a-program.md, and the seed's service, run as they stand."""

from __future__ import annotations

import asyncio

import pytest

from eventyard.core.errors import ConnectionError  # noqa: A004 - its name there
from eventyard.jobs.dispatcher import Dispatcher
from eventyard.jobs.task_queue import TaskQueue, until_ended
from tests.howto import blocks


def test_the_blocks_of_the_page_run(tmp_path):
    scope: dict[str, object] = {}
    for block in blocks("do-jobs-in-a-program", "python"):
        exec(block, scope)

    status, rows = asyncio.run(scope["main"](str(tmp_path / "jobs.db")))
    assert (status["status"], len(rows)) == ("completed", 2)
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:9"):
        asyncio.run(scope["submit"]("http://127.0.0.1:9"))


#: As the seed writes it, with this package in the place of its own.
_SEED = """
from eventyard.jobs import BaseService

class MonService(BaseService):
    def __init__(self, dispatcher, task_queue):
        super().__init__("mon_service", dispatcher, task_queue)

    def validate_job_data(self, job_data):
        # Validation spécifique
        return True, None

    async def process_job(self, job_data):
        # Traitement spécifique
        return {"success": True}
"""


def test_the_service_of_the_seed_is_one():
    scope: dict[str, object] = {}
    exec(_SEED, scope)

    async def act():
        queue = TaskQueue()
        async with Dispatcher() as dispatcher:
            mon_service = scope["MonService"](dispatcher=dispatcher, task_queue=queue)
            result = await mon_service.submit_job({"anything": 1})
            await until_ended(queue, result["job_id"])
            return await mon_service.get_job_status(result["job_id"])

    assert asyncio.run(act())["result"] == {"success": True}
