"""Dead letters of subscriptions: looked at, sent again, thrown away with a note."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from chalicelib.auth import Principal, fingerprint
from chalicelib.aws import Item
from chalicelib.subscriptions.courier import Courier, Parcel
from chalicelib.subscriptions.model import Subscription
from chalicelib.subscriptions.rows import Row, Rows
from chalicelib.subscriptions.service import SCOPE, Tell
from chalicelib.subscriptions.store import SubscriptionStore, from_item
from chalicelib.subscriptions.store import row_key as subscription_key
from chalicelib.wire import Placed
from eventyard.core import moments
from eventyard.core.errors import EventRouterError, NotFoundError
from eventyard.core.topics import compile_pattern

#: How many letters one call looks at while it searches those of one subscription.
_LOOKED_AT: Final = 2_000
_PAGE: Final = 25


#: Place, `<client id>/<handler>`, key, and who asked for it.
PublishAgain = Callable[[str, str, str, str], None]


@dataclass(frozen=True, slots=True)
class Buried:
    """What a client tells of an event that its handler gave up."""

    event_id: str
    source: str | None
    #: `<client id>/<handler>`.
    subscription: str
    error: str
    attempts: int


@dataclass(slots=True)
class DeadLetterService:
    """The verbs. A letter is known by its event's place and its subscription."""

    store: SubscriptionStore
    rows: Rows
    courier: Courier
    tell: Tell
    #: Returns an event's place by its id and source.
    locate: Callable[[str, str | None], Placed]
    #: Publishes an event once more: its place, for which handler, and a key.
    publish_again: PublishAgain
    clock: Callable[[], float] = time.time

    def bury(self, wish: Buried, by: Principal) -> Row:
        """
        Note that a handler in a client gave an event up; again is once.

        Raises NotFoundError where the caller may not see the event.
        """
        placed = self.locate(wish.event_id, wish.source)
        attempt = {
            "at": moments.at(self.clock()),
            "status": None,
            "error": wish.error,
            "duration_ms": 0,
        }
        row = Row(
            placed.place,
            wish.subscription,
            placed.event.type,
            placed.event.id,
            status="dead",
            tries=wish.attempts,
            attempts=(attempt,),
        )
        if not _visible(row, by):
            # Whoever may not read it is not told that it exists.
            raise NotFoundError(f"There is no event {wish.event_id}.")
        self.rows.write([row])
        return row

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
        clients = [row for row in wanted if row.client is not None]
        again, failed = self._retry_of_clients(clients, by)
        sent, missing = self._retry_of_subscriptions(
            [row for row in wanted if row.client is None]
        )
        if again or sent:
            self.tell("dead_letters.retried", by, _told([*again, *sent]))
        return len(again) + len(sent), [*failed, *missing]

    def _retry_of_clients(
        self, rows: Iterable[Row], by: Principal
    ) -> tuple[list[Row], list[Item]]:
        again: list[Row] = []
        failed: list[Item] = []
        for row in rows:
            try:
                self.publish_again(row.place, row.subscription, _key(row), by.id)
            except EventRouterError as error:
                failed.append({"id": row.id, "reason": error.message})
            else:
                again.append(row)
        self.rows.revive(again)
        return again, failed

    def _retry_of_subscriptions(
        self, wanted: list[Row]
    ) -> tuple[list[Row], list[Item]]:
        keys = {subscription_key(row.subscription) for row in wanted}
        found = self.rows.table.get_many(keys)
        known = {sk: from_item(item) for (_, sk), item in found.items()}
        going = [row for row in wanted if row.subscription in known]
        for start in range(0, len(going), _PAGE):
            self._send(going[start : start + _PAGE], known)
        failed = [row for row in wanted if row.subscription not in known]
        return going, [
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


def _key(row: Row) -> str:
    # The letter, and when it died: dead again, it may be tried again.
    died = row.attempts[-1]["at"] if row.attempts else ""
    return f"retry-{fingerprint(f'{row.id} {died}')}"


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
        "tries": row.tries,
        "attempts": list(row.attempts),
    }


def _visible(row: Row, by: Principal) -> bool:
    allowed = by.topics(SCOPE)
    if allowed is None:
        return True
    return bool(row.type) and any(compile_pattern(p).matches(row.type) for p in allowed)


def _told(rows: list[Row]) -> Item:
    return {"count": len(rows), "ids": [row.id for row in rows[:100]]}
