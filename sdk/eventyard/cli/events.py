"""Publish, list, show, watch and handle events."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from eventyard.cli.http import Api, quoted
from eventyard.cli.options import (
    LOCAL,
    AlwaysJson,
    AsJson,
    Filters,
    Key,
    Topics,
    Url,
    err,
    out,
    print_event,
    print_json,
    print_line,
)
from eventyard.core.errors import InvalidRequestError
from eventyard.core.filters import Predicate, compile_filter
from eventyard.core.httpfilters import parse_http_filters

_WIDEST = 60


def publish(
    topic: Annotated[str, typer.Argument(help="The type, such as order.placed.")],
    payload: Annotated[
        str, typer.Argument(help="JSON, or - to read it from standard input.")
    ] = "{}",
    priority: Annotated[int, typer.Option(help="1 to 10, higher is sooner.")] = 5,
    source: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    target: Annotated[str | None, typer.Option(help="Whom it is for.")] = None,
    correlation_id: Annotated[
        str | None, typer.Option(help="What all events of a conversation share.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A retry with the same key changes nothing.")
    ] = None,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Publish one event."""
    text = sys.stdin.read() if payload == "-" else payload
    try:
        body = {"type": topic, "payload": json.loads(text), "priority": priority}
    except ValueError as error:
        raise InvalidRequestError(f"The payload is not JSON: {error}") from None
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    said = {"source": source, "target": target, "correlation_id": correlation_id}
    body |= {name: value for name, value in said.items() if value}
    told = Api(url, key).post("api/v1/events", body, headers)
    if as_json:
        print_json(told)
    else:
        out.print(f"[green]published[/] {told['event_id']} at {told['timestamp']}")


def events(
    topics: Topics = "",
    filters: Filters = None,
    since: Annotated[str, typer.Option(help="A time in ISO 8601.")] = "",
    until: Annotated[str, typer.Option(help="A time in ISO 8601.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """List events, newest first."""
    query = [("filter", one) for one in filters or []]
    named = {"topics": topics, "since": since, "until": until}
    query += [(name, text) for name, text in named.items() if text]
    found = _pages(Api(url, key), query, limit)
    if as_json:
        print_json(found)
        return
    out.print(
        _table_of(found)
        if found
        else "No events match. Publish one: eventyard publish order.placed"
    )


def _table_of(found: list[Any]) -> Table:
    table = Table(box=None, expand=True)
    table.add_column("time", no_wrap=True, min_width=14)
    table.add_column("type", style="cyan", overflow="fold")
    table.add_column("pri", justify="right")
    longest = max(len(event["id"]) for event in found)  # it is there to be copied
    table.add_column("id", no_wrap=True, min_width=longest)
    table.add_column("payload", no_wrap=True, overflow="ellipsis", ratio=1)
    for event in found:
        time = event["timestamp"][5:19].replace("T", " ")
        # A payload is data, and so is an id: nothing in them is markup.
        payload, name = Text(_short(event["payload"])), Text(event["id"])
        table.add_row(time, event["type"], str(event["priority"]), name, payload)
    return table


def _pages(api: Api, query: list[tuple[str, str]], limit: int) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    while len(found) < limit:
        more = [("limit", str(min(limit - len(found), 500)))]
        more += [("cursor", cursor)] if cursor else []
        page = api.get("api/v1/events", [*query, *more])
        found += page["events"]
        cursor = page["cursor"]
        if cursor is None:
            break
    return found


def _short(payload: Any) -> str:
    text = json.dumps(payload, ensure_ascii=False)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def event(
    event_id: Annotated[str, typer.Argument(help="An id, as evt_...")],
    _json: AlwaysJson = True,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Show one event whole, as JSON."""
    print_json(Api(url, key).get(f"api/v1/events/{quoted(event_id)}"))


def monitor(
    topics: Annotated[str, typer.Argument(help="Patterns with commas.")] = "*",
    filters: Filters = None,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Print events as they happen, until Ctrl-C."""
    from eventyard.cli.watch import watch

    passes = compile_filter(parse_http_filters(filters or []))

    def show(message: dict[str, Any]) -> None:
        if not _passes(passes, message):
            return
        if as_json:
            print_line(message)
        else:
            print_event(message["type"], message["timestamp"], message.get("data"))

    def tell(line: str) -> None:
        err.print(line, markup=False, soft_wrap=True)

    asyncio.run(watch(Api(url, key), _narrowed(topics, filters), show, tell))


def _narrowed(topics: str, filters: list[str] | None) -> str:
    """Return the topics to ask for: a filter by type may say it all."""
    types = [one.removeprefix("type:") for one in filters or [] if _is_type(one)]
    return types[0] if topics == "*" and types else topics


def _is_type(item: str) -> bool:
    return item.startswith("type:") and item.count(":") == 1


def _passes(passes: Predicate, message: dict[str, Any]) -> bool:
    """Tell whether a message of the channel is of an event that a filter wants."""
    payload = message.get("data")
    return passes(
        {**message, "payload": payload, "id": message["event_id"], "priority": 5}
        | {name: message[name] for name in ("priority",) if name in message}
    )
