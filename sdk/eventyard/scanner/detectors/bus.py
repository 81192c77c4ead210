"""Event buses and clients, this package's own among them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final

from eventyard.core.graph.model import Kind
from eventyard.scanner._names import Name
from eventyard.scanner.detectors._call import Call, Use, snake

#: What variables and attributes that hold a bus are called; `*` for any text.
RECEIVERS: Final = (
    "service_bus",
    "event_bus",
    "message_bus",
    "bus",
    "*_bus",
    "client",
    "event_client",
    "router",
    "event_router",
    "publisher",
    "event_publisher",
    "eventyard",
)
_METHODS: Final[dict[str, Kind]] = {
    "publish": "publishes",
    "publish_nowait": "publishes",
    "publish_batch": "publishes",
    "publish_events": "publishes",
    "publish_many": "publishes",
    "emit": "publishes",
    "request": "publishes",
    "subscribe": "subscribes",
    "on": "subscribes",
    "on_pattern": "subscribes",
    "respond": "subscribes",
    "stream": "subscribes",
}
_NAMED_FIRST: Final = (
    "event_name",
    "event_type",
    "topic",
    "topics",
    "type",
    "types",
    "pattern",
    "patterns",
)
#: Words that other things than buses are called by as well: clients of HTTP, say.
_COMMON: Final = frozenset(("client", "router", "publisher"))
_HTTP: Final = frozenset(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
)


class Bus:
    """`bus.publish("order.paid")`, `@client.on("order.*")` and their like."""

    methods = frozenset(_METHODS)
    decorators: frozenset[str] = frozenset()

    def __init__(self, receivers: Iterable[str] = RECEIVERS) -> None:
        patterns = [translate(word.lower()) for word in receivers]
        self._receivers = re.compile("|".join(patterns) or r"(?!)")

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Read a call whose receiver is called, or made, as a bus is."""
        if not self._is_bus(call):
            return None
        given = _naming(call)
        names: list[Name] = call.names(*given)
        if call.method in {"request", "stream"} or call.word in _COMMON:
            names = [name for name in names if _is_event(name, call)]
        return [Use(_METHODS[call.method], names)] if given else []

    def _is_bus(self, call: Call) -> bool:
        if self._receivers.match(call.word):
            return True
        words = {snake(maker) for maker in call.makers()} - _COMMON
        return any(self._receivers.match(word) for word in words)


def _naming(call: Call) -> list[ast.expr]:
    named = call.keyword(*_NAMED_FIRST)
    if named is not None:
        return [named]
    if call.decorated is not None:
        return call.arguments
    if call.arguments:
        return call.arguments[:1]
    event = call.keyword("event", "events")
    return [event] if event is not None else []


def _is_event(name: Name, call: Call) -> bool:
    """Tell an event's name from a method or an address of HTTP."""
    if name is None:
        return call.method not in {"request", "stream", "on"}
    return name.upper() not in _HTTP and "://" not in name and name[0] != "/"
