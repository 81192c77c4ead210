"""The page of event flows, as people use it: found, narrowed, compared, and moving."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from eventyard.core.graph.drawing import GRAPH_TYPES, draw
from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel, Site
from tests.e2e.running import RunningPlatform

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'
HOSTILE_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 80" onload="alert(1)">
<script>alert(2)</script><style>body { display: none }</style>
<g id="event:OrderPlaced" class="node toast"><title>OrderPlaced</title>
<a href="javascript:alert(3)"><ellipse cx="60" cy="40" rx="50" ry="20" onclick="alert(4)"/></a>
<text x="20" y="40">OrderPlaced</text></g>
<foreignObject><iframe src="javascript:alert(5)"></iframe></foreignObject></svg>"""
#: Where on the screen the middle of the one line is on which something moves.
MIDDLE = """() => {
  const line = document.querySelector(".stage g.edge.moving path");
  const at = line.getPointAtLength(line.getTotalLength() / 2);
  const { x, y } = new DOMPoint(at.x, at.y).matrixTransform(line.getScreenCTM());
  return [x, y];
}"""
#: What moved is asked for every three seconds, and a cold start may be in the way.
MOVES_MS = 20_000


def flow(*more: Edge, suffix: str = "") -> FlowModel:
    """Return a small shop: an order is placed, paid or not, and shipped."""
    placed, paid = f"OrderPlaced{suffix}", f"OrderPaid{suffix}"
    events = [
        EventNode(placed, "orders", at=Site("events/orders.py", 7)),
        EventNode(paid, "billing"),
        EventNode("PaymentFailed", "billing", failed=True),
        EventNode("OrderShipped", "shipping"),
    ]
    agents = [AgentNode(f"shop{suffix}", "Shop", "orders"), AgentNode("billing")]
    edges = [
        Edge(f"shop{suffix}", placed, "publishes", 1, (Site("agents/shop.py", 42),)),
        Edge("billing", placed, "subscribes"),
        Edge("billing", paid, "publishes"),
        Edge("billing", "PaymentFailed", "publishes"),
        Edge("shipping", paid, "subscribes"),
        Edge("shipping", "OrderShipped", "publishes"),
    ]
    return FlowModel.of(events, agents, [*edges, *more])


def push(
    platform: RunningPlatform, project: str, model: FlowModel, **more: Any
) -> None:
    for kind in GRAPH_TYPES:
        wish = {
            "graph_type": kind,
            "dot_content": draw(model, kind),
            "model": model.to_dict(),
            "stats": model.stats(),
            "project": project,
        }
        status, told = platform.request("POST", "/api/graph", {**wish, **more})
        assert status == 201, told


@pytest.fixture
def project(running: RunningPlatform) -> Iterator[str]:
    """The name of a project, gone after the test."""
    name = f"shop-{uuid4().hex[:10]}"
    yield name
    running.request("DELETE", f"/api/graph?project={name}")


@pytest.fixture
def address(running: RunningPlatform, project: str) -> str:
    """Where the complete graph of the small shop is shown, without live traffic."""
    push(running, project, flow())
    return f"{running.address}/flow?project={project}&type=complete&live=off"


def node(page: Page, name: str) -> Locator:
    label = page.locator("text", has_text=re.compile(f"^{re.escape(name)}$"))
    return page.locator(".stage g.node").filter(has=label)


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("complementary", name=name)


def view(page: Page) -> str:
    return str(page.locator(".stage > svg").get_attribute("viewBox"))


def test_without_a_graph_the_page_tells_how_to_make_one(
    page: Page, running: RunningPlatform, project: str
) -> None:
    page.goto(running.address)
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.get_by_role("heading", level=1)).to_have_text("Flow")
    page.goto(f"{running.address}/flow?project={project}")
    expect(page.get_by_text("No graph yet")).to_be_visible()
    expect(page.get_by_text("eventyard scan . --push")).to_be_visible()


@pytest.mark.main_act
def test_a_node_is_found_by_keyboard_and_told_of(page: Page, address: str) -> None:
    page.goto(address)
    expect(node(page, "OrderPlaced")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("order")
    found = page.get_by_role("listbox", name="Found").get_by_role("option")
    expect(found).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.type("pl")
    page.keyboard.press("Enter")

    shown = card(page, "Event OrderPlaced")
    expect(shown).to_contain_text("events/orders.py:7")
    expect(shown).to_contain_text("agents/shop.py:42")
    expect(shown.get_by_role("link", name="billing").first).to_be_visible()
    log = shown.get_by_role("link", name="Show these events in the log")
    expect(log).to_have_attribute("href", "/events?topics=OrderPlaced")
    expect(node(page, "OrderPlaced")).to_have_class(re.compile("chosen"))
    expect(page).to_have_url(re.compile("node=event:OrderPlaced"))
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(shown).to_have_count(0)


def test_the_picture_is_moved_by_keys_and_by_the_wheel(
    page: Page, address: str
) -> None:
    page.goto(address)
    expect(node(page, "OrderPlaced")).to_be_visible()
    whole = view(page)
    seen = {whole}
    for key in ("+", "ArrowLeft", "ArrowUp", "-"):
        page.keyboard.press(key)
        page.wait_for_function(
            "known => !known.includes(document.querySelector('.stage svg').getAttribute('viewBox'))",
            arg=[*seen],
        )
        seen.add(view(page))
    page.locator(".canvas").hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "known => !known.includes(document.querySelector('.stage svg').getAttribute('viewBox'))",
        arg=[*seen],
    )
    page.keyboard.press("0")
    expect(page.locator(".stage > svg")).to_have_attribute("viewBox", whole)


