from __future__ import annotations

import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard.core.errors import InvalidRequestError, NotFoundError
from eventyard.core.graph._cycles import Cycles, components
from eventyard.core.graph.analysis import (
    anomalies,
    chains,
    cycles,
    entries,
    impact,
    terminals,
)
from eventyard.core.graph.flow import fits, resolved
from eventyard.core.graph.model import KINDS, AgentNode, Edge, EventNode, FlowModel
from tests.properties import examples
from tests.unit.core.flows import flow, models, plain_models, shop


def patterned(*edges, patterns=("order.*",)):
    return flow(*edges, events=[EventNode(name, pattern=True) for name in patterns])


def dense(size):
    """All agents hear and publish all events."""
    return FlowModel.of(
        (),
        (),
        [
            Edge(f"a{agent:03}", f"E{event:03}", kind)
            for agent in range(size)
            for event in range(size)
            for kind in ("publishes", "subscribes")
        ],
    )


def brute_force(model):
    """All elementary cycles, by trying every order of every few events and agents."""
    hears = {(e.event, e.agent) for e in model.edges if e.kind == "subscribes"}
    tells = {(e.agent, e.event) for e in model.edges if e.kind == "publishes"}
    events = sorted(event.name for event in model.events)
    agents = sorted(agent.id for agent in model.agents)
    found = set()
    for size in range(1, min(len(events), len(agents)) + 1):
        for ring in itertools.permutations(events, size):
            if ring[0] != min(ring):
                continue
            for carriers in itertools.permutations(agents, size):
                after = (*ring[1:], ring[0])
                if all(
                    pair in hears for pair in zip(ring, carriers, strict=True)
                ) and all(pair in tells for pair in zip(carriers, after, strict=True)):
                    found.add(tuple(itertools.chain(*zip(ring, carriers, strict=True))))
    return found


def test_entries_come_from_outside_and_terminals_go_nowhere():
    assert entries(shop()) == ["CartAbandoned"]
    assert terminals(shop()) == ["MailSent", "OrderRejected"]


@given(plain_models())
def test_every_elementary_cycle_is_found_once(model):
    found = [tuple(cycle) for cycle in cycles(model, most=10_000)]

    assert len(found) == len(set(found))
    assert set(found) == brute_force(model)
    assert [len(one) for one in found] == sorted(len(one) for one in found)


def rings(graph):
    """All elementary cycles, by trying every order of every few nodes."""
    for size in range(1, len(graph) + 1):
        for ring in itertools.permutations(range(len(graph)), size):
            closed = (*ring, ring[0])
            if ring[0] == min(ring) and all(
                other in graph[one] for one, other in itertools.pairwise(closed)
            ):
                yield ring


@settings(max_examples=examples(300))
@given(
    st.lists(
        st.lists(st.integers(0, 5), unique=True, max_size=4), min_size=6, max_size=6
    )
)
def test_every_cycle_of_any_graph_is_found_once(graph):
    found = [tuple(cycle) for cycle in Cycles(graph)]

    assert sorted(found) == sorted(rings(graph))


@given(plain_models(), st.integers(1, 4))
def test_of_many_cycles_as_many_as_wanted_are_found(model, most):
    every = {tuple(cycle) for cycle in cycles(model, most=10_000)}
    some = {tuple(cycle) for cycle in cycles(model, most=most)}

    assert some <= every
    assert len(some) == min(most, len(every))
    assert anomalies(model, most)["truncated"] == (len(every) > most)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_nodes_are_of_one_component_when_each_leads_to_the_other(pairs):
    graph = [sorted({b for a, b in pairs if a == node}) for node in range(7)]

    def reached(start):
        seen, waiting = {start}, [start]
        while waiting:
            new = set(graph[waiting.pop()]) - seen
            seen |= new
            waiting += new
        return seen

    together = {frozenset(part) for part in components(graph)}

    assert sorted(itertools.chain(*together)) == list(range(7))
    for one, other in itertools.product(range(7), repeat=2):
        same = any({one, other} <= part for part in together)
        assert same == (one in reached(other) and other in reached(one))


def test_countless_cycles_are_told_to_be_more_than_told():
    began = time.process_time()

    told = anomalies(dense(40))

    assert told["summary"]["cycles_count"] == 100
    assert told["truncated"] is True
    assert time.process_time() - began < 30


