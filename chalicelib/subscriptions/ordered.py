"""Ordered groups: one event after the other, and a failing group blocks only itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from chalicelib.aws import Item
from chalicelib.subscriptions.courier import Parcel
from chalicelib.subscriptions.delivery import Deliverer, Ledger
from chalicelib.subscriptions.dispatch import View, wants
from chalicelib.subscriptions.model import RUNNING, Subscription
from chalicelib.subscriptions.rows import ENDS, Row, row_key
from chalicelib.table import Table
from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.errors import NotFoundError
from eventyard.core.event import Event

_WORK_SECONDS: Final = 20.0
_LEASE_SECONDS: Final = 60.0
_BUSY_SECONDS: Final = 1.0
_HELD_SECONDS: Final = 60.0
#: When a group is to be looked at again: failed tries of its first event, seconds.
Wake = tuple[int, float]


@dataclass(slots=True)
class OrderedGroups:
    """
    Delivers the events of a group in the order of the log.

    For each subscription and group an item keeps how far it has come. One function
    holds it at a time; whoever finds it taken leaves a mark there and goes, and the
    holder looks again before it lets go.
    """

    table: Table
    deliverer: Deliverer
    places_after: Callable[[str, str], Iterator[str]]
    view: View
    clock: Callable[[], float] = time.time

    def drain(self, parcel: Parcel) -> None:
        """Deliver what a group has, as far as it goes."""
        try:
            subscription = self.deliverer.store.get(parcel.subscription)
        except NotFoundError:
            return
        group = str(parcel.group)
        if subscription.state != RUNNING:
            self.hold(subscription.id, group)
            return
        key = (f"ordered#{subscription.id}", group)
        owner = uuid4().hex
        if not self._take(key, owner):
            return
        while True:
            item = self.table.add(*key, dirty=0)
            next_wake = self._work(subscription, group, item, parcel)
            if self._let_go(key, owner, item, force=next_wake is not None):
                break
        if next_wake is not None:
            # Only now: while the group was held, the wake would have found it taken.
            self._wake(subscription, group, *next_wake)

    def hold(self, subscription: str, group: str) -> None:
        """Note that a group waits for its subscription to run again."""
        self.table.put(
            {"pk": f"held#{subscription}", "sk": f"group~{group}", "group": group}
        )

    def _take(self, key: tuple[str, str], owner: str) -> bool:
        now = self.clock()
        if self.table.lease(*key, owner, now, now + _LEASE_SECONDS):
            return True
        self.table.add(*key, dirty=1)
        # It may have been let go between the two: then nobody saw the mark.
        return bool(self.table.lease(*key, owner, now, now + _LEASE_SECONDS))

    def _let_go(
        self, key: tuple[str, str], owner: str, item: Item, *, force: bool
    ) -> bool:
        seen = {} if force else {"dirty": item["dirty"]}
        if self.table.set(*key, {"until": 0}, only_if={"owner": owner, **seen}):
            return True
        now = self.clock()
        return not self.table.lease(*key, owner, now, now + _LEASE_SECONDS)

    def _work(
        self, subscription: Subscription, group: str, item: Item, parcel: Parcel
    ) -> Wake | None:
        """Deliver from the cursor on; return when to go on, or None at the end."""
        waits = float(item.get("not_before", 0)) - self.clock()
        if waits > 0 and not parcel.tries:
            return int(item.get("tries", 1)), waits
        until = time.monotonic() + _WORK_SECONDS
        wanted = wants(subscription, self.view)
        start = max(item.get("cursor", ""), _before(subscription.since))
        for place in self.places_after(group, start):
            if time.monotonic() > until:
                return 0, 0.0
            event = self.deliverer.find(place)
            if event is not None and wanted(Placed(place, event)):
                wake = self._deliver(subscription, group, Placed(place, event))
                if wake is not None:
                    return wake
            self._advance(subscription, group, {"cursor": place, "not_before": 0})
        return None

    def _deliver(
        self, subscription: Subscription, group: str, placed: Placed
    ) -> Wake | None:
        """Deliver one event; return when to try again, or None when it is done with."""
        row = self._row(subscription, placed.place, placed.event)
        if row.status in ENDS:
            return None
        wait = self._wait_s(subscription)
        if wait:
            return row.tries, wait
        outcome = self.deliverer.sender.attempt(subscription, [placed], row)
        ledger = Ledger()
        (judged,) = self.deliverer.judge(subscription, [row], outcome, ledger)
        if judged.status == "held":
            self.hold(subscription.id, group)
            ledger.held.clear()
            ledger.rows.append(judged)
        if judged.status == "retrying":
            mark = {"not_before": judged.next_at, "tries": judged.tries}
            self._advance(subscription, group, mark)
        self.deliverer.write(ledger)
        return self._after(judged)

    def _after(self, row: Row) -> Wake | None:
        if row.status in ENDS:
            return None
        if row.status == "held":
            # Nothing to wait for here: running again wakes it.
            return row.tries, _HELD_SECONDS
        return row.tries, float(row.next_at or 0) - self.clock()

    def _row(self, subscription: Subscription, place: str, event: Event) -> Row:
        key = row_key(place, subscription.id)
        found = self.deliverer.rows.read([key]).get(key)
        return found or Row(place, subscription.id, event.type, event.id)

    def _wait_s(self, subscription: Subscription) -> float:
        if subscription.rate_limit is None:
            return 0.0
        wait = self.deliverer.throttle.wait_s(
            subscription.id, 1, subscription.rate_limit
        )
        if wait > _BUSY_SECONDS:
            return wait
        time.sleep(wait)
        return 0.0

    def _wake(
        self, subscription: Subscription, group: str, tries: int, delay_s: float
    ) -> None:
        parcel = Parcel(subscription.id, group=group, tries=tries)
        self.deliverer.courier.send([parcel], max(delay_s, 0))

    def _advance(self, subscription: Subscription, group: str, changes: Item) -> None:
        self.table.set(f"ordered#{subscription.id}", group, changes)


def _before(place: str) -> str:
    return ulid.add(place, -1) if place > ulid.floor(0) else ""
