"""JSON text as Eventyard writes and accepts it: compact, finite, bounded, UTF-8."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from eventyard.core.errors import InvalidRequestError, ValidationError

MAX_DEPTH = 64

# An unclosed string runs to the end of the text, and the repeats never give back:
# the scan stays linear whatever it is fed.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_BRACKET_OR_STRING = re.compile(_STRING + r"|[\[\]{}]", re.DOTALL)
_NESTING = (dict, list)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
_NOT_FINITE = re.compile(_STRING + r"|(NaN|-?Infinity|-?\d[\d.eE+-]*)", re.DOTALL)
_LONE_SURROGATE = re.compile(
    r"\\\\"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def dumps(value: Any) -> str:
    """Write a JSON value compactly; raise a ValidationError if it is not one."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValidationError(f"not a JSON value: {exc}") from exc


def loads(text: str | bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """
    Read JSON, or raise an InvalidRequestError (`invalid_json`) with the position.

    Refused beyond what JSON itself refuses: NaN, infinities and numbers too large
    for a float, nesting deeper than `max_depth`, text that UTF-8 cannot carry.
    """
    text = _unicode(text)
    _check_surrogates(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise _invalid(exc.msg, exc.pos) from exc
    except OverflowError as exc:
        raise _invalid(str(exc), _first_not_finite(text)) from exc
    except RecursionError as exc:
        raise _too_deep(text, max_depth) from exc
    except ValueError as exc:
        raise _invalid("a number has too many digits", None) from exc
    if _is_deeper(value, max_depth):
        raise _too_deep(text, max_depth)
    return value


def _unicode(text: str | bytes) -> str:
    try:
        if isinstance(text, bytes):
            return text.decode()
        if not text.isascii():
            text.encode()
    except UnicodeError as exc:
        position = getattr(exc, "start", None)
        raise _invalid("the text is not UTF-8", position) from exc
    return text


def _is_deeper(value: Any, most: int) -> bool:
    level = [value] if isinstance(value, _NESTING) else []
    for _ in range(most):
        level = [
            part
            for node in level
            for part in (node.values() if isinstance(node, dict) else node)
            if isinstance(part, _NESTING)
        ]
    return bool(level)


def _too_deep(text: str, most: int) -> InvalidRequestError:
    depth, position = 0, None
    for found in _BRACKET_OR_STRING.finditer(text):
        depth += _STEPS.get(found[0], 0)
        if depth > most:
            position = found.start()
            break
    return _invalid(f"nested deeper than {most} levels", position)


def _check_surrogates(text: str) -> None:
    if "\\ud" not in text and "\\uD" not in text:
        return
    for found in _LONE_SURROGATE.finditer(text):
        if found[1] is not None:
            raise _invalid("half of a surrogate pair", found.start())


def _first_not_finite(text: str) -> int:
    return next(
        found.start()
        for found in _NOT_FINITE.finditer(text)
        if found[1] is not None and not math.isfinite(float(found[1]))
    )


def _invalid(reason: str, position: int | None) -> InvalidRequestError:
    where = "" if position is None else f" at position {position}"
    return InvalidRequestError(
        f"invalid JSON: {reason}{where}",
        code="invalid_json",
        details={"position": position},
    )


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise OverflowError("the number is out of range")
    return value


def _refuse(constant: str) -> NoReturn:
    raise OverflowError(f"{constant} is not JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
