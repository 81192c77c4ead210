"""What the package shows, and what loading it costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eventyard.orchestration
from eventyard.agents import AgentWrapper
from eventyard.orchestration.tasks import ALLOWED

_WEB = Path(__file__).parents[3] / "chalicelib" / "web" / "static"


@pytest.mark.parametrize("name", eventyard.orchestration.__all__)
def test_every_public_name_is_there(name):
    assert getattr(eventyard.orchestration, name).__doc__


def test_an_agents_wrapper_is_found_beside_agents():
    assert AgentWrapper is eventyard.orchestration.AgentWrapper


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Nothing"):
        _ = eventyard.orchestration.Nothing
    with pytest.raises(AttributeError, match="Nothing"):
        _ = eventyard.agents.Nothing


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("eventyard.orchestration", ["asyncio", "urllib.request"]),
        ("eventyard.orchestration.tasks", ["asyncio", "urllib.request", "socket"]),
        ("eventyard.orchestration.circles", ["asyncio", "socket"]),
        ("eventyard.orchestration.circle_store", ["aiohttp", "urllib.request"]),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(module, absent):
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_page_knows_the_same_steps_as_the_server():
    text = (_WEB / "circlemodel.js").read_text()
    block = re.search(r"ALLOWED = (\{.*?\n\});", text, re.DOTALL)[1]
    told = json.loads(re.sub(r"(\w+):", r'"\1":', block).replace(",\n}", "\n}"))
    assert told == {
        at.value: [to.value for to in after] for at, after in ALLOWED.items()
    }
