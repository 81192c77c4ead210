"""
moto at the price of what is touched.

In a transaction it copies the whole table once for each item, with all that its stream
ever held, and every copy is kept; in answers it asks each value for every type that
there is; and being emptied through its API takes 60 ms.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from contextvars import ContextVar
from typing import Any

_in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


def copy_only_what_changes() -> None:
    """Let a transaction's way back be the items that were there, not their copies."""
    from moto.dynamodb.models import DynamoDBBackend, Table

    transact, update = DynamoDBBackend.transact_write_items, DynamoDBBackend.update_item

    def transact_write_items(self: Any, transact_items: Any) -> None:
        token = _in_transaction.set(True)
        try:
            transact(self, transact_items)
        finally:
            _in_transaction.reset(token)

    def update_item(self: Any, table_name: str, key: Any, *args: Any, **more: Any):
        if _in_transaction.get():
            _part(self.get_table(table_name), key)
        return update(self, table_name, key, *args, **more)

    Table.__deepcopy__ = _snapshot  # type: ignore[attr-defined]
    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign]
    DynamoDBBackend.update_item = update_item  # type: ignore[method-assign]


def _snapshot(table: Any, _: Any) -> Any:
    # Made without its constructor, which would keep it for ever.
    kept = object.__new__(type(table))
    kept.__dict__.update(table.__dict__)
    kept.items = defaultdict(dict, {pk: dict(of) for pk, of in table.items.items()})
    shard = object.__new__(type(table.stream_shard))
    shard.__dict__.update(table.stream_shard.__dict__)
    shard.items, shard.table = list(shard.items), kept
    kept.stream_shard = shard
    return kept


def _part(table: Any, key: Any) -> None:
    """Let an update, which changes an item where it is, have one of its own."""
    from moto.dynamodb.models.dynamo_type import DynamoType

    pk, sk = (DynamoType(key[name]) for name in table.table_key_attrs)
    if sk in table.items.get(pk, {}):
        table.items[pk][sk] = copy.deepcopy(table.items[pk][sk])


def answer_with_what_is_there() -> None:
    """Let a value in an answer be asked for the type that it has."""
    from moto.core.serialize import BaseJSONSerializer

    usual = BaseJSONSerializer._serialize_type_structure

    def structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue" or type(value) is not dict:
            usual(self, serialized, value, shape, key)
            return
        typed: dict[str, Any] = {}
        for name in value.keys() & shape.members.keys():
            self._serialize_structure_member(typed, value, shape.members[name], name)
        self._default_serialize(serialized, typed, shape, key)

    BaseJSONSerializer._serialize_type_structure = structure  # type: ignore[method-assign]


def empty(table: str, bucket: str) -> None:
    """Remove every item, stream record, object and message."""
    from moto.dynamodb.models import dynamodb_backends
    from moto.s3.models import s3_backends
    from moto.sqs.models import sqs_backends

    found = _only(dynamodb_backends, lambda region: region.tables.get(table))
    found.items.clear()
    found.stream_shard.items.clear()
    held = _only(s3_backends, lambda region: region.buckets.get(bucket))
    held.keys.clear()
    held.multiparts.clear()
    for queue in _only(sqs_backends, lambda region: region.queues or None).values():
        queue._messages, queue._pending_messages = [], set()
        queue.deleted_messages.clear()


def _only(backends: Any, find: Any) -> Any:
    (account,) = backends.values()
    (found,) = (one for one in map(find, account.values()) if one is not None)
    return found
