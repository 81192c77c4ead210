"""A crawl driven from its start, or its checkpoint, to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from eventyard.jobs.context import Job
from eventyard.jobs.scraping import listing, rows, urls
from eventyard.jobs.scraping.compare import difference
from eventyard.jobs.scraping.crawl import Crawl, Step
from eventyard.jobs.scraping.fetching import Web
from eventyard.jobs.scraping.options import Options
from eventyard.jobs.scraping.redaction import Redaction
from eventyard.jobs.scraping.turns import LaterError, Turns
from eventyard.jobs.scraping.visiting import Manners, Visit, Visitor

#: So many pages of hosts that allow it are asked for at a time.
AT_ONCE: Final = 8
#: With slow hosts no more are asked for than have their turn within this.
_AHEAD_S: Final = 2.0
#: Rows are kept, and progress told, after so many pages or so long.
_ROWS: Final = 10
_FLUSH_S: Final = 0.5
#: Beyond that a crawl is kept whole; what came since is asked for again after a crash.
_SAVE_S: Final = 5.0
_LOOK_S: Final = 1.0
#: A page that begins to come has so long beyond its time-out.
_MARGIN_S: Final = 20.0


@dataclass(slots=True)
class Crawler:
    """
    Does one job of scraping.

    Pages are asked for side by side and told in their order, so that a crawl meets
    the same pages whatever is faster.
    """

    job: Job
    options: Options
    visitor: Visitor
    crawl: Crawl
    redaction: Redaction | None
    #: Rows of the run before this one, by the addresses of their pages.
    before: Mapping[str, rows.Row] = field(default_factory=dict)
    _fetching: dict[Step, asyncio.Task[Visit]] = field(default_factory=dict)
    _unkept: list[dict[str, Any]] = field(default_factory=list)
    _flushed_at: float = 0.0
    _saved_at: float = 0.0

    async def run(self) -> dict[str, Any]:
        """Return what the crawl came to; raises JobCancelled or JobPaused."""
        self._flushed_at = self._saved_at = time.monotonic()
        try:
            await self._list()
            while self._ask():
                await self._next()
            await self._flush()
        except LaterError as later:
            await self._pause(later.seconds)
        finally:
            await self._stop()
        return await self._result()

    async def _list(self) -> None:
        """Ask for what sitemaps list, where that is what is wanted."""
        if self.options.mode == "sitemap" and self.crawl.lists is None:
            start = self.options.start
            if self.crawl.site is None:
                self.crawl.site = urls.origin(start)
            listed = await listing.pages(self.visitor, self.crawl, start)
            self.crawl.lists = [*listed.read]
            self.crawl.errors.update(listed.errors)
            self.crawl.add(listed.pages)
            await self._save()

    def _ask(self) -> bool:
        """Ask for as many pages as may be; tell whether any is to come."""
        while len(self._fetching) < self._width:
            step = self.crawl.take()
            if step is None:
                break
            self._fetching[step] = asyncio.create_task(self._visit(step))
        return bool(self._fetching)

    @property
    def _width(self) -> int:
        if self.crawl.site is None:
            # Where the start leads is not known, nor what its host allows.
            return 1
        gap = self.visitor.longest_gap_s
        return AT_ONCE if gap <= 0 else min(AT_ONCE, 1 + int(_AHEAD_S / gap))

    async def _visit(self, step: Step) -> Visit:
        known = rows.conditions(self.before.get(step.url), self.options.redact)
        return await self.visitor.visit(step.url, self.crawl.belongs, known)

    async def _next(self) -> None:
        """Take in the page whose turn it is."""
        step, task = next(iter(self._fetching.items()))
        while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
            await self._progress()
        visit = task.result()
        del self._fetching[step]
        row = self._take(step, visit)
        if row is not None:
            self._unkept.append(row)
        await self._keep()

    def _take(self, step: Step, visit: Visit) -> dict[str, Any] | None:
        """Note how a visit ended; return the row that is kept of it, if one is."""
        if visit.unchanged and visit.url in self.before:
            return self._again(step, self.before[visit.url])
        error, page = visit.error, visit.page
        if error is not None or page is None:
            told = replace(visit, error=error or f"HTTP {visit.status}")
            end = self.crawl.skip if visit.barred else self.crawl.failed
            end(step, str(told.error))
            return rows.of_failure(step.url, told, step.depth)
        links = page.links if page.follow else ()
        if not self.crawl.page(step, visit.url, links):
            return None
        return rows.of_page(visit, step.depth, self.redaction)

    def _again(self, step: Step, before: rows.Row) -> dict[str, Any] | None:
        if not self.crawl.page(step, before["key"], before.get("links", ())):
            return None
        return rows.of_unchanged(before, step.depth)

    async def _keep(self) -> None:
        """Keep what came, now and then; pause when little is left of this invocation."""
        now = time.monotonic()
        ending = self.job.seconds_left() < self.options.timeout_s + _MARGIN_S
        if now - self._saved_at >= _SAVE_S or ending:
            await self._flush()
            await self._save()
        elif now - self._flushed_at >= _FLUSH_S or len(self._unkept) >= _ROWS:
            await self._flush()
        if ending:
            await self.job.pause()

    async def _flush(self) -> None:
        unkept, self._unkept = self._unkept, []
        if unkept:
            await self.job.results(unkept)
        self._flushed_at = time.monotonic()
        await self._progress()

    async def _progress(self) -> None:
        crawl = self.crawl
        await self.job.progress(
            crawl.share,
            urls_crawled=len(crawl.crawled),
            urls_failed=len(crawl.errors),
            urls_waiting=len(crawl.waiting) + len(crawl.asked),
        )

    async def _save(self) -> None:
        # Rows first: what a checkpoint has behind it is kept.
        self._saved_at = time.monotonic()
        kept = {"crawl": self.crawl.to_dict(), "hosts": self.visitor.to_dict()}
        await self.job.save(kept)

    async def _pause(self, seconds: float) -> None:
        await self._flush()
        await self._save()
        await self.job.pause(seconds)

    async def _stop(self) -> None:
        tasks = [*self._fetching.values()]
        self._fetching.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def _result(self) -> dict[str, Any]:
        own = await self.job.rows_of(self.job.id)
        told = rows.result(self.crawl, own)
        whole = len(self.crawl.crawled) < self.crawl.max_pages
        before = [self._comparable(row) for row in self.before.values()]
        return {**told, "difference": difference(before, own, whole=whole)}

    def _comparable(self, row: rows.Row) -> rows.Row:
        """Return a row of the last run with contacts as this one keeps them."""
        if row.get("redacted", "none") == self.options.redact:
            return row
        if self.redaction is None or row.get("redacted", "none") != "none":
            # What was hidden cannot be compared with what is not, or otherwise so.
            return {**row, "emails": None, "phones": None}
        return {**row, **rows.people(rows.contacts_in(row), self.redaction)}


def begun(options: Options) -> Crawl:
    """Return a crawl of which nothing is known but its start."""
    crawl = Crawl(
        options.max_pages,
        options.same_origin_only,
        follow=options.mode == "crawl",
    )
    if options.mode == "crawl":
        crawl.add([options.start])
    return crawl


async def crawler(
    job: Job, web: Web, manners: Manners, redaction: Redaction | None
) -> Crawler:
    """Return a crawl at its start, or where its checkpoint left it."""
    options = Options.of(job.data)
    visitor = Visitor(web, manners, Turns(job))
    kept = job.checkpoint
    crawl = Crawl.from_dict(kept["crawl"]) if kept else begun(options)
    if kept:
        visitor.take_up(kept["hosts"])
    other = options.compare_with or job.previous_job_id
    before = await job.rows_of(other) if other else []
    return Crawler(job, options, visitor, crawl, redaction, _by_key(before))


def _by_key(found: Iterable[rows.Row]) -> dict[str, rows.Row]:
    return {row["key"]: row for row in found}
