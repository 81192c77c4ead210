from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventyard.core.errors import InvalidRequestError
from eventyard.core.graph.drawing import GRAPH_TYPES, draw, draw_diff
from eventyard.core.graph.model import (
    AgentNode,
    Edge,
    EventNode,
    FlowModel,
)
from eventyard.core.graph.reading import read_dot
from tests.unit.core.flows import models, shop

OLD = """
digraph EventFlow {
    rankdir=TB;
    node [shape=box, style="filled,rounded", fontname="Arial", fontsize=10];
    edge [arrowsize=0.8];
    "OrderPlaced" [fillcolor="#e0e0e0", shape=ellipse, class="namespace-orders"];
    "PaymentFailed" [fillcolor="#e0e0e0", shape=ellipse, class="namespace-billing failed"];
    "billing" [fillcolor="#ffcc80", class="namespace-billing"];
    "OrderPlaced" -> "billing";
    "billing" -> "PaymentFailed";
    "billing" -> "PaymentFailed";
}
"""


def ends(model):
    return {(edge.agent, edge.event, edge.kind) for edge in model.edges}


@given(models())
def test_what_is_drawn_whole_is_read_back(model):
    read = read_dot(draw(model, "complete"))

    assert read == FlowModel.of(
        [
            EventNode(e.name, e.namespace, e.failed, e.rejected, e.pattern)
            for e in model.events
        ],
        [AgentNode(a.id, a.label, a.namespace, a.test) for a in model.agents],
        [Edge(e.agent, e.event, e.kind, e.count) for e in model.edges],
    )


@given(models(), models())
def test_whatever_is_drawn_is_dot(model, other):
    for graph_type in GRAPH_TYPES:
        read_dot(draw(model, graph_type))
    united = read_dot(draw_diff(model, other))

    assert ends(united) == ends(model) | ends(other)


def test_a_tree_reads_as_what_it_was_drawn_from():
    assert ends(read_dot(draw(shop(), "full-tree"))) == ends(shop())


def test_an_old_scanners_graph_is_understood():
    model = read_dot(OLD)

    assert model.events == (
        EventNode("OrderPlaced", "orders"),
        EventNode("PaymentFailed", "billing", failed=True),
    )
    assert model.agents == (AgentNode("billing", "billing", "billing"),)
    assert model.edges == (
        Edge("billing", "OrderPlaced", "subscribes"),
        Edge("billing", "PaymentFailed", "publishes", 2),
    )


@pytest.mark.parametrize(
    "body",
    [
        "OrderPaid [shape=ellipse] billing [shape=box] billing -> OrderPaid",
        "node [shape=box]; billing; OrderPaid [shape=ellipse]; billing -> OrderPaid;",
        "node [shape=ellipse] OrderPaid node [shape=box] billing -> OrderPaid",
        "billing [class=agent]; billing -> OrderPaid",
        "OrderPaid [class=event]; billing -> OrderPaid",
        'x [id="event:OrderPaid"]; y [id="agent:billing"]; y -> x',
        "billing -> OrderPaid",
        "billing:p:n -> OrderPaid:s",
        "subgraph cluster_a { OrderPaid [shape=ellipse] } billing -> OrderPaid",
        "billing -> { OrderPaid }",
        "{ billing } -> subgraph x { OrderPaid }",
        "OrderPaid [label=<<b>paid</b>>] billing -> OrderPaid [label=<a<i>b</i>>]",
        "// a\nbilling -> /* b\n */ OrderPaid\n# c\n",
        '"bill" + "ing" -> "Order\\\nPaid"',
        "rankdir=LR; edge [color=red]; billing -> OrderPaid [a=1, b=2; c]",
        "billing -> OrderPaid [weight=2] [style=dashed]",
        "subgraph x; billing -> OrderPaid",
    ],
)
@pytest.mark.parametrize("head", ["digraph", "strict digraph G", 'DiGraph "a b"'])
def test_dot_may_be_written_in_many_ways(head, body):
    model = read_dot(f"{head} {{ {body} }}")

    assert ends(model) == {("billing", "OrderPaid", "publishes")}


def test_a_chain_is_an_edge_after_another():
    model = read_dot("digraph { checkout -> OrderPlaced -> billing -> OrderPaid }")

    assert ends(model) == {
        ("checkout", "OrderPlaced", "publishes"),
        ("billing", "OrderPlaced", "subscribes"),
        ("billing", "OrderPaid", "publishes"),
    }


def test_a_group_is_joined_with_each_other():
    model = read_dot("digraph { {a_x b_x} -> {One Two {Three}} -> c_x }")

    assert len(model.edges) == 9
    assert model.publishers()["Three"] == ["a_x", "b_x"]
    assert model.subscribers()["Three"] == ["c_x"]


