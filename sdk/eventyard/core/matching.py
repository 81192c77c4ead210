"""Which of many patterns and filters an event matches, found through one trie."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeVar

from eventyard.core.event import Event
from eventyard.core.filters import Predicate, compile_filter
from eventyard.core.topics import MANY, ONE, compile_pattern

K = TypeVar("K", bound=Hashable)

_MOST_CACHED = 4096


@dataclass(eq=False, slots=True)
class _Entry(Generic[K]):
    key: K
    order: int
    paths: tuple[tuple[str, ...], ...]
    passes: Predicate | None


@dataclass(eq=False, slots=True)
class _Node(Generic[K]):
    children: dict[str, _Node[K]] = field(default_factory=dict)
    entries: dict[_Entry[K], None] = field(default_factory=dict)
    repeats: bool = False


class Matcher(Generic[K]):
    """
    Keys that want some topics, and of their events those that pass a filter.

    Adding a key again replaces what it wanted and moves it to the end.
    """

    def __init__(
        self,
        entries: Iterable[tuple[K, Iterable[str], Mapping[str, Any] | None]] = (),
    ) -> None:
        self._root: _Node[K] = _Node()
        self._entries: dict[K, _Entry[K]] = {}
        self._added = 0
        self._cache: dict[str, tuple[_Entry[K], ...]] = {}
        for key, patterns, spec in entries:
            self.add(key, patterns, spec)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def add(
        self,
        key: K,
        patterns: Iterable[str],
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> None:
        """Add a key; raise a SubscriptionError on a bad pattern or filter."""
        texts = (patterns,) if isinstance(patterns, str) else patterns
        paths = tuple({compile_pattern(text).segments: None for text in texts})
        passes = compile_filter(filter) if filter else None
        if key in self._entries:
            self.remove(key)
        self._added += 1
        entry = _Entry(key, self._added, paths, passes)
        for path in paths:
            self._grow(path).entries[entry] = None
        self._entries[key] = entry
        self._cache.clear()

    def remove(self, key: K) -> None:
        """Remove a key, or raise a KeyError if it is not there."""
        entry = self._entries.pop(key)
        for path in entry.paths:
            self._prune(self._root, path, entry)
        self._cache.clear()

    def match(self, topic: str, view: Mapping[str, Any]) -> list[K]:
        """Return the keys that want an event, each once, in the order of adding."""
        return [
            entry.key
            for entry in self._candidates(topic)
            if entry.passes is None or entry.passes(view)
        ]

    def match_event(self, event: Event) -> list[K]:
        """Return the keys that want this event, as `match` does."""
        return self.match(event.type, event.view())

    def _candidates(self, topic: str) -> tuple[_Entry[K], ...]:
        found = self._cache.get(topic)
        if found is None:
            found = self._search(topic)
            if len(self._cache) >= _MOST_CACHED:
                self._cache.pop(next(iter(self._cache)))
            self._cache[topic] = found
        return found

    def _search(self, topic: str) -> tuple[_Entry[K], ...]:
        nodes = _with_skipped([self._root])
        for segment in topic.split("."):
            nodes = _with_skipped(_advance(nodes, segment))
        entries = {entry for node in nodes for entry in node.entries}
        return tuple(sorted(entries, key=attrgetter("order")))

    def _grow(self, path: tuple[str, ...]) -> _Node[K]:
        node = self._root
        for segment in path:
            if segment not in node.children:
                node.children[segment] = _Node(repeats=segment == MANY)
            node = node.children[segment]
        return node

    def _prune(self, node: _Node[K], path: tuple[str, ...], entry: _Entry[K]) -> None:
        if not path:
            del node.entries[entry]
            return
        child = node.children[path[0]]
        self._prune(child, path[1:], entry)
        if not child.entries and not child.children:
            del node.children[path[0]]


def _advance(nodes: Iterable[_Node[K]], segment: str) -> list[_Node[K]]:
    reached: list[_Node[K]] = []
    for node in nodes:
        if node.repeats:
            reached.append(node)
        for step in (segment, ONE):
            child = node.children.get(step)
            if child is not None:
                reached.append(child)
    return reached


def _with_skipped(nodes: Iterable[_Node[K]]) -> list[_Node[K]]:
    # A `**` stands for nothing at all, too. Each node is kept once, or patterns of
    # many `**` would multiply the search.
    reached = dict.fromkeys(nodes)
    for node in nodes:
        child = node.children.get(MANY)
        if child is not None:
            reached[child] = None
    return list(reached)
