"""Keys and items of subscriptions, their counters, their health."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.subscriptions.model import Subscription
from chalicelib.table import Table
from eventyard.core.errors import ConflictError, NotFoundError
from eventyard.core.wire import dumps, loads

Key = tuple[str, str]
_PARTITION: Final = "subscription"
_COUNTS: Final = "subscription-counts"
_HEALTH: Final = "subscription-health"
#: The item whose number changes whenever a subscription does.
VERSION_KEY: Final[Key] = ("version", "subscriptions")
#: So many subscriptions share an item of counters: one write counts for all of them.
_PAGE: Final = 50
#: An update may have 300 operands.
_MOST_AMOUNTS: Final = 90
#: What is counted: events that were to be delivered, and what became of them; and
#: attempts that failed.
COUNTED: Final = (
    "matched",
    "delivered",
    "dead",
    "expired",
    "skipped",
    "repeated",
    "filtered_out",
    "failed",
)
_SETTLED: Final = ("delivered", "dead", "expired", "skipped", "repeated")
#: For each subscription, how much to add to which counter.
Amounts = dict[str, Counter[str]]


@dataclass(slots=True)
class SubscriptionStore:
    """Rows in one partition; every change moves the version after it is written."""

    table: Table
    clock: Callable[[], float] = time.time

    def add(self, subscription: Subscription) -> None:
        """Write a new subscription; whoever reads the version from now on finds it."""
        self.table.put_new(_to_item(subscription))
        self._changed()

    def save(self, subscription: Subscription) -> None:
        """
        Write the next revision of a subscription.

        Raises ConflictError when somebody else changed it in between.
        """
        before = {"revision": subscription.revision - 1}
        item = _to_item(subscription)
        changes = {"doc": item["doc"], "revision": item["revision"]}
        if not self.table.set(_PARTITION, subscription.id, changes, only_if=before):
            raise ConflictError(
                f"The subscription {subscription.id} was changed or removed meanwhile; "
                "read it and try again."
            )
        self._changed()

    def get(self, subscription_id: str) -> Subscription:
        """Read one subscription; raise NotFoundError when there is none."""
        item = self.table.get(_PARTITION, subscription_id)
        if item is None:
            raise NotFoundError(f"There is no subscription {subscription_id}.")
        return from_item(item)

    def remove(self, subscription_id: str) -> bool:
        """Remove a subscription; tell whether it was there."""
        removed = self.table.delete(_PARTITION, subscription_id)
        if removed:
            self._changed()
        return removed

    def all(self) -> Iterator[Subscription]:
        """Yield every subscription in the order of creation."""
        yield from map(from_item, self.table.query(_PARTITION))

    def some(self, after: str | None, limit: int) -> Iterator[Subscription]:
        """Yield some subscriptions from behind an id on."""
        yield from map(
            from_item, self.table.query(_PARTITION, after=after, limit=limit)
        )

    def version(self) -> int:
        """Read the version by itself."""
        return int((self.table.get(*VERSION_KEY) or {}).get("n", 0))

    def next_page(self) -> int:
        """Return the item of counters for one more subscription."""
        made = self.table.add("counter", "subscriptions", n=1)
        return int(made["n"]) // _PAGE

    def _changed(self) -> None:
        self.table.add(*VERSION_KEY, n=1)

    def count(self, amounts: Amounts, pages: Mapping[str, int]) -> None:
        """Add to counters: one call for each 50 subscriptions, about."""
        by_page: dict[int, dict[str, int]] = {}
        for subscription_id, added in amounts.items():
            page = by_page.setdefault(pages[subscription_id], {})
            page |= {f"{subscription_id}_{what}": n for what, n in added.items() if n}
        for number, page in by_page.items():
            names = list(page)
            for start in range(0, len(names), _MOST_AMOUNTS):
                some = {n: page[n] for n in names[start : start + _MOST_AMOUNTS]}
                self.table.add(_COUNTS, f"{number:06d}", **some)

    def count_one(self, subscription: Subscription, **amounts: int) -> None:
        """Add to counters of one subscription."""
        self.count(
            {subscription.id: Counter(amounts)}, {subscription.id: subscription.page}
        )

    def counters(self, subscriptions: Iterable[Subscription]) -> dict[str, Item]:
        """Read the counters of subscriptions: one call for each 100 pages."""
        wanted = list(subscriptions)
        pages = self.table.get_many((_COUNTS, f"{one.page:06d}") for one in wanted)
        return {
            one.id: _counters_in(pages.get((_COUNTS, f"{one.page:06d}"), {}), one.id)
            for one in wanted
        }

    def failing_since(self, subscription_id: str, error: str) -> float:
        """Note a failure; return when the failures without a success began (Unix s)."""
        now = self.clock()
        item = {"pk": _HEALTH, "sk": subscription_id, "since": now, "error": error}
        if self.table.put_new(item):
            return now
        found = self.table.get(_HEALTH, subscription_id) or {}
        return float(found.get("since", now))

    def recovered(self, subscription_id: str) -> None:
        """Forget earlier failures."""
        self.table.delete(_HEALTH, subscription_id)


def row_key(subscription_id: str) -> Key:
    """Return the key of a subscription's row."""
    return _PARTITION, subscription_id


def health_key(subscription_id: str) -> Key:
    """Return the key of what notes that a subscription's target fails."""
    return _HEALTH, subscription_id


def from_item(item: Item) -> Subscription:
    """Read a subscription from its row."""
    return Subscription.from_dict(
        {**loads(item["doc"]), "revision": item["revision"]},
    )


def _to_item(subscription: Subscription) -> Item:
    fields: dict[str, Any] = subscription.to_dict()
    revision = fields.pop("revision")
    # Filters hold what DynamoDB's types would bend, so all of it rests as text.
    return {
        "pk": _PARTITION,
        "sk": subscription.id,
        "doc": dumps(fields),
        "revision": revision,
    }


def _counters_in(page: Item, subscription_id: str) -> Item:
    counted = {what: int(page.get(f"{subscription_id}_{what}", 0)) for what in COUNTED}
    settled = sum(counted[what] for what in _SETTLED)
    return {**counted, "waiting": max(counted["matched"] - settled, 0)}
