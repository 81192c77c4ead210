"""AWS by boto3: SNS, SQS, EventBridge; and Chalice's triggers."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from eventyard.core.graph.model import Kind
from eventyard.scanner._names import Name
from eventyard.scanner.detectors._call import Call, Use

#: Method -> what it does, and the keywords that say with which topic or queue.
_PLACES: Final[dict[str, tuple[Kind, tuple[str, ...]]]] = {
    "publish": ("publishes", ("TopicArn", "TargetArn")),
    "publish_batch": ("publishes", ("TopicArn",)),
    "send_message": ("publishes", ("QueueUrl",)),
    "send_message_batch": ("publishes", ("QueueUrl",)),
    "receive_message": ("subscribes", ("QueueUrl",)),
    "on_sqs_message": ("subscribes", ("queue", "queue_arn")),
    "on_sns_message": ("subscribes", ("topic",)),
    "on_dynamodb_record": ("subscribes", ("stream_arn",)),
    "on_kinesis_record": ("subscribes", ("stream",)),
}


class Aws:
    """`sns.publish(TopicArn=...)`, `put_events(Entries=[{"DetailType": ...}])`."""

    methods = frozenset((*_PLACES, "put_events"))
    decorators: frozenset[str] = frozenset()

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Read a call that is given what only these services are given."""
        if call.method == "put_events":
            entries = call.keyword("Entries")
            return (
                None if entries is None else [Use("publishes", _types(call, entries))]
            )
        kind, keywords = _PLACES[call.method]
        place = call.keyword(*keywords)
        if place is None:
            return None
        return [Use(kind, [_short(name) for name in call.names(place)])]


def _short(name: Name) -> Name:
    """Return the name of a topic or queue out of its ARN or address."""
    last = name.rpartition("/")[2].rpartition(":")[2] if name else ""
    return last if last.strip("*") else None


def _types(call: Call, entries: ast.expr) -> list[Name]:
    found: list[Name] = []
    for target in call.resolver.follow(entries, call.scope):
        scope = target.scope or call.scope
        for entry in getattr(target.node, "elts", [None]):
            value = _detail_type(entry)
            found += call.resolver.names(value, scope) if value is not None else [None]
    return found


def _detail_type(entry: ast.expr | None) -> ast.expr | None:
    if isinstance(entry, ast.Dict):
        for key, value in zip(entry.keys, entry.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "DetailType":
                return value
    return None
