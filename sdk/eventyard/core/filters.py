"""Filters: conditions over the fields of an event, compiled into closures."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from eventyard.core import moments
from eventyard.core.errors import SubscriptionError
from eventyard.core.httpfilters import parse_http_filters
from eventyard.core.regexes import MAX_SEARCHED, check_regex
from eventyard.core.topics import compile_pattern

__all__ = ["Predicate", "check_regex", "compile_filter", "parse_http_filters"]

#: Says whether an event's view passes.
Predicate = Callable[[Mapping[str, Any]], bool]

MAX_DEPTH = 10
MAX_CONDITIONS = 100

_DATED = re.compile(r"\d{4}-\d\d-\d\d")

_Test = Callable[[Any], bool]
# Stands for the value at a path that leads nowhere: equal to nothing, and of no type
# that any operator takes, so only the negative ones let it pass.
_MISSING: Any = object()


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
    return _Compiler().filter({} if spec is None else spec, 1)


class _Compiler:
    def __init__(self) -> None:
        self._conditions = 0

    def filter(self, spec: Any, depth: int) -> Predicate:
        self._check_mapping("a filter", spec, depth)
        return _all([self._part(key, spec[key], depth) for key in spec])

    def _part(self, key: Any, value: Any, depth: int) -> Predicate:
        if not isinstance(key, str) or not key:
            raise _fault(f"{key!r} is not a field")
        if not key.startswith("$"):
            return _at(key, self._condition(value, depth))
        if key not in _LOGIC:
            raise _unknown(key, _LOGIC)
        return self._logic(key, value, depth, self.filter)

    def _condition(self, value: Any, depth: int) -> _Test:
        if isinstance(value, Mapping) and any(str(key)[:1] == "$" for key in value):
            return self._operators(value, depth + 1)
        self._count()
        return _equals(value)

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
        if not isinstance(operand, list | tuple) or not operand:
            raise _fault(f"{name} takes a list of at least one", operator=name)
        tests = [inner(part, depth + 1) for part in operand]
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
    return lambda value: all(test(value) for test in tests)


def _any(tests: list[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    return lambda value: any(test(value) for test in tests)


def _negated(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: not test(value)


def _at(path: str, test: _Test) -> Predicate:
    if "." not in path:
        return lambda view: test(view.get(path, _MISSING))
    steps = path.split(".")
    return lambda view: test(_follow(view, steps))


def _follow(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step, _MISSING)
        elif isinstance(value, list) and _is_index(step, value):
            value = value[int(step)]
        else:
            return _MISSING
    return value


def _is_index(step: str, items: list[Any]) -> bool:
    # The length first: int() of a very long text is refused.
    return len(step) < 10 and step.isdecimal() and int(step) < len(items)  # noqa: PLR2004


def _equals(operand: Any) -> _Test:
    if isinstance(operand, str):
        return lambda value: isinstance(value, str) and value == operand
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
        moment = _as_moment(operand)
        if moment is not None:
            # Not as text: "05Z" sorts after "05.5Z".
            return lambda value: (
                (other := _as_moment(value)) is not None and holds(other, moment)
            )
        if isinstance(operand, str):
            return lambda value: isinstance(value, str) and holds(value, operand)
        if _is_number(operand):
            return lambda value: _is_number(value) and holds(value, operand)
        raise _takes(name, "a number or a string", operand)

    return build


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_moment(value: Any) -> datetime | None:
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
    return lambda value: (value is not _MISSING) is operand


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
