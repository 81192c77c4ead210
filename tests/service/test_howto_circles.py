"""docs/howto/coordinate-agents.md: what a server does of it."""

from __future__ import annotations

from eventyard.orchestration import CircleStore
from tests import howto
from tests.circles import Served

_PAGE = "coordinate-agents"


def test_the_commands_answer_as_the_page_says(http, monkeypatch, capsys):
    for block in howto.blocks(_PAGE, "console"):
        howto.run(http, block)
    with Served(http) as served:
        monkeypatch.setenv("EVENTYARD_URL", served.origin)
        names = {"CircleStore": CircleStore}
        exec(compile(howto.blocks(_PAGE, "python")[-1], _PAGE, "exec"), names)

    assert capsys.readouterr().out == howto.blocks(_PAGE, "text")[-1]
