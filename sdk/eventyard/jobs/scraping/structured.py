"""What pages say of themselves for machines: JSON-LD, as sound as they wrote it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

_MOST_SCRIPTS: Final = 20
_MOST_ITEMS: Final = 50
_MOST_CHARACTERS: Final = 65_536
_MOST_DEPTH: Final = 16
_MOST_DIGITS: Final = 38
_WRAPPING: Final = re.compile(
    r"^\s*(?:<!--|(?://|/\*)?\s*<!\[CDATA\[\s*(?:\*/)?)|"
    r"(?:-->|(?://|/\*)?\s*\]\]>\s*(?:\*/)?)\s*$"
)
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
#: A comma before a bracket that closes, as JavaScript allows; strings stay.
_LAST_COMMA: Final = re.compile(rf"({_STRING})|,(?=\s*+[\]}}])", re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def json_ld(scripts: Iterable[str]) -> list[dict[str, Any]]:
    """
    Return the objects of a page's JSON-LD, those within lists too.

    Taken are twenty scripts of 64 KB together, 16 levels deep; what cannot be read is
    left out.
    """
    found: list[dict[str, Any]] = []
    left = _MOST_CHARACTERS
    for _, script in zip(range(_MOST_SCRIPTS), scripts, strict=False):
        left -= len(script)
        if left >= 0:
            found += _objects(_read(script))
    return found[:_MOST_ITEMS]


def _read(script: str) -> Any:
    text = _WRAPPING.sub("", script).rstrip("; \t\r\n")
    try:
        return _decoded(text)
    except ValueError:
        pass
    try:
        return _decoded(_LAST_COMMA.sub(r"\1", text))
    except ValueError:
        return None


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and one:
            yield _sound(one, _MOST_DEPTH)


def _sound(value: Any, levels: int) -> Any:
    """Return what any JSON can carry: finite, not too deep, in whole characters."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict | list) and levels == 0:
        return None
    if isinstance(value, dict):
        return {_sound(k, 1): _sound(v, levels - 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_sound(one, levels - 1) for one in value]
    return value


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


_DECODER: Final = json.JSONDecoder(
    strict=False, parse_float=_float, parse_int=_int, parse_constant=lambda _: None
)
