"""Deliver events again, take them out, delete them: replay, export, purge."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from eventyard.cli.http import Api, quoted
from eventyard.cli.options import (
    LOCAL,
    AsJson,
    Filters,
    Key,
    Topics,
    Url,
    err,
    out,
    print_json,
    progress,
)
from eventyard.core import moments
from eventyard.core.errors import ConflictError, InvalidRequestError
from eventyard.core.httpfilters import parse_http_filters
from eventyard.core.jsontext import dumps

_PAUSES: Final = (0.2, 0.5, 1.0, 2.0)
_CURSOR: Final = "Eventyard-Cursor"
#: How many events are asked for at a time.
_EVENTS: Final = 1_000


class Format(StrEnum):
    """What events are written as."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def _moment(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return moments.write(moments.read(text))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time, as 2024-01-01T12:00:00 is (UTC unless it says so)."
        ) from None


def _place(text: str | None) -> str | None:
    """Read a time, or let the id of an event be."""
    return text if text is None or text.startswith("evt_") else _moment(text)


From = Annotated[
    str | None, typer.Option("--from", help="A time in ISO 8601: the first moment.")
]
To = Annotated[
    str | None, typer.Option("--to", help="A time in ISO 8601: the last moment.")
]


def _patterns(topics: str) -> list[str]:
    return [one.strip() for one in topics.split(",") if one.strip()]


# Replay.


def replay(
    start: From = None,
    end: To = None,
    subscription: Annotated[
        str | None,
        typer.Option(help="To whom; all that are delivered to, unless it is said."),
    ] = None,
    topics: Topics = "",
    filters: Filters = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count; deliver nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")
    ] = True,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Deliver events of the log again, in their order, marked as a replay."""
    if start is None:
        raise typer.BadParameter("Say from when, with --from.")
    api = Api(url, key)
    asked: dict[str, Any] = {"from": _place(start), "to": _place(end)}
    asked |= {"topics": _patterns(topics) or None, "dry_run": dry_run or None}
    asked["filter"] = parse_http_filters(filters or []) or None
    asked = {name: value for name, value in asked.items() if value is not None}
    told = [
        _replayed(api, {**asked, "subscription": one}, wait=wait)
        for one in ([subscription] if subscription else _subscribers(api))
    ]
    if as_json:
        print_json(told)
    else:
        _tell_replays(told)


def _subscribers(api: Api) -> list[str]:
    """Return the subscriptions that the platform itself delivers to."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = [("limit", "200")] + ([("cursor", cursor)] if cursor else [])
        page = api.get("api/v1/subscriptions", query)
        found += [one["id"] for one in page["subscriptions"] if "revision" in one]
        cursor = page["cursor"]
        if cursor is None:
            break
    if not found:
        raise ConflictError(
            "There is no subscription to deliver to. Whoever listens live goes on from "
            "a cursor instead; `eventyard events` lists what there was.",
            code="no_subscription",
        )
    return found


def _replayed(api: Api, asked: dict[str, Any], *, wait: bool) -> dict[str, Any]:
    begun: dict[str, Any] = api.post("api/v1/replays", asked)
    if begun.get("dry_run") or not wait:
        return {"subscription": asked["subscription"], **begun}
    what = f"replaying to {asked['subscription']}"
    return followed(api, f"api/v1/replays/{quoted(begun['id'])}", what)


def _tell_replays(told: Sequence[dict[str, Any]]) -> None:
    for one in told:
        to = one["subscription"]
        if one.get("dry_run"):
            more = "" if one["complete"] else " at least"
            out.print(f"Would deliver{more} {one['matched']:,} events to {to}")
        elif one["state"] == "RUNNING":
            out.print(f"Replay {one['id']} to {to} runs")
        else:
            out.print(f"Replayed {one['matched']:,} events to {to}")


def followed(api: Api, path: str, what: str) -> dict[str, Any]:
    """Wait until what a path tells of has ended, and return what it tells then."""
    pauses = iter(_PAUSES)
    pause = 0.0
    with progress(what, shares=True) as step:
        while True:
            told: dict[str, Any] = api.get(path)
            step(completed=told["progress"])
            if told["state"] != "RUNNING":
                break
            pause = next(pauses, pause)
            time.sleep(pause)
    if told["state"] == "CANCELLED":
        raise ConflictError(
            f"It was cancelled: {told.get('reason') or 'somebody asked for it'}.",
            code="cancelled",
        )
    return told


