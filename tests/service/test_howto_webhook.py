"""docs/howto/deliver-by-webhook.md, its commands and code run from top to bottom."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from tests.steps import publish

_PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "deliver-by-webhook.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind):
    return [text for found, text in _BLOCK.findall(_PAGE.read_text()) if found == kind]


def curl(http, command):
    words = shlex.split(command)
    assert words[:2] == ["curl", "-s"]
    path = urlsplit(f"http://{words[2]}").path
    body = words[words.index("-d") + 1] if "-d" in words else None
    return http._call("GET" if body is None else "POST", path, body, {}).json()


def fits(printed, answer):
    """Whether an answer has what is printed, `...` standing for the rest."""
    parts = [part.strip(" ,{}\n") for part in re.split(r"\.\.\.", printed)]
    text = json.dumps(answer)
    return all(part.rstrip('"') in text for part in parts if part)


def test_the_commands_print_what_the_page_says(http, pump, receiver):
    for block in blocks("console"):
        command, printed = block.removeprefix("$ ").rsplit("\n", 2)[:2]
        assert fits(printed, curl(http, command)), command


def test_the_code_of_the_page_receives_what_is_sent(platform, http, pump, receiver):
    scope: dict[str, object] = {}
    exec(blocks("python")[0], scope)
    target = {"type": "webhook", "url": receiver.url}
    wish = {"topics": "user.*", "target": target}
    secret = http.post("/api/v1/subscriptions", wish).json()["secret"]
    publish(platform, {"type": "user.created", "payload": {"n": 1}})
    pump.run()

    (one,) = receiver.received
    assert scope["receive"](one.body, one.headers, secret) == {"n": 1}