def test_what_is_hidden_leaves_the_layout_as_it_is(page: Page, address: str) -> None:
    page.goto(address)
    expect(node(page, "PaymentFailed")).to_be_visible()
    page.evaluate("document.querySelector('.stage svg').same = true")
    page.get_by_label("Hide failed").check()
    expect(node(page, "PaymentFailed")).to_be_hidden()
    page.get_by_role("button", name="shipping").click()
    expect(node(page, "OrderShipped")).to_be_hidden()
    expect(node(page, "OrderPaid")).to_be_visible()
    assert page.evaluate("document.querySelector('.stage svg').same")

    page.reload()
    expect(node(page, "OrderPaid")).to_be_visible()
    expect(node(page, "PaymentFailed")).to_be_hidden()
    expect(node(page, "OrderShipped")).to_be_hidden()


def test_neighbours_stay_clear_by_hops(page: Page, address: str) -> None:
    page.goto(address)
    node(page, "Shop").click()
    shown = card(page, "Agent Shop")
    expect(node(page, "OrderPlaced")).to_have_class(re.compile("near"))
    expect(node(page, "billing")).not_to_have_class(re.compile("near"))
    shown.get_by_role("button", name="More hops").click()
    expect(node(page, "billing")).to_have_class(re.compile("near"))
    expect(page).to_have_url(re.compile("hops=2"))
    shown.get_by_role("link", name="OrderPlaced").click()
    expect(card(page, "Event OrderPlaced")).to_be_visible()


def test_the_card_of_an_event_tells_whom_a_change_concerns(
    page: Page, address: str
) -> None:
    page.goto(address)
    node(page, "OrderPlaced").click()
    rows = card(page, "Event OrderPlaced").get_by_role("listitem")
    expect(rows.filter(has_text="billing directly")).to_have_count(1)
    expect(rows.filter(has_text="shipping by OrderPaid")).to_have_count(1)


def test_anomalies_lead_to_their_nodes(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="Anomalies").click()
    shown = card(page, "Anomalies")
    expect(shown).to_contain_text("Published, but nobody listens")
    shown.get_by_role("link", name="PaymentFailed").click()
    expect(card(page, "Event PaymentFailed")).to_contain_text("Nobody listens to it")
    expect(node(page, "PaymentFailed")).to_have_class(re.compile("chosen"))


def test_two_versions_are_compared_in_the_picture_and_in_words(
    page: Page, running: RunningPlatform, project: str, address: str
) -> None:
    push(running, project, flow(Edge("mail", "OrderShipped", "subscribes"), suffix="2"))
    page.goto(address)
    expect(node(page, "OrderPlaced2")).to_be_visible()
    chosen = page.get_by_role("combobox", name="Compare with")
    chosen.select_option("1")
    shown = card(page, "Changes")
    expect(
        shown.get_by_role("listitem").filter(has_text="mail listens to")
    ).to_contain_text("+")
    gone = shown.get_by_role("listitem").filter(has_text="event OrderPlaced")
    expect(gone.filter(has_text="\N{MINUS SIGN}")).to_have_count(1)
    expect(node(page, "mail")).to_have_class(re.compile("added"))
    expect(node(page, "\N{MINUS SIGN} OrderPlaced")).to_have_class(
        re.compile("removed")
    )
    shown.get_by_role("link", name="End comparing").click()
    expect(page.locator(".stage .removed")).to_have_count(0)


def test_a_new_push_is_shown_without_a_reload(
    page: Page, running: RunningPlatform, project: str, address: str
) -> None:
    page.goto(address)
    expect(node(page, "OrderPlaced")).to_be_visible()
    push(running, project, flow(Edge("mail", "OrderShipped", "subscribes")))
    expect(node(page, "mail")).to_be_visible(timeout=MOVES_MS)


def test_a_graph_is_taken_away_as_a_file(page: Page, address: str) -> None:
    page.goto(address)
    expect(node(page, "OrderPlaced")).to_be_visible()
    starts = {
        "SVG": b"<svg",
        "PNG": b"\x89PNG",
        "Mermaid": b"graph TD",
        "DOT": b"digraph",
    }
    for name, start in starts.items():
        page.locator("summary", has_text="Export").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name=name, exact=True).click()
        assert saved.value.path().read_bytes().startswith(start), name


