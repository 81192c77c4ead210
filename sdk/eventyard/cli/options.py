"""What commands share: options, how they print, and how they end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, Final, NoReturn, ParamSpec

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventyard.core.errors import (
    AuthenticationError,
    EventRouterError,
    PermissionDeniedError,
    UnavailableError,
)

P = ParamSpec("P")
#: How a command ends that was stopped by Ctrl-C, and one whose reader went away.
INTERRUPTED: Final = 130
_READER_GONE: Final = 141

out: Final = Console(highlight=False)
err: Final = Console(stderr=True, highlight=False)

Url = Annotated[
    str, typer.Option("--url", envvar="EVENTYARD_URL", help="The platform's address.")
]
Key = Annotated[
    str,
    typer.Option(
        "--api-key",
        "--key",
        envvar="EVENTYARD_API_KEY",
        help="An API key, if it asks for one.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
#: Of what prints JSON anyway: who says so always need not know which that is.
AlwaysJson = Annotated[bool, typer.Option("--json", hidden=True)]
Topics = Annotated[
    str, typer.Option("--topics", help="Patterns with commas: user.*,a.**")
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        help="field:value or field:op:value, as type:user.* or priority:gte:7.",
    ),
]
LOCAL: Final = f"http://localhost:{os.environ.get('EVENTYARD_PORT') or 5555}"
_HINTS: Final[dict[type[EventRouterError], str]] = {
    AuthenticationError: "Give a key with --api-key or EVENTYARD_API_KEY; "
    "`eventyard doctor` looks at all that may be wrong.",
    PermissionDeniedError: "A key with that scope is made by an administrator: "
    "eventyard key create NAME SCOPE.",
    UnavailableError: "Try again in a moment; `eventyard status` shows how it does.",
}


def told(command: Callable[P, None]) -> Callable[P, None]:
    """Print what goes wrong, with what to do next, and end with 1; Ctrl-C with 130."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except EventRouterError as error:
            fail(error)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _say_no_more()
            raise typer.Exit(_READER_GONE) from None

    return run


def _say_no_more() -> None:
    """Let what is still to be printed go nowhere: who read has enough, as `head` has."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(error: EventRouterError) -> NoReturn:
    """Print an error and what to do next, and end with 1."""
    # What a platform says is data: nothing in it is markup.
    err.print(Text.assemble((error.code, "red"), f": {error}"), soft_wrap=True)
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), "")
    if hint:
        err.print(hint, markup=False, soft_wrap=True)
    raise typer.Exit(1)


def examples(*lines: str) -> str:
    """Return the end of a command's help."""
    return "\n\n".join(["Examples:", *(f"$ {line}" for line in lines)])


def print_json(value: Any) -> None:
    """Print a value for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_line(value: Any) -> None:
    """Print a value as one line, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table; cells that are no rich text are shown as they are."""
    table = Table(box=None)
    for index, title in enumerate(titles):
        # What comes first names the row: it is there to be copied, whole.
        table.add_column(title, no_wrap=not index, overflow="fold")
    for row in rows:
        table.add_row(*(c if isinstance(c, Text) else Text(_cell(c)) for c in row))
    out.print(table)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def print_event(topic: str, timestamp: str, payload: Any) -> None:
    """Print an event as one line, with the second in which it happened."""
    time = timestamp[:19].replace("T", " ")
    text = json.dumps(payload, ensure_ascii=False)
    line = Text.assemble((f"[{time}]", "dim"), " ", (topic, "cyan"), f" {text}")
    out.print(line, soft_wrap=True)
    out.file.flush()


@contextmanager
def progress(
    what: str, total: float | None = None, *, shares: bool = False
) -> Iterator[Callable[..., None]]:
    """
    Show how far something is, on a terminal; elsewhere nothing is shown.

    It is told numbers of a total, or shares from 0 to 1.
    """
    if not err.is_terminal:
        yield lambda **_: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %" if shares else "{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=1.0 if shares else total)

        def step(**changes: Any) -> None:
            bar.update(task, **changes)

        yield step
