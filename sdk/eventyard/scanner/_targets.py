"""Where a name leads: through assignments, loops, classes and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from eventyard.scanner._modules import Module, Tree
from eventyard.scanner._scopes import Binding, Element, Import, Scope

#: What one expression may stand for; nobody writes more by hand.
MOST: Final = 1_000
_DEEPEST: Final = 24
_STEPS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Target:
    """
    What an expression leads to.

    `node` is a class, function, parameter or expression of ours, seen from `scope`;
    or None for what is somebody else's, known by its dotted `name` alone. `member`
    tells that it is an attribute of a class of ours.
    """

    name: str
    node: ast.AST | Module | None = None
    scope: Scope | None = None
    member: bool = False

    @property
    def last(self) -> str:
        """The last part of its name."""
        return self.name.rpartition(".")[2]


class Follower:
    """Goes to definitions, as far as they are written in files of ours."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._depth = 0
        self._steps = 0

    def follow(self, expr: ast.AST, scope: Scope) -> list[Target]:
        """Return what an expression leads to, asked anew."""
        self._steps = 0
        return list(self.targets(expr, scope))

    def targets(self, expr: ast.AST, scope: Scope) -> Iterator[Target]:
        """Yield what an expression leads to, through names, imports and attributes."""
        if self._deep():
            return
        self._depth += 1
        try:
            yield from list(islice(self._targets(expr, scope), MOST))
        finally:
            self._depth -= 1

    def _deep(self) -> bool:
        self._steps += 1
        return self._depth >= _DEEPEST or self._steps > _STEPS

    def _targets(self, expr: ast.AST, scope: Scope) -> Iterator[Target]:
        match expr:
            case ast.Name(id=name):
                yield from self._of_name(name, scope, getattr(expr, "lineno", 0))
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if (
                scope.owner
            ):
                yield from self._in_class(scope.owner, name) or [Target(f"self.{name}")]
            case ast.Attribute(value=base, attr=name):
                for one in self.targets(base, scope):
                    yield from self._in(one, name)
            case _:
                yield Target("", expr, scope)

    def _of_name(self, name: str, scope: Scope, line: int) -> Iterator[Target]:
        bindings, where = scope.find(name, line)
        for binding in bindings:
            yield from self._bound(name, binding, where)
        if not bindings:
            yield from self._from_everything(name, scope.module)

    def _from_everything(self, name: str, module: Module) -> Iterator[Target]:
        # `from names import *`: whichever of those modules has it.
        for star in module.scope.names.get("*", []):
            if isinstance(star, Import):
                ours = self._tree.module(star.module, star.level, module.path)
                if ours is not None and ours.scope.names.get(name):
                    yield from self._within(ours, name)
                    return
        yield Target(name)

    def _bound(self, name: str, binding: Binding, where: Scope) -> Iterator[Target]:
        match binding:
            case Import():
                yield from self._imported(binding, where.module)
            case Element():
                yield from self._elements(binding, where)
            case ast.Name() | ast.Attribute():
                # `x = x` in a class body speaks of the outer one.
                if not (isinstance(binding, ast.Name) and binding.id == name):
                    yield from self.targets(binding, where)
            case _:
                yield Target(name, binding, where)

    def _imported(self, found: Import, module: Module) -> Iterator[Target]:
        ours = self._tree.module(found.module, found.level, module.path)
        dotted = ".".join(part for part in (found.module, found.name) if part)
        if found.name is None:
            yield Target(dotted, ours)
            return
        if ours is not None and ours.scope.names.get(found.name):
            yield from self._within(ours, found.name)
            return
        below = self._tree.module(dotted, found.level, module.path)
        yield Target(dotted, below)

    def _within(self, module: Module, name: str) -> Iterator[Target]:
        yield from self.targets(ast.Name(name), module.scope)

    def _in(self, base: Target, name: str) -> Iterable[Target]:
        match base.node:
            case Module() as module if module.scope.names.get(name):
                return self._within(module, name)
            case Module() as module:
                dotted = f"{base.name}.{name}"
                return [Target(dotted, self._tree.module(dotted, 0, module.path))]
            case None:
                return [Target(f"{base.name}.{name}")]
            case ast.ClassDef() as node if base.scope is not None:
                inside = base.scope.child(node)
                return self._in_class(inside, name) or [Target(f"{node.name}.{name}")]
        return [Target("", ast.Constant(None), base.scope)]

    def _in_class(self, owner: Scope, name: str) -> list[Target]:
        own = [*owner.names.get(name, []), *owner.attributes.get(name, [])]
        found = [
            one if one.node is None else replace(one, name=name, member=True)
            for binding in own
            for one in self._bound(name, binding, owner)
        ]
        return found or self._inherited(owner, name)

    def _inherited(self, owner: Scope, name: str) -> list[Target]:
        outside = owner.parent or owner
        for base in getattr(owner.node, "bases", []):
            for one in self.targets(base, outside):
                if isinstance(one.node, ast.ClassDef) and one.scope:
                    return self._in_class(one.scope.child(one.node), name)
        return []

    def _elements(self, element: Element, scope: Scope) -> Iterator[Target]:
        for one, where in self._each(element.of, scope, element.index):
            at = element.index
            whole: ast.AST = one
            if at is not None and isinstance(one, ast.Tuple) and at < len(one.elts):
                whole = one.elts[at]
            if isinstance(whole, ast.Name | ast.Attribute):
                yield from self.targets(whole, where)
            else:
                yield Target("", whole, where)

    def _each(
        self, of: ast.AST, scope: Scope, index: int | None
    ) -> Iterator[tuple[ast.AST, Scope]]:
        match of:
            case ast.Call(func=ast.Attribute(value=base, attr="items" | "keys" as way)):
                if way == "keys" or index == 0:
                    yield from self._each(base, scope, None)
                return
            case ast.Call(func=ast.Name(id="sorted" | "list" | "set"), args=[one, *_]):
                yield from self._each(one, scope, index)
                return
        for target in self.targets(of, scope):
            for member in _members(target.node):
                yield member, target.scope or scope


def _members(node: object) -> Iterable[ast.AST]:
    match node:
        case ast.List(elts=found) | ast.Tuple(elts=found) | ast.Set(elts=found):
            return found
        case ast.Dict(keys=keys):
            return [key for key in keys if key is not None]
        case ast.ClassDef(name=name, body=body):
            return [
                ast.Attribute(ast.Name(name), target.id)
                for one in body
                if isinstance(one, ast.Assign)
                for target in one.targets
                if isinstance(target, ast.Name)
            ]
    return [ast.Constant(None)]
