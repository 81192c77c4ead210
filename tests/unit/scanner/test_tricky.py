"""tests/samples/tricky, whose flow is written down here by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventyard.core.graph.model import Site
from eventyard.scanner import EventFlowAnalyzer
from tests.unit.scanner.conftest import edges_of

_TREE = Path(__file__).parent.parent.parent / "samples" / "tricky"

_PUBLISHED = {
    "check_orders": ["plain.text"],
    "classes": ["from.other"] * 2,
    "decorated": ["ask.tax", "from.decorated"],
    "decorated.Handlers": ["in.a.default"],
    "latin": ["latin.café"],
    "methods_on_two_lines": ["StockTaken"] * 2,
    "multiline": ["OrderPaid2", "PaymentFailed"],
    "names": [
        "LOST",
        "MEMBER",
        *["OrderPaid2"] * 3,
        *["OrderTurnedDown"] * 4,
        "audit",
        "audit.*.done",
        *["audit.alarm"] * 2,
        "batch.a",
        "batch.b",
        "by.event_name",
        "by.topic",
        "by.type",
        "class.constant",
        "either.a",
        "either.b",
        "emitted",
        "emitted.by.getter",
        "format.*",
        "in.a.dict",
        "in.event",
        "in.event.first",
        "instance.attribute",
        "local.constant",
        "no.wait",
        "order.*",
        *["order.shipped"] * 2,
        "percent.*",
        "plain.text",
        "plus.*",
        "stock.low",
    ],
    "nested.classes": ["from.module"],
    "nested.classes.Local": ["from.local"],
    "nested.classes.Outer": ["from.outer"],
    "nested.classes.Outer.Inner": ["from.inner"],
    "windows": ["after.a.bom", "windows.lines"],
}
_HEARD = {
    "decorated": ["ask.price", "decorated.a", "decorated.b", "streamed.*"],
    "decorated.Handlers": ["method.decorated"],
    "multiline": ["OrderPlaced"],
    "names": [
        "OrderPaid2",
        "OrderTurnedDown",
        "handlers.x",
        "handlers.y",
        "list.a",
        "list.b",
        "pattern.**",
        "pattern.*.x",
        "several.a",
        "several.b",
        "topics.one",
        "topics.two",
    ],
}
_UNCLEAR = [
    ("dynamic", "names.py", 71),
    ("dynamic", "names.py", 72),
    ("dynamic", "names.py", 73),
    ("dynamic", "names.py", 74),
    ("syntax", "syntax_error.py", 1),
    ("unreadable", "undecodable.py", 1),
]


@pytest.fixture(scope="module")
def model():
    return EventFlowAnalyzer(_TREE / "agents", _TREE / "events").analyze()


def told(model, kind):
    found = {}
    for agent, event in edges_of(model, kind):
        found.setdefault(agent, []).append(event)
    return found


def test_every_publish_is_found_and_nothing_that_only_looks_like_one(model):
    assert told(model, "publishes") == _PUBLISHED


def test_every_subscription_is_found_and_nothing_that_only_looks_like_one(model):
    assert told(model, "subscribes") == _HEARD


def test_what_is_known_only_at_run_time_is_told_with_its_line(model):
    found = [(one.kind, one.at.file, one.at.line) for one in model.diagnostics]

    assert sorted(found) == sorted(_UNCLEAR)


def test_a_call_over_lines_is_placed_where_it_begins(model):
    sites = {
        edge.event: edge.sites for edge in model.edges if edge.agent == "multiline"
    }

    assert sites == {
        "OrderPlaced": (Site("multiline.py", 12),),
        "OrderPaid2": (Site("multiline.py", 20),),
        "PaymentFailed": (Site("multiline.py", 24),),
    }


def test_two_calls_on_neighbouring_lines_are_one_edge_with_both_places(model):
    (edge,) = [one for one in model.edges if one.agent == "methods_on_two_lines"]

    assert (edge.count, [site.line for site in edge.sites]) == (2, [3, 5])


def test_an_agent_is_called_as_its_class_and_tests_are_marked(model):
    agents = {agent.id: agent for agent in model.agents}

    assert agents["names"].label == "Namer"
    assert agents["nested.classes.Outer.Inner"].label == "Outer.Inner"
    assert [agent.id for agent in model.agents if agent.test] == ["check_orders"]


def test_events_have_the_namespace_and_the_outcome_that_their_classes_tell(model):
    events = {event.name: event for event in model.events}
    shown = {
        name: (events[name].namespace, events[name].failed, events[name].rejected)
        for name in ("OrderPlaced", "OrderTurnedDown", "PaymentFailed", "StockTaken")
    }

    assert shown == {
        "OrderPlaced": ("orders", False, False),
        "OrderTurnedDown": ("orders", False, True),
        "PaymentFailed": ("orders", True, False),
        "StockTaken": ("stock", True, False),
    }
    assert events["plain.text"].namespace == "unknown"
    assert events["audit.*.done"].pattern


def test_an_agent_belongs_to_the_namespace_of_most_that_it_publishes(model):
    namespaces = {agent.id: agent.namespace for agent in model.agents}

    assert namespaces["multiline"] == "orders"
    assert namespaces["methods_on_two_lines"] == "stock"
    assert namespaces["decorated"] == "unknown"


def test_nothing_of_the_tree_was_imported(model):
    import sys

    assert not {"topics", "marks", "events.orders.order"} & set(sys.modules)
