"""Which of many intervals hold a value, told without trying each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

_NONE: Sequence[int] = ()


class Interval(NamedTuple):
    """From `low` to `high`, either of them with or without itself, or endless (None)."""

    low: Any
    low_open: bool
    high: Any
    high_open: bool


class Intervals:
    """
    Ids with intervals over one ordered type: a segment tree.

    Ends cut the line into leaves: each end is one, and so is each gap between two.
    A node stands for the leaves below it, and an id stands at the few nodes that
    make up its interval. So the ids of a value are those on the way from its leaf
    to the root: finding them takes a step for each level and nothing for the
    intervals that do not hold it.
    """

    __slots__ = ("_ends", "_nodes", "_size")

    def __init__(self, items: Iterable[tuple[Interval, int]]) -> None:
        intervals = list(items)
        ends = {end for one, _ in intervals for end in (one.low, one.high)} - {None}
        self._ends = sorted(ends)
        self._size = 2 * len(self._ends) + 1
        self._nodes: list[Sequence[int]] = [_NONE] * (2 * self._size)
        leaves = {end: 2 * at + 1 for at, end in enumerate(self._ends)}
        for one, number in intervals:
            first = 0 if one.low is None else leaves[one.low] + one.low_open
            last = leaves.get(one.high, self._size) - one.high_open
            self._cover(first, last, number)

    def holding(self, value: Any) -> list[int]:
        """Return the ids whose intervals hold a value of the ends' own type."""
        ends = self._ends
        at = bisect_left(ends, value)
        node = self._size + 2 * at + (at < len(ends) and ends[at] == value)
        nodes, found = self._nodes, []
        while node:
            if ids := nodes[node]:
                found += ids
            node >>= 1
        return found

    def _cover(self, first: int, last: int, number: int) -> None:
        left, right = first + self._size, min(last + 1, self._size) + self._size
        while left < right:
            if left & 1:
                self._put(left, number)
                left += 1
            if right & 1:
                right -= 1
                self._put(right, number)
            left, right = left >> 1, right >> 1

    def _put(self, node: int, number: int) -> None:
        ids = self._nodes[node]
        if isinstance(ids, list):
            ids.append(number)
        else:
            self._nodes[node] = [number]
