"""Signals: blinker's, Django's and Celery's."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from eventyard.scanner._names import Name
from eventyard.scanner._targets import Target
from eventyard.scanner.detectors._call import Call, Use

_SENDS: Final = frozenset(("send", "send_async", "send_robust", "asend"))
_NAMED: Final = frozenset(("signal", "NamedSignal"))
_UNNAMED: Final = frozenset(("Signal", "ModelSignal"))


class Signals:
    """`signal("paid").send(...)`, `@paid.connect`, `@receiver(paid)`."""

    methods = _SENDS | {"connect", "connect_via"}
    decorators = frozenset(("connect", "receiver"))

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Read a call of a signal's method, or the decorator that takes signals."""
        if call.method == "receiver":
            return _received(call)
        names = [name for one in call.leads_to() for name in _signal(call, one)]
        if not names:
            return None
        return [Use("publishes" if call.method in _SENDS else "subscribes", names)]


def _received(call: Call) -> Iterable[Use] | None:
    if call.decorated is None or not call.arguments:
        return None
    given = call.arguments[0]
    every = given.elts if isinstance(given, ast.List | ast.Tuple) else [given]
    names = [
        name
        for one in every
        for target in call.resolver.follow(one, call.scope)
        for name in _signal(call, target)
    ]
    return [Use("subscribes", names)] if names else None


def _signal(call: Call, target: Target) -> list[Name]:
    """Return the name of a signal; nothing if it is none."""
    if target.node is None:
        *_, module, name = ("", *target.name.split("."))
        return [name] if module == "signals" else []
    if not isinstance(target.node, ast.Call) or target.scope is None:
        return []
    made = call.resolver.maker(target.node, target.scope)
    if made in _NAMED and target.node.args:
        return call.resolver.names(target.node.args[0], target.scope)
    return [target.last] if made in _UNNAMED and target.last else []
