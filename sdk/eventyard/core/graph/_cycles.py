"""The elementary cycles of a directed graph, by Johnson's algorithm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

#: How many edges a search looks at, at most: some seconds.
MOST_STEPS: Final = 10_000_000

Graph = list[list[int]]


class Cycles:
    """
    A search for cycles in a graph of numbered nodes, each with those after it.

    It yields each elementary cycle once, from its smallest node on; `gave_up` says,
    when it is over, whether it ended for want of steps.
    """

    def __init__(self, graph: Graph, most_steps: int = MOST_STEPS) -> None:
        self._graph = graph
        self._left = most_steps
        self.gave_up = False

    def __iter__(self) -> Iterator[list[int]]:
        waiting = [part for part in components(self._graph) if self._cyclic(part)]
        while waiting and not self.gave_up:
            part = waiting.pop()
            # Without its busiest node, a component falls apart soonest.
            start = max(part, key=lambda node: len(self._graph[node]))
            yield from map(_turned, self._through(start, set(part)))
            waiting += self._without(part, start)

    def _without(self, part: list[int], start: int) -> list[list[int]]:
        """Return the components with cycles that are left of one without a node."""
        rest = [node for node in part if node != start]
        inside = _inside(self._graph, rest)
        # A step of this search takes a few times longer than one along a path.
        self._left -= 4 * (sum(map(len, inside)) + len(inside))
        self.gave_up |= self._left < 0
        found = [[rest[at] for at in one] for one in components(inside)]
        return [one for one in found if self._cyclic(one)]

    def _cyclic(self, part: list[int]) -> bool:
        return len(part) > 1 or part[0] in self._graph[part[0]]

    def _through(self, start: int, part: set[int]) -> Iterator[list[int]]:
        """Yield the cycles through `start` that stay within a component."""
        path, closed = [start], [False]
        blocked, blocks = {start}, dict[int, set[int]]()
        stack = [self._within(start, part)]
        while stack:
            following = next(stack[-1], None)
            if following is None:
                self._leave(path, closed, (blocked, blocks), part)
                stack.pop()
            elif following == start:
                yield path.copy()
                closed[-1] = True
            elif following not in blocked:
                path.append(following)
                closed.append(False)
                blocked.add(following)
                stack.append(self._within(following, part))

    def _within(self, node: int, part: set[int]) -> Iterator[int]:
        for following in self._graph[node]:
            self._left -= 1
            if self._left < 0:
                self.gave_up = True
                return
            if following in part:
                yield following

    def _leave(
        self,
        path: list[int],
        closed: list[bool],
        blocking: tuple[set[int], dict[int, set[int]]],
        part: set[int],
    ) -> None:
        blocked, blocks = blocking
        node, has_closed = path.pop(), closed.pop()
        if has_closed:
            _unblock(node, blocked, blocks)
            if closed:
                closed[-1] = True
            return
        # Not to be tried again before one of those after it is free.
        for following in self._within(node, part):
            blocks.setdefault(following, set()).add(node)


def _turned(cycle: list[int]) -> list[int]:
    at = cycle.index(min(cycle))
    return cycle[at:] + cycle[:at]


def _unblock(node: int, blocked: set[int], blocks: dict[int, set[int]]) -> None:
    freed = [node]
    while freed:
        one = freed.pop()
        if one in blocked:
            blocked.remove(one)
            freed += blocks.pop(one, ())


def _inside(graph: Graph, part: list[int]) -> Graph:
    """Return the graph among some nodes, which are numbered by their place."""
    places = {node: at for at, node in enumerate(part)}
    return [[places[one] for one in graph[node] if one in places] for node in part]


def components(graph: Graph) -> list[list[int]]:
    """Return the strongly connected components (Tarjan's, without recursion)."""
    search = _Tarjan(graph)
    for node in range(len(graph)):
        if node not in search.order:
            search.visit(node)
    return search.found


class _Tarjan:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.order: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._open: list[int] = []
        self._is_open: set[int] = set()
        self.found: list[list[int]] = []

    def visit(self, root: int) -> None:
        stack = [self._enter(root)]
        while stack:
            node, following = stack[-1]
            for one in following:
                if one not in self.order:
                    stack.append(self._enter(one))
                    break
                if one in self._is_open:
                    self._low[node] = min(self._low[node], self.order[one])
            else:
                stack.pop()
                self._close(node, stack[-1][0] if stack else None)

    def _enter(self, node: int) -> tuple[int, Iterator[int]]:
        self.order[node] = self._low[node] = len(self.order)
        self._open.append(node)
        self._is_open.add(node)
        return node, iter(self._graph[node])

    def _close(self, node: int, parent: int | None) -> None:
        if parent is not None:
            self._low[parent] = min(self._low[parent], self._low[node])
        if self._low[node] != self.order[node]:
            return
        part: list[int] = []
        while node not in part[-1:]:
            part.append(self._open.pop())
        self._is_open.difference_update(part)
        self.found.append(part)
