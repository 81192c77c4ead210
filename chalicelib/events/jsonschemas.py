"""
JSON Schema (2020-12), safe to use on what strangers send.

A schema is vetted when it is written: well formed, bounded, with local references
that end and expressions that cannot run away. Its use is bounded as well, in steps
rather than time, so that the same payload is always answered in the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import InvalidRequestError, SubscriptionError
from eventyard.core.regexes import MAX_SEARCHED, check_regex
from eventyard.core.wire import dumps

if TYPE_CHECKING:
    from referencing import Resource

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: What a schema may have, in bytes of JSON ...
MOST_BYTES: Final = 65_536
#: ... in levels of nesting ...
MOST_LEVELS: Final = 32
#: ... in schemas that one value goes through, one inside of the other ...
MOST_CHAINED: Final = 16
#: ... and in schemas that it goes through altogether.
MOST_APPLIED: Final = 1_000
#: The most keywords that are looked at for one payload: some seconds.
MOST_STEPS: Final = 1_000_000
_MOST_FAULTS: Final = 20
_LONGEST_TOLD: Final = 300
_EMPTY_FRAGMENT: Final = "#"
#: Where keywords have further schemas for the very same value.
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLES: Final = ("not", "if", "then", "else")
_NAMED: Final = ("patternProperties", "additionalProperties", "unevaluatedProperties")
_left: ContextVar[list[int]] = ContextVar("left")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a schema has against a payload, and where: `payload.items.0.price`."""

    path: str
    message: str


#: Tells what is wrong with a payload; None when it is as its schema says.
Check = Callable[[Any], Fault | None]


class _GaveUpError(Exception):
    """The check was not finished; the text says why."""


def vet(schema: Any) -> str:
    """Return the schema as JSON text, or raise InvalidRequestError saying what is wrong."""
    text = dumps(schema)
    if len(text.encode()) > MOST_BYTES:
        raise _refused("", f"has more than {MOST_BYTES} bytes of JSON")
    if _is_deeper(schema, MOST_LEVELS):
        raise _refused("", f"is nested deeper than {MOST_LEVELS} levels")
    _check_metaschema(schema)
    _Vetting(schema).run()
    return text


def _is_deeper(value: Any, most: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_is_deeper(part, most - 1) for part in parts)


def _check_metaschema(schema: Any) -> None:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
    from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise _refused(_dotted(error.absolute_path), error.message) from None
    except RecursionError:
        raise _refused("", "is nested too deeply") from None


def _refused(path: str, what: str) -> InvalidRequestError:
    place = f"schema.{path}" if path else "schema"
    return InvalidRequestError(f"{place}: {_short(what)}", details={"path": place})


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else text[:_LONGEST_TOLD] + " ..."


def _dotted(path: Any) -> str:
    return ".".join(map(str, path))


@dataclass
class _Vetting:
    """Looks at every schema within one, and at where its references lead."""

    schema: Any
    #: Every schema within it, by identity, with what resolves its references.
    _found: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    #: How deep, and how many, the schemas are that one value goes through from here.
    _chained: dict[int, tuple[int, int]] = field(default_factory=dict)

    def run(self) -> None:
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        root = DRAFT202012.create_resource(self.schema)
        # A registry that retrieves nothing: no reference ever leaves the schema.
        self._walk(root, Registry().resolver_with_root(root))
        for node, _ in self._found.values():
            _check_keywords(node)
        for node, _ in self._found.values():
            self._chain(node, 0)

    def _walk(self, resource: Resource[Any], resolver: Any) -> None:
        node = resource.contents
        if not isinstance(node, Mapping):
            return
        dialect = node.get("$schema", DIALECT)
        if str(dialect).removesuffix(_EMPTY_FRAGMENT) != DIALECT:
            raise _refused("$schema", f"must be {DIALECT} or left out")
        self._found[id(node)] = node, resolver
        for inner in resource.subresources():
            if inner.id() is not None:
                raise _refused("$id", "may stand at the top alone")
            self._walk(inner, resolver)

    def _chain(self, node: Any, depth: int) -> tuple[int, int]:
        # What leads on and on for one and the same value never ends.
        if depth > MOST_CHAINED:
            raise _refused("", f"chains more than {MOST_CHAINED} schemas, or circles")
        if id(node) not in self._chained:
            inner = [self._chain(n, depth + 1) for n in self._next(node)]
            height = 1 + max((height for height, _ in inner), default=0)
            self._chained[id(node)] = height, 1 + sum(size for _, size in inner)
        height, size = self._chained[id(node)]
        if depth + height > MOST_CHAINED + 1 or size > MOST_APPLIED:
            raise _refused("", "holds one value against too many schemas")
        return height, size

    def _next(self, node: Any) -> Iterator[Any]:
        if not isinstance(node, Mapping):
            return
        for name in _LISTS:
            yield from node.get(name, ())
        yield from (node[name] for name in _SINGLES if name in node)
        yield from node.get("dependentSchemas", {}).values()
        if "$ref" in node:
            yield self._target(node)

    def _target(self, node: Mapping[str, Any]) -> Any:
        from referencing.exceptions import Unresolvable

        reference = node["$ref"]
        _, resolver = self._found[id(node)]
        try:
            target = resolver.lookup(reference).contents
        except (Unresolvable, ValueError, TypeError, LookupError):
            raise _refused("$ref", f"{reference!r} leads nowhere in it") from None
        if not isinstance(target, bool) and id(target) not in self._found:
            raise _refused("$ref", f"{reference!r} does not lead to a schema")
        return target


