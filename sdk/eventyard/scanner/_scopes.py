"""Where names come from: the scopes of a module, and what each binds."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from eventyard.scanner._modules import Module

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES: Final = (*FUNCTIONS, ast.ClassDef, *COMPREHENSIONS)
#: What holds statements of the same scope.
_COMPOUND: Final = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith),
    *(ast.Try, ast.TryStar, ast.ExceptHandler, ast.Match, ast.match_case),
)
_BODIES: Final = ("body", "orelse", "finalbody")
_PARTS: Final = ("handlers", "cases")


@dataclass(frozen=True, slots=True)
class Import:
    """A name that stands for a module, or for `name` of a module."""

    module: str
    name: str | None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Element:
    """A name that stands for each element of a value, or for a part of each."""

    of: ast.expr
    index: int | None = None


#: What a name may stand for.
Binding = ast.expr | ast.arg | ast.stmt | Import | Element
#: From after which line to which a binding holds, unless another comes between.
_Reach = tuple[int, int]


@dataclass(eq=False, slots=True)
class Scope:
    """A module, class, function or comprehension; its names are read when asked for."""

    node: ast.AST
    module: Module
    parent: Scope | None = None
    _names: dict[str, list[Binding]] | None = field(default=None, repr=False)
    _reach: dict[str, list[_Reach]] = field(default_factory=dict, repr=False)
    _own: dict[str, list[Binding]] | None = field(default=None, repr=False)

    def child(self, node: ast.AST) -> Scope:
        """Enter a class, function or comprehension that stands in this scope."""
        return Scope(node, self.module, self)

    @property
    def names(self) -> dict[str, list[Binding]]:
        """What each name bound in this very scope stands for."""
        if self._names is None:
            self._names = {}
            for name, binding, reach in _bound(self.node):
                self._names.setdefault(name, []).append(binding)
                self._reach.setdefault(name, []).append(reach)
        return self._names

    def find(self, name: str, line: int) -> tuple[list[Binding], Scope]:
        """
        Look a name up as Python does: classes are skipped from within functions.

        Of what a function binds to it, that counts which may hold on the line.
        """
        scope: Scope | None = self
        while scope is not None:
            seen = scope is self or not isinstance(scope.node, ast.ClassDef)
            if seen and name in scope.names:
                return scope.bindings(name, line if scope is self else 0), scope
            scope = scope.parent
        return [], self

    def bindings(self, name: str, line: int) -> list[Binding]:
        """Return what a name of this scope may stand for on a line; 0 for any."""
        every = self.names[name]
        reaches = self._reach[name]
        if len(every) == 1 or not line:
            return every
        before = [at for at, (start, _) in enumerate(reaches) if start < line]
        # The last that certainly holds hides those before it; branches may add.
        sure = [at for at in before if line <= reaches[at][1]]
        last = reaches[sure[-1]][0] if sure else 0
        return [every[at] for at in before if reaches[at][0] >= last] or every

    @property
    def owner(self) -> Scope | None:
        """The innermost class around, itself included."""
        scope: Scope | None = self
        while scope is not None and not isinstance(scope.node, ast.ClassDef):
            scope = scope.parent
        return scope

    @property
    def title(self) -> str:
        """The innermost class around with the classes around it; empty if none is."""
        titles: list[str] = []
        scope = self.owner
        while scope is not None:
            titles.append(scope.node.name)  # type: ignore[attr-defined]
            scope = scope.parent.owner if scope.parent else None
        return ".".join(reversed(titles))

    @property
    def attributes(self) -> dict[str, list[Binding]]:
        """What a class's methods assign to attributes of `self`."""
        if self._own is None:
            self._own = {}
            methods = (m for m in ast.iter_child_nodes(self.node))
            for method in methods:
                for name, value in _assigned_to_self(method):
                    self._own.setdefault(name, []).append(value)
        return self._own


