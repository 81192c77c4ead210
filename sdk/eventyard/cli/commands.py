"""What the command line can do, each command one function."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventyard.cli.http import Api
from eventyard.cli.scan import scan
from eventyard.core.errors import EventRouterError, InvalidRequestError

app = typer.Typer(
    help="Publish, read and watch events; see their flow; look after a platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
queues = typer.Typer(help="See and mend the queues.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(queues, name="queues")

P = ParamSpec("P")
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)

Url = Annotated[
    str, typer.Option("--url", envvar="EVENTYARD_URL", help="The platform's address.")
]
Key = Annotated[
    str,
    typer.Option("--key", envvar="EVENTYARD_API_KEY", help="An API key, if it asks."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_LOCAL = f"http://localhost:{os.environ.get('EVENTYARD_PORT') or 5555}"


def _told(command: Callable[P, None]) -> Callable[P, None]:
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except EventRouterError as error:
            _err.print(f"[red]{error.code}[/]: {error}", soft_wrap=True)
            raise typer.Exit(1) from None

    return run


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _print_table(titles: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(*titles, box=None)
    for row in rows:
        table.add_row(*row)
    _out.print(table)


@app.command()
@_told
def publish(
    topic: Annotated[str, typer.Argument(help="The type, such as order.placed.")],
    payload: Annotated[
        str, typer.Argument(help="JSON, or - to read it from standard input.")
    ] = "{}",
    priority: Annotated[int, typer.Option(help="1 to 10, higher is sooner.")] = 5,
    source: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A retry with the same key changes nothing.")
    ] = None,
    as_json: AsJson = False,
    url: Url = _LOCAL,
    key: Key = "",
) -> None:
    """Publish one event."""
    text = sys.stdin.read() if payload == "-" else payload
    try:
        body = {"type": topic, "payload": json.loads(text), "priority": priority}
    except ValueError as error:
        raise InvalidRequestError(f"The payload is not JSON: {error}") from None
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    body |= {"source": source} if source else {}
    told = Api(url, key).post("api/v1/events", body, headers)
    if as_json:
        _print_json(told)
    else:
        _out.print(f"[green]published[/] {told['event_id']} at {told['timestamp']}")


@app.command()
@_told
def events(
    topics: Annotated[str, typer.Option(help="Patterns with commas: user.*,a.**")] = "",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="field:op:value, such as priority:gte:7."),
    ] = None,
    since: Annotated[str, typer.Option(help="A time in ISO 8601.")] = "",
    until: Annotated[str, typer.Option(help="A time in ISO 8601.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
    url: Url = _LOCAL,
    key: Key = "",
) -> None:
    """List events, newest first."""
    query = [("filter", one) for one in filters or []]
    query += [("topics", topics)] if topics else []
    query += [("since", since)] if since else []
    query += [("until", until)] if until else []
    found = _pages(Api(url, key), query, limit)
    if as_json:
        _print_json(found)
        return
    _out.print(
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
        # A payload is data: nothing in it is markup.
        payload = Text(_short(event["payload"]))
        table.add_row(time, event["type"], str(event["priority"]), event["id"], payload)
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
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004


@app.command()
@_told
def event(
    event_id: Annotated[str, typer.Argument(help="An id, as evt_...")],
    url: Url = _LOCAL,
    key: Key = "",
) -> None:
    """Show one event whole, as JSON."""
    from urllib.parse import quote

    _print_json(Api(url, key).get(f"api/v1/events/{quote(event_id, safe='')}"))


@app.command()
@_told
def status(as_json: AsJson = False, url: Url = _LOCAL, key: Key = "") -> None:
    """Show how the platform does."""
    api = Api(url, key)
    stats, config = api.get("api/v1/stats"), api.get("api/v1/config")
    if as_json:
        _print_json({**config, **stats})
        return
    _out.print(f"Eventyard {config['version']} at {url}, stage {config['stage']}")
    table = Table(box=None, show_header=False)
    for name, value in stats.items():
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name.replace("_", " ").capitalize(), shown)
    _out.print(table)


@app.command()
@_told
def monitor(
    topics: Annotated[str, typer.Argument(help="Patterns with commas.")] = "*",
    as_json: AsJson = False,
    url: Url = _LOCAL,
    key: Key = "",
) -> None:
    """Print events as they happen, until Ctrl-C."""
    from eventyard.cli.watch import watch

    def show(message: dict[str, Any]) -> None:
        if as_json:
            sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return
        time = message["timestamp"][:19].replace("T", " ")
        payload = json.dumps(message.get("data"), ensure_ascii=False)
        _out.print(f"[dim]\\[{time}][/] [cyan]{message['type']}[/] ", end="")
        _out.print(payload, markup=False, soft_wrap=True)

    try:
        asyncio.run(watch(Api(url, key), topics, show, _err.print))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


app.command()(_told(scan))


@keys.command("create")
@_told
def create_key(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scopes: Annotated[list[str], typer.Argument(help="events:publish, admin, ...")],
    as_json: AsJson = False,
    url: Url = _LOCAL,
    key: Key = "",
) -> None:
    """Make a key; it is shown now and never again."""
    made = Api(url, key).post("api/v1/keys", {"name": name, "scopes": scopes})
    if as_json:
        _print_json(made)
    else:
        _out.print(f"{made['key']}\n[dim]id {made['id']}; keep it, it is not stored[/]")


@keys.command("list")
@_told
def list_keys(as_json: AsJson = False, url: Url = _LOCAL, key: Key = "") -> None:
    """List keys by id, name and scopes."""
    found = Api(url, key).get("api/v1/keys")["keys"]
    rows = [(k["id"], k["name"], " ".join(k["scopes"]), k["created_at"]) for k in found]
    if as_json:
        _print_json(found)
    elif found:
        _print_table(("id", "name", "scopes", "created"), rows)
    else:
        _out.print("No keys. Make one: eventyard keys create NAME SCOPE")


@keys.command("revoke")
@_told
def revoke_key(key_id: str, url: Url = _LOCAL, key: Key = "") -> None:
    """Revoke a key; within half a minute nothing accepts it."""
    Api(url, key).delete(f"api/v1/keys/{key_id}")
    _out.print(f"[green]revoked[/] {key_id}")


@queues.command("list")
@_told
def list_queues(as_json: AsJson = False, url: Url = _LOCAL, key: Key = "") -> None:
    """List the queues with what waits and what died in them."""
    found = Api(url, key).get("api/v1/queues")["queues"]
    if as_json:
        _print_json(found)
    else:
        titles = ("queue", "waiting", "in flight", "delayed", "dead")
        _print_table(titles, map(_queue_row, found))


def _queue_row(queue: dict[str, Any]) -> tuple[str, ...]:
    waiting, in_flight, delayed, dead = (
        str(queue[name]) for name in ("waiting", "in_flight", "delayed", "dead")
    )
    shown = f"[red]{dead}[/]" if queue["dead"] else dead
    return queue["name"], waiting, in_flight, delayed, shown


@queues.command("dead")
@_told
def dead_letters(
    queue: Annotated[str, typer.Argument(help="relay, routing or live.")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    url: Url = _LOCAL,
    key: Key = "",
) -> None:
    """Show what died in a queue, and why, as JSON."""
    path = f"api/v1/queues/{queue}/dead-letters"
    _print_json(Api(url, key).get(path, [("limit", str(limit))])["dead_letters"])


@queues.command("redrive")
@_told
def redrive(queue: str, url: Url = _LOCAL, key: Key = "") -> None:
    """Send what died in a queue on its way again."""
    done = Api(url, key).post(f"api/v1/queues/{queue}/redrive")
    _out.print(f"[green]redriven[/] {done['redriven']}")
    for failure in done["failed"]:
        _err.print(f"[red]stays[/] {failure['id']}: {failure['reason']}")