def _check_keywords(node: Mapping[str, Any]) -> None:
    if "$dynamicRef" in node:
        raise _refused("$dynamicRef", "is not supported; use $ref")
    patterns = list(node.get("patternProperties", ()))
    if "pattern" in node:
        _check_expression("pattern", node["pattern"])
    for pattern in patterns:
        _check_expression("patternProperties", pattern)
    try:
        # That is how names are told apart that none of them matches.
        re.compile("|".join(patterns))
    except (re.error, OverflowError, RecursionError) as error:
        told = f"cannot stand together: {error}"
        raise _refused("patternProperties", told) from None


def _check_expression(keyword: str, pattern: str) -> None:
    try:
        check_regex(pattern)
    except SubscriptionError as error:
        raise _refused(keyword, str(error)) from None


@lru_cache(maxsize=256)
def compile_schema(text: str) -> Check:
    """Return what checks payloads against a schema that was vetted."""
    from referencing import Registry

    validator = _bounded()(json.loads(text), registry=Registry())

    def check(payload: Any) -> Fault | None:
        token = _left.set([MOST_STEPS])
        try:
            return _worst(validator, payload)
        finally:
            _left.reset(token)

    return check


def _worst(validator: Any, payload: Any) -> Fault | None:
    from jsonschema.exceptions import best_match

    try:
        error = best_match(islice(validator.iter_errors(payload), _MOST_FAULTS))
    except _GaveUpError as reason:
        return Fault("payload", str(reason))
    except RecursionError:
        return Fault("payload", "is nested too deeply for this schema")
    if error is None:
        return None
    return Fault(_dotted(["payload", *error.absolute_path]), _short(error.message))


@lru_cache(maxsize=1)
def _bounded() -> Any:
    """Make the 2020-12 validator whose keywords count and cannot run away."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend  # type: ignore[import-untyped]

    keywords = {**Draft202012Validator.VALIDATORS, **_OURS}
    keywords |= {name: _short_names(keywords[name]) for name in _NAMED}
    return extend(
        Draft202012Validator, {name: _counted(run) for name, run in keywords.items()}
    )


def _counted(keyword: Any) -> Any:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        left = _left.get()
        left[0] -= 1
        if left[0] < 0:
            raise _GaveUpError(f"takes more than {MOST_STEPS} steps to check")
        return keyword(validator, value, instance, schema)

    return run


def _short_names(keyword: Any) -> Any:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        if isinstance(instance, dict) and any(len(n) > MAX_SEARCHED for n in instance):
            raise _GaveUpError(f"has a name of more than {MAX_SEARCHED} characters")
        return keyword(validator, value, instance, schema)

    return run


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, str):
        return
    if len(instance) > MAX_SEARCHED:
        yield ValidationError(
            f"a text of more than {MAX_SEARCHED} characters is held against no pattern"
        )
    elif not check_regex(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _multiple_of(_: Any, step: float, instance: Any, __: Any) -> Iterator[Any]:
    from fractions import Fraction

    from jsonschema import ValidationError

    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    # As it is written, not as floats divide: 19.99 is a multiple of 0.01.
    if (Fraction(repr(instance)) / Fraction(repr(step))).denominator != 1:
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


def _unique_items(_: Any, wanted: bool, instance: Any, __: Any) -> Iterator[Any]:  # noqa: FBT001
    from jsonschema import ValidationError

    if not wanted or not isinstance(instance, list):
        return
    if len(set(map(_identity, instance))) < len(instance):
        yield ValidationError("has items that are not unique")


def _identity(value: Any) -> Any:
    # What is equal in JSON is equal here: 1 and 1.0 are, 1 and true are not.
    match value:
        case dict():
            return "{", frozenset((n, _identity(v)) for n, v in value.items())
        case list():
            return "[", tuple(map(_identity, value))
        case bool():
            return "?", value
    return value


_OURS: Final[Mapping[str, Any]] = {
    "pattern": _pattern,
    "multipleOf": _multiple_of,
    "uniqueItems": _unique_items,
}


def infer(payloads: Sequence[Any]) -> dict[str, Any]:
    """Return a schema that all of the payloads are valid against."""
    from genson import SchemaBuilder  # type: ignore[import-untyped]

    builder = SchemaBuilder(schema_uri=DIALECT)
    for payload in payloads:
        builder.add_object(payload)
    schema: dict[str, Any] = builder.to_schema()
    return schema
