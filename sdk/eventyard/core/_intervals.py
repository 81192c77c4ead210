"""Which of many intervals hold a value, told without trying each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

_NONE: Sequence[int] = ()


class Interval(NamedTuple):
    """From `low` to `high`, either of them with or without itself, or endless (None)."""

    low: Any = None
    low_open: bool = False
    high: Any = None
    high_open: bool = False


#: The first and the last leaf of an interval, and its id.
_Span = tuple[int, int, int]


class Intervals:
    """
    Ids with intervals over one ordered type.

    Ends cut the line into leaves: each end is one, and so is each gap between two.
    Finding the leaf of a value takes one bisection. Of the intervals that are endless
    above, those that began by then hold it: the first so many in the order of their
    beginnings. So it is with those endless below, and the rest are in a tree.
    """

    __slots__ = ("_above", "_began", "_below", "_ended", "_ends", "_tree")

    def __init__(self, items: Iterable[tuple[Interval, int]]) -> None:
        intervals = list(items)
        ends = {end for one, _ in intervals for end in (one.low, one.high)} - {None}
        self._ends = sorted(ends)
        leaves = {end: 2 * at + 1 for at, end in enumerate(self._ends)}
        size = 2 * len(self._ends) + 1
        spans = [_span(one, number, leaves, size) for one, number in intervals]
        above = sorted(span for span in spans if span[1] == size - 1)
        below = sorted((s for s in spans if s[0] == 0 and s[1] < size - 1), key=_last)
        self._above = [number for _, _, number in above]
        self._below = [number for _, _, number in below]
        self._began = _counts([first for first, _, _ in above], size)
        self._ended = _counts([last + 1 for _, last, _ in below], size)
        inner = [span for span in spans if span[0] > 0 and span[1] < size - 1]
        self._tree = _Tree(inner, size) if inner else None

    def holding(self, value: Any) -> list[int]:
        """Return the ids whose intervals hold a value of the ends' own type."""
        if value != value:  # noqa: PLR0124 - NaN, which would be found anywhere
            return []
        ends = self._ends
        at = bisect_left(ends, value)
        leaf = 2 * at + (at < len(ends) and ends[at] == value)
        found = self._above[: self._began[leaf]]
        found += self._below[self._ended[leaf] :]
        if self._tree is not None:
            found += self._tree.at(leaf)
        return found


class _Tree:
    """
    Spans in a segment tree: each id stands at the few nodes that make up its span.

    So the ids at a leaf are those on the way from it to the root.
    """

    __slots__ = ("_nodes", "_size")

    def __init__(self, spans: Iterable[_Span], size: int) -> None:
        self._size = size
        self._nodes: list[Sequence[int]] = [_NONE] * (2 * size)
        for span in spans:
            self._cover(*span)

    def at(self, leaf: int) -> list[int]:
        nodes, node, found = self._nodes, leaf + self._size, list[int]()
        while node:
            if ids := nodes[node]:
                found += ids
            node >>= 1
        return found

    def _cover(self, first: int, last: int, number: int) -> None:
        left, right = first + self._size, last + 1 + self._size
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


def _span(one: Interval, number: int, leaves: dict[Any, int], size: int) -> _Span:
    first = 0 if one.low is None else leaves[one.low] + one.low_open
    last = size - 1 if one.high is None else leaves[one.high] - one.high_open
    return first, last, number


def _last(span: _Span) -> int:
    return span[1]


def _counts(places: Sequence[int], size: int) -> list[int]:
    """Return, for each leaf, how many of the sorted places are up to it."""
    return [bisect_right(places, leaf) for leaf in range(size)]
