"""What the documents show is what happens."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, in_a_loop, wait_until

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What differs from one run to the next.
_VARIES = [
    (re.compile(r"(evt_)?[0-9A-HJKMNP-TV-Z]{26}"), "ULID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
]


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(path.read_text()) if kind == language]


def steps(block: str) -> list[tuple[str, str]]:
    """Split a console block into commands and what they print."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def settled(text: str) -> str:
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_the_tour_prints_what_the_readme_says(own_platform):
    own_platform.start()
    commands = str(Path(sys.executable).parent / "eventyard")

    for block in blocks(ROOT / "README.md", "console"):
        for command, printed in steps(block):
            # A reader's queues are empty again before the next command is typed.
            wait_until(lambda: own_platform.get("/api/v1/stats")["queue_depth"] == 0)
            here = command.replace("http://localhost:5555", own_platform.address)
            done = subprocess.run(
                here.replace(".venv/bin/eventyard", commands),
                shell=True,
                cwd=ROOT,
                env={**own_platform.environment, "EVENTYARD_URL": own_platform.address},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert settled(done.stdout) == settled(printed), done.stderr or command


def test_the_readmes_program_hears_an_event(running):
    (source,) = blocks(ROOT / "README.md", "python")
    namespace: dict = {}
    exec(source, namespace)

    async def hear():
        hearing = asyncio.create_task(namespace["first_order"](running.address))
        while not hearing.done():
            payload = {"order": 1, "total": 60}
            await asyncio.to_thread(running.publish, "order.placed", payload)
            await asyncio.sleep(0.1)
        return await hearing

    assert in_a_loop(hear) == {"order": 1, "total": 60}


def test_the_packages_program_runs(capsys):
    (source,) = blocks(ROOT / "sdk" / "README.md", "python")

    exec(source, {})

    assert "mail.asked {'to': 'Ada'} because of evt_" in capsys.readouterr().out


def test_changelogs_and_package_agree_on_the_version():
    from eventyard import __version__

    for path in ("CHANGELOG.md", "sdk/CHANGELOG.md"):
        newest = re.search(r"^## (\S+)", (ROOT / path).read_text(), re.MULTILINE)
        assert newest[1] == __version__
    assert f'version = "{__version__}"' in (ROOT / "sdk" / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    "path", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=str
)
def test_links_between_documents_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())

    assert [link for link in links if not (path.parent / link).exists()] == []
