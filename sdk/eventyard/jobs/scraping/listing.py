"""The pages that a site lists in its sitemaps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from eventyard.jobs.scraping import sitemaps, urls
from eventyard.jobs.scraping.crawl import Crawl
from eventyard.jobs.scraping.fetching import FetchError
from eventyard.jobs.scraping.visiting import Visitor, unpacked

#: Indexes list sitemaps, which may be indexes: no more than this are read.
MOST_SITEMAPS: Final = 50
_MOST_REDIRECTS: Final = 5
#: What comes packed may be larger than what comes.
_MOST_BYTES: Final = 10_000_000
_ENDINGS: Final = (".xml", ".xml.gz", ".txt", ".txt.gz")
_OK: Final = 200


@dataclass(slots=True)
class Listed:
    """What was found in sitemaps, and what is wrong with some."""

    pages: dict[str, None] = field(default_factory=dict)
    read: dict[str, None] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


async def pages(visitor: Visitor, crawl: Crawl, start: str) -> Listed:
    """
    Return what is listed by a sitemap, or by those that the site of a page names.

    Raises LaterError.
    """
    found = Listed()
    waiting = deque(await _sitemaps(visitor, start))
    wanted = crawl.max_pages * 3
    while waiting and len(found.read) < MOST_SITEMAPS and len(found.pages) < wanted:
        url = waiting.popleft()
        if url in found.read:
            continue
        found.read[url] = None
        try:
            listed = await _read(visitor, url)
        except FetchError as error:
            found.errors[url] = error.message
            continue
        if listed.error:
            found.errors[url] = listed.error
        found.pages |= dict.fromkeys(filter(crawl.belongs, listed.pages))
        waiting.extend(listed.sitemaps)
    return found


async def _sitemaps(visitor: Visitor, start: str) -> list[str]:
    if start.partition("?")[0].endswith(_ENDINGS):
        return [start]
    named = (await visitor.robots(start)).sitemaps
    usual = urls.join(start, "/sitemap.xml")
    return named or [usual or start]


async def _read(visitor: Visitor, url: str) -> sitemaps.Sitemap:
    for _ in range(_MOST_REDIRECTS + 1):
        if not (await visitor.robots(url)).allows(url):
            raise FetchError("robots.txt forbids it")
        limits = visitor.manners.limits(_MOST_BYTES)
        got = await visitor.ask(url, limits, lambda status, _: status == _OK)
        if got.status not in (301, 302, 303, 307, 308):
            break
        url = urls.join(url, got.headers.get("location", "")) or ""
        if not url:
            raise FetchError("a redirect to nothing")
    if got.status != _OK:
        raise FetchError(f"HTTP {got.status}")
    return sitemaps.read(unpacked(got, sitemaps.MOST_BYTES), url)
