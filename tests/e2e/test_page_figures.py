"""The overview's processes: a program reports, and the page shows how it does."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from eventyard import EventRouterClient
from eventyard.cache import CacheConfig, CacheManager
from eventyard.events import Event, EventBus
from tests.e2e.test_page import ARRIVES_MS, HOSTILE, open_live, publish

pytestmark = pytest.mark.browser


@contextmanager
def program(base_url: str, name: str) -> Iterator[None]:
    """A program with a bus, one failing handler and a cache in the process, that reports."""
    ending, begun = threading.Event(), threading.Event()

    async def work() -> None:
        bus = EventBus.separate()

        def fail(_: Event) -> None:
            raise ValueError("a handler fails")

        bus.subscribe("task.failing", fail)
        await bus.publish(Event("task.failing"))
        with CacheManager(CacheConfig(enabled=False)) as cache:
            async with (
                EventRouterClient(url=base_url) as client,
                client.report(name, cache=cache, bus=bus, every_s=1),
            ):
                begun.set()
                while not ending.is_set():
                    await bus.publish(Event("task.created"))
                    await asyncio.sleep(0.1)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        assert begun.wait(30)
        yield
    finally:
        ending.set()
        thread.join(60)


@pytest.mark.main_act
def test_processes_that_report_are_shown_and_how_they_do(
    page: Page, base_url: str
) -> None:
    name = f"pricing {uuid4().hex[:8]}"
    open_live(page, base_url)
    panel = page.get_by_role("region", name="Processes")
    # Without any it says how to make one report; here others may have, just before.
    expect(
        panel.get_by_text("client.report(cache=cache)")
        .or_(panel.get_by_role("table"))
        .first
    ).to_be_visible()
    row = panel.get_by_role("row").filter(has_text=name)
    with program(base_url, name):
        # It comes by the live connection and is there before one asks again.
        expect(row).to_contain_text("Up", timeout=ARRIVES_MS)
        expect(row.locator("td.col-cache")).to_contain_text("Off")
        expect(row.locator("td.col-errors")).to_contain_text("1")
        bus = row.locator("td.col-bus")
        expect(bus).to_have_text(re.compile(r"^\d{3}$"), timeout=ARRIVES_MS)
    expect(row).to_contain_text("Ended", timeout=ARRIVES_MS)


@pytest.mark.main_act
def test_what_strangers_report_is_text_and_who_is_silent_is_told(
    page: Page, base_url: str
) -> None:
    name = f"silent {uuid4().hex[:8]} {HOSTILE}"
    told = {
        "process": name,
        "started_at": HOSTILE,
        "every_s": 0.5,
        "cache": {"enabled": True, "hits": 9, "misses": 1, "hit_rate": 90, "local": 7},
        "bus": {"events_published": HOSTILE, "handler_errors": {"a": 1}},
        "telemetry": HOSTILE,
        "client": {"pending": []},
    }
    publish(base_url, {"type": "telemetry.reported", "payload": told})
    open_live(page, base_url)
    panel = page.get_by_role("region", name="Processes")
    expect(panel).to_contain_text("1 silent", timeout=ARRIVES_MS)
    row = panel.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("Silent", timeout=ARRIVES_MS)
    expect(row.locator("td.col-cache")).to_have_text("90 %")
    expect(row.locator("td.col-hits")).to_have_text("9, 1")
    expect(row.locator("td.col-errors")).to_have_text("\u2013")
    assert page.title() == "Overview · Eventyard"


def test_what_flows_is_told_beside(page: Page, base_url: str) -> None:
    publish(base_url, *[{"type": f"flows.{uuid4().hex[:6]}"} for _ in range(20)])
    open_live(page, base_url)
    flow = page.get_by_label("The last five minutes")
    rate = flow.locator("div").filter(has_text="Events/min").get_by_role("definition")
    expect(rate).to_have_text(re.compile(r"[1-9]"), timeout=ARRIVES_MS)
