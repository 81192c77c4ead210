"""A crawl as it stands: what was met, what is next, what came of it. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from eventyard.jobs.scraping import urls
from eventyard.jobs.scraping.urls import Origin

#: So many times the pages that are wanted may be met: more is not looked at.
_MOST_MET: Final = 3


class Step(NamedTuple):
    """A page to ask for, and how many links from the start it is."""

    url: str
    depth: int


@dataclass(slots=True)
class Crawl:
    """
    Breadth first: pages in the order in which they are met.

    The site is where the start leads, after its redirects. Pages that were crawled
    count for `max_pages`, failures do not. What is asked for and not told yet is
    kept, so that a crawl taken up again asks for it once more.
    """

    max_pages: int
    same_origin_only: bool = True
    #: Whether links are followed; else pages come from lists alone.
    follow: bool = True
    site: Origin | None = None
    waiting: deque[Step] = field(default_factory=deque)
    asked: list[Step] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    crawled: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    #: The lists of pages that were read; None: none was asked for yet.
    lists: list[str] | None = None

    def add(self, found: Iterable[str], depth: int = 0) -> None:
        """Note addresses that were met, as far as they belong to the crawl."""
        for url in found:
            if len(self.met) >= _MOST_MET * self.max_pages:
                return
            if self.belongs(url):
                spelled = urls.upgraded(url, self.site) if self.site else url
                if spelled not in self.met:
                    self.met.add(spelled)
                    self.waiting.append(Step(spelled, depth))

    def belongs(self, url: str) -> bool:
        """Tell whether an address is part of the crawl."""
        if self.site is None or not self.same_origin_only:
            return True
        return urls.is_within(urls.upgraded(url, self.site), self.site)

    def take(self) -> Step | None:
        """Return the next page to ask for; None when nothing is to be asked now."""
        if not self.waiting or len(self.crawled) + len(self.asked) >= self.max_pages:
            return None
        step = self.waiting.popleft()
        self.asked.append(step)
        return step

    def give_back(self) -> None:
        """Put what was asked for and not told back to where it was."""
        self.waiting.extendleft(reversed(self.asked))
        self.asked.clear()

    def page(self, step: Step, url: str, links: Iterable[str]) -> bool:
        """
        Note a page that came, from wherever redirects led; tell whether it is new.

        Links beyond it are met, a step further from the start.
        """
        self.asked.remove(step)
        if self.site is None:
            self.site = urls.origin(url)
        if url != step.url and url in self.met:
            # It was met by its own name: there it is crawled, or was.
            return False
        self.met.add(url)
        self.crawled.append(url)
        if self.follow:
            self.add(links, step.depth + 1)
        return True

    def failed(self, step: Step, error: str) -> None:
        """Note that a page did not come."""
        self.asked.remove(step)
        self.errors[step.url] = error

    def skip(self, step: Step, reason: str) -> None:
        """Note that a page was not to be asked for, or kept."""
        self.failed(step, reason)
        self.skipped += 1

    @property
    def share(self) -> float:
        """Return how many of the pages that are wanted were crawled, from 0 to 1."""
        return min(len(self.crawled) / self.max_pages, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON; what was asked for comes first again."""
        return {
            "max_pages": self.max_pages,
            "same_origin_only": self.same_origin_only,
            "follow": self.follow,
            "site": list(self.site) if self.site else None,
            "waiting": [list(step) for step in (*self.asked, *self.waiting)],
            "met": sorted(self.met),
            "crawled": self.crawled,
            "errors": self.errors,
            "skipped": self.skipped,
            "lists": self.lists,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Return the crawl that was kept."""
        site = kept["site"]
        return cls(
            kept["max_pages"],
            kept["same_origin_only"],
            kept["follow"],
            Origin(*site) if site else None,
            deque(Step(*step) for step in kept["waiting"]),
            met=set(kept["met"]),
            crawled=list(kept["crawled"]),
            errors=dict(kept["errors"]),
            skipped=kept["skipped"],
            lists=kept["lists"],
        )
