"""The path of one event: what led to it, and what it led to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from chalicelib.aws import Item
from chalicelib.events.causes import Causes
from chalicelib.events.log import EventLog
from chalicelib.wire import Placed
from eventyard.core import moments
from eventyard.core.errors import NotFoundError
from eventyard.core.event import Event

#: How far it goes up, how far down, and how many events it shows in all.
MOST_STEPS: Final = 50
MOST_NODES: Final = 500
_THREADS: Final = 16
Visible = Callable[[str], bool]


@dataclass(slots=True)
class _Graph:
    """Events by id as they are found, None for one that is not there, and their edges."""

    nodes: dict[str, Event | None] = field(default_factory=dict)
    depths: dict[str, int] = field(default_factory=dict)
    #: From cause to effect, each once.
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    truncated: bool = False

    def put(self, event_id: str, event: Event | None, depth: int) -> None:
        self.nodes[event_id] = event
        self.depths[event_id] = depth

    @property
    def room(self) -> int:
        return MOST_NODES - len(self.nodes)

    def to_dict(self, root: str, focus: str) -> Item:
        lowest = self.depths[root]
        return {
            "root": root,
            "focus": focus,
            "nodes": [
                _node(event_id, event, self.depths[event_id] - lowest)
                for event_id, event in self.nodes.items()
            ],
            "edges": [{"from": cause, "to": effect} for cause, effect in self.edges],
            "truncated": self.truncated,
        }


@dataclass(slots=True)
class Causality:
    """
    Follows `causation_id` up through the log, and down through the index.

    The index tells an id alone, so of senders that chose the same one all effects are
    shown. Circles end where they close; what was purged is a node that is missing.
    """

    log: EventLog
    causes: Causes
    #: Finds an event by its id and source; raises NotFoundError.
    locate: Callable[[str, str | None], Placed]

    def trace(self, placed: Placed, visible: Visible) -> Item:
        """Return the path of an event, as far as topics are `visible`."""
        focus = placed.event
        graph = _Graph()
        graph.put(focus.id, focus, 0)
        root = self._climb(graph, focus, visible)
        self._descend(graph, focus.id, visible)
        return graph.to_dict(root, focus.id)

    def _climb(self, graph: _Graph, event: Event, visible: Visible) -> str:
        """Add the causes of an event; return the first of them."""
        for depth in range(-1, -MOST_STEPS - 1, -1):
            cause = event.causation_id
            if not cause:
                return event.id
            graph.edges[cause, event.id] = None
            if cause in graph.nodes:
                return event.id
            found = self._find(cause, visible)
            graph.put(cause, found, depth)
            if found is None:
                return cause
            event = found
        graph.truncated = bool(event.causation_id)
        return event.id

    def _find(self, event_id: str, visible: Visible) -> Event | None:
        try:
            event = self.locate(event_id, None).event
        except NotFoundError:
            return None
        # Whoever may not see an event is not told more than the effect does.
        return event if visible(event.type) else None

    def _descend(self, graph: _Graph, event_id: str, visible: Visible) -> None:
        level = [event_id]
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            for _ in range(MOST_STEPS):
                level = [
                    effect.id
                    for cause, effect in self._effects(graph, level, pool)
                    if visible(effect.type) and _add(graph, cause, effect)
                ]
                if not level:
                    return
            if any(pool.map(self._has_effects, level)):
                graph.truncated = True

    def _effects(
        self, graph: _Graph, causes: Sequence[str], pool: ThreadPoolExecutor
    ) -> list[tuple[str, Event]]:
        """Return the effects of a level, as many as there may be room for."""
        # Where circles close, those that are known come again.
        most = graph.room + MOST_STEPS
        found = pool.map(lambda one: self.causes.effects_of(one, most + 1), causes)
        of = {
            place: cause
            for cause, places in zip(causes, found, strict=True)
            for place in places
        }
        if len(of) > most:
            graph.truncated = True
        events = pool.map(self.log.find, list(of)[:most])
        # What was purged leaves its row, which says no more than where it was.
        return [(cause, e) for cause, e in zip(of.values(), events) if e is not None]  # noqa: B905 - one is cut short

    def _has_effects(self, event_id: str) -> bool:
        return bool(self.causes.effects_of(event_id, 1))


def _add(graph: _Graph, cause: str, effect: Event) -> bool:
    """Add an effect of an event; tell whether it is new."""
    known = effect.id in graph.nodes
    if not known and not graph.room:
        graph.truncated = True
        return False
    graph.edges[cause, effect.id] = None
    if not known:
        graph.put(effect.id, effect, graph.depths[cause] + 1)
    return not known


def _node(event_id: str, event: Event | None, depth: int) -> Item:
    return {
        "id": event_id,
        "type": event.type if event else None,
        "source": event.source if event else None,
        "time": moments.write(event.timestamp) if event else None,
        "depth": depth,
        "missing": event is None,
    }