def statements(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield statements in order, those of branches and loops too, of no inner scope."""
    for node, _ in _placed(body):
        yield node


def _placed(body: Sequence[ast.AST]) -> Iterator[tuple[ast.AST, int]]:
    """Yield statements with the last line of the block that each stands in."""
    waiting = [(node, _end(body)) for node in reversed(body)]
    while waiting:
        node, end = waiting.pop()
        yield node, end
        if not isinstance(node, _COMPOUND):
            continue
        inner: list[tuple[ast.AST, int]] = []
        for name in (*_BODIES, *_PARTS):
            more = getattr(node, name, None)
            if isinstance(more, list) and more:
                inner += [(one, _end(more)) for one in more]
        waiting += reversed(inner)


def _end(body: Sequence[ast.AST]) -> int:
    # Cases and handlers of a statement have no line of their own end; nothing binds.
    return getattr(body[-1], "end_lineno", 0) or 0 if body else 0


def _bound(node: ast.AST) -> Iterator[tuple[str, Binding, _Reach]]:
    for name, binding in _given(node):
        yield name, binding, (0, getattr(node, "end_lineno", 0))
    for statement, end in _placed(getattr(node, "body", [])):
        if isinstance(statement, ast.For | ast.AsyncFor):
            end = _end(statement.body)  # noqa: PLW2901 - it holds within the loop
        reach = (getattr(statement, "lineno", 0), end)
        for name, binding in _bindings(statement):
            yield name, binding, reach


def _given(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    """Yield what holds in the whole of a scope: parameters, and what is gone through."""
    if isinstance(node, COMPREHENSIONS):
        for loop in node.generators:
            yield from _elements(loop.target, loop.iter)
    if isinstance(node, FUNCTIONS):
        yield from _parameters(node.args)


def _parameters(arguments: ast.arguments) -> Iterator[tuple[str, Binding]]:
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    for one in (*every, arguments.vararg, arguments.kwarg):
        if one is not None:
            yield one.arg, one


def _bindings(statement: ast.AST) -> Iterable[tuple[str, Binding]]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            return [pair for target in targets for pair in _assigned(target, value)]
        case ast.For(target=target) | ast.AsyncFor(target=target):
            return _elements(target, statement.iter)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return _entered(items)
        case ast.Import() | ast.ImportFrom():
            return _imported(statement)
    return _declared(statement)


def _declared(statement: ast.AST) -> Iterator[tuple[str, Binding]]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name, statement.value or ast.arg(name, statement.annotation)
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            yield statement.name, statement


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, Binding]]:
    match target, value:
        case ast.Name(id=name), _:
            yield name, value
        case ast.Tuple(elts=names), ast.Tuple(elts=values):
            if len(names) == len(values):
                for one, its in zip(names, values, strict=True):
                    yield from _assigned(one, its)


def _elements(target: ast.expr, of: ast.expr) -> Iterator[tuple[str, Binding]]:
    match target:
        case ast.Name(id=name):
            yield name, Element(of)
        case ast.Tuple(elts=parts):
            for at, part in enumerate(parts):
                if isinstance(part, ast.Name):
                    yield part.id, Element(of, at)


def _entered(items: list[ast.withitem]) -> Iterator[tuple[str, Binding]]:
    for item in items:
        if isinstance(item.optional_vars, ast.Name):
            yield item.optional_vars.id, item.context_expr


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Binding]]:
    if isinstance(node, ast.ImportFrom):
        for one in node.names:
            made = Import(node.module or "", one.name, node.level)
            yield one.asname or one.name, made
        return
    for one in node.names:
        if one.asname:
            yield one.asname, Import(one.name, None)
        else:
            first = one.name.partition(".")[0]
            yield first, Import(first, None)


def _assigned_to_self(method: ast.AST) -> Iterator[tuple[str, Binding]]:
    if not isinstance(method, FUNCTIONS):
        return
    inside = Scope(method, None)  # type: ignore[arg-type]
    for statement in statements(method.body):
        match statement:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name("self")) as to]):
                yield to.attr, _seen_from(inside, statement.value)
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name("self")) as to):
                value = statement.value or ast.arg(to.attr, statement.annotation)
                yield to.attr, _seen_from(inside, value)


def _seen_from(method: Scope, value: ast.expr | ast.arg) -> Binding:
    # `self.bus = bus`: the class knows no `bus`, its method does.
    if isinstance(value, ast.Name) and len(method.names.get(value.id, [])) == 1:
        return method.names[value.id][0]
    return value
