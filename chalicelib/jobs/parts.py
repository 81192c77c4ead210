"""The parts of job services, each made when it is first touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.aws import Aws, Item
from chalicelib.config import Settings
from chalicelib.jobs.again import Repeats
from chalicelib.jobs.counts import Counts
from chalicelib.jobs.ready import Ready
from chalicelib.jobs.registry import Registry
from chalicelib.jobs.rows import ResultRows
from chalicelib.jobs.settle import Settler
from chalicelib.jobs.store import JobStore
from chalicelib.jobs.tell import Teller
from chalicelib.jobs.texts import Texts
from chalicelib.jobs.workers import Workers
from chalicelib.table import Table
from chalicelib.telemetry import log_error
from eventyard.core.event import Event
from eventyard.core.wire import dumps
from eventyard.jobs.base import BaseService

if TYPE_CHECKING:
    from chalicelib.jobs.claims import Claims
    from chalicelib.jobs.gaps import Gaps
    from chalicelib.jobs.registry import Maker
    from chalicelib.jobs.repairs import Repairs
    from chalicelib.jobs.service import JobService
    from chalicelib.jobs.work import Worker

_DAY_S = 86_400
#: SQS puts a message off for no longer.
_LONGEST_DELAY_S = 900


@dataclass(frozen=True, slots=True)
class Needs:
    """What jobs take from the rest of the platform."""

    new_key: Callable[[], str]
    log_item: Callable[[str, Sequence[Event], str], Item]
    put_blob: Callable[[str, str], str]
    get_blob: Callable[[str], str]
    #: Returns a row of the agenda: kind, name, milliseconds, ref.
    later: Callable[[str, str, int, Item], Item]
    bury: Callable[[str, Any, str], None]
    #: How some services are made of their class: by name.
    makers: Mapping[str, Maker] = field(default_factory=dict)


@dataclass
class Jobs:
    """One property for each store and service of jobs."""

    settings: Settings
    aws: Aws
    table: Table
    needs: Needs

    @cached_property
    def registry(self) -> Registry:
        """Return the services by name."""
        return Registry(makers={"scraper": self._scraper, **self.needs.makers})

    def _scraper(self, kind: Any) -> BaseService:
        from chalicelib.jobs.fetch import scraper

        return scraper(self.settings)(kind)

    @cached_property
    def store(self) -> JobStore:
        """Return what is kept of jobs."""
        teller = Teller(self.needs.new_key, self.needs.log_item)
        return JobStore(self.table, teller, self.counts)

    @cached_property
    def counts(self) -> Counts:
        """Return what was done by each service."""
        return Counts(self.table)

    @cached_property
    def ready(self) -> Ready:
        """Return what is ready to be done."""
        return Ready(self.table)

    @cached_property
    def texts(self) -> Texts:
        """Return the texts of jobs."""
        return Texts(self.table, self.needs.put_blob, self.needs.get_blob)

    @cached_property
    def rows(self) -> ResultRows:
        """Return the rows of results."""
        return ResultRows(self.table, self.texts)

    @cached_property
    def workers(self) -> Workers:
        """Return who does jobs."""
        return Workers(self.table)

    @cached_property
    def gaps(self) -> Gaps:
        """Return the turns at what all workers share."""
        from chalicelib.jobs.gaps import Gaps

        return Gaps(self.table)

    @cached_property
    def settler(self) -> Settler:
        """Return what ends tries."""
        later = self.needs.later
        repeats = Repeats(self.texts, later, self.needs.new_key)
        return Settler(self.store, self.texts, repeats, later, self.wake)

    @cached_property
    def claims(self) -> Claims:
        """Return what gives out turns."""
        from chalicelib.jobs.claims import Claims

        return Claims(self.store, self.ready, self.settler)

    @cached_property
    def repairs(self) -> Repairs:
        """Return what time does to jobs."""
        from chalicelib.jobs.repairs import Repairs

        return Repairs(self.store, self.ready, self.settler, self.wake, self._depth)

    @cached_property
    def service(self) -> JobService:
        """Return the verbs of jobs."""
        from chalicelib.jobs.service import JobService

        return JobService(
            self.registry,
            self.store,
            self.ready,
            self.texts,
            self.rows,
            self.settler,
            self.workers,
            self.needs.new_key,
            self.settings.retention_days * _DAY_S,
        )

    @cached_property
    def work(self) -> Worker:
        """Return what does the jobs that need nothing special."""
        return self._worker("jobs")

    @cached_property
    def scraping(self) -> Worker:
        """Return what does the jobs that scrape."""
        return self._worker("scraping")

    def _worker(self, queue: str) -> Worker:
        from chalicelib.jobs.running import Tools
        from chalicelib.jobs.work import Worker

        return Worker(
            queue,
            self.claims,
            self.settler,
            self.registry,
            Tools(self.texts, self.rows, self.gaps),
            self.workers,
            self.repairs.retry,
            self.needs.bury,
        )

    def wake(self, queue: str, what: Item, delay_s: float) -> None:
        """Ask for a worker of a queue to look; the schedule does where this fails."""
        delay = min(max(math.ceil(delay_s), 0), _LONGEST_DELAY_S)
        try:
            self.aws.sqs.send_message(
                QueueUrl=self._urls[queue],
                MessageBody=dumps(what),
                DelaySeconds=delay,
            )
        except Exception as error:  # noqa: BLE001 - what was asked for is written down
            log_error("nobody was woken up", error, queue=queue)

    def _depth(self, queue: str) -> int:
        asked = self.aws.sqs.get_queue_attributes(
            QueueUrl=self._urls[queue], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])

    @property
    def _urls(self) -> dict[str, str]:
        settings = self.settings
        return {
            "jobs": settings.jobs_queue_url,
            "scraping": settings.scraping_queue_url,
        }
