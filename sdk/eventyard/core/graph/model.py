"""The event flow of some code: who publishes what, and who listens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from eventyard.core.errors import InvalidRequestError

Kind = Literal["publishes", "subscribes"]
KINDS: Final = ("publishes", "subscribes")
#: The namespace of what nobody placed anywhere.
UNKNOWN: Final = "unknown"
#: What one model may hold; beyond, nobody reads a picture of it.
MOST_NODES: Final = 20_000
MOST_EDGES: Final = 100_000
#: How many characters a name, a label, a path may have.
LONGEST_NAME: Final = 512


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A place in the code: a path with `/`, from the scanned folder, and a line from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class EventNode:
    """
    An event by its name: a class, a topic, or a pattern such as `order.*`.

    `failed` and `rejected` say what its name or its annotation tells of its outcome.
    """

    name: str
    namespace: str = UNKNOWN
    failed: bool = False
    rejected: bool = False
    pattern: bool = False
    #: Where its class is defined, when that was found.
    at: Site | None = None


@dataclass(frozen=True, slots=True)
class AgentNode:
    """
    Whoever publishes or listens: a class, or a module where no class is around.

    `id` is the file's stem where one agent lives in a file, and `stem.Class` where
    there are several.
    """

    id: str
    label: str = ""
    namespace: str = UNKNOWN
    #: Whether it is there to test others.
    test: bool = False
    at: Site | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """An agent publishes or subscribes to an event, `count` times in the code."""

    agent: str
    event: str
    kind: Kind
    count: int = 1
    sites: tuple[Site, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """
    What a scan could not make out.

    `kind` is `syntax` or `unreadable` for a whole file, `dynamic` for a call whose
    event is known only when it runs.
    """

    kind: str
    message: str
    at: Site


@dataclass(frozen=True, slots=True)
class FlowModel:
    """Events, agents and the edges between them, each in a steady order."""

    events: tuple[EventNode, ...] = ()
    agents: tuple[AgentNode, ...] = ()
    edges: tuple[Edge, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = field(default=(), compare=False)

    @classmethod
    def of(
        cls,
        events: Iterable[EventNode],
        agents: Iterable[AgentNode],
        edges: Iterable[Edge],
        diagnostics: Iterable[Diagnostic] = (),
    ) -> FlowModel:
        """
        Make a model: sorted, equal edges merged, and nodes added that edges name.

        Two events of one name, or two agents of one id, are one: the first is kept.
        """
        merged = tuple(_merged(edges))
        named = {event.name: event for event in reversed(list(events))}
        known = {agent.id: agent for agent in reversed(list(agents))}
        for edge in merged:
            named.setdefault(edge.event, EventNode(edge.event))
            known.setdefault(edge.agent, AgentNode(edge.agent, edge.agent))
        return cls(
            tuple(named[name] for name in sorted(named)),
            tuple(known[name] for name in sorted(known)),
            merged,
            tuple(sorted(diagnostics, key=_place)),
        )

    def publishers(self) -> dict[str, list[str]]:
        """Return who publishes each event, by event."""
        return self._by_event("publishes")

    def subscribers(self) -> dict[str, list[str]]:
        """Return who listens to each event, by event."""
        return self._by_event("subscribes")

    def _by_event(self, kind: Kind) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {event.name: [] for event in self.events}
        for edge in self.edges:
            if edge.kind == kind:
                found[edge.event].append(edge.agent)
        return found

    def stats(self) -> dict[str, int]:
        """Count events, agents and connections: a call that stands twice counts twice."""
        return {
            "events": len(self.events),
            "agents": len(self.agents),
            "connections": sum(edge.count for edge in self.edges),
        }

    def namespaces(self) -> list[str]:
        """Return the namespaces of events and agents, sorted."""
        nodes: Iterator[EventNode | AgentNode] = iter((*self.events, *self.agents))
        return sorted({node.namespace for node in nodes})

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape; `from_dict` reads it back."""
        return {
            "events": [_event_shape(event) for event in self.events],
            "agents": [_agent_shape(agent) for agent in self.agents],
            "edges": [_edge_shape(edge) for edge in self.edges],
            "diagnostics": [_diagnostic_shape(one) for one in self.diagnostics],
        }

    @classmethod
    def from_dict(cls, value: Any) -> FlowModel:
        """Read the JSON shape; raises InvalidRequestError that names what is wrong."""
        reader = _Reader()
        shape = reader.mapping(value, "model")
        events = reader.each(shape, "events", _event, MOST_NODES)
        agents = reader.each(shape, "agents", _agent, MOST_NODES)
        edges = reader.each(shape, "edges", _edge, MOST_EDGES)
        told = reader.each(shape, "diagnostics", _diagnostic, MOST_NODES)
        return cls.of(events, agents, edges, told)


def _merged(edges: Iterable[Edge]) -> Iterator[Edge]:
    found: dict[tuple[str, str, Kind], Edge] = {}
    for edge in edges:
        key = (edge.agent, edge.event, edge.kind)
        known = found.get(key)
        if known is None:
            found[key] = edge
        else:
            sites = tuple(sorted({*known.sites, *edge.sites}))
            found[key] = replace(known, count=known.count + edge.count, sites=sites)
    for key in sorted(found):
        yield found[key]


def _place(diagnostic: Diagnostic) -> tuple[Site, str, str]:
    return diagnostic.at, diagnostic.kind, diagnostic.message


