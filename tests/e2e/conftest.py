"""The running platform, and a browser where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.outside import Outside, outside_world
from tests.e2e.running import RunningPlatform

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
#: Files of which each test starts what it needs.
_ONE_BY_ONE = {"test_crashes", "test_running"}
_PAGES = ("test_page", "test_api_pages")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """
    Keep the tests of a file on one worker, where they share what they start.

    Those of some files share nothing: they are handed out one by one, last, so that
    no worker is left with a long file when the other has finished.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return nodeid if Path(file).stem in _ONE_BY_ONE else file

    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what pages do beside their main act to `make soak`: it takes minutes."""
    for item in items:
        of_a_page = item.path.stem.startswith(_PAGES)
        if of_a_page and item.get_closest_marker("main_act") is None:
            item.add_marker("soak")


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    """What the platform below meets of the world."""
    with outside_world() as servers:
        yield servers


@pytest.fixture(scope="session")
def running(
    tmp_path_factory: pytest.TempPathFactory, outside: Outside
) -> Iterator[RunningPlatform]:
    """One platform for all tests that leave it as they found it."""
    state = tmp_path_factory.mktemp("eventyard")
    platform = RunningPlatform(state, **outside.settings)
    platform.start()
    yield platform
    platform.stop()


@pytest.fixture
def own_platform(tmp_path: Any) -> Iterator[RunningPlatform]:
    """A platform that the test may stop, kill and start again."""
    platform = RunningPlatform(tmp_path / "state")
    yield platform
    if platform._process is not None:
        platform.stop()


@pytest.fixture(scope="session")
def base_url(running: RunningPlatform) -> str:
    return running.address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if _CHROMIUM is None:
        told = (
            "NO CHROMIUM, SO NO PAGE IS TESTED: install one (apt-get install chromium)"
        )
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(told)
        pytest.skip(told)
    from playwright.sync_api import expect, sync_playwright

    # Two platforms may start their functions cold on two cores at once.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page that fails its test on any error in the console."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if message.type == "error" else None
        ),
    )
    yield page
    context.close()
    assert complaints == []


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly, at the very end, that pages went untested."""
    if _CHROMIUM is None:
        terminalreporter.write_line(
            "\n*** NO CHROMIUM: every test of a page was SKIPPED ***",
            red=True,
            bold=True,
        )
