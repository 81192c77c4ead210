"""docs/howto/scan-your-code.md: its files written, its commands run in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.scanner.platform import GraphApi

_ROOT = Path(__file__).parent.parent.parent
_PAGE = _ROOT / "docs" / "howto" / "scan-your-code.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What `eventyard` is, where the package is not installed.
_EVENTYARD = '"$PYTHON" -c "from eventyard.cli import main; main()"'


def blocks(kind: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(_PAGE.read_text()) if found == kind]


def commands() -> list[tuple[str, str]]:
    """Every command, with what the page says that it prints."""
    text = "".join(blocks("console"))
    return [
        (command, printed.strip())
        for command, _, printed in (
            one.partition("\n") for one in text.removeprefix("$ ").split("\n$ ")
        )
    ]


def shell(command: str, folder: Path, url: str) -> str:
    """Run a command; return what it says, without how long it took."""
    runnable = re.sub(r"^eventyard\b", lambda _: _EVENTYARD, command)
    runnable = re.sub(r"^python\b", '"$PYTHON"', runnable)
    done = subprocess.run(
        ["sh", "-c", runnable],
        cwd=folder,
        env={
            **os.environ,
            "PYTHON": sys.executable,
            "PYTHONPATH": str(_ROOT / "sdk"),
            "EVENTYARD_URL": url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).splitlines()
    return "\n".join(line for line in said if " files read in " not in line).strip()


@pytest.fixture
def folder(tmp_path):
    for block in blocks("python"):
        name, source = block.removeprefix("# ").split("\n", 1)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path


def test_every_command_prints_what_the_page_says(folder):
    with GraphApi() as api:
        flow = folder / "flow.py"
        local = f'Path("shop/events"), api_url="{api.url}"'
        flow.write_text(
            flow.read_text().replace(
                'events_dir=Path("shop/events")', f"events_dir={local}"
            )
        )
        for command, printed in commands():
            assert shell(command, folder, api.url) == printed, command

        assert len(api.graphs) == 9


def test_the_configuration_of_the_page_is_understood(folder, monkeypatch):
    from eventyard.core.errors import InvalidRequestError
    from eventyard.scanner.settings import find, load

    (configuration,) = blocks("yaml")
    (folder / "event_flow_config.yaml").write_text(configuration)
    said = load(find(folder / "shop" / "agents"))

    assert said.agents_dir == folder / "shop" / "agents"
    assert said.style().main_flow[0] == ("START", "OrderPlaced")
    with pytest.raises(InvalidRequestError, match=r"shop\.tools"):
        said.read_by()  # the page's own detector is nowhere
