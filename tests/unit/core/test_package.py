from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import eventyard


def test_public_names_are_there_and_no_others():
    for name in eventyard.__all__:
        assert getattr(eventyard, name) is not None
    assert dir(eventyard) == sorted(eventyard.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        eventyard.nonsense  # noqa: B018


def test_importing_the_core_loads_no_network_library_and_no_pydantic():
    program = (
        "import sys, eventyard; loaded = 'eventyard.core.event' in sys.modules;"
        "import eventyard.core.matching, eventyard.core.wire;"
        "heavy = {'aiohttp', 'asyncio', 'socket', 'ssl', 'pydantic', 'boto3'};"
        "sys.exit(loaded or str(sorted(heavy & sys.modules.keys()))"
        " if loaded or heavy & sys.modules.keys() else 0)"
    )
    environment = {"PYTHONPATH": str(Path(eventyard.__file__).parents[1])}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
