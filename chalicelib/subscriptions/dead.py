"""Dead letters of subscriptions: looked at, sent again, thrown away with a note."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.subscriptions.courier import Courier, Parcel
from chalicelib.subscriptions.model import Subscription
from chalicelib.subscriptions.rows import Row, Rows
from chalicelib.subscriptions.service import SCOPE, Tell
from chalicelib.subscriptions.store import SubscriptionStore, from_item
from chalicelib.subscriptions.store import row_key as subscription_key
from eventyard.core.errors import NotFoundError
from eventyard.core.topics import compile_pattern

#: How many letters one call looks at while it searches those of one subscription.
_LOOKED_AT: Final = 2_000
_PAGE: Final = 25


@dataclass(slots=True)
class DeadLetterService:
    """The verbs. A letter is known by its event's place and its subscription."""

    store: SubscriptionStore
    rows: Rows
    courier: Courier
    tell: Tell
    clock: Callable[[], float] = time.time

    def page(
        self, by: Principal, subscription: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Row], str | None]:
        """Return letters, of the newest events first; a page may be short."""
        found: list[Row] = []
        for looked_at, row in enumerate(self.rows.dead_letters(cursor), start=1):
            if subscription in (None, row.subscription) and _visible(row, by):
                found.append(row)
            if len(found) == limit or looked_at == _LOOKED_AT:
                return found, row.id
        return found, None

    def get(self, dead_id: str, by: Principal) -> Row:
        """Read one letter with its attempts; raises NotFoundError."""
        row = self.rows.dead_letter(dead_id)
        if row is None or not _visible(row, by):
            raise NotFoundError(f"There is no dead letter {dead_id}.")
        return row

    def chosen(
        self, ids: Iterable[str] | None, subscription: str | None, limit: int
    ) -> tuple[list[Row], list[Item]]:
        """Return letters by id, or up to so many; and why others are not there."""
        if ids is None:
            every = self._of(subscription)
            return [row for row, _ in zip(every, range(limit), strict=False)], []
        wanted = list(dict.fromkeys(ids))
        found = self.rows.dead_letters_named(wanted)
        missing = [
            {"id": dead_id, "reason": f"There is no dead letter {dead_id}."}
            for dead_id in wanted
            if dead_id not in found
        ]
        return list(found.values()), missing

    def _of(self, subscription: str | None) -> Iterator[Row]:
        for row in self.rows.dead_letters(None):
            if subscription in (None, row.subscription):
                yield row

    def retry(self, rows: Iterable[Row], by: Principal) -> tuple[int, list[Item]]:
        """
        Deliver letters again, as if they had never been tried.

        Returns how many are on their way, and why others are not: those stay.
        """
        wanted = list(rows)
        keys = {subscription_key(row.subscription) for row in wanted}
        found = self.rows.table.get_many(keys)
        known = {sk: from_item(item) for (_, sk), item in found.items()}
        going = [row for row in wanted if row.subscription in known]
        for start in range(0, len(going), _PAGE):
            self._send(going[start : start + _PAGE], known)
        if going:
            self.tell("dead_letters.retried", by, _told(going))
        failed = [row for row in wanted if row.subscription not in known]
        return len(going), [
            {"id": row.id, "reason": "Its subscription was removed."} for row in failed
        ]

    def _send(self, rows: list[Row], known: dict[str, Subscription]) -> None:
        fresh = [replace(row, status="queued", tries=0, next_at=None) for row in rows]
        self.rows.write(fresh)
        self.courier.send(
            Parcel(row.subscription, places=(row.place,), replay=row.replay)
            for row in rows
        )
        self.rows.revive(rows)
        for row in rows:
            self.store.count_one(known[row.subscription], dead=-1)

    def purge(self, rows: Iterable[Row], by: Principal) -> int:
        """Throw letters away; the trail and each event's trace keep that they died."""
        gone = list(rows)
        self.rows.revive(gone)
        if gone:
            self.tell("dead_letters.purged", by, _told(gone))
        return len(gone)


def show(row: Row) -> Item:
    """Return what people are told of a dead letter, or of a delivery."""
    last = row.attempts[-1] if row.attempts else {}
    return {
        "id": row.id,
        "event_id": row.event_id,
        "type": row.type,
        "subscription": row.subscription,
        "replay": row.replay,
        "reason": last.get("error"),
        "last_status": last.get("status"),
        "last_attempt_at": last.get("at"),
        "attempts": list(row.attempts),
    }


def _visible(row: Row, by: Principal) -> bool:
    allowed = by.topics(SCOPE)
    if allowed is None:
        return True
    return bool(row.type) and any(compile_pattern(p).matches(row.type) for p in allowed)


def _told(rows: list[Row]) -> Item:
    return {"count": len(rows), "ids": [row.id for row in rows[:100]]}
