"""docs/howto/write-agents.md, its blocks run from top to bottom."""

from __future__ import annotations

from eventyard.transports.memory import Broker
from tests.howto import blocks
from tests.unit.client.running import with_client

_PAGE = "write-agents"


def defined(monkeypatch):
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    Broker.forget()
    names = {"__name__": "howto"}
    for block in blocks(_PAGE, "python"):
        exec(compile(block, f"{_PAGE}.md", "exec"), names)
    Broker.forget()
    return names


def test_the_program_prints_what_the_page_says(monkeypatch, capsys):
    defined(monkeypatch)
    (printed,) = blocks(_PAGE, "text")
    assert capsys.readouterr().out == printed


def test_the_router_is_looked_after_as_the_page_says(monkeypatch, capsys):
    names = defined(monkeypatch)
    capsys.readouterr()

    async def test(client):
        await client.publish("x")
        await client.bury(client.event("x"), "s", "no luck", 3)
        await names["look"](client)
        assert await client.transport.dead_letters() == []

    with_client(test)

    assert capsys.readouterr().out == "1 events, 0 a second\nx: no luck\n"
