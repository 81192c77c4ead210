"""Has the tasks of a queue done, in this program, by as many workers as one likes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from eventyard.jobs.base import BaseService
from eventyard.jobs.context import running
from eventyard.jobs.errors import JobCancelled, JobFailed, JobPaused
from eventyard.jobs.local import LocalJob
from eventyard.jobs.task import Task, now
from eventyard.jobs.task_queue import LEASE_S, TaskQueue

#: What a worker can do unless one says otherwise: all that the package brings.
CAPABILITIES: Final = frozenset({"scraping"})
_LONGEST_NAP_S: Final = 0.5


@dataclass(slots=True)
class Node:
    """A group of workers that can do the same things."""

    name: str = "local"
    capabilities: frozenset[str] = CAPABILITIES
    #: How many tasks it does at a time.
    slots: int = 4
    workers: set[asyncio.Task[None]] = field(default_factory=set)

    def can_do(self, requires: Sequence[str]) -> bool:
        """Tell whether it has all capabilities that are asked for."""
        return self.capabilities.issuperset(requires)

    @property
    def free(self) -> int:
        """Return how many more workers it may have."""
        return self.slots - len(self.workers)


class Dispatcher:
    """
    Does the tasks of queues on its nodes, which are workers of this program.

    Services call `dispatch` when they have submitted something; `serve` does what a
    queue holds already. Closing puts back what runs, to go on from its checkpoint.
    """

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.nodes = list(nodes) or [Node()]
        self._counts = {"done": 0, "failed": 0}
        self._last: str | None = None
        self._queues: set[int] = set()

    async def dispatch(self, queue: TaskQueue) -> dict[str, Any]:
        """Let workers take up what waits; tells whether anybody can do all of it."""
        wanted = [s for s in queue.services.values() if not self._able(s)]
        for node in self.nodes:
            self._wake(node, queue)
        if wanted and not any(self._able(s) for s in queue.services.values()):
            return {"status": "queued", "reason": "no_available_nodes"}
        return {"status": "dispatched", "nodes": [node.name for node in self.nodes]}

    async def serve(self, queue: TaskQueue, *services: BaseService) -> None:
        """Do what a queue holds of some services, until nothing waits any more."""
        queue.services |= {service.service_name: service for service in services}
        await queue.release_stalled()
        await self.dispatch(queue)
        await self.idle()

    async def idle(self) -> None:
        """Wait until no worker has anything to do."""
        while workers := [worker for node in self.nodes for worker in node.workers]:
            await asyncio.gather(*workers, return_exceptions=True)

    def get_stats(self) -> dict[str, Any]:
        """Return what was dispatched, and who is free."""
        done, failed = self._counts["done"], self._counts["failed"]
        total = done + failed
        return {
            "total_dispatched": total,
            "successful_dispatches": done,
            "failed_dispatches": failed,
            "last_dispatch": self._last,
            "success_rate": round(100 * done / total, 2) if total else 0.0,
            "failure_rate": round(100 * failed / total, 2) if total else 0.0,
            "available_workers": sum(node.free for node in self.nodes),
            "total_workers": sum(node.slots for node in self.nodes),
        }

    async def close(self) -> None:
        """Stop all workers; what they do waits to go on from its checkpoint."""
        workers = [worker for node in self.nodes for worker in node.workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def __aenter__(self) -> Self:
        """Return the dispatcher."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all workers."""
        await self.close()

    def _able(self, service: BaseService) -> bool:
        return any(node.can_do(service.requires) for node in self.nodes)

    def _wake(self, node: Node, queue: TaskQueue) -> None:
        if node.free > 0:
            worker = asyncio.get_running_loop().create_task(self._work(node, queue))
            node.workers.add(worker)
            worker.add_done_callback(node.workers.discard)

    async def _work(self, node: Node, queue: TaskQueue) -> None:
        while True:
            able = [n for n, s in queue.services.items() if node.can_do(s.requires)]
            task = await queue.pop(node.name, able)
            if task is not None:
                await self._do(queue, task)
                continue
            wait = await queue.next_due_s(able)
            if wait is None:
                return
            await asyncio.sleep(min(wait, _LONGEST_NAP_S))

    async def _do(self, queue: TaskQueue, task: Task) -> None:
        service = queue.services[task.service_name]
        self._last = now()
        job = LocalJob(queue, task)
        try:
            with running(job), _alive(job):
                result = await service.process_job(dict(task.payload))
        except JobCancelled:
            await queue.mark_cancelled(task.task_id)
        except JobPaused as paused:
            await queue.put_back(task.task_id, wait_s=paused.after_s)
        except asyncio.CancelledError:
            await asyncio.shield(queue.put_back(task.task_id))
            raise
        except Exception as error:  # noqa: BLE001 - one bad job never blocks others
            retryable = not isinstance(error, JobFailed) or error.retryable
            told = f"{type(error).__name__}: {error}"
            await self._failed(queue, task, told, retryable=retryable)
        else:
            await self._ended(queue, task, result)

    async def _ended(self, queue: TaskQueue, task: Task, result: Any) -> None:
        if isinstance(result, dict) and result.get("success") is False:
            told = str(result.get("error") or "It said that it did not succeed.")
            await self._failed(queue, task, told, retryable=False)
        elif await queue.mark_completed(task.task_id, result):
            self._counts["done"] += 1

    async def _failed(
        self, queue: TaskQueue, task: Task, told: str, *, retryable: bool
    ) -> None:
        if await queue.mark_failed(task.task_id, told, retryable=retryable):
            self._counts["failed"] += 1


@contextlib.contextmanager
def _alive(job: LocalJob) -> Iterator[None]:
    """Renew the lease of a job while it is being done."""
    beating = asyncio.get_running_loop().create_task(_beat(job))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(job: LocalJob) -> None:
    while True:
        await asyncio.sleep(LEASE_S / 3)
        await job.beat()
