"""Event emitters in the manner of Node.js: pyee."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from eventyard.core.graph.model import Kind
from eventyard.scanner.detectors._call import Call, Use

_WORDS = frozenset(("ee", "emitter", "event_emitter"))


class Emitters:
    """`ee.on("data", f)`, `@ee.on("data")`, `ee.emit("data")`."""

    methods = frozenset(("on", "once", "emit", "add_listener", "listens_to"))
    decorators: frozenset[str] = frozenset()

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Read a call of an emitter's method."""
        if not _is_emitter(call):
            return None
        event = call.first("event")
        kind: Kind = "publishes" if call.method == "emit" else "subscribes"
        return [Use(kind, call.names(*event))]


def _is_emitter(call: Call) -> bool:
    if call.word in _WORDS or call.word.endswith("_emitter"):
        return True
    if call.word == "self":
        return any(name.endswith("EventEmitter") for name in _bases(call))
    return any(made.endswith("EventEmitter") for made in call.makers())


def _bases(call: Call) -> Iterable[str]:
    owner = call.scope.owner
    for base in getattr(owner.node, "bases", []) if owner else []:
        match base:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
