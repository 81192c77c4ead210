from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.errors import InvalidRequestError
from eventyard.core.graph import _tree
from eventyard.core.graph.drawing import GRAPH_TYPES, Style, draw
from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel, Site
from eventyard.core.graph.palette import (
    NAMESPACE_COLOURS,
    contrast,
    namespace_colour,
    text_colour,
)
from eventyard.core.graph.reading import read_dot
from tests.unit.core.flows import AWKWARD, edge, flow, models, names, shop

COLOURS = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


def nodes(dot):
    """The lines of nodes by id."""
    return {
        found[1]: found[0]
        for found in re.finditer(
            r'^ +(?:"[^"]+"|\w+) \[(?:label="\w+" )?id="([^"]+)".*$', dot, re.MULTILINE
        )
    }


def arrows(dot):
    """The ends of edges."""
    return {
        (found[1].strip('"'), found[2].strip('"'))
        for found in re.finditer(
            r'^ +("[^"]+"|\w+) -> ("[^"]+"|\w+)', dot, re.MULTILINE
        )
    }


def grid(events, agents, edges):
    return FlowModel.of(
        [
            EventNode(f"Event{n}", f"ns{n % 26}", at=Site("e.py", 1))
            for n in range(events)
        ],
        [AgentNode(f"agent_{n}", f"Agent{n}", f"ns{n % 26}") for n in range(agents)],
        [
            Edge(
                f"agent_{n % agents}",
                f"Event{n * 7 % events}",
                kind,
                1,
                (Site("a.py", n + 1),),
            )
            for n in range(edges // 2)
            for kind in ("publishes", "subscribes")
        ],
    )


def ladder(steps):
    """Two ways at each step: twice as many paths with each."""
    edges = []
    for step in range(steps):
        for side in "ab":
            edges += [f"E{step} > {side}{step}", f"{side}{step} > E{step + 1}"]
    return flow(*edges)


@pytest.mark.parametrize("graph_type", GRAPH_TYPES)
class TestEveryType:
    def test_the_same_model_gives_the_same_text(self, graph_type):
        model = shop()
        turned = FlowModel.of(model.events[::-1], model.agents[::-1], model.edges[::-1])

        assert draw(model, graph_type) == draw(turned, graph_type)

    def test_nothing_is_drawn_as_nothing(self, graph_type):
        dot = draw(FlowModel(), graph_type)

        assert dot.startswith("digraph EventFlow {")
        assert read_dot(dot) == FlowModel()

    def test_nodes_and_edges_can_be_addressed(self, graph_type):
        dot = draw(flow("shop > Paid", "Paid > mailer"), graph_type)

        for key in ("event:Paid", "agent:mailer", "pub:shop|Paid", "sub:Paid|mailer"):
            assert f'[id="{key}"' in dot
        assert 'class="namespace-unknown event"' in dot
        assert 'class="namespace-unknown agent"' in dot

    def test_a_thousand_nodes_are_drawn_in_no_time(self, graph_type):
        model = grid(600, 400, 3000)
        began = time.process_time()

        draw(model, graph_type)

        # Some 50 ms; whatever is quadratic takes far more.
        assert time.process_time() - began < 2

    def test_styles_are_applied(self, graph_type):
        style = Style({"orders": "#123456"}, {"orders": "hexagon"}, "Segoe UI")

        dot = draw(shop(), graph_type, style=style)

        line = nodes(dot)["event:OrderPlaced"]
        assert 'fillcolor="#123456" fontcolor="#ffffff"' in line
        assert "shape=hexagon" in line
        assert 'fontname="Segoe UI"' in dot
        assert 'margin="0.2,0.08"' in dot


def test_an_unknown_type_is_refused_with_those_there_are():
    with pytest.raises(InvalidRequestError) as refused:
        draw(shop(), "wheel")

    assert str(refused.value) == (
        "Invalid graph_type. Must be one of: simplified, complete, full-tree"
    )


class TestComplete:
    def test_everything_is_there_and_says_what_it_is(self):
        found = nodes(draw(shop(), "complete"))

        assert found.keys() >= {f"event:{one.name}" for one in shop().events}
        assert found.keys() >= {f"agent:{one.id}" for one in shop().agents}
        assert 'class="namespace-billing event failed"' in found["event:PaymentFailed"]
        assert 'class="namespace-orders event rejected"' in found["event:OrderRejected"]
        assert 'class="namespace-unknown agent test"' in found["agent:robot"]
        assert "shape=ellipse" in found["event:OrderPaid"]
        assert 'fillcolor="#ffcc80"' in found["agent:billing"]

    def test_namespaces_are_framed(self):
        dot = draw(shop(), "complete")
        frame = dot.partition('subgraph "cluster_billing" {')[2].partition("  }")[0]

        assert set(nodes(frame)) == {
            "event:OrderPaid",
            "event:PaymentFailed",
            "agent:billing",
        }
        assert dot.count("subgraph") == 2

    def test_tooltips_tell_places_and_ends(self):
        found = nodes(draw(shop(), "complete"))

        assert (
            r'tooltip="OrderPlaced · event of orders\nat events/orders/placed.py:4'
            r'\nPublished by: checkout, robot\nConsumed by: billing"'
        ) in found["event:OrderPlaced"]
        assert (
            r'tooltip="Billing · agent of billing\nat agents/billing.py:9'
            r'\nListens to: OrderPlaced\nPublishes: OrderPaid, PaymentFailed"'
        ) in found["agent:billing"]

    def test_a_tooltip_of_an_edge_tells_its_places_up_to_a_few(self):
        sites = tuple(Site("a.py", line) for line in range(1, 13))

        dot = draw(
            FlowModel.of((), (), [Edge("a", "E", "publishes", 12, sites)]), "complete"
        )

        assert r'tooltip="a publishes E (12 times)\na.py:1, ' in dot
        assert "a.py:8 and 4 more" in dot

    @pytest.mark.parametrize("name", AWKWARD)
    def test_no_name_breaks_out_of_its_line(self, name):
        model = FlowModel.of(
            [EventNode(name, name, at=Site(name, 1))],
            [AgentNode(name, name, name)],
            [Edge(name, name, "publishes", 1, (Site(name, 1),))],
        )

        read = read_dot(draw(model, "complete"))

        assert [event.name for event in read.events] == [name]
        assert [agent.label for agent in read.agents] == [name]
        assert len(read.edges) == 1

    def test_what_no_drawing_can_hold_is_replaced(self):
        dot = draw(FlowModel.of([EventNode("a\x00b\ud800c\x1b")], (), ()), "complete")

        dot.encode()
        assert 'label="a�b�c�"' in dot


class TestSimplified:
    def test_failures_rejections_and_tests_are_left_out(self):
        found = nodes(draw(shop(), "simplified"))

        assert set(found) == {
            *("START", "END", "event:OrderPlaced", "event:OrderPaid"),
            *("event:OrderShipped", "event:StockLow", "event:CartAbandoned"),
            *("event:MailSent", "agent:checkout", "agent:billing", "agent:shipping"),
            *("agent:stock", "agent:mailer"),
        }

    def test_it_leads_from_start_to_end(self):
        found = arrows(draw(shop(), "simplified"))

        assert {one for one in found if "START" in one or "END" in one} == {
            ("START", "event:CartAbandoned"),
            ("START", "agent:checkout"),
            ("event:MailSent", "END"),
        }
        assert ("event:OrderPaid", "agent:shipping") in found

    def test_an_event_without_ends_is_left_out(self):
        model = FlowModel.of(
            [EventNode("Idle")], [AgentNode("idle")], [edge("a > One")]
        )

        assert set(nodes(draw(model, "simplified"))) == {
            *("START", "END", "event:One", "agent:a"),
        }

    def test_patterns_are_resolved(self):
        model = flow(
            "shop > order.paid",
            "order.* > log",
            events=[EventNode("order.*", pattern=True)],
        )

        found = arrows(draw(model, "simplified"))

        assert ("event:order.paid", "agent:log") in found
        assert "event:order.*" not in nodes(draw(model, "simplified"))

    def test_patterns_bring_no_failures_back(self):
        model = flow(
            "shop > order.failed",
            "order.* > log",
            events=[
                EventNode("order.*", pattern=True),
                EventNode("order.failed", failed=True),
            ],
        )

        assert "event:order.failed" not in nodes(draw(model, "simplified"))

    def test_a_curated_flow_is_drawn_as_it_is_written(self):
        style = Style(
            main_flow=(
                ("START", "OrderPlaced"),
                ("OrderPlaced", "Billing"),
                ("Billing", "OrderPaid"),
                ("OrderPaid", "OrderShipped"),
                ("OrderShipped", "Delivered"),
                ("Delivered", "END"),
            )
        )

        dot = draw(shop(), "simplified", style=style)

        assert arrows(dot) == {
            ("START", "event:OrderPlaced"),
            ("event:OrderPlaced", "agent:billing"),
            ("agent:billing", "event:OrderPaid"),
            ("event:OrderPaid", "event:OrderShipped"),
            ("event:OrderShipped", "event:Delivered"),
            ("event:Delivered", "END"),
        }
        assert '[id="pub:billing|OrderPaid"' in dot
        assert "not in the code" in dot
        assert len(read_dot(dot).edges) == 2

    def test_a_curated_flow_may_come_from_a_file_of_lists(self):
        style = Style(main_flow=[["START", "OrderPlaced"]])

        assert style == Style(main_flow=(("START", "OrderPlaced"),))
        assert '"START" -> "event:OrderPlaced"' in draw(
            shop(), "simplified", style=style
        )


class TestTree:
    def test_it_is_unrolled_from_where_events_enter(self):
        dot = draw(flow("In > a", "a > One", "One > b"), "full-tree")

        assert arrows(dot) == {
            ("event:In", "agent:a"),
            ("agent:a", "event:One"),
            ("event:One", "agent:b"),
        }

    def test_what_is_reached_twice_stands_twice(self):
        dot = draw(flow("One > a", "Two > a", "a > End"), "full-tree")

        assert arrows(dot) == {
            ("event:One", "agent:a"),
            ("agent:a", "event:End"),
            ("event:Two", "agent:a#2"),
            ("agent:a#2", "event:End#2"),
        }
        assert '[id="pub:a|End#2"' in dot
        assert "dashed" not in dot

    def test_the_way_back_is_dashed(self):
        dot = draw(flow("In > a", "a > One", "One > b", "b > In"), "full-tree")

        (back,) = [one for one in dot.splitlines() if "dashed" in one]
        assert '"agent:b" -> "event:In"' in back
        assert 'class="back"' in back

    def test_a_repeat_is_never_taken_for_a_name_that_looks_like_one(self):
        model = flow("One > a", "Two > a", "a > End", "a > End#2")

        dot = draw(model, "full-tree")

        keys = re.findall(r'^  "([^"]+)" \[', dot, re.MULTILINE)
        assert len(keys) == len(set(keys)) == 8
        assert {event.name for event in read_dot(dot).events} == {
            *("One", "Two", "End", "End#2"),
        }

    def test_what_only_a_cycle_leads_to_is_there_and_what_stands_alone(self):
        model = FlowModel.of(
            [EventNode("Idle")], [AgentNode("idle")], [edge("One > a"), edge("a > One")]
        )

        assert set(nodes(draw(model, "full-tree"))) == {
            *("event:One", "agent:a", "event:Idle", "agent:idle"),
        }

    def test_countless_ways_are_folded(self):
        dot = draw(ladder(40), "full-tree")

        assert "over 1500 nodes" in dot
        assert len(nodes(dot)) == 4 * 40 + 1
        assert {(e.agent, e.event) for e in read_dot(dot).edges} == {
            (e.agent, e.event) for e in ladder(40).edges
        }

    def test_what_is_too_large_even_so_is_cut_off_and_says_so(self, monkeypatch):
        monkeypatch.setattr(_tree, "MOST_UNROLLED", 5)
        monkeypatch.setattr(_tree, "MOST_DRAWN", 8)

        dot = draw(shop(), "full-tree")

        assert "Cut off after 8 nodes" in dot
        assert len(nodes(dot)) == 8

    def test_a_chain_may_be_very_long(self):
        edges = [Edge(f"a{n}", f"E{n}", "subscribes") for n in range(3000)]
        edges += [Edge(f"a{n}", f"E{n + 1}", "publishes") for n in range(3000)]

        assert "event:E3000" in draw(FlowModel.of((), (), edges), "full-tree")

    @given(models())
    def test_every_node_is_there(self, model):
        plain = FlowModel.of(
            [EventNode(event.name) for event in model.events], model.agents, model.edges
        )

        read = read_dot(draw(plain, "full-tree"))

        assert [one.name for one in read.events] == [one.name for one in plain.events]
        assert [one.id for one in read.agents] == [one.id for one in plain.agents]
        assert [(e.agent, e.event, e.kind, e.count) for e in read.edges] == [
            (e.agent, e.event, e.kind, e.count) for e in plain.edges
        ]


class TestPalette:
    @given(names)
    def test_a_namespace_has_one_colour_that_text_reads_on(self, name):
        fill = namespace_colour(name)

        assert fill == namespace_colour(name)
        assert contrast(fill, text_colour(fill)) >= 4.5

    @given(COLOURS)
    def test_text_reads_on_whatever_colour_is_chosen(self, fill):
        assert contrast(fill, text_colour(fill)) >= 4.5

    def test_contrast_is_counted_as_wcag_does(self):
        assert contrast("#000", "#ffffff") == pytest.approx(21)
        assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)

    def test_colours_of_the_legend_are_kept_and_others_differ(self):
        assert namespace_colour("market_data") == NAMESPACE_COLOURS["market_data"]
        assert len({namespace_colour(f"space{n}") for n in range(50)}) > 45

    @pytest.mark.parametrize(
        "bad",
        [
            {"colours": {"a": 'red" onclick="x'}},
            {"colours": {"a": "#12345"}},
            {"shapes": {"a": "epsf"}},
            {"font": 'x" onclick="alert(1)'},
            {"font": ""},
            {"main_flow": (("a", "b", "c"),)},
            {"main_flow": ["ab"]},
            {"main_flow": [["a", 1]]},
            {"colours": {"a": 1}},
        ],
    )
    def test_a_style_is_no_way_in(self, bad):
        with pytest.raises(InvalidRequestError):
            Style(**bad)
