"""docs/howto/deliver-by-webhook.md, its commands and code run from top to bottom."""

from __future__ import annotations

from tests.howto import blocks, run
from tests.steps import publish

_PAGE = "deliver-by-webhook"


def test_the_commands_print_what_the_page_says(http, pump, receiver):
    for block in blocks(_PAGE, "console"):
        run(http, block)


def test_the_code_of_the_page_receives_what_is_sent(platform, http, pump, receiver):
    scope: dict[str, object] = {}
    exec(blocks(_PAGE, "python")[0], scope)
    target = {"type": "webhook", "url": receiver.url}
    wish = {"topics": "user.*", "target": target}
    secret = http.post("/api/v1/subscriptions", wish).json()["secret"]
    publish(platform, {"type": "user.created", "payload": {"n": 1}})
    pump.run()

    (one,) = receiver.received
    assert scope["receive"](one.body, one.headers, secret) == {"n": 1}
