"""Plain Python values, and DynamoDB's typed ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from chalicelib.aws import Item


def marshal(item: Item) -> Any:
    """Turn plain values into DynamoDB's typed ones; None is left out."""
    return {name: _typed(value) for name, value in item.items() if value is not None}


def unmarshal(item: Any) -> Item:
    """Turn DynamoDB's typed values into plain ones."""
    return {name: _plain(value) for name, value in item.items()}


def _typed(value: Any) -> Any:  # noqa: PLR0911 - one line for each type
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case dict():
            return {"M": marshal(value)}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case list() | tuple():
            return {"L": [_typed(member) for member in value]}
        case bytes():
            return {"B": value}
    raise TypeError(f"no DynamoDB type for {type(value).__name__}")


def _plain(value: Any) -> Any:
    ((kind, inner),) = value.items()
    match kind:
        case "N":
            return float(inner) if "." in inner or "E" in inner.upper() else int(inner)
        case "M":
            return unmarshal(inner)
        case "L":
            return [_plain(member) for member in inner]
        case "SS":
            return set(inner)
    return inner
