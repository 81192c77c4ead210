"""One job on its page: how it does, what was asked, what came of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.jobs import JobsServer, drawer, found, job, row, worker
from tests.e2e.routed import ago, live
from tests.e2e.running import RunningPlatform

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'
WIDE = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
def address(running: RunningPlatform) -> str:
    return f"{running.address}/jobs"


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


def test_what_was_found_is_grouped_and_copies_itself(page: Page, address: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    many = [f"person{n:02d}@shop.example" for n in range(20)]
    server = JobsServer(page, [job(1, "completed")])
    server.results = [
        found("team", emails=many, phones=["+31201234567"]),
        found("missing", error="HTTP 404", status=404, title=None),
        found("p/7", title="Product 7"),
    ]
    page.goto(f"{address}/{job(1)['job_id']}")
    shown = drawer(page, 1).get_by_role("tabpanel")
    expect(shown.get_by_text("With contacts 1")).to_be_visible()
    expect(shown.locator(".found").nth(1)).to_contain_text("404 HTTP 404")
    expect(shown.get_by_text("Product 7", exact=False).first).to_be_hidden()
    chips = shown.get_by_role("list", name="Email addresses").get_by_role("button")
    expect(chips).to_have_count(13)
    shown.get_by_role("button", name="and 8 others").click()
    expect(chips).to_have_count(20)
    shown.get_by_role("button", name="Copy person03@shop.example").click()
    read = "navigator.clipboard.readText()"
    assert page.evaluate(read) == many[3]
    shown.get_by_role("button", name="Copy 20 emails").click()
    assert page.evaluate(read) == "\n".join(many)


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
    assert taken.value.path().read_bytes().count(b"\r\n") == len(server.results)
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
    assert taken.value.path().read_bytes() == b"https://shop.example/team\r\n"


def test_a_drawer_tells_what_was_asked_and_what_came_of_it_while_it_goes_on(
    page: Page, address: str
) -> None:
    server = JobsServer(page, [job(1, "running")])
    page.goto(f"{address}/{job(1)['job_id']}")
    shown = drawer(page, 1)
    expect(shown.get_by_role("tabpanel")).to_contain_text("Nothing yet")
    live(page)
    server.results = [found("", emails=["info@shop.example"])]
    server.tell(job(1, "running"), progress=0.5, urls_crawled=25)
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


def test_what_strangers_wrote_stays_text_and_their_links_lead_to_the_web_alone(
    page: Page, address: str
) -> None:
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    data = {"url": "javascript:alert(3)", "max_pages": HOSTILE, HOSTILE: [HOSTILE]}
    words = dict.fromkeys(("error", "submitted_by", "assigned_node"), HOSTILE)
    hostile = job(1, "failed", data=data, **words, result={HOSTILE: HOSTILE})
    long = job(2, "failed", data={"url": f"https://{'x' * 900}"}, error="y" * 900)
    server = JobsServer(page, [hostile, long, job(3, service_name=HOSTILE)])
    server.workers = [worker(HOSTILE, HOSTILE, HOSTILE)]
    contacts = {"emails": [HOSTILE, "z" * 900], "phones": [HOSTILE]}
    server.results = [
        found("", title=HOSTILE, **contacts) | {"url": "javascript:alert(4)"},
        found("", title="w" * 900, error=HOSTILE) | {"url": f"data:text/html,{HOSTILE}"},
        found("", title=HOSTILE) | {"url": HOSTILE},
        found("fine", emails=["a@b.example"]),
    ]  # fmt: skip
    page.goto(f"{address}/{hostile['job_id']}")
    shown = drawer(page, 1)
    expect(shown.get_by_role("heading", level=2)).to_have_text("javascript:alert(3)")
    expect(shown).to_contain_text(HOSTILE)
    expect(shown.locator(".found > li")).to_have_count(4)
    links = shown.locator("a:not([href^='/'])")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("href", "https://shop.example/fine")
    expect(links).to_have_attribute("rel", re.compile("noopener"))
    for name in ("Asked for", "JSON"):
        shown.get_by_role("tab", name=name).click()
        expect(shown.get_by_role("tabpanel")).to_contain_text(HOSTILE)
        expect(shown.locator("a:not([href^='/'])")).to_have_count(0)
    page.goto(f"{address}/{long['job_id']}")
    expect(drawer(page, 2)).to_contain_text("y" * 900)
    assert page.evaluate(WIDE) <= 0
    expect(page.locator("img[src=x], main script, aside script")).to_have_count(0)
    assert said == []
