"""docs/howto/follow-pull-requests.md, its commands and code run from top to bottom."""

from __future__ import annotations

import asyncio
import dataclasses

from tests import github
from tests.howto import blocks, run

_PAGE = "follow-pull-requests"
_SECRET = "both sides know it"


def test_the_commands_print_what_the_page_says(http, platform, pump):
    platform.settings = dataclasses.replace(platform.settings, github_secret=_SECRET)
    scope: dict[str, object] = {}
    exec(blocks(_PAGE, "python")[0], scope)

    for name in ("pull_request.opened", "check_run.completed.failure"):
        sample = github.load(name)
        delivery = (_SECRET, sample.event, sample.delivery, sample.body)
        body, headers = scope["deliver"](*delivery)
        assert http.post("/webhook", body, **headers).status == 202
    pump.left.add("insights")
    pump.run()
    shown = blocks(_PAGE, "console")
    for block in shown[:3]:
        run(http, block)
    pump.left.clear()
    pump.run()

    for block in shown[3:]:
        run(http, block)


def test_the_program_that_follows_is_one():
    scope: dict[str, object] = {}
    exec(blocks(_PAGE, "python")[1], scope)

    changes = scope["changes"]("ws://127.0.0.1:1")

    async def first():
        return await anext(changes)

    try:
        asyncio.run(first())
    except OSError as error:
        refused = error
    assert "127.0.0.1" in str(refused)
