from __future__ import annotations

import json
import re

import jsonschema
import pytest
from hypothesis import given

from eventyard.core.graph.exports import asyncapi, mermaid, text
from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel, Site
from tests.unit.core.flows import AWKWARD, flow, models, shop

_REFERENCE = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string", "pattern": r"^#/[\w.\-/]+$"}},
    "additionalProperties": False,
}
_TAGS = {
    "type": "array",
    "uniqueItems": True,
    "items": {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {"name": {"type": "string"}},
    },
}
_OWN = {"^x-[\\w\\d.\\-]+$": {}}


def _each(shape):
    return {
        "type": "object",
        "patternProperties": {r"^[\w.\-]+$": shape},
        "additionalProperties": False,
    }


#: What AsyncAPI 3.1 says of the parts in use.
RULES = {
    "type": "object",
    "required": ["asyncapi", "info", "channels", "operations", "components"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.1.0"},
        "info": {
            "required": ["title", "version"],
            "properties": {"title": {"type": "string"}, "version": {"type": "string"}},
        },
        "defaultContentType": {"type": "string"},
        "channels": _each(
            {
                "type": "object",
                "properties": {
                    "address": {"type": ["string", "null"], "pattern": r"^[^{}]*$"},
                    "title": {"type": "string"},
                    "messages": _each(_REFERENCE),
                    "tags": _TAGS,
                },
                "patternProperties": _OWN,
                "additionalProperties": False,
            }
        ),
        "operations": _each(
            {
                "type": "object",
                "required": ["action", "channel"],
                "properties": {
                    "action": {"enum": ["send", "receive"]},
                    "channel": _REFERENCE,
                    "messages": {"type": "array", "items": _REFERENCE},
                    "title": {"type": "string"},
                    "tags": _TAGS,
                },
                "patternProperties": _OWN,
                "additionalProperties": False,
            }
        ),
        "components": {
            "additionalProperties": False,
            "properties": {
                "messages": _each(
                    {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "tags": _TAGS},
                        "additionalProperties": False,
                    }
                )
            },
        },
    },
}


def followed(document, reference):
    at = document
    for step in reference["$ref"].removeprefix("#/").split("/"):
        at = at[step]
    return at


class TestAsyncApi:
    @given(models())
    def test_any_model_makes_a_valid_document(self, model):
        document = asyncapi(model, title="Shop", version="1.2.0")

        jsonschema.validate(document, RULES)
        assert json.loads(json.dumps(document)) == document
        assert len(document["channels"]) == len(model.events)
        assert len(document["operations"]) == len(model.edges)
        for operation in document["operations"].values():
            channel = followed(document, operation["channel"])
            (message,) = operation["messages"]
            assert followed(document, message) in channel["messages"].values()
            assert (
                followed(document, followed(document, message))["name"]
                == channel["title"]
            )

    def test_agents_send_what_they_publish_and_receive_what_they_hear(self):
        site = Site("agents/billing.py", 12)
        model = FlowModel.of(
            [EventNode("order.paid", "orders")],
            [AgentNode("billing", "Billing", "money")],
            [
                Edge("billing", "order.paid", "publishes", 1, (site,)),
                Edge("mailer", "order.paid", "subscribes"),
            ],
        )

        document = asyncapi(model, title="Shop", version="1")

        assert document["info"] == {"title": "Shop", "version": "1"}
        assert document["channels"]["order.paid"]["address"] == "order.paid"
        sends = document["operations"]["billing.send.order.paid"]
        assert sends["action"] == "send"
        assert sends["channel"] == {"$ref": "#/channels/order.paid"}
        assert sends["x-eventyard-source"] == ["agents/billing.py:12"]
        assert sends["x-eventyard-agent"] == "billing"
        assert sends["tags"] == [{"name": "money"}]
        assert (
            document["operations"]["mailer.receive.order.paid"]["action"] == "receive"
        )

    def test_a_namespace_called_like_a_mark_is_one_tag(self):
        model = FlowModel.of([EventNode("PayFailed", "failed", failed=True)], (), ())

        document = asyncapi(model, title="", version="")

        message = document["components"]["messages"]["PayFailed"]
        assert message["tags"] == [{"name": "failed"}]


class TestMermaid:
    def test_it_is_a_flow_chart_in_two_colours(self):
        assert mermaid(flow("order_agent > OrderPaid", "OrderPaid > mailer")) == (
            "graph TD\n"
            "  classDef eventNode fill:#e1f5ff,stroke:#01579b,color:#000\n"
            "  classDef agentNode fill:#fff3e0,stroke:#e65100,color:#000\n"
            '  OrderPaid["OrderPaid"]:::eventNode\n'
            '  a_mailer("mailer"):::agentNode\n'
            '  a_orderagent("order_agent"):::agentNode\n'
            "  OrderPaid --> a_mailer\n"
            "  a_orderagent --> OrderPaid\n"
        )

    @given(models())
    def test_every_line_is_of_one_form(self, model):
        lines = mermaid(model).splitlines()[3:]
        node = re.compile(r'  (\w+)[\[(]"([^"`<>&\\]*)"[\])]:::(event|agent)Node')
        arrow = re.compile(r"  (\w+) --> (\w+)")

        found = [node.fullmatch(line) for line in lines]
        ids = [one[1] for one in found if one]
        assert len(ids) == len(set(ids)) == len(model.events) + len(model.agents)
        assert all(re.fullmatch("[A-Za-z0-9_]+", one) for one in ids)
        assert all(one[0].isupper() or one[:2] in ("e_", "a_") for one in ids)
        rest = [arrow.fullmatch(line) for line in lines[len(ids) :]]
        assert len(rest) == len(model.edges)
        assert all(one and {one[1], one[2]} <= set(ids) for one in rest)

    @pytest.mark.parametrize("name", ["end", "subgraph", "o", "x", "click", "1", "_"])
    def test_names_that_mean_something_are_ids_of_another_form(self, name):
        assert f'a_{name.strip("_")}("' in mermaid(
            FlowModel.of((), [AgentNode(name, name)], ())
        )


class TestText:
    def test_it_sums_up_and_marks_what_is_open(self):
        told = text(shop())

        assert told.startswith("Event flow\nEvents: 8\nAgents: 6\nConnections: 15\n")
        assert (
            "CartAbandoned (unknown)\n"
            "  Published by: [EXTERNAL/ORCHESTRATOR]\n"
            "  Consumed by: mailer\n"
        ) in told
        assert (
            "OrderRejected (orders, rejected)\n"
            "  Published by: checkout\n"
            "  Consumed by: [NO SUBSCRIBERS]\n"
        ) in told
        assert (
            "billing: Billing (billing)\n"
            "  Listens to: OrderPlaced\n"
            "  Publishes: OrderPaid, PaymentFailed\n"
        ) in told

    def test_who_hears_a_pattern_is_told_with_what_fits_it(self):
        model = flow(
            "shop > order.paid",
            "order.* > log",
            events=[EventNode("order.*", pattern=True)],
        )

        told = text(model)

        assert (
            "order.paid (unknown)\n  Published by: shop\n  Consumed by: log\n" in told
        )
        assert "order.* (unknown)\n  Published by: see the events it matches\n" in told
        assert "[" not in told

    @pytest.mark.parametrize("name", AWKWARD)
    def test_no_name_makes_a_line_of_its_own(self, name):
        model = FlowModel.of([EventNode(name)], [AgentNode(name)], ())

        assert len(text(model).splitlines()) == len(text(flow("a > A")).splitlines())