# Export.


def export(
    form: Annotated[Format, typer.Option("--format", help="How.")] = Format.JSON,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Into which file; printed without."),
    ] = None,
    topics: Topics = "",
    filters: Filters = None,
    start: From = None,
    end: To = None,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Write events out, oldest first: as a JSON array, JSON lines or CSV."""
    api = Api(url, key)
    named = {"topics": topics, "since": _moment(start), "until": _moment(end)}
    query = [("filter", one) for one in filters or []]
    query += [(name, text) for name, text in named.items() if text]
    chosen = bool(query)
    if end is None:
        # Left open, the platform leaves out its last seconds, for who comes back.
        query += [("until", moments.write(datetime.now(UTC)))]
    query += [("limit", str(_EVENTS))]
    total = None if chosen else api.get("api/v1/stats")["events_published"]
    with _written(output) as file, progress("exporting", total) as step:
        write = {Format.JSON: _export_array}.get(form, _export_text)
        count = write(api, [("format", form.value), *query], file.write, step)
    if output is not None:
        err.print(f"{count:,} events in {output}", markup=False, soft_wrap=True)


@contextmanager
def _written(output: Path | None) -> Iterator[BinaryIO]:
    """Open a file that takes its name when it is whole, so that none is half."""
    if output is None or str(output) == "-":
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise InvalidRequestError(f"{output} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


Write = Callable[[bytes], object]
Step = Callable[..., None]


def _export_array(
    api: Api, query: list[tuple[str, str]], write: Write, step: Step
) -> int:
    count = 0
    cursor: str | None = None
    write(b"[")
    while True:
        page = api.get(
            "api/v1/export", query + ([("cursor", cursor)] if cursor else [])
        )
        for event in page["events"]:
            write((b",\n" if count else b"\n") + dumps(event).encode())
            count += 1
        step(completed=count)
        cursor = page["cursor"]
        if cursor is None:
            write(b"\n]\n")
            return count


def _export_text(
    api: Api, query: list[tuple[str, str]], write: Write, step: Step
) -> int:
    count = 0
    cursor: str | None = None
    while True:
        more = [("cursor", cursor)] if cursor else []
        page = api.ask("GET", "api/v1/export", query=query + more)
        write(page.body)
        count += _rows(page.body, header=cursor is None and ("format", "csv") in query)
        step(completed=count)
        cursor = page.headers.get(_CURSOR)
        if cursor is None:
            return count


def _rows(body: bytes, *, header: bool) -> int:
    import csv
    import io

    text = body.decode()
    if text.startswith("{"):
        return text.count("\n")
    return sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - header


# Purge.


def purge(
    older_than: Annotated[
        str, typer.Option("--older-than", help="A duration as 30d, or a time.")
    ],
    confirm: Annotated[
        bool, typer.Option("--confirm", help="It is meant: they are gone for good.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count; delete nothing.")
    ] = False,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Delete old events for good; without --confirm it shows what would go."""
    api = Api(url, key)
    if not confirm or dry_run:
        _refuse(api, older_than, as_json=as_json, asked=dry_run)
        return
    begun = api.post("api/v1/purge", {"older_than": older_than, "confirm": True})
    told = followed(api, f"api/v1/purges/{quoted(begun['id'])}", "purging")
    if as_json:
        print_json(told)
    else:
        out.print(f"[green]purged[/] {told['events']:,} events")


def _refuse(api: Api, older_than: str, *, as_json: bool, asked: bool) -> None:
    count = api.post("api/v1/purge", {"older_than": older_than, "dry_run": True})
    if as_json:
        print_json(count)
    else:
        more = "at least " if count["at_least"] else ""
        out.print(
            f"Would delete {more}{count['events']:,} events of {count['commits']:,} "
            f"commits, older than {count['older_than']}."
        )
    if not asked:
        err.print("Nothing was deleted: say --confirm to delete them for good.")
        raise typer.Exit(1)
