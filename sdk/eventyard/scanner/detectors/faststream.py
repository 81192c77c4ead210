"""FastStream: brokers, and routers of brokers."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from eventyard.core.graph.model import Kind
from eventyard.scanner._names import Name
from eventyard.scanner.detectors._call import Call, Use

_PLACES: Final = (
    "topic",
    "topics",
    "channel",
    "subject",
    "queue",
    "list",
    "stream",
    "pattern",
)
#: What stands around a name to say more of it.
_WRAPPERS: Final = frozenset(
    ("RabbitQueue", "PubSub", "ListSub", "StreamSub", "PullSub", "TopicPartition")
)


class FastStream:
    """`@broker.subscriber("t")`, `@broker.publisher("t")`, `broker.publish(m, "t")`."""

    methods = frozenset(("subscriber", "publisher", "publish", "request"))
    decorators: frozenset[str] = frozenset()

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Read a call of a broker's method."""
        if not _is_broker(call):
            return None
        # Of a message that is published, the place comes second.
        first = 1 if call.method in {"publish", "request"} else 0
        places = call.arguments[first : first + 1] if first else call.arguments
        named = call.keyword(*_PLACES)
        given = [named] if named is not None else places
        kind: Kind = "subscribes" if call.method == "subscriber" else "publishes"
        names = [name for one in given for name in _names(call, one)]
        return [Use(kind, names)] if given else []


def _is_broker(call: Call) -> bool:
    plain = call.method in {"publish", "request"}
    if call.word == "broker" or call.word.endswith("_broker"):
        return True
    if not plain and call.word == "router":
        return True
    return any(made.endswith(("Broker", "Router")) for made in _made(call, plain))


def _made(call: Call, plain: bool) -> list[str]:  # noqa: FBT001
    return [one for one in call.makers() if not plain or one.endswith("Broker")]


def _names(call: Call, given: ast.expr) -> list[Name]:
    match given:
        case ast.Call(func=ast.Name(id=name), args=[one, *_]) if name in _WRAPPERS:
            return call.names(one)
        case ast.Call(func=ast.Name(id=name)) if name.endswith("Exchange"):
            return []
    return call.names(given)
