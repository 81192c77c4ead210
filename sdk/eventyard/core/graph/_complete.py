"""The graph of everything, by namespace."""

from __future__ import annotations

from collections.abc import Iterator

from eventyard.core.graph import _tooltips
from eventyard.core.graph._dot import Painter, ends, namespace_class, quoted, worded
from eventyard.core.graph.flow import Links
from eventyard.core.graph.model import UNKNOWN, FlowModel
from eventyard.core.graph.style import Style


def draw_complete(model: FlowModel, style: Style) -> str:
    """Return all events and agents, each namespace in a frame of its own."""
    painter = Painter(style)
    lines = painter.head()
    for namespace, nodes in _by_namespace(model, painter).items():
        lines += framed(namespace, nodes, style)
    lines += [
        painter.edge(edge, ends(edge), _tooltips.of_edge(edge)) for edge in model.edges
    ]
    return "\n".join([*lines, "}", ""])


def framed(namespace: str, nodes: list[str], style: Style) -> Iterator[str]:
    """Yield the lines of a namespace; what is of no known one stands without a frame."""
    if namespace == UNKNOWN:
        yield from nodes
        return
    yield f"  subgraph {quoted(f'cluster_{namespace}')} {{"
    yield (
        f'    graph [label={worded(namespace)} class="{namespace_class(namespace)}" '
        f'style=rounded color="{style.colour(namespace)}" tooltip={worded(namespace)}];'
    )
    for node in nodes:
        yield f"  {node}"
    yield "  }"


def _by_namespace(model: FlowModel, painter: Painter) -> dict[str, list[str]]:
    links = Links.of(model)
    found: dict[str, list[str]] = {name: [] for name in model.namespaces()}
    for event in model.events:
        name = event.name
        told = _tooltips.of_event(event, links.producers[name], links.consumers[name])
        found[event.namespace].append(painter.event(event, told))
    for agent in model.agents:
        told = _tooltips.of_agent(
            agent, links.listens[agent.id], links.publishes[agent.id]
        )
        found[agent.namespace].append(painter.agent(agent, told))
    return found
