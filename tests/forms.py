"""What a vendor's definition of a message allows, and what a message has beyond it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

#: A form is a dictionary of fields, a list with the form of its members, a set of
#: values, a type or several, a `Map`, or None where anything goes.
Form = Any


class Map(NamedTuple):
    """Any names, with values of one form."""

    of: list[Form]


class Fault(NamedTuple):
    """Where a message is wrong; `unknown` names the field that there is not."""

    where: str
    unknown: str | None = None


def faults(value: Any, form: Form, where: str = "") -> Iterator[Fault]:
    """Yield what is wrong with a value; names may be in camel case or with `_`."""
    match form:
        case None:
            return
        case dict():
            yield from _fields(value, form, where)
        case list():
            yield from _members(value, form, where)
        case Map():
            yield from _values(value, form, where)
        case set():
            if value not in form:
                yield Fault(where)
        case _:
            if not isinstance(value, form) or (
                isinstance(value, bool) and form is not bool
            ):
                yield Fault(where)


def _fields(value: Any, form: Form, where: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(where)
        return
    for name, inner in value.items():
        camel = re.sub(r"_(\w)", lambda found: found[1].upper(), name)
        if camel in form:
            yield from faults(inner, form[camel], f"{where}.{snake(name)}".lstrip("."))
        else:
            yield Fault(where, name)


def _members(value: Any, form: Form, where: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(where)
        return
    for at, one in enumerate(value):
        yield from faults(one, form[0], f"{where}[{at}]")


def _values(value: Any, form: Map, where: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(where)
        return
    for at, one in enumerate(value.values()):
        yield from faults(one, form.of[0], f"{where}[{at}].value")


def snake(name: str) -> str:
    """Write a name with `_`."""
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()
