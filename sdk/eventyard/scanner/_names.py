"""Which event an expression names: constants, enums, classes, patterns and more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from eventyard.scanner._scopes import FUNCTIONS, Scope
from eventyard.scanner._targets import MOST, Follower, Target

#: Where an event's name stands in keywords and dictionaries, the surest first.
NAMING: Final = (
    "event_name",
    "event_type",
    "topic",
    "topics",
    "event",
    "events",
    "type",
    "pattern",
    "patterns",
    "types",
)
#: Classes that are an envelope: they name the event by what they are given.
ENVELOPES: Final = frozenset(
    ("Event", "CloudEvent", "BaseEvent", "DomainEvent", "Message", "EventMessage")
)
_NO_EVENTS: Final = ENVELOPES | {"BaseModel", "Any", "Self", "Enum", "Path"}
_LONGEST: Final = 512
_HOLES: Final = re.compile(r"\*+")
_FORMAT: Final = re.compile(r"\{[^{}]*\}|%\(\w+\)[sdr]|%[sdr]")

#: A name, or None for what only a run could tell.
Name = str | None


def is_class_name(text: str) -> bool:
    """Tell whether a name is written as those of classes are."""
    bare = text.lstrip("_")
    return bare[:1].isupper() and not (bare.isupper() and len(bare) > 1)


class Resolver(Follower):
    """Reads events out of expressions."""

    def names(self, expr: ast.AST, scope: Scope) -> list[Name]:
        """Return the names of the events that an expression may stand for."""
        self._steps = 0
        found = dict.fromkeys(islice(self._names(expr, scope), MOST))
        return [_tidy(name) if name else None for name in found]

    def _names(self, expr: ast.AST, scope: Scope) -> Iterator[Name]:
        if self._deep():
            yield None
            return
        self._depth += 1
        try:
            yield from self._read(expr, scope)
        finally:
            self._depth -= 1

    def _read(self, expr: ast.AST, scope: Scope) -> Iterable[Name]:
        match expr:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.Call():
                return self._called(expr, scope)
            case ast.JoinedStr() | ast.BinOp():
                return self._composed(expr, scope)
            case ast.Name() | ast.Attribute() | ast.Dict() | ast.Subscript():
                return self._sought(expr, scope)
        return self._parts(expr, scope)

    def _sought(self, expr: ast.expr, scope: Scope) -> Iterable[Name]:
        match expr:
            case ast.Dict():
                return self._in_dictionary(expr, scope)
            case ast.Subscript():
                return self._looked_up(expr.value, expr.slice, scope)
        return self._followed(expr, scope)

    def _parts(self, expr: ast.AST, scope: Scope) -> Iterator[Name]:
        parts: list[ast.expr] = []
        match expr:
            case ast.List(elts=found) | ast.Tuple(elts=found) | ast.Set(elts=found):
                parts = found
            case ast.BoolOp(values=found):
                parts = found
            case ast.IfExp(body=body, orelse=other):
                parts = [body, other]
            case ast.Starred(value=one) | ast.Await(value=one):
                parts = [one]
            case ast.NamedExpr(value=one) | ast.ListComp(elt=one):
                inside = scope.child(expr) if isinstance(expr, ast.ListComp) else scope
                yield from self._names(one, inside)
                return
        for part in parts:
            yield from self._names(part, scope)
        if not parts and not isinstance(expr, ast.List | ast.Tuple | ast.Set):
            yield None

    # Names and attributes

    def _followed(self, expr: ast.expr, scope: Scope) -> Iterator[Name]:
        if isinstance(expr, ast.Attribute):
            if expr.attr in {"__name__", "__qualname__"}:
                yield from self.classes(expr.value, scope)
                return
            if expr.attr in {"value", "name"}:
                yield from self._of_member(expr, scope)
                return
        for target in self.targets(expr, scope):
            yield from self._at(target)

    def _of_member(self, expr: ast.Attribute, scope: Scope) -> Iterator[Name]:
        for target in self.targets(expr.value, scope):
            if expr.attr == "name" and target.member:
                yield target.last
            else:
                yield from self._at(target)

    def _at(self, target: Target) -> Iterator[Name]:
        match target.node:
            case None:
                yield _of_theirs(target.name)
            case ast.ClassDef(name=name):
                yield name
            case ast.arg():
                yield from self._annotated(target)
            case ast.expr() as node if target.scope is not None:
                found = list(self._names(node, target.scope))
                alone = target.member and found == [None]
                yield from [target.last] if alone else found
            case _:
                yield None

    def _annotated(self, parameter: Target) -> Iterator[Name]:
        annotation = getattr(parameter.node, "annotation", None)
        parts = _alternatives(annotation) if annotation is not None else []
        if not parts or parameter.scope is None:
            yield None
            return
        for part in parts:
            for name in self.classes(part, parameter.scope):
                yield None if name in _NO_EVENTS else name

    def classes(self, expr: ast.AST, scope: Scope) -> Iterator[Name]:
        """Yield the names of the classes that an expression stands for."""
        match expr:
            case ast.Call(func=ast.Name(id="type"), args=[one]):
                yield from self._names(one, scope)
                return
            case ast.Attribute(value=value, attr="__class__"):
                yield from self._names(value, scope)
                return
        for target in self.targets(expr, scope):
            if isinstance(target.node, ast.ClassDef):
                yield target.node.name
            elif target.node is None and _is_their_class(target.name):
                yield target.last
            else:
                yield None

    # Strings that are put together

    def _composed(self, expr: ast.AST, scope: Scope) -> Iterator[Name]:
        for text in islice(self._texts(expr, scope), MOST):
            text = _HOLES.sub("*", text)  # noqa: PLW2901
            yield text if text.strip("*._-:/ ") and text[0] != "*" else None

    def _texts(self, expr: ast.AST, scope: Scope) -> Iterator[str]:
        """Yield texts with `*` for what only a run could tell."""
        match expr:
            case ast.JoinedStr(values=values):
                yield from self._joined(values, scope)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                yield from self._texts(value, scope)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                yield from self._joined([left, right], scope)
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
                yield _FORMAT.sub("*", text)
            case ast.FormattedValue() | ast.BinOp():
                yield "*"
            case _:
                for name in self._names(expr, scope):
                    yield name or "*"

    def _joined(self, parts: list[ast.expr], scope: Scope) -> Iterator[str]:
        texts = [""]
        for part in parts:
            ends = list(islice(self._texts(part, scope), MOST)) or ["*"]
            texts = [text + end for text in texts for end in ends][:MOST]
        yield from texts

    # Calls, dictionaries

    def _called(self, call: ast.Call, scope: Scope) -> Iterator[Name]:
        match call.func:
            case ast.Attribute(value=ast.Constant(value=str(text)), attr="format"):
                yield from self._composed(ast.Constant(_FORMAT.sub("*", text)), scope)
                return
            case ast.Name(id="str" | "list" | "tuple" | "sorted" | "set"):
                yield from self._names(call.args[0], scope) if call.args else [None]
                return
            case ast.Name(id="dict"):
                yield from self._enveloped(call, scope)
                return
        yield from self._made(call, scope)

    def _made(self, call: ast.Call, scope: Scope) -> Iterator[Name]:
        name = self.maker(call, scope)
        if name in ENVELOPES:
            yield from self._enveloped(call, scope)
        else:
            yield name if name and is_class_name(name) else None

    def maker(self, call: ast.Call, scope: Scope) -> str | None:
        """Return the class that a call makes an instance of, or the function's name."""
        for target in self.targets(call.func, scope):
            if isinstance(target.node, ast.ClassDef):
                return target.node.name
            if isinstance(target.node, FUNCTIONS):
                return self._by_way_of(call.func, scope) or target.node.name
            if target.node is None:
                return _made_by(target.name)
        return self._by_way_of(call.func, scope) or getattr(call.func, "attr", None)

    def _by_way_of(self, func: ast.AST, scope: Scope) -> str | None:
        # `OrderPaid.model_validate(...)` makes an OrderPaid.
        if isinstance(func, ast.Attribute):
            return next((n for n in self.classes(func.value, scope) if n), None)
        return None

    def _enveloped(self, call: ast.Call, scope: Scope) -> Iterator[Name]:
        given = {one.arg: one.value for one in call.keywords}
        for key in (*NAMING, "name", "detail_type"):
            if key in given:
                yield from self._names(given[key], scope)
                return
        if call.args:
            yield from self._names(call.args[0], scope)
        else:
            yield None

    def _in_dictionary(self, node: ast.Dict, scope: Scope) -> Iterator[Name]:
        given = {
            key.value: value
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        }
        for key in NAMING:
            if key in given:
                yield from self._names(given[key], scope)
                return
        yield None

    def _looked_up(self, value: ast.expr, key: ast.AST, scope: Scope) -> Iterator[Name]:
        for target in self.targets(value, scope):
            found = _entry(target.node, key)
            if isinstance(target.node, ast.ClassDef) and target.scope:
                inside = target.scope.child(target.node)
                wanted = str(getattr(key, "value", ""))
                for one in self._in_class(inside, wanted) or [Target("")]:
                    yield from self._at(one)
            elif found is None:
                yield None
            else:
                yield from self._names(found, target.scope or scope)


