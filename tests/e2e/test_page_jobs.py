"""The page of jobs, as people use it; the server's part is played by `jobs`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from eventyard.jobs.scraping.options import DEFAULTS, problem
from tests.e2e.jobs import JobsServer, drawer, found, job, row, rows, worker
from tests.e2e.routed import ago, live, until
from tests.e2e.running import RunningPlatform

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'
WIDE = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
def address(running: RunningPlatform) -> str:
    return f"{running.address}/jobs"


def tile(page: Page, name: str) -> Locator:
    return page.locator(".job-tile").filter(has_text=name)


def refusal(name: str, value: str) -> str:
    """Return what the server says of a value, but for that of any job."""
    if name == "priority":
        return name
    given = value if name == "url" else json.loads(value or '""')
    return str(problem({**DEFAULTS, "url": "https://x.example/", name: given}))


def lists(server: JobsServer) -> list[str]:
    return [one for one in server.asked if one.startswith("GET /api/v1/jobs?")]


@pytest.mark.main_act
def test_jobs_stand_with_their_state_beside_figures_and_workers(
    page: Page, running: RunningPlatform
) -> None:
    waits = job(1, queue_position=3)
    retried = job(2, attempts=1, error="It did not answer.")
    stopping = job(4, "running", cancel_requested=True)
    ended = [job(5, "completed"), job(6, "failed"), job(7, "cancelled")]
    server = JobsServer(page, [waits, retried, job(3, "running"), stopping, *ended])
    server.workers = [worker("node-3", "busy", job(3)["job_id"]), worker("n", "lost")]
    page.goto(running.address)
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("j")

    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    expect(page).to_have_url(f"{running.address}/jobs")
    expect(rows(page)).to_have_count(7)
    expect(row(page, 1)).to_contain_text("Pendinghttps://site1.example/Waits")
    expect(row(page, 2)).to_contain_text("Tried 1 of 3")
    expect(row(page, 3).get_by_role("progressbar")).to_have_attribute("value", "0.24")
    expect(row(page, 4)).to_contain_text("Stopping")
    expect(row(page, 5)).to_contain_text("Completedhttps://site5.example/12 pages")
    expect(row(page, 6)).to_contain_text("Failed")
    expect(row(page, 7)).to_contain_text("Cancelled")
    expect(tile(page, "Jobs")).to_contain_text("7")
    expect(tile(page, "Active")).to_contain_text("4 2 running")
    expect(tile(page, "Success rate")).to_contain_text("50 % 1 failed")
    expect(tile(page, "Queue")).to_contain_text("2")
    workers = page.get_by_role("table", name="Workers")
    expect(workers.locator("tbody tr").first).to_contain_text("Busynode-3")
    expect(workers).to_contain_text("Lost")
    live(page)


@pytest.mark.main_act
def test_a_bar_moves_live_and_what_is_older_does_not_move_it_back(
    page: Page, address: str
) -> None:
    server = JobsServer(page, [job(1)])
    page.goto(address)
    live(page)
    asked = len(lists(server))
    begun = server.tell(job(1), "started", status="running", attempts=1)
    bar = row(page, 1).get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "0")
    server.tell(begun, progress=0.4, urls_crawled=20)
    expect(row(page, 1)).to_contain_text("20 of 50")
    expect(bar).to_have_attribute("value", "0.4")

    server.send({**begun, "progress": 0.2, "facts": {"urls_crawled": 10}})
    done = server.tell(begun, status="completed", progress=1.0, urls_crawled=50)
    server.send({**begun, "progress": 0.9})
    expect(row(page, 1)).to_contain_text("Completed")
    expect(row(page, 1)).to_contain_text("50 pages")
    expect(tile(page, "Success rate")).to_contain_text("100 %")
    assert len(lists(server)) == asked, done

    server.tell(job(0, created_at=ago()))
    expect(row(page, 0)).to_be_visible()
    expect(rows(page).first).to_contain_text("site0.example")


def test_a_burst_shows_as_it_ends_and_other_names_are_not_listened_to(
    page: Page, address: str
) -> None:
    server = JobsServer(page, [job(1, "running")])
    page.goto(address)
    live(page)
    news = {"job_id": job(1)["job_id"], "service_name": "scraper", "status": "running"}
    event = "service_job_progress"
    server.frame(
        {"event": event, "data": {**news, "progress": n / 2000, "urls_crawled": n}}
        for n in range(1, 1501)
    )
    expect(row(page, 1)).to_contain_text("1,500 of 50")
    more = {**news, "status": "failed", "progress": 1, "error": "No"}
    server.frame([{"event": "scraper_job_failed", "data": more}])
    last = {**news, "progress": 0.8, "urls_crawled": 1501}
    server.frame([{"event": event, "data": last}])
    expect(row(page, 1)).to_contain_text("Running")
    expect(row(page, 1)).to_contain_text("1,501 of 50")


def test_a_lost_connection_goes_on_from_its_last_cursor(
    page: Page, address: str
) -> None:
    server = JobsServer(page, [job(1, "running")])
    page.goto(address)
    live(page)
    (query,) = server.connected
    assert (query["cursor"], query["frames"]) == ([f"{0:026d}"], ["batch"])
    server.tell(job(1, "running"), progress=0.5, urls_crawled=25)
    expect(row(page, 1)).to_contain_text("25 of 50")
    last, asked = server.cursor, len(lists(server))
    server.hang_up()
    until(page, lambda: len(server.connected) == 2)
    assert server.connected[1]["cursor"] == [last]
    live(page)
    assert len(lists(server)) == asked

    # Too much was missed to be sent again: the list has it.
    server.jobs[job(1)["job_id"]] |= {"status": "failed", "error": "No"}
    server.recovers = False
    server.hang_up()
    expect(row(page, 1)).to_contain_text("Failed")
    assert (asked, len(lists(server))) == (1, 2)


def test_a_list_that_tells_no_cursor_is_asked_again_once_the_page_listens(
    page: Page, address: str
) -> None:
    server = JobsServer(page, [job(1)])
    server.tells_place = False
    page.goto(address)
    until(page, lambda: len(lists(server)) == 2)
    assert "cursor" not in server.connected[0]
    server.tell(job(1), "started", status="running", attempts=1)
    expect(row(page, 1)).to_contain_text("Running")


def test_what_is_filtered_is_the_address_and_holds_for_what_comes_live(
    page: Page, address: str
) -> None:
    other = job(3, "running", service_name="thumbnails", data={"keys": ["a.png"]})
    server = JobsServer(page, [job(1, "running"), job(2, "failed"), other])
    page.goto(address)
    live(page)
    page.get_by_role("group", name="Status").get_by_role("link", name="Running").click()
    expect(page).to_have_url(f"{address}?status=running")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("combobox", name="Service").select_option("thumbnails")
    expect(page).to_have_url(f"{address}?status=running&service=thumbnails")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text('keys: ["a.png"]')
    expect(tile(page, "Jobs")).to_contain_text("1")
    until(page, lambda: "status=running&service=thumbnails" in lists(server)[-1])
    page.go_back()
    expect(rows(page)).to_have_count(2)

    server.tell(job(1, "running"), status="completed", progress=1.0)
    expect(row(page, 1)).to_have_count(0)
    del server.jobs[job(2)["job_id"]]
    page.goto(f"{address}?status=failed&service=%3Cx%3E&status=nonsense")
    failed = page.get_by_role("group", name="Status").get_by_role("link", name="Failed")
    expect(failed).to_have_attribute("aria-current", "true")
    expect(page.get_by_text("No job fits this filter.")).to_be_visible()
    page.get_by_role("button", name="Clear the filter").click()
    expect(rows(page)).to_have_count(2)


def test_arrows_walk_the_table_enter_opens_and_escape_closes(
    page: Page, address: str
) -> None:
    JobsServer(page, [job(1), job(2, "running"), job(3, "completed")])
    page.goto(address)
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(row(page, 2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{address}/{job(2)['job_id']}")
    expect(drawer(page, 2)).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer(page, 2)).to_have_count(0)
    expect(row(page, 2)).to_be_focused()
    row(page, 1).click()
    expect(drawer(page, 1)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(drawer(page, 2)).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer(page, 2)).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("link", name="All", exact=True)).to_be_focused()


def test_pages_come_on_demand_and_new_rows_wait_while_somebody_reads(
    page: Page, address: str
) -> None:
    server = JobsServer(page, [job(n, "completed") for n in range(1, 121)])
    page.goto(address)
    live(page)
    table = page.get_by_role("table", name="Jobs")
    expect(table).to_have_attribute("aria-rowcount", "51")
    table.locator("..").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    page.get_by_role("button", name="Load more").click()
    expect(table).to_have_attribute("aria-rowcount", "101")

    server.tell(job(0, created_at=ago()))
    page.get_by_role("button", name="1 change").click()
    expect(rows(page).first).to_contain_text("site0.example")
    # It was asked for as many as were shown: none of them has gone.
    expect(table).to_have_attribute("aria-rowcount", "101")


def test_a_job_is_stopped_after_one_question_that_names_it(
    page: Page, address: str
) -> None:
    running = job(2, "running")
    server = JobsServer(page, [job(1), running, job(3, "running")])
    page.goto(address)
    live(page)
    question = page.get_by_role("dialog", name="Stop this scrape?")
    row(page, 1).get_by_role("button", name="Stop").click()
    expect(question).to_contain_text("https://site1.example/")
    expect(question).to_contain_text("It has not begun")
    question.get_by_role("button", name="Cancel").click()
    assert not any(one.startswith("DELETE") for one in server.asked)

    row(page, 1).get_by_role("button", name="Stop").click()
    question.get_by_role("button", name="Stop the scrape").click()
    expect(question).to_have_count(0)
    expect(row(page, 1)).to_contain_text("Cancelled")
    expect(page.get_by_text("It is cancelled.")).to_be_visible()

    row(page, 2).click()
    drawer(page, 2).get_by_role("button", name="Stop").click()
    expect(question).to_contain_text("What it has found by then is kept")
    question.get_by_role("button", name="Stop the scrape").click()
    expect(row(page, 2)).to_contain_text("Stopping")
    expect(drawer(page, 2).get_by_role("button", name="Stop")).to_have_count(0)
    ended = {"status": "cancelled", "progress": 0.3, "cancel_requested": True}
    server.tell(running, **ended)
    expect(drawer(page, 2)).to_contain_text("It was stopped at 30 %.")


def test_who_stops_a_job_that_repeats_is_told_that_none_comes_after_it(
    page: Page, address: str
) -> None:
    often = job(1, "running", repeat_every_s=5_400)
    daily = job(2, repeat_every_s=86_400, next_try_at=ago(hours=-5))
    server = JobsServer(page, [often, daily, job(3, "running")])
    page.goto(address)
    live(page)
    question = page.get_by_role("dialog", name="Stop this scrape?")
    row(page, 1).get_by_role("button", name="Stop").click()
    told = "It repeats every 90 minutes: stopping it ends that too"
    expect(question).to_contain_text(told)
    question.get_by_role("button", name="Cancel").click()
    row(page, 3).get_by_role("button", name="Stop").click()
    expect(question).not_to_contain_text("repeats")
    question.get_by_role("button", name="Cancel").click()
    row(page, 2).get_by_role("button", name="Stop").click()
    expect(question).to_contain_text("It repeats every day")
    question.get_by_role("button", name="Stop the scrape").click()
    expect(row(page, 2)).to_contain_text("Cancelled")
    assert server.jobs[daily["job_id"]]["status"] == "cancelled"


def test_one_that_has_ended_or_is_gone_is_not_stopped_and_says_so(
    chromium: Any, address: str
) -> None:
    # A page of its own: the browser writes refusals to its console.
    page = chromium.new_page()
    server = JobsServer(page, [job(1, "running"), job(2, "running")])
    page.goto(address)
    live(page)
    question = page.get_by_role("dialog", name="Stop this scrape?")
    row(page, 1).get_by_role("button", name="Stop").click()
    server.jobs[job(1)["job_id"]] |= {"status": "completed", "progress": 1.0}
    question.get_by_role("button", name="Stop the scrape").click()
    expect(page.get_by_text("This job has ended: it is completed.")).to_be_visible()
    expect(row(page, 1)).to_contain_text("Completed")
    row(page, 2).get_by_role("button", name="Stop").click()
    del server.jobs[job(2)["job_id"]]
    question.get_by_role("button", name="Stop the scrape").click()
    expect(question.get_by_role("alert")).to_contain_text("There is no job job_")
    page.close()


def test_a_form_tells_its_faults_under_the_fields_and_asks_nobody(
    page: Page, address: str
) -> None:
    server = JobsServer(page)
    page.goto(address)
    expect(page.get_by_text("No job yet.")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Scrape a site").last.click()
    expect(page).to_have_url(f"{address}/new")
    form = page.get_by_role("complementary", name="Scrape a site")
    url = form.get_by_label("Address where it begins")
    expect(url).to_be_focused()
    page.keyboard.press("Enter")
    expect(form.locator("#job-url-fault")).to_contain_text("An address is needed")
    form.get_by_text("Advanced").click()
    for name, value, fault in [
        ("url", "ftp://x.example", "begins with http:// or https://"),
        ("url", "https://", "This is no address."),
        ("url", "https://ada:secret@x.example/", "no user name"),
        ("max_pages", "0", "whole number from 1 to 1,000"),
        ("max_pages", "1001", "whole number from 1 to 1,000"),
        ("max_pages", "1.5", "whole number from 1 to 1,000"),
        ("priority", "11", "whole number from 1 to 10"),
        ("timeout_s", "300.1", "number from 1 to 300"),
        ("timeout_s", "", "number from 1 to 300"),
        ("delay_s", "-1", "number from 0 to 60"),
        ("delay_s", "60.5", "number from 0 to 60"),
        ("delay_s", "", "number from 0 to 60"),
        ("retention_days", "0.04", "0.042 (an hour) to 365 days"),
        ("retention_days", "366", "0.042 (an hour) to 365 days"),
    ]:
        form.locator(f"#job-{name}").fill(value)
        expect(form.locator(f"#job-{name}-fault")).to_contain_text(fault)
        assert refusal(name, value).startswith(name)
    form.get_by_role("button", name="Submit").click()
    expect(url).to_be_focused()
    expect(url).to_have_attribute("aria-invalid", "true")
    assert server.submitted == []
    page.keyboard.press("Escape")
    expect(page).to_have_url(address)


def test_a_fault_out_of_sight_comes_into_sight(page: Page, address: str) -> None:
    server = JobsServer(page)
    page.goto(f"{address}/new")
    form = page.get_by_role("complementary", name="Scrape a site")
    form.get_by_label("Address where it begins").fill("https://x.example/")
    form.get_by_text("Advanced").click()
    form.get_by_label("Pause between requests").fill("61")
    # What may be empty is no fault.
    form.get_by_label("Keep the result").fill("0.01")
    form.get_by_label("Keep the result").fill("")
    form.get_by_text("Advanced").click()
    expect(form.locator("#job-delay_s")).to_be_hidden()
    form.get_by_role("button", name="Submit").click()
    expect(form.locator("#job-delay_s")).to_be_focused()
    expect(form.locator(".fault")).to_have_count(1)
    form.locator("#job-delay_s").fill("60")
    expect(form.locator(".fault")).to_have_count(0)
    # It stays open where somebody is at work.
    expect(form.locator("#job-delay_s")).to_be_focused()
    assert server.submitted == []


@pytest.mark.main_act
def test_what_is_submitted_is_followed_until_it_ends(page: Page, address: str) -> None:
    server = JobsServer(page, [job(1, "completed")])
    page.goto(address)
    live(page)
    page.keyboard.press("n")
    form = page.get_by_role("complementary", name="Scrape a site")
    form.get_by_label("Address where it begins").fill(" https://new.example/a ")
    form.get_by_text("Advanced").click()
    expect(form).to_contain_text("What the site's robots.txt asks for is always obeyed")
    form.get_by_label("Emails and phones").select_option("mask")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Submitted: number 3 in the queue")).to_be_visible()
    made = job(0)["job_id"]
    expect(page).to_have_url(f"{address}/{made}")
    numbers = {"max_pages": 10, "timeout_s": 10, "priority": 1}
    told = {"url": "https://new.example/a", "same_origin_only": True, "redact": "mask"}
    assert server.submitted == [{**numbers, **told}]
    expect(row(page, 0)).to_be_visible()
    expect(drawer(page, 0)).to_contain_text("No. 3 in line")

    begun = server.tell(server.jobs[made], "started", status="running", attempts=1)
    server.tell(begun, status="completed", progress=1.0, urls_crawled=4)
    said = page.get_by_text("Completed: https://new.example/a, 4 pages")
    expect(said).to_be_visible()


def test_all_that_a_scrape_may_be_asked_for_is_asked_for(
    page: Page, address: str
) -> None:
    before = job(1, "completed")
    server = JobsServer(page, [before, job(2, "failed")])
    page.goto(f"{address}/new")
    expect(rows(page)).to_have_count(2)
    form = page.get_by_role("complementary", name="Scrape a site")
    form.get_by_label("Address where it begins").fill("https://new.example/")
    form.get_by_text("Advanced").click()
    repeat = form.get_by_label("Repeat", exact=True)
    words = repeat.locator("option")
    expect(words).to_have_text(["Never", "Hourly", "Daily", "Weekly"])
    form.get_by_label("Pages come from").select_option("The site's sitemaps")
    form.get_by_label("Emails and phones").select_option("hash")
    form.get_by_label("Pause between requests").fill("1.5")
    form.get_by_label("Keep the result").fill("0.5")
    form.get_by_label("Compare with").fill(f" {before['job_id']} ")
    # What can be compared with is offered.
    others = form.locator("#job-others option")
    expect(others).to_have_attribute("value", before["job_id"])
    repeat.select_option("Daily")
    repeat.select_option("Never")
    expect(repeat).to_be_visible()
    repeat.select_option("Weekly")
    form.get_by_role("button", name="Submit").click()
    expect(page).to_have_url(f"{address}/{job(0)['job_id']}")
    numbers = {"max_pages": 10, "timeout_s": 10, "priority": 1, "delay_s": 1.5}
    choices = {"mode": "sitemap", "redact": "hash", "same_origin_only": True}
    later = {"retention_days": 0.5, "repeat_every_s": 604_800}
    told = {"url": "https://new.example/", "compare_with": before["job_id"]}
    assert server.submitted == [{**numbers, **choices, **later, **told}]
    expect(drawer(page, 0).locator(".about")).to_contain_text("repeatsevery week")


def test_what_waits_for_its_turn_says_when_that_is(page: Page, address: str) -> None:
    every = {"repeat_every_s": 86_400, "previous_job_id": job(9)["job_id"]}
    scheduled = job(1, next_try_at=ago(hours=-3, seconds=-30), **every)
    pauses = {"progress": 0.24, "facts": {"urls_crawled": 12}}
    paused = job(2, "running", next_try_at=ago(minutes=-4, seconds=-30), **pauses)
    other = {"service_name": "thumbnails", "data": {"keys": ["a.png"]}}
    waits = job(3, "running", next_try_at=ago(days=-3), **other)
    due = job(4, next_try_at=ago(seconds=2))
    tried = job(5, attempts=1, error="HTTP 503", next_try_at=ago(seconds=-59))
    JobsServer(page, [scheduled, paused, waits, due, tried])
    page.goto(address)
    expect(row(page, 1)).to_contain_text("Scheduled")
    expect(row(page, 1)).to_contain_text("Begins in 3 h")
    expect(row(page, 2)).to_contain_text("Waiting")
    expect(row(page, 2)).to_contain_text(re.compile(r"Goes on in 4(\.\d)? m"))
    expect(row(page, 4)).to_contain_text("Begins any moment")
    expect(row(page, 5)).to_contain_text("Next try in 5")
    row(page, 1).click()
    expect(drawer(page, 1).locator(".job-now")).to_have_text("Begins in 3 h.")
    row(page, 2).click()
    now = drawer(page, 2).locator(".job-now")
    expect(now).to_contain_text(re.compile(r"Waits for the site until .*\d\d:\d\d UTC"))
    expect(now).to_contain_text(re.compile(r"It goes on in 4(\.\d)? m"))
    expect(now).to_contain_text("12 of 50")
    row(page, 3).click()
    day = re.compile(r"Waits until \d{4}-\d\d-\d\d \d\d:\d\d UTC")
    expect(drawer(page, 3).locator(".job-now")).to_contain_text(day)


def test_a_job_that_begins_to_wait_is_noticed_and_goes_on_live(
    page: Page, address: str
) -> None:
    page.clock.install()
    server = JobsServer(page, [job(1, "running")])
    page.goto(address)
    live(page)
    server.tell(job(1, "running"), progress=0.5, urls_crawled=25)
    expect(row(page, 1)).to_contain_text("25 of 50")
    # Nobody tells that it waits; that nothing is told is a sign.
    known = server.jobs[job(1)["job_id"]]
    server.jobs[job(1)["job_id"]] = known | {"next_try_at": ago(minutes=-30)}
    asked = len(lists(server))
    for _ in range(4):
        page.clock.run_for(10_000)
        live(page)
    expect(row(page, 1)).to_contain_text("Waiting")
    # That is asked once: now it is known how long it is silent.
    for _ in range(6):
        page.clock.run_for(10_000)
        live(page)
    assert len(lists(server)) == asked + 1
    going = server.jobs[job(1)["job_id"]]
    server.tell(going, next_try_at=None, progress=0.52, urls_crawled=26)
    expect(row(page, 1)).to_contain_text("Running")
    expect(row(page, 1)).to_contain_text("26 of 50")


def test_a_refusal_shows_under_the_field_that_it_names(
    chromium: Any, address: str
) -> None:
    page = chromium.new_page()
    server = JobsServer(page)
    server.refusal = "timeout_s is longer than this service allows (url is fine)."
    page.goto(f"{address}/new")
    form = page.get_by_role("complementary", name="Scrape a site")
    form.get_by_label("Address where it begins").fill("https://new.example")
    form.get_by_role("button", name="Submit").click()
    expect(form.locator("#job-timeout_s-fault")).to_have_text(server.refusal)
    expect(form.locator("#job-timeout_s")).to_be_visible()
    form.locator("#job-timeout_s").fill("5")
    expect(form.locator(".fault")).to_have_count(0)
    server.refusal = "redact: hash needs a secret key, which is not set here"
    form.get_by_label("Emails and phones").select_option("hash")
    form.get_by_role("button", name="Submit").click()
    expect(form.locator("#job-redact-fault")).to_have_text(server.refusal)
    # A name that comes later is no field.
    server.refusal = f"No room for this url. {HOSTILE}"
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("alert")).to_contain_text(server.refusal)
    server.refusal, server.failing = None, {"/submit": 503}
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("alert")).to_contain_text("It is broken.")
    page.close()


def test_a_phone_shows_what_matters_and_nothing_beyond_its_width(
    page: Page, address: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    states = ["pending", "running", "completed", "failed", "cancelled"]
    server = JobsServer(page, [job(n, states[n % 5]) for n in range(1, 30)])
    server.workers = [worker("a-node-with-a-long-name-of-its-own", "busy", "job_1")]
    people = [f"someone-with-a-long-name-{n}@shop.example" for n in range(3)]
    data = {"json_ld": [{"@type": "x" * 300}], "open_graph": {"y" * 200: "z" * 300}}
    server.results = [found("team", emails=people, description="w" * 900, **data)]
    page.goto(address)
    expect(row(page, 1)).to_contain_text("Running")
    expect(row(page, 1).get_by_role("progressbar")).to_be_visible()
    expect(row(page, 1).get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_role("combobox", name="Status").select_option("completed")
    expect(page).to_have_url(f"{address}?status=completed")
    inner = "(() => { const main = document.querySelector('main'); return main.scrollWidth - main.clientWidth; })()"
    for act in (lambda: None, row(page, 2).click, lambda: page.keyboard.press("n")):
        act()
        expect(page.locator(".skeleton")).to_have_count(0)
        assert page.evaluate(WIDE) <= 0
        assert page.evaluate(inner) <= 0
    expect(page.get_by_role("button", name="Submit")).to_be_in_viewport()


def test_what_fails_is_told_where_it_failed_and_tried_again(
    chromium: Any, address: str
) -> None:
    page = chromium.new_page()
    server = JobsServer(page, [job(1, "completed")])
    server.failing = {"/api/v1/jobs": 503, "/workers": 500, "/results": 500}
    page.goto(f"{address}/{job(1)['job_id']}")
    told = page.get_by_role("alert").filter(has_text="The list could not be read")
    expect(told).to_contain_text("broken")
    expect(drawer(page, 1).get_by_role("alert")).to_contain_text("could not be read")
    server.failing = {"/workers": 500, "/stats": 500, "/results": 500}
    told.get_by_role("button", name="Retry").click()
    expect(row(page, 1)).to_be_visible()
    for what in ("workers", "results"):
        said = page.get_by_role("alert").filter(has_text=f"The {what} could not be")
        expect(said).to_be_visible()
    live(page)
    server.failing = {}
    for _ in range(2):
        drawer(page, 1).get_by_role("button", name="Retry").first.click()
    expect(drawer(page, 1)).to_contain_text("It has found nothing.")
    page.goto(f"{address}/job_404")
    gone = page.get_by_role("complementary", name="Job job_404")
    expect(gone).to_contain_text("There is none.")
    page.close()
