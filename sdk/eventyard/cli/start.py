"""`eventyard start`, and what the graph seed starts as `pubsub-tools event-flow`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn
from urllib.parse import urlsplit

import typer

from eventyard.cli.http import Api
from eventyard.cli.options import err, out
from eventyard.core.errors import EventRouterError, InvalidRequestError

_PORT: Final = 5555
_HOW: Final = """\
No Eventyard project here or above: `start` runs the platform of its repository.

  git clone <the repository> && cd eventyard && make run    on this machine
  make deploy STAGE=prod                                    on AWS

A router within your own process needs no starting: EventRouterClient() is one."""
_MEMORY: Final = """\
A router in memory lives within a process, and starts with its first client:

  async with EventRouterClient() as client: ..."""
_REDIS: Final = """\
The router of that transport is a redis-server: start one, then

  EventRouterClient(url="redis://localhost:6379")"""


class Transport(StrEnum):
    """How clients are to reach the router."""

    WEBSOCKET = "websocket"
    HTTP = "http"
    MEMORY = "memory"
    REDIS = "redis"


def start(
    transport: Annotated[
        Transport, typer.Option(help="How clients reach it; one port has both of HTTP.")
    ] = Transport.WEBSOCKET,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, envvar="EVENTYARD_PORT", help="Where.")
    ] = _PORT,
) -> None:
    """Start the platform on this machine, until Ctrl-C."""
    if transport is Transport.MEMORY:
        _say(_MEMORY)
    if transport is Transport.REDIS:
        _say(_REDIS)
    run(port)


def _say(text: str) -> NoReturn:
    err.print(text, markup=False, soft_wrap=True)
    raise typer.Exit(1)


def run(port: int, folder: Path | None = None) -> NoReturn:
    """Become the platform of the project around a folder; say how where there is none."""
    root = project(folder or Path.cwd())
    if root is None:
        _say(_HOW)
    python = interpreter(root)
    out.print(f"Starting the platform of {root} on port {port}", markup=False)
    out.file.flush()
    os.chdir(root)
    # In the place of this process: signals and the exit status are the platform's.
    os.execve(  # noqa: S606 - no shell is wanted
        python, [python, "-m", "infra.local"], environment(os.environ, port)
    )


def project(folder: Path) -> Path | None:
    """Return the nearest folder, from one upwards, that has a platform to run."""
    for place in (folder, *folder.parents):
        if (place / "infra" / "local.py").is_file() and (place / "app.py").is_file():
            return place
    return None


def interpreter(root: Path) -> str:
    """Return the Python that has what a project needs: its own, where `make` made it."""
    own = root / ".venv" / "bin" / "python"
    return str(own) if own.is_file() else sys.executable


def environment(kept: Mapping[str, str], port: int) -> dict[str, str]:
    """Return the environment of a platform on a port."""
    # What a client is told is not for the platform.
    without = {name: value for name, value in kept.items() if name != "EVENTYARD_URL"}
    return {**without, "EVENTYARD_PORT": str(port)}


def event_flow(
    config: Annotated[
        Path, typer.Option("--config", help="A configuration file (YAML).")
    ] = Path("event_flow_config.yaml"),
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Where, whatever it says.")
    ] = None,
) -> None:
    """Serve the event flow: the pages and the address that scanners push to."""
    from eventyard.scanner.settings import load

    try:
        said = load(config)
    except FileNotFoundError as error:
        raise InvalidRequestError(str(error)) from None
    url = said.api_url or f"http://localhost:{_PORT}"
    if port is None and _answers(url):
        out.print(f"The event flow is served already: {url.rstrip('/')}/flow")
        return
    local = urlsplit(url)
    if port is None and local.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise InvalidRequestError(
            f"Nothing answers at {url}, which {config} names, and which is another "
            "machine. Deploy there, or name a --port to serve it on this one."
        )
    run(port or local.port or _PORT, config.resolve().parent)


def _answers(url: str) -> bool:
    try:
        Api(url, timeout=2).get("api/v1/config")
    except EventRouterError:
        return False
    return True
