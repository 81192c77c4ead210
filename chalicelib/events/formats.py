"""Events as text that leaves the platform: JSON, JSON Lines, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.core.wire import dumps

COLUMNS: Final = (
    "id",
    "type",
    "timestamp",
    "source",
    "priority",
    "target",
    "correlation_id",
    "causation_id",
    "payload",
    "attributes",
)
#: What a spreadsheet begins a formula with; and the apostrophe that says it is none,
#: so that taking one away always gives back what was there.
_MARKED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d")
_GUARDED: Final = (*_MARKED, "\uff20", "'")


@dataclass(frozen=True, slots=True)
class Format:
    """How events are written: each as a row, and the rows as one text."""

    name: str
    media: str
    #: Writes one event.
    row: Callable[[Event], str]
    #: Puts rows together; `first` when nothing of the same export stands before them.
    join: Callable[[Sequence[str], bool], str]


def _json_line(event: Event) -> str:
    return event.to_json() + "\n"


def _cells(event: Event) -> str:
    fields = event.to_dict()
    made = {
        **fields,
        "payload": dumps(event.payload),
        "attributes": dumps(event.attributes),
    }
    return csv_row([cell(made.get(name)) for name in COLUMNS])


def cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_GUARDED) else text


def csv_row(cells: Sequence[str]) -> str:
    """Write cells as a line of CSV."""
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _json_array(rows: Sequence[str], _: bool) -> str:  # noqa: FBT001 - as `join` is
    return "[" + ",".join(rows) + "]"


def _lines(rows: Sequence[str], _: bool) -> str:  # noqa: FBT001 - as `join` is
    return "".join(rows)


def _with_header(rows: Sequence[str], first: bool) -> str:  # noqa: FBT001 - as `join` is
    return (csv_row(COLUMNS) if first else "") + "".join(rows)


FORMATS: Final[Mapping[str, Format]] = {
    one.name: one
    for one in (
        Format("json", "application/json", Event.to_json, _json_array),
        Format("jsonl", "application/x-ndjson", _json_line, _lines),
        Format("csv", "text/csv", _cells, _with_header),
    )
}
