"""The pages of circles on the running platform, as people use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.routed import live, until
from tests.e2e.running import RunningPlatform

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'
WIDE = "document.documentElement.scrollWidth - innerWidth"
API = "/api/v1/circles"


@pytest.fixture
def name() -> str:
    return f"crew-{uuid4().hex[:8]}"


@pytest.fixture
def refused(chromium: Any) -> Iterator[Page]:
    """A page to which the server says no, of which browsers complain."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


def ask(running: RunningPlatform, method: str, path: str, body: Any = None) -> Any:
    status, told = running.request(method, path, body)
    assert status in (200, 201, 204), told
    return told


@pytest.fixture
def circle(running: RunningPlatform, name: str) -> int:
    """A circle that runs, with two members."""
    made = ask(running, "POST", API, {"name": name, "project_id": "shop"})["id"]
    ask(running, "POST", f"{API}/{made}/start", {})
    for member in (
        {"agent_id": 7, "agent_name": "Ann", "competencies": ["python"]},
        {"agent_id": "bob", "role": "reviewer", "can_review": True},
    ):
        ask(running, "POST", f"{API}/{made}/members", member)
    return int(made)


def column(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=re.compile(rf"^{title} \d")).locator(".card")


def drawer(page: Page, title: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("complementary", name=title)


def add_members(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Members")).click()
    people = drawer(page, "Members")
    for agent, does, may in (("7", "python, sql", False), ("bob", "", True)):
        people.get_by_label("Agent").fill(agent)
        people.get_by_label("Can do").fill(does)
        people.get_by_label("May review").set_checked(may)
        people.get_by_role("button", name="Add", exact=True).click()
        expect(people.get_by_role("listitem").filter(has_text=agent)).to_be_visible()
    page.keyboard.press("Escape")
    expect(people).to_be_hidden()


def make_task(page: Page) -> None:
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("button", name="New task").click()
    form = drawer(page, "New task")
    form.get_by_label("Title").fill("Write the parser")
    form.get_by_label("Needs").fill("python")
    form.get_by_label("Priority").select_option("high")
    form.get_by_role("button", name="Make the task").click()


def do_task(page: Page) -> None:
    expect(column(page, "Pending")).to_contain_text("Write the parser")
    task = drawer(page, re.compile("^Task"))
    task.get_by_role("button", name="Claim").click()
    expect(column(page, "Claimed")).to_contain_text("7")
    task.get_by_role("button", name="Begin").click()
    expect(column(page, "In progress")).to_have_count(1)
    task.get_by_role("button", name="Hand in for review").click()
    expect(column(page, "In review")).to_have_count(1)
    expect(task.get_by_label("Reviewer").locator("option")).to_have_text(["bob"])
    task.get_by_label("Comment").fill("Well done")
    task.get_by_role("button", name="Approve").click()
    expect(column(page, "Done")).to_have_count(1)
    expect(task).to_contain_text("Well done")
    expect(task.get_by_role("button", name="Claim")).to_be_hidden()


@pytest.mark.main_act
def test_a_circle_is_made_gets_members_and_a_task_that_is_claimed_and_approved(
    page: Page, running: RunningPlatform, name: str
) -> None:
    page.goto(running.address)
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1)).to_have_text("Circles")
    page.get_by_role("link", name="New circle").first.click()
    form = drawer(page, "New circle")
    expect(form.get_by_label("Name")).to_be_focused()
    form.get_by_label("Name").fill(name)
    form.get_by_label("Project").fill("shop")
    form.get_by_role("button", name="Make the circle").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Circles / {name}")
    expect(page.get_by_text("No task yet.")).to_be_visible()
    add_members(page)
    make_task(page)
    do_task(page)
    (made,) = ask(running, "GET", f"{API}/{name}/tasks")["tasks"]
    assert (made["status"], made["assigned_agent_id"]) == ("completed", 7)


@pytest.mark.main_act
def test_what_agents_do_shows_by_itself(
    page: Page, running: RunningPlatform, circle: int
) -> None:
    page.goto(f"{running.address}/circles/{circle}")
    expect(page.get_by_text("No task yet.")).to_be_visible()
    live(page)
    made = ask(running, "POST", f"{API}/{circle}/tasks", {"title": "From afar"})
    expect(column(page, "Pending")).to_contain_text("From afar")
    at = f"/api/v1/tasks/{made['id']}"
    ask(running, "POST", f"{at}/claim", {"agent_id": 7})
    expect(column(page, "Claimed")).to_contain_text("Ann")
    ask(running, "PATCH", at, {"status": "cancelled"})
    expect(column(page, "Done")).to_contain_text("Cancelled")
    conflict = {"agent1": 7, "agent2": "bob", "file_path": "src/app.py"}
    ask(running, "POST", f"{API}/{circle}/conflicts", conflict)
    button = page.get_by_role("button", name=re.compile("^Conflicts"))
    expect(button).to_contain_text("1")

    button.click()
    told = drawer(page, "Conflicts")
    expect(told).to_contain_text("Ann and bob: src/app.py")
    told.get_by_label("How it ends").fill("Ann goes first")
    told.get_by_role("button", name="Resolve").click()
    expect(told).to_contain_text("Nobody is in anybody's way.")
    (ended,) = ask(running, "GET", f"{API}/{circle}/conflicts")["conflicts"]
    assert (ended["status"], ended["resolution"]) == ("resolved", "Ann goes first")


