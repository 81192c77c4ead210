"""The Python package as it is handed out: wheel and sdist, and what they hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

_SDK = Path(__file__).parent.parent.parent / "sdk"
_PYPROJECT = tomllib.loads((_SDK / "pyproject.toml").read_text())


def built(kind, folder):
    """Build as `pip` and `build` do, by the backend alone, so without a network."""
    code = f"from hatchling.build import build_{kind}; print(build_{kind}({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=_SDK,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    with zipfile.ZipFile(built("wheel", tmp_path_factory.mktemp("wheel"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    with tarfile.open(built("sdist", tmp_path_factory.mktemp("sdist"))) as opened:
        yield opened


def sources():
    files = (_SDK / "eventyard").rglob("*.py")
    return {str(file.relative_to(_SDK)) for file in files}


def test_a_wheel_has_every_module_its_types_and_no_tests(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert sources() <= names
    assert "eventyard/py.typed" in names
    assert not [name for name in names if not name.startswith("eventyard/")]
    assert not [name for name in names if "test_" in name or "/tests/" in name]


def test_an_sdist_has_what_a_wheel_is_built_from_and_no_tests(sdist):
    names = {name.partition("/")[2] for name in sdist.getnames()}

    assert sources() <= names
    kept = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}
    assert {*kept, "eventyard/py.typed"} <= names
    assert not [name for name in names if "test_" in name or "/tests/" in name]


def test_a_wheel_says_what_it_needs_and_brings(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith("/METADATA"))
    told = message_from_string(wheel.read(name).decode())
    extras = {
        *("aws", "crypto", "memories", "otel"),
        *("postgres", "redis", "scanner", "scraping"),
    }
    (scripts,) = (n for n in wheel.namelist() if n.endswith("/entry_points.txt"))

    assert told["Requires-Python"] == ">=3.11"
    assert set(told.get_all("Provides-Extra")) == extras
    assert [n for n in wheel.namelist() if n.endswith("licenses/LICENSE")]
    assert re.findall(r"^([\w-]+) =", wheel.read(scripts).decode(), re.MULTILINE) == [
        "event-router",
        "eventyard",
        "pubsub-tools",
    ]


def test_what_is_built_works_alone(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = (
        "import sys; sys.argv[0] = 'event-router'\n"
        "import eventyard; print(eventyard.__file__)\n"
        "from eventyard.cli import main; main(['--help'])"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EVENTYARD_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
    assert "doctor" in done.stdout


@pytest.mark.parametrize("script", sorted(_PYPROJECT["project"]["scripts"]))
def test_every_entry_point_is_there_to_be_called(script):
    module, _, name = _PYPROJECT["project"]["scripts"][script].partition(":")
    assert callable(getattr(__import__(module, fromlist=[name]), name))