@pytest.mark.main_act
def test_edges_move_when_events_are_published(
    page: Page, running: RunningPlatform, project: str
) -> None:
    suffix = uuid4().hex[:8]
    placed = f"order.placed.{suffix}"
    push(running, project, flow(suffix=f".{suffix}"))
    page.goto(f"{running.address}/flow?project={project}&type=complete&live=5m")
    expect(node(page, f"OrderPlaced.{suffix}")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()

    event = {"type": placed, "payload": {"n": 1}, "source": f"shop.{suffix}"}
    running.request("POST", "/api/v1/events", event)

    page.wait_for_selector(".stage g.edge.pulse", state="attached", timeout=MOVES_MS)
    edge = page.locator(".stage g.edge.moving")
    expect(edge).to_have_count(1, timeout=MOVES_MS)
    x, y = page.evaluate(MIDDLE)
    page.mouse.move(x, y)
    expect(page.locator(".tip")).to_contain_text("1 event ")
    node(page, "Shop").click()
    expect(card(page, "Agent Shop")).to_contain_text("1 event ")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Drift").click()
    shown = card(page, "Drift")
    expect(shown).to_contain_text("In the code, not seen live")
    expect(shown.get_by_role("link", name="OrderShipped").first).to_be_visible()


def test_deliveries_move_the_edge_to_the_agent_that_their_subscription_names(
    page: Page, running: RunningPlatform, project: str
) -> None:
    suffix = uuid4().hex[:8]
    push(running, project, flow(suffix=f".{suffix}"))
    queue = f"eventyard-target-{suffix}"
    running.aws("sqs").create_queue(QueueName=queue)
    wish = {
        "name": "billing",
        "topics": [f"order.placed.{suffix}"],
        "target": {"type": "queue", "queue": queue},
    }
    status, made = running.request("POST", "/api/v1/subscriptions", wish)
    assert status == 201, made
    page.goto(f"{running.address}/flow?project={project}&type=complete&live=5m")
    expect(node(page, "billing")).to_be_visible()

    running.publish(f"order.placed.{suffix}", {})

    expect(page.locator(".stage g.edge.moving")).to_have_count(1, timeout=MOVES_MS)
    node(page, "billing").click()
    heard = card(page, "Agent billing").get_by_role("listitem")
    told = heard.filter(has_text=f"OrderPlaced.{suffix}").filter(has_text="1 event ")
    expect(told.first).to_contain_text("p95 lag", timeout=MOVES_MS)
    running.request("DELETE", f"/api/v1/subscriptions/{made['id']}")


def test_an_event_shows_what_it_came_from_and_what_came_of_it(
    page: Page, running: RunningPlatform
) -> None:
    topic = f"caused.{uuid4().hex[:8]}"
    first = running.publish(f"{topic}.first", {})
    event = {"type": f"{topic}.second", "payload": {}, "causation_id": first}
    _, told = running.request("POST", "/api/v1/events", event)
    second = told["event_id"]
    page.goto(f"{running.address}/events/{second}?tab=causality")
    drawn = page.locator(".graph-view g.node")
    expect(drawn).to_have_count(2, timeout=MOVES_MS)
    drawn.filter(has_text=f"{topic}.first"[:31]).click()
    expect(page).to_have_url(re.compile(f"/events/{first}"))


@pytest.mark.parametrize("engine", ["runs", "fails"])
@pytest.mark.main_act
def test_hostile_names_and_pictures_do_no_harm(
    chromium: Any, running: RunningPlatform, project: str, engine: str
) -> None:
    model = flow(Edge(HOSTILE, HOSTILE, "publishes"))
    push(running, project, model, svg_content=HOSTILE_SVG)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: said.append(str(error)))
    if engine == "fails":
        page.route("**/flowworker.js", lambda route: route.abort())
        page.route(
            "**/graph/complete?*",
            lambda route: (
                route.continue_()
                if "/api/" in route.request.url
                else route.fulfill(body=HOSTILE_SVG, content_type="image/svg+xml")
            ),
        )
    page.goto(f"{running.address}/flow?project={project}&type=complete")
    expect(node(page, "OrderPlaced")).to_be_visible()
    node(page, "OrderPlaced").click(force=True)
    expect(card(page, "Event OrderPlaced")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    page.keyboard.press("Enter")
    expect(page.locator(".drawer h2").first).to_contain_text("<img src=x")
    harmful = ".stage :is(script, style, image, foreignObject, iframe, [href], [onclick], [onload], .toast)"
    expect(page.locator(harmful)).to_have_count(0)
    expect(page.locator("img[src=x]")).to_have_count(0)
    context.close()
    assert said == []


def test_the_page_is_not_cut_off_on_a_phone(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    expect(node(page, "OrderPlaced")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("tab", name="Complete").press("ArrowRight")
    expect(page.get_by_role("tab", name="Full tree")).to_be_focused()
    expect(page).to_have_url(re.compile("type=full-tree"))
    expect(node(page, "OrderPlaced").first).to_be_visible()
