"""What a node or an edge says when one points at it."""

from __future__ import annotations

from collections.abc import Sequence

from eventyard.core.graph.model import AgentNode, Edge, EventNode, Site

#: How many names or places one line tells.
_MOST = 8


def of_event(
    event: EventNode, publishers: Sequence[str], subscribers: Sequence[str]
) -> str:
    """Return an event's name and kind, its place, who publishes it and who listens."""
    told = [name for name in ("failed", "rejected", "pattern") if getattr(event, name)]
    return _lines(
        " · ".join([event.name, f"event of {event.namespace}", *told]),
        _at(event.at),
        f"Published by: {listed(publishers) or 'nobody here'}",
        f"Consumed by: {listed(subscribers) or 'nobody here'}",
    )


def of_agent(agent: AgentNode, listens: Sequence[str], publishes: Sequence[str]) -> str:
    """Return an agent's name and kind, its place, what it hears and what it tells."""
    told = ["test"] * agent.test
    return _lines(
        " · ".join([agent.label or agent.id, f"agent of {agent.namespace}", *told]),
        _at(agent.at),
        f"Listens to: {listed(listens) or 'nothing'}",
        f"Publishes: {listed(publishes) or 'nothing'}",
    )


def of_edge(edge: Edge) -> str:
    """Return who does what, how often, and where in the code."""
    does = "publishes" if edge.kind == "publishes" else "listens to"
    often = f" ({edge.count} times)" if edge.count > 1 else ""
    return _lines(
        f"{edge.agent} {does} {edge.event}{often}",
        listed([str(site) for site in edge.sites]),
    )


def listed(names: Sequence[str]) -> str:
    """Return names with commas, the first few and how many more."""
    shown = ", ".join(names[:_MOST])
    more = len(names) - _MOST
    return f"{shown} and {more} more" if more > 0 else shown


def _at(site: Site | None) -> str:
    return "" if site is None else f"at {site}"


def _lines(*lines: str) -> str:
    return "\n".join([line for line in lines if line])
