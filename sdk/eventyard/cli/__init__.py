"""The command line: `eventyard --help`."""

from __future__ import annotations

from typing import Any


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line."""
    from eventyard.cli.commands import app

    return app(arguments)


def pubsub_tools(arguments: list[str] | None = None) -> Any:
    """Run `pubsub-tools`, as the tools for event flows were called."""
    from eventyard.cli.commands import pubsub

    return pubsub(arguments)
