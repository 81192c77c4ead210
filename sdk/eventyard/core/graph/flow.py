"""The model as something to walk: patterns resolved, neighbours at hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from eventyard.core.errors import InvalidRequestError, SubscriptionError
from eventyard.core.graph.model import Edge, EventNode, FlowModel
from eventyard.core.topics import compile_pattern, overlaps

#: How many parts of patterns are held against names at most: some seconds.
MOST_TRIED: Final = 3_000_000
_STARS = re.compile(r"\*+")


def resolved(model: FlowModel) -> FlowModel:
    """
    Return a model in which patterns are what they stand for, as far as that is known.

    Whoever subscribes to `order.*` subscribes to `order.paid`, and the pattern is no
    node of its own any more; a pattern that nothing in the model fits stays.

    Raises:
        InvalidRequestError: too many patterns to try on every event.
    """
    patterns = [event for event in model.events if event.pattern]
    if not patterns:
        return model
    stands = _stand_for(model, patterns)
    heard = _heard_as(model, [one.name for one in patterns if one.name not in stands])
    edges = [*_moved(model.edges, stands, heard)]
    gone = {*stands, *heard} - {edge.event for edge in edges}
    return FlowModel.of(
        [event for event in model.events if event.name not in gone],
        model.agents,
        edges,
        model.diagnostics,
    )


def _moved(
    edges: Iterable[Edge], stands: dict[str, list[str]], heard: dict[str, list[str]]
) -> Iterator[Edge]:
    for edge in edges:
        events = stands.get(edge.event)
        if events is None and edge.kind == "subscribes":
            events = heard.get(edge.event)
        for event in [edge.event] if events is None else events:
            yield edge if event == edge.event else replace(edge, event=event)


def _stand_for(model: FlowModel, patterns: list[EventNode]) -> dict[str, list[str]]:
    """Return the plain events that fit each pattern that any fits."""
    plain = [event.name for event in model.events if not event.pattern]
    parts = sum(1 + one.name.count("*") + one.name.count("#") for one in patterns)
    if parts * (len(plain) + len(patterns)) > MOST_TRIED:
        raise InvalidRequestError(
            f"{len(patterns)} patterns are too many to try on {len(plain)} events; "
            "draw fewer namespaces, or the complete graph."
        )
    found = {one.name: list(filter(fits(one.name), plain)) for one in patterns}
    return {name: events for name, events in found.items() if events}


def _heard_as(model: FlowModel, patterns: list[str]) -> dict[str, list[str]]:
    """Return, for patterns that nothing plain fits, the published ones they meet."""
    publishers = model.publishers()
    published = [name for name in patterns if publishers[name]]
    met = {
        name: [one for one in published if one == name or _overlap(name, one)]
        for name in patterns
    }
    return {name: events for name, events in met.items() if events}


def _overlap(one: str, other: str) -> bool:
    try:
        return overlaps(one, other)
    except SubscriptionError:
        return False


def fits(pattern: str) -> Callable[[str], bool]:
    """
    Return what tells whether a name fits a pattern.

    A pattern of topics is one by the rules of topics; in any other text `*` stands
    for any characters.
    """
    try:
        return compile_pattern(pattern).matches
    except SubscriptionError:
        first, *between = _STARS.split(pattern)
        return lambda name: _loosely(name, first, between)


def _loosely(name: str, first: str, between: list[str]) -> bool:
    if not between:
        return name == first
    *middle, last = between
    at = len(first)
    for part in middle:
        at = name.find(part, at)
        if at < 0:
            return False
        at += len(part)
    ends = len(name) - len(last) >= at and name.endswith(last)
    return ends and name.startswith(first)


@dataclass(frozen=True, slots=True)
class Links:
    """Who comes after whom; every event and every agent is a key."""

    #: By event.
    producers: dict[str, list[str]]
    consumers: dict[str, list[str]]
    #: By agent.
    listens: dict[str, list[str]]
    publishes: dict[str, list[str]]

    @classmethod
    def of(cls, model: FlowModel) -> Links:
        """Collect the neighbours of a model whose patterns are resolved."""
        listens = {agent.id: list[str]() for agent in model.agents}
        publishes = {agent.id: list[str]() for agent in model.agents}
        for edge in model.edges:
            of = publishes if edge.kind == "publishes" else listens
            of[edge.agent].append(edge.event)
        return cls(model.publishers(), model.subscribers(), listens, publishes)

    def entries(self) -> list[str]:
        """Return the events that are listened to and that nobody here publishes."""
        return [
            event
            for event, agents in self.consumers.items()
            if agents and not self.producers[event]
        ]

    def terminals(self) -> list[str]:
        """Return the events that are published and that nobody here listens to."""
        return [
            event
            for event, agents in self.producers.items()
            if agents and not self.consumers[event]
        ]

    def sources(self) -> list[str]:
        """Return the agents that publish and listen to nothing."""
        return [
            agent
            for agent, events in self.publishes.items()
            if events and not self.listens[agent]
        ]

    def sinks(self) -> list[str]:
        """Return the agents that listen and publish nothing."""
        return [
            agent
            for agent, events in self.listens.items()
            if events and not self.publishes[agent]
        ]
