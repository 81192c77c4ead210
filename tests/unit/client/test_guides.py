"""A guide for each pattern of the client: its blocks print what stands under them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from eventyard import EventRouterClient
from eventyard.transports.memory import Broker
from tests.awaiting import Clock, awaited, turns, until
from tests.howto import FOLDER, programs

GUIDES = [
    "ask-and-answer",
    "keep-a-history",
    "run-a-saga",
    "guard-handlers",
    "work-with-streams-and-windows",
    "publish-safely",
    "encrypt-payloads",
]
_ROOT = Path(__file__).parent.parent.parent.parent
_LINK = re.compile(r"\]\(([\w./-]+\.md)\)")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    Broker.forget()
    yield
    Broker.forget()


def defined(page):
    """Return what the first block of a page defines."""
    names = {"__name__": "howto"}
    exec(programs(page)[0][0], names)
    return names


@pytest.mark.parametrize("page", GUIDES)
def test_the_programs_of_a_guide_print_what_it_says(page, capsys):
    names = {"__name__": "howto"}
    for number, (code, printed) in enumerate(programs(page), 1):
        exec(compile(code, f"{page}.md, block {number}", "exec"), names)
        assert capsys.readouterr().out == printed, f"block {number}"
    assert any(printed for _, printed in programs(page))


@pytest.mark.parametrize(
    "page",
    [FOLDER / "use-the-client.md", _ROOT / "docs/index.md", _ROOT / "sdk/README.md"],
)
def test_every_guide_is_linked_from_where_it_is_looked_for(page):
    linked = {
        (page.parent / link).resolve() for link in _LINK.findall(page.read_text())
    }
    assert {FOLDER / f"{guide}.md" for guide in GUIDES} <= linked


@pytest.mark.parametrize("page", GUIDES)
def test_a_guide_links_only_what_is_there(page):
    links = _LINK.findall((FOLDER / f"{page}.md").read_text())
    assert all((FOLDER / link).is_file() for link in links)


# What the guides say, and do not show.


@awaited
async def test_all_responders_do_the_work_and_the_first_answer_counts():
    asked, asker = [], EventRouterClient()
    responders = [EventRouterClient(client_id=name) for name in ("north", "south")]
    gate = asyncio.Event()
    for client in responders:

        @client.respond("parcel.price")
        async def price(request, name=client.client_id):
            asked.append(name)
            if name == "north":
                await gate.wait()
            return {"from": name}

    async with asker, responders[0], responders[1]:
        answer = await asker.request("parcel.price")
        gate.set()
        await turns()
    assert answer.payload == {"from": "south"}
    assert sorted(asked) == ["north", "south"]


@pytest.mark.parametrize(("above", "tries"), [(True, 1), (False, 3)])
@awaited
async def test_a_refusal_is_tried_again_where_it_stands_below_an_error_handler(
    above, tries
):
    client, asked, told = EventRouterClient(), [], []
    retried = client.error_handler(max_retries=2, delay=0)

    async def refuses(event, context):
        asked.append(context.user)
        return False

    if above:
        handler = client.authorize(retried(refuses))
    else:
        handler = retried(client.authorize(refuses))
    client.on("refund.wanted")(handler)
    client.on_error(lambda error, _: told.append(type(error).__name__))
    async with client:
        await client.publish("refund.wanted")
        await until(lambda: told)
        assert len(await client.transport.dead_letters()) == (0 if above else 1)
    assert (told, len(asked)) == (["PermissionDeniedError"], tries)


@awaited
async def test_a_step_that_is_begun_twice_publishes_once():
    shop, clock = defined("run-a-saga")["shop"], Clock()
    stuck, free = asyncio.Event(), asyncio.Event()
    one, other = shop(), shop()
    one._sagas.clock = other._sagas.clock = clock
    append = one.transport.append

    async def hangs(stream, events, expected):
        if events[0].type == "saga.step.done":
            stuck.set()
            await free.wait()
        return await append(stream, events, expected)

    one.transport.append = hangs
    await one.publish("order.placed", {"order": 1, "item": "book"})
    await stuck.wait()
    clock.now += 31
    async with other:
        router = other.transport._router
        await until(lambda: any(e.type == "saga.step.done" for e in logged(router)))
        free.set()
        await one.disconnect()
    told = [event.type for event in logged(router)]
    assert told.count("saga.step.begun") == 2
    assert told.count("saga.step.done") == 1
    assert told.count("stock.reserve") == 1


def logged(router):
    return [one.event for one in router.since("")]