def test_a_card_is_dragged_to_where_it_may_go_and_nowhere_else(
    page: Page, running: RunningPlatform, circle: int
) -> None:
    made = ask(running, "POST", f"{API}/{circle}/tasks", {"title": "Move me"})
    page.goto(f"{running.address}/circles/{circle}")
    card = column(page, "Pending")
    expect(card).to_have_count(1)
    card.drag_to(page.get_by_role("region", name=re.compile("^In review")))
    page.wait_for_timeout(300)
    expect(column(page, "Pending")).to_have_count(1)
    card.drag_to(page.get_by_role("region", name=re.compile("^Blocked")))
    expect(column(page, "Blocked")).to_have_count(1)
    told = ask(running, "GET", f"/api/v1/tasks/{made['id']}")
    assert told["status"] == "blocked"


def test_who_was_faster_is_told_and_shown(
    refused: Page, running: RunningPlatform, circle: int
) -> None:
    page = refused
    made = ask(running, "POST", f"{API}/{circle}/tasks", {"title": "Race"})
    page.route(
        re.compile(r"/claim$"),
        lambda route: (
            ask(
                running, "POST", f"/api/v1/tasks/{made['id']}/claim", {"agent_id": "x"}
            ),
            route.continue_(),
        ),
    )
    page.goto(f"{running.address}/circles/{circle}?task={made['id']}")
    task = drawer(page, re.compile("^Task"))
    task.get_by_role("button", name="Claim").click()
    expect(task.get_by_role("alert")).to_contain_text("It is agent x's.")
    expect(column(page, "Claimed")).to_have_count(1)


def test_a_circle_is_deleted_after_asking_and_the_list_narrows(
    page: Page, running: RunningPlatform, circle: int, name: str
) -> None:
    page.goto(f"{running.address}/circles")
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("Running")
    page.get_by_role("link", name="Stopped").click()
    expect(row).to_be_hidden()
    page.get_by_role("link", name="Running").click()
    row.click()
    expect(page).to_have_url(f"{running.address}/circles/{circle}")
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(f"{running.address}/circles")
    expect(page.get_by_role("row").filter(has_text=name)).to_be_hidden()
    told = ask(running, "GET", f"{API}/{circle}")
    assert told["is_active"] is False


@pytest.mark.main_act
def test_what_strangers_wrote_is_text_and_fits_a_phone(
    page: Page, running: RunningPlatform, name: str
) -> None:
    page.on("dialog", lambda _: pytest.fail("a script of a stranger ran"))
    wish = {"name": name + HOSTILE, "display_name": HOSTILE, "description": HOSTILE}
    made = ask(running, "POST", API, wish)["id"]
    member = {"agent_id": HOSTILE, "competencies": [HOSTILE, "x" * 128]}
    ask(running, "POST", f"{API}/{made}/members", member)
    body = {
        "title": HOSTILE + "y" * 200,
        "description": HOSTILE,
        "required_competencies": [HOSTILE],
        "context": {HOSTILE: HOSTILE},
        "when_stopped": "keep",
    }
    task = ask(running, "POST", f"{API}/{made}/tasks", body)["id"]
    claim = {"agent_id": HOSTILE}
    ask(running, "POST", f"/api/v1/tasks/{task}/claim", claim)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("circles", f"circles/{made}"):
        page.goto(f"{running.address}/{path}")
        expect(page.locator("main")).to_contain_text("<script>alert(2)</script>")
        assert page.evaluate(WIDE) <= 0
    for query in (f"task={task}", "panel=members", "panel=task"):
        page.goto(f"{running.address}/circles/{made}?{query}")
        expect(page.locator(".drawer")).to_be_visible()
        until(page, lambda: page.evaluate(WIDE) <= 0)
    assert page.locator("img[src=x]").count() == 0


def test_a_circle_that_is_not_there_says_so(
    refused: Page, running: RunningPlatform
) -> None:
    refused.goto(f"{running.address}/circles/999999")
    expect(refused.get_by_role("alert")).to_contain_text("There is no circle 999999.")


def test_what_ended_last_stands_first_and_a_member_of_any_name_is_let_go(
    page: Page, running: RunningPlatform, circle: int
) -> None:
    for title, priority in (("Ended first", "critical"), ("Ended last", "low")):
        said = {"title": title, "priority": priority}
        made = ask(running, "POST", f"{API}/{circle}/tasks", said)["id"]
        ask(running, "PATCH", f"/api/v1/tasks/{made}", {"status": "cancelled"})
    ask(running, "POST", f"{API}/{circle}/members", {"agent_id": "../x"})

    with page.expect_response(re.compile("order=ended")) as listed:
        page.goto(f"{running.address}/circles/{circle}")
    titles = [one["title"] for one in listed.value.json()["tasks"]]
    assert titles == ["Ended last", "Ended first"]
    expect(column(page, "Done")).to_contain_text(titles)
    page.get_by_role("button", name=re.compile("^Members")).click()
    people = drawer(page, "Members")
    one = people.get_by_role("listitem").filter(has_text="../x")
    one.get_by_role("button").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()

    expect(one).to_have_count(0)
    expect(people.get_by_role("listitem")).to_have_count(2)
