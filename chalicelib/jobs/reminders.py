"""What the agenda is to do for a job, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib.aws import Item
from chalicelib.jobs.model import JobRow
from chalicelib.table import Put

AGENDA: Final = "job"
#: Returns the agenda's row for a moment: kind, name, milliseconds, ref.
Later = Callable[[str, str, int, Item], Item]


def of_due(row: JobRow, later: Later) -> list[Put]:
    """Return what makes a job ready when it has waited."""
    return _reminder(row, "retry", row.due, later)


def of_expiry(row: JobRow, later: Later) -> list[Put]:
    """Return what ends a job that nobody begins in time."""
    return _reminder(row, "expiry", row.expires, later)


def _reminder(row: JobRow, what: str, at: float | None, later: Later) -> list[Put]:
    if at is None:
        return []
    ref = {"job": row.id, "what": what}
    return [Put(later(AGENDA, f"{row.id}#{what}", int(at * 1000), ref))]
