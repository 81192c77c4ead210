from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import eventyard


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
