"""Which of many filters pass an event, found by the event's values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from sys import intern
from typing import Any, NamedTuple

from eventyard.core._intervals import Interval, Intervals
from eventyard.core.filters import (
    MISSING,
    Condition,
    Predicate,
    as_moment,
    follow,
    is_number,
    require_all,
)

# What JSON's scalars are told apart by: 1 is 1.0, but True is not 1.
_KINDS: dict[type, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
# No value of these types equals a scalar of another, or is ordered beside one. Of
# other types (an enumeration that is a string too) nothing is known but by trying.
_ORDINARY = frozenset({*_KINDS, dict, list, type(MISSING)})
_LOWER, _UPPER = ("$gt", "$gte"), ("$lt", "$lte")
# How likely a range is to hold a value, as a guess to choose by.
_HALF, _QUARTER = 1 / 2, 1 / 4


class _Access(NamedTuple):
    """The conditions that a filter is found by: its values, or its range, at a path."""

    conditions: tuple[Condition, ...]
    values: frozenset[tuple[str, Any]] | None
    kind: str = ""

    @property
    def path(self) -> str:
        return self.conditions[0].path


class _Field(NamedTuple):
    name: str
    #: By the type of the value: ids by value, and what finds ids by order.
    tables: dict[type, _Table]
    #: Each id with the test that it stands for, for values of other types.
    tests: list[tuple[int, Predicate]]


_Finder = Callable[[Any], Iterable[int]]
_Table = tuple[dict[Any, tuple[int, ...]], tuple[_Finder, ...]]
# The steps of the path to an object, and the fields of interest in it.
_Parent = tuple[tuple[str, ...], list[_Field]]


class Index:
    """
    Filters with ids, by the one condition of each that lets the least pass.

    Equality and membership are looked up by hash, ranges in a tree; what remains of
    a filter is tried only where that condition holds. A filter without such a
    condition is tried for every event.
    """

    __slots__ = ("_always", "_others", "_parents", "_rest")

    def __init__(self, filters: Iterable[tuple[int, Sequence[Condition]]]) -> None:
        self._always: list[int] = []
        self._others: list[tuple[int, Predicate]] = []
        self._rest: dict[int, Predicate] = {}
        listed = list(filters)
        variety = _variety(conditions for _, conditions in listed)
        found: defaultdict[str, list[tuple[int, _Access]]] = defaultdict(list)
        for number, conditions in listed:
            access = _choose(conditions, variety)
            if access is None:
                self._try_always(number, conditions)
                continue
            found[access.path].append((number, access))
            rest = [c for c in conditions if all(c is not a for a in access.conditions)]
            if rest:
                self._rest[number] = require_all(rest)
        self._parents = _parents(found)

    def passing(self, view: Mapping[str, Any]) -> list[int]:
        """Return the ids of the filters that an event passes, in any order."""
        reached: list[int] = []
        for steps, fields in self._parents:
            parent = follow(view, steps)
            for name, tables, tests in fields:
                if type(parent) is dict:
                    value = parent.get(name, MISSING)
                else:
                    value = follow(parent, (name,))
                table = tables.get(type(value))
                if table is not None:
                    ids, finders = table
                    reached += ids.get(value, ())
                    for find in finders:
                        reached += find(value)
                elif type(value) not in _ORDINARY:
                    reached += [number for number, test in tests if test(view)]
        if rest := self._rest:
            reached = [one for one in reached if one not in rest or rest[one](view)]
        reached += self._always
        reached += [number for number, passes in self._others if passes(view)]
        return reached

    def _try_always(self, number: int, conditions: Sequence[Condition]) -> None:
        if conditions:
            self._others.append((number, require_all(conditions)))
        else:
            self._always.append(number)


def _variety(filters: Iterable[Sequence[Condition]]) -> dict[str, int]:
    """Count, for each path, how many values the filters compare it with."""
    seen: defaultdict[str, set[Any]] = defaultdict(set)
    for conditions in filters:
        for condition in conditions:
            seen[condition.path].update(_values(condition) or ())
    return {path: len(values) for path, values in seen.items()}


def _choose(
    conditions: Sequence[Condition], variety: Mapping[str, int]
) -> _Access | None:
    def share(access: _Access) -> float:
        if access.values is None:
            return _HALF if len(access.conditions) == 1 else _QUARTER
        return len(access.values) / (variety[access.path] + 1)

    return min(_accesses(conditions), key=share, default=None)


def _accesses(conditions: Sequence[Condition]) -> Iterator[_Access]:
    for condition in conditions:
        values = _values(condition)
        if values is not None:
            yield _Access((condition,), values)
    yield from _ranges(conditions)


def _values(condition: Condition) -> frozenset[tuple[str, Any]] | None:
    if condition.operator == "$eq":
        operands = [condition.operand]
    elif condition.operator == "$in":
        operands = condition.operand
    else:
        return None
    if all(map(_is_scalar, operands)):
        return frozenset((_KINDS[type(one)], one) for one in operands)
    return None


def _is_scalar(operand: Any) -> bool:
    # What does not equal itself (NaN) would be found by being the same object.
    return type(operand) in _KINDS and operand == operand  # noqa: PLR0124


def _ranges(conditions: Sequence[Condition]) -> Iterator[_Access]:
    sides: dict[tuple[str, str, bool], Condition] = {}
    for condition in conditions:
        kind = _range_kind(condition)
        if kind is not None:
            side = (condition.path, kind, condition.operator in _LOWER)
            sides.setdefault(side, condition)
    for (path, kind, is_lower), condition in sides.items():
        other = sides.get((path, kind, not is_lower))
        both = (condition,) if other is None else (condition, other)
        yield _Access(both, None, kind)


def _range_kind(condition: Condition) -> str | None:
    operand = condition.operand
    if condition.operator not in (*_LOWER, *_UPPER) or not _is_scalar(operand):
        return None
    if is_number(operand):
        return "number"
    return "text" if as_moment(operand) is None else "moment"


def _parents(found: Mapping[str, Sequence[tuple[int, _Access]]]) -> list[_Parent]:
    parents: defaultdict[str | None, list[_Field]] = defaultdict(list)
    for path, items in found.items():
        outer, _, name = path.rpartition(".")
        tests = [(number, require_all(one.conditions)) for number, one in items]
        parents[outer if "." in path else None].append(
            _Field(intern(name), _tables(items), tests)
        )
    return [(_steps(outer), fields) for outer, fields in parents.items()]


@lru_cache(maxsize=4096)
def _steps(path: str | None) -> tuple[str, ...]:
    # Thousands of indexes look at the same paths.
    return () if path is None else tuple(map(intern, path.split(".")))


def _tables(items: Sequence[tuple[int, _Access]]) -> dict[type, _Table]:
    by_value: defaultdict[str, dict[Any, list[int]]] = defaultdict(dict)
    by_range: defaultdict[str, list[tuple[Interval, int]]] = defaultdict(list)
    for number, access in items:
        if access.values is None:
            by_range[access.kind].append((_interval(access), number))
        for kind, value in access.values or ():
            by_value[kind].setdefault(value, []).append(number)
    finders = defaultdict(list)
    for kind, intervals in by_range.items():
        holding = Intervals(intervals)
        if kind == "moment":
            finders["text"].append(_moment_finder(holding))
        else:
            finders[kind].append(holding.holding)
    tables: dict[str, _Table] = {}
    for kind in {*by_value, *finders}:
        ids = {value: tuple(numbers) for value, numbers in by_value[kind].items()}
        tables[kind] = (ids, tuple(finders[kind]))
    return {type_: tables[kind] for type_, kind in _KINDS.items() if kind in tables}


def _interval(access: _Access) -> Interval:
    low, low_open, high, high_open = None, False, None, False
    for condition in access.conditions:
        end: Any = condition.operand
        if access.kind == "moment":
            end = as_moment(end)
        if condition.operator in _LOWER:
            low, low_open = end, condition.operator == "$gt"
        else:
            high, high_open = end, condition.operator == "$lt"
    return Interval(low, low_open, high, high_open)


def _moment_finder(intervals: Intervals) -> _Finder:
    def find(value: str) -> Iterable[int]:
        moment = as_moment(value)
        return () if moment is None else intervals.holding(moment)

    return find
