"""The web scraper: a job service that reads the pages of a site."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from eventyard.core.addresses import AddressRefusedError, Allowances
from eventyard.jobs.base import BaseService, JobStore
from eventyard.jobs.context import Job, current_job
from eventyard.jobs.scraping import urls
from eventyard.jobs.scraping.crawler import crawler
from eventyard.jobs.scraping.fetching import Web
from eventyard.jobs.scraping.options import DEFAULTS, Options, problem
from eventyard.jobs.scraping.redaction import Redaction
from eventyard.jobs.scraping.visiting import Manners

#: The first word is what robots.txt may call it by.
AGENT: Final = "EventyardScraper/1.0"
GAP_S: Final = 0.2
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Setup:
    """How a scraper goes about it, whatever it scrapes."""

    #: Returns how pages are asked for, for one job.
    web: Callable[[], Web]
    #: Which hosts may be asked, though they are not public.
    allowances: Allowances = field(default_factory=Allowances)
    agent: str = AGENT
    #: How far apart requests to a host are at least, in seconds.
    gap_s: float = GAP_S
    #: What contacts are hashed with, where that is asked for.
    redaction_key: bytes = field(default=b"", repr=False)


class Scraper(BaseService):
    """
    Reads pages of a site, breadth first: links, contacts, and what pages tell.

    It asks the web as it is set up; `eventyard.jobs.ScraperService` is set up for
    programs of one's own.
    """

    requires = ("scraping",)
    results_name: ClassVar[str] = "results_by_url"
    total_name: ClassVar[str] = "total_urls_crawled"
    result_columns: ClassVar[tuple[str, ...]] = (
        "url",
        "status",
        "title",
        "description",
        "emails",
        "phones",
        "links_count",
        "depth",
        "crawled_at",
        "error",
    )

    def __init__(
        self,
        setup: Setup,
        dispatcher: Any = None,
        task_queue: JobStore | None = None,
        redis_client: Any = None,
    ) -> None:
        super().__init__("scraper", dispatcher, task_queue, redis_client)
        self.setup = setup

    def job_defaults(self, job_data: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return what a scrape has unless it says otherwise."""
        return dict(DEFAULTS)

    def validate_job_data(self, job_data: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Tell whether a scrape is valid, and if not, what is wrong."""
        wrong = problem(job_data) or self._refused(job_data)
        return wrong is None, wrong

    def _refused(self, job_data: Mapping[str, Any]) -> str | None:
        if job_data["redact"] == "hash" and not self.setup.redaction_key:
            return (
                "redact: hash needs a secret key, which is not set here "
                "(EVENTYARD_REDACTION_KEY); mask needs none"
            )
        host = urls.origin(Options.of(job_data).start).host
        try:
            self.setup.allowances.check(host, [str(ipaddress.ip_address(host))])
        except AddressRefusedError as error:
            return error.message
        except ValueError:  # a name: where it leads is looked at when it is called
            pass
        return None

    def retention_s(self, job_data: Mapping[str, Any]) -> int:
        """Return for how many seconds a scrape is kept when it has ended."""
        days = job_data.get("retention_days") or self.retention_days
        return int(days * _DAY_S)

    async def process_job(self, job_data: dict[str, Any]) -> dict[str, Any]:
        """Crawl a site; return what `scrape_site` of old did, and more."""
        web = self.setup.web()
        try:
            return await self._crawl(current_job(), web, Options.of(job_data))
        finally:
            await web.close()

    async def _crawl(self, job: Job, web: Web, options: Options) -> dict[str, Any]:
        gap = max(self.setup.gap_s, options.delay_s)
        manners = Manners(self.setup.agent, gap, options.timeout_s)
        found = await crawler(job, web, manners, self._redaction(options))
        return await found.run()

    def _redaction(self, options: Options) -> Redaction | None:
        if options.redact == "none":
            return None
        return Redaction(options.redact, self.setup.redaction_key)
