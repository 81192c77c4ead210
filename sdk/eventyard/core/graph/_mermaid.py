"""A model in Mermaid, which code hosts and notes draw by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from eventyard.core.graph.model import FlowModel

_STYLES: Final = (
    "  classDef eventNode fill:#e1f5ff,stroke:#01579b,color:#000",
    "  classDef agentNode fill:#fff3e0,stroke:#e65100,color:#000",
)
# What Mermaid, or the markup it makes, could take for more than text.
_ACTIVE = re.compile("[^\\w .:/,()+*=!?@-]|[\x00-\x1f]")


def mermaid(model: FlowModel) -> str:
    """
    Return a flow chart, from the top down.

    Nodes have short ids (`OrderPaid`, `orderagent`) and their names as labels.
    """
    ids = _Ids()
    lines = ["graph TD", *_STYLES]
    for event in model.events:
        name = ids.of("event", event.name)
        lines.append(f'  {name}["{_escaped(event.name)}"]:::eventNode')
    for agent in model.agents:
        name = ids.of("agent", agent.id)
        lines.append(f'  {name}("{_escaped(agent.label or agent.id)}"):::agentNode')
    lines += _arrows(model, ids)
    return "\n".join([*lines, ""])


def _arrows(model: FlowModel, ids: _Ids) -> Iterator[str]:
    for edge in model.edges:
        event, agent = ids.of("event", edge.event), ids.of("agent", edge.agent)
        first, second = (agent, event) if edge.kind == "publishes" else (event, agent)
        yield f"  {first} --> {second}"


def _escaped(text: str) -> str:
    # Mermaid's own entities have no ampersand: #60; is <.
    return _ACTIVE.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    code = ord(found[0])
    if not found[0].isprintable():
        return " "
    return found[0] if code > _ASCII else f"#{code};"


_ASCII: Final = 0x7F


class _Ids:
    """Gives each node an id of letters and digits, which nobody else has."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def of(self, kind: str, name: str) -> str:
        known = self._given.get((kind, name))
        if known is None:
            known = self._given[kind, name] = self._free(kind, name)
        return known

    def _free(self, kind: str, name: str) -> str:
        plain = re.sub("[^A-Za-z0-9]", "", name)[:80]
        # Mermaid's words are written small, and `o` or `x` after an arrow is a head.
        wanted = plain if plain[:1].isupper() else f"{kind[0]}_{plain}"
        found, number = wanted, 1
        while found in self._taken:
            number += 1
            found = f"{wanted}_{number}"
        self._taken.add(found)
        return found