@pytest.mark.parametrize("most", [1, 100])
def test_an_agent_amid_thousands_of_events_is_no_trouble(most):
    edges = [Edge("hub", f"E{n:05}", kind) for n in range(15_000) for kind in KINDS]
    began = time.process_time()

    found = cycles(FlowModel.of((), (), edges), most)

    assert len(found) == most
    assert all(len(cycle) == 2 for cycle in found)
    assert time.process_time() - began < 10


def test_a_search_without_steps_says_that_it_gave_up():
    search = Cycles([[1], [2], [0]], most_steps=2)

    assert list(search) == []
    assert search.gave_up


def test_a_very_long_cycle_is_found():
    size = 3000
    edges = [Edge(f"a{n}", f"E{n}", "subscribes") for n in range(size)]
    edges += [Edge(f"a{n}", f"E{(n + 1) % size}", "publishes") for n in range(size)]

    (cycle,) = cycles(FlowModel.of((), (), edges))

    assert len(cycle) == 2 * size


def test_chains_begin_outside_and_where_agents_begin_by_themselves():
    assert chains(shop()) == [
        ["CartAbandoned", "MailSent"],
        ["OrderPlaced", "OrderPaid", "OrderShipped", "MailSent"],
        ["OrderPlaced", "OrderPaid", "OrderShipped", "StockLow"],
        ["OrderPlaced", "PaymentFailed", "MailSent"],
        ["OrderRejected"],
    ]


def test_a_chain_does_not_go_round_in_circles():
    model = flow("Begin > a", "a > One", "One > b", "b > Two", "Two > a", "b > One")

    assert chains(model) == [["Begin", "One", "Two"]]


@given(plain_models())
def test_chains_follow_edges_and_end_where_nothing_new_follows(model):
    plain = {(e.event, e.agent, e.kind) for e in model.edges}

    def leads(one, other):
        return any(
            (one, agent.id, "subscribes") in plain
            and (other, agent.id, "publishes") in plain
            for agent in model.agents
        )

    for chain in chains(model):
        assert len(chain) == len(set(chain))
        assert all(leads(one, other) for one, other in itertools.pairwise(chain))
        rest = {event.name for event in model.events} - set(chain)
        assert not any(leads(chain[-1], event) for event in rest)


def test_chains_are_as_many_as_wanted():
    model = FlowModel.of((), (), [*dense(30).edges, Edge("a000", "In", "subscribes")])

    assert len(chains(model, most=7)) == 7
    assert len(chains(dense(30))) == 0


def test_impact_tells_who_is_concerned_how_far_away_and_how():
    told = impact(shop(), "OrderPaid")

    assert told["publishers"] == ["billing"]
    assert [(one["agent"], one["depth"]) for one in told["consumers"]] == [
        ("shipping", 1),
        ("mailer", 2),
        ("stock", 2),
    ]
    assert told["events"] == [
        {
            "event": "OrderShipped",
            "depth": 1,
            "path": ["OrderPaid", "shipping", "OrderShipped"],
        },
        {
            "event": "MailSent",
            "depth": 2,
            "path": ["OrderPaid", "shipping", "OrderShipped", "mailer", "MailSent"],
        },
        {
            "event": "StockLow",
            "depth": 2,
            "path": ["OrderPaid", "shipping", "OrderShipped", "stock", "StockLow"],
        },
    ]
    assert told["truncated"] is False


def test_impact_reaches_each_but_once_and_not_what_it_began_with():
    told = impact(flow("One > a", "a > One", "a > Two", "Two > a"), "One")

    assert [one["agent"] for one in told["consumers"]] == ["a"]
    assert [one["event"] for one in told["events"]] == ["Two"]


def test_impact_without_an_end_is_cut_off():
    edges = [Edge(f"a{n}", f"E{n}", "subscribes") for n in range(2000)]
    edges += [Edge(f"a{n}", f"E{n + 1}", "publishes") for n in range(2000)]

    told = impact(FlowModel.of((), (), edges), "E0")

    assert told["truncated"] is True
    assert len(told["consumers"]) + len(told["events"]) == 1000


def test_impact_of_what_is_not_there_is_not_found():
    with pytest.raises(NotFoundError, match="Nothing"):
        impact(shop(), "Nothing")


