from __future__ import annotations

import json

import pytest
from hypothesis import given

from eventyard.core.errors import InvalidRequestError
from eventyard.core.graph.model import (
    Diagnostic,
    Edge,
    EventNode,
    FlowModel,
    Site,
    outcome,
)
from tests.unit.core.flows import models, shop


@given(models())
def test_what_a_model_writes_it_reads(model):
    written = json.loads(json.dumps(model.to_dict()))

    assert FlowModel.from_dict(written) == model
    assert written == model.to_dict()


def test_diagnostics_are_kept():
    told = Diagnostic("dynamic", "publish(name)", Site("a.py", 3))

    model = FlowModel.of((), (), (), [told])

    assert FlowModel.from_dict(model.to_dict()).diagnostics == (told,)


def test_equal_edges_are_one_that_counts_both_and_knows_both_places():
    first = Edge("a", "E", "publishes", sites=(Site("b.py", 2),))
    second = Edge("a", "E", "publishes", 2, (Site("a.py", 1), Site("b.py", 2)))

    (edge,) = FlowModel.of((), (), [first, second]).edges

    assert edge.count == 3
    assert edge.sites == (Site("a.py", 1), Site("b.py", 2))


def test_nodes_that_only_edges_name_are_there():
    model = FlowModel.of((), (), [Edge("a", "E", "publishes")])

    assert [event.name for event in model.events] == ["E"]
    assert [agent.id for agent in model.agents] == ["a"]


def test_of_two_events_of_one_name_the_first_is_kept():
    model = FlowModel.of([EventNode("E", "one"), EventNode("E", "two")], (), ())

    assert model.events == (EventNode("E", "one"),)


def test_a_call_that_stands_twice_counts_as_two_connections():
    model = FlowModel.of((), (), [Edge("a", "E", "publishes", 2)])

    assert model.stats() == {"events": 1, "agents": 1, "connections": 2}


def test_ends_are_told_by_event():
    model = shop()

    assert model.publishers()["OrderPlaced"] == ["checkout", "robot"]
    assert model.subscribers()["OrderShipped"] == ["mailer", "stock"]
    assert model.namespaces() == ["billing", "orders", "unknown"]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ([], "model must be an object"),
        ({"events": {}}, "model.events must be a list"),
        ({"events": [1]}, r"model.events\[0\] must be an object"),
        ({"events": [{}]}, r"model.events\[0\].name must be given"),
        ({"events": [{"name": "x" * 513}]}, "up to 512 characters"),
        ({"events": [{"name": "E", "failed": 1}]}, "failed must be true or false"),
        ({"agents": [{"id": 3}]}, r"model.agents\[0\].id must be a text"),
        ({"edges": [{"kind": "knows"}]}, "kind must be one of publishes, subscribes"),
        (
            {"edges": [{"kind": "publishes", "agent": "a", "event": "E", "count": 0}]},
            "count must be a number from 1",
        ),
        (
            {"edges": [{"kind": "publishes", "agent": "a", "event": "E", "sites": 1}]},
            "sites must be a list",
        ),
        ({"diagnostics": [{"kind": "x"}]}, "at must be an object"),
    ],
)
def test_what_is_no_model_is_refused_with_what_is_wrong(shape, told):
    with pytest.raises(InvalidRequestError, match=told):
        FlowModel.from_dict(shape)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("PaymentFailed", (True, False)),
        ("MirrorError", (True, False)),
        ("payment.failed", (True, False)),
        ("payment_error", (True, False)),
        ("OrderRejected", (False, True)),
        ("order.rejected", (False, True)),
        ("terror", (False, False)),
        ("FailedOver", (False, False)),
    ],
)
def test_a_name_tells_its_outcome(name, told):
    assert outcome(name) == told
