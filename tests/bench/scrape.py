"""How fast a site is crawled and a page is read, beside what one would take instead."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import process_time
from typing import Any

from eventyard.jobs.scraping import contacts, html

_ROUNDS = 5
_CRAWLERS = {
    "ours-aiohttp": "eventyard, aiohttp",
    "ours-urllib3": "eventyard, urllib3 (as the platform)",
    "scrapy": "scrapy",
    "aiohttp": "plain aiohttp loop, no rules",
}
_EMAIL = re.compile(r"[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z]{2,}")


def measure() -> dict[str, Any]:
    return {**_crawls(), **_extraction()}


def _crawls() -> dict[str, Any]:
    """Pages a second, one crawler after the other in each round."""
    rates: dict[str, list[float]] = {name: [] for name in _CRAWLERS}
    pages: dict[str, int] = {}
    with _site() as start:
        for _ in range(_ROUNDS):
            for name in _CRAWLERS:
                told = _run(name, start)
                rates[name].append(told["pages"] / told["seconds"])
                pages[name] = told["pages"]
    if len(set(pages.values())) != 1:
        raise RuntimeError(f"They did not crawl the same pages: {pages}")
    figures: dict[str, Any] = {"pages of the site": pages["scrapy"]}
    best = {name: median(found) for name, found in rates.items()}
    for name, told in _CRAWLERS.items():
        figures[f"{told}: pages/s"] = float(round(best[name]))
    for peer in ("scrapy", "aiohttp"):
        ratio = best["ours-aiohttp"] / best[peer]
        figures[f"ours against {_CRAWLERS[peer]}"] = round(ratio, 2)
    return figures


@contextmanager
def _site() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.bench.peer_site"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def _run(crawler: str, start: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.peer_crawlers", crawler, start]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _extraction() -> dict[str, Any]:
    """Milliseconds for one page of 200 KB: links, visible text, emails."""
    page = _large_page()
    ours = _best(lambda: _ours(page))
    soup = _best(lambda: _soup(page, "html.parser"), 3)
    lxml = _best(lambda: _soup(page, "lxml"), 3)
    if _ours(page) != _soup(page, "html.parser"):
        raise RuntimeError("They did not find the same.")
    return {
        "a page of, KB": float(round(len(page) / 1_000)),
        "eventyard reads it in, ms": round(ours * 1_000, 2),
        "BeautifulSoup, html.parser, ms": round(soup * 1_000, 2),
        "BeautifulSoup, lxml, ms": round(lxml * 1_000, 2),
        "ours against BeautifulSoup with lxml": round(lxml / ours, 1),
    }


def _large_page() -> bytes:
    """Return what shops and wikis look like: a table, a link in each row."""
    rows = "".join(
        f'<tr class="row {n % 2}"><td><a href="/item/{n}?from=list&amp;page=2#top">'
        f"<b>Item {n}</b></a></td><td><span class=price>{n},99 EUR</span></td><td>"
        f"<p>Some words about the item, as they are written, and <i>more</i> of them, "
        f"by <a href='mailto:seller{n % 176}@example.com'>seller {n % 176}</a></p></td>"
        f"<td>since 2024-01-{n % 28 + 1:02}</td></tr>\n"
        for n in range(600)
    )
    return f"<html><head><title>x</title></head><body><table>{rows}</table>".encode()


def _ours(page: bytes) -> tuple[int, int]:
    read = html.read(page, "https://example.com/")
    found = contacts.find(read.text, read.contacts)
    return read.links_count, len(found.emails)


def _soup(page: bytes, parser: str) -> tuple[int, int]:
    from urllib.parse import urljoin

    from bs4 import BeautifulSoup

    soup = BeautifulSoup(page, parser)
    found = [str(a["href"]) for a in soup.find_all("a", href=True)]
    web = (one for one in found if not one.startswith("mailto:"))
    links = {urljoin("https://example.com/", one).partition("#")[0] for one in web}
    for unseen in soup(["script", "style", "head"]):
        unseen.decompose()
    emails = set(_EMAIL.findall(soup.get_text(" ").lower()))
    emails |= {one[7:].lower() for one in found if one.startswith("mailto:")}
    return len(links), len(emails)


def _best(act: Callable[[], object], rounds: int = 10) -> float:
    return min(_timed(act) for _ in range(rounds))


def _timed(act: Callable[[], object]) -> float:
    began = process_time()
    act()
    return process_time() - began
