from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.graph.filters import narrow
from eventyard.core.graph.model import AgentNode, FlowModel
from tests.unit.core.flows import flow, models, shop


def events(model):
    return [event.name for event in model.events]


def agents(model):
    return [agent.id for agent in model.agents]


def test_without_a_wish_all_stays():
    assert narrow(shop()) == shop()


def test_no_namespace_at_all_is_nothing():
    model = FlowModel.of((), [AgentNode("idle")], shop().edges)

    assert narrow(model, namespaces=[]) == FlowModel()


def test_namespaces_choose_events_and_whoever_has_to_do_with_them():
    model = narrow(shop(), namespaces={"billing"})

    assert events(model) == ["OrderPaid", "PaymentFailed"]
    assert agents(model) == ["billing", "mailer", "shipping"]


def test_agents_may_be_held_to_the_namespaces_too():
    model = narrow(shop(), namespaces={"billing"}, agents_too=True)

    assert agents(model) == ["billing"]
    assert [edge.agent for edge in model.edges] == ["billing", "billing"]


def test_failures_and_rejections_go_by_what_is_known_of_them():
    model = narrow(shop(), hide_failed=True)
    assert "PaymentFailed" not in events(model)
    assert "OrderRejected" in events(model)

    model = narrow(shop(), hide_rejected=True)
    assert "PaymentFailed" in events(model)
    assert "OrderRejected" not in events(model)


def test_keywords_hold_in_whatever_case_for_events_and_agents():
    model = narrow(shop(), keywords=["ORDER", "mail"])

    assert events(model) == ["CartAbandoned", "PaymentFailed", "StockLow"]
    assert agents(model) == ["billing", "shipping", "stock"]


def test_an_empty_keyword_hides_nothing():
    assert narrow(shop(), keywords=[""]) == shop()


def test_an_agent_left_without_an_event_goes():
    model = narrow(flow("a > One", "b > Two"), keywords=["two"])

    assert agents(model) == ["a"]


def test_an_agent_that_never_had_an_event_stays_where_it_belongs():
    model = FlowModel.of((), [AgentNode("idle", namespace="x")], ())

    assert agents(narrow(model, hide_failed=True)) == ["idle"]
    assert agents(narrow(model, namespaces=["x"])) == ["idle"]
    assert agents(narrow(model, namespaces=["y"])) == []
    assert agents(narrow(model, keywords=["IDLE"])) == []


@given(models(), st.booleans(), st.lists(st.sampled_from("ab&x")), st.data())
def test_what_is_left_is_a_part_that_narrows_to_itself(model, hide, words, data):
    spaces = data.draw(st.none() | st.sets(st.sampled_from(model.namespaces())))
    wish = {"namespaces": spaces, "hide_failed": hide, "keywords": words}

    part = narrow(model, **wish)

    assert set(part.edges) <= set(model.edges)
    assert set(part.events) <= set(model.events)
    assert part == FlowModel.of(part.events, part.agents, part.edges)
    if spaces is None:
        assert narrow(part, **wish) == part