def _entry(node: object, key: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Dict) and isinstance(key, ast.Constant):
        for known, value in zip(node.keys, node.values, strict=True):
            if isinstance(known, ast.Constant) and known.value == key.value:
                return value
    return None


def _alternatives(annotation: ast.expr) -> list[ast.expr]:
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_alternatives(left), *_alternatives(right)]
        case ast.Constant(value=str(text)):
            return _alternatives(_parsed(text))
        case ast.Subscript(value=ast.Name(id="Optional" | "Union"), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return [one for part in parts for one in _alternatives(part)]
        case ast.Constant(value=None):
            return []
    return [annotation]


def _parsed(annotation: str) -> ast.expr:
    try:
        return ast.parse(annotation[:_LONGEST], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Name("")


def _is_their_class(dotted: str) -> bool:
    # What is imported may be a class in capitals alone; `SELF.SUCH` is a constant.
    last = dotted.rpartition(".")[2]
    imported = "." in dotted and not dotted.startswith("self.")
    return is_class_name(last) or (imported and last[:1].isupper())


def _of_theirs(dotted: str) -> Name:
    """Name an event by what is not ours: a class, or a member of a class."""
    *_, before, last = ("", *dotted.split("."))
    if is_class_name(last) and last not in _NO_EVENTS:
        return last
    return last if is_class_name(before) and before != "" else None


def _made_by(dotted: str) -> str:
    *_, before, last = ("", *dotted.split("."))
    return before if is_class_name(before) and not is_class_name(last) else last


def _tidy(name: str) -> str:
    return _HOLES.sub(lambda hole: hole[0][:2], name.strip())[:_LONGEST]
