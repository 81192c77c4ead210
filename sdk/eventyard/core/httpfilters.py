"""Filters as query parameters and command lines write them: `field:op:value`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from eventyard.core.errors import SubscriptionError


def parse_http_filters(items: Iterable[str]) -> dict[str, Any]:
    """
    Turn `field:op:value` items, which must all hold, into one filter.

    Numbers, true, false and null mean what they mean in JSON, as does a string in
    double quotes; any other value is the string it is. `in` and `nin` take values
    between commas. `field:value` asks for equality, and `type:value` for a topic
    pattern.

    Raises:
        SubscriptionError: an item has no field, no value or an unknown operator.
    """
    filters: dict[str, Any] = {}
    for item in items:
        field, name, operand = _parse(item)
        _add(filters.setdefault(field, {}), name, operand)
    return filters


def _parse(item: str) -> tuple[str, str, Any]:
    field, *rest = item.split(":", 2)
    if not rest or not field or field.startswith("$"):
        raise SubscriptionError(f"a filter is field:op:value, not {item!r:.60}")
    if len(rest) == 1:
        return _short_form(field, rest[0])
    name, text = rest
    if name not in _OPERANDS:
        raise SubscriptionError(
            f"unknown operator {name!r} in {item!r:.60}; there are {' '.join(_OPERANDS)}",
            details={"operator": name},
        )
    return field, f"${name}", _OPERANDS[name](text)


def _short_form(field: str, text: str) -> tuple[str, str, Any]:
    if field == "type":
        return field, "$topic", text
    return field, "$eq", _value(text)


def _add(operators: dict[str, Any], name: str, operand: Any) -> None:
    if name in operators:
        operators.setdefault("$and", []).append({name: operand})
    else:
        operators[name] = operand


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    whole = isinstance(value, dict | list)
    odd = isinstance(value, float) and not math.isfinite(value)
    return text if whole or odd else value


def _values(text: str) -> list[Any]:
    return [_value(part) for part in text.split(",")]


_OPERANDS: dict[str, Callable[[str], Any]] = {
    "eq": _value,
    "ne": _value,
    "gt": _value,
    "gte": _value,
    "lt": _value,
    "lte": _value,
    "in": _values,
    "nin": _values,
    "exists": _value,
    "contains": _value,
    "regex": str,
}
