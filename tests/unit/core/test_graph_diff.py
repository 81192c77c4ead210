from __future__ import annotations

import json
import re
from dataclasses import replace

from hypothesis import given

from eventyard.core.graph.diff import diff
from eventyard.core.graph.drawing import draw_diff
from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel, Site
from tests.unit.core.flows import flow, models, shop

NONE = {"events": [], "agents": [], "edges": []}


def line(dot, key):
    (found,) = [one for one in dot.splitlines() if f' [id="{key}"' in one]
    return found


def test_what_came_and_what_went():
    found = diff(flow("a > One"), flow("a > Two")).to_dict()

    assert [one["name"] for one in found["added"]["events"]] == ["Two"]
    assert [one["name"] for one in found["removed"]["events"]] == ["One"]
    assert found["added"]["edges"] == [
        {"agent": "a", "event": "Two", "kind": "publishes", "count": 1}
    ]
    assert found["added"]["agents"] == found["removed"]["agents"] == []
    assert found["changed"] == NONE


def test_what_changed_tells_both_sides():
    base = FlowModel.of(
        [EventNode("E", "one")], [AgentNode("a")], [Edge("a", "E", "publishes")]
    )
    head = FlowModel.of(
        [EventNode("E", "two", failed=True)],
        [AgentNode("a", test=True)],
        [Edge("a", "E", "publishes", 2)],
    )

    assert diff(base, head).changed == {
        "events": [
            {
                "name": "E",
                "before": {"namespace": "one", "failed": False},
                "after": {"namespace": "two", "failed": True},
            }
        ],
        "agents": [{"id": "a", "before": {"test": False}, "after": {"test": True}}],
        "edges": [
            {
                "agent": "a",
                "event": "E",
                "kind": "publishes",
                "before": {"count": 1},
                "after": {"count": 2},
            }
        ],
    }


def test_an_edge_that_turned_round_changed():
    found = diff(flow("a > One"), flow("One > a"))

    assert found.added == found.removed == NONE
    (edge,) = found.changed["edges"]
    assert edge["before"] == {"kind": "publishes"}
    assert edge["after"] == edge["after"] | {"kind": "subscribes"}


def test_another_place_in_the_code_is_no_change():
    moved = [
        replace(edge, sites=(Site("elsewhere.py", number + 1),))
        for number, edge in enumerate(shop().edges)
    ]
    head = FlowModel.of(shop().events, shop().agents, moved)

    assert diff(shop(), head).empty


@given(models())
def test_a_model_does_not_differ_from_itself(model):
    assert diff(model, model).empty


@given(models(), models())
def test_what_came_one_way_went_the_other(base, head):
    forth, back = diff(base, head), diff(head, base)

    assert forth.added == back.removed
    assert forth.removed == back.added
    assert forth.empty == back.empty
    assert json.loads(json.dumps(forth.to_dict())) == forth.to_dict()


def test_a_diff_is_drawn_in_colours_signs_and_words():
    dot = draw_diff(
        flow("a > One", "a > Both"), flow("a > Two", "a > Both", "Both > b")
    )

    gone = line(dot, "event:One")
    assert 'label="− One"' in gone  # noqa: RUF001
    assert "dashed" in gone
    assert 'tooltip="Removed: One' in gone
    assert 'class="namespace-unknown event removed"' in gone
    assert "#c62828" in gone
    came = line(dot, "agent:b")
    assert 'label="+ b"' in came
    assert 'tooltip="Added: b' in came
    assert "#2e7d32" in came
    same = line(dot, "event:Both")
    assert 'label="Both"' in same
    assert not re.search("[Aa]dded|[Rr]emoved|[Cc]hanged", same)


def test_drawn_edges_tell_what_became_of_them():
    base = FlowModel.of(
        (), (), [Edge("a", "E", "publishes"), Edge("a", "F", "publishes")]
    )
    head = FlowModel.of(
        (), (), [Edge("a", "E", "publishes", 2), Edge("b", "E", "subscribes")]
    )

    dot = draw_diff(base, head)

    assert 'class="publishes changed"' in line(dot, "pub:a|E")
    assert 'class="subscribes added"' in line(dot, "sub:E|b")
    gone = line(dot, "pub:a|F")
    assert 'class="publishes removed"' in gone
    assert "style=dashed" in gone
