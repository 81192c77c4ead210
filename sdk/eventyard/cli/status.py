"""`eventyard status` and the queues: how a platform does."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from eventyard.cli.http import Api, quoted
from eventyard.cli.options import (
    LOCAL,
    AlwaysJson,
    AsJson,
    Key,
    Url,
    err,
    fail,
    out,
    print_json,
    print_table,
)
from eventyard.core.errors import ConnectionError  # noqa: A004 - its name there

_STATES = {
    "healthy": "Running",
    "degraded": "Running (degraded)",
    "unhealthy": "Unhealthy",
}
_SHOWN = {
    "Events Published": "events_published",
    "Active Subscriptions": "active_subscriptions",
    "Queue Depth": "queue_depth",
}


def status(
    everything: Annotated[
        bool, typer.Option("--all", help="Show every count there is.")
    ] = False,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Show how the platform does; ends with 1 where it does not run."""
    api = Api(url, key)
    try:
        health = api.health()
    except ConnectionError as error:
        if as_json:
            print_json({"status": "unreachable", "url": url})
        else:
            out.print("Event Router Status: Not running")
        fail(error)
    told = {**api.get("api/v1/config"), **api.get("api/v1/stats"), **health}
    told["transport"], told["connected"] = _transport(api)
    if as_json:
        print_json(told)
    else:
        _show(told, everything)
    if health["status"] == "unhealthy":
        raise typer.Exit(1)


def _transport(api: Api) -> tuple[str, bool]:
    from eventyard.cli.watch import welcomed

    try:
        asyncio.run(welcomed(api))
    except ConnectionError as error:
        err.print(Text(str(error)), soft_wrap=True)
        return "WebSocket", False
    return "WebSocket", True


def _show(told: dict[str, Any], everything: bool) -> None:  # noqa: FBT001
    connected = "connected" if told["connected"] else "not connected"
    out.print(f"Event Router Status: {_STATES[told['status']]}")
    out.print(f"Transport: {told['transport']} ({connected})")
    for label, name in _SHOWN.items():
        out.print(f"{label}: {told[name]:,}")
    for name, text in told["checks"].items():
        if text != "ok":
            out.print(Text(f"Issue: {name}: {text}"), soft_wrap=True)
    if everything:
        out.print(_table(told))


def _table(told: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False)
    for name, value in told.items():
        if not isinstance(value, dict):
            shown = f"{value:,}" if type(value) is int else str(value)
            table.add_row(name.replace("_", " ").capitalize(), Text(shown))
    return table


def list_queues(as_json: AsJson = False, url: Url = LOCAL, key: Key = "") -> None:
    """List the queues with what waits and what died in them."""
    found = Api(url, key).get("api/v1/queues")["queues"]
    if as_json:
        print_json(found)
    else:
        titles = ("queue", "waiting", "in flight", "delayed", "dead")
        print_table(titles, map(_queue_row, found))


def _queue_row(queue: dict[str, Any]) -> tuple[Any, ...]:
    dead = Text(str(queue["dead"]), style="red" if queue["dead"] else "")
    names = ("name", "waiting", "in_flight", "delayed")
    return (*(queue[name] for name in names), dead)


def dead_letters(
    queue: Annotated[str, typer.Argument(help="relay, routing or live.")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    _json: AlwaysJson = True,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Show what died in a queue, and why, as JSON."""
    path = f"api/v1/queues/{quoted(queue)}/dead-letters"
    print_json(Api(url, key).get(path, [("limit", str(limit))])["dead_letters"])


def redrive(
    queue: Annotated[str, typer.Argument(help="relay, routing or live.")],
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Send what died in a queue on its way again."""
    done = Api(url, key).post(f"api/v1/queues/{quoted(queue)}/redrive")
    if as_json:
        print_json(done)
    else:
        out.print(f"[green]redriven[/] {done['redriven']}")
    for failure in done["failed"]:
        line = f"stays {failure['id']}: {failure['reason']}"
        err.print(line, style="red", markup=False)
