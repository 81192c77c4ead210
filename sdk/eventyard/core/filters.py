"""Filters: conditions over the fields of an event, compiled into closures."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from eventyard.core import moments
from eventyard.core.errors import SubscriptionError
from eventyard.core.httpfilters import parse_http_filters
from eventyard.core.regexes import MAX_SEARCHED, check_regex
from eventyard.core.topics import compile_pattern

__all__ = [
    "MISSING",
    "Condition",
    "Predicate",
    "as_moment",
    "check_regex",
    "compile_conditions",
    "compile_filter",
    "follow",
    "is_number",
    "parse_http_filters",
    "require_all",
]

#: Says whether an event's view passes.
Predicate = Callable[[Mapping[str, Any]], bool]

MAX_DEPTH = 10
MAX_CONDITIONS = 100

_DATED = re.compile(r"\d{4}-\d\d-\d\d")

_Test = Callable[[Any], bool]
#: Stands for the value at a path that leads nowhere: equal to nothing, and of no type
#: that any operator takes, so only the negative ones let it pass.
MISSING: Any = object()


class Condition(NamedTuple):
    """One of the conditions of a filter, which must all hold."""

    #: The dotted path it looks at; empty for `$or` and `$not` over whole filters.
    path: str
    operator: str
    operand: Any
    passes: Predicate


def compile_filter(spec: Mapping[str, Any] | None) -> Predicate:
    """
    Compile a filter, the conditions of which must all hold; None lets all pass.

    A condition is a path and a value to equal, or a path and operators. A path
    that is missing passes `$exists: false`, `$ne`, `$nin` and the `$not` of
    whatever it fails, nothing else. Values of another type than the operator
    compares fail; a boolean is never a number.

    Raises:
        SubscriptionError: an unknown operator, an operand it cannot take, or a
            filter deeper than 10 or of more than 100 conditions.
    """
    return require_all(compile_conditions(spec))


def compile_conditions(spec: Mapping[str, Any] | None) -> tuple[Condition, ...]:
    """
    Compile a filter as `compile_filter` does, but keep its conditions apart.

    The filter passes what passes each of them; those of `$and` are among them.
    """
    return tuple(_Compiler().conditions({} if spec is None else spec, 1))


def require_all(conditions: Sequence[Condition]) -> Predicate:
    """Return what lets pass that which every condition lets pass."""
    return _all([condition.passes for condition in conditions])


class _Compiler:
    def __init__(self) -> None:
        self._conditions = 0

    def conditions(self, spec: Any, depth: int) -> list[Condition]:
        self._check_mapping("a filter", spec, depth)
        return [part for key in spec for part in self._parts(key, spec[key], depth)]

    def _filter(self, spec: Any, depth: int) -> Predicate:
        return require_all(self.conditions(spec, depth))

    def _parts(self, key: Any, value: Any, depth: int) -> list[Condition]:
        if not isinstance(key, str) or not key:
            raise _fault(f"{key!r} is not a field")
        if not key.startswith("$"):
            return self._field(key, value, depth)
        if key not in _LOGIC:
            raise _unknown(key, _LOGIC)
        if key == "$and":
            filters = _listed(key, value)
            return [c for part in filters for c in self.conditions(part, depth + 1)]
        test = self._logic(key, value, depth, self._filter)
        return [Condition("", key, value, test)]

    def _field(self, path: str, value: Any, depth: int) -> list[Condition]:
        if is_operators(value):
            return self._apart(path, value, depth + 1)
        self._count()
        return [Condition(path, "$eq", value, _at(path, _equals(value)))]

    def _apart(self, path: str, spec: Any, depth: int) -> list[Condition]:
        self._check_mapping("the operators of a field", spec, depth)
        found: list[Condition] = []
        for name, operand in spec.items():
            if name == "$and":
                for part in _listed(name, operand):
                    found += self._apart(path, part, depth + 1)
            else:
                test = _at(path, self._operator(name, operand, depth))
                kept = tuple(operand) if isinstance(operand, list) else operand
                found.append(Condition(path, name, kept, test))
        return found

    def _operators(self, spec: Any, depth: int) -> _Test:
        self._check_mapping("the operators of a field", spec, depth)
        return _all([self._operator(key, spec[key], depth) for key in spec])

    def _operator(self, name: Any, operand: Any, depth: int) -> _Test:
        if name in _LOGIC:
            return self._logic(name, operand, depth, self._operators)
        if name not in _OPERATORS:
            raise _unknown(name, [*_OPERATORS, *_LOGIC])
        self._count()
        return _OPERATORS[name](operand)

    def _logic(
        self,
        name: str,
        operand: Any,
        depth: int,
        inner: Callable[[Any, int], Callable[[Any], bool]],
    ) -> Callable[[Any], bool]:
        if name == "$not":
            return _negated(inner(operand, depth + 1))
        tests = [inner(part, depth + 1) for part in _listed(name, operand)]
        return _all(tests) if name == "$and" else _any(tests)

    def _check_mapping(self, what: str, spec: Any, depth: int) -> None:
        if not isinstance(spec, Mapping):
            raise _fault(f"{what} must be an object, not {type(spec).__name__}")
        if depth > MAX_DEPTH:
            raise _fault(f"a filter may be nested {MAX_DEPTH} deep, no deeper")

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise _fault(f"a filter may have {MAX_CONDITIONS} conditions, no more")


def is_operators(value: Any) -> bool:
    """Tell whether what stands at a path in a filter is operators, not a value."""
    return isinstance(value, Mapping) and any(str(key)[:1] == "$" for key in value)


def _listed(name: str, operand: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(operand, list | tuple) or not operand:
        raise _fault(f"{name} takes a list of at least one", operator=name)
    return operand


def _fault(message: str, **details: Any) -> SubscriptionError:
    return SubscriptionError(message, details=details)


def _unknown(name: Any, known: Iterable[str]) -> SubscriptionError:
    return _fault(
        f"unknown operator {name!r}; there are {' '.join(sorted(known))}",
        operator=name,
    )


def _takes(name: str, what: str, operand: Any) -> SubscriptionError:
    return _fault(f"{name} takes {what}, not {operand!r:.40}", operator=name)


def _all(tests: list[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:  # noqa: PLR2004
        first, second = tests
        return lambda value: first(value) and second(value)
    return lambda value: all(test(value) for test in tests)


def _any(tests: list[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    return lambda value: any(test(value) for test in tests)


def _negated(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: not test(value)


def _at(path: str, test: _Test) -> Predicate:
    if "." not in path:
        return lambda view: test(view.get(path, MISSING))
    steps = path.split(".")
    return lambda view: test(follow(view, steps))


def follow(value: Any, steps: Iterable[str]) -> Any:
    """Return what stands at the end of a path, or MISSING."""
    for step in steps:
        # The plain type first: asking the abstract one takes four times as long.
        if type(value) is dict or isinstance(value, Mapping):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and _is_index(step, value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def _is_index(step: str, items: list[Any]) -> bool:
    # The length first: int() of a very long text is refused.
    return len(step) < 10 and step.isdecimal() and int(step) < len(items)  # noqa: PLR2004


def _equals(operand: Any) -> _Test:
    if isinstance(operand, str):
        return lambda value: isinstance(value, str) and value == operand
    if is_number(operand):
        return lambda value: not isinstance(value, bool) and bool(value == operand)
    return lambda value: _same(value, operand)


def _same(left: Any, right: Any) -> bool:
    # Python takes True for 1, JSON does not.
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            _same(left[key], right[key]) for key in left
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _ordering(name: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any], _Test]:
    def build(operand: Any) -> _Test:
        moment = as_moment(operand)
        if moment is not None:
            # Not as text: "05Z" sorts after "05.5Z".
            return lambda value: (
                (other := as_moment(value)) is not None and holds(other, moment)
            )
        if isinstance(operand, str):
            return lambda value: isinstance(value, str) and holds(value, operand)
        if is_number(operand):
            return lambda value: is_number(value) and holds(value, operand)
        raise _takes(name, "a number or a string", operand)

    return build


def is_number(value: Any) -> bool:
    """Tell whether a value is ordered as numbers are; a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_moment(value: Any) -> datetime | None:
    """Return the moment in UTC that a text looks like and is, or None."""
    if not isinstance(value, str) or _DATED.match(value) is None:
        return None
    try:
        return moments.read(value)
    except ValueError:
        return None


