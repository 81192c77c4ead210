"""The page `/`, as people use it: what runs, the live feed, publishing, reading an event."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

#: An event comes by way of the log, the relay and the queues; a cold start may be in it.
ARRIVES_MS = 20_000
HOSTILE = (
    '<img src=x onerror="document.title=1"></script><script>document.title=2</script>'
)


def unique(stem: str) -> str:
    return f"{stem}.{uuid4().hex[:10]}"


def publish(base_url: str, *events: dict[str, Any]) -> list[str]:
    """Publish in one commit, from outside of the page."""
    request = urllib.request.Request(
        f"{base_url}/api/v1/events",
        json.dumps(list(events)).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return [event["event_id"] for event in json.load(response)["events"]]


def open_live(page: Page, address: str) -> None:
    page.goto(address)
    connection = page.get_by_role("navigation", name="Pages").get_by_text("Live")
    expect(connection).to_be_visible(timeout=ARRIVES_MS)


def rows(page: Page, text: str) -> Locator:
    table = page.get_by_role("table", name="Events, newest first")
    return table.locator("tbody tr").filter(has_text=text)


def drawer(page: Page, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("complementary", name=name)


def fill_form(page: Page, topic: str, payload: str) -> Locator:
    page.get_by_role("link", name="Publish event").click()
    form = drawer(page, "Publish an event")
    form.get_by_label("Type").fill(topic)
    form.get_by_label("Payload").fill(payload)
    return form


@pytest.mark.main_act
def test_opening_the_page_shows_what_runs_and_a_live_connection(
    page: Page, base_url: str
) -> None:
    open_live(page, base_url)
    running = page.get_by_role("region", name="What is running")
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    expect(running).to_contain_text("Healthy")
    for check in ("transport", "persistence", "queue"):
        expect(running.get_by_role("listitem").filter(has_text=check)).to_be_visible()
    published = running.locator("div").filter(has=page.get_by_text("Published"))
    expect(published.get_by_role("definition").first).to_have_text(re.compile(r"\d"))


@pytest.mark.main_act
def test_an_event_published_by_the_form_appears_in_the_feed(
    page: Page, base_url: str
) -> None:
    topic = unique("form.sent")
    open_live(page, base_url)
    form = fill_form(page, topic, '{"total": 42.5}')
    form.get_by_label("Priority").fill("8")
    form.get_by_role("button", name="Publish").click()
    expect(form.get_by_role("status")).to_contain_text("Published")
    expect(rows(page, topic)).to_have_count(1, timeout=ARRIVES_MS)
    expect(rows(page, topic)).to_contain_text("42.5")


def test_a_payload_that_is_not_json_is_told_at_its_field_and_not_sent(
    page: Page, base_url: str
) -> None:
    open_live(page, base_url)
    form = fill_form(page, "form.refused", '{"total": ')
    expect(form.get_by_text("This is not JSON yet")).to_be_visible()
    expect(form.get_by_role("button", name="Publish")).to_be_disabled()


def test_demo_events_are_published_and_appear_in_the_feed(
    page: Page, base_url: str
) -> None:
    open_live(page, base_url)
    with page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        page.get_by_role("button", name="Send demo events").first.click()
    expect(page.get_by_text("12 demo events published")).to_be_visible()
    for event in sent.value.json()["events"]:
        row = page.locator(f"tr[data-key^='{event['event_id']}']")
        expect(row).to_be_visible(timeout=ARRIVES_MS)


@pytest.mark.main_act
def test_a_filter_becomes_the_address_and_the_address_the_filter(
    page: Page, base_url: str
) -> None:
    stem = unique("filtered")
    publish(
        base_url,
        {"type": f"{stem}.kept", "payload": {"total": 60}},
        {"type": f"{stem}.kept", "payload": {"total": 40}},
        {"type": f"other.{stem}", "payload": {"total": 60}},
    )
    open_live(page, base_url)
    page.get_by_label("Topics").fill(f"{stem}.*")
    page.get_by_label("Add a field filter").fill("payload.total:gt:50")
    page.get_by_label("Add a field filter").press("Enter")
    expect(page).to_have_url(f"{base_url}/?topics={stem}.*&filter=payload.total:gt:50")
    expect(rows(page, stem)).to_have_count(1)

    page.reload()
    expect(page.get_by_label("Topics")).to_have_value(f"{stem}.*")
    expect(page.get_by_text("payload.total:gt:50", exact=True)).to_be_visible()
    expect(rows(page, stem)).to_have_count(1)
    expect(rows(page, stem)).to_contain_text("total: 60")

    page.get_by_role("button", name="Remove the filter payload.total:gt:50").click()
    expect(rows(page, stem)).to_have_count(2)
    page.go_back()
    expect(rows(page, stem)).to_have_count(1)


def test_a_filter_holds_for_events_that_arrive_live(page: Page, base_url: str) -> None:
    stem = unique("sieved")
    open_live(page, f"{base_url}/?topics={stem}.**&filter=priority:gte:7")
    expect(page.get_by_text("No event fits this filter.")).to_be_visible()
    publish(
        base_url,
        {"type": f"{stem}.high", "payload": {}, "priority": 8},
        {"type": f"{stem}.low", "payload": {}, "priority": 3},
    )
    publish(base_url, {"type": f"{stem}.late", "payload": {}, "priority": 7})
    expect(rows(page, f"{stem}.late")).to_have_count(1, timeout=ARRIVES_MS)
    expect(rows(page, f"{stem}.high")).to_have_count(1)
    expect(rows(page, f"{stem}.low")).to_have_count(0)


def test_a_paused_feed_holds_new_events_back_until_it_is_resumed(
    page: Page, base_url: str
) -> None:
    topic = unique("paused")
    open_live(page, f"{base_url}/?topics={topic}")
    page.get_by_role("button", name="Pause").click()
    publish(base_url, *({"type": topic, "payload": {"n": n}} for n in range(3)))
    expect(page.get_by_role("button", name="3 new")).to_be_visible(timeout=ARRIVES_MS)
    expect(rows(page, topic)).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(rows(page, topic)).to_have_count(3)
    expect(page.get_by_role("button", name="3 new")).to_have_count(0)


def test_new_events_wait_while_one_is_read(page: Page, base_url: str) -> None:
    topic = unique("read")
    publish(base_url, {"type": topic, "payload": {"n": "first"}})
    open_live(page, f"{base_url}/?topics={topic}")
    rows(page, "first").click()
    expect(drawer(page, re.compile("^Event "))).to_be_visible()
    publish(base_url, {"type": topic, "payload": {"n": "second"}})
    page.get_by_role("button", name="1 new").click(timeout=ARRIVES_MS)
    expect(rows(page, "second")).to_have_count(1)


def test_the_drawer_shows_the_whole_event_and_has_its_own_address(
    page: Page, base_url: str
) -> None:
    topic = unique("opened")
    payload = {"order": {"id": "ord_7", "lines": [{"sku": "TEA"}]}, "paid": True}
    (event_id,) = publish(
        base_url, {"type": topic, "payload": payload, "source": "shop"}
    )
    open_live(page, f"{base_url}/?topics={topic}")
    rows(page, topic).click()
    expect(page).to_have_url(f"{base_url}/?topics={topic}&event={event_id}")
    shown = drawer(page, f"Event {event_id}")
    expect(shown.get_by_role("group", name="payload")).to_contain_text('sku: "TEA"')

    shown.get_by_role("button", name="Fold order").click()
    expect(shown.get_by_text("TEA")).to_have_count(0)
    shown.get_by_label("Search in payload").fill("tea")
    expect(shown.get_by_text("1 found")).to_be_visible()
    expect(shown.locator("mark")).to_have_text("TEA")

    shown.get_by_role("tab", name="Details").click()
    cloud_event = shown.get_by_role("group", name="the CloudEvent")
    expect(cloud_event).to_contain_text('specversion: "1.0"')
    expect(cloud_event).to_contain_text('source: "shop"')

    page.goto(f"{base_url}/?event={event_id}")
    expect(drawer(page, f"Event {event_id}")).to_contain_text("ord_7")


@pytest.mark.main_act
def test_what_a_stranger_wrote_is_shown_as_text(page: Page, base_url: str) -> None:
    topic = unique("hostile")
    (event_id,) = publish(
        base_url,
        {"type": topic, "payload": {HOSTILE: HOSTILE}, "source": HOSTILE[:60]},
    )
    open_live(page, f"{base_url}/?topics={topic}&event={event_id}")
    expect(rows(page, topic)).to_contain_text("<img src=x")
    shown = drawer(page, f"Event {event_id}")
    expect(shown.get_by_role("group", name="payload")).to_contain_text("</script>")
    shown.get_by_role("tab", name="Details").click()
    expect(shown).to_contain_text("<img src=x")
    expect(page.locator("img[src='x']")).to_have_count(0)
    expect(page).to_have_title(re.compile("Overview"))


def test_the_feed_is_walked_and_read_by_keyboard(page: Page, base_url: str) -> None:
    topic = unique("keys")
    ids = publish(base_url, *({"type": topic, "payload": {"n": n}} for n in range(3)))
    open_live(page, base_url)
    page.keyboard.press("/")
    expect(page.get_by_label("Topics")).to_be_focused()
    page.keyboard.type(topic)
    expect(page).to_have_url(f"{base_url}/?topics={topic}")
    expect(rows(page, topic)).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.get_by_label("Topics")).not_to_be_focused()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(rows(page, topic).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(drawer(page, f"Event {ids[1]}")).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer(page, f"Event {ids[1]}")).to_have_count(0)
    expect(rows(page, topic).nth(1)).to_be_focused()


def test_the_question_mark_lists_the_shortcuts(page: Page, base_url: str) -> None:
    open_live(page, base_url)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_burst_is_taken_in_with_only_the_rows_in_sight_drawn(
    page: Page, base_url: str
) -> None:
    topic = unique("burst")
    open_live(page, f"{base_url}/?topics={topic}")
    for _ in range(3):
        publish(base_url, *({"type": topic, "payload": {"n": n}} for n in range(100)))
    expect(page.get_by_text("300 shown")).to_be_visible(timeout=2 * ARRIVES_MS)
    assert page.locator("tbody tr").count() < 100


def test_nothing_is_cut_off_on_a_phone(page: Page, base_url: str) -> None:
    topic = unique("phone")
    publish(base_url, {"type": topic, "payload": {"n": 1}})
    page.set_viewport_size({"width": 390, "height": 844})
    open_live(page, f"{base_url}/?topics={topic}")
    expect(rows(page, topic)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    rows(page, topic).click()
    expect(drawer(page, re.compile("^Event "))).to_be_in_viewport(ratio=1)


def test_the_chosen_theme_is_remembered(page: Page, base_url: str) -> None:
    open_live(page, base_url)
    page.get_by_role("button", name="Switch to light").click()
    page.get_by_role("button", name="Switch to dark").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
