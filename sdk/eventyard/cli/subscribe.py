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
    client = EventRouterClient(url=url, auth=auth)
    counting = _Counting(show, count)
    client.on_error(counting.failed)
    async with client:
        subscription = client.subscribe(topics, counting, **options)
        async with subscription:
            err.print(f"subscribed to {', '.join(topics)}", markup=False)
            await counting.over.wait()
    if counting.broken is not None:
        raise counting.broken
    return counting.failures


class _Counting:
    """Shows so many events, and counts what failed."""

    def __init__(self, show: Show, count: int | None) -> None:
        self._show = show
        self._left = count
        self.over = asyncio.Event()
        self.failures = 0
        self.broken: BrokenPipeError | None = None

    async def __call__(self, event: Event) -> None:
        if self.over.is_set():
            # It is not handled, so a durable subscription has to bring it again.
            await asyncio.Event().wait()
        try:
            await self._show(event)
        except BrokenPipeError as error:
            self.broken = error
            self.over.set()
        finally:
            self._count()

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.over.set()

    def failed(self, error: Exception, _: Event) -> None:
        """Tell that a command failed; the next event has its turn."""
        self.failures += 1
        err.print(f"{error}", style="red", markup=False, soft_wrap=True)
