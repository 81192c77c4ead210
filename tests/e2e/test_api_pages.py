"""`/docs` and `/redoc`: the interface, to look up, to try out and to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.running import RunningPlatform

pytestmark = pytest.mark.browser
SHOWN_MS = 20_000


@pytest.fixture
def foreign(page: Page, base_url: str) -> Iterator[list[str]]:
    """What a page asks of anybody else; nothing."""
    asked: list[str] = []
    ours = (base_url, "data:", f"blob:{base_url}")
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(ours) else asked.append(request.url)
        ),
    )
    yield asked
    assert asked == []


def operation(page: Page, operation_id: str) -> Locator:
    """One operation of Swagger UI, opened."""
    found = page.locator(f"[id$='-{operation_id}']")
    found.get_by_role("button").first.click(timeout=SHOWN_MS)
    return found


def test_the_rail_leads_to_the_addresses(page: Page, base_url: str) -> None:
    page.goto(base_url)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="API").click()
    expect(page).to_have_url(f"{base_url}/docs")
    expect(page).to_have_title("API · Eventyard")


#: Two frames after the page was moved.
_SETTLED = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame("
    "() => done(true))))"
)
_SUMMARIES = "(blocks) => blocks.map((one) => [one.id, one.innerText])"


def test_every_address_is_shown_with_what_it_is_for(
    page: Page, base_url: str, running: RunningPlatform, foreign: list[str]
) -> None:
    paths = running.get("/openapi.json")["paths"]
    operations = [one for methods in paths.values() for one in methods.values()]
    page.goto(f"{base_url}/docs")
    expect(page.locator(".opblock").first).to_be_visible(timeout=SHOWN_MS)

    # Of so many no more are drawn than are seen: the page is walked through.
    shown: dict[str, str] = {}
    page.mouse.move(600, 400)
    while len(shown) < len(operations):
        page.mouse.wheel(0, 400)
        page.wait_for_function(_SETTLED)
        before = len(shown)
        shown |= dict(page.locator(".opblock").evaluate_all(_SUMMARIES))
        at_end = page.evaluate(
            "scrollY + innerHeight >= document.body.scrollHeight - 2"
        )
        assert not at_end or len(shown) > before or len(shown) == len(operations)
    for summary in ("Read one event, whole", "Check what the platform stands on"):
        assert sum(summary in text for text in shown.values()) == 1


@pytest.mark.main_act
def test_an_event_can_be_published_and_read_by_trying_it_out(
    page: Page, base_url: str, running: RunningPlatform, foreign: list[str]
) -> None:
    topic = f"tried.{uuid4().hex[:10]}"
    page.goto(f"{base_url}/docs")
    publish = operation(page, "publish")
    publish.locator("textarea.body-param__text").fill(json.dumps({"type": topic}))
    publish.get_by_role("button", name="Execute").click()
    answered = publish.locator(".live-responses-table")
    expect(answered).to_contain_text("201", timeout=SHOWN_MS)
    (event_id,) = running.logged(topic)

    read = operation(page, "get_event")
    read.get_by_placeholder("event_id").fill(event_id)
    read.get_by_role("button", name="Execute").click()
    expect(read.locator(".live-responses-table")).to_contain_text(topic)


def test_the_theme_of_the_pages_holds_here_too(page: Page, base_url: str) -> None:
    page.goto(base_url)
    page.get_by_role("button", name="Switch to light").click()
    page.get_by_role("button", name="Switch to dark").click()
    page.goto(f"{base_url}/docs")
    expect(page.locator("html")).to_have_class("dark-mode")


@pytest.mark.main_act
def test_the_reference_can_be_read_and_searched(
    page: Page, base_url: str, foreign: list[str]
) -> None:
    page.goto(f"{base_url}/redoc")
    heading = page.get_by_role("heading", name="Send dead letters on their way again")
    expect(heading).to_have_count(1, timeout=SHOWN_MS)
    page.get_by_placeholder("Search").fill("revoke")
    found = page.get_by_role("search").get_by_text("Revoke a key")
    expect(found.first).to_be_visible(timeout=SHOWN_MS)


@pytest.mark.parametrize("name", ["docs", "redoc"])
def test_nothing_is_cut_off_on_a_phone(page: Page, base_url: str, name: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{base_url}/{name}")
    title = page.get_by_role("heading", name="Eventyard").first
    expect(title).to_be_visible(timeout=SHOWN_MS)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
