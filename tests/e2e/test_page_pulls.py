"""The page of pull requests, as people use it; the server's part is played by `pulls`."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import github
from tests.e2e.following import deliver
from tests.e2e.outside import USUAL, Outside
from tests.e2e.pulls import PullsServer, flow, insight, metrics, pull
from tests.e2e.routed import ago, live, until
from tests.e2e.running import RunningPlatform
from tests.geminiserver import answer
from tests.github import NUMBER
from tests.pulls import added, file

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'
LONG = f"{'a' * 39}/{'b' * 100}"
WIDE = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
def address(running: RunningPlatform) -> str:
    return f"{running.address}/pulls"


def column(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=re.compile(rf"^{name} \d")).locator(".card")


def card(page: Page, number: int) -> Locator:
    return page.locator(f".card[data-key='octo/shop/{number}']")


def drawer(page: Page, number: int) -> Locator:
    name = f"Pull request octo/shop#{number}"
    return page.get_by_role("complementary", name=name, exact=True)


def part(page: Page, number: int, name: str) -> Locator:
    """Choose a tab of the drawer; returns its panel."""
    shown = drawer(page, number)
    shown.get_by_role("tab", name=re.compile(f"^{name}")).click()
    return shown.get_by_role("tabpanel")


def lists(server: PullsServer) -> list[str]:
    return [one for one in server.asked if one.startswith("GET /api/v1/pulls?")]


@pytest.mark.main_act
def test_cards_stand_in_the_column_of_their_state_and_say_what_one_asks(
    page: Page, running: RunningPlatform
) -> None:
    waits = pull(1, title="Waits", requested_reviewers=["cy", "bo", "dee"])
    failed = pull(3, "buildFailed", ai_insight=insight(3, "high"))
    others = [pull(4, "buildPassed"), pull(5, "approved"), pull(6, "merged")]
    building = pull(2, "building", is_draft=True)
    PullsServer(page, [waits, building, failed, *others, pull(7, "closed")])
    page.goto(running.address)
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("p")

    expect(page.get_by_role("heading", level=1)).to_have_text("Pull requests")
    expect(page).to_have_url(f"{running.address}/pulls")
    expect(column(page, "Pending")).to_contain_text("octo/shop#1Waitsada · 3 h ago")
    expect(column(page, "Pending")).to_contain_text("Waits for cy, bo +1")
    expect(column(page, "Building")).to_contain_text("2 of 4 running")
    expect(column(page, "Building")).to_contain_text("Draft")
    expect(column(page, "Failed")).to_contain_text("●●●High risk✕1 of 3 failed")
    expect(column(page, "Passed")).to_contain_text("4 of 4 passed")
    expect(column(page, "Approved")).to_contain_text("✓cy")
    expect(column(page, "Merged, closed")).to_have_count(2)
    live(page)


def test_a_change_moves_the_card_with_its_focus_and_an_older_one_does_not(
    page: Page, address: str
) -> None:
    server = PullsServer(page, [pull(1), pull(2, "building")])
    page.goto(address)
    live(page)
    (query,) = server.connected
    assert (query["cursor"], query["frames"]) == ([server.cursor], ["batch"])

    card(page, 1).focus()
    server.tell(pull(1), status="building")
    expect(column(page, "Building")).to_have_count(2)
    expect(card(page, 1)).to_be_focused()
    new = pull(9, "approved", revision=4)
    older = [pull(1, "approved", revision=1), new | {"title": "Old", "revision": 3}]
    server.send([new, *older])
    expect(column(page, "Approved")).to_have_count(1)
    expect(card(page, 9)).to_contain_text("Change number 9")
    expect(column(page, "Building")).to_have_count(2)
    # The open ones and those that are done were asked for once: the rest came live.
    assert len(lists(server)) == 2


def test_a_card_glides_to_its_column_unless_motion_is_not_wanted(
    page: Page, address: str
) -> None:
    page.add_init_script("""
      const { animate } = Element.prototype;
      window.glided = [];
      Element.prototype.animate = function (...how) {
        window.glided.push(this.dataset.key);
        return animate.apply(this, how);
      };
    """)
    server = PullsServer(page, [pull(1), pull(2, "approved")])
    page.goto(address)
    live(page)
    server.tell(pull(1), status="building")
    expect(column(page, "Building")).to_have_count(1)
    assert page.evaluate("glided") == ["octo/shop/1"]
    page.emulate_media(reduced_motion="reduce")
    server.tell(pull(1), status="approved")
    expect(column(page, "Approved")).to_have_count(2)
    assert page.evaluate("glided") == ["octo/shop/1"]


def test_a_lost_connection_goes_on_from_its_last_cursor(
    page: Page, address: str
) -> None:
    server = PullsServer(page, [pull(1)])
    page.goto(address)
    live(page)
    server.tell(pull(1), status="building")
    expect(column(page, "Building")).to_have_count(1)
    last, asked = server.cursor, len(lists(server))
    server.hang_up()
    until(page, lambda: len(server.connected) == 2)
    assert server.connected[1]["cursor"] == [last]
    assert len(lists(server)) == asked

    # Too much was missed to be sent again: the list has it.
    server.pulls["octo/shop/1"] |= {"status": "approved", "revision": 9}
    server.recovers = False
    server.hang_up()
    expect(column(page, "Approved")).to_have_count(1)
    until(page, lambda: len(lists(server)) == asked + 2)


def test_what_is_filtered_is_the_address_and_holds_for_what_comes_live(
    page: Page, address: str
) -> None:
    risky = pull(1, ai_insight=insight(1, "high"), title="Charge once")
    other = pull(2, repository_name="octo/site", author="bo", title="Charge twice")
    server = PullsServer(page, [risky, other, pull(3, is_draft=True)])
    page.goto(address)
    page.get_by_role("combobox", name="Risk").select_option("high")
    expect(page).to_have_url(f"{address}?risk=high")
    expect(page.locator(".card")).to_have_count(1)
    until(page, lambda: "risk=high" in lists(server)[-1])
    server.tell(risky, ai_insight=insight(1, "low"))
    expect(page.locator(".card")).to_have_count(0)
    page.get_by_role("button", name="Clear the filter").click()
    expect(page.locator(".card")).to_have_count(3)

    page.keyboard.press("/")
    page.keyboard.type("charge")
    expect(page).to_have_url(f"{address}?q=charge")
    expect(page.locator(".card")).to_have_count(2)
    page.get_by_role("combobox", name="Repository").select_option("octo/site")
    expect(page.locator(".card")).to_have_count(1)
    # The connection listens to this repository alone then.
    until(page, lambda: server.connected[-1].get("repository") == ["octo/site"])
    page.go_back()
    expect(page.locator(".card")).to_have_count(2)
    page.goto(f"{address}?draft=true&author=ada&status=pending&status=nonsense")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.get_by_role("button", name="Drafts", pressed=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="Author")).to_have_value("ada")
    expect(page.get_by_role("combobox", name="Status")).to_have_value("pending")


def test_arrows_walk_the_cards_enter_opens_and_escape_closes(
    page: Page, address: str
) -> None:
    first, second = (pull(n, created_at=ago(hours=n)) for n in (1, 2))
    PullsServer(page, [first, second, pull(3, "buildPassed")])
    page.goto(address)
    expect(card(page, 1)).to_be_visible()
    for key, at in [("ArrowDown", 1), ("ArrowDown", 2), ("ArrowRight", 3)]:
        page.keyboard.press(key)
        expect(card(page, at)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{address}/octo/shop/3")
    expect(drawer(page, 3)).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer(page, 3)).to_have_count(0)
    expect(page).to_have_url(address)
    expect(card(page, 3)).to_be_focused()
    card(page, 2).click()
    expect(drawer(page, 2)).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(drawer(page, 1)).to_be_visible()


def test_the_table_shows_the_same_is_walked_by_keys_and_loads_more(
    page: Page, address: str
) -> None:
    made = [pull(n, "merged", updated_at=ago(minutes=n)) for n in range(1, 61)]
    server = PullsServer(page, [*made, pull(99, title="Open", updated_at=ago())])
    page.goto(address)
    expect(column(page, "Merged, closed")).to_have_count(30)
    page.get_by_role("link", name="Older ones in the table").click()
    expect(page).to_have_url(f"{address}?view=table")
    table = page.get_by_role("table", name="Pull requests")
    expect(table).to_have_attribute("aria-rowcount", "32")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(drawer(page, 1)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Load more").click()
    expect(table).to_have_attribute("aria-rowcount", "62")

    # What changes while somebody reads waits, so that nothing jumps.
    page.keyboard.press("ArrowDown")
    expect(table.locator("tbody tr[data-key]:focus")).to_have_count(1)
    server.send([pull(100, title="New", updated_at=ago())])
    page.get_by_role("button", name="1 change").click()
    expect(table.locator("tbody tr[data-key]").first).to_contain_text("New")


def test_an_insight_says_what_why_and_who_and_is_asked_for_again(
    page: Page, address: str
) -> None:
    issue = {"path": "a.py", "line": 7, "severity": "high", "message": "It leaks."}
    first = insight(1, "high", issues=[issue], security=["A key is logged."])
    older = insight(0, "low", commit_sha="c" * 40, fallback_reason="429: quota")
    server = PullsServer(page, [pull(1, ai_insight=first)])
    server.insights = [first, older]
    page.goto(f"{address}/octo/shop/1")
    shown = drawer(page, 1).get_by_role("tabpanel")
    expect(shown).to_contain_text("Charges are made twice")
    expect(shown).to_contain_text("Ask for a test of the late answer")
    expect(shown).to_contain_text("a.py:7")
    expect(shown).to_contain_text("A key is logged.")
    expect(shown).to_contain_text("82 %")
    expect(shown).to_contain_text("offline rules")
    expect(shown).to_contain_text("no model")
    shown.locator("summary").filter(has_text="Low risk").click()
    expect(shown).to_contain_text("rules answered: 429: quota")

    with page.expect_request("**/api/v1/pulls/octo/shop/1/analyse"):
        shown.get_by_role("button", name="Analyse again").click()
    expect(shown.get_by_role("button", name="Queued")).to_be_disabled()
    made = {"analyst": "gemini", "model": "gemini-2.5-flash", "cost_usd": 0.0043}
    tokens = {"input": 12_034, "output": 812}
    again = insight(2, "medium", summary="Better now.", tokens=tokens, **made)
    server.tell(pull(1), ai_insight=again)
    expect(shown).to_contain_text("Better now.")
    expect(shown).to_contain_text("Gemini, gemini-2.5-flash")
    expect(shown).to_contain_text("12,034 in, 812 out")
    expect(shown).to_contain_text("$0.0043")
    expect(shown.get_by_role("button", name="Analyse again")).to_be_enabled()
    expect(card(page, 1)).to_contain_text("Medium risk")


def test_a_drawer_tells_history_checks_and_files(page: Page, address: str) -> None:
    server = PullsServer(page, [pull(1, "building")])
    server.history = [
        {"at": ago(minutes=n), "kind": "pushed", "actor": "ada", "text": f"push {n}", "sha": "a" * 40, "url": None}
        for n in range(60)
    ]  # fmt: skip
    check = {"kind": "workflow", "conclusion": None, "url": None, "sha": f"{1:040x}"}
    times = {"started_at": ago(minutes=9), "completed_at": ago(minutes=5)}
    server.checks = [
        {"name": "lint", "state": "passed", **check, **times},
        {"name": "build", "state": "failed", **check, **times},
    ]
    file = {"filename": "shop/cart.py", "status": "modified"}
    server.files = [{**file, "additions": 20, "deletions": 3}]
    page.goto(f"{address}/octo/shop/1")
    history = part(page, 1, "Timeline")
    expect(page).to_have_url(f"{address}/octo/shop/1?tab=timeline")
    expect(history.get_by_role("listitem")).to_have_count(50)
    exact = history.locator("time").first
    expect(exact).to_have_attribute("title", re.compile(r"^\d{4}-.* UTC$"))
    history.get_by_role("button", name="Load older").click()
    expect(history.get_by_role("listitem")).to_have_count(60)
    server.history.insert(0, {**server.history[0], "kind": "merged", "text": "in"})
    server.tell(pull(1), status="merged")
    expect(history.get_by_role("listitem").first).to_contain_text("Merged")

    rows = part(page, 1, "Checks").locator("tbody tr")
    expect(rows).to_have_text(["✕Failedbuild workflow4 m", "✓Passedlint workflow4 m"])
    rows = part(page, 1, "Files").locator("tbody tr")
    expect(rows).to_have_text(["shop/cart.pymodified+20 \N{MINUS SIGN}3"])


def test_a_lost_publisher_is_warned_of_and_without_a_scan_the_way_to_one_is_told(
    page: Page, address: str
) -> None:
    gone = {"event": "order.placed", "agent": "checkout"}
    orphan = {"event": "order.placed", "kind": "unpublished"}
    found = flow(
        publishers_removed=[gone],
        orphans_made=[orphan],
        lost_last_publisher=["order.placed"],
    )
    known = pull(1, ai_insight=insight(1, flow=found))
    PullsServer(page, [known, pull(2, branch_name="it's $(a) branch")])
    page.goto(f"{address}/octo/shop/1?tab=flow")
    shown = drawer(page, 1).get_by_role("tabpanel")
    expect(shown.get_by_role("note")).to_contain_text("nothing publishes it any more")
    expect(shown).to_contain_text("checkout no longer publishes order.placed")
    expect(shown).to_contain_text("Unpublished")
    expect(shown.get_by_role("link", name="The flow of octo/shop")).to_have_attribute(
        "href", "/flow?project=octo/shop"
    )
    both = shown.get_by_role("link", name="Show both in the picture")
    href = both.get_attribute("href") or ""
    assert "ref=fix/pay&version=3&base=main%4012&panel=changes" in href

    page.goto(f"{address}/octo/shop/2?tab=flow")
    shown = drawer(page, 2).get_by_role("tabpanel")
    expect(shown.get_by_label("Command", exact=True)).to_have_text(
        "eventyard scan . --project=octo/shop --ref='it'\\''s $(a) branch' --push"
    )


def test_figures_are_told_with_their_bands_and_lead_to_what_is_stale(
    page: Page, address: str
) -> None:
    server = PullsServer(page, [pull(1), pull(2)])
    stale = {"repository_name": "octo/shop", "pr_number": 2, "title": "", "author": ""}
    idle = {**stale, "idle_s": 864_000, "why": "no_review"}
    server.metrics = metrics(
        stale=[idle], load=[{"reviewer": "cy", "requested": 2, "reviewed": 5}]
    )
    page.goto(address)
    figures = page.get_by_role("region", name="Figures of the last 30 days")
    expect(figures).to_contain_text("Cycle time1.5 hP75 1 d✓Good")
    expect(figures).to_contain_text("cy 2 open, 5 done")
    expect(figures).to_contain_text("12 merged · 10 insights · 3 known already")
    expect(figures).to_contain_text("$0.012")
    expect(card(page, 2).get_by_text("Stale")).to_have_attribute(
        "title", "Nobody has reviewed it for 10 d"
    )
    figures.get_by_role("link", name="Show them").click()
    expect(page).to_have_url(f"{address}?stale=true")
    expect(page.locator(".card")).to_have_count(1)
    figures.get_by_role("combobox", name="Days").select_option("7")
    until(page, lambda: any("days=7" in one for one in server.asked))


def test_without_pull_requests_the_page_tells_how_to_connect_a_repository(
    page: Page, address: str
) -> None:
    server = PullsServer(page)
    dead = {"id": "d1", "event": "pull_request", "action": "opened", "state": "dead"}
    more = {"repository": "octo/shop", "received_at": ago(minutes=2), "attempts": 5}
    server.deliveries = [{**dead, **more, "reason": "number is missing"}]
    page.goto(address)
    expect(page.get_by_text("No pull request yet.")).to_be_visible()
    page.get_by_role("main").get_by_role(
        "link", name="Connect a repository"
    ).last.click()
    expect(page).to_have_url(f"{address}?panel=connect")
    shown = page.get_by_role("complementary", name="Connect a repository")
    expect(shown).to_contain_text(address.replace("/pulls", "/webhook"))
    expect(shown).to_contain_text("application/json")
    expect(shown).to_contain_text("EVENTYARD_GITHUB_SECRET")
    expect(shown).to_contain_text("gh webhook forward")
    shown.get_by_role("button", name="Copy Payload URL").click()
    expect(shown.get_by_role("button", name="Copied")).to_be_visible()
    expect(shown).to_contain_text("number is missing")
    with page.expect_request("**/api/v1/webhooks/deliveries/d1/retry"):
        shown.get_by_role("button", name="Retry").click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(address)


@pytest.mark.main_act
def test_what_strangers_wrote_stays_text_and_their_links_lead_to_https_alone(
    page: Page, address: str
) -> None:
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    hostile: dict[str, Any] = {
        "title": HOSTILE,
        "description": HOSTILE,
        "author": HOSTILE,
        "branch_name": HOSTILE,
        "url": "javascript:alert(3)",
        "labels": [{"name": HOSTILE, "color": "red;background:url(//x)"}],
        "requested_reviewers": [HOSTILE],
    }
    said_of = dict.fromkeys(("summary", "recommendation", "fallback_reason"), HOSTILE)
    told = insight(1, key_changes=[HOSTILE], security=[HOSTILE], **said_of)
    server = PullsServer(page, [pull(1, ai_insight=told, **hostile)])
    server.pulls[f"{LONG}/2"] = pull(2, title="x" * 400, repository_name=LONG)
    link = {"url": "javascript:alert(4)", "sha": None, "conclusion": HOSTILE}
    times = {"started_at": None, "completed_at": None}
    server.checks = [
        {"name": HOSTILE, "kind": HOSTILE, "state": HOSTILE, **link, **times}
    ]
    moment = {"at": ago(), "kind": "commented", "actor": HOSTILE, "text": HOSTILE}
    server.history = [{**moment, "sha": None, "url": "http://plain.example"}]
    page.goto(f"{address}/octo/shop/1")
    expect(drawer(page, 1).get_by_role("heading", level=2)).to_have_text(HOSTILE)
    page.get_by_text("Description and details").click()
    for name in ("Timeline", "Checks", "Files", "Flow", "Insight"):
        expect(part(page, 1, name)).not_to_be_empty()
        links = drawer(page, 1).locator("a:not([href^='/'])")
        expect(links).to_have_count(0)
    for view in ("", "?view=table"):
        page.goto(f"{address}{view}")
        expect(page.get_by_text("x" * 400)).to_be_visible()
        assert page.evaluate(WIDE) <= 0
    expect(page.locator("img[src=x], main script")).to_have_count(0)
    assert said == []


def test_a_phone_shows_one_column_at_a_time_and_folds_the_rest(
    page: Page, address: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    statuses = ["pending", "building", "buildFailed", "buildPassed", "approved"]
    many = [pull(n, statuses[n % 5], title=HOSTILE * 2) for n in range(60)]
    PullsServer(page, many)
    page.goto(address)
    expect(page.locator(".card")).to_have_count(12)
    expect(page.get_by_role("tab", selected=True)).to_have_text("Pending 12")
    page.get_by_role("tab", name="Passed").click()
    expect(page).to_have_url(f"{address}?column=passed")
    expect(page.get_by_role("tabpanel")).to_contain_text("4 of 4 passed")
    expect(page.get_by_role("term").filter(has_text="Pickup")).to_be_hidden()
    page.locator("summary").filter(has_text="12 merged").click()
    expect(page.get_by_role("term").filter(has_text="Pickup")).to_be_visible()
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_role("combobox", name="Risk")).to_be_visible()
    assert page.evaluate(WIDE) <= 0
    inner = "(() => { const main = document.querySelector('main'); return main.scrollWidth - main.clientWidth; })()"
    assert page.evaluate(inner) <= 0
    page.locator(".card").first.click()
    expect(page.get_by_role("complementary").last).to_be_visible()
    assert page.evaluate(WIDE) <= 0


def test_what_fails_is_told_where_it_failed_and_tried_again(
    chromium: Any, address: str
) -> None:
    # A page of its own: the browser writes the failures to its console.
    page = chromium.new_page()
    server = PullsServer(page, [pull(1)])
    server.failing = {"/api/v1/pulls": 503}
    page.goto(f"{address}/octo/shop/1")
    told = page.get_by_role("alert").filter(has_text="The list could not be read")
    expect(told).to_contain_text("broken")
    expect(drawer(page, 1).get_by_role("alert")).to_contain_text("could not be read")
    server.failing = {"/metrics": 500}
    told.get_by_role("button", name="Retry").click()
    expect(card(page, 1)).to_be_visible()
    figures = page.get_by_role("alert").filter(has_text="The figures")
    expect(figures).to_be_visible()
    live(page)
    page.goto(f"{address}/octo/shop/404")
    expect(drawer(page, 404)).to_contain_text("There is none.")
    page.close()


@pytest.mark.main_act
def test_what_github_tells_moves_the_card_and_the_drawer_tells_the_insight(
    page: Page, running: RunningPlatform, outside: Outside
) -> None:
    name = f"page/p{uuid4().hex[:8]}"
    files = [file("retry.py", added("try again"))]
    outside.github.add(name, files={NUMBER: files})

    def tell(*names: str) -> None:
        deliver(running, *(github.load(one).in_repository(name) for one in names))

    tell("pull_request.opened")
    page.goto(f"{running.address}/pulls?repository={name}")
    expect(column(page, "Pending")).to_contain_text("Fix payment processing")
    live(page)
    page.evaluate("window.asBefore = true")

    tell("check_run.created")
    expect(column(page, "Building")).to_contain_text("1 of 1 running")
    tell("check_run.completed.failure")
    expect(column(page, "Failed")).to_contain_text("1 of 1 failed")
    page.locator(f".card[data-key='{name}/{NUMBER}']").click()
    shown = page.get_by_role("complementary", name=f"Pull request {name}#{NUMBER}")
    expect(shown).to_contain_text(USUAL["summary"])
    high = {**USUAL, "risk_level": "high", "summary": "Charges are made twice."}
    outside.gemini.told_of[name] = [answer(json.dumps(high))]
    files.append(file("charge.py", added("again")))
    tell("pull_request.synchronize")
    expect(shown).to_contain_text("Charges are made twice.")
    expect(column(page, "Pending")).to_contain_text("High risk")
    tell("pull_request_review.submitted.approved")
    expect(column(page, "Approved")).to_have_count(1)
    assert page.evaluate("window.asBefore") is True
