"""`/api/v1/export`, `/api/v1/exports`, `/api/v1/purge`: take events out; delete them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._parameters import (
    CURSOR,
    FILTER,
    SINCE,
    TOPICS,
    UNTIL,
    Parameter,
    limit,
)
from chalicelib.api._wanted import wanted_by
from eventyard.core import moments
from eventyard.core.errors import InvalidRequestError
from eventyard.core.ulid import is_ulid
from eventyard.core.wire import dumps

if TYPE_CHECKING:
    from chalicelib.events.export import Batch
    from chalicelib.events.formats import Format

READ: Final = "events:subscribe"
ADMIN: Final = "admin"
#: Where the cursor of a page stands that is no JSON.
CURSOR_HEADER: Final = "Eventyard-Cursor"

routes = Routes(__name__)
_EXPORTS: Final = "/api/v1/exports"
_FORMAT: Final = Parameter(
    "format",
    "How the events are written.",
    default="json",
    choices=("json", "jsonl", "csv"),
)
_EVENTS: Final = limit(1_000, highest=1_000)
_LIMIT: Final = limit(50, highest=200)
_PARTS: Final = limit(1_000, highest=1_000)
_PLACE: Final = replace(CURSOR, pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")


@routes.get(
    "/api/v1/export",
    scope=READ,
    query=(_FORMAT, TOPICS, FILTER, SINCE, UNTIL, _EVENTS, _PLACE),
    answer="archive.ExportPage",
    media=("application/json", "application/x-ndjson", "text/csv"),
)
def export(call: Call) -> Response:
    """
    Read the log out, oldest first, a page at a time.

    A page has up to `limit` events and 4 MB. Whoever follows the cursors gets each
    event once, also while new ones come: without `until` the export ends ten seconds
    ago, since events may still appear behind later ones until then; with it there, at
    what is there now. `jsonl` and `csv` carry the cursor in the header
    `Eventyard-Cursor`, which the last page lacks; the first page of `csv` has a header
    line. Cells that a spreadsheet would take for a formula, or that begin with an
    apostrophe, have an apostrophe before them. An event of over 5.9 MB as an answer
    comes without its payload, with its `dataref`.
    """
    from chalicelib.events.export import page_bounds
    from chalicelib.events.formats import FORMATS

    cursor = call.take(_PLACE)
    if cursor is not None and not is_ulid(cursor):
        raise InvalidRequestError("cursor must be one that a page brought.")
    form = FORMATS[call.take(_FORMAT)]
    first, last = _stretch(call, call.take(SINCE), call.take(UNTIL))
    batch = call.platform.exporter.read(
        (max(first, cursor or first), last),
        wanted_by(call),
        form,
        page_bounds(call.take(_EVENTS)),
    )
    return _page(form, batch, first=cursor is None)


def _stretch(
    call: Call, since: datetime | None, until: datetime | None
) -> tuple[str, str]:
    return call.platform.exporter.stretch(
        _milliseconds(since) if since else 0,
        _milliseconds(until) if until else None,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _page(form: Format, batch: Batch, *, first: bool) -> Response:
    cursor = batch.end if batch.more else None
    text = form.join(batch.rows, first)
    headers: dict[str, str | list[str]] = {
        "Content-Type": f"{form.media}; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if form.name == "json":
        headers["Content-Type"] = form.media
        text = f'{{"events":{text},"cursor":{dumps(cursor)}}}'
    elif cursor is not None:
        headers[CURSOR_HEADER] = cursor
    return Response(body=text, headers=headers)


@routes.post(
    _EXPORTS,
    scope=ADMIN,
    body="archive.NewExport",
    answer="archive.Export",
    status=202,
)
def start_export(call: Call) -> Any:
    """Write a stretch of the log to files in the platform's bucket."""
    from chalicelib.api.shapes.archive import NewExport
    from chalicelib.events.exports import shown

    wish = call.body(NewExport)
    stretch = _stretch(call, _moment(wish.start, "from"), _moment(wish.end, "to"))
    topics = [wish.topics] if isinstance(wish.topics, str) else wish.topics or []
    asked = {"format": wish.format, "topics": topics, "filter": wish.filter}
    return shown(call.platform.exports.start(asked, stretch, call.principal))


