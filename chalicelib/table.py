"""The one DynamoDB table, in plain Python values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chalicelib._transactions import (
    Change,
    Put,
    Remove,
    ThrottledError,
    Transactions,
    Write,
    condition,
    patiently,
    typed_key,
)
from chalicelib._values import marshal, unmarshal
from chalicelib.aws import Aws, Item, is_condition_failure, is_too_large

__all__ = ["Change", "Put", "Remove", "Table", "ThrottledError", "Write", "patiently"]

_BATCH_WRITE = 25
_BATCH_GET = 100
_ATTEMPTS = 8
#: How long an item outlives its last lease: whoever holds places in it goes on.
_LEASE_TTL = 45 * 86_400


class Table(Transactions):
    """
    Reads and writes items as plain dictionaries.

    Every method is one AWS call unless it says otherwise. Reads are consistent.
    """

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self.name = name

    def put(self, item: Item) -> None:
        """Write the item, replacing one of the same key."""
        self._aws.dynamodb.put_item(TableName=self.name, Item=marshal(item))

    def put_new(self, item: Item) -> bool:
        """Write the item unless its key is taken; tell whether it was written."""
        try:
            self._aws.dynamodb.put_item(
                TableName=self.name,
                Item=marshal(item),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._aws.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def get(self, pk: str, sk: str) -> Item | None:
        """Read one item."""
        found = self._aws.dynamodb.get_item(
            TableName=self.name, Key=typed_key((pk, sk)), ConsistentRead=True
        )
        return unmarshal(found["Item"]) if "Item" in found else None

    def get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Read items by key, those that exist: one call for each 100."""
        wanted = list(dict.fromkeys(keys))
        found: dict[tuple[str, str], Item] = {}
        for start in range(0, len(wanted), _BATCH_GET):
            for item in self._get_batch(wanted[start : start + _BATCH_GET]):
                found[item["pk"], item["sk"]] = item
        return found

    def _get_batch(self, keys: Sequence[tuple[str, str]]) -> Iterator[Item]:
        request: Any = {
            self.name: {
                "Keys": [typed_key(key) for key in keys],
                "ConsistentRead": True,
            }
        }
        for _ in range(_ATTEMPTS):
            answer = self._aws.dynamodb.batch_get_item(RequestItems=request)
            yield from map(unmarshal, answer["Responses"].get(self.name, []))
            request = answer.get("UnprocessedKeys")
            if not request:
                return
        raise ThrottledError

    def put_many(self, items: Iterable[Item]) -> None:
        """Write items without conditions: one call for each 25."""
        wanted = [{"PutRequest": {"Item": marshal(item)}} for item in items]
        for start in range(0, len(wanted), _BATCH_WRITE):
            self._put_batch(wanted[start : start + _BATCH_WRITE])

    def _put_batch(self, requests: list[Any]) -> None:
        request: Any = {self.name: requests}
        for _ in range(_ATTEMPTS):
            answer = self._aws.dynamodb.batch_write_item(RequestItems=request)
            request = answer.get("UnprocessedItems")
            if not request:
                return
        raise ThrottledError

    def query(
        self,
        pk: str,
        *,
        after: str | None = None,
        until: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Item]:
        """
        Read a partition in the order of its sort keys; one call for each page.

        `after` is exclusive, `until` inclusive.
        """
        if until is not None and until < (after or "") + "\x01":
            return  # DynamoDB refuses a range that is none
        request = self._query(pk, after, until, fields)
        request["ScanIndexForward"] = not newest_first
        left = limit
        while left is None or left > 0:
            if left is not None:
                request["Limit"] = left
            page = self._aws.dynamodb.query(**request)
            yield from map(unmarshal, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            left = None if left is None else left - len(page["Items"])

    def newest(
        self, pk: str, cursor: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """
        Read a page of a partition, the last sort key first, and where it goes on.

        The cursor is the last sort key of the page before.
        """
        # One more than asked for tells whether there are more, one is the cursor's.
        found = self.query(pk, until=cursor, newest_first=True, limit=limit + 2)
        fresh = [item for item in found if item["sk"] != cursor]
        more = len(fresh) > limit
        return fresh[:limit], fresh[limit - 1]["sk"] if more else None

    def _query(
        self, pk: str, after: str | None, until: str | None, fields: Sequence[str]
    ) -> Any:
        values: dict[str, Any] = {":pk": pk}
        condition = "pk = :pk"
        if after is not None or until is not None:
            # A key condition takes one range: BETWEEN is inclusive at both ends,
            # so an exclusive start gets the lowest character behind it.
            condition += " AND sk BETWEEN :after AND :until"
            values[":after"] = after + "\x01" if after else "\x01"
            values[":until"] = until if until is not None else "\U0010ffff"
        request: Any = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": marshal(values),
            "ConsistentRead": True,
        }
        if fields:
            request["ProjectionExpression"] = ", ".join(f"#{name}" for name in fields)
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in fields}
        return request

    def add(self, pk: str, sk: str, **amounts: float | set[str]) -> Item:
        """Add to counters, or members to sets, of one item; return it as it is now."""
        names = {f"#{name}": name for name in amounts}
        answer = self._aws.dynamodb.update_item(
            TableName=self.name,
            Key=typed_key((pk, sk)),
            UpdateExpression="ADD " + ", ".join(f"#{n} :{n}" for n in amounts),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=marshal({f":{n}": v for n, v in amounts.items()}),
            ReturnValues="ALL_NEW",
        )
        return unmarshal(answer["Attributes"])

    def tally(self, pk: str, sk: str, amounts: Item, facts: Item) -> bool:
        """
        Add to counters of one item and set attributes beside them, whatever their names.

        False, and nothing is written, when the item would be larger than one may be.
        """
        names = {f"#n{at}": name for at, name in enumerate([*amounts, *facts])}
        values = {
            f":n{at}": value
            for at, value in enumerate([*amounts.values(), *facts.values()])
        }
        each = [f"n{at}" for at in range(len(names))]
        add = ", ".join(f"#{n} :{n}" for n in each[: len(amounts)])
        put = ", ".join(f"#{n} = :{n}" for n in each[len(amounts) :])
        try:
            self._aws.dynamodb.update_item(
                TableName=self.name,
                Key=typed_key((pk, sk)),
                UpdateExpression=(f"ADD {add} " if add else "") + f"SET {put}",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=marshal(values),
            )
        except self._aws.dynamodb.exceptions.ClientError as error:
            if is_too_large(error):
                return False
            raise
        return True

    def discard(self, pk: str, sk: str, **members: set[str]) -> None:
        """Take members out of sets of one item; those that are not there stay so."""
        self._aws.dynamodb.update_item(
            TableName=self.name,
            Key=typed_key((pk, sk)),
            UpdateExpression="DELETE " + ", ".join(f"#{n} :{n}" for n in members),
            ExpressionAttributeNames={f"#{n}": n for n in members},
            ExpressionAttributeValues=marshal({f":{n}": v for n, v in members.items()}),
        )

    def set(
        self, pk: str, sk: str, changes: Item, *, only_if: Item | None = None
    ) -> bool:
        """
        Set attributes of an item that exists; tell whether it was done.

        `only_if` names attributes and the values they must still have; None stands
        for one that must not be there.
        """
        expected = {"pk": pk, **(only_if or {})}
        values = {f":s_{n}": v for n, v in changes.items()}
        values |= {f":c_{n}": v for n, v in expected.items()}
        try:
            self._aws.dynamodb.update_item(
                TableName=self.name,
                Key=typed_key((pk, sk)),
                UpdateExpression="SET " + ", ".join(f"#{n} = :s_{n}" for n in changes),
                ConditionExpression=" AND ".join(map(condition, expected.items())),
                ExpressionAttributeNames={f"#{n}": n for n in {*changes, *expected}},
                ExpressionAttributeValues=marshal(values),
            )
        except self._aws.dynamodb.exceptions.ClientError as error:
            if is_condition_failure(error):
                return False
            raise
        return True

    def put_newer(self, item: Item) -> bool:
        """Write an item unless one is there whose `stamp` is as high or higher."""
        try:
            self._aws.dynamodb.put_item(
                TableName=self.name,
                Item=marshal(item),
                ConditionExpression="attribute_not_exists(pk) OR #stamp < :stamp",
                ExpressionAttributeNames={"#stamp": "stamp"},
                ExpressionAttributeValues=marshal({":stamp": item["stamp"]}),
            )
        except self._aws.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def lease(
        self, pk: str, sk: str, owner: str, now: float, until: float
    ) -> Item | None:
        """
        Take an item for oneself until a moment (Unix s); made if it is not there.

        Returns the item, or None when somebody else has it and their time is not over.
        """
        try:
            answer = self._aws.dynamodb.update_item(
                TableName=self.name,
                Key=typed_key((pk, sk)),
                UpdateExpression="SET #owner = :owner, #until = :until, #ttl = :ttl",
                ConditionExpression=(
                    "attribute_not_exists(#until) OR #until < :now OR #owner = :owner"
                ),
                ExpressionAttributeNames={
                    "#owner": "owner",
                    "#until": "until",
                    "#ttl": "ttl",
                },
                ExpressionAttributeValues=marshal(
                    {
                        ":owner": owner,
                        ":until": until,
                        ":now": now,
                        ":ttl": int(until) + _LEASE_TTL,
                    }
                ),
                ReturnValues="ALL_NEW",
            )
        except self._aws.dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return unmarshal(answer["Attributes"])

    def delete_many(
        self, keys: Iterable[tuple[str, str]], beside: Iterable[Item] = ()
    ) -> None:
        """
        Remove items, those that are there, and write others: one call for each 25.

        What is written comes first.
        """
        wanted: list[Any] = [{"PutRequest": {"Item": marshal(one)}} for one in beside]
        wanted += [{"DeleteRequest": {"Key": typed_key(key)}} for key in keys]
        for start in range(0, len(wanted), _BATCH_WRITE):
            self._put_batch(wanted[start : start + _BATCH_WRITE])

    def delete(self, pk: str, sk: str) -> bool:
        """Remove an item; tell whether there was one."""
        return self.take(pk, sk) is not None

    def take(self, pk: str, sk: str) -> Item | None:
        """Remove an item and return it; of several callers one gets it."""
        answer = self._aws.dynamodb.delete_item(
            TableName=self.name, Key=typed_key((pk, sk)), ReturnValues="ALL_OLD"
        )
        return unmarshal(answer["Attributes"]) if answer.get("Attributes") else None
