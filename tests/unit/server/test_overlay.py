"""Traffic laid over a model: which names mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.graphs.flows import Flow, Sheet, Way
from chalicelib.graphs.overlay import Overlay, lay_over, plain
from chalicelib.graphs.traffic import Window
from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel


def model_of(*edges, events=(), agents=()):
    return FlowModel.of(events, agents, [Edge(*edge) for edge in edges])


def told(model, *live):
    """The answer for edges that were each seen once: (kind, agent, event)."""
    flows = {Way(*edge): Flow(1, 0, 1_000) for edge in live}
    return lay_over(Overlay(model), Window(0.0, 60.0, Sheet(flows)), 60)


def states(answer):
    return {
        (edge["agent"], edge["event"], edge["kind"]): edge["state"]
        for edge in answer["edges"]
    }


@pytest.mark.parametrize(
    "live",
    ["order.paid", "order_paid", "OrderPaid", "orderPaid", "ORDER-PAID", "order/paid"],
)
def test_an_event_is_found_whatever_its_case_and_separators(live):
    model = model_of(("shop", "OrderPaid", "publishes"))

    answer = told(model, ("publishes", "shop", live))

    assert states(answer) == {("shop", "OrderPaid", "publishes"): "both"}
    assert answer["drift"] == {"live_only": 0, "code_only": 0}


@pytest.mark.parametrize(
    "live", ["order_service", "Order-Service", "orders.OrderService", "OrderService"]
)
def test_an_agent_is_found_by_id_by_label_and_by_its_class(live):
    model = model_of(
        ("orders.OrderService", "a", "publishes"),
        agents=[AgentNode("orders.OrderService", "OrderService")],
    )

    assert set(states(told(model, ("publishes", live, "a"))).values()) == {"both"}


def test_the_exact_name_goes_before_those_that_read_the_same():
    model = model_of(
        ("shop", "OrderPaid", "publishes"), ("shop", "order.paid", "publishes")
    )

    answer = told(model, ("publishes", "shop", "order.paid"))

    assert states(answer) == {
        ("shop", "order.paid", "publishes"): "both",
        ("shop", "OrderPaid", "publishes"): "code_only",
    }


def test_a_pattern_of_the_code_is_seen_by_the_events_it_matches():
    model = model_of(
        ("audit", "order.*", "subscribes"),
        ("audit", "order.paid", "subscribes"),
        ("audit", "user.*", "subscribes"),
        ("other", "order.*", "subscribes"),
    )

    answer = told(model, ("subscribes", "audit", "order.paid"))

    assert states(answer) == {
        ("audit", "order.*", "subscribes"): "both",
        ("audit", "order.paid", "subscribes"): "both",
        ("audit", "user.*", "subscribes"): "code_only",
        ("other", "order.*", "subscribes"): "code_only",
    }
    # One event arrived, however many edges it went along.
    assert answer["totals"]["delivered"] == 1


def test_a_pattern_stands_for_what_it_matches_and_not_for_what_reads_the_same():
    model = model_of(("audit", "order.*", "subscribes"))

    assert states(told(model, ("subscribes", "audit", "order"))) == {
        ("audit", "order", "subscribes"): "live_only",
        ("audit", "order.*", "subscribes"): "code_only",
    }


def test_who_publishes_does_not_count_as_listening():
    model = model_of(("shop", "a", "subscribes"))

    assert states(told(model, ("publishes", "shop", "a"))) == {
        ("shop", "a", "publishes"): "live_only",
        ("shop", "a", "subscribes"): "code_only",
    }


def test_an_edge_that_the_code_lacks_has_the_names_that_the_code_has():
    model = model_of(("Shop", "OrderPaid", "publishes"))

    answer = told(
        model, ("subscribes", "shop", "order.paid"), ("publishes", "x", "y.z")
    )

    assert states(answer) == {
        ("Shop", "OrderPaid", "subscribes"): "live_only",
        ("x", "y.z", "publishes"): "live_only",
        ("Shop", "OrderPaid", "publishes"): "code_only",
    }
    assert answer["drift"] == {"live_only": 2, "code_only": 1}


def test_names_that_read_the_same_live_are_one_edge_of_the_code():
    model = model_of(("shop", "OrderPaid", "publishes"))

    answer = told(
        model, ("publishes", "shop", "order.paid"), ("publishes", "Shop", "order_paid")
    )

    (edge,) = answer["edges"]
    assert (edge["count"], edge["state"]) == (2, "both")


def test_what_only_tests_do_is_no_drift_until_it_is_seen():
    model = model_of(
        ("test_shop", "a", "publishes"), agents=[AgentNode("test_shop", test=True)]
    )

    assert told(model)["edges"] == []
    assert states(told(model, ("publishes", "test_shop", "a"))) == {
        ("test_shop", "a", "publishes"): "both"
    }


def test_the_platforms_own_events_are_shown_to_whose_code_names_them():
    own = ("publishes", "anybody", "eventyard.schema.created")

    nobody = told(model_of(), own)
    named = told(model_of(("app", "eventyard.schema.*", "subscribes")), own)

    assert (nobody["edges"], nobody["totals"]["published"]) == ([], 0)
    assert states(named)["anybody", "eventyard.schema.created", "publishes"] == (
        "live_only"
    )


def test_names_of_nothing_but_separators_are_never_alike():
    model = model_of(("--", "..", "publishes"), events=[EventNode("**")])

    answer = told(model, ("publishes", "__", "//"))

    assert states(answer)["__", "//", "publishes"] == "live_only"


def test_a_name_that_is_no_pattern_is_a_name():
    model = model_of(("a", "order*", "subscribes"), ("a", "x..*", "subscribes"))

    assert set(states(told(model, ("subscribes", "a", "order"))).values()) == {
        "both",
        "code_only",
    }


@given(st.lists(st.text("abcXYZ019", min_size=1, max_size=6), min_size=1, max_size=4))
def test_every_spelling_of_words_reads_the_same(words):
    spellings = {
        ".".join(words),
        "_".join(words).upper(),
        "".join(word.capitalize() for word in words),
        "-".join(words).lower(),
    }

    assert len({plain(one) for one in spellings}) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["publishes", "subscribes"]),
            st.text(min_size=1),
            st.text(min_size=1).filter(lambda name: not set(name) & set("*#")),
        ),
        max_size=20,
        unique=True,
    )
)
def test_every_edge_of_the_code_finds_itself(edges):
    model = model_of(*((agent, event, kind) for kind, agent, event in edges))
    overlay = Overlay(model)

    for edge in edges:
        assert Way(*edge) in overlay.ways(Way(*edge))
