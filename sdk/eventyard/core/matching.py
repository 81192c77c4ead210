"""Which of many patterns and filters an event matches, found through one trie."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from eventyard.core._index import Index
from eventyard.core.event import Event
from eventyard.core.filters import (
    Condition,
    Predicate,
    compile_conditions,
    require_all,
)
from eventyard.core.topics import MANY, ONE, compile_pattern

K = TypeVar("K", bound=Hashable)

_MOST_CACHED = 4096
_MOST_CACHED_KEYS = 1_000_000
# Below so many filters, trying each is as fast as looking values up.
_FEW = 16
# An index takes about as long to build as so many rounds of trying each filter: what
# is matched less often than that is never indexed.
_ROUNDS_BEFORE_INDEX = 16
# From so many entries, a node has an index of its own, which its topics share; those
# of smaller nodes are put together for each topic.
_LARGE = 64


@dataclass(eq=False, slots=True)
class _Entry(Generic[K]):
    key: K
    order: int
    paths: tuple[tuple[str, ...], ...]
    conditions: tuple[Condition, ...]
    passes: Predicate | None


@dataclass(eq=False, slots=True, weakref_slot=True)
class _Part(Generic[K]):
    """Entries that fit the same topics, in the order of adding."""

    entries: tuple[_Entry[K], ...]
    _rounds: int = 0
    _index: Index | None = None

    def passing(self, view: Mapping[str, Any]) -> list[int]:
        """Return the order numbers of the entries that let an event pass."""
        if self._index is None and not self._is_worth_an_index():
            return [
                entry.order
                for entry in self.entries
                if entry.passes is None or entry.passes(view)
            ]
        if self._index is None:
            self._index = Index((one.order, one.conditions) for one in self.entries)
        return self._index.passing(view)

    def _is_worth_an_index(self) -> bool:
        self._rounds += 1
        return self._rounds > _ROUNDS_BEFORE_INDEX and len(self.entries) >= _FEW


@dataclass(eq=False, slots=True)
class _Group(Generic[K]):
    """All entries that fit a topic."""

    parts: tuple[_Part[K], ...]
    #: Those of the only part, when they are so few that each is tried.
    few: tuple[_Entry[K], ...] | None


@dataclass(eq=False, slots=True)
class _Node(Generic[K]):
    children: dict[str, _Node[K]] = field(default_factory=dict)
    #: In the order of adding.
    entries: dict[_Entry[K], None] = field(default_factory=dict)
    part: _Part[K] | None = None
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
        self._keys: dict[int, K] = {}
        self._added = 0
        self._cache: dict[str, _Group[K]] = {}
        # Topics with the same entries share a part for as long as one needs it.
        self._parts: WeakValueDictionary[tuple[_Entry[K], ...], _Part[K]]
        self._parts = WeakValueDictionary()
        self._considered: dict[tuple[_Part[K], ...], tuple[K, ...]] = {}
        self._held = 0
        for key, patterns, spec in entries:
            self.add(key, patterns, spec)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def keys(self) -> list[K]:
        """Return the keys, in the order of adding."""
        return [*self._entries]

    def add(
        self,
        key: K,
        patterns: Iterable[str],
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> None:
        """Add a key; raise a SubscriptionError on a bad pattern or filter."""
        texts = (patterns,) if isinstance(patterns, str) else patterns
        paths = tuple({compile_pattern(text).segments: None for text in texts})
        conditions = compile_conditions(filter) if filter else ()
        passes = require_all(conditions) if conditions else None
        if key in self._entries:
            self.remove(key)
        self._added += 1
        entry = _Entry(key, self._added, paths, conditions, passes)
        for path in paths:
            self._grow(path).entries[entry] = None
        self._entries[key] = entry
        self._keys[entry.order] = key
        self._forget()

    def remove(self, key: K) -> None:
        """Remove a key, or raise a KeyError if it is not there."""
        entry = self._entries.pop(key)
        del self._keys[entry.order]
        for path in entry.paths:
            self._prune(self._root, path, entry)
        self._forget()

    def match(self, topic: str, view: Mapping[str, Any]) -> list[K]:
        """Return the keys that want an event, each once, in the order of adding."""
        group = self._cache.get(topic) or self._group(topic)
        if group.few is not None:
            return [
                entry.key
                for entry in group.few
                if entry.passes is None or entry.passes(view)
            ]
        if len(group.parts) == 1:
            return self._in_order(group.parts[0].passing(view))
        return self._in_order({o for part in group.parts for o in part.passing(view)})

    def match_event(self, event: Event) -> list[K]:
        """Return the keys that want this event, as `match` does."""
        return self.match(event.type, event.view())

    def considered(self, topic: str) -> Sequence[K]:
        """Return the keys whose patterns fit, whatever their filters say, in order."""
        parts = (self._cache.get(topic) or self._group(topic)).parts
        found = self._considered.get(parts)
        if found is None:
            orders = {entry.order for part in parts for entry in part.entries}
            self._make_room(len(orders))
            found = self._considered[parts] = tuple(self._in_order(orders))
        return found

    def _in_order(self, orders: Iterable[int]) -> list[K]:
        keys = self._keys
        return [keys[order] for order in sorted(orders)]

    def _group(self, topic: str) -> _Group[K]:
        parts = self._divide(self._search(topic))
        entries = parts[0].entries if len(parts) == 1 else ()
        few = entries if len(parts) < 2 and len(entries) < _FEW else None  # noqa: PLR2004
        if len(self._cache) >= _MOST_CACHED:
            self._cache.pop(next(iter(self._cache)))
        group = self._cache[topic] = _Group(parts, few)
        return group

    def _divide(self, nodes: Iterable[_Node[K]]) -> tuple[_Part[K], ...]:
        parts: dict[_Part[K], None] = {}
        small: set[_Entry[K]] = set()
        for node in nodes:
            if len(node.entries) < _LARGE:
                small.update(node.entries)
            else:
                node.part = node.part or self._part(node.entries)
                parts[node.part] = None
        if small:
            parts[self._part(sorted(small, key=attrgetter("order")))] = None
        return tuple(parts)

    def _part(self, entries: Iterable[_Entry[K]]) -> _Part[K]:
        key = tuple(entries)
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = _Part(key)
        return part

    def _search(self, topic: str) -> list[_Node[K]]:
        nodes = _with_skipped([self._root])
        for segment in topic.split("."):
            nodes = _with_skipped(_advance(nodes, segment))
        return nodes

    def _make_room(self, keys: int) -> None:
        self._held += keys
        if self._held > _MOST_CACHED_KEYS:
            self._considered.clear()
            self._held = keys

    def _forget(self) -> None:
        self._cache.clear()
        self._considered.clear()
        self._held = 0

    def _grow(self, path: tuple[str, ...]) -> _Node[K]:
        node = self._root
        for segment in path:
            if segment not in node.children:
                node.children[segment] = _Node(repeats=segment == MANY)
            node = node.children[segment]
        node.part = None
        return node

    def _prune(self, node: _Node[K], path: tuple[str, ...], entry: _Entry[K]) -> None:
        if not path:
            del node.entries[entry]
            node.part = None
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
