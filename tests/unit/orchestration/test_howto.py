"""docs/howto/coordinate-agents.md: what runs in a program, from top to bottom."""

from __future__ import annotations

import pytest

from eventyard.events import event_bus
from tests.howto import blocks

_PAGE = "coordinate-agents"


@pytest.fixture
def bus():
    event_bus.reset()
    yield event_bus
    event_bus.reset()


def test_each_block_prints_what_the_page_says(bus, capsys):
    printed = blocks(_PAGE, "text")[:-1]
    names: dict[str, object] = {"__name__": "howto"}
    found = blocks(_PAGE, "python")[:-1]
    assert len(found) == len(printed)
    for block, expected in zip(found, printed, strict=True):
        exec(compile(block, f"{_PAGE}.md", "exec"), names)
        assert capsys.readouterr().out == expected
    assert bus.get_stats()["handler_errors"] == 0
