"""The page of a platform that asks for keys: no secret stands in an address."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.running import ROOT, RunningPlatform

pytestmark = pytest.mark.browser
_ARRIVES_MS = 20_000


@pytest.fixture
def closed(tmp_path: Any) -> Any:
    """A platform that asks for keys, and a key that may listen and publish."""
    platform = RunningPlatform(tmp_path / "state", EVENTYARD_AUTH="keys")
    platform.start()
    yield platform, _key(platform, "events:subscribe", "events:publish")
    platform.stop()


def _key(platform: RunningPlatform, *scopes: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "infra.keys", *scopes],
        cwd=ROOT,
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()[0]


def test_the_program_of_the_howto_opens_a_connection(closed, page):
    platform, key = closed
    howto = (ROOT / "docs" / "howto" / "control-access.md").read_text()
    (program,) = re.findall(r"^```js\n(.*?)^```$", howto, re.MULTILINE | re.DOTALL)
    page.add_init_script(f"sessionStorage.setItem('eventyard.key', {key!r})")
    page.goto(platform.address)

    hello = page.evaluate(
        f"""async ([address, key]) => {{
          {program}
          const socket = await openLive(address, key);
          const message = await new Promise((done) => (socket.onmessage = done));
          socket.close();
          return JSON.parse(message.data);
        }}""",
        [f"{platform.live}/ws/router", key],
    )

    assert hello["type"] == "welcome"


def test_the_page_comes_live_with_a_ticket_and_again_with_another(closed, page):
    from playwright.sync_api import expect

    platform, key = closed
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script(f"sessionStorage.setItem('eventyard.key', {key!r})")

    with page.expect_websocket() as first:
        page.goto(platform.address)
    live = page.get_by_role("navigation", name="Pages").get_by_text("Live")
    expect(live).to_be_visible(timeout=_ARRIVES_MS)
    platform.publish("closed.sent", {"n": 1}, Authorization=f"Bearer {key}")
    row = page.get_by_role("table", name="Events, newest first").locator("tbody tr")
    expect(row.filter(has_text="closed.sent")).to_have_count(1, timeout=_ARRIVES_MS)

    with page.expect_websocket() as second:
        page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(live).to_be_visible(timeout=_ARRIVES_MS)

    opened = [first.value.url, second.value.url]
    tickets = {re.search(r"ticket=(tkt_[\w-]+)", url)[1] for url in opened}
    assert len(tickets) == 2
    assert not [url for url in [*asked, *opened] if key in url]