# `OrderFailed` and `order.failed`, but no `terror`.
_FAILED: Final = re.compile(r"(?:Failed|Error|(?:^|[._:-])(?:failed|error))$")
_REJECTED: Final = re.compile(r"(?:Rejected|(?:^|[._:-])rejected)$")


def outcome(name: str) -> tuple[bool, bool]:
    """Tell by its name whether an event is of something failed, or rejected."""
    return bool(_FAILED.search(name)), bool(_REJECTED.search(name))


def _site(site: Site) -> dict[str, Any]:
    return {"file": site.file, "line": site.line}


def _at(site: Site | None) -> dict[str, Any]:
    return {} if site is None else {"at": _site(site)}


def _event_shape(event: EventNode) -> dict[str, Any]:
    return {
        "name": event.name,
        "namespace": event.namespace,
        "failed": event.failed,
        "rejected": event.rejected,
        "pattern": event.pattern,
        **_at(event.at),
    }


def _agent_shape(agent: AgentNode) -> dict[str, Any]:
    return {
        "id": agent.id,
        "label": agent.label,
        "namespace": agent.namespace,
        "test": agent.test,
        **_at(agent.at),
    }


def _edge_shape(edge: Edge) -> dict[str, Any]:
    return {
        "agent": edge.agent,
        "event": edge.event,
        "kind": edge.kind,
        "count": edge.count,
        "sites": [_site(site) for site in edge.sites],
    }


def _diagnostic_shape(one: Diagnostic) -> dict[str, Any]:
    return {"kind": one.kind, "message": one.message, "at": _site(one.at)}


class _Reader:
    """Reads what came from outside, and says where it is wrong."""

    def mapping(self, value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise InvalidRequestError(f"{where} must be an object.")
        return value

    def each(self, shape: Mapping[str, Any], name: str, read: Any, most: int) -> Any:
        values = shape.get(name, [])
        if not isinstance(values, list):
            raise InvalidRequestError(f"model.{name} must be a list.")
        if len(values) > most:
            raise InvalidRequestError(f"model.{name} may have {most} members.")
        return [
            read(
                self, self.mapping(value, f"model.{name}[{at}]"), f"model.{name}[{at}]"
            )
            for at, value in enumerate(values)
        ]

    def text(
        self, shape: Mapping[str, Any], name: str, where: str, default: str
    ) -> str:
        value = shape.get(name, default)
        if not isinstance(value, str) or len(value) > LONGEST_NAME:
            raise InvalidRequestError(
                f"{where}.{name} must be a text of up to {LONGEST_NAME} characters."
            )
        return value

    def name(self, shape: Mapping[str, Any], name: str, where: str) -> str:
        value = self.text(shape, name, where, "")
        if not value:
            raise InvalidRequestError(f"{where}.{name} must be given.")
        return value

    def flag(self, shape: Mapping[str, Any], name: str, where: str) -> bool:
        value = shape.get(name, False)
        if not isinstance(value, bool):
            raise InvalidRequestError(f"{where}.{name} must be true or false.")
        return value

    def number(self, shape: Mapping[str, Any], name: str, where: str) -> int:
        value = shape.get(name, 1)
        if type(value) is not int or not 1 <= value < 2**31:
            raise InvalidRequestError(f"{where}.{name} must be a number from 1.")
        return value

    def site(self, value: Any, where: str) -> Site:
        shape = self.mapping(value, where)
        file = self.text(shape, "file", where, "")
        return Site(file, self.number(shape, "line", where))

    def at(self, shape: Mapping[str, Any], where: str) -> Site | None:
        value = shape.get("at")
        return None if value is None else self.site(value, f"{where}.at")


def _event(reader: _Reader, shape: Mapping[str, Any], where: str) -> EventNode:
    return EventNode(
        name=reader.name(shape, "name", where),
        namespace=reader.text(shape, "namespace", where, UNKNOWN) or UNKNOWN,
        failed=reader.flag(shape, "failed", where),
        rejected=reader.flag(shape, "rejected", where),
        pattern=reader.flag(shape, "pattern", where),
        at=reader.at(shape, where),
    )


def _agent(reader: _Reader, shape: Mapping[str, Any], where: str) -> AgentNode:
    identity = reader.name(shape, "id", where)
    return AgentNode(
        id=identity,
        label=reader.text(shape, "label", where, identity) or identity,
        namespace=reader.text(shape, "namespace", where, UNKNOWN) or UNKNOWN,
        test=reader.flag(shape, "test", where),
        at=reader.at(shape, where),
    )


def _edge(reader: _Reader, shape: Mapping[str, Any], where: str) -> Edge:
    kind = shape.get("kind")
    if kind not in KINDS:
        raise InvalidRequestError(f"{where}.kind must be one of {', '.join(KINDS)}.")
    sites = shape.get("sites", [])
    if not isinstance(sites, list):
        raise InvalidRequestError(f"{where}.sites must be a list.")
    return Edge(
        agent=reader.name(shape, "agent", where),
        event=reader.name(shape, "event", where),
        kind=kind,
        count=reader.number(shape, "count", where),
        sites=tuple(
            reader.site(site, f"{where}.sites[{at}]") for at, site in enumerate(sites)
        ),
    )


def _diagnostic(reader: _Reader, shape: Mapping[str, Any], where: str) -> Diagnostic:
    return Diagnostic(
        kind=reader.name(shape, "kind", where),
        message=reader.text(shape, "message", where, ""),
        at=reader.site(shape.get("at"), f"{where}.at"),
    )
