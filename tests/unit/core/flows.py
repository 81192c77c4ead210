"""Event flows for tests: one to read, and any for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from eventyard.core.graph.model import (
    KINDS,
    AgentNode,
    Edge,
    EventNode,
    FlowModel,
    Site,
)


def flow(*edges: str, **known: list) -> FlowModel:
    """Make a model of `agent > Event` (publishes) and `Event > agent` (subscribes)."""
    return FlowModel.of(
        known.get("events", ()), known.get("agents", ()), map(edge, edges)
    )


def edge(text: str) -> Edge:
    """Read an edge: events begin with a capital letter or hold a dot."""
    first, second = text.split(" > ")
    if is_event(second):
        return Edge(first, second, "publishes")
    return Edge(second, first, "subscribes")


def is_event(name: str) -> bool:
    return name[0].isupper() or "." in name or "*" in name


def shop() -> FlowModel:
    """Return a small shop: entries, ends, a failure, a rejection, a cycle, a test."""
    return flow(
        "checkout > OrderPlaced",
        "checkout > OrderRejected",
        "OrderPlaced > billing",
        "billing > OrderPaid",
        "billing > PaymentFailed",
        "PaymentFailed > mailer",
        "OrderPaid > shipping",
        "shipping > OrderShipped",
        "OrderShipped > stock",
        "stock > StockLow",
        "StockLow > shipping",
        "OrderShipped > mailer",
        "CartAbandoned > mailer",
        "mailer > MailSent",
        "robot > OrderPlaced",
        events=[
            EventNode("OrderPlaced", "orders", at=Site("events/orders/placed.py", 4)),
            EventNode("OrderRejected", "orders", rejected=True),
            EventNode("PaymentFailed", "billing", failed=True),
            EventNode("OrderPaid", "billing"),
        ],
        agents=[
            AgentNode("billing", "Billing", "billing", at=Site("agents/billing.py", 9)),
            AgentNode("robot", "robot", test=True),
        ],
    )


# What DOT, labels, Mermaid and addresses could take for more than a name.
AWKWARD = [
    *('"', "\\", 'a"b', "a\\", '\\"', "\\N", "\\l\\r", "a\nb", "&amp;", "&#65;", "&"),
    *("<b>", "{a|b}", "a->b", "a--b", "a;b", "[x=1]", "node", "subgraph", "end"),
    *("/* a */", "// a", "# a", "a#2", "event:a", "agent:a", "START", "%41", "a b"),
    *("-1.5", "graph", "Ünïcode", "事件", "🎉", "a:b", "a|b", "`a`", "#quot;", "?"),
]
_letters = st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"
)
names = st.sampled_from(AWKWARD) | st.text(_letters, min_size=1, max_size=12)
_namespaces = st.sampled_from(["unknown", "orders", "a b", 'x"y', "100%", "é"]) | names
_sites = st.builds(Site, names, st.integers(1, 9999))
_events = st.builds(
    EventNode,
    names,
    _namespaces,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | _sites,
)
_agents = st.builds(
    AgentNode, names, names, _namespaces, st.booleans(), st.none() | _sites
)


@st.composite
def models(draw: st.DrawFn, size: int = 5) -> FlowModel:
    """Draw a model; its patterns are texts that may or may not be some."""
    events = draw(st.lists(_events, min_size=1, max_size=size))
    agents = draw(st.lists(_agents, min_size=1, max_size=size))
    edges = st.builds(
        Edge,
        st.sampled_from(agents).map(lambda agent: agent.id),
        st.sampled_from(events).map(lambda event: event.name),
        st.sampled_from(KINDS),
        st.integers(1, 3),
        st.lists(_sites, max_size=2).map(tuple),
    )
    return FlowModel.of(events, agents, draw(st.lists(edges, max_size=2 * size)))


@st.composite
def plain_models(draw: st.DrawFn, events: int = 4, agents: int = 4) -> FlowModel:
    """Draw a model of few, plainly named nodes and many edges."""
    edges = st.builds(
        Edge,
        st.sampled_from([f"a{n}" for n in range(agents)]),
        st.sampled_from([f"E{n}" for n in range(events)]),
        st.sampled_from(KINDS),
    )
    return FlowModel.of((), (), draw(st.lists(edges, max_size=14)))
