"""One call, as detectors see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from eventyard.core.graph.model import Kind
from eventyard.scanner._names import Name, Resolver
from eventyard.scanner._scopes import Scope
from eventyard.scanner._targets import Target

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Use:
    """What a call does: it publishes or subscribes to events; None for an unknown."""

    kind: Kind
    names: Iterable[Name]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method or a function, or a decorator (then `decorated` is there)."""

    node: ast.expr
    scope: Scope
    resolver: Resolver
    decorated: ast.AST | None = None

    @property
    def function(self) -> ast.expr:
        """What is called, without what it is given."""
        return self.node.func if isinstance(self.node, ast.Call) else self.node

    @property
    def method(self) -> str:
        """The last name of what is called."""
        match self.function:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                return name
        return ""

    @property
    def receiver(self) -> ast.expr | None:
        """What stands before the last dot."""
        function = self.function
        return function.value if isinstance(function, ast.Attribute) else None

    @property
    def word(self) -> str:
        """The last name of the receiver: `bus` of `self._bus` and of `get_bus()`."""
        match self.receiver:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name.lstrip("_").lower()
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return snake(name.lstrip("_")).removeprefix("get_")
        return ""

    @property
    def arguments(self) -> list[ast.expr]:
        """What it is given by position."""
        return self.node.args if isinstance(self.node, ast.Call) else []

    def first(self, *names: str) -> list[ast.expr]:
        """Return what it is given first, or by one of these keywords, if anything."""
        named = self.keyword(*names)
        return self.arguments[:1] or ([named] if named is not None else [])

    def keyword(self, *names: str) -> ast.expr | None:
        """Return what it is given by the first of these keywords that is there."""
        if isinstance(self.node, ast.Call):
            given = {one.arg: one.value for one in self.node.keywords}
            return next((given[name] for name in names if name in given), None)
        return None

    def names(self, *expressions: ast.expr) -> list[Name]:
        """Return the events that expressions name."""
        return [
            name
            for expression in expressions
            for name in self.resolver.names(expression, self.scope)
        ]

    def leads_to(self) -> list[Target]:
        """Return what the receiver is, as far as the code tells."""
        receiver = self.receiver
        return list(self.resolver.follow(receiver, self.scope)) if receiver else []

    def makers(self) -> list[str]:
        """Return the classes that the receiver is said to be an instance of."""
        return [made for one in self.leads_to() if (made := self.made(one))]

    def made(self, target: Target) -> str | None:
        """Return the class or function that made what a name leads to."""
        match target.node:
            case ast.Call() as call if target.scope is not None:
                return self.resolver.maker(call, target.scope)
            case ast.arg(annotation=ast.expr() as annotation):
                match annotation:
                    case ast.Name(id=name) | ast.Attribute(attr=name):
                        return name
                    case ast.Constant(value=str(name)):
                        return name
        return None


class Detector(Protocol):
    """Knows one library's way to publish and subscribe."""

    #: Methods whose calls it reads: `x.method(...)`.
    methods: frozenset[str]
    #: Decorators it reads that may have neither a dot nor parentheses.
    decorators: frozenset[str]

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Return what a call does; None if it is not this library's."""


def snake(name: str) -> str:
    """Write a class's name as one writes a variable: `EventBus` as `event_bus`."""
    return _HUMP.sub("_", name).lower()
