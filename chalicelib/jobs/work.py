"""Doing jobs: woken up by a message, one job at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from chalicelib.aws import Item
from chalicelib.jobs.claims import Claims, Turn
from chalicelib.jobs.lease import Heart, LostError
from chalicelib.jobs.outcomes import Outcome
from chalicelib.jobs.registry import QUEUES, Registry
from chalicelib.jobs.running import RunningJob, Tools
from chalicelib.jobs.settle import Settler
from chalicelib.jobs.store import DATA
from chalicelib.jobs.texts import size
from chalicelib.jobs.workers import Workers
from chalicelib.telemetry import log, log_error
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.wire import dumps, loads
from eventyard.jobs.base import BaseService
from eventyard.jobs.context import running
from eventyard.jobs.errors import JobCancelled, JobPaused

#: What an invocation is taken to have when nobody says so.
_USUAL_S: Final = 300.0
#: So long before its end a job is stopped that does not stop by itself.
_MARGIN_S: Final = 3.0
#: It is shown whole, and an answer has 6 MB.
_MOST_BYTES: Final = 4_000_000
_TOO_LONG: Final = (
    "It took longer than an invocation has, and saved nothing to go on from."
)
_NOTHING_SAVED: Final = "It paused without having saved anything to go on from."


@dataclass(slots=True)
class Worker:
    """
    Does the jobs of a queue.

    A message asks to look whether there is something to do, and nothing else: so one
    that is lost, comes twice or overtakes another does no harm.
    """

    queue: str
    claims: Claims
    settler: Settler
    registry: Registry
    tools: Tools
    workers: Workers
    #: Makes a job ready that waited until now.
    retry: Callable[[str], object]
    #: Puts a message aside with the reason: queue, body, reason.
    bury: Callable[[str, Any, str], None]

    def run(self, event: Item, context: Any = None) -> Item:
        """Answer a batch of the queue; returns Lambda's partial batch response."""
        failed = list(self._failures(event["Records"], context))
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    def _failures(self, records: list[Item], context: Any) -> Iterator[str]:
        for record in records:
            wish = self._read(record)
            if wish is None:
                continue
            try:
                self._answer(wish, context)
            except Exception as error:  # noqa: BLE001 - it comes again, whatever it was
                log_error("a worker failed", error, message_id=record["messageId"])
                yield record["messageId"]

    def _read(self, record: Item) -> Item | None:
        try:
            wish = loads(record["body"])
            if not isinstance(wish, dict) or not isinstance(wish.get("job", ""), str):
                raise InvalidRequestError("This wakes nobody up.")
        except EventRouterError as error:
            # It would fail the same way every time: aside with it.
            log_error("a message cannot be read", error, message_id=record["messageId"])
            self.bury(self.queue, record["body"], str(error))
            return None
        return wish

    def _answer(self, wish: Item, context: Any) -> None:
        if "job" in wish:
            self.retry(wish["job"])
        node = str(getattr(context, "aws_request_id", None) or uuid4())
        turn = self.claims.take(self.queue, node)
        if turn is not None:
            self._do(turn, node, _left(context))

    def _do(self, turn: Turn, node: str, seconds_left: Callable[[], float]) -> None:
        log("a job begins", job=turn.row.id, service=turn.row.service, node=node)
        noted = self.workers.began(node, turn.row, QUEUES[self.queue])
        with Heart(turn.lease.write):
            outcome, seen = self._outcome(turn, seconds_left)
        if outcome is not None:
            self.settler.end_run(turn.row.id, turn.lease.owner, outcome, seen=seen)
        self.workers.ended(noted)

    def _outcome(
        self, turn: Turn, seconds_left: Callable[[], float]
    ) -> tuple[Outcome | None, Item | None]:
        try:
            service = self.registry.get(turn.row.service)
            job = RunningJob(turn, self.tools, self._data(turn), seconds_left)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job is told
            log_error("a job was not begun", error, job=turn.row.id)
            # Another release of the code may know what this one does not.
            return Outcome("failed", _said(error), retryable=True), None
        return self._try(service, job), job.seen

    def _data(self, turn: Turn) -> str:
        row = turn.row
        text = row.data or self.tools.texts.read(row.id, DATA)
        if text is None:
            raise InvalidRequestError("What was asked for is not known any more.")
        return text

    def _try(self, service: BaseService, job: RunningJob) -> Outcome | None:
        """Return how it ended; None when it is somebody else's by now."""
        import asyncio

        try:
            return asyncio.run(_process(service, job))
        except LostError as error:
            log_error("a job was lost", error, job=job.id)
            return None
        except JobCancelled:
            return Outcome("cancelled")
        except JobPaused as paused:
            if job.goes_on(paused):
                return Outcome("paused", after_s=paused.after_s)
            return Outcome("failed", _NOTHING_SAVED, retryable=True)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - told
            log_error("a job failed", error, job=job.id, attempt=job.attempt)
            return Outcome("failed", _said(error), retryable=_may_help(error))


async def _process(service: BaseService, job: RunningJob) -> Outcome:
    import asyncio

    left = max(job.seconds_left() - _MARGIN_S, 0.1)
    limit = asyncio.timeout(left)
    try:
        with running(job):
            async with limit:
                result = await service.process_job(dict(job.data))
    except TimeoutError:
        if not limit.expired():
            raise
        if job.saved:
            return Outcome("paused")
        return Outcome("failed", _TOO_LONG, retryable=True)
    return _of(result)


def _of(result: Any) -> Outcome:
    if not isinstance(result, dict):
        raise InvalidRequestError("process_job must return an object.")
    text = dumps(result)
    if size(text) > _MOST_BYTES:
        raise InvalidRequestError(
            f"A result may have {_MOST_BYTES} bytes, not {size(text)}: rows of "
            "results take more."
        )
    if result.get("success") is False:
        error = str(result.get("error") or "The service said so.")
        return Outcome("failed", error, result=text)
    return Outcome("completed", result=text)


def _may_help(error: BaseException) -> bool:
    # Ours say it themselves; of others nobody knows.
    return error.retryable if isinstance(error, EventRouterError) else True


def _said(error: BaseException) -> str:
    told = str(error)
    if isinstance(error, EventRouterError):
        return told
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def _left(context: Any) -> Callable[[], float]:
    if hasattr(context, "get_remaining_time_in_millis"):
        return lambda: context.get_remaining_time_in_millis() / 1000
    until = time.monotonic() + _USUAL_S
    return lambda: until - time.monotonic()
