"""A part of a model: by namespace, outcome and name."""

from __future__ import annotations

from collections.abc import Collection

from eventyard.core.graph.model import FlowModel


def narrow(
    model: FlowModel,
    *,
    namespaces: Collection[str] | None = None,
    hide_failed: bool = False,
    hide_rejected: bool = False,
    keywords: Collection[str] = (),
    agents_too: bool = False,
) -> FlowModel:
    """
    Keep the events asked for, and the agents that still have to do with one.

    Args:
        model: what to take from; it stays as it is.
        namespaces: keep events of these only; None keeps all, an empty one nothing.
        hide_failed: leave failed events out.
        hide_rejected: leave rejected events out.
        keywords: leave out events and agents whose name holds one of these, in
            whatever case; empty ones hold for nothing.
        agents_too: hold agents, too, to be of `namespaces`.

    An agent that had no edge from the start stays if its namespace and name may.

    """
    words = [word.casefold() for word in keywords if word]
    events = {
        event.name
        for event in model.events
        if (namespaces is None or event.namespace in namespaces)
        and not (hide_failed and event.failed)
        and not (hide_rejected and event.rejected)
        and not _holds(words, event.name)
    }
    linked = {edge.agent for edge in model.edges}
    agents = {
        agent.id
        for agent in model.agents
        if not _holds(words, agent.id, agent.label)
        and (
            namespaces is None
            or agent.namespace in namespaces
            or not (agents_too or agent.id not in linked)
        )
    }
    return _part(model, events, agents, linked)


def _holds(words: list[str], *names: str) -> bool:
    if not words:
        return False
    folded = [name.casefold() for name in names]
    return any(word in name for word in words for name in folded)


def _part(
    model: FlowModel, events: set[str], agents: set[str], linked: set[str]
) -> FlowModel:
    edges = tuple(
        edge for edge in model.edges if edge.event in events and edge.agent in agents
    )
    lost = linked - {edge.agent for edge in edges}
    return FlowModel(
        tuple(event for event in model.events if event.name in events),
        tuple(
            agent
            for agent in model.agents
            if agent.id in agents and agent.id not in lost
        ),
        edges,
        model.diagnostics,
    )
