"""docs/howto/share-memories.md, block by block."""

from __future__ import annotations

import ast
import inspect

import pytest

from eventyard.events import event_bus
from tests.awaiting import awaited
from tests.howto import blocks, run


@pytest.fixture
def bus():
    yield event_bus
    event_bus.reset()


@awaited
async def test_the_blocks_of_python_do_what_they_say(bus, capsys):
    scope: dict[str, object] = {}
    for block in blocks("share-memories", "python"):
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        done = eval(compile(block, "share-memories.md", "exec", flags), scope)
        if inspect.iscoroutine(done):
            await done

    told = "New knowledge: Database password is in .env.production\n"
    assert capsys.readouterr().out == told


def test_the_commands_print_what_the_page_says(http):
    written = blocks("share-memories", "console")
    assert len(written) == 2
    for block in written:
        run(http, block)