def test_anomalies_are_counted_and_told():
    model = FlowModel.of(
        [*shop().events, EventNode("Forgotten")],
        [*shop().agents, AgentNode("idle")],
        shop().edges,
    )

    told = anomalies(model)

    assert told["summary"] == {
        "orphaned_events_count": 4,
        "cycles_count": 1,
        "isolated_agents_count": 1,
        "total_anomalies": 6,
    }
    kinds = {
        one["event"]: (one["type"], one["severity"])
        for one in told["details"]["orphaned_events"]
    }
    assert kinds == {
        "CartAbandoned": ("never_published", "info"),
        "Forgotten": ("never_published", "info"),
        "MailSent": ("never_subscribed", "warning"),
        "OrderRejected": ("never_subscribed", "warning"),
    }
    (circle,) = told["details"]["cycles"]
    assert circle["cycle"] == ["OrderShipped", "StockLow"]
    assert circle["path"] == [
        {"agent": "stock", "namespace": "unknown", "publishes": "StockLow"},
        {"agent": "shipping", "namespace": "unknown", "publishes": "OrderShipped"},
    ]
    assert [one["agent"] for one in told["details"]["isolated_agents"]] == ["idle"]


@given(models())
def test_whatever_the_model_it_is_analysed(model):
    json.dumps([anomalies(model), chains(model), cycles(model)])
    for event in model.events:
        impact(model, event.name)


class TestPatterns:
    def test_who_hears_a_pattern_hears_what_fits_it(self):
        model = patterned("shop > order.paid", "order.* > log", "log > Logged")

        assert terminals(model) == ["Logged"]
        assert entries(model) == []
        assert chains(model) == [["order.paid", "Logged"]]
        assert [one["agent"] for one in impact(model, "order.paid")["consumers"]] == [
            "log"
        ]

    def test_what_does_not_fit_is_not_heard(self):
        model = patterned("shop > order.paid.late", "order.* > log")

        assert terminals(model) == ["order.paid.late"]
        assert entries(model) == ["order.*"]

    def test_who_publishes_a_pattern_publishes_what_fits_it(self):
        model = patterned("shop > order.*", "order.paid > billing")

        assert anomalies(model)["summary"]["total_anomalies"] == 0
        assert impact(model, "order.paid")["publishers"] == ["shop"]

    def test_what_is_published_as_one_pattern_is_heard_as_another(self):
        model = patterned(
            "shop > order.*", "**.paid > billing", patterns=("order.*", "**.paid")
        )

        assert anomalies(model)["summary"]["total_anomalies"] == 0

    def test_two_published_patterns_stay_apart_and_both_are_heard(self):
        model = patterned(
            *("shop > order.*", "web > **.paid", "**.paid > billing"),
            patterns=("order.*", "**.paid"),
        )

        assert anomalies(model)["summary"]["total_anomalies"] == 0
        assert impact(model, "order.*")["publishers"] == ["shop"]
        assert impact(model, "**.paid")["publishers"] == ["web"]
        assert [one["agent"] for one in impact(model, "order.*")["consumers"]] == [
            "billing"
        ]

    def test_a_cycle_may_lead_through_a_pattern(self):
        model = patterned("order.* > retry", "retry > order.placed")

        assert cycles(model) == [["order.placed", "retry"]]

    def test_the_impact_of_a_pattern_is_on_those_who_hear_it(self):
        model = patterned("shop > order.paid", "order.* > log", "order.paid > billing")

        assert [one["agent"] for one in impact(model, "order.*")["consumers"]] == [
            "log"
        ]

    @pytest.mark.parametrize(
        ("pattern", "name", "told"),
        [
            ("order.*", "order.paid", True),
            ("order.**", "order", True),
            ("order_*", "order_paid", True),
            ("order_*", "orde", False),
            ("a*b_*c", "a1b_2c", True),
            ("a*b_*c", "a1b_2", False),
            ("a_*_a", "a_a", False),
            ("order_*", "ordex_paid", False),
            ("a b", "a b", True),
        ],
    )
    def test_names_fit_topics_and_looser_patterns(self, pattern, name, told):
        assert fits(pattern)(name) is told

    def test_too_many_patterns_are_refused_at_once(self):
        events = [EventNode(f"a.{n}.*", pattern=True) for n in range(2500)]

        with pytest.raises(InvalidRequestError, match="too many"):
            entries(FlowModel.of(events, (), ()))

    def test_a_model_without_patterns_stays_as_it_is(self):
        model = shop()

        assert resolved(model) is model
