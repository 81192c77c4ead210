"""The graph of what normally happens, from START to END."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from eventyard.core.graph import _tooltips
from eventyard.core.graph._dot import (
    Painter,
    agent_id,
    attributes,
    ends,
    event_id,
    quoted,
    worded,
)
from eventyard.core.graph.flow import Links, resolved
from eventyard.core.graph.model import FlowModel
from eventyard.core.graph.style import Style

START, END = "START", "END"
START_FILL, END_FILL = "#4caf50", "#2e7d32"
#: Beyond so many edges, right angles take Graphviz seconds.
MOST_ORTHOGONAL = 200


def draw_simplified(model: FlowModel, style: Style) -> str:
    """Return the flow that a style curates, or else the one computed from the model."""
    painter = Painter(style)
    if style.main_flow:
        body = list(_Curated(model, style, painter).lines())
        edges = len(style.main_flow)
    else:
        kept = simplified(model)
        body = list(_computed(kept, painter))
        edges = len(kept.edges)
    head = painter.head(nodesep="0.5", ranksep="0.8", splines=splines(edges))
    return "\n".join([*head, *body, "}", ""])


def splines(edges: int) -> str:
    """Return how edges are drawn: at right angles while that is affordable."""
    return "ortho" if edges <= MOST_ORTHOGONAL else "true"


def simplified(model: FlowModel) -> FlowModel:
    """
    Return a model without failures, rejections, tests, and what then has no edges.

    Patterns are resolved.
    """
    tests = {agent.id for agent in model.agents if agent.test}
    gone = {event.name for event in model.events if event.failed or event.rejected}
    edges = [
        edge
        for edge in model.edges
        if edge.agent not in tests and edge.event not in gone
    ]
    events, agents = {edge.event for edge in edges}, {edge.agent for edge in edges}
    # Patterns are resolved against plain events without edges too.
    return _connected(
        resolved(
            replace(
                model,
                events=tuple(
                    event
                    for event in model.events
                    if event.name in events or not (event.name in gone or event.pattern)
                ),
                agents=tuple(agent for agent in model.agents if agent.id in agents),
                edges=tuple(edges),
            )
        )
    )


def _connected(model: FlowModel) -> FlowModel:
    events = {edge.event for edge in model.edges}
    kept = tuple(event for event in model.events if event.name in events)
    return replace(model, events=kept)


def _computed(model: FlowModel, painter: Painter) -> Iterator[str]:
    links = Links.of(model)
    begins = [*map(event_id, links.entries()), *map(agent_id, links.sources())]
    finishes = [*map(event_id, links.terminals()), *map(agent_id, links.sinks())]
    if begins:
        yield painter.circle(START, START_FILL)
    for event in model.events:
        name = event.name
        told = _tooltips.of_event(event, links.producers[name], links.consumers[name])
        yield painter.event(event, told)
    for agent in model.agents:
        told = _tooltips.of_agent(
            agent, links.listens[agent.id], links.publishes[agent.id]
        )
        yield painter.agent(agent, told)
    if finishes:
        yield painter.circle(END, END_FILL)
    for name in begins:
        yield f"  {START} -> {quoted(name)} [class=start];"
    for edge in model.edges:
        yield painter.edge(edge, ends(edge), _tooltips.of_edge(edge))
    for name in finishes:
        yield f"  {quoted(name)} -> {END} [class=end];"


class _Curated:
    """A flow that somebody wrote down; what is not in the code is drawn dashed."""

    def __init__(self, model: FlowModel, style: Style, painter: Painter) -> None:
        self._pairs = list(dict.fromkeys(style.main_flow))
        self._painter = painter
        self._links = Links.of(model)
        self._events = {event.name: event for event in model.events}
        self._agents = {agent.label: agent for agent in model.agents}
        self._agents |= {agent.id: agent for agent in model.agents}
        self._edges = {ends(edge): edge for edge in model.edges}

    def lines(self) -> Iterator[str]:
        for name in dict.fromkeys(name for pair in self._pairs for name in pair):
            yield self._node(name)
        for first, second in self._pairs:
            yield self._edge(self._key(first), self._key(second))

    def _key(self, name: str) -> str:
        if name in (START, END):
            return name
        if name not in self._events and name in self._agents:
            return agent_id(self._agents[name].id)
        return event_id(name)

    def _node(self, name: str) -> str:
        if name in (START, END):
            return self._painter.circle(name, START_FILL if name == START else END_FILL)
        links = self._links
        if (event := self._events.get(name)) is not None:
            told = _tooltips.of_event(
                event, links.producers[name], links.consumers[name]
            )
            return self._painter.event(event, told)
        if (agent := self._agents.get(name)) is not None:
            told = _tooltips.of_agent(
                agent, links.listens[agent.id], links.publishes[agent.id]
            )
            return self._painter.agent(agent, told)
        told = worded(f"{name} · in the main flow, but not in the code")
        shown = {"label": worded(name), "id": worded(event_id(name))}
        shown |= {"class": "missing", "style": "dashed", "tooltip": told}
        return f"  {quoted(event_id(name))} {attributes(shown)};"

    def _edge(self, first: str, second: str) -> str:
        edge = self._edges.get((first, second))
        if edge is not None:
            return self._painter.edge(edge, (first, second), _tooltips.of_edge(edge))
        return f"  {quoted(first)} -> {quoted(second)} [class=flow];"
