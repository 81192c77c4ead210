"""Moments in time: aware UTC datetimes inside, ISO 8601 text with a Z outside."""

from __future__ import annotations

from datetime import UTC, datetime

_MILLISECOND = 1000


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
