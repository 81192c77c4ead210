"""Methods of one's own that publish or subscribe on behalf of their callers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eventyard.core.errors import InvalidRequestError
from eventyard.core.graph.model import KINDS, Kind
from eventyard.scanner.detectors._call import Call, Use


class Wrappers:
    """
    `self.audit("key.made")`, where `audit` is said to publish `eventyard.{}`.

    `methods` holds by name `publishes` or `subscribes`, and after it, where the event
    is not what the method is given first, the event with `{}` in the place of that.
    """

    decorators: frozenset[str] = frozenset()

    def __init__(self, methods: Mapping[str, str]) -> None:
        self._does = {name: _read(name, said) for name, said in methods.items()}
        self.methods = frozenset(methods)

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Read a call of one of these methods, whoever's it is."""
        kind, shape = self._does[call.method]
        if "{}" not in shape:
            return [Use(kind, [shape])]
        given = call.first("event", "event_name", "topic", "type", "name")
        names = [name and shape.replace("{}", name) for name in call.names(*given)]
        return [Use(kind, names)]


def _read(method: str, said: str) -> tuple[Kind, str]:
    kind, _, shape = said.partition(" ")
    for known in KINDS:
        if known == kind and method.isidentifier():
            return known, shape.strip() or "{}"
    raise InvalidRequestError(
        f"The wrapper {method!r} must be a method's name with `publishes` or "
        f"`subscribes`, not {said!r}."
    )
