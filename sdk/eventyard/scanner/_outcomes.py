"""What the classes of events tell: their namespace, and how things went."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eventyard.core.graph.model import UNKNOWN, EventNode, Site
from eventyard.scanner._files import python_files
from eventyard.scanner._modules import Unreadable, parse, read
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


def event_classes(folder: str, shown_from: str) -> dict[str, Known]:
    """
    Read the classes below a folder: the first folder on the way is their namespace.

    Files are parsed, never imported. Of two classes of one name the first is taken.
    """
    found: dict[str, Known] = {}
    for path in python_files(folder):
        parts = Path(path).relative_to(folder).parts
        namespace = parts[0] if len(parts) > 1 else UNKNOWN
        for node in _classes(path):
            at = Site(_shown(path, shown_from), node.lineno)
            marks = set(_marks(node))
            known = Known(namespace, at, bool(marks & _FAILED), bool(marks & _REJECTED))
            found.setdefault(node.name, known)
    return found


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


def _classes(path: str) -> Iterator[ast.ClassDef]:
    try:
        module = parse(path, read(path))
    except Unreadable:
        return
    for statement in statements(module.tree.body):
        if isinstance(statement, ast.ClassDef):
            yield statement


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
    inside = Path(path).is_relative_to(start)
    return Path(path).relative_to(start).as_posix() if inside else Path(path).name
