"""`python -m eventyard.scanner`: scan a folder and push its graphs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eventyard.core.errors import EventRouterError
from eventyard.scanner.flow import EventFlowScanner
from eventyard.scanner.settings import Settings, find, load

_LOCAL: Final = "http://localhost:5555"
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run with the arguments of the command line; return the exit code.

    0 when every graph was pushed, else 1, and 130 after Ctrl-C.
    """
    chosen = _parser().parse_args(arguments)
    try:
        scanner = _scanner(chosen)
        if chosen.interval and not chosen.one_shot:
            scanner.run_continuous()
            return _INTERRUPTED
        return _once(scanner)
    except (EventRouterError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m eventyard.scanner", description=__doc__)
    add = parser.add_argument
    add("--agents-dir", type=Path, help="the folder of the code")
    add("--events-dir", type=Path, help="the folder of the events' classes")
    add("--api-url", help=f"the platform's address (EVENTYARD_URL, or {_LOCAL})")
    add("--interval", type=float, help="scan every so many seconds, until Ctrl-C")
    add("--one-shot", action="store_true", help="scan once, whatever --interval says")
    add("--config", type=Path, help="a configuration file; flags have the last word")
    add("--project", help="whose graphs these are (default)")
    add("--ref", help="of which branch or version (main)")
    return parser


def _scanner(chosen: argparse.Namespace) -> EventFlowScanner:
    said = _settings(chosen)
    agents = chosen.agents_dir or said.agents_dir
    if agents is None:
        raise ValueError("Name the folder of the code with --agents-dir.")
    return EventFlowScanner(
        agents,
        chosen.events_dir or said.events_dir,
        chosen.api_url or os.environ.get("EVENTYARD_URL") or said.api_url or _LOCAL,
        chosen.interval or None,
        project=chosen.project or said.project or "default",
        ref=chosen.ref or said.ref or "main",
        test_agents=said.test_agents,
        read_by=said.read_by(),
        style=said.style(),
    )


def _settings(chosen: argparse.Namespace) -> Settings:
    if chosen.config is not None:
        return load(chosen.config)
    found = find(Path.cwd()) if chosen.agents_dir is None else None
    return load(found) if found else Settings()


def _once(scanner: EventFlowScanner) -> int:
    results = scanner.scan_once()
    for kind, done in results.items():
        state = "unchanged" if kind in scanner.unchanged else "pushed"
        sys.stdout.write(f"{kind}: {state if done else 'failed'}\n")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
