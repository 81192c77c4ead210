"""What the tests of the how-to pages share: blocks, and a shell that knows curl."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDER = Path(__file__).parent.parent / "docs" / "howto"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, kind: str) -> list[str]:
    """Return the blocks of a kind on a page, in order."""
    text = (FOLDER / f"{page}.md").read_text()
    return [block for found, block in _BLOCK.findall(text) if found == kind]


def programs(page: str) -> list[tuple[str, str]]:
    """Return the Python of a page, block by block, each with the text it prints."""
    found: list[tuple[str, str]] = []
    for kind, block in _BLOCK.findall((FOLDER / f"{page}.md").read_text()):
        if kind == "python":
            found.append((block, ""))
        elif kind == "text":
            found[-1] = (found[-1][0], block)
    return found


def run(http: Any, block: str) -> None:
    """Run the command of a block; fail unless it prints what the block says."""
    command, printed = block.removeprefix("$ ").rsplit("\n", 2)[:2]
    assert fits(printed, _curl(http, command)), command


def _curl(http: Any, command: str) -> Any:
    words = shlex.split(command)
    assert words[:2] == ["curl", "-s"]
    address = urlsplit(f"http://{words[2]}")
    path = f"{address.path}?{address.query}" if address.query else address.path
    flag = next((one for one in ("-d", "--json") if one in words), None)
    body = words[words.index(flag) + 1] if flag else None
    return http._call("GET" if body is None else "POST", path, body, {}).json()


def fits(printed: str, answer: Any) -> bool:
    """Whether an answer has what is printed, `...` standing for the rest."""
    parts = [part.strip(" ,{}\n") for part in re.split(r"\.\.\.", printed)]
    text = json.dumps(answer)
    return all(part.rstrip('"') in text for part in parts if part)
