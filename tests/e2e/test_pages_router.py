"""The pages of the router, as people use them: events, subscriptions, dead letters, replays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.running import RunningPlatform, wait_until
from tests.receiver import Receiver

pytestmark = pytest.mark.browser

#: A delivery goes by way of the log, the relay and two queues; a cold start may be in it.
ARRIVES_MS = 20_000
HOSTILE = '<img src=x onerror="document.title=1">'
QUICK = {"schedule_s": [1], "jitter": 0}
PAGES = {
    "events": "Events",
    "subscriptions": "Subscriptions",
    "dead-letters": "Dead letters",
    "replays": "Replays",
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform whose webhooks may go to this machine."""
    running = RunningPlatform(
        tmp_path_factory.mktemp("pages"), EVENTYARD_ALLOW_PRIVATE_HOSTS="127.0.0.1"
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def unique(stem: str) -> str:
    return f"{stem}.{uuid4().hex[:10]}"


def subscribe(platform: RunningPlatform, topic: str, url: str, **more: Any) -> str:
    target = {"type": "webhook", "url": url}
    wish = {"topics": [topic], "target": target, "name": topic, **more}
    status, told = platform.request("POST", "/api/v1/subscriptions", wish)
    assert status == 201, told
    return str(told["id"])


def arrived(receiver: Receiver, count: int) -> None:
    wait_until(lambda: len(receiver.received) >= count, 20, f"{count} deliveries")


def rows(page: Page, table: str, text: str) -> Locator:
    found = page.get_by_role("table", name=table, exact=True)
    return found.locator("tbody tr").filter(has_text=text)


def drawer(page: Page, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("complementary", name=name)


def fail_with(status: int) -> Receiver:
    return Receiver(lambda _, __: (status, {}))


def dead_letter(platform: RunningPlatform, topic: str, events: int = 1) -> str:
    """Let events die for a new subscription; returns its id."""
    with fail_with(503) as failing:
        made = subscribe(platform, topic, failing.url, retry=QUICK)
        for number in range(events):
            platform.publish(topic, {"n": number})
        wait_until(lambda: len(letters(platform, made)) == events, 30, "dead letters")
    return made


def letters(platform: RunningPlatform, subscription: str) -> list[Any]:
    address = f"/api/v1/dead-letters?subscription={subscription}"
    found: list[Any] = platform.get(address)["dead_letters"]
    return found


@pytest.mark.main_act
def test_the_trace_tells_who_got_an_event_and_why_others_did_not(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("traced")
    subscribe(platform, topic, receiver.url)
    wish = {"payload.total": {"$gte": 1000}, "payload.note": HOSTILE}
    other = f"{topic}.large"
    subscribe(platform, topic, receiver.url, name=other, filter=wish)
    event_id = platform.publish(topic, {"total": 42, "note": HOSTILE})
    arrived(receiver, 1)

    page.goto(f"{platform.address}/events?topics={topic}")
    rows(page, "Events, newest first", topic).click()
    shown = drawer(page, f"Event {event_id}")
    shown.get_by_role("tab", name="Trace").click()
    expect(page).to_have_url(
        f"{platform.address}/events/{event_id}?topics={topic}&tab=trace"
    )
    delivery = shown.get_by_role("article", name=f"Delivery to {topic}", exact=True)
    expect(delivery).to_contain_text("Delivered")
    expect(delivery.get_by_role("table", name="Attempts")).to_contain_text("204")

    shown.get_by_role("button", name="Not matched").click()
    missed = shown.get_by_role("listitem").filter(has_text=other)
    expect(missed).to_contain_text("payload.total is 42")
    shown.get_by_role("link", name=other).click()
    expect(drawer(page, f"Subscription {other}")).to_contain_text("<img src=x")
    page.go_back()
    expect(shown.get_by_role("tab", name="Trace", selected=True)).to_be_visible()


def test_an_event_is_replayed_to_a_subscription_from_its_trace(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("again")
    subscribe(platform, topic, receiver.url)
    event_id = platform.publish(topic, {})
    arrived(receiver, 1)

    page.goto(f"{platform.address}/events/{event_id}?tab=trace")
    shown = drawer(page, f"Event {event_id}")
    shown.get_by_role("button", name="Replay to it").click()
    page.get_by_role("button", name="Deliver it again").click()
    arrived(receiver, 2)

    assert receiver.ids() == [event_id, event_id]
    expect(shown.get_by_role("link", name="replay", exact=True)).to_be_visible(
        timeout=ARRIVES_MS
    )


def test_new_events_wait_behind_a_button_while_the_log_is_read(
    page: Page, platform: RunningPlatform
) -> None:
    topic = unique("waiting")
    platform.publish(topic, {"n": "first"})
    page.goto(f"{platform.address}/events?topics={topic}")
    found = rows(page, "Events, newest first", topic)
    expect(found).to_have_count(1)
    live = page.get_by_role("navigation", name="Pages").get_by_text("Live")
    expect(live).to_be_visible(timeout=ARRIVES_MS)

    platform.publish(topic, {"n": "second"})
    page.get_by_role("button", name="1 new").click(timeout=ARRIVES_MS)
    expect(found).to_have_count(2)
    expect(found.first).to_contain_text("second")


def test_the_log_is_read_page_by_page_and_narrowed_by_time(
    page: Page, platform: RunningPlatform
) -> None:
    topic = unique("paged")
    for start in (0, 60):
        commit = [{"type": topic, "payload": {"n": start + n}} for n in range(60)]
        assert platform.request("POST", "/api/v1/events", commit)[0] == 201

    page.goto(f"{platform.address}/events?topics={topic}&since=2020-01-01T00:00:00Z")
    expect(page.get_by_label("From")).to_have_value(re.compile("^20"))
    table = page.get_by_role("table", name="Events, newest first")
    expect(table).to_have_attribute("aria-rowcount", "101", timeout=ARRIVES_MS)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.get_by_role("button", name="Load older events").click()
    expect(table).to_have_attribute("aria-rowcount", "121", timeout=ARRIVES_MS)

    page.get_by_label("Time").select_option("Last hour")
    expect(page).to_have_url(f"{platform.address}/events?topics={topic}&last=1h")
    expect(rows(page, "Events, newest first", "n: 119")).to_have_count(1)
    page.goto(f"{platform.address}/events?topics={topic}&until=2020-01-01T00:00:00Z")
    expect(page.get_by_text("No event fits this filter.")).to_be_visible()


def test_a_filter_is_tried_on_the_log_before_it_counts(
    page: Page, platform: RunningPlatform
) -> None:
    topic = unique("tried")
    platform.publish(topic, {"total": 40})
    page.goto(f"{platform.address}/subscriptions")
    page.get_by_role("link", name="New subscription").first.click()
    form = drawer(page, "New subscription")
    expect(form.get_by_label("Topics")).to_be_focused()
    form.get_by_label("Topics").fill(topic)
    form.get_by_label("Filter").fill('{"payload.total": {"$gte": ')
    expect(form.get_by_text("This is not JSON yet")).to_be_visible()
    form.get_by_label("Filter").fill('{"payload.total": {"$gte": 50}}')
    form.get_by_role("button", name="Try on the last 100 events").click()
    expect(form.get_by_role("status")).to_contain_text("0 of")
    expect(form.get_by_text("payload.total is 40")).to_be_visible()

    form.get_by_label("Filter").fill('{"payload.total": {"$gte": 30}}')
    expect(form.get_by_role("status")).to_have_count(0)
    form.get_by_role("button", name="Try on the last 100 events").click()
    expect(form.get_by_role("status")).to_contain_text("1 of")
    expect(form.get_by_role("link", name=topic)).to_be_visible()


@pytest.mark.main_act
def test_a_subscription_made_by_the_form_delivers_signed_with_the_secret_shown_once(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("made")
    page.goto(f"{platform.address}/subscriptions/new")
    form = drawer(page, "New subscription")
    form.get_by_label("Topics").fill(topic)
    form.get_by_label("Filter").fill('{"payload.total": {"$gte": 30}}')
    form.get_by_label("Name optional").fill(topic)
    form.get_by_label("URL").fill(receiver.url)
    form.get_by_label("Headers").fill("X-Team: shop")
    form.get_by_text("Retries and limits").click()
    form.get_by_label("Waits between attempts").fill("1, 5")
    form.get_by_role("button", name="Subscribe").click()

    done = drawer(page, "Subscribed")
    secret = done.get_by_text(re.compile("^whsec_")).inner_text()
    done.get_by_role("link", name="Done: open it").click()
    shown = drawer(page, f"Subscription {topic}")
    expect(shown).to_contain_text("1 s, 5 s")
    expect(page.get_by_text(secret)).to_have_count(0)

    event_id = platform.publish(topic, {"total": 60})
    arrived(receiver, 1)
    (got,) = receiver.received
    got.verify(secret)
    assert (got.event["id"], got.headers["x-team"]) == (event_id, "shop")
    delivered = rows(page, "Subscriptions", topic).locator("td.col-count").first
    expect(delivered).to_have_text("1", timeout=ARRIVES_MS)


def test_a_subscription_is_paused_with_its_reason_resumed_and_deleted(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("kept")
    made = subscribe(platform, topic, receiver.url)
    page.goto(f"{platform.address}/subscriptions/{made}")
    shown = drawer(page, f"Subscription {topic}")
    shown.get_by_role("button", name="Pause").click()
    asked = page.get_by_role("dialog", name=f"Pause {topic}?")
    asked.get_by_label("Reason").fill("moving house")
    asked.get_by_role("button", name="Pause").click()
    expect(shown).to_contain_text("Paused")
    expect(shown).to_contain_text("moving house")

    missed = platform.publish(topic, {})
    shown.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    arrived(receiver, 1)
    assert set(receiver.ids()) == {missed}

    shown.get_by_role("button", name="Delete").click()
    asked = page.get_by_role("dialog", name=f"Delete {topic}?")
    expect(asked).to_contain_text(receiver.url)
    asked.get_by_role("button", name="Delete for good").click()
    expect(page).to_have_url(f"{platform.address}/subscriptions")
    expect(rows(page, "Subscriptions", topic)).to_have_count(0)
    assert platform.request("GET", f"/api/v1/subscriptions/{made}")[0] == 404


def test_a_target_is_tested_at_once_and_its_secret_rotated(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("tested")
    made = subscribe(platform, topic, receiver.url)
    page.goto(f"{platform.address}/subscriptions/{made}")
    shown = drawer(page, f"Subscription {topic}")
    shown.get_by_role("button", name="Rotate secret").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    fresh = shown.get_by_role("region", name="Secret").locator("code")
    secret = fresh.inner_text()

    shown.get_by_role("button", name="Send a test event").click()
    expect(shown.get_by_role("status")).to_contain_text("Arrived status 204 in")
    (got,) = receiver.received
    got.verify(secret)
    assert got.event["type"] == "eventyard.test"
    page.reload()
    expect(shown).to_contain_text(topic)
    expect(page.get_by_text(secret)).to_have_count(0)


def test_an_edit_changes_what_was_touched_and_nothing_else(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("edited")
    target = {"type": "webhook", "url": receiver.url, "headers": {"X-Team": "shop"}}
    made = subscribe(platform, topic, "", target=target, rate_limit=5)
    address = f"/api/v1/subscriptions/{made}"
    before = platform.get(address)
    page.goto(f"{platform.address}/subscriptions/{made}?edit=1")
    form = drawer(page, f"Edit {topic}")
    form.get_by_label("Filter").fill('{"priority": {"$gte": 9}}')
    form.get_by_text("Retries and limits").click()
    form.get_by_label("Rate").fill("")
    form.get_by_role("button", name="Save").click()
    shown = drawer(page, f"Subscription {topic}")
    expect(shown.get_by_role("group", name="the filter")).to_contain_text("$gte")

    after = platform.get(address)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"filter", "rate_limit", "revision"}
    assert (after["filter"], after["rate_limit"]) == ({"priority": {"$gte": 9}}, None)


@pytest.mark.main_act
def test_a_dead_letter_is_counted_looked_at_and_delivered_once_its_target_is_mended(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("died")
    made = dead_letter(platform, topic)
    page.goto(f"{platform.address}/dead-letters?subscription={made}")
    badge = page.get_by_role("link", name="Dead letters").locator(".rail-count")
    expect(badge).to_have_text(re.compile(r"\d"))
    found = rows(page, "Dead letters", topic)
    expect(found).to_contain_text("503")
    found.click()
    shown = drawer(page, re.compile("^Dead letter "))
    expect(
        shown.get_by_role("table", name="Attempts").locator("tbody tr")
    ).to_have_count(2)
    expect(shown.get_by_role("group", name="the event")).to_contain_text(topic)

    target = {"target": {"type": "webhook", "url": receiver.url}}
    assert platform.request("PATCH", f"/api/v1/subscriptions/{made}", target)[0] == 200
    shown.get_by_role("button", name="Retry").click()
    page.get_by_role("button", name="Retry 1 dead letter").click()
    arrived(receiver, 1)
    expect(page.get_by_text("This subscription has no dead letters.")).to_be_visible()


def test_what_a_client_s_handler_gave_up_is_shown_and_published_again(
    page: Page, platform: RunningPlatform
) -> None:
    topic, handler = unique("given"), "billing/<b>on paid</b>"
    event_id = platform.publish(topic, {"n": 1})
    wish = {"subscription": handler, "error": "no stock", "attempts": 2}
    told = platform.request(
        "POST", "/api/v1/dead-letters", {"event_id": event_id, **wish}
    )
    assert told[0] == 201
    page.goto(f"{platform.address}/dead-letters")
    found = rows(page, "Dead letters", topic)
    expect(found).to_contain_text(handler)
    expect(found.get_by_role("link", name=handler)).to_have_count(0)
    found.click()
    shown = drawer(page, re.compile("^Dead letter "))
    expect(shown).to_contain_text("no stock")
    shown.get_by_role("button", name="Retry").click()
    page.get_by_role("button", name="Retry 1 dead letter").click()
    expect(found).to_have_count(0)

    first, again = sorted(platform.logged(topic).values(), key=lambda e: e["id"])
    assert first["id"] == event_id
    assert again["target"] == "billing"
    assert again["headers"]["retry-of"] == event_id


def test_dead_letters_are_chosen_retried_and_purged_by_number(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("many")
    made = dead_letter(platform, topic, events=3)
    target = {"target": {"type": "webhook", "url": receiver.url}}
    platform.request("PATCH", f"/api/v1/subscriptions/{made}", target)
    page.goto(f"{platform.address}/dead-letters")
    page.get_by_label("Subscription").select_option(topic)
    expect(page).to_have_url(f"{platform.address}/dead-letters?subscription={made}")
    found = rows(page, "Dead letters", topic)
    expect(found).to_have_count(3)

    found.first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Retry 1 chosen").click()
    page.get_by_role("button", name="Retry 1 dead letter").click()
    expect(found).to_have_count(2)
    arrived(receiver, 1)

    page.get_by_role("button", name="Purge all of this filter").click()
    asked = page.get_by_role("dialog", name="Purge 2 dead letters?")
    expect(asked).to_contain_text(topic)
    asked.get_by_role("button", name="Purge 2 dead letters").click()
    expect(found).to_have_count(0)
    assert letters(platform, made) == []
    assert len(receiver.received) == 1


def test_a_message_that_a_function_could_not_handle_is_seen_and_sent_again(
    page: Page, platform: RunningPlatform
) -> None:
    sqs = platform.aws("sqs")
    url = sqs.get_queue_url(QueueName="eventyard-dev-chores-dead")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody='{"kind": "agenda"}')
    page.goto(f"{platform.address}/dead-letters")
    queue = rows(page, "Queues between functions", "chores")
    expect(queue).to_contain_text("1", timeout=ARRIVES_MS)
    queue.get_by_role("link", name="chores").click()
    expect(drawer(page, "Dead letters of chores")).to_contain_text("agenda")
    page.keyboard.press("Escape")

    queue.get_by_role("button", name="Redrive").click()
    page.get_by_role("button", name="Redrive 1 message").click()
    expect(page.get_by_text("1 message of chores sent again")).to_be_visible()
    expect(queue.get_by_role("button", name="Redrive")).to_have_count(0)


def _is_quiet(platform: RunningPlatform) -> bool:
    stats = platform.get("/api/v1/stats")
    return bool(stats["queue_depth"] == 0 == stats["relay_lag_ms"])


@pytest.mark.main_act
def test_a_replay_is_counted_first_and_then_delivers_so_many(
    page: Page, platform: RunningPlatform, receiver: Receiver
) -> None:
    topic = unique("replayed")
    told = [platform.publish(topic, {"n": n}) for n in range(3)]
    # Once they have been routed, nobody is sent them who subscribes after.
    wait_until(lambda: _is_quiet(platform), what="quiet")
    made = subscribe(platform, topic, receiver.url)
    page.goto(f"{platform.address}/subscriptions/{made}")
    page.get_by_role("link", name="Replay to it").click()
    form = drawer(page, "New replay")
    form.get_by_label("Filter").fill('{"payload.n": {"$gte": 1}}')
    form.get_by_role("button", name="Count first (dry run)").click()
    expect(form.get_by_role("status")).to_contain_text("2 events of")
    assert receiver.received == []

    form.get_by_role("button", name="Deliver 2 events").click()
    shown = drawer(page, re.compile("^Replay rpl_"))
    expect(shown).to_contain_text("Done", timeout=ARRIVES_MS)
    expect(shown).to_contain_text("2 events")
    arrived(receiver, 2)
    assert sorted(receiver.ids()) == sorted(told[1:])
    expect(rows(page, "Replays", topic)).to_contain_text("100 %", timeout=ARRIVES_MS)


def test_pages_are_gone_to_by_keyboard_and_back(
    page: Page, platform: RunningPlatform
) -> None:
    page.goto(platform.address)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Overview")
    for key, path in zip("esdr", PAGES, strict=True):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(heading).to_have_text(PAGES[path])
        expect(page).to_have_url(f"{platform.address}/{path}")
        expect(page).to_have_title(f"{PAGES[path]} · Eventyard")
    page.go_back()
    expect(heading).to_have_text("Dead letters")
    page.reload()
    expect(heading).to_have_text("Dead letters")
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(listed).to_contain_text("Go to Subscriptions")


def test_a_row_is_walked_to_and_opened_by_keyboard(
    page: Page, platform: RunningPlatform
) -> None:
    made = subscribe(platform, unique("walked"), "http://127.0.0.1:9/none")
    page.goto(f"{platform.address}/subscriptions")
    row = page.locator(f"tr[data-key='{made}']")
    expect(row).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{platform.address}/subscriptions/{made}")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{platform.address}/subscriptions")
    expect(row).to_be_focused()


@pytest.mark.parametrize("path", [*PAGES, "subscriptions/new", "replays/new", "flow"])
def test_no_page_is_cut_off_on_a_phone(
    page: Page, platform: RunningPlatform, path: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{platform.address}/{path}", wait_until="networkidle")
    expect(page.get_by_role("heading", level=1)).to_be_attached()
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = "[...document.querySelectorAll('.drawer-body, .flow')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert page.evaluate(wide) == 0


def test_a_missing_scope_is_named_with_the_way_to_get_it(
    chromium: Any, platform: RunningPlatform
) -> None:
    # A page of its own: the browser writes the refusals to its console.
    page = chromium.new_page()
    refusal = {
        "code": "permission_denied",
        "message": "This needs the scope admin.",
        "details": {"scope": "admin"},
    }
    page.route(
        "**/api/v1/replays*",
        lambda route: route.fulfill(status=403, json={"error": refusal}),
    )
    page.goto(f"{platform.address}/replays")
    told = page.get_by_role("alert")
    expect(told).to_contain_text("permission_denied")
    expect(told).to_contain_text("lacks the scope admin")
    expect(told).to_contain_text("make key SCOPES=admin")
    page.unroute_all()
    told.get_by_role("button", name="Retry").click()
    expect(told).to_have_count(0)
    page.close()
