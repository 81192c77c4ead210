"""What the classes of events tell: their namespace, and how things went."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eventyard.core.graph.model import UNKNOWN, Diagnostic, EventNode, Site
from eventyard.scanner._files import python_files
from eventyard.scanner._modules import Signature, Unreadable, parse, read, signature_of
from eventyard.scanner._scopes import statements

_ANNOTATION: Final = "__event_annotation__"
_FAILED: Final = frozenset(("failed",))
_REJECTED: Final = frozenset(("rejected", "rejection"))
_ENDS_FAILED: Final = re.compile(r"(?:Failed|Error|(?:^|[._:-])(?:failed|error))$")
_ENDS_REJECTED: Final = re.compile(r"(?:Rejected|(?:^|[._:-])rejected)$")


@dataclass(frozen=True, slots=True)
class Known:
    """What a class of an event tells of it."""

    namespace: str
    at: Site
    failed: bool = False
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class _Said:
    classes: tuple[tuple[str, Known], ...]
    problems: tuple[Diagnostic, ...]


class EventClasses:
    """The classes of events below a folder; a file is read again when it changed."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Signature | None, _Said]] = {}

    def read(
        self, folder: str, shown_from: str
    ) -> tuple[dict[str, Known], list[Diagnostic]]:
        """
        Return what classes tell by their names, and which files could not be read.

        The first folder on the way to a class is its namespace. Files are parsed,
        never imported. Of two classes of one name the first is taken.
        """
        found: dict[str, Known] = {}
        told: list[Diagnostic] = []
        for path in python_files(folder):
            parts = Path(path).relative_to(folder).parts
            namespace = parts[0] if len(parts) > 1 else UNKNOWN
            said = self._said(path, namespace, _shown(path, shown_from))
            for name, known in said.classes:
                found.setdefault(name, known)
            told += said.problems
        return found, told

    def _said(self, path: str, namespace: str, shown: str) -> _Said:
        signature = signature_of(path)
        kept = self._kept.get(path)
        if kept is None or kept[0] != signature:
            kept = signature, _read(path, namespace, shown)
            self._kept[path] = kept
        return kept[1]


def _read(path: str, namespace: str, shown: str) -> _Said:
    try:
        module = parse(path, read(path))
    except Unreadable as problem:
        return _Said((), (problem.at(shown),))
    found = [
        (statement.name, _known(statement, namespace, shown))
        for statement in statements(module.tree.body)
        if isinstance(statement, ast.ClassDef)
    ]
    return _Said(tuple(found), ())


def _known(node: ast.ClassDef, namespace: str, shown: str) -> Known:
    marks = set(_marks(node))
    at = Site(shown, node.lineno)
    return Known(namespace, at, bool(marks & _FAILED), bool(marks & _REJECTED))


def node_of(name: str, known: Known | None) -> EventNode:
    """Return an event's node, with what its class and its name tell."""
    node = EventNode(
        name,
        failed=bool(_ENDS_FAILED.search(name)),
        rejected=bool(_ENDS_REJECTED.search(name)),
        pattern="*" in name,
    )
    if known is None:
        return node
    return replace(
        node,
        namespace=known.namespace,
        failed=node.failed or known.failed,
        rejected=node.rejected or known.rejected,
        at=known.at,
    )


def _marks(node: ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        match made:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=mark))
                | ast.AnnAssign(
                    target=ast.Name(id=name), value=ast.Constant(value=mark)
                )
            ) if name == _ANNOTATION:
                yield str(mark)


def _shown(path: str, start: str) -> str:
    return os.path.relpath(path, start).replace(os.sep, "/")
