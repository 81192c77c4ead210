"""Writes that are done together, or none of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from chalicelib._values import marshal
from chalicelib.aws import Aws, Item
from eventyard.core.errors import UnavailableError

Key = tuple[str, str]
#: DynamoDB takes no more of them at once.
MOST_TOGETHER: Final = 100
_TRIES: Final = 20
Done = TypeVar("Done")


class ThrottledError(UnavailableError):
    """Others are writing the same, or the table has too much to do; try again."""

    code = "busy"


@dataclass(frozen=True, slots=True)
class Put:
    """
    Write an item.

    `only_if` names attributes and the values that they must still have; None stands
    for one that must not be there. `fresh`: its key must not be taken.
    """

    item: Item
    only_if: Item | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """
    Change attributes of an item: set them, add to them, set those not there yet.

    With `only_if`, which may be empty, the item must be there; else it is made.
    """

    key: Key
    sets: Item = field(default_factory=dict)
    adds: Item = field(default_factory=dict)
    firsts: Item = field(default_factory=dict)
    only_if: Item | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove an item; with `only_if`, which may be empty, it must be there."""

    key: Key
    only_if: Item | None = None


Write = Put | Change | Remove


class Transactions:
    """Does several writes at once; one AWS call."""

    name: str
    _aws: Aws

    def write_all(self, writes: Sequence[Write]) -> list[int]:
        """
        Do all of the writes or none; return the indexes of those that may not be.

        Nothing was written unless that is empty. Raises ThrottledError when another
        transaction holds one of the items.
        """
        client = self._aws.dynamodb
        actions: Any = [_action(self.name, write) for write in writes]
        try:
            client.transact_write_items(TransactItems=actions)
        except client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = [reason.get("Code", "None") for reason in reasons]
            if set(codes) - {"None", "ConditionalCheckFailed"}:
                # Another transaction at the same items, or too many of them.
                raise ThrottledError(str(error)) from None
            return [i for i, code in enumerate(codes) if code != "None"]
        return []

    def put_all_new(self, items: Sequence[Item]) -> list[int]:
        """Write items; return the indexes of those whose key is taken, as above."""
        return self.write_all([Put(item, fresh=True) for item in items])

    def advance(
        self,
        item: Item,
        version: int | None,
        *beside: Item,
        gone: Sequence[Key] = (),
    ) -> bool:
        """
        Write an item if its version is still the one expected, and others with it.

        None expects no item. What has the keys `gone` is removed. All is done or
        nothing; False when it has moved on. Raises ThrottledError as above.
        """
        first = (
            Put(item, fresh=True)
            if version is None
            else Put(item, only_if={"version": version})
        )
        return not self.write_all([first, *map(Put, beside), *map(Remove, gone)])

    def move(self, key: Key, item: Item) -> bool:
        """Write an item in the place of another one; False when that is gone."""
        return not self.write_all([Remove(key, only_if={}), Put(item)])


def patiently(
    act: Callable[[], Done | None], sleep: Callable[[float], None], busy: str
) -> Done:
    """
    Do what others may hinder until it is done; None asks to begin again.

    Raises UnavailableError, saying `busy`, when that does not end.
    """
    for attempt in range(_TRIES):
        try:
            done = act()
        except ThrottledError:  # somebody else writes it at this very moment
            done = None
        if done is not None:
            return done
        sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))  # noqa: S311
    raise UnavailableError(busy)


def _action(table: str, write: Write) -> Any:
    match write:
        case Put(item, only_if, fresh):
            action: Item = {"TableName": table, "Item": marshal(item)}
            if fresh:
                return {
                    "Put": {**action, "ConditionExpression": "attribute_not_exists(pk)"}
                }
            return {"Put": {**action, **_conditions(only_if)}}
        case Remove(key, only_if):
            action = {"TableName": table, "Key": typed_key(key)}
            return {"Delete": {**action, **_conditions(_of(key, only_if))}}
        case Change():
            return {"Update": {"TableName": table, **_change(write)}}


def _change(write: Change) -> Item:
    firsts = [f"#{n} = if_not_exists(#{n}, :s_{n})" for n in write.firsts]
    sets = [*(f"#{n} = :s_{n}" for n in write.sets), *firsts]
    adds = [f"#{n} :a_{n}" for n in write.adds]
    parts = [("SET ", sets), ("ADD ", adds)]
    expected = _of(write.key, write.only_if)
    made = _conditions(expected)
    values = {f":s_{n}": v for n, v in {**write.sets, **write.firsts}.items()}
    values |= {f":a_{n}": v for n, v in write.adds.items()}
    names = {*write.sets, *write.firsts, *write.adds}
    return {
        "Key": typed_key(write.key),
        "UpdateExpression": " ".join(a + ", ".join(b) for a, b in parts if b),
        **made,
        "ExpressionAttributeNames": {
            **{f"#{n}": n for n in names},
            **made.get("ExpressionAttributeNames", {}),
        },
        "ExpressionAttributeValues": {
            **marshal(values),
            **made.get("ExpressionAttributeValues", {}),
        },
    }


def _of(key: Key, only_if: Item | None) -> Item | None:
    # An item that is not there has no attributes: that it must be is a condition, too.
    return None if only_if is None else {"pk": key[0], **only_if}


def _conditions(expected: Item | None) -> Item:
    if not expected:
        return {}
    values = marshal({f":c_{n}": v for n, v in expected.items()})
    made: Item = {
        "ConditionExpression": " AND ".join(map(condition, expected.items())),
        "ExpressionAttributeNames": {f"#{n}": n for n in expected},
    }
    return {**made, "ExpressionAttributeValues": values} if values else made


def condition(expected: tuple[str, Any]) -> str:
    """Return the expression that an attribute has a value, or is not there."""
    name, value = expected
    return f"attribute_not_exists(#{name})" if value is None else f"#{name} = :c_{name}"


def typed_key(key: Key) -> Any:
    """Return a key as DynamoDB takes it."""
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
