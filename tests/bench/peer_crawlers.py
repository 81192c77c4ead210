"""What one would crawl with instead: each prints its pages and its seconds as JSON."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from time import perf_counter
from typing import Any
from urllib.parse import urljoin

AT_ONCE = 8
_EMAIL = re.compile(r"[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+")
_HREF = re.compile(r"href=[\"']([^\"'#>\s]+)")


def with_scrapy(start: str) -> dict[str, Any]:
    """Scrapy as it is set up for one site, its delays off; links, title, emails."""
    import scrapy
    from scrapy.crawler import CrawlerProcess
    from scrapy.linkextractors import LinkExtractor

    class Spider(scrapy.Spider):
        name = "bench"
        links = LinkExtractor()

        async def start(self) -> Any:
            yield scrapy.Request(start)

        def parse(self, response: Any) -> Any:
            found.append(response.css("title::text").get())
            text = " ".join(response.css("body *::text").getall())
            yield {"url": response.url, "emails": sorted(set(_EMAIL.findall(text)))}
            for link in self.links.extract_links(response):
                yield scrapy.Request(link.url)

    found: list[str] = []
    process = CrawlerProcess(
        {
            "LOG_ENABLED": False,
            "ROBOTSTXT_OBEY": True,
            "CONCURRENT_REQUESTS_PER_DOMAIN": AT_ONCE,
            "DOWNLOAD_DELAY": 0,
            "TELNETCONSOLE_ENABLED": False,
            # Breadth first, as its documentation says it is done.
            "DEPTH_PRIORITY": 1,
            "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleFifoDiskQueue",
            "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
        }
    )
    process.crawl(Spider)
    began = perf_counter()
    process.start()
    return {"pages": len(found), "seconds": perf_counter() - began}


def with_aiohttp(start: str) -> dict[str, Any]:
    """The loop that everybody writes first: aiohttp, two regular expressions."""
    began = perf_counter()
    pages = asyncio.run(_loop(start))
    return {"pages": pages, "seconds": perf_counter() - began}


async def _loop(start: str) -> int:
    import aiohttp

    met, kept = {start}, {}
    async with aiohttp.ClientSession() as session:
        queue: asyncio.Queue[str] = asyncio.Queue()
        queue.put_nowait(start)

        async def work() -> None:
            while True:
                url = await queue.get()
                async with session.get(url) as answer:
                    text = await answer.text()
                kept[url] = sorted(set(_EMAIL.findall(text)))
                for href in _HREF.findall(text):
                    link = urljoin(url, href)
                    if link.startswith(start) and link not in met:
                        met.add(link)
                        queue.put_nowait(link)
                queue.task_done()

        workers = [asyncio.create_task(work()) for _ in range(AT_ONCE)]
        await queue.join()
        for worker in workers:
            worker.cancel()
    return len(kept)


def with_ours(start: str, way: str) -> dict[str, Any]:
    """The scraper, over one of its ways of asking; all that it keeps is kept."""
    from chalicelib.jobs.fetch import ThreadedWeb
    from chalicelib.outbound import Guard
    from eventyard.core.addresses import Allowances
    from eventyard.jobs import MemoryJob, ScraperService, perform
    from eventyard.jobs.scraping.service import Setup
    from eventyard.jobs.web import AiohttpWeb

    guard = Guard("127.0.0.1")
    web = {
        "aiohttp": lambda: AiohttpWeb(Allowances("127.0.0.1")),
        "urllib3": lambda: ThreadedWeb(guard),
    }[way]
    service = ScraperService(setup=Setup(web, guard, gap_s=0))
    began = perf_counter()
    job = MemoryJob({})
    asked = {"url": start, "max_pages": 1_000}
    result = asyncio.run(perform(service, asked, job))
    return {"pages": result["pages"], "seconds": perf_counter() - began}


if __name__ == "__main__":
    _, crawler, address = sys.argv
    told = {
        "scrapy": with_scrapy,
        "aiohttp": with_aiohttp,
        "ours-aiohttp": lambda start: with_ours(start, "aiohttp"),
        "ours-urllib3": lambda start: with_ours(start, "urllib3"),
    }[crawler](address)
    print(json.dumps(told))
