"""The command line: `eventyard --help`."""

from __future__ import annotations

from typing import Any


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line."""
    from eventyard.cli.commands import app

    return app(arguments)
