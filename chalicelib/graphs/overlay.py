"""The traffic laid over what the code says: which edges are seen, and which are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from chalicelib.aws import Item
from chalicelib.graphs.content import Place
from chalicelib.graphs.flows import Flow, Way
from chalicelib.graphs.lags import quantile
from chalicelib.graphs.store import Version
from chalicelib.graphs.traffic import Window
from eventyard.core import moments
from eventyard.core.errors import EventRouterError, NotFoundError
from eventyard.core.graph.model import AgentNode, Edge, FlowModel
from eventyard.core.topics import compile_pattern

State = Literal["both", "live_only", "code_only"]
#: How the topics of the platform's own events begin, and what processes tell of
#: themselves: they are news to nobody unless the code names them.
_OWN: Final = ("eventyard.", "telemetry.reported")
_SHARE: Final = 0.95
#: A process keeps so many models ready: each is some megabytes at the most.
_REMEMBERED: Final = 4


def plain(name: str) -> str:
    """Return a name without case and separators: `order.paid` is `OrderPaid`."""
    return "".join(filter(str.isalnum, name)).casefold()


@dataclass
class _Names:
    """Finds names as they are written, or else whatever reads the same."""

    exact: dict[str, list[str]] = field(default_factory=dict)
    alike: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, means: str) -> None:
        for names, key in ((self.exact, name), (self.alike, plain(name))):
            if key and means not in names.setdefault(key, []):
                names[key].append(means)

    def find(self, name: str) -> list[str]:
        return self.exact.get(name) or self.alike.get(plain(name)) or []


class Overlay:
    """A model made ready for traffic to be found in it."""

    def __init__(self, model: FlowModel) -> None:
        self.edges: dict[Way, Edge] = {}
        self._tests = {agent.id for agent in model.agents if agent.test}
        self._agents, self._events = _Names(), _Names()
        self._patterns = [e.name for e in model.events if _is_pattern(e.name)]
        for event in {e.name for e in model.events}.difference(self._patterns):
            self._events.add(event, event)
        for agent in model.agents:
            for name in _names_of(agent):
                self._agents.add(name, agent.id)
        for edge in model.edges:
            self.edges[Way(edge.kind, edge.agent, edge.event)] = edge

    def ways(self, live: Way) -> list[Way]:
        """
        Return the model's edges that traffic went along.

        Several, where an agent listens to a topic and to a pattern that matches it.
        """
        agents, events = self._agents.find(live.agent), self._meant(live.event)
        named = [Way(live.kind, agent, e) for agent in agents for e in events]
        return [one for one in named if one in self.edges]

    def named(self, live: Way) -> Way:
        """Return a live edge that the code does not have, by the names that it does."""
        agents, events = self._agents.find(live.agent), self._events.find(live.event)
        return Way(
            live.kind,
            agents[0] if agents else live.agent,
            events[0] if events else live.event,
        )

    def knows(self, event: str) -> bool:
        """Tell whether the code names an event, or a pattern that matches it."""
        return bool(self._meant(event))

    def silent(self, seen: Iterable[Way]) -> list[Way]:
        """Return the edges that were not seen; those of tests are not expected to be."""
        alive = set(seen)
        return [
            one
            for one in self.edges
            if one not in alive and one.agent not in self._tests
        ]

    def _meant(self, event: str) -> list[str]:
        matching = (p for p in self._patterns if compile_pattern(p).matches(event))
        return [*self._events.find(event), *matching]


@dataclass
class Overlays:
    """Overlays of what was pushed; a page asks for the same one every few seconds."""

    find: Callable[[Place], Version]
    flow: Callable[[Version], FlowModel]
    _made: dict[str, Overlay] = field(default_factory=dict)

    def of(self, place: Place) -> Overlay:
        """Return the overlay of the newest version; of nothing where there is none."""
        try:
            version = self.find(place)
        except NotFoundError:
            return Overlay(FlowModel())
        made = self._made.pop(version.etag, None) or Overlay(self.flow(version))
        self._made[version.etag] = made
        if len(self._made) > _REMEMBERED:
            del self._made[next(iter(self._made))]
        return made


def _names_of(agent: AgentNode) -> Iterator[str]:
    yield agent.id
    yield agent.label
    # Several agents of one file are told apart by `stem.Class`.
    yield agent.id.rpartition(".")[2]


def _is_pattern(name: str) -> bool:
    if "*" not in name and "#" not in name:
        return False
    try:
        compile_pattern(name)
    except EventRouterError:
        return False
    return True


def lay_over(overlay: Overlay, window: Window, seconds: int) -> Item:
    """Return the answer of `GET /api/graph/traffic`; where no code is, all is live only."""
    live = {
        edge: flow
        for edge, flow in window.sheet.flows.items()
        if not edge.event.startswith(_OWN) or overlay.knows(edge.event)
    }
    seen, strange = _sorted_out(overlay, live)
    silent = overlay.silent(seen)
    span = max(window.until - window.since, 1.0)
    edges = [
        *(_edge(edge, flow, span, "both") for edge, flow in seen.items()),
        *(_edge(edge, flow, span, "live_only") for edge, flow in strange.items()),
        *(_edge(edge, Flow(), span, "code_only") for edge in silent),
    ]
    return {
        "window_s": seconds,
        "since": _moment(window.since),
        "until": _moment(window.until),
        "edges": sorted(edges, key=_order),
        "totals": _totals(live, window, span),
        "drift": {"live_only": len(strange), "code_only": len(silent)},
    }


def _sorted_out(
    overlay: Overlay, live: Mapping[Way, Flow]
) -> tuple[dict[Way, Flow], dict[Way, Flow]]:
    seen: dict[Way, Flow] = {}
    strange: dict[Way, Flow] = {}
    for edge, flow in live.items():
        known = overlay.ways(edge)
        for one in known:
            seen.setdefault(one, Flow()).merge(flow)
        if not known:
            strange.setdefault(overlay.named(edge), Flow()).merge(flow)
    return seen, strange


def _edge(edge: Way, flow: Flow, span: float, state: State) -> Item:
    return {
        "agent": edge.agent,
        "event": edge.event,
        "kind": edge.kind,
        "count": flow.count,
        "rate": round(flow.count / span, 6),
        "errors": flow.errors,
        "p95_lag_ms": quantile(flow.lags, _SHARE),
        "last_seen": _moment(flow.last_ms / 1000) if flow.last_ms else None,
        "state": state,
    }


def _order(edge: Mapping[str, Any]) -> tuple[str, str, str]:
    return edge["kind"], edge["event"], edge["agent"]


def _totals(live: Mapping[Way, Flow], window: Window, span: float) -> Item:
    published = sum(f.count for edge, f in live.items() if edge.kind == "publishes")
    delivered = sum(f.count for edge, f in live.items() if edge.kind == "subscribes")
    return {
        "published": published,
        "delivered": delivered,
        "errors": sum(flow.errors for flow in live.values()),
        "published_rate": round(published / span, 6),
        "delivered_rate": round(delivered / span, 6),
        "left_out": window.sheet.left_out,
    }


def _moment(seconds: float) -> str:
    return moments.write(datetime.fromtimestamp(seconds, UTC))