def test_an_edge_within_a_group_joins_both_its_ends_to_what_leads_there():
    model = read_dot(
        "digraph { a_x [shape=box] b_x [shape=box] a_x -> { b_x -> { One } } }"
    )

    assert ends(model) == {("a_x", "One", "publishes"), ("b_x", "One", "publishes")}


def test_defaults_hold_within_their_braces_only():
    model = read_dot("digraph { subgraph { node [shape=ellipse] one } two }")

    assert [event.name for event in model.events] == ["one"]
    assert [agent.id for agent in model.agents] == ["two"]


def test_start_and_end_are_no_part_of_the_flow():
    model = read_dot('digraph { START -> "Paid" -> x_y; 1 [label="End"]; x_y -> 1 }')

    assert [event.name for event in model.events] == ["Paid"]
    assert [agent.id for agent in model.agents] == ["x_y"]


def test_an_edge_between_two_events_is_told_with_its_line():
    model = read_dot("digraph {\n A [shape=ellipse]\n B [shape=ellipse]\n A -> B\n}")

    assert model.edges == ()
    (told,) = model.diagnostics
    assert "from A to B joins two events" in told.message
    assert told.at.line == 4


def test_what_an_old_graph_does_not_say_its_names_do():
    model = read_dot(
        "digraph { x_y -> PayFailed; x_y -> order.rejected }".replace(
            "order.rejected", '"order.rejected"'
        )
    )

    assert [(e.name, e.failed, e.rejected) for e in model.events] == [
        ("PayFailed", True, False),
        ("order.rejected", False, True),
    ]


@pytest.mark.parametrize(
    ("dot", "told"),
    [
        ("", "line 1 has no graph"),
        ("{}", "line 1 has no graph"),
        ("digraph {", "line 1 has its end"),
        ("digraph {}\n}", "line 2 has text after the end"),
        ('digraph {\n "a', "line 2 has a text that does not end"),
        ("digraph {\n\n/* a", "line 3 has a comment that does not end"),
        ("digraph {\n a [label=<b", "line 2 has a label in HTML that does not end"),
        ("digraph { a -> }", "where a name should be"),
        ("digraph {\n ! }", "line 2 has '!', which is no DOT"),
        ("digraph { a [b=] }", "where a name should be"),
        ('digraph { "a" + b }', "no quoted text"),
        ("digraph { a #b\n }", "'#', which is no DOT"),
    ],
)
def test_what_is_no_dot_is_refused_with_its_line(dot, told):
    with pytest.raises(InvalidRequestError, match=told):
        read_dot(dot)


@pytest.mark.parametrize(
    "dot",
    [
        "digraph {" + "{" * 100_000,
        "digraph {" + "a -> {" * 100_000,
        "digraph { {"
        + " ".join(f"a{n}" for n in range(1000))
        + "} -> {"
        + " ".join(f"B{n}" for n in range(1000))
        + "} }",
        "digraph {" + ";".join(f"a{n}" for n in range(20_001)) + "}",
        f"digraph {{ {'x' * 513} }}",
        " " * 10_000_001,
    ],
    ids=["braces", "edges into braces", "product", "nodes", "name", "size"],
)
def test_what_is_too_much_is_refused(dot):
    with pytest.raises(InvalidRequestError):
        read_dot(dot)


FRAGMENTS = [
    *("digraph", "{", "}", "[", "]", "->", "--", '"', "\\", "<", ">", "/*", "*/"),
    *("//", "#", "\n", " ", "a", "B", "=", ",", ";", ":", "+", "-", ".", "1", "é"),
    *("node", "edge", "subgraph", "shape=box", 'id="event:x"', "[a=b", "\x00"),
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join) | st.text())
@example("digraph{" + '"' * 7)
def test_any_text_is_read_or_refused(text):
    for dot in (text, "digraph{" + text + "}"):
        try:
            model = read_dot(dot)
        except InvalidRequestError:
            continue
        assert FlowModel.from_dict(model.to_dict()) == model


@pytest.mark.parametrize(
    "part",
    [
        "[",
        "[a",
        "<",
        '"',
        "/*",
        "/",
        "#",
        "a[b=c",
        "a->",
        '"a"+',
        "\\",
        "a [b=<c>] ",
        "\n# ",
    ],
)
def test_no_text_takes_more_than_its_length(part):
    def seconds(times):
        began = time.process_time()
        try:
            read_dot("digraph {" + part * times)
        except InvalidRequestError:
            return time.process_time() - began
        return time.process_time() - began

    # Whatever is quadratic would take minutes.
    assert seconds(200_000) < 10
