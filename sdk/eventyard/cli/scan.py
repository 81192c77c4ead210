"""`eventyard scan`: read code for its event flow, print it, check it, push it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from eventyard.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from eventyard.core.graph.diff import Diff
    from eventyard.core.graph.model import FlowModel
    from eventyard.scanner.flow import EventFlowScanner
    from eventyard.scanner.settings import Settings

_err = Console(stderr=True, highlight=False)
_INTERRUPTED = 130
#: Seconds between two looks at the files of who watches.
_PAUSE = 1.0


class Format(StrEnum):
    """What a flow is printed as."""

    TEXT = "text"
    DOT = "dot"
    MERMAID = "mermaid"
    ASYNCAPI = "asyncapi"
    JSON = "json"


class GraphType(StrEnum):
    """Which drawing DOT is of."""

    SIMPLIFIED = "simplified"
    COMPLETE = "complete"
    FULL_TREE = "full-tree"


@dataclass(frozen=True)
class _Wish:
    shown: Format | None
    drawing: GraphType
    output: Path | None
    check: bool
    base: str | None
    push: bool

    @property
    def prints(self) -> bool:
        """Whether anything is printed: who pushes does not read, unless asked for."""
        asked = self.shown or self.output or self.base
        return bool(asked) or not self.push


def scan(
    path: Annotated[
        Path | None, typer.Argument(help="The folder of the code; here by default.")
    ] = None,
    events_dir: Annotated[
        Path | None, typer.Option(help="Where events are classes, by namespace.")
    ] = None,
    api_url: Annotated[
        str | None,
        typer.Option(
            "--api-url", "--url", envvar="EVENTYARD_URL", help="The platform's address."
        ),
    ] = None,
    project: Annotated[str | None, typer.Option(help="Whose flow it is.")] = None,
    ref: Annotated[
        str | None,
        typer.Option(help="Of which branch; HEAD for the one checked out."),
    ] = None,
    interval: Annotated[
        float | None, typer.Option(help="Push every so many seconds, until Ctrl-C.")
    ] = None,
    one_shot: Annotated[
        bool, typer.Option("--one-shot", help="Scan once, whatever --interval says.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="A configuration file (YAML).")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Tell what changes, until Ctrl-C.")
    ] = False,
    push: Annotated[
        bool | None, typer.Option("--push/--no-push", help="Push the graphs, or not.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As --format json.")] = False,
    shown: Annotated[
        Format | None, typer.Option("--format", help="What to print it as: text.")
    ] = None,
    drawing: Annotated[
        GraphType, typer.Option("--type", help="What DOT is a drawing of.")
    ] = GraphType.COMPLETE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Print into a file.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Exit with 1 if an event is published and never heard, agents turn "
            "in a circle, a file cannot be read, or --diff finds something removed.",
        ),
    ] = False,
    base: Annotated[
        str | None,
        typer.Option(
            "--diff",
            metavar="BASE",
            help="Print what changed: a JSON scan, or a commit.",
        ),
    ] = None,
) -> None:
    """Read code for its event flow; nothing of it is imported or run."""
    again = None if one_shot else interval
    if again and push is False:
        raise InvalidRequestError("--interval pushes; to look only, take --watch.")
    pushes = bool(again) if push is None else push
    wish = _Wish(
        Format.JSON if as_json else shown, drawing, output, check, base, pushes
    )
    try:
        said = _settings(config, path)
        scanner = _scanner(said, path, events_dir, api_url, _PAUSE if watch else again)
        _name(scanner, said, project, ref)
        _run(scanner, wish, again, watch)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    except (ValueError, OSError) as error:
        raise InvalidRequestError(str(error)) from None


def _settings(config: Path | None, path: Path | None) -> Settings:
    from eventyard.scanner.settings import Settings, find, load

    if config is not None:
        return load(config)
    found = find(Path.cwd()) if path is None else None
    return load(found) if found else Settings()


def _scanner(
    said: Settings,
    path: Path | None,
    events_dir: Path | None,
    api_url: str | None,
    interval: float | None,
) -> EventFlowScanner:
    from eventyard.scanner.flow import EventFlowScanner

    return EventFlowScanner(
        path or said.agents_dir or Path(),
        events_dir or said.events_dir,
        api_url or said.api_url or "http://localhost:5555",
        interval,
        test_agents=said.test_agents,
        read_by=said.read_by(),
        style=said.style(),
        tell=_tell,
    )


def _name(
    scanner: EventFlowScanner, said: Settings, project: str | None, ref: str | None
) -> None:
    from eventyard.scanner._git import checkout

    scanner.project = project or said.project or scanner.project
    scanner.ref = ref or said.ref or scanner.ref
    if scanner.ref == "HEAD":
        branch = checkout(scanner.analyzer.agents_dir).branch
        if branch is None:
            raise InvalidRequestError("No branch is checked out: name one with --ref.")
        scanner.ref = branch


def _run(
    scanner: EventFlowScanner,
    wish: _Wish,
    interval: float | None,
    watch: bool,  # noqa: FBT001
) -> None:
    if watch:
        _watch(scanner, wish)
    elif interval:
        scanner.run_continuous()
        raise typer.Exit(_INTERRUPTED)
    else:
        _once(scanner, wish)


def _once(scanner: EventFlowScanner, wish: _Wish) -> None:
    start = time.perf_counter()
    with _progress() as progress:
        model = scanner.analyzer.analyze(progress)
    took = time.perf_counter() - start
    _tell(f"{scanner.analyzer.files} files read in {took:.2f} s")
    changes = None if wish.base is None else _changes(scanner, model, wish.base)
    if wish.prints:
        _print(_document(scanner, model, changes, wish), wish.output)
    wrong = list(_wrong(model, changes)) if wish.check else []
    for line in wrong:
        _tell(line)
    pushed = _push(scanner, model) if wish.push else True
    if wrong or not pushed:
        raise typer.Exit(1)


def _push(scanner: EventFlowScanner, model: FlowModel) -> bool:
    results = scanner.push(model)
    for kind, done in results.items():
        state = "unchanged" if kind in scanner.unchanged else "pushed"
        _tell(f"{kind}: {state if done else 'failed'}")
    return all(results.values())


def _watch(scanner: EventFlowScanner, wish: _Wish) -> None:
    from eventyard.core.graph.diff import diff

    before: FlowModel | None = None
    while True:
        model = scanner.analyzer.analyze()
        changes = None if before is None else diff(before, model)
        if changes is None:
            _print(_document(scanner, model, None, wish), wish.output)
            _tell(f"watching {scanner.analyzer.agents_dir}")
        elif not changes.empty:
            _print(_document(scanner, model, changes, wish), wish.output)
        if wish.push and (changes is None or not changes.empty):
            _push(scanner, model)
        before = model
        time.sleep(_PAUSE)


def _changes(scanner: EventFlowScanner, model: FlowModel, base: str) -> Diff:
    from eventyard.core.graph.diff import diff

    return diff(_base(scanner, base), model)


def _base(scanner: EventFlowScanner, base: str) -> FlowModel:
    from eventyard.core.graph.model import FlowModel

    if not Path(base).is_file():
        return scanner.analyzer.at(base)
    try:
        value = json.loads(Path(base).read_text("utf-8"))
    except ValueError as error:
        raise InvalidRequestError(f"{base} is not JSON: {error}") from None
    inner = value.get("model", value) if isinstance(value, dict) else value
    return FlowModel.from_dict(inner)


def _document(
    scanner: EventFlowScanner, model: FlowModel, changes: Diff | None, wish: _Wish
) -> str:
    if changes is not None:
        told = "".join(f"{line}\n" for line in _told(changes)) or "nothing changed\n"
        return _json(changes.to_dict()) if wish.shown is Format.JSON else told
    from eventyard.core.graph import exports

    makers: dict[Format, Callable[[], str]] = {
        Format.JSON: lambda: _json(scanner.summary(model)),
        Format.MERMAID: lambda: exports.mermaid(model),
        Format.ASYNCAPI: lambda: _json(
            exports.asyncapi(model, title=scanner.project, version="1")
        ),
        Format.DOT: lambda: scanner.draw(wish.drawing, model),
        Format.TEXT: lambda: exports.text(model) + _unclear(model),
    }
    return makers[wish.shown or Format.TEXT]()


def _unclear(model: FlowModel) -> str:
    lines = [f"  {one.at}: {one.kind}: {one.message}" for one in model.diagnostics]
    return "\n".join(["", "NOT CLEAR", *lines, ""]) if lines else ""


def _told(changes: Diff) -> Iterator[str]:
    marks = (("+", changes.added), ("-", changes.removed), ("~", changes.changed))
    for mark, found in marks:
        for event in found["events"]:
            yield f"{mark} event {event['name']}"
        for agent in found["agents"]:
            yield f"{mark} agent {agent['id']}"
        for edge in found["edges"]:
            yield f"{mark} {edge['agent']} {edge['kind']} {edge['event']}"


def _wrong(model: FlowModel, changes: Diff | None) -> Iterator[str]:
    from eventyard.core.graph.analysis import anomalies

    for found in anomalies(model)["details"].values():
        for one in found:
            if one["severity"] == "warning":
                yield f"anomaly: {one['message']}"
    for problem in model.diagnostics:
        if problem.kind != "dynamic":
            yield f"{problem.at}: {problem.kind}: {problem.message}"
    removed = changes.removed if changes is not None else {}
    for part, gone in removed.items():
        if gone:
            yield f"removed: {len(gone)} {part}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _print(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    else:
        output.write_text(text, "utf-8")


def _tell(line: str) -> None:
    # What code says is data: nothing in it is markup.
    _err.print(Text(line), soft_wrap=True)


@contextmanager
def _progress() -> Iterator[Any]:
    """Show how far a scan is, on a terminal."""
    if not _err.is_terminal:
        yield None
        return
    from rich.progress import Progress

    with Progress(console=_err, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield step
