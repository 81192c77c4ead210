"""docs/howto/use-the-command-line.md: all that it types is there to be typed."""

from __future__ import annotations

import shlex

import pytest
from typer.main import get_command

from eventyard.cli.commands import app
from tests.howto import blocks

_LINES = [
    line.removeprefix("$ eventyard ")
    for block in blocks("use-the-command-line", "console")
    for line in block.splitlines()
    if line.startswith("$ eventyard ")
]


@pytest.mark.parametrize("line", _LINES)
def test_each_command_of_the_page_is_understood(line):
    words = shlex.split(line)
    command = get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]

    # Read as it would be; a wrong option, or one too many, raises.
    assert command.make_context(command.name, words).params


def test_the_page_shows_most_of_what_there_is():
    shown = {line.split()[0] for line in _LINES}
    there = {name for name, one in get_command(app).commands.items() if not one.hidden}
    assert there - shown <= {"start", "event", "queues"}
