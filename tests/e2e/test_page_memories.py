"""The page of memories, as people use it, on the running platform."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.running import RunningPlatform

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'
WIDE = "document.documentElement.scrollWidth - innerWidth"


def post(running: RunningPlatform, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{running.address}/api/v1/memories{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def known(running: RunningPlatform) -> RunningPlatform:
    new = {"agent_id": "page-a", "tags": ["ops"]}
    said = [
        {**new, "content": "Database password is in .env.production", "tags": ["ops"]},
        {**new, "content": "The team has lunch at noon", "memory_type": "preference"},
        {**new, "content": HOSTILE, "memory_type": "error", "tags": [HOSTILE[:60]]},
        {**new, "content": "Deploy on Fridays"},
    ]
    post(running, "/batch", {"memories": said})
    known = {"title": "How to deploy", "content": "make deploy", "category": "ops"}
    post(running, "/knowledge", {**known, "source_url": "javascript:alert(1)"})
    return running


def rows(page: Page) -> Locator:
    return page.locator(".memories-page tbody tr")


def drawer(page: Page, name: str) -> Locator:
    return page.get_by_role("complementary", name=re.compile(name))


@pytest.mark.main_act
def test_an_agent_is_chosen_its_memories_listed_and_found_by_meaning(
    page: Page, known: RunningPlatform
) -> None:
    page.goto(f"{known.address}/memories")
    page.get_by_role("row", name=re.compile("page-a")).click()

    expect(page).to_have_url(re.compile("agent=page-a"))
    expect(rows(page)).to_have_count(4)
    page.keyboard.press("/")
    page.keyboard.type("where is the database password?")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text(".env.production")
    expect(rows(page).locator(".col-near")).to_have_text(re.compile(r"^\d+ %$"))
    page.get_by_role("button", name="Clear").click()
    expect(rows(page)).to_have_count(4)
    page.get_by_label("Type").select_option("preference")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    rows(page).filter(has_text="password").click()
    drawer(page, "^Memory").get_by_role("link", name="ops").click()
    expect(rows(page)).to_have_count(3)
    page.get_by_role("button", name="Without the tag").click()
    expect(rows(page)).to_have_count(4)
    page.reload()
    expect(rows(page)).to_have_count(4)


@pytest.mark.main_act
def test_what_a_stranger_wrote_is_text_everywhere(
    page: Page, known: RunningPlatform
) -> None:
    page.goto(f"{known.address}/memories?agent=page-a&type=error")
    rows(page).first.click()

    expect(drawer(page, "^Memory").locator(".said")).to_contain_text("<script>")
    assert page.locator("main img, aside img").count() == 0


@pytest.mark.main_act
def test_something_is_remembered_opened_and_forgotten(
    page: Page, known: RunningPlatform
) -> None:
    page.goto(f"{known.address}/memories?agent=page-b")
    expect(page.get_by_text("This agent remembers nothing.")).to_be_visible()
    page.keyboard.press("n")
    form = drawer(page, "^Remember$")
    expect(form.get_by_label("What is to be remembered")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(form.get_by_text("A text is needed.")).to_be_visible()
    page.keyboard.type("Invoices go out on the first of the month")
    form.get_by_label("Tags").fill("billing, monthly")
    form.get_by_label("Who recalls it").select_option("circle")
    page.keyboard.press("Control+Enter")
    expect(form.get_by_text("Its id is needed.")).to_be_visible()
    form.get_by_label("Who recalls it").select_option("agent")
    form.get_by_role("button", name="Remember").click()

    made = drawer(page, "^Memory mem_")
    expect(made.locator(".said")).to_contain_text("Invoices go out")
    expect(rows(page)).to_have_count(1)
    made.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(rows(page)).to_have_count(1)
    made.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_text("This agent remembers nothing.")).to_be_visible()
    expect(made).to_have_count(0)


def test_knowledge_has_a_side_of_its_own(page: Page, known: RunningPlatform) -> None:
    page.goto(f"{known.address}/memories")
    page.get_by_role("link", name="Knowledge", exact=True).click()
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Question").fill("deploying")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    rows(page).first.click()
    one = drawer(page, "^Knowledge kn_")
    expect(one.locator(".said")).to_contain_text("make deploy")
    # A link that would run something is no link.
    expect(one.get_by_text("javascript:alert(1)")).to_be_visible()
    assert one.get_by_role("link", name="javascript").count() == 0
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Add knowledge").click()
    form = drawer(page, "^Add knowledge$")
    form.get_by_label("Title").fill("Holidays")
    form.get_by_label("What is known").fill("The office is closed in August")
    form.get_by_role("button", name="Add knowledge").click()
    expect(drawer(page, "^Knowledge kn_").locator(".said")).to_contain_text("August")


def test_what_is_refused_says_why_and_keeps_what_was_typed(
    page: Page, known: RunningPlatform
) -> None:
    page.goto(f"{known.address}/memories/new?agent=page-d")
    form = drawer(page, "^Remember$")
    form.get_by_label("Agent").fill("page d")
    form.get_by_label("What is to be remembered").fill("still here")
    form.get_by_role("button", name="Remember").click()
    expect(form.get_by_text("An agent is needed.")).to_be_visible()
    expect(form.get_by_label("What is to be remembered")).to_have_value("still here")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(
    page: Page, known: RunningPlatform, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("", "?agent=page-a", "?agent=page-a&q=password", "?view=knowledge"):
        page.goto(f"{known.address}/memories{path}")
        expect(rows(page).first).to_be_visible()
        assert page.evaluate(WIDE) <= 0
    page.goto(f"{known.address}/memories/new?agent=page-a")
    expect(drawer(page, "^Remember$")).to_be_visible()
    assert page.evaluate(WIDE) <= 0
