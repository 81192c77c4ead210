"""What a scrape may be asked for, and what is wrong with what was asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self, cast

from eventyard.jobs.scraping import urls
from eventyard.jobs.scraping.redaction import Mode

MOST_PAGES: Final = 1_000
LONGEST_TIMEOUT_S: Final = 300
LONGEST_DELAY_S: Final = 60
LONGEST_KEPT_DAYS: Final = 365
#: Rows of a run are kept an hour at least, or nobody would ever see them.
_SHORTEST_KEPT_DAYS: Final = 1 / 24
_LONGEST_ID: Final = 64
_MODES: Final = ("crawl", "sitemap")
_REDACTIONS: Final = ("none", "mask", "hash")


@dataclass(frozen=True, slots=True)
class Options:
    """What is scraped, and how."""

    url: str
    #: Pages that were read; failures do not count.
    max_pages: int = 10
    #: Of one request.
    timeout_s: float = 10
    same_origin_only: bool = True
    #: `crawl` follows links; `sitemap` asks for what the site's sitemaps list.
    mode: Literal["crawl", "sitemap"] = "crawl"
    #: How far apart requests to a host are, where that is more than is usual.
    delay_s: float = 0
    #: What is done to emails and phones before they are kept.
    redact: Literal["none"] | Mode = "none"
    #: How long the job and its rows are kept; None: as long as all.
    retention_days: float | None = None
    #: A job to compare with; None: the one that this one repeats, if it does.
    compare_with: str | None = None

    @classmethod
    def of(cls, job_data: Mapping[str, Any]) -> Self:
        """Return the options of a job that is valid."""
        names = (one.name for one in fields(cls))
        return cls(**{name: job_data[name] for name in names if name in job_data})

    @property
    def start(self) -> str:
        """Return the canonical address of the start."""
        return cast("str", urls.canonical(self.url))


def problem(job_data: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a job; None: nothing is."""
    wrong = (check(job_data.get(name)) for name, check in _CHECKS.items())
    return next(filter(None, wrong), None)


def _url(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return "url is required: where to begin, such as https://example.com/"
    if not value.lower().startswith(("http://", "https://")):
        return "url must begin with http:// or https://"
    if urls.canonical(value) is None:
        return (
            "url leads to no page: it needs a host, no user name, and at most "
            f"{urls.MOST_URL} characters"
        )
    return None


def _max_pages(value: Any) -> str | None:
    if type(value) is not int or not 1 <= value <= MOST_PAGES:
        return f"max_pages must be a whole number from 1 to {MOST_PAGES}"
    return None


def _timeout(value: Any) -> str | None:
    if not _is_between(value, 1, LONGEST_TIMEOUT_S):
        return f"timeout_s must be a number from 1 to {LONGEST_TIMEOUT_S}"
    return None


def _same_origin(value: Any) -> str | None:
    return None if type(value) is bool else "same_origin_only must be true or false"


def _mode(value: Any) -> str | None:
    return None if value in _MODES else f"mode must be one of {', '.join(_MODES)}"


def _delay(value: Any) -> str | None:
    if not _is_between(value, 0, LONGEST_DELAY_S):
        return f"delay_s must be a number from 0 to {LONGEST_DELAY_S}"
    return None


def _redact(value: Any) -> str | None:
    known = ", ".join(_REDACTIONS)
    return None if value in _REDACTIONS else f"redact must be one of {known}"


def _retention(value: Any) -> str | None:
    between = _is_between(value, _SHORTEST_KEPT_DAYS, LONGEST_KEPT_DAYS)
    if value is not None and not between:
        return f"retention_days must be a number from 1/24 to {LONGEST_KEPT_DAYS}"
    return None


def _compare_with(value: Any) -> str | None:
    if value is not None and (
        not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID
    ):
        return "compare_with must be the id of a job"
    return None


def _is_between(value: Any, low: float, high: float) -> bool:
    number = type(value) in (int, float) and math.isfinite(value)
    return number and low <= value <= high


_CHECKS: Final = {
    "url": _url,
    "max_pages": _max_pages,
    "timeout_s": _timeout,
    "same_origin_only": _same_origin,
    "mode": _mode,
    "delay_s": _delay,
    "redact": _redact,
    "retention_days": _retention,
    "compare_with": _compare_with,
}
DEFAULTS: Final[Mapping[str, Any]] = {
    one.name: one.default for one in fields(Options) if one.name != "url"
}
