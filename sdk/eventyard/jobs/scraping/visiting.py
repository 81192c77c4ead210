"""A visit to a page: as its host allows, through redirects, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from eventyard.jobs.scraping import html, robots, urls
from eventyard.jobs.scraping.fetching import (
    ACCEPTED,
    Fetched,
    FetchError,
    Limits,
    Wanted,
    Web,
)
from eventyard.jobs.scraping.html import Page
from eventyard.jobs.scraping.robots import Robots
from eventyard.jobs.scraping.turns import MOST_PATIENCE_S, Turns, retry_after_s
from eventyard.jobs.scraping.unpacking import unpack

MOST_REDIRECTS: Final = 10
_ROBOTS_REDIRECTS: Final = 5
_TRIES: Final = 3
#: Whoever refuses so often in a row is not waited for any more.
_MOST_REFUSALS: Final = 6
_OK: Final = 200
_UNCHANGED: Final = 304
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Another try may be answered otherwise.
_PASSING: Final = frozenset({429, 502, 503, 504})
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml", ""})
#: Rules of so many hosts are kept when a crawl is, none larger than this.
_KEPT_HOSTS: Final = 50
_KEPT_BYTES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Visit:
    """How a visit ended."""

    #: Where it ended, after redirects.
    url: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    page: Page | None = None
    error: str | None = None
    #: Its host, or the page itself, asks robots to stay away.
    barred: bool = False

    @property
    def unchanged(self) -> bool:
        """Tell whether the page is as it was when it was last asked for."""
        return self.status == _UNCHANGED


@dataclass(frozen=True, slots=True)
class Manners:
    """By what name, how often and how much is asked for."""

    agent: str
    #: How far apart requests to a host are at least, in seconds.
    gap_s: float
    timeout_s: float
    most_bytes: int = html.MOST_BYTES

    @property
    def product(self) -> str:
        """Return by what name hosts address this robot."""
        return robots.product(self.agent)

    def limits(self, most_bytes: int | None = None) -> Limits:
        """Return the limits of one request."""
        return Limits(self.timeout_s, most_bytes or self.most_bytes)


@dataclass(slots=True)
class Visitor:
    """Visits pages; what it knows of their hosts is kept between visits."""

    web: Web
    manners: Manners
    turns: Turns
    #: The rules of each place, once they were asked for.
    rules: dict[str, Robots] = field(default_factory=dict)
    #: How often in a row each place asked to be left alone.
    refusals: dict[str, int] = field(default_factory=dict)
    _asking: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def visit(
        self,
        url: str,
        belongs: Callable[[str], bool],
        known: Mapping[str, str] | None = None,
    ) -> Visit:
        """
        Ask for a page; `known` are headers by which a server tells that it is the same.

        Raises LaterError where its host is to be asked much later.
        """
        try:
            return await self._follow(url, belongs, known or {})
        except FetchError as error:
            return Visit(url, error=error.message)

    async def _follow(
        self, url: str, belongs: Callable[[str], bool], known: Mapping[str, str]
    ) -> Visit:
        been: list[str] = []
        while len(been) <= MOST_REDIRECTS:
            rules = await self.robots(url)
            if not rules.allows(url):
                told = rules.unreachable or "robots.txt forbids it"
                return Visit(url, error=told, barred=True)
            been.append(url)
            got = await self.ask(url, self.manners.limits(), _is_page, known)
            if got.status not in _REDIRECTS:
                return self._read(url, got)
            url = _target(url, got)
            if url in been:
                raise FetchError(f"HTTP {got.status}: a redirect in a circle")
            if not belongs(url):
                raise FetchError(f"HTTP {got.status}: it leads off the site, to {url}")
        raise FetchError(f"more than {MOST_REDIRECTS} redirects")

    def _read(self, url: str, got: Fetched) -> Visit:
        if got.status == _UNCHANGED:
            return Visit(url, got.status, got.headers)
        if not _is_page(got.status, got.headers):
            return Visit(url, got.status, got.headers, error=_refusal(got))
        body = unpacked(got, self.manners.most_bytes)
        page = html.read(body, url, got.headers, agent=self.manners.product)
        if not page.index:
            told = "it asks not to be kept (noindex)"
            return Visit(url, got.status, got.headers, page, told, barred=True)
        return Visit(url, got.status, got.headers, page)

    async def robots(self, url: str) -> Robots:
        """Return the rules of a host; they are asked for once."""
        place = _place(url)
        async with self._asking.setdefault(place, asyncio.Lock()):
            if place not in self.rules:
                self.rules[place] = await self._robots(f"{place}/robots.txt")
        return self.rules[place]

    async def _robots(self, url: str) -> Robots:
        agent = self.manners.agent
        try:
            for _ in range(_ROBOTS_REDIRECTS + 1):
                got = await self.ask(url, self._robots_limits, _is_good)
                if got.status not in _REDIRECTS:
                    body = unpacked(got, robots.MOST_BYTES * 4)
                    return robots.answered(agent, got.status, body)
                url = _target(url, got)
        except FetchError as error:
            return robots.unanswered(agent, error.message)
        # As if there were none, says RFC 9309.
        return robots.answered(agent, 404, b"")

    @property
    def _robots_limits(self) -> Limits:
        return self.manners.limits(robots.MOST_BYTES * 2)

    async def ask(
        self,
        url: str,
        limits: Limits,
        wanted: Wanted,
        known: Mapping[str, str] | None = None,
    ) -> Fetched:
        """
        Ask when it is our turn, and again where that may help.

        Raises FetchError, or LaterError.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                got = await self._once(url, limits, wanted, known or {})
            except FetchError as error:
                if not error.retryable or attempt == _TRIES:
                    raise
                wait: float | None = None
            else:
                wait = self._patience_s(url, got)
                if got.status not in _PASSING or attempt == _TRIES or wait is None:
                    return got
            await self.turns.leave_alone(_place(url), wait or 2.0 ** (attempt - 1))
        raise FetchError("no answer")

    async def _once(
        self, url: str, limits: Limits, wanted: Wanted, known: Mapping[str, str]
    ) -> Fetched:
        await self.turns.wait(_place(url), self.gap_s(url))
        headers = {"user-agent": self.manners.agent, "accept-encoding": ACCEPTED}
        return await self.web.get(url, {**headers, **known}, limits, wanted)

    def _patience_s(self, url: str, got: Fetched) -> float | None:
        """Return how long a host is to be left alone; None: it is given up."""
        place = _place(url)
        if got.status not in _PASSING:
            self.refusals.pop(place, None)
            return 0.0
        self.refusals[place] = self.refusals.get(place, 0) + 1
        told = retry_after_s(got.headers, self.turns.clock()) or 0.0
        patient = self.refusals[place] <= _MOST_REFUSALS and told <= MOST_PATIENCE_S
        return told if patient else None

    def gap_s(self, url: str) -> float:
        """Return how far apart requests to the host of an address are to be."""
        rules = self.rules.get(_place(url))
        return max(self.manners.gap_s, rules.delay_s if rules else 0.0)

    @property
    def longest_gap_s(self) -> float:
        """Return what the slowest of the hosts wishes."""
        wished = (rules.delay_s for rules in self.rules.values())
        return max(self.manners.gap_s, *wished, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return what is known of hosts, as JSON; what is large is asked for again."""
        small = {
            place: rules.to_dict()
            for place, rules in [*self.rules.items()][-_KEPT_HOSTS:]
            if len(rules.text) <= _KEPT_BYTES
        }
        return {"rules": small, "turns": self.turns.taken, "refusals": self.refusals}

    def take_up(self, kept: Mapping[str, Any]) -> Self:
        """Know what was kept."""
        for place, rules in kept["rules"].items():
            self.rules[place] = Robots.from_dict(rules)
        self.turns.taken.update(kept["turns"])
        self.refusals.update(kept["refusals"])
        return self


def unpacked(got: Fetched, most: int) -> bytes:
    """Return the body of an answer as it was before it was packed."""
    return unpack(got.body, got.headers.get("content-encoding", ""), most)


def _place(url: str) -> str:
    return f"{urls.origin(url).scheme}://{urls.place(url)}"


def _target(url: str, got: Fetched) -> str:
    found = urls.join(url, got.headers.get("location", ""))
    if found is None or not got.headers.get("location"):
        raise FetchError(f"HTTP {got.status}: a redirect to no page")
    return found


def _is_good(status: int, _: Mapping[str, str]) -> bool:
    return status == _OK


def _is_page(status: int, headers: Mapping[str, str]) -> bool:
    return status == _OK and _kind(headers) in _PAGES


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _refusal(got: Fetched) -> str:
    if got.status != _OK:
        return f"HTTP {got.status}"
    return f"HTTP {got.status} / type {_kind(got.headers)[:80]}"
