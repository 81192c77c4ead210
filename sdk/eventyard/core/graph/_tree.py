"""The graph unrolled into trees, from where events enter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from eventyard.core.graph import _tooltips
from eventyard.core.graph._dot import (
    Painter,
    agent_id,
    edge_id,
    event_id,
    worded,
)
from eventyard.core.graph._simplified import splines
from eventyard.core.graph.flow import Links, resolved
from eventyard.core.graph.model import Edge, FlowModel
from eventyard.core.graph.style import Style

#: Beyond so many nodes, what was unrolled once is not unrolled again.
MOST_UNROLLED: Final = 1500
#: Beyond so many nodes, the rest is left out.
MOST_DRAWN: Final = 20_000


class _Step(NamedTuple):
    """An occurrence of a node, and the edge that leads to it."""

    node: str
    #: Its id in this drawing.
    key: str
    parent: str = ""
    edge: Edge | None = None
    #: Leads back to an occurrence that is drawn already.
    back: bool = False
    #: Occurs elsewhere, where what follows it is drawn.
    folded: bool = False


class _Full(Exception):  # noqa: N818
    """The drawing has as many nodes as it may have."""


def draw_tree(model: FlowModel, style: Style) -> str:
    """Return the trees; where they would be too large, repeats are drawn folded."""
    plain = resolved(model)
    try:
        steps = list(_Unroller(plain, MOST_UNROLLED).steps())
        note = ""
    except _Full:
        steps, note = _folded(plain)
    painter = Painter(style)
    head = painter.head(splines=splines(len(steps)), **_noted(note))
    return "\n".join([*head, *_lines(plain, painter, steps), "}", ""])


def _folded(model: FlowModel) -> tuple[list[_Step], str]:
    unroller = _Unroller(model, MOST_DRAWN, folding=True)
    steps: list[_Step] = []
    try:
        for step in unroller.steps():
            steps.append(step)  # noqa: PERF402 - those before the end count too
    except _Full:
        return steps, f"Cut off after {MOST_DRAWN} nodes: narrow it to see the rest."
    return steps, (
        f"Unrolled whole, this would have over {MOST_UNROLLED} nodes: "
        "what repeats is drawn once, and dashed after that."
    )


def _noted(note: str) -> dict[str, str]:
    return {"label": worded(note), "labelloc": "t"} if note else {}


class _Unroller:
    """Walks depth first, without recursion: a chain may be as long as the model."""

    def __init__(self, model: FlowModel, most: int, *, folding: bool = False) -> None:
        self._model = model
        self._links = Links.of(model)
        self._after = _after(model)
        self._most = most
        self._folding = folding
        self._numbers: Counter[str] = Counter()
        self._drawn = 0
        self._taken = {event_id(event.name) for event in model.events}
        self._taken |= {agent_id(agent.id) for agent in model.agents}

    def steps(self) -> Iterator[_Step]:
        for root in self._roots():
            first = self._occur(root)
            yield first
            yield from self._below(first)

    def _roots(self) -> Iterator[str]:
        yield from map(event_id, self._links.entries())
        yield from map(agent_id, self._links.sources())
        # What only cycles lead to, and what nothing leads to or from.
        rest = [
            *(event_id(event.name) for event in self._model.events),
            *(agent_id(agent.id) for agent in self._model.agents),
        ]
        yield from (node for node in rest if node not in self._numbers)

    def _below(self, root: _Step) -> Iterator[_Step]:
        path = {root.node: root.key}
        stack = [(root, iter(self._after.get(root.node, ())))]
        while stack:
            at, following = stack[-1]
            taken = next(following, None)
            if taken is None:
                stack.pop()
                del path[at.node]
                continue
            node, edge = taken
            if node in path:
                yield _Step(node, path[node], at.key, edge, back=True)
                continue
            step = self._occur(node, at.key, edge)
            yield step
            if not step.folded:
                path[node] = step.key
                stack.append((step, iter(self._after.get(node, ()))))

    def _occur(self, node: str, parent: str = "", edge: Edge | None = None) -> _Step:
        if self._drawn == self._most:
            raise _Full
        self._drawn += 1
        again = node in self._numbers
        folded = self._folding and again and node in self._after
        return _Step(node, self._numbered(node), parent, edge, folded=folded)

    def _numbered(self, node: str) -> str:
        self._numbers[node] += 1
        if self._numbers[node] == 1:
            return node
        while (key := f"{node}#{self._numbers[node]}") in self._taken:
            self._numbers[node] += 1
        return key


def _after(model: FlowModel) -> dict[str, list[tuple[str, Edge]]]:
    found: dict[str, list[tuple[str, Edge]]] = {}
    for edge in model.edges:
        event, agent = event_id(edge.event), agent_id(edge.agent)
        if edge.kind == "publishes":
            found.setdefault(agent, []).append((event, edge))
        else:
            found.setdefault(event, []).append((agent, edge))
    return found


def _lines(model: FlowModel, painter: Painter, steps: list[_Step]) -> Iterator[str]:
    told = _Told(model, painter)
    for step in steps:
        if not step.back:
            yield told.node(step)
    numbers: Counter[str] = Counter()
    for step in steps:
        if step.edge is not None:
            key = edge_id(step.edge)
            numbers[key] += 1
            number = numbers[key]
            yield told.edge(step, step.edge, key if number == 1 else f"{key}#{number}")


class _Told:
    """Writes the occurrences of nodes and edges."""

    def __init__(self, model: FlowModel, painter: Painter) -> None:
        self._painter = painter
        self._links = Links.of(model)
        self._events = {event_id(event.name): event for event in model.events}
        self._agents = {agent_id(agent.id): agent for agent in model.agents}

    def node(self, step: _Step) -> str:
        more = self._repeated(step) if step.key != step.node else {}
        links = self._links
        event = self._events.get(step.node)
        if event is not None:
            name = event.name
            told = _tooltips.of_event(
                event, links.producers[name], links.consumers[name]
            )
            return self._painter.event(event, told, key=step.key, **more)
        agent = self._agents[step.node]
        told = _tooltips.of_agent(
            agent, links.listens[agent.id], links.publishes[agent.id]
        )
        return self._painter.agent(agent, told, key=step.key, **more)

    def _repeated(self, step: _Step) -> dict[str, str]:
        # Readers know a repeat by this, and not by how its id ends.
        more = {"repeats": worded(step.node)}
        return {**more, "style": '"filled,rounded,dashed"'} if step.folded else more

    def edge(self, step: _Step, edge: Edge, key: str) -> str:
        more = {"id": worded(key)}
        if step.back:
            more |= {"style": "dashed", "constraint": "false", "class": '"back"'}
        return self._painter.edge(
            edge, (step.parent, step.key), _tooltips.of_edge(edge), **more
        )
