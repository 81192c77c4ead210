"""`eventyard subscribe`: have events printed, or a command run for each of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from eventyard.cli.options import (
    LOCAL,
    AsJson,
    Filters,
    Key,
    Url,
    err,
    print_event,
    print_line,
)
from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.core.httpfilters import parse_http_filters

Show = Callable[[Event], Awaitable[None]]


def subscribe(
    topics: Annotated[list[str], typer.Argument(help="Topics, or patterns.")],
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Run it for each event, which it reads as JSON from standard input.",
        ),
    ] = None,
    filters: Filters = None,
    durable: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Go on where this name was left."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many events.")
    ] = None,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Handle events as they happen, each once, until Ctrl-C."""
    if command is not None and as_json:
        raise typer.BadParameter("--exec prints what the command prints, not --json.")
    show = _shown(as_json) if command is None else _executed(command)
    options: dict[str, Any] = {"filter": parse_http_filters(filters or []) or None}
    options |= {"durable": durable} if durable else {}
    failed = asyncio.run(_handle((url, key), topics, show, count, options))
    if failed:
        err.print(f"{failed} times the command failed", style="red")
        raise typer.Exit(1)


def _shown(as_json: bool) -> Show:  # noqa: FBT001 - an option, as it was given
    async def show(event: Event) -> None:
        if as_json:
            print_line(event.to_dict())
        else:
            told = event.to_dict()
            print_event(event.type, told["timestamp"], event.payload)

    return show


def _executed(command: str) -> Show:
    async def execute(event: Event) -> None:
        named = {"EVENTYARD_EVENT_ID": event.id, "EVENTYARD_EVENT_TYPE": event.type}
        process = await asyncio.create_subprocess_shell(
            command, stdin=subprocess.PIPE, env={**os.environ, **named}
        )
        await process.communicate(f"{event.to_json()}\n".encode())
        if process.returncode:
            raise EventRouterError(
                f"the command ended with {process.returncode} at {event.id}",
                code="command_failed",
            )

    return execute


async def _handle(
    where: tuple[str, str],
    topics: list[str],
    show: Show,
    count: int | None,
    options: dict[str, Any],
) -> int:
    """Handle events one by one, in their order; return how many failed."""
    from eventyard.client import EventRouterClient

    url, key = where
    auth = {"type": "api_key", "key": key} if key else None
    failed = handled = 0
    async with (
        EventRouterClient(url=url, auth=auth) as client,
        client.subscribe(topics, **options) as subscription,
    ):
        err.print(f"subscribed to {', '.join(topics)}", markup=False)
        # An event counts as handled, for a durable name, when the next is asked for.
        async for event in subscription:
            failed += not await _done(show, event)
            handled += 1
            if handled == count:
                break
    return failed


async def _done(show: Show, event: Event) -> bool:
    """Handle an event; where its command fails that is told, and the next is due."""
    try:
        await show(event)
    except EventRouterError as error:
        err.print(str(error), style="red", markup=False, soft_wrap=True)
        return False
    return True
