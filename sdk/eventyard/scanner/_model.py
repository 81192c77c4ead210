"""What all files say, put together as one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from eventyard.core.graph.model import (
    MOST_NODES,
    UNKNOWN,
    AgentNode,
    Diagnostic,
    Edge,
    FlowModel,
    Site,
)
from eventyard.scanner._facts import Facts
from eventyard.scanner._outcomes import Known, node_of

_TESTS: Final = "tests"
#: Names of files that say nothing without their folder's.
_NAMELESS: Final = ("__init__", "__main__")


def put_together(
    facts: Mapping[str, Facts],
    root: str,
    classes: Mapping[str, Known],
    problems: Iterable[Diagnostic] = (),
    test_agents: Iterable[str] = (),
) -> FlowModel:
    """
    Make the model of what files say, by their paths.

    An agent has the id of its file's stem where it is alone in the file, else
    `stem.Class`; where several files share a stem, the folders that tell them apart
    come before it. `problems` are what is to be told besides.
    """
    stems = _stems([path for path, said in facts.items() if said.uses], root)
    edges: list[Edge] = []
    agents: list[AgentNode] = []
    told: list[Diagnostic] = [*problems]
    tests = frozenset(test_agents)
    for path, said in facts.items():
        shown = PurePath(path).relative_to(root).as_posix()
        told += said.diagnostics(shown)
        if said.uses:
            ids = _agents(said, stems[path])
            agents += _nodes(said, ids, shown, tests)
            edges += _edges(said, ids, shown)
    once = [*dict.fromkeys(told)][:MOST_NODES]
    return _placed(FlowModel.of((), agents, edges, once), classes)


def _stems(paths: list[str], root: str) -> dict[str, str]:
    """Return the shortest ends of dotted paths that tell the files apart."""
    parts = {path: _parts(path, root) for path in paths}
    taken = Counter(
        tuple(one[-size:]) for one in parts.values() for size in range(1, len(one) + 1)
    )
    return {path: _shortest(one, taken) for path, one in parts.items()}


def _parts(path: str, root: str) -> list[str]:
    *folders, last = PurePath(path).relative_to(root).with_suffix("").parts
    if last == "__init__" and (folders or PurePath(root).name):
        return folders or [PurePath(root).name]
    return [*folders, last]


def _shortest(parts: list[str], taken: Counter[tuple[str, ...]]) -> str:
    least = 2 if parts[-1] in _NAMELESS and len(parts) > 1 else 1
    for size in range(least, len(parts) + 1):
        if taken[tuple(parts[-size:])] == 1:
            return ".".join(parts[-size:])
    return ".".join(parts)


def _agents(said: Facts, stem: str) -> dict[str, str]:
    """Return the id of each class with uses; of the module itself under an empty one."""
    owners = dict.fromkeys(use.owner for use in said.uses)
    if len(owners) == 1:
        return dict.fromkeys(owners, stem)
    return {owner: f"{stem}.{owner}" if owner else stem for owner in owners}


def _nodes(
    said: Facts, ids: Mapping[str, str], shown: str, tests: frozenset[str]
) -> Iterator[AgentNode]:
    in_tests = _TESTS in PurePath(shown).parts[:-1]
    for owner, identity in ids.items():
        label = owner or identity
        first = min(use.line for use in said.uses if use.owner == owner)
        known = {identity, label, PurePath(shown).stem}
        yield AgentNode(
            identity,
            label,
            test=in_tests or bool(known & tests),
            at=Site(shown, first),
        )


def _edges(said: Facts, ids: Mapping[str, str], shown: str) -> Iterator[Edge]:
    for use in said.uses:
        sites = (Site(shown, use.line),)
        yield Edge(ids[use.owner], use.event, use.kind, 1, sites)


def _placed(model: FlowModel, classes: Mapping[str, Known]) -> FlowModel:
    events = [node_of(event.name, classes.get(event.name)) for event in model.events]
    namespaces = {event.name: event.namespace for event in events}
    published: dict[str, Counter[str]] = {agent.id: Counter() for agent in model.agents}
    for edge in model.edges:
        if edge.kind == "publishes":
            published[edge.agent][namespaces[edge.event]] += 1
    agents = [
        replace(agent, namespace=_majority(published[agent.id]))
        for agent in model.agents
    ]
    return FlowModel.of(events, agents, model.edges, model.diagnostics)


def _majority(found: Counter[str]) -> str:
    """Return the namespace of most of what is published; the first of equals."""
    del found[UNKNOWN]
    return min(found, key=lambda name: (-found[name], name), default=UNKNOWN)