def _in(operand: Any) -> _Test:
    return _membership("$in", operand)


def _not_in(operand: Any) -> _Test:
    return _negated(_membership("$nin", operand))


def _membership(name: str, operand: Any) -> _Test:
    if not isinstance(operand, list | tuple):
        raise _takes(name, "a list", operand)
    texts = frozenset(item for item in operand if isinstance(item, str))
    others = [item for item in operand if not isinstance(item, str)]
    return lambda value: (
        value in texts
        if isinstance(value, str)
        else any(_same(value, item) for item in others)
    )


def _exists(operand: Any) -> _Test:
    if not isinstance(operand, bool):
        raise _takes("$exists", "true or false", operand)
    return lambda value: (value is not MISSING) is operand


def _regex(operand: Any) -> _Test:
    if not isinstance(operand, str):
        raise _takes("$regex", "a string", operand)
    search = check_regex(operand).search
    return lambda value: (
        isinstance(value, str)
        and len(value) <= MAX_SEARCHED
        and search(value) is not None
    )


def _contains(operand: Any) -> _Test:
    def test(value: Any) -> bool:
        if isinstance(value, str):
            return isinstance(operand, str) and operand in value
        return isinstance(value, list) and any(_same(item, operand) for item in value)

    return test


def _topic(operand: Any) -> _Test:
    if not isinstance(operand, str):
        raise _takes("$topic", "a pattern", operand)
    matches = compile_pattern(operand).matches
    return lambda value: isinstance(value, str) and matches(value)


_LOGIC = ("$and", "$or", "$not")
_OPERATORS: dict[str, Callable[[Any], _Test]] = {
    "$eq": _equals,
    "$ne": lambda operand: _negated(_equals(operand)),
    "$gt": _ordering("$gt", operator.gt),
    "$gte": _ordering("$gte", operator.ge),
    "$lt": _ordering("$lt", operator.lt),
    "$lte": _ordering("$lte", operator.le),
    "$in": _in,
    "$nin": _not_in,
    "$exists": _exists,
    "$regex": _regex,
    "$contains": _contains,
    "$topic": _topic,
}
