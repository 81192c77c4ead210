"""Delivery rows: what became of each event for each subscription, try by try."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from chalicelib.aws import Item
from chalicelib.table import Table
from eventyard.core.wire import dumps, loads

Key = tuple[str, str]
#: queued: to be tried, or tried again as soon as it is its turn. held: its
#: subscription does not run. The last four are ends.
Status = Literal[
    "queued", "retrying", "held", "delivered", "dead", "expired", "skipped"
]
ENDS: Final = frozenset({"delivered", "dead", "expired", "skipped"})
_MOST_ATTEMPTS: Final = 20
_DEAD: Final = "dead"
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Row:
    """One event on its way to one subscription; `replay` names another time it went."""

    place: str
    subscription: str
    type: str
    event_id: str
    status: Status = "queued"
    #: Failed attempts in this round; a retry by hand begins a new one.
    tries: int = 0
    #: The last attempts: time, status, error, duration.
    attempts: tuple[Item, ...] = ()
    #: When it is tried again, in Unix seconds.
    next_at: float | None = None
    replay: str | None = None
    updated_at: float = 0.0

    @property
    def key(self) -> Key:
        """Return the key of the row."""
        return row_key(self.place, self.subscription, self.replay)

    @property
    def id(self) -> str:
        """Return what names it to people: of a dead letter, for one."""
        # It stands in addresses, where a slash would part it.
        parts = (self.place, self.subscription.replace("/", "~"), self.replay)
        return "~".join(filter(None, parts))

    @property
    def client(self) -> str | None:
        """Return the id of the client that gave it up; None: it is a subscription's."""
        client, slash, _ = self.subscription.partition("/")
        return client if slash else None

    def attempted(self, attempt: Item) -> Row:
        """Return the row with one more attempt."""
        kept = (*self.attempts, attempt)[-_MOST_ATTEMPTS:]
        return replace(self, attempts=kept)


def row_key(place: str, subscription: str, replay: str | None = None) -> Key:
    """Return the key of a delivery."""
    return f"delivery#{place}", f"{subscription}~{replay}" if replay else subscription


@dataclass(slots=True)
class Rows:
    """
    Delivery rows by event, dead letters in one list, what is held by subscription.

    A dead letter is the same row once more, under the list's partition.
    """

    table: Table
    retention_days: int
    clock: Callable[[], float] = time.time
    _fields: tuple[str, ...] = field(
        default=("place", "subscription", "type", "event_id", "status", "tries")
    )

    def read(self, keys: Iterable[Key]) -> dict[Key, Row]:
        """Read rows by their keys."""
        found = self.table.get_many(keys)
        return {key: from_item(item) for key, item in found.items()}

    def of_event(self, place: str) -> list[Row]:
        """Read what became of one event for everybody."""
        return [from_item(i) for i in self.table.query(f"delivery#{place}")]

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows; dead ones also into the list of dead letters."""
        items = []
        for row in rows:
            item = self._item(row)
            items.append(item)
            if row.status == "dead":
                pk, sk = dead_key(row)
                items.append({**item, "pk": pk, "sk": sk})
        self.table.put_many(items)

    def _item(self, row: Row) -> Item:
        pk, sk = row.key
        now = self.clock()
        return {
            "pk": pk,
            "sk": sk,
            "ttl": int(now) + self.retention_days * _DAY,
            **{name: getattr(row, name) for name in self._fields},
            "attempts": dumps(row.attempts),
            "next_at": row.next_at,
            "replay": row.replay,
            "updated_at": now,
        }

    def hold(self, rows: Iterable[Row]) -> None:
        """Note what waits until its subscription runs again."""
        ttl = int(self.clock()) + self.retention_days * _DAY
        self.table.put_many(
            {
                "pk": f"held#{row.subscription}",
                "sk": row.place + (f"~{row.replay}" if row.replay else ""),
                "place": row.place,
                "replay": row.replay,
                "tries": row.tries,
                "ttl": ttl,
            }
            for row in rows
        )

    def held(self, subscription: str) -> Iterator[Item]:
        """Yield what waits for a subscription, oldest first."""
        yield from self.table.query(f"held#{subscription}")

    def unhold(self, subscription: str, items: Iterable[Item]) -> None:
        """Forget that these wait."""
        self.table.delete_many((f"held#{subscription}", i["sk"]) for i in items)

    def dead_letters(self, before: str | None) -> Iterator[Row]:
        """Yield dead letters, those of the newest events first."""
        for item in self.table.query(_DEAD, until=before, newest_first=True):
            if item["sk"] != before:
                yield from_item(item)

    def count_dead(self, most: int) -> int:
        """Count dead letters, up to so many: one call, which ends where they do."""
        return sum(1 for _ in self.table.query(_DEAD, limit=most, fields=("sk",)))

    def dead_letter(self, dead_id: str) -> Row | None:
        """Read one dead letter."""
        item = self.table.get(_DEAD, dead_id)
        return from_item(item) if item else None

    def dead_letters_named(self, ids: Iterable[str]) -> dict[str, Row]:
        """Read dead letters by their ids, those that are there, in that order."""
        keys = [(_DEAD, dead_id) for dead_id in ids]
        found = self.table.get_many(keys)
        return {key[1]: from_item(found[key]) for key in keys if key in found}

    def revive(self, rows: Iterable[Row]) -> None:
        """Take dead letters off the list."""
        self.table.delete_many(dead_key(row) for row in rows)


def dead_key(row: Row) -> Key:
    """Return the key of a dead letter in its list."""
    return _DEAD, row.id


def from_item(item: Item) -> Row:
    """Read a row."""
    known: dict[str, Any] = {
        name: item[name]
        for name in ("place", "subscription", "type", "event_id", "status", "tries")
    }
    return Row(
        **known,
        attempts=tuple(loads(item["attempts"])),
        next_at=item.get("next_at"),
        replay=item.get("replay"),
        updated_at=float(item["updated_at"]),
    )
