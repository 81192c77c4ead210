"""The graph of what changed between two models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from eventyard.core.graph import _tooltips
from eventyard.core.graph._complete import framed
from eventyard.core.graph._dot import (
    Painter,
    agent_classes,
    edge_id,
    ends,
    event_classes,
    quoted,
    worded,
)
from eventyard.core.graph.diff import diff
from eventyard.core.graph.flow import Links
from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel
from eventyard.core.graph.style import PLAIN, Style

_SIGNS: Final = {"added": "+", "removed": "−", "changed": "~"}  # noqa: RUF001
_LOOKS: Final = {
    "added": {"color": '"#2e7d32"', "penwidth": "2"},
    "removed": {"color": '"#c62828"', "penwidth": "2"},
    "changed": {"color": '"#1565c0"', "penwidth": "2"},
}
_FILLS: Final = {
    "added": '"#c8e6c9"',
    "removed": '"#ffcdd2"',
    "changed": '"#bbdefb"',
    "": '"#f5f5f5"',
}


def draw_diff(base: FlowModel, head: FlowModel, *, style: Style = PLAIN) -> str:
    """
    Draw both models as one graph that shows what changed.

    What only `head` has is green, what only `base` has is red and dashed, what differs
    is blue; labels begin with a sign, tooltips and classes say it in words.
    Ids are those of `draw`.
    """
    both = FlowModel.of(
        (*head.events, *base.events),
        (*head.agents, *base.agents),
        _united(head.edges, base.edges),
    )
    return _Changes(base, head, both, style).drawn()


def _united(head: Iterable[Edge], base: Iterable[Edge]) -> list[Edge]:
    found = {(edge.agent, edge.event, edge.kind): edge for edge in base}
    found |= {(edge.agent, edge.event, edge.kind): edge for edge in head}
    return list(found.values())


class _Changes:
    def __init__(
        self, base: FlowModel, head: FlowModel, both: FlowModel, style: Style
    ) -> None:
        self._both = both
        self._style = style
        self._painter = Painter(style)
        found = diff(base, head)
        self._events = _told(found.to_dict(), "events", ("name",))
        self._agents = _told(found.to_dict(), "agents", ("id",))
        self._edges = _of_edges(base, head)

    def drawn(self) -> str:
        lines = self._painter.head()
        for namespace, nodes in self._nodes().items():
            lines += framed(namespace, nodes, self._style)
        lines += [self._edge(edge) for edge in self._both.edges]
        return "\n".join([*lines, "}", ""])

    def _nodes(self) -> dict[str, list[str]]:
        links = Links.of(self._both)
        found: dict[str, list[str]] = {name: [] for name in self._both.namespaces()}
        for event in self._both.events:
            found[event.namespace].append(self._event(event, links))
        for agent in self._both.agents:
            found[agent.namespace].append(self._agent(agent, links))
        return found

    def _event(self, event: EventNode, links: Links) -> str:
        change = self._events.get((event.name,), "")
        told = _tooltips.of_event(
            event, links.producers[event.name], links.consumers[event.name]
        )
        more = _look(change, event.name, event_classes(event))
        return self._painter.event(event, _said(change, told), **more)

    def _agent(self, agent: AgentNode, links: Links) -> str:
        change = self._agents.get((agent.id,), "")
        told = _tooltips.of_agent(
            agent, links.listens[agent.id], links.publishes[agent.id]
        )
        more = _look(change, agent.label or agent.id, agent_classes(agent))
        return self._painter.agent(agent, _said(change, told), **more)

    def _edge(self, edge: Edge) -> str:
        change = self._edges.get(edge_id(edge), "")
        more = dict(_LOOKS.get(change, {}))
        more["class"] = quoted(" ".join([edge.kind, *change.split()]))
        if change == "removed":
            more["style"] = "dashed"
        told = _said(change, _tooltips.of_edge(edge))
        return self._painter.edge(edge, ends(edge), told, **more)


def _look(change: str, label: str, classes: list[str]) -> dict[str, str]:
    more = {"fillcolor": _FILLS[change], "fontcolor": '"#000000"'}
    more |= {"class": quoted(" ".join([*classes, *change.split()]))}
    if change:
        more |= _LOOKS[change] | {"label": worded(f"{_SIGNS[change]} {label}")}
    if change == "removed":
        more["style"] = '"filled,rounded,dashed"'
    return more


def _said(change: str, told: str) -> str:
    return f"{change.capitalize()}: {told}" if change else told


def _told(
    shapes: dict[str, dict[str, list[dict[str, Any]]]],
    part: str,
    names: tuple[str, ...],
) -> dict[tuple[str, ...], str]:
    return {
        tuple(shape[name] for name in names): change
        for change, parts in shapes.items()
        for shape in parts[part]
    }


def _of_edges(base: FlowModel, head: FlowModel) -> dict[str, str]:
    # By what is drawn: an edge that turned round is one drawn anew, and one gone.
    before = {edge_id(edge): edge.count for edge in base.edges}
    after = {edge_id(edge): edge.count for edge in head.edges}
    found = {key: "added" for key in after if key not in before}
    found |= {key: "removed" for key in before if key not in after}
    both = before.keys() & after.keys()
    return found | {key: "changed" for key in both if before[key] != after[key]}
