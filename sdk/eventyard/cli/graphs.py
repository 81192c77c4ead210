"""`eventyard graph`: what was scanned and pushed, listed, shown, taken out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from eventyard.cli.http import Api
from eventyard.cli.options import (
    LOCAL,
    AsJson,
    Key,
    Url,
    err,
    out,
    print_json,
    print_table,
)
from eventyard.cli.scan import GraphType
from eventyard.core.errors import InvalidRequestError


class Format(StrEnum):
    """What a graph is written as."""

    DOT = "dot"
    SVG = "svg"
    JSON = "json"
    MERMAID = "mermaid"
    ASYNCAPI = "asyncapi"


Kind = Annotated[GraphType, typer.Argument(help="Which drawing.")]
Project = Annotated[str, typer.Option(help="Whose flow it is.")]
Ref = Annotated[str, typer.Option(help="Of which branch.")]
Version = Annotated[int | None, typer.Option(help="Which one; the newest.")]


def list_graphs(as_json: AsJson = False, url: Url = LOCAL, key: Key = "") -> None:
    """List projects, their branches, and the graphs of each."""
    found = Api(url, key).get("api/graph/projects")["projects"]
    if as_json:
        print_json(found)
    elif found:
        print_table(("project", "ref", "graph", "version", "pushed"), _rows(found))
    else:
        out.print("No graphs. Push one from your code: eventyard scan --push")


def _rows(projects: list[Any]) -> Iterator[tuple[object, ...]]:
    for project in projects:
        for ref in project["refs"]:
            for kind, newest in ref["graphs"].items():
                version, pushed = newest.get("version"), newest.get("timestamp")
                yield project["project"], ref["ref"], kind, version, pushed


def show_graph(
    kind: Kind = GraphType.COMPLETE,
    project: Project = "default",
    ref: Ref = "main",
    version: Version = None,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Show who publishes what to whom, as text."""
    form = "json" if as_json else "text"
    body = _written(Api(url, key), kind, form, (project, ref, version))
    sys.stdout.write(body.decode().rstrip("\n") + "\n")


def export_graph(
    kind: Kind = GraphType.COMPLETE,
    form: Annotated[Format, typer.Option("--format", help="How.")] = Format.DOT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Into which file.")
    ] = None,
    project: Project = "default",
    ref: Ref = "main",
    version: Version = None,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Write a graph out: DOT, SVG, JSON, Mermaid or AsyncAPI."""
    body = _written(Api(url, key), kind, form.value, (project, ref, version))
    if output is None:
        sys.stdout.write(body.decode().rstrip("\n") + "\n")
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        raise InvalidRequestError(f"{output} cannot be written: {error}") from None
    err.print(f"written to {output}", markup=False, soft_wrap=True)


def _written(
    api: Api, kind: GraphType, form: str, which: tuple[str, str, int | None]
) -> bytes:
    project, ref, version = which
    query = [("project", project), ("ref", ref)]
    query += [("version", str(version))] if version is not None else []
    if form == "svg":
        # Drawn there: what was pushed may have no picture.
        path = f"graph/{kind.value}"
    else:
        path, query = f"api/graph/{kind.value}", [("format", form), *query]
    return api.ask("GET", path, query=query).body
