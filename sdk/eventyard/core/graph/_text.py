"""A model in plain sentences, for people and for language models."""

from __future__ import annotations

from collections.abc import Iterator

from eventyard.core.graph.flow import Links, resolved
from eventyard.core.graph.model import AgentNode, EventNode, FlowModel

EXTERNAL = "[EXTERNAL/ORCHESTRATOR]"
UNHEARD = "[NO SUBSCRIBERS]"
ELSEWHERE = "see the events it matches"


def text(model: FlowModel) -> str:
    """Return totals, then each event with both its ends, then each agent with its."""
    stats = model.stats()
    reached, links = Links.of(resolved(model)), Links.of(model)
    lines = [
        "Event flow",
        f"Events: {stats['events']}",
        f"Agents: {stats['agents']}",
        f"Connections: {stats['connections']}",
        "",
        "EVENTS",
    ]
    for event in model.events:
        lines += _event(event, links, reached)
    lines += ["", "AGENTS"]
    for agent in model.agents:
        lines += _agent(agent, links)
    return "\n".join([*lines, ""])


def _event(event: EventNode, links: Links, reached: Links) -> Iterator[str]:
    name = event.name
    told = [event.namespace, *["failed"] * event.failed, *["rejected"] * event.rejected]
    # A pattern that stands for other events is none of its own when it is resolved.
    ends = reached if name in reached.producers else links
    missing = (EXTERNAL, UNHEARD) if ends is reached else (ELSEWHERE, ELSEWHERE)
    yield f"{_line(name)} ({', '.join(map(_line, told))})"
    yield f"  Published by: {_listed(ends.producers[name]) or missing[0]}"
    yield f"  Consumed by: {_listed(ends.consumers[name]) or missing[1]}"


def _agent(agent: AgentNode, links: Links) -> Iterator[str]:
    label = agent.label or agent.id
    shown = agent.id if label == agent.id else f"{agent.id}: {label}"
    yield f"{_line(shown)} ({_line(agent.namespace)})"
    yield f"  Listens to: {_listed(links.listens[agent.id]) or '-'}"
    yield f"  Publishes: {_listed(links.publishes[agent.id]) or '-'}"


def _listed(names: list[str]) -> str:
    return ", ".join(map(_line, names))


def _line(name: str) -> str:
    return " ".join(name.split())
