"""
Moments and durations.

Moments are aware UTC datetimes inside and ISO 8601 text with a Z outside; durations
are timedeltas inside, and a whole number with its unit outside, such as `90s`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_MILLISECOND = 1000
_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def read(value: datetime | str) -> datetime:
    """
    Read a moment into UTC, taking one without a zone for UTC.

    Raises ValueError for text that is no moment, or one outside the years 1-9999.
    """
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(str(exc)) from exc


def write(moment: datetime) -> str:
    """Write a UTC moment to the microsecond, or the millisecond when that is exact."""
    exact = moment.microsecond % _MILLISECOND == 0
    text = moment.isoformat(timespec="milliseconds" if exact else "microseconds")
    return text.removesuffix("+00:00") + "Z"


def at(seconds: float) -> str:
    """Write the moment of a Unix time."""
    return write(datetime.fromtimestamp(seconds, UTC))


def duration(text: str) -> timedelta:
    """
    Read a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`.

    Raises ValueError for text that is none, or one longer than a timedelta holds.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"not a duration such as 500ms, 90s or 30d: {text!r:.40}")
    try:
        return int(found[1]) * _UNITS[found[2]]
    except OverflowError as exc:
        raise ValueError(str(exc)) from exc
