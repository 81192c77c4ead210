"""What can be asked of an event flow: where it begins, ends, and turns in circles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from eventyard.core.errors import NotFoundError
from eventyard.core.graph._cycles import Cycles
from eventyard.core.graph.flow import Links, resolved
from eventyard.core.graph.model import FlowModel

#: How many names all chains together may hold.
MOST_NAMES: Final = 200_000
LONGEST_CHAIN: Final = 200
MOST_REACHED: Final = 1000


def entries(model: FlowModel) -> list[str]:
    """Return the events that are listened to and that nobody here publishes, sorted."""
    return sorted(Links.of(resolved(model)).entries())


def terminals(model: FlowModel) -> list[str]:
    """Return the events that are published and that nobody here listens to, sorted."""
    return sorted(Links.of(resolved(model)).terminals())


def cycles(model: FlowModel, most: int = 100) -> list[list[str]]:
    """
    Return the elementary cycles, the shortest first.

    One is the names of events and agents in turn, an event first; each agent listens
    to the event before it and publishes the one after it, the last one publishes the
    first event. No event and no agent comes twice. Where there are more than `most`, or
    the search takes too long, these are some of them.
    """
    return _cycles(resolved(model), most)[0]


def _cycles(plain: FlowModel, most: int) -> tuple[list[list[str]], bool]:
    events = [event.name for event in plain.events]
    agents = [agent.id for agent in plain.agents]
    search = Cycles(_graph(plain, events, agents))
    found = list(islice(search, most + 1))
    names = [*events, *agents]
    told = [[names[at] for at in cycle] for cycle in found[:most]]
    return sorted(told, key=_length), len(found) > most or search.gave_up


def _length(cycle: list[str]) -> tuple[int, list[str]]:
    return len(cycle), cycle


def _graph(plain: FlowModel, events: list[str], agents: list[str]) -> list[list[int]]:
    # Events come first: the smallest number of a cycle is an event's.
    event_at = {name: at for at, name in enumerate(events)}
    agent_at = {name: at + len(events) for at, name in enumerate(agents)}
    after: list[list[int]] = [[] for _ in range(len(events) + len(agents))]
    for edge in plain.edges:
        event, agent = event_at[edge.event], agent_at[edge.agent]
        if edge.kind == "publishes":
            after[agent].append(event)
        else:
            after[event].append(agent)
    return after


def chains(model: FlowModel, most: int = 1000) -> list[list[str]]:
    """
    Return the ways that events take, each as the names of events in their order.

    They begin with the events that enter from outside, then with those that only
    agents publish that listen to nothing, and end where nothing new follows, or after
    200 events. Where there are more than `most`, these are the first.
    """
    links = Links.of(resolved(model))
    found: list[list[str]] = []
    names = 0
    for start in _starts(links):
        for chain in _ways(links, start):
            if len(found) == most or names > MOST_NAMES:
                return found
            found.append(chain)
            names += len(chain)
    return found


def _starts(links: Links) -> list[str]:
    sources = set(links.sources())
    born = [
        event
        for event, agents in links.producers.items()
        if agents and sources.issuperset(agents)
    ]
    return [*sorted(links.entries()), *sorted(born)]


def _ways(links: Links, start: str) -> Iterator[list[str]]:
    path = dict.fromkeys([start])
    stack = [_new(links, start, path)]
    if next(_new(links, start, path), None) is None:
        yield [start]
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
            path.popitem()
            continue
        path[following] = None
        stack.append(_new(links, following, path))
        if next(_new(links, following, path), None) is None:
            yield list(path)


def _new(links: Links, event: str, path: dict[str, None]) -> Iterator[str]:
    """Yield the events that may follow one, by way of some agent."""
    told: set[str] = set()
    # One that is this long is cut: nobody follows it, and it has no end in sight.
    if len(path) >= LONGEST_CHAIN:
        return
    for agent in links.consumers[event]:
        for one in links.publishes[agent]:
            if one not in path and one not in told:
                told.add(one)
                yield one


def impact(model: FlowModel, event: str) -> dict[str, Any]:
    """
    Tell whom a change of an event concerns, directly and by what they publish then.

    `consumers` and `events` tell each one's `depth` (1 is direct) and the `path` of
    names that leads there, events and agents in turn; `truncated` is true where only
    the nearest 1,000 are told.

    Raises:
        NotFoundError: the model has no such event.
    """
    if all(one.name != event for one in model.events):
        raise NotFoundError(f'There is no event "{event}" in this graph.')
    plain = resolved(model)
    reached = _Reached(Links.of(plain))
    reached.follow(event, _first(model, plain, event))
    return {
        "event": event,
        "publishers": _publishers(model, plain, event),
        "consumers": reached.consumers,
        "events": reached.events,
        "truncated": reached.truncated,
    }


def _first(model: FlowModel, plain: FlowModel, event: str) -> list[str]:
    own = {*model.subscribers()[event], *plain.subscribers().get(event, ())}
    return sorted(own)


def _publishers(model: FlowModel, plain: FlowModel, event: str) -> list[str]:
    return sorted({*model.publishers()[event], *plain.publishers().get(event, ())})


class _Reached:
    """Walks outwards, the nearest first."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self.consumers: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.truncated = False

    def follow(self, event: str, consumers: list[str]) -> None:
        seen_events, seen_agents = {event}, set(consumers)
        waiting = [(agent, [event, agent]) for agent in consumers]
        depth = 0
        while waiting and not self.truncated:
            depth += 1
            self._note(self.consumers, "agent", waiting, depth)
            told = self._next(waiting, self._links.publishes, seen_events)
            self._note(self.events, "event", told, depth)
            waiting = self._next(told, self._links.consumers, seen_agents)

    def _note(
        self,
        into: list[dict[str, Any]],
        what: str,
        found: list[tuple[str, list[str]]],
        depth: int,
    ) -> None:
        room = MOST_REACHED - len(self.consumers) - len(self.events)
        self.truncated |= len(found) > room
        into += [
            {what: name, "depth": depth, "path": path} for name, path in found[:room]
        ]

    def _next(
        self,
        found: list[tuple[str, list[str]]],
        after: dict[str, list[str]],
        seen: set[str],
    ) -> list[tuple[str, list[str]]]:
        reached: list[tuple[str, list[str]]] = []
        for name, path in found:
            for one in after[name]:
                if one not in seen:
                    seen.add(one)
                    reached.append((one, [*path, one]))
        return reached


