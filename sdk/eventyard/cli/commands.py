"""What the command line can do, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from eventyard.cli import (
    archive,
    dlq,
    doctor,
    events,
    graphs,
    keys,
    start,
    status,
    subscribe,
)
from eventyard.cli.options import examples, told
from eventyard.cli.scan import scan

app = typer.Typer(
    help="Publish, read and watch events; see their flow; look after a platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
pubsub = typer.Typer(
    help="What the tools for event flows were called.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _group(name: str, text: str, *, hidden: bool = False) -> typer.Typer:
    group = typer.Typer(help=text, no_args_is_help=True)
    app.add_typer(group, name=name, hidden=hidden)
    return group


def _add(
    group: typer.Typer, function: Callable[..., Any], name: str, *lines: str
) -> None:
    group.command(name, epilog=examples(*lines) if lines else None)(told(function))


_add(app, start.start, "start", "eventyard start", "eventyard start --port 8080")
_add(app, status.status, "status", "eventyard status", "eventyard status --all --json")
_add(
    app,
    events.publish,
    "publish",
    """eventyard publish order.placed '{"order_id": 1}' --priority 8""",
    "jq .order some.json | eventyard publish order.placed -",
)
_add(
    app,
    events.events,
    "events",
    "eventyard events --topics 'order.*' --filter priority:gte:7",
    "eventyard events --since 2024-01-01 --limit 1000 --json",
)
_add(app, events.event, "event", "eventyard event evt_01JZ...")
_add(
    app,
    events.monitor,
    "monitor",
    "eventyard monitor 'order.*'",
    "eventyard monitor --filter 'type:user.*' --filter source:shop",
)
_add(
    app,
    subscribe.subscribe,
    "subscribe",
    "eventyard subscribe 'order.*' --json",
    "eventyard subscribe order.placed --durable mailer --exec ./mail.sh",
)
_add(
    app,
    archive.replay,
    "replay",
    "eventyard replay --from 2024-01-01T00:00:00 --to 2024-01-01T12:00:00",
    "eventyard replay --from 2024-01-01 --subscription sub_01... --dry-run",
)
_add(
    app,
    archive.export,
    "export",
    "eventyard export --format json --output events.json",
    "eventyard export --format csv --topics 'order.*' --from 2024-01-01 > orders.csv",
)
_add(
    app,
    archive.purge,
    "purge",
    "eventyard purge --older-than 30d",
    "eventyard purge --older-than 30d --confirm",
)
_add(
    app,
    scan,
    "scan",
    "eventyard scan",
    "eventyard scan src --push --project shop",
    "eventyard scan --check --diff main",
)
_add(app, doctor.doctor, "doctor", "eventyard doctor", "eventyard doctor --json")

for _name, _hidden in (("key", False), ("keys", True)):
    _keys = _group(_name, "Make, list, rotate and revoke API keys.", hidden=_hidden)
    _line = "eventyard key create ci events:publish events:subscribe:order.*"
    _add(_keys, keys.create_key, "create", _line)
    _add(_keys, keys.list_keys, "list", "eventyard key list")
    _add(_keys, keys.rotate_key, "rotate", "eventyard key rotate ID --grace 1h")
    _add(_keys, keys.revoke_key, "revoke", "eventyard key revoke ID")

_dlq = _group("dlq", "See, retry or throw away what could not be delivered.")
_add(_dlq, dlq.list_letters, "list", "eventyard dlq list --subscription sub_01...")
_add(_dlq, dlq.show_letter, "show", "eventyard dlq show ID")
_add(
    _dlq,
    dlq.retry_letters,
    "retry",
    "eventyard dlq retry ID",
    "eventyard dlq retry --all",
)
_add(_dlq, dlq.purge_letters, "purge", "eventyard dlq purge --all --confirm")

_graph = _group("graph", "List, show and take out graphs that were scanned.")
_add(_graph, graphs.list_graphs, "list", "eventyard graph list")
_add(_graph, graphs.show_graph, "show", "eventyard graph show --project shop")
_add(
    _graph,
    graphs.export_graph,
    "export",
    "eventyard graph export complete --format svg --output flow.svg",
)

_queues = _group("queues", "See and mend the queues between functions.")
_add(_queues, status.list_queues, "list", "eventyard queues list")
_add(_queues, status.dead_letters, "dead", "eventyard queues dead routing")
_add(_queues, status.redrive, "redrive", "eventyard queues redrive routing")


@pubsub.callback()
def _tools() -> None:
    """Keep `event-flow` a name to be said, though it is the only one."""


_add(
    pubsub,
    start.event_flow,
    "event-flow",
    "pubsub-tools event-flow --config devtools_config.yaml",
)
