"""Any flow is drawn by the real Graphviz, each of its parts found again by its id."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, given, settings

from chalicelib.graphs.render import WasmRenderer
from chalicelib.graphs.sanitise import sanitise
from eventyard.core.graph.drawing import GRAPH_TYPES, draw, draw_diff
from tests.properties import examples
from tests.unit.core.flows import models, shop


@pytest.fixture(scope="module")
def drawn():
    """Draws as the platform does."""
    render = WasmRenderer()
    return lambda dot: ET.fromstring(sanitise(render(dot)))


def ids_in(svg: ET.Element) -> set[str]:
    """Return the ids of what can be clicked."""
    groups = svg.iter("{http://www.w3.org/2000/svg}g")
    return {
        group.attrib["id"]
        for group in groups
        if {"node", "edge"} & set(group.get("class", "").split())
    }


def parts_of(model):
    """Return the ids that a model's nodes and edges have in a drawing."""
    nodes = {f"event:{event.name}" for event in model.events}
    nodes |= {f"agent:{agent.id}" for agent in model.agents}
    edges = {
        f"pub:{edge.agent}|{edge.event}"
        if edge.kind == "publishes"
        else f"sub:{edge.event}|{edge.agent}"
        for edge in model.edges
    }
    return nodes | edges


def is_written_as_it_is(text):
    # XML has one kind of white space in attributes, and one space where there are two.
    return text == " ".join(text.split())


@settings(max_examples=examples(40), deadline=None)
@given(model=models())
def test_every_node_and_edge_of_a_complete_graph_has_its_id(drawn, model):
    wanted = parts_of(model)
    assume(all(map(is_written_as_it_is, wanted)))

    assert wanted <= ids_in(drawn(draw(model, "complete")))


@pytest.mark.parametrize("graph_type", GRAPH_TYPES)
@settings(max_examples=examples(20), deadline=None)
@given(model=models())
def test_every_type_of_any_flow_can_be_drawn(drawn, graph_type, model):
    assert drawn(draw(model, graph_type)).tag.endswith("svg")


@settings(max_examples=examples(20), deadline=None)
@given(base=models(), head=models())
def test_what_changed_between_any_two_can_be_drawn(drawn, base, head):
    assert ids_in(drawn(draw_diff(base, head)))


def test_the_simplified_shop_shows_the_way_and_not_its_failures(drawn):
    shown = ids_in(drawn(draw(shop(), "simplified")))

    assert {"event:OrderPaid", "agent:billing", "pub:billing|OrderPaid"} <= shown
    assert not {"event:PaymentFailed", "agent:robot"} & shown