def anomalies(model: FlowModel, most: int = 100) -> dict[str, Any]:
    """
    Tell what looks wrong: orphaned events, cycles, isolated agents.

    `summary` counts them, `details` tells each, `truncated` says whether there are
    more cycles than told. An event that is published and never heard is a warning; one
    that is heard and never published may come from outside, and is told as such.
    """
    plain = resolved(model)
    orphaned = [*_orphaned(plain)]
    circles, truncated = _cycles(plain, most)
    isolated = [*_isolated(plain)]
    return {
        "summary": {
            "orphaned_events_count": len(orphaned),
            "cycles_count": len(circles),
            "isolated_agents_count": len(isolated),
            "total_anomalies": len(orphaned) + len(circles) + len(isolated),
        },
        "details": {
            "orphaned_events": orphaned,
            "cycles": _circles(plain, circles),
            "isolated_agents": isolated,
        },
        "truncated": truncated,
    }


def _orphaned(plain: FlowModel) -> Iterator[dict[str, Any]]:
    links = Links.of(plain)
    for event in plain.events:
        heard, told = links.consumers[event.name], links.producers[event.name]
        if heard and told:
            continue
        shown = {"event": event.name, "namespace": event.namespace}
        if told:
            yield {
                **shown,
                "type": "never_subscribed",
                "severity": "warning",
                "message": f"{event.name} is published, but nobody listens to it.",
            }
        else:
            yield {
                **shown,
                "type": "never_published",
                "severity": "info",
                "message": _unpublished(event.name, bool(heard)),
            }


def _unpublished(name: str, heard: bool) -> str:  # noqa: FBT001
    if heard:
        return f"{name} is listened to, but published by nobody here: it is external."
    return f"{name} is neither published nor listened to."


def _isolated(plain: FlowModel) -> Iterator[dict[str, Any]]:
    linked = {edge.agent for edge in plain.edges}
    for agent in plain.agents:
        if agent.id not in linked:
            yield {
                "agent": agent.id,
                "namespace": agent.namespace,
                "severity": "info",
                "message": f"{agent.id} neither publishes nor listens to anything.",
            }


def _circles(plain: FlowModel, found: list[list[str]]) -> list[dict[str, Any]]:
    namespaces = {agent.id: agent.namespace for agent in plain.agents}
    return [_circle(cycle, namespaces) for cycle in found]


def _circle(cycle: list[str], namespaces: dict[str, str]) -> dict[str, Any]:
    events, agents = cycle[::2], cycle[1::2]
    follows = [*events[1:], events[0]]
    way = " → ".join([*events, events[0]])
    return {
        "cycle": events,
        "path": [
            {"agent": agent, "namespace": namespaces[agent], "publishes": event}
            for agent, event in zip(agents, follows, strict=True)
        ],
        "severity": "warning",
        "message": f"A cycle: {way}.",
    }
