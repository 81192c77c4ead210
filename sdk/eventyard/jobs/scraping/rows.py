"""What is kept of a page, and what a scrape came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from eventyard.core import moments
from eventyard.core.wire import dumps
from eventyard.jobs.scraping import contacts
from eventyard.jobs.scraping.contacts import Contacts
from eventyard.jobs.scraping.crawl import Crawl
from eventyard.jobs.scraping.html import Page
from eventyard.jobs.scraping.redaction import Redaction
from eventyard.jobs.scraping.visiting import Visit

#: A page with more links is asked for as a whole the next time.
MOST_LINKS: Final = 1_000
#: What the result holds of contacts; the rows have all.
_MOST_RESULT: Final = 2_000_000
_VALIDATORS: Final = {"etag": "etag", "last_modified": "last-modified"}
_LONGEST_VALIDATOR: Final = 512
Row = Mapping[str, Any]


def of_page(visit: Visit, depth: int, redaction: Redaction | None) -> dict[str, Any]:
    """Return the row of a page that was read."""
    page = visit.page
    if page is None:
        raise ValueError("there is no page to keep")
    found = contacts.find(page.text, page.contacts)
    told: dict[str, Any] = {
        "title": page.title,
        "description": page.description,
        "json_ld": page.json_ld,
        "open_graph": page.open_graph,
    }
    if redaction is not None:
        told = redaction.value(told)
    return {
        **_common(visit.url, depth, visit.status, None),
        **told,
        **people(found, redaction),
        "redacted": redaction.mode if redaction else "none",
        "links_count": page.links_count,
        "links": list(page.links) if len(page.links) <= MOST_LINKS else [],
        "hash": page.hash,
        **_validators(visit.headers, page),
    }


def of_unchanged(before: Row, depth: int) -> dict[str, Any]:
    """Return the row of a page that is as it was."""
    return {**before, **_common(before["key"], depth, before["status"], None)}


def of_failure(url: str, visit: Visit, depth: int) -> dict[str, Any]:
    """Return the row of a page that was not read."""
    nothing: dict[str, Any] = {
        "title": None,
        "description": None,
        "json_ld": [],
        "open_graph": {},
    }
    return {
        **_common(url, depth, visit.status, visit.error),
        **nothing,
        **people(Contacts(), None),
        "links_count": 0,
    }


def _common(
    url: str, depth: int, status: int | None, error: str | None
) -> dict[str, Any]:
    return {
        "key": url,
        "url": url,
        "crawled_at": moments.write(datetime.now(UTC)),
        "status": status,
        "depth": depth,
        "error": error,
    }


def people(found: Contacts, redaction: Redaction | None) -> dict[str, Any]:
    """Return contacts as a row has them."""
    shown = found if redaction is None else redaction.contacts(found)
    return {"emails": list(shown.emails), "phones": list(shown.phones)}


def contacts_in(row: Row) -> Contacts:
    """Return the contacts that a row has."""
    return Contacts(tuple(row.get("emails") or ()), tuple(row.get("phones") or ()))


def _validators(headers: Mapping[str, str], page: Page) -> dict[str, str]:
    # Of a page whose links are not all known, "not modified" would say too little.
    if len(page.links) > MOST_LINKS or page.cut:
        return {}
    found = {name: headers.get(header, "") for name, header in _VALIDATORS.items()}
    return {k: v for k, v in found.items() if 0 < len(v) <= _LONGEST_VALIDATOR}


def conditions(before: Row | None, redact: str) -> dict[str, str]:
    """Return the headers by which a server tells whether a page is as it was."""
    # What was kept in clear must not come back where it is to be masked.
    if before is None or before.get("redacted") != redact:
        return {}
    asked = {"etag": "if-none-match", "last_modified": "if-modified-since"}
    return {asked[name]: before[name] for name in asked if before.get(name)}


def result(crawl: Crawl, own: Iterable[Row]) -> dict[str, Any]:
    """Return what a scrape came to; contacts as far as they have room."""
    known = {row["key"]: row for row in own}
    people, left = {}, _MOST_RESULT
    for url in crawl.crawled:
        one = _contacts_of(known.get(url, {}))
        left -= len(dumps([url, one]))
        if left < 0:
            break
        people[url] = one
    return {
        "success": True,
        "crawled": crawl.crawled,
        "pii_by_url": people,
        "pii_truncated": len(people) < len(crawl.crawled),
        "errors": crawl.errors,
        "pages": len(crawl.crawled),
        "skipped_by_robots": crawl.skipped,
    }


def _contacts_of(row: Row) -> dict[str, Sequence[str]]:
    return {"emails": row.get("emails", []), "phones": row.get("phones", [])}
