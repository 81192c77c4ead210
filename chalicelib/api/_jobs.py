"""What addresses of jobs read, and how they answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Faults, answer_json, failure
from eventyard.core import moments
from eventyard.core.errors import InvalidRequestError
from eventyard.core.wire import dumps
from eventyard.jobs.base import not_found, rejected

if TYPE_CHECKING:
    from chalicelib.jobs.service import Wish

_LONGEST_KEY: Final = 256
_LONGEST_WAIT_S: Final = 31_622_400
_SHORTEST_REPEAT_S: Final = 60
#: Of what is submitted these say how; the rest is the job.
_CONTROL: Final = (
    *("priority", "idempotency_key", "singleton_key"),
    *("expires_in_s", "repeat_every_s"),
)
_CURSOR_HEADER: Final = "Eventyard-Cursor"


def _fault(
    status: int, code: str, message: str, details: Mapping[str, Any] | None
) -> Response:
    """Say what went wrong in the shapes that clients of job services know."""
    told = details or {}
    match status:
        case 400:
            return answer_json(rejected(message), 400)
        case 404:
            missing = not_found(str(told.get("job_id", "")))
            return answer_json({**missing, "error": message}, 404)
        case 409:
            known = {"job_id": told.get("job_id"), "status": told.get("status")}
            named = {name: value for name, value in known.items() if value}
            return answer_json({**rejected(message), **named}, 409)
    return failure(status, code, message, details)


FAULTS: Final = Faults(_fault)


def read_job(call: Call) -> tuple[dict[str, Any], Wish]:
    """Read what is submitted, and how; raises InvalidRequestError."""
    from chalicelib.jobs.service import Wish

    body = call.json()
    if not isinstance(body, dict):
        raise InvalidRequestError("A job is an object.")
    key = call.header("idempotency-key") or body.get("idempotency_key")
    wish = Wish(
        _priority(body.get("priority", 1)),
        _key("idempotency_key", key),
        _key("singleton_key", body.get("singleton_key")),
        _seconds(body.get("expires_in_s")),
        _period(body.get("repeat_every_s")),
    )
    return {name: body[name] for name in body if name not in _CONTROL}, wish


def _priority(value: Any) -> int:
    if type(value) is not int:
        raise InvalidRequestError("priority must be a whole number, best from 1 to 10.")
    return value


def _key(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_KEY:
        raise InvalidRequestError(f"{name} must have 1 to {_LONGEST_KEY} characters.")
    return value


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not 0 < value <= _LONGEST_WAIT_S:
        raise InvalidRequestError(
            f"expires_in_s must be a number above 0, up to {_LONGEST_WAIT_S}."
        )
    return float(value)


def _period(value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not _SHORTEST_REPEAT_S <= value <= _LONGEST_WAIT_S:
        raise InvalidRequestError(
            "repeat_every_s must be a number of seconds from "
            f"{_SHORTEST_REPEAT_S} to {_LONGEST_WAIT_S}."
        )
    return float(value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def now() -> str:
    """Return the time as answers tell it."""
    return moments.at(round(time.time(), 3))


def past(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what history tells of a job, beside what was asked for."""
    names = (
        "job_id",
        "status",
        "progress",
        "assigned_node",
        "created_at",
        "started_at",
        "completed_at",
        "result",
        "error",
    )
    return {**(job["data"] or {}), **{name: job[name] for name in names}}


def as_lines(rows: Sequence[Mapping[str, Any]], cursor: str | None) -> Response:
    """Write rows as JSON Lines."""
    text = "".join(dumps(dict(row)) + "\n" for row in rows)
    return _text(text, "application/x-ndjson", cursor)


def as_csv(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    cursor: str | None,
    *,
    first: bool,
) -> Response:
    """Write rows as CSV; without columns those that the rows have."""
    from chalicelib.events.formats import cell, csv_row

    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    lines = [csv_row([cell(_plain(row.get(name))) for name in names]) for row in rows]
    head = [csv_row(list(names))] if first else []
    return _text("".join([*head, *lines]), "text/csv", cursor)


def _plain(value: Any) -> Any:
    return dumps(value) if isinstance(value, list | dict) else value


def _text(text: str, media: str, cursor: str | None) -> Response:
    headers: dict[str, str | list[str]] = {
        "Content-Type": f"{media}; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if cursor is not None:
        headers[_CURSOR_HEADER] = cursor
    return Response(body=text, headers=headers)
