"""One job on its page: how it does, what was asked, what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.jobs import JobsServer, drawer, found, job, result, row, unread, worker
from tests.e2e.routed import ago, live
from tests.e2e.running import RunningPlatform

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'
LISTS = ("added", "removed", "changed", "contacts_added", "contacts_removed")
WIDE = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
def address(running: RunningPlatform) -> str:
    return f"{running.address}/jobs"


@pytest.mark.main_act
def test_a_failed_job_says_why_and_what_to_do_and_is_submitted_again(
    page: Page, address: str
) -> None:
    asked = {"url": "https://slow.example/", "max_pages": 70, "timeout_s": 2.5}
    failed = job(1, "failed", attempts=3, error="TimeoutError: nobody answered")
    failed |= {"data": {**asked, "same_origin_only": False}, "priority": 7}
    retried = job(2, attempts=1, error="HTTP 503", next_try_at=ago(seconds=-50))
    JobsServer(page, [failed, retried])
    page.goto(f"{address}/{retried['job_id']}")
    expect(drawer(page, 2)).to_contain_text("The last try failed. HTTP 503")
    expect(drawer(page, 2)).to_contain_text(re.compile(r"next try is in \d+ s"))
    page.goto(f"{address}/{failed['job_id']}")
    why = drawer(page, 1).get_by_role("region", name="Why it failed")
    expect(why).to_contain_text("It failed after 3 tries.")
    expect(why).to_contain_text("TimeoutError: nobody answered")
    expect(why).to_contain_text("longer time-out")
    drawer(page, 1).get_by_role("link", name="Submit again").click()
    expect(page).to_have_url(f"{address}/new?again={failed['job_id']}")
    form = page.get_by_role("complementary", name="Scrape a site")
    expect(form.locator("#job-url")).to_have_value("https://slow.example/")
    expect(form.locator("#job-url")).to_be_focused()
    expect(form.locator("#job-max_pages")).to_have_value("70")
    expect(form.locator("#job-priority")).to_have_value("7")
    # What is not as usual is in sight.
    expect(form.locator("#job-timeout_s")).to_be_visible()
    expect(form.locator("#job-timeout_s")).to_have_value("2.5")
    expect(form.get_by_label("Stay on this site")).not_to_be_checked()


def test_what_is_submitted_again_is_all_that_was_asked_for(
    page: Page, address: str
) -> None:
    asked = {"url": "https://slow.example/", "max_pages": 70, "timeout_s": 2.5}
    asked |= {"mode": "sitemap", "delay_s": 4, "redact": "mask", "retention_days": 30}
    asked |= {"same_origin_only": False, "compare_with": "job_before"}
    how = {"priority": 7, "repeat_every_s": 129_600}
    server = JobsServer(page, [job(1, "completed", data=asked, **how)])
    page.goto(f"{address}/{job(1)['job_id']}")
    drawer(page, 1).get_by_role("link", name="Submit again").click()
    form = page.get_by_role("complementary", name="Scrape a site")
    chosen = form.locator("select option:checked")
    # An interval of its own is a choice more.
    words = ["The site's sitemaps", "Mask: a***@…", "Every 36 hours"]
    expect(chosen).to_have_text(words)
    expect(form.get_by_label("Pause between requests")).to_have_value("4")
    expect(form.get_by_label("Keep the result")).to_have_value("30")
    form.get_by_label("Repeat", exact=True).select_option("Daily")
    form.get_by_label("Repeat", exact=True).select_option("Every 36 hours")
    form.get_by_role("button", name="Submit").click()
    expect(page).to_have_url(f"{address}/{job(0)['job_id']}")
    assert server.submitted == [{**asked, **how}]


def test_what_was_found_is_grouped_and_copies_itself(page: Page, address: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    many = [f"person{n:02d}@shop.example" for n in range(20)]
    server = JobsServer(page, [job(1, "completed")])
    server.results = [
        found("team", emails=many, phones=["+31201234567"]),
        unread("missing", "HTTP 404", 404),
        unread("private", "robots.txt forbids it"),
        unread("draft", "it asks not to be kept (noindex)", 200),
        found("p/7", title="Product 7"),
    ]
    page.goto(f"{address}/{job(1)['job_id']}")
    shown = drawer(page, 1).get_by_role("tabpanel")
    expect(shown.get_by_text("With contacts 1")).to_be_visible()
    for last in (shown.locator(".found.bare"), shown.locator(".found.unread")):
        expect(last).to_be_hidden()
    shown.get_by_text("Not read 3").click()
    failed = shown.locator(".found.unread > li .muted")
    noindex = "HTTP 200: it asks not to be kept (noindex)"
    told = [re.compile(f"{one}$") for one in ("HTTP 404", "robots.txt forbids it")]
    expect(failed).to_have_text([*told, re.compile(re.escape(noindex))])
    expect(failed.first).to_have_text("HTTP 404")
    chips = shown.get_by_role("list", name="Email addresses").get_by_role("button")
    expect(chips).to_have_count(13)
    shown.get_by_role("button", name="and 8 others").click()
    expect(chips).to_have_count(20)
    shown.get_by_role("button", name="Copy person03@shop.example").click()
    read = "navigator.clipboard.readText()"
    assert page.evaluate(read) == many[3]
    shown.get_by_role("button", name="Copy 20 emails").click()
    assert page.evaluate(read) == "\n".join(many)


def test_a_page_tells_what_it_is_and_folds_what_it_says_for_machines(
    page: Page, address: str
) -> None:
    robots = result(skipped_by_robots=2, pii_truncated=True)
    masked = {**job(1)["data"], "redact": "mask"}
    server = JobsServer(page, [job(1, "completed", data=masked, result=robots)])
    graph = {"type": "product", "title": "A lamp"}
    told = {"json_ld": [{"@type": "Product"}], "open_graph": graph}
    lamp = found("lamp", title="Lamp", description="It gives light.", depth=2, **told)
    start = found("", depth=0, links_count=1, title=None)
    server.results = [lamp, start]
    page.goto(f"{address}/{job(1)['job_id']}")
    shown = drawer(page, 1).get_by_role("tabpanel")
    pages = shown.locator(".found > li")
    # Nothing is above them: they are open.
    expect(pages.first).to_contain_text("Lamphttps://shop.example/lamp")
    expect(pages.first).to_contain_text("HTTP 200 · depth 2 · 7 links")
    expect(pages.first).to_contain_text("It gives light.")
    expect(pages.nth(1)).to_contain_text("HTTP 200 · start · 1 link")
    expect(pages.nth(1)).not_to_contain_text("JSON-LD")
    expect(shown.locator(".json")).to_have_count(0)
    shown.get_by_text("JSON-LD 1").click()
    expect(shown.get_by_label("JSON-LD", exact=True)).to_contain_text('"Product"')
    shown.get_by_text("OpenGraph 2").click()
    expect(shown.get_by_label("OpenGraph", exact=True)).to_contain_text('"A lamp"')
    expect(shown).to_contain_text("2 pages left out because the site asks")
    expect(shown).to_contain_text("Emails and phones are masked")
    shown.get_by_label("Search in the results").fill("gives light")
    expect(pages).to_have_count(1)
    drawer(page, 1).get_by_role("tab", name="JSON").click()
    expect(drawer(page, 1)).to_contain_text("Contacts of some pages are left out")


def test_what_has_changed_since_the_run_before_has_a_tab(
    page: Page, address: str
) -> None:
    before, after = job(2, "completed"), job(0, next_try_at=ago(hours=-20))
    site = "https://shop.example"
    changes = {
        "added": [f"{site}/{n}" for n in range(200)],
        "added_count": 250,
        "removed": [f"{site}/old"],
        "removed_count": 1,
        "changed": [],
        "changed_count": 0,
        "unchanged_count": 1,
        "contacts_added": ["new@shop.example", "+31201234567"],
        "contacts_removed": [],
    }
    again = {"repeat_every_s": 86_400, "previous_job_id": before["job_id"]}
    again |= {"next_job_id": after["job_id"], "result": result(difference=changes)}
    JobsServer(page, [after, job(1, "completed", **again), before])
    page.goto(f"{address}/{job(1)['job_id']}")
    shown, about = drawer(page, 1), drawer(page, 1).locator(".about")
    expect(about).to_contain_text("repeatsevery day")
    shown.get_by_role("tab", name="Changes 251").click()
    expect(page).to_have_url(f"{address}/{job(1)['job_id']}?tab=changes")
    panel = shown.get_by_role("tabpanel")
    expect(panel).to_contain_text("1 page is as it was.")
    groups = panel.locator(".group summary")
    names = ["New pages 250", "Pages gone 1", "New contacts 2"]
    expect(groups).to_have_text(names)
    expect(panel).to_contain_text("and 50 more, which are not named")
    copied = panel.get_by_role("button", name="Copy new@shop.example")
    expect(copied).to_be_visible()
    panel.get_by_role("link", name="job_").first.click()
    expect(page).to_have_url(f"{address}/{before['job_id']}")
    # That one was compared with nothing.
    expect(drawer(page, 2).get_by_role("tab", name="Results")).to_be_visible()
    expect(drawer(page, 2).get_by_role("tab", name="Changes")).to_have_count(0)
    page.go_back()
    about.get_by_role("link").nth(1).click()
    expect(page).to_have_url(f"{address}/{after['job_id']}")
    expect(drawer(page, 0)).to_contain_text("Begins in 20 h")


def test_a_job_may_be_compared_with_any_and_nothing_may_have_changed(
    page: Page, address: str
) -> None:
    same = {**{name: [] for name in LISTS}, "unchanged_count": 12}
    data = {**job(1)["data"], "compare_with": job(7)["job_id"]}
    chosen = {"data": data, "previous_job_id": job(2)["job_id"]}
    nothing = result(0, difference={**same, "unchanged_count": 0})
    of_none = job(3, "completed", result=nothing)
    compared = job(1, "completed", result=result(difference=same), **chosen)
    server = JobsServer(page, [compared, of_none])
    server.results = [unread("", "HTTP 503", 503)]
    page.goto(f"{address}/{compared['job_id']}?tab=changes")
    panel = drawer(page, 1).get_by_role("tabpanel")
    expect(panel).to_contain_text("nothing has changed on 12 pages.")
    link = panel.get_by_role("link")
    expect(link).to_have_attribute("href", f"/jobs/{job(7)['job_id']}")
    page.goto(f"{address}/{of_none['job_id']}?tab=changes")
    panel = drawer(page, 3).get_by_role("tabpanel")
    expect(panel).to_contain_text("an earlier job: no page could be compared.")
    drawer(page, 3).get_by_role("tab", name="Results").click()
    expect(drawer(page, 3)).to_contain_text("No page was read")
    expect(panel).to_contain_text("HTTP 503")


def test_results_are_searched_and_taken_along_whole(page: Page, address: str) -> None:
    server = JobsServer(page, [job(1, "completed")])
    server.results = [found(f"p/{n}", title=f"Product {n}") for n in range(120)]
    page.goto(f"{address}/{job(1)['job_id']}")
    shown = drawer(page, 1).get_by_role("tabpanel")
    expect(shown.get_by_text("Without contacts 100")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("product 7")
    expect(shown).to_contain_text("19 pages of the 100 that are loaded")
    expect(shown.locator(".found > li")).to_have_count(19)
    # What was above what was found still is.
    parts = shown.locator(".results-tools ~ div .found")
    expect(parts).to_have_count(1)
    shown.get_by_role("button", name="Load more").click()
    expect(shown).to_contain_text("21 pages of the 120 that there are")
    with page.expect_download() as taken:
        shown.get_by_role("link", name="CSV").click()
    assert taken.value.suggested_filename == f"scraper-{job(1)['job_id']}.csv"
    # It is all of it, though the server answers by pages.
    assert taken.value.path().read_bytes().count(b"\r\n") == 1 + len(server.results)
    href = shown.get_by_role("link", name="JSONL").get_attribute("href") or ""
    assert href.endswith(f"/api/scrapers/jobs/{job(1)['job_id']}/results?format=jsonl")


def test_a_file_is_asked_for_with_the_key_where_there_is_one(
    page: Page, address: str
) -> None:
    page.add_init_script("sessionStorage.setItem('eventyard.key', 'ey_test')")
    page.route("**/api/v1/tickets", lambda route: route.fulfill(json={"ticket": "t"}))
    server = JobsServer(page, [job(1, "completed")])
    server.results = [found("team", emails=["a@shop.example"])]
    page.goto(f"{address}/{job(1)['job_id']}")
    link = drawer(page, 1).get_by_role("link", name="CSV")
    with page.expect_download() as taken, page.expect_request("**format=csv") as asked:
        link.click()
    assert asked.value.headers["authorization"] == "Bearer ey_test"
    head, team, end = taken.value.path().read_bytes().split(b"\r\n")
    assert head.startswith(b"url,status,title,")
    assert end == b""
    assert team.startswith(b"https://shop.example/team,200,Page team,")


def test_a_drawer_tells_what_was_asked_and_what_came_of_it_while_it_goes_on(
    page: Page, address: str
) -> None:
    server = JobsServer(page, [job(1, "running")])
    page.goto(f"{address}/{job(1)['job_id']}")
    shown = drawer(page, 1)
    expect(shown.get_by_role("tabpanel")).to_contain_text("Nothing yet")
    live(page)
    server.results = [found("", emails=["info@shop.example"])]
    facts = {"urls_crawled": 25, "urls_failed": 3, "urls_waiting": 1200}
    server.tell(job(1, "running"), progress=0.5, **facts)
    expect(shown.locator(".job-now")).to_contain_text("3 not read, 1,200 in line")
    expect(shown.get_by_role("progressbar")).to_have_attribute("value", "0.5")
    expect(shown.get_by_role("tab", name="Results 25")).to_be_visible()
    expect(shown).to_contain_text("info@shop.example")
    shown.get_by_role("tab", name="Asked for").click()
    expect(page).to_have_url(f"{address}/{job(1)['job_id']}?tab=asked")
    asked = shown.get_by_role("tabpanel")
    expect(asked).to_contain_text("max_pages50")
    link = asked.get_by_role("link", name="https://site1.example/")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    shown.get_by_role("tab", name="JSON").click()
    expect(shown.get_by_role("tabpanel")).to_contain_text("The result comes when it")
    done = job(1, "completed", created_at=ago(minutes=1))
    server.tell(job(1, "running"), **done)
    expect(shown.get_by_label("the result", exact=True)).to_contain_text("pages: 12")
    order = shown.locator(".job > *").evaluate_all("all => all.map((x) => x.className)")
    assert order[:5] == ["drawer-sub", "job-line", "job-now", "about", "tabs"]


def test_jobs_of_other_services_show_their_rows_as_they_are(
    page: Page, address: str
) -> None:
    other = job(1, "completed", service_name="thumbnails", data={"keys": ["a.png"]})
    server = JobsServer(page, [{**other, "result": {"made": 1}}])
    server.results = [{"key": "a.png", "size": [320, 200]}]
    page.goto(f"{address}/{other['job_id']}")
    rows = drawer(page, 1).get_by_label("the results", exact=True)
    expect(rows).to_contain_text('key: "a.png"')
    assert any("/api/thumbnailss/jobs/" in one for one in server.asked)
    expect(drawer(page, 1).get_by_text("Submit again")).to_have_count(0)
    expect(row(page, 1)).to_contain_text("100 %")


@pytest.fixture
def said(page: Page) -> Iterator[list[str]]:
    """What dialogs have said, which is nothing."""
    dialogs: list[str] = []
    page.on("dialog", lambda one: (dialogs.append(one.message), one.dismiss()))
    yield dialogs
    assert page.evaluate(WIDE) <= 0
    expect(page.locator("img[src=x], main script, aside script")).to_have_count(0)
    assert dialogs == []


@pytest.mark.usefixtures("said")
@pytest.mark.main_act
def test_what_strangers_wrote_stays_text_and_their_links_lead_to_the_web_alone(
    page: Page, address: str
) -> None:
    data = {"url": "javascript:alert(3)", "max_pages": HOSTILE, HOSTILE: [HOSTILE]}
    who = dict.fromkeys(("error", "submitted_by", "assigned_node"), HOSTILE)
    hostile = job(1, "failed", data=data, **who, result=result(**{HOSTILE: HOSTILE}))
    long = job(2, "failed", data={"url": f"https://{'x' * 900}"}, error="y" * 900)
    server = JobsServer(page, [hostile, long, job(3, service_name=HOSTILE)])
    server.workers = [worker(HOSTILE, "lost", HOSTILE)]
    page.goto(f"{address}/{hostile['job_id']}")
    shown = drawer(page, 1)
    expect(shown.get_by_role("heading", level=2)).to_have_text("javascript:alert(3)")
    expect(shown).to_contain_text(HOSTILE)
    for name in ("Asked for", "JSON"):
        shown.get_by_role("tab", name=name).click()
        expect(shown.get_by_role("tabpanel")).to_contain_text(HOSTILE)
        expect(shown.locator("a:not([href^='/'])")).to_have_count(0)
    page.goto(f"{address}/{long['job_id']}")
    expect(drawer(page, 2)).to_contain_text("y" * 900)


@pytest.mark.usefixtures("said")
def test_what_pages_hold_stays_text_whatever_they_hold(
    page: Page, address: str
) -> None:
    urls = [HOSTILE, "javascript:alert(5)", "https://shop.example/new"]
    changes = {**dict.fromkeys(LISTS, urls), "unchanged_count": 1}
    came = {"result": result(difference=changes), "previous_job_id": HOSTILE}
    server = JobsServer(page, [job(1, "completed", **came)])
    people = {"emails": [HOSTILE, "z" * 900], "phones": [HOSTILE]}
    tree = {"@type": HOSTILE, HOSTILE: [HOSTILE], "__proto__": HOSTILE}
    told = {"json_ld": [tree], "open_graph": {HOSTILE: HOSTILE}}
    text = {"title": HOSTILE, "description": HOSTILE}
    server.results = [
        found("1", url="javascript:alert(4)", **people, **told, **text),
        {**unread("2", HOSTILE), "url": f"data:text/html,{HOSTILE}"},
        found("3", url=HOSTILE, **text),
        found("fine", emails=["a@b.example"]),
    ]
    answer = page.goto(f"{address}/{job(1)['job_id']}")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    shown = drawer(page, 1)
    expect(shown.locator(".found > li")).to_have_count(4)
    expect(shown.locator(".found-title").first).to_have_text(HOSTILE)
    links = shown.locator("a:not([href^='/'])")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("href", "https://shop.example/fine")
    expect(links).to_have_attribute("rel", re.compile("noopener"))
    for name in ("JSON-LD", "OpenGraph"):
        shown.get_by_text(f"{name} 1").click()
        expect(shown.get_by_label(name, exact=True)).to_contain_text("onerror")
    shown.get_by_role("tab", name="Changes").click()
    expect(shown.get_by_role("tabpanel")).to_contain_text(HOSTILE)
    expect(links).to_have_count(3)
