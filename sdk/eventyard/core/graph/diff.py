"""What changed between two models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel

_PARTS: Final = ("events", "agents", "edges")
Changes = dict[str, list[dict[str, Any]]]
_Shapes = Mapping[Any, dict[str, Any]]
_Edges = dict[tuple[str, str, str], dict[str, Any]]


def _none() -> Changes:
    return {part: [] for part in _PARTS}


@dataclass(frozen=True, slots=True)
class Diff:
    """
    What a model has and another has not, by `events`, `agents` and `edges`.

    Where something stands in the code does not count. What changed names itself and
    tells the differing fields `before` and `after`.
    """

    added: Changes = field(default_factory=_none)
    removed: Changes = field(default_factory=_none)
    changed: Changes = field(default_factory=_none)

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        found = (self.added, self.removed, self.changed)
        return not any(found_in[part] for found_in in found for part in _PARTS)

    def to_dict(self) -> dict[str, Changes]:
        """Return the JSON shape: `{"added": {"events": [...], ...}, ...}`."""
        return {"added": self.added, "removed": self.removed, "changed": self.changed}


def diff(base: FlowModel, head: FlowModel) -> Diff:
    """Compare two models; what only `head` has was added."""
    found = Diff()
    _compare(found, "events", ("name",), _events(base.events), _events(head.events))
    _compare(found, "agents", ("id",), _agents(base.agents), _agents(head.agents))
    before, after = _edges(base.edges), _edges(head.edges)
    _pair(before, after)
    _compare(found, "edges", ("agent", "event", "kind"), before, after)
    return found


def _pair(before: _Edges, after: _Edges) -> None:
    """Let a publication that became a subscription be one edge, which changed."""
    for key in [key for key in before if key not in after]:
        agent, event, kind = key
        other = (agent, event, "publishes" if kind == "subscribes" else "subscribes")
        if other in after and other not in before:
            after[key] = after.pop(other)


def _compare(
    found: Diff, part: str, names: tuple[str, ...], before: _Shapes, after: _Shapes
) -> None:
    found.added[part] += [shape for key, shape in after.items() if key not in before]
    found.removed[part] += [shape for key, shape in before.items() if key not in after]
    for key, old in before.items():
        new = after.get(key, old)
        differing = [name for name in old if old[name] != new[name]]
        if differing:
            found.changed[part].append(
                {
                    **{name: new[name] for name in names},
                    "before": {name: old[name] for name in differing},
                    "after": {name: new[name] for name in differing},
                }
            )


def _events(events: Iterable[EventNode]) -> _Shapes:
    return {
        event.name: {
            "name": event.name,
            "namespace": event.namespace,
            "failed": event.failed,
            "rejected": event.rejected,
            "pattern": event.pattern,
        }
        for event in events
    }


def _agents(agents: Iterable[AgentNode]) -> _Shapes:
    return {
        agent.id: {
            "id": agent.id,
            "label": agent.label or agent.id,
            "namespace": agent.namespace,
            "test": agent.test,
        }
        for agent in agents
    }


def _edges(edges: Iterable[Edge]) -> _Edges:
    return {
        (edge.agent, edge.event, edge.kind): {
            "agent": edge.agent,
            "event": edge.event,
            "kind": edge.kind,
            "count": edge.count,
        }
        for edge in edges
    }