def _moment(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return moments.read(text)
    except ValueError:
        raise InvalidRequestError(
            f"{name} must be a time as 2026-01-31T12:00:00Z, not {text!r}.",
            details={"field": name},
        ) from None


@routes.get(_EXPORTS, scope=ADMIN, query=(_LIMIT, CURSOR), answer="archive.Exports")
def list_exports(call: Call) -> Any:
    """List exports to files, the newest first."""
    from chalicelib.events.exports import shown

    jobs = call.platform.exports.jobs
    rows, cursor = jobs.all(call.take(CURSOR), call.take(_LIMIT))
    return {"exports": [shown(row) for row in rows], "cursor": cursor}


@routes.get(
    _EXPORTS + "/{export_id}",
    scope=ADMIN,
    query=(_PARTS, CURSOR),
    answer="archive.ExportWithParts",
)
def get_export(call: Call, export_id: str) -> Any:
    """Tell how far an export has come, and where its files are."""
    from chalicelib.events.exports import shown

    exports = call.platform.exports
    row = exports.jobs.get(export_id)
    parts, cursor = exports.parts(row, call.take(CURSOR), call.take(_PARTS))
    return {**shown(row), "parts": parts, "cursor": cursor}


@routes.post(
    _EXPORTS + "/{export_id}/cancel",
    scope=ADMIN,
    answer="archive.Export",
    also={409: "It has ended."},
)
def cancel_export(call: Call, export_id: str) -> Any:
    """Stop an export before its next file; those that are there expire as usual."""
    from chalicelib.events.exports import shown

    return shown(call.platform.exports.cancel(export_id, call.principal))


@routes.post(
    "/api/v1/purge",
    scope=ADMIN,
    body="archive.NewPurge",
    answer="archive.PurgeOrCount",
    status=202,
    also={
        200: ("The counts of a dry run.", "archive.PurgeOrCount"),
        400: "Without `confirm`: `details` has what would be deleted.",
        409: "It would delete what the sweep has not come to.",
    },
)
def start_purge(call: Call) -> Response:
    """
    Delete the events older than a duration or a time, for good.

    Streams, their snapshots and what is scheduled stay, and so do the counts of what
    was published. A retry of a publish whose events were deleted publishes them again.
    """
    from chalicelib.api.shapes.archive import NewPurge
    from chalicelib.events.purge import older_than_of, shown

    wish = call.body(NewPurge)
    purges = call.platform.purges
    stretch = purges.stretch(wish.older_than)
    if wish.confirm and not wish.dry_run:
        return answer_json(shown(purges.start(stretch, call.principal)), 202)
    counts = {"older_than": older_than_of(stretch), **purges.count(stretch)}
    if not wish.dry_run:
        raise _unconfirmed(counts)
    return answer_json({"dry_run": True, **counts})


def _unconfirmed(counts: dict[str, Any]) -> InvalidRequestError:
    about = "at least " if counts["at_least"] else ""
    return InvalidRequestError(
        f"This would delete {about}{counts['events']} events in {counts['commits']} "
        f"commits, all older than {counts['older_than']}, for good. Send it again with "
        '"confirm": true if that is meant.',
        code="confirmation_required",
        details=counts,
    )


@routes.get(
    "/api/v1/purges", scope=ADMIN, query=(_LIMIT, CURSOR), answer="archive.Purges"
)
def list_purges(call: Call) -> Any:
    """List purges, the newest first."""
    from chalicelib.events.purge import shown

    jobs = call.platform.purges.jobs
    rows, cursor = jobs.all(call.take(CURSOR), call.take(_LIMIT))
    return {"purges": [shown(row) for row in rows], "cursor": cursor}


@routes.get("/api/v1/purges/{purge_id}", scope=ADMIN, answer="archive.Purge")
def get_purge(call: Call, purge_id: str) -> Any:
    """Tell how far a purge has come."""
    from chalicelib.events.purge import shown

    return shown(call.platform.purges.jobs.get(purge_id))
