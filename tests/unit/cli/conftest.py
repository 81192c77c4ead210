from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import eventyard
from tests.unit.cli.platform import FakePlatform

_ROOT = Path(eventyard.__file__).parent.parent
_MAIN = "from eventyard.cli import main; main()"
_KEPT = {k: v for k, v in os.environ.items() if not k.startswith("EVENTYARD_")}


@pytest.fixture
def fake():
    with FakePlatform() as made:
        yield made


@pytest.fixture
def call(monkeypatch):
    """Run a command in this process; return its result."""
    from eventyard.cli.commands import app

    for name in os.environ:
        if name.startswith("EVENTYARD_"):
            monkeypatch.delenv(name)

    def run(*words, status=0, stdin=None, at=None, app=app):
        at = {"EVENTYARD_URL": at.url} if at is not None else {}
        done = CliRunner().invoke(app, [*map(str, words)], input=stdin, env=at)
        assert done.exit_code == status, done.output
        return done

    return run


@pytest.fixture
def process():
    """Start a command as a process of its own."""
    started = []

    def start(*words, code=_MAIN, **environment):
        one = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            env={**_KEPT, "PYTHONPATH": str(_ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(one)
        return one

    yield start
    for one in started:
        with one:
            if one.poll() is None:
                one.kill()
