"""From routed events to parcels: who wants what, and how much was filtered out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.subscriptions.courier import Courier, Parcel, parcels_of
from chalicelib.subscriptions.model import OWN, RUNNING, Subscription
from chalicelib.subscriptions.store import (
    VERSION_KEY,
    Amounts,
    Key,
    SubscriptionStore,
)
from chalicelib.wire import Placed
from eventyard.core.event import Event
from eventyard.core.matching import Matcher

#: What was filtered out is counted at once for so many subscriptions; where there are
#: more, every ten seconds: a hot topic with thousands would else be mostly counting.
_COUNTED_AT_ONCE: Final = 500
_COUNT_SECONDS: Final = 10.0
View = Callable[[Event], Mapping[str, Any]]


@dataclass(slots=True)
class Wanted:
    """What one batch of events means: who gets what, who wants to be woken, counts."""

    events: dict[str, list[Placed]] = field(default_factory=dict)
    groups: dict[tuple[str, str], None] = field(default_factory=dict)
    amounts: Amounts = field(default_factory=dict)
    filtered: dict[str, int] = field(default_factory=dict)

    def count(self, subscription_id: str, what: str, n: int = 1) -> None:
        """Add to a counter."""
        self.amounts.setdefault(subscription_id, Counter())[what] += n


def is_own(topic: str) -> bool:
    """Tell whether a topic is the platform's own: only who names it is sent it."""
    return topic.startswith(OWN + ".")


@dataclass(slots=True)
class Roster:
    """Every subscription that runs, as of one version, behind one matcher."""

    version: int
    rows: dict[str, Subscription]
    view: View
    matcher: Matcher[str]

    @classmethod
    def of(cls, version: int, every: Iterable[Subscription], view: View) -> Roster:
        """Compile the subscriptions that run."""
        rows = {one.id: one for one in every if one.state == RUNNING}
        matcher = Matcher((one.id, one.topics, one.filter) for one in rows.values())
        return cls(version, rows, view, matcher)

    def wanted(self, events: Iterable[Placed]) -> Wanted:
        """Match events; what has expired is for nobody any more."""
        wanted = Wanted()
        seen: Counter[str] = Counter()
        hits: Counter[str] = Counter()
        now = datetime.now(UTC)
        for placed in events if self.rows else ():
            if placed.event.is_expired(now):
                continue
            matched = self._match(placed, wanted)
            if placed.event.target is None and not is_own(placed.event.type):
                seen[placed.event.type] += 1
                hits.update(matched)
        self._count_filtered(seen, hits, wanted)
        return wanted

    def _match(self, placed: Placed, wanted: Wanted) -> list[str]:
        topic = placed.event.type
        if not self.matcher.considered(topic):
            return []
        matched = self.matcher.match(topic, self.view(placed.event))
        for subscription_id in matched:
            if self._concerns(subscription_id, placed):
                self._take(subscription_id, placed, wanted)
        return matched

    def _concerns(self, subscription_id: str, placed: Placed) -> bool:
        row = self.rows[subscription_id]
        target = placed.event.target
        return (
            placed.place >= row.since
            and target in (None, row.name, row.id)
            and (not is_own(placed.event.type) or row.names_own)
        )

    def _take(self, subscription_id: str, placed: Placed, wanted: Wanted) -> None:
        wanted.count(subscription_id, "matched")
        group = placed.event.attributes.get("group")
        if isinstance(group, str):
            wanted.groups[subscription_id, group] = None
        else:
            wanted.events.setdefault(subscription_id, []).append(placed)

    def _count_filtered(
        self, seen: Counter[str], hits: Counter[str], wanted: Wanted
    ) -> None:
        # By topic rather than by event: thousands may be considered for each.
        considered: Counter[str] = Counter()
        for topic, n in seen.items():
            for subscription_id in self.matcher.considered(topic):
                considered[subscription_id] += n
        for subscription_id, n in considered.items():
            if n > hits[subscription_id]:
                wanted.filtered[subscription_id] = n - hits[subscription_id]


@dataclass(slots=True)
class Dispatcher:
    """The part of routing that is about subscriptions."""

    store: SubscriptionStore
    courier: Courier
    view: View
    clock: Callable[[], float] = time.time
    _roster: Roster | None = None
    _filtered: Counter[str] = field(default_factory=Counter)
    _counted_at: float = 0.0

    def offer(self, events: Sequence[Placed], found: Mapping[Key, Item]) -> None:
        """
        Send each subscription the events it wants, as parcels for the deliverer.

        `found` holds the version as the batch's one read brought it. Doing it again
        is harmless: whoever delivers knows what was delivered.
        """
        roster = self._current(int(found.get(VERSION_KEY, {}).get("n", 0)))
        wanted = roster.wanted(events)
        self.courier.send(
            parcel
            for subscription_id, some in wanted.events.items()
            for parcel in parcels_of(subscription_id, some)
        )
        self.courier.send(
            Parcel(subscription_id, group=group)
            for subscription_id, group in wanted.groups
        )
        self._count(roster, wanted)

    def _count(self, roster: Roster, wanted: Wanted) -> None:
        for subscription_id, n in wanted.filtered.items():
            self._filtered[subscription_id] += n
        due = self.clock() - self._counted_at > _COUNT_SECONDS
        if due or len(self._filtered) <= _COUNTED_AT_ONCE:
            for subscription_id, n in self._filtered.items():
                wanted.count(subscription_id, "filtered_out", n)
            self._filtered.clear()
            self._counted_at = self.clock()
        amounts = {i: n for i, n in wanted.amounts.items() if i in roster.rows}
        if amounts:
            pages = {i: roster.rows[i].page for i in amounts}
            self.store.count(amounts, pages)

    def _current(self, version: int) -> Roster:
        if self._roster is None or self._roster.version != version:
            # No version, no subscription: nothing is read where nobody subscribed.
            every = self.store.all() if version else ()
            self._roster = Roster.of(version, every, self.view)
        return self._roster


def wants(
    subscription: Subscription, view: View, *, ever: bool = False
) -> Callable[[Placed], bool]:
    """
    Return what tells whether one subscription, running or not, wants an event.

    `ever` takes no heed of the place from which its events count.
    """
    since = "" if ever else subscription.since
    alone = Roster.of(0, [replace(subscription, state=RUNNING, since=since)], view)

    def wanted(placed: Placed) -> bool:
        found = alone.wanted([placed])
        return bool(found.events or found.groups)

    return wanted
