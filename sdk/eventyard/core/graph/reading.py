"""A model from DOT, as scanners of whatever age draw it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Final, Literal

from eventyard.core.errors import InvalidRequestError
from eventyard.core.graph._parsing import Attributes, Drawn, parse
from eventyard.core.graph._tokens import LONGEST
from eventyard.core.graph.model import (
    LONGEST_NAME,
    UNKNOWN,
    AgentNode,
    Diagnostic,
    Edge,
    EventNode,
    FlowModel,
    Site,
    outcome,
)

_Kind = Literal["event", "agent"]
_ENDS: Final = frozenset({"START", "END"})
_SHAPES: Final[dict[str, _Kind]] = {
    **dict.fromkeys(("ellipse", "oval", "egg"), "event"),
    **dict.fromkeys(("box", "rect", "rectangle", "square", "box3d"), "agent"),
}
_PERCENT = re.compile("%([0-9A-F]{2})")
_SPACES = re.compile(r"[ \t\n\f\r]+")
_COUNT = re.compile("[1-9][0-9]{0,8}")
_MOST_TOLD = 100


def read_dot(text: str) -> FlowModel:
    """
    Read the events, agents and edges of a DOT text.

    A node is an event or an agent by its id (`event:`, `agent:`), its class, its
    shape (an ellipse is an event, a box an agent), by what it is joined with, or by
    its name, in this order. START and END are not part of the flow. An edge that joins
    two events, or two agents, is left out and told in the diagnostics.

    Raises:
        InvalidRequestError: what is not DOT (with the line), over 10 million
            characters, or of more nodes, edges or depth than can be drawn.
    """
    if len(text) > LONGEST:
        raise InvalidRequestError(f"DOT may have {LONGEST} characters.")
    plain = text.removeprefix("\ufeff")
    return _Reading(parse(plain), plain).model()


class _Reading:
    def __init__(self, drawn: Drawn, text: str) -> None:
        self._text = text
        self._nodes = {
            name: told for name, told in drawn.nodes.items() if not _is_end(name, told)
        }
        self._edges = [
            edge
            for edge in drawn.edges
            if edge[0] in self._nodes and edge[1] in self._nodes
        ]
        self._kinds = self._sorted_out()
        self._names = {
            name: _identity(name, told, self._kinds[name])
            for name, told in self._nodes.items()
        }
        self._told: list[Diagnostic] = []

    def model(self) -> FlowModel:
        edges = [*self._flow()]
        return FlowModel.of(
            [_event(name, told) for name, told in self._of("event")],
            [_agent(name, told) for name, told in self._of("agent")],
            edges,
            self._told,
        )

    def _of(self, kind: _Kind) -> Iterator[tuple[str, Attributes]]:
        for name, told in self._nodes.items():
            if self._kinds[name] == kind:
                yield self._names[name], told

    def _sorted_out(self) -> dict[str, _Kind]:
        kinds: dict[str, _Kind] = {}
        for name, told in self._nodes.items():
            kind = _kind(told)
            if kind is not None:
                kinds[name] = kind
        if len(kinds) < len(self._nodes):
            _spread(kinds, [*self._nodes], _neighbours(self._edges))
        return kinds

    def _flow(self) -> Iterator[Edge]:
        drawn: dict[tuple[str, str, str], Edge] = {}
        for first, second, told, at in self._edges:
            edge = self._edge(first, second, told, at)
            if edge is None:
                continue
            if "id" not in told:
                yield edge
            else:
                # In a tree, an edge is drawn wherever it is met, and is one all the same.
                drawn[edge.kind, edge.agent, edge.event] = edge
        yield from drawn.values()

    def _edge(self, first: str, second: str, told: Attributes, at: int) -> Edge | None:
        one, other = self._names[first], self._names[second]
        kinds = (self._kinds[first], self._kinds[second])
        count = int(told["count"]) if _COUNT.fullmatch(told.get("count", "")) else 1
        if kinds == ("event", "agent"):
            return Edge(other, one, "subscribes", count)
        if kinds == ("agent", "event"):
            return Edge(one, other, "publishes", count)
        if len(self._told) < _MOST_TOLD and told.get("class") != "flow":
            line = self._text.count("\n", 0, at) + 1
            message = f"The edge from {one} to {other} joins two {kinds[0]}s."
            self._told.append(Diagnostic("edge", message, Site("graph.dot", line)))
        return None


def _classes(told: Attributes) -> list[str]:
    # Only these spaces part classes in a page.
    return _SPACES.split(told.get("class", ""))


def _is_end(name: str, told: Attributes) -> bool:
    classes = _classes(told)
    if "event" in classes or "agent" in classes:
        return False
    return name.upper() in _ENDS or told.get("label", "").upper() in _ENDS


def _kind(told: Attributes) -> _Kind | None:
    given = told.get("id", "").partition(":")[0]
    classes = _classes(told)
    if given == "event" or "event" in classes:
        return "event"
    if given == "agent" or "agent" in classes:
        return "agent"
    return _SHAPES.get(told.get("shape", "").lower())


def _neighbours(edges: list[tuple[str, str, Attributes, int]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for first, second, _, _ in edges:
        found.setdefault(first, []).append(second)
        found.setdefault(second, []).append(first)
    return found


def _spread(
    kinds: dict[str, _Kind], names: list[str], neighbours: dict[str, list[str]]
) -> None:
    """Give kinds to the rest: beside an event stands an agent, and the other way."""
    waiting = deque(kinds)
    rest = iter(names)
    while True:
        while waiting:
            name = waiting.popleft()
            for other in neighbours.get(name, ()):
                if other not in kinds:
                    kinds[other] = "agent" if kinds[name] == "event" else "event"
                    waiting.append(other)
        start = next((name for name in rest if name not in kinds), None)
        if start is None:
            return
        kinds[start] = _guess(start)
        waiting.append(start)


def _guess(name: str) -> _Kind:
    # Agents are named after files: `order_agent`; events after classes or topics.
    return "agent" if name.islower() and "." not in name else "event"


def _identity(name: str, told: Attributes, kind: _Kind) -> str:
    given = _decoded(told.get("repeats") or told.get("id", ""))
    prefix = f"{kind}:"
    if given.startswith(prefix) and len(given) > len(prefix):
        return _short(given[len(prefix) :])
    return _short(name or "?")


def _short(name: str) -> str:
    if len(name) > LONGEST_NAME:
        raise InvalidRequestError(
            f"A name may have {LONGEST_NAME} characters: {name[:40]!r} has more."
        )
    return name


def _decoded(text: str) -> str:
    return text.replace("&amp;", "&")


def _event(name: str, told: Attributes) -> EventNode:
    classes = _classes(told)
    failed, rejected = outcome(name)
    ours = "event" in classes
    return EventNode(
        name,
        _namespace(classes),
        failed="failed" in classes or (failed and not ours),
        rejected="rejected" in classes or (rejected and not ours),
        pattern="pattern" in classes or (not ours and _is_pattern(name)),
    )


def _agent(name: str, told: Attributes) -> AgentNode:
    classes = _classes(told)
    label = _decoded(told.get("label", "")) if "agent" in classes else ""
    return AgentNode(
        name, _short(label or name), _namespace(classes), "test" in classes
    )


def _namespace(classes: list[str]) -> str:
    for one in classes:
        if one.startswith("namespace-") and len(one) > len("namespace-"):
            return _short(_PERCENT.sub(_character, one.removeprefix("namespace-")))
    return UNKNOWN


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _is_pattern(name: str) -> bool:
    return any(part in ("*", "**", "#") for part in name.split("."))
