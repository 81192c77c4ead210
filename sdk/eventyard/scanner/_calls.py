"""Which calls of a file are worth a detector's look, found without reading it all."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from eventyard.scanner._modules import Module
from eventyard.scanner._names import Resolver
from eventyard.scanner._scopes import FUNCTIONS, SCOPES, Scope
from eventyard.scanner.detectors._call import Call, Detector

_EVEN_SO: Final = rb"[\s\\]*"


class Finder:
    """
    Finds calls by the names of their methods.

    Regular expressions over the bytes tell whether a file is parsed at all, and
    on which lines of it there is something to see; the rest of the tree is never
    walked.
    """

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self._by_method: dict[str, list[Detector]] = {}
        methods: set[str] = set()
        decorators: set[str] = set()
        for one in detectors:
            methods |= one.methods
            decorators |= one.decorators
            for name in one.methods | one.decorators:
                self._by_method.setdefault(name, []).append(one)
        # Two, not one: an expression that begins with a certain byte is looked for
        # four times as fast.
        self._worth = (
            re.compile(rb"\.%s(?:%s)%s\(" % (_EVEN_SO, _any(methods), _EVEN_SO)),
            re.compile(rb"@[\w. \t]*\b(?:%s)\b" % _any(decorators)),
        )

    def hits(self, data: bytes) -> list[int]:
        """Return the lines, from 1, on which something may be called."""
        # A name may stand lines below its dot; both lie within the call.
        starts = [m.start() for worth in self._worth for m in worth.finditer(data)]
        lines: list[int] = []
        line, last = 1, 0
        for start in sorted(starts):
            line += data.count(b"\n", last, start)
            last = start
            lines.append(line)
        return lines

    def detectors(self, method: str) -> list[Detector]:
        """Return who reads calls of this name, in the order in which they are asked."""
        return self._by_method.get(method, [])

    def calls(
        self, module: Module, lines: list[int], resolver: Resolver
    ) -> Iterator[Call]:
        """Yield the calls on these lines whose name a detector knows."""
        waiting: list[tuple[ast.AST, Scope]] = [(module.tree, module.scope)]
        while waiting:
            node, scope = waiting.pop()
            inside = scope.child(node) if isinstance(node, SCOPES) else scope
            outer = _outside(node) if inside is not scope else ()
            if outer:
                yield from self._decorating(node, scope, resolver)
            for child in ast.iter_child_nodes(node):
                if not _touched(child, lines):
                    continue
                around = scope if child in outer else inside
                if child not in getattr(node, "decorator_list", ()):
                    yield from self._call(child, around, resolver)
                waiting.append((child, around))

    def _decorating(
        self, node: ast.AST, scope: Scope, resolver: Resolver
    ) -> Iterator[Call]:
        for decorator in getattr(node, "decorator_list", ()):
            call = Call(decorator, scope, resolver, node)
            if call.method in self._by_method:
                yield call

    def _call(self, node: ast.AST, scope: Scope, resolver: Resolver) -> Iterator[Call]:
        if isinstance(node, ast.Call):
            call = Call(node, scope, resolver)
            if call.method in self._by_method:
                yield call


def _any(names: set[str]) -> bytes:
    return "|".join(map(re.escape, sorted(names))).encode() or b"(?!)"


def _outside(node: ast.AST) -> list[ast.AST]:
    """Return what of a definition is read where it stands, not within it."""
    if isinstance(node, FUNCTIONS):
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        return [*node.decorator_list, *(one for one in defaults if one is not None)]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases]
    return []


def _touched(node: ast.AST, lines: list[int]) -> bool:
    """Tell whether any of these lines lies within a node."""
    first = getattr(node, "lineno", None)
    if first is None:
        return True
    for decorator in getattr(node, "decorator_list", ()):
        first = min(first, decorator.lineno)
    at = bisect_left(lines, first)
    return at < len(lines) and lines[at] <= node.end_lineno  # type: ignore[attr-defined]
