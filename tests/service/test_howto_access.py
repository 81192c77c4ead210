"""docs/howto/control-access.md, its blocks run from top to bottom."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from chalicelib import config
from tests.identity import Provider
from tests.steps import bearer

_PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "control-access.md"
_TEXT = _PAGE.read_text()
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"(?P<name>[A-Z]+)=\$\((?P<command>.*)\)")
#: What differs from one run to the next.
_VARIES = [
    (re.compile(r"evt_[0-9A-HJKMNP-TV-Z]{26}"), "EVENT"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
]


def blocks(kind: str) -> list[str]:
    return [text for found, text in _FENCE.findall(_TEXT) if found == kind]


class Shell:
    """Understands of a shell what the page uses: curl, jq, variables."""

    def __init__(self, http: Any, **variables: str) -> None:
        self._http = http
        self._variables = {"URL": "http://x.test", **variables}

    def run(self, command: str) -> str:
        """Run a command; return what it prints."""
        assigned = _ASSIGNMENT.fullmatch(command)
        if assigned:
            printed = self.run(assigned["command"])
            self._variables[assigned["name"]] = printed.strip()
            return ""
        request, _, query = command.partition(" | jq ")
        answer = self._curl(self._words(request)[1:])
        if not query:
            return answer
        option, expression = shlex.split(query)
        found = _select(expression, json.loads(answer))
        return found if option == "-r" and isinstance(found, str) else json.dumps(found)

    def _words(self, command: str) -> list[str]:
        named = re.sub(r"\$([A-Z]+)", lambda m: self._variables[m[1]], command)
        return shlex.split(named)

    def _curl(self, words: list[str]) -> str:
        method, body, headers, path = None, None, {}, ""
        while words:
            match words.pop(0):
                case "-s":
                    continue
                case "-X":
                    method = words.pop(0)
                case "--json":
                    body = words.pop(0)
                case "-H":
                    name, _, value = words.pop(0).partition(": ")
                    headers[name] = value
                case address:
                    path = urlsplit(address).path
        method = method or ("GET" if body is None else "POST")
        return self._http._call(method, path, body, headers).text


def _select(expression: str, value: Any) -> Any:
    if expression == "keys[0]":
        return min(value)
    chosen = re.fullmatch(
        r'\.keys\[\] \| select\(\.name == "(\w+)"\) \| \.id', expression
    )
    if chosen:
        (found,) = [key["id"] for key in value["keys"] if key["name"] == chosen[1]]
        return found
    for part in expression.removeprefix(".").split("."):
        value = value[part]
    return value


def settled(text: str) -> Any:
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


@pytest.fixture
def provider():
    import threading

    made = Provider()
    made.add("k1", "ES256")
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def settings(settings, provider, monkeypatch):
    """The platform, configured as the page says but for where the provider is."""
    environment = dict(line.split("=", 1) for line in blocks("sh")[0].split())
    environment["EVENTYARD_JWT_ISSUER"] = provider.issuer
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return config.from_environment()


def test_the_commands_print_what_the_page_says(http, locked, provider):
    admin = bearer(http, "admin")
    del http.headers["Authorization"]
    (claims,) = map(json.loads, blocks("json"))
    token = provider.token("k1", **{**claims, "iss": provider.issuer})
    shell = Shell(http, ADMIN=admin, TOKEN=token)

    for block in blocks("console"):
        parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
        for command, printed in zip(parts[::2], parts[1::2], strict=True):
            assert settled(shell.run(command)) == settled(printed), command


def test_the_template_of_the_page_is_sound():
    from cfnlint.api import lint_all

    (template,) = blocks("yaml")

    faults = [str(m) for m in lint_all(template) if m.rule.id.startswith(("E", "W"))]

    assert faults == []
    assert "MutualTlsAuthentication" in template


def test_the_template_maps_the_stage_that_is_deployed():
    from infra.template import GATEWAY_STAGE

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, _, node: node.value)
    (template,) = blocks("yaml")
    resources = yaml.load(template, Loader=Loader)["Resources"]

    assert resources["Mapping"]["Properties"]["Stage"] == GATEWAY_STAGE


def test_the_settings_of_the_page_are_settings():
    from tests.unit.server.test_config import NEEDED

    environment = dict(line.split("=", 1) for line in blocks("sh")[0].split())

    found = config.from_environment({**NEEDED, **environment}).jwt

    assert found is not None
    assert found.jwks_url == "https://id.example.com/.well-known/jwks.json"


def test_every_kind_of_block_is_run_somewhere():
    kinds = {kind for kind, _ in _FENCE.findall(_TEXT)}

    # js runs in a browser: tests/e2e/test_closed_page.py
    assert kinds == {"console", "sh", "json", "js", "yaml"}
