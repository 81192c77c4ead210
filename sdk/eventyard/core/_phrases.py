"""Words for values and conditions: short, whatever the values hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from eventyard.core.filters import MISSING, as_moment, follow, is_number
from eventyard.core.regexes import MAX_SEARCHED

_MOST_CHARACTERS = 64
_MOST_SHOWN = 160
_MOST_MEMBERS = 4
_MOST_LEVELS = 3
_MOST_BITS = 256
_MOST_KEYS_LOOKED_AT = 1000
_MOST_HINTED = 1024
_WHOLES = ("payload", "data", "attributes")


def at_most(text: str, characters: int = _MOST_CHARACTERS) -> str:
    """Return a text in one printable line, without its end when it is long."""
    short = text if len(text) <= characters else f"{text[:characters]}…"
    return short if short.isprintable() else str.__repr__(short)[1:-1]


def shown(value: Any) -> str:
    """Write a value much as JSON would, leaving out what is far inside or behind."""
    return at_most(_shown(value, _MOST_LEVELS), _MOST_SHOWN)


def _shown(value: Any, levels: int) -> str:
    if isinstance(value, str):
        return f"'{at_most(value)}'"
    if isinstance(value, Mapping):
        pairs = (
            f"{at_most(str(key))}: {_shown(value[key], levels - 1)}" for key in value
        )
        return f"{{{_listed(pairs, len(value), levels)}}}"
    if isinstance(value, list | tuple):
        items = (_shown(item, levels - 1) for item in value)
        return f"[{_listed(items, len(value), levels)}]"
    return _plainly(value)


def _listed(parts: Iterable[str], count: int, levels: int) -> str:
    if not levels:
        return "…" if count else ""
    some = list(islice(parts, _MOST_MEMBERS))
    return ", ".join([*some, "…"] if count > _MOST_MEMBERS else some)


def _plainly(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Writing a number of many digits takes long, and Python refuses to.
        long = value.bit_length() > _MOST_BITS
        return f"a number of {value.bit_length()} bits" if long else str(int(value))
    return repr(value) if isinstance(value, float) else f"a {type(value).__name__}"


def _typed(value: Any) -> str:
    """Write a value after the name of its type, where that is not plain to see."""
    kind = _kind(value)
    return f"the {kind} {shown(value)}" if kind else shown(value)


def _kind(value: Any) -> str:
    if is_number(value):
        return "number"
    kinds: dict[Any, str] = {
        str: "text",
        list: "list",
        tuple: "list",
        Mapping: "object",
    }
    return next((kinds[kind] for kind in kinds if isinstance(value, kind)), "")


def describe(name: str, value: Any, operand: Any) -> str:
    """Say what a value is and why it fails the operator, as what follows its path."""
    return _DESCRIPTIONS[name](value, operand)


def _unequal(value: Any, operand: Any) -> str:
    if _kind(value) != _kind(operand):
        return (
            f"is {_typed(value)}, not {_typed(operand)}{_operator_hint(value, operand)}"
        )
    left, right = shown(value), shown(operand)
    if left == right:
        return f"is {left}, which differs from what is asked for further on"
    if isinstance(value, str) and value.strip().lower() == operand.strip().lower():
        return f"is {left}, not {right}: they differ in case or outer spaces only"
    return f"is {left}, not {right}"


def _operator_hint(value: Any, operand: Any) -> str:
    if isinstance(value, list) and operand in value:
        return "; did you mean $contains?"
    if isinstance(operand, list) and value in operand:
        return "; did you mean $in?"
    return ""


def _disordered(name: str) -> Callable[[Any, Any], str]:
    def say(value: Any, operand: Any) -> str:
        if is_number(operand):
            compared, fits = "numbers", is_number(value)
        elif as_moment(operand) is None:
            compared, fits = "texts", isinstance(value, str)
        else:
            compared, fits = "moments", as_moment(value) is not None
        if fits:
            return f"is {shown(value)}, which is not {name} {shown(operand)}"
        return f"is {_typed(value)}, {name} {shown(operand)} compares {compared}"

    return say


def _not_among(value: Any, operand: Any) -> str:
    alike = any(_kind(one) == _kind(value) for one in operand)
    said = shown(value) if alike else _typed(value)
    return f"is {said}, which is none of {shown(operand)}"


def _not_found(value: Any, operand: Any) -> str:
    if not isinstance(value, str):
        return f"is {_typed(value)}, $regex looks into texts"
    if len(value) > MAX_SEARCHED:
        return f"has {len(value)} characters, $regex looks into at most {MAX_SEARCHED}"
    return f"is {shown(value)}, in which $regex {shown(operand)} finds nothing"


def _not_contained(value: Any, operand: Any) -> str:
    if not isinstance(value, str | list):
        return f"is {_typed(value)}, $contains looks into texts and lists"
    if isinstance(value, str) and not isinstance(operand, str):
        return f"is {_typed(value)}, which cannot hold {_typed(operand)}"
    return f"is {shown(value)}, which does not hold {shown(operand)}"


def _unfit(value: Any, operand: Any) -> str:
    if isinstance(value, str):
        return f"is {shown(value)}, which does not fit {at_most(operand)}"
    return f"is {_typed(value)}, $topic looks at texts"


_DESCRIPTIONS: dict[str, Callable[[Any, Any], str]] = {
    "$eq": _unequal,
    "$in": _not_among,
    **{name: _disordered(name) for name in ("$gt", "$gte", "$lt", "$lte")},
    "$regex": _not_found,
    "$contains": _not_contained,
    "$topic": _unfit,
    "$ne": lambda value, _: f"is {shown(value)}, which $ne forbids",
    "$nin": lambda value, _: f"is {shown(value)}, which is among what $nin forbids",
    "$exists": lambda value, _: f"is {shown(value)}, but must be missing",
    "$not": lambda value, inner: f"is {shown(value)}, and $not forbids {shown(inner)}",
}


def hint_for(path: str, view: Mapping[str, Any]) -> str:
    """Ask whether another path was meant that leads somewhere, or return nothing."""
    steps = path.split(".") if len(path) <= _MOST_HINTED else []
    for guess in _guesses(steps):
        found = _resolved(view, guess)
        if found:
            return f"; did you mean {at_most('.'.join(found))}?"
    return ""


def _guesses(steps: list[str]) -> Iterator[list[str]]:
    if steps:
        yield steps
        yield from ([whole, *steps] for whole in _WHOLES)
    if len(steps) > 1 and steps[0] in _WHOLES:
        yield steps[1:]


def _resolved(value: Any, steps: list[str]) -> list[str] | None:
    """Return the steps as they are spelt in the value, into lists by their first item."""
    spelt: list[str] = []
    for step in steps:
        if isinstance(value, list) and value and follow(value, (step,)) is MISSING:
            value = value[0]
            spelt.append("0")
        name = _spelling(value, step)
        value = follow(value, (name,))
        if value is MISSING:
            return None
        spelt.append(name)
    return spelt


def _spelling(value: Any, step: str) -> str:
    if not isinstance(value, Mapping) or step in value:
        return step
    names = (
        name for name in islice(value, _MOST_KEYS_LOOKED_AT) if isinstance(name, str)
    )
    return next((name for name in names if name.lower() == step.lower()), step)
