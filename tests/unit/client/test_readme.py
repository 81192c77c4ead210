"""sdk/README.md: its program runs, and is as short as it should be."""

from __future__ import annotations

import re
from pathlib import Path

_README = Path(__file__).parent.parent.parent.parent / "sdk" / "README.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind):
    return [
        text for found, text in _BLOCK.findall(_README.read_text()) if found == kind
    ]


def test_the_program_of_the_readme_prints_what_the_order_led_to(capsys, monkeypatch):
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    (program,) = blocks("python")

    exec(compile(program, str(_README), "exec"), {"__name__": "__main__"})

    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"mail\.asked {'to': 'Ada'} because of evt_\w{26}", line)
    assert len([one for one in program.splitlines() if one.strip()]) <= 20


def test_every_command_of_the_readme_is_there():
    from typer.main import get_command

    from eventyard.cli.commands import app

    there = get_command(app).commands
    named = re.findall(r"eventyard ([a-z]+)", "".join(blocks("console")))
    assert named
    assert set(named) <= set(there)
