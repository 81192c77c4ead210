"""Delivering: attempts, what they mean, and what comes after them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Protocol
from uuid import uuid4

from chalicelib.aws import Item
from chalicelib.subscriptions.courier import Courier, Parcel
from chalicelib.subscriptions.model import RUNNING, Subscription
from chalicelib.subscriptions.rows import ENDS, Row, Rows, row_key
from chalicelib.subscriptions.store import (
    Amounts,
    Key,
    SubscriptionStore,
    from_item,
    health_key,
)
from chalicelib.subscriptions.store import (
    row_key as subscription_key,
)
from chalicelib.subscriptions.throttle import Throttle
from chalicelib.subscriptions.webhook import Outcome
from chalicelib.telemetry import count, observe
from chalicelib.telemetry import log as log_line
from chalicelib.wire import Placed
from eventyard.core import moments, ulid
from eventyard.core.event import Event

#: No attempt begins after this long: a function must end with what it knows.
WORK_SECONDS: Final = 25.0
#: How long a place under a concurrency limit is kept for a function that died.
_LEASE_SECONDS: Final = 60.0
_THREADS: Final = 24
#: So often, a second each, a retry waits for the row of the attempt before it: longer
#: than a function runs.
_MOST_EARLY: Final = 75
#: A turn that comes sooner than this is waited for.
_WAITED_S: Final = 0.5


class Sender(Protocol):
    """Makes one attempt at one target; two kinds of target, two of these."""

    def attempt(
        self, subscription: Subscription, events: Sequence[Placed], first: Row
    ) -> Outcome:
        """Send the events in one request; never raises for what a target does."""
        ...


class Tally(Protocol):
    """Counts what flows; never raises."""

    def delivered(self, agent: str, event: str, place: str | None) -> None:
        """Count one event that arrived; its place tells how late, where that counts."""
        ...

    def failed(self, agent: str, event: str) -> None:
        """Count one attempt that failed."""
        ...

    def flush(self) -> None:
        """Write down what was counted."""
        ...


@dataclass(slots=True)
class Unit:
    """What one request carries, and how it went; without an outcome it was not tried."""

    subscription: Subscription
    parcel: Parcel
    events: list[Placed]
    rows: list[Row]
    outcome: Outcome | None = None


@dataclass(slots=True)
class Ledger:
    """What a batch of deliveries leaves behind, gathered to be written at once."""

    rows: list[Row] = field(default_factory=list)
    held: list[Row] = field(default_factory=list)
    amounts: Amounts = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)

    def count(self, subscription: Subscription, what: str, n: int = 1) -> None:
        """Add to a counter."""
        self.pages[subscription.id] = subscription.page
        self.amounts.setdefault(subscription.id, Counter())[what] += n


@dataclass
class Deliverer:
    """
    Takes parcels, tries them, and writes down what became of each event.

    What comes later is arranged before it is written down that it will come, so a
    crash between repeats an attempt and never loses one.
    """

    store: SubscriptionStore
    rows: Rows
    courier: Courier
    throttle: Throttle
    sender: Sender
    find: Callable[[str], Event | None]
    #: Disables a subscription: its id, and why.
    disable: Callable[[str, str], None]
    tally: Tally
    clock: Callable[[], float] = time.time

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=_THREADS)

    def deliver(self, parcels: Sequence[Parcel]) -> list[Unit]:
        """Deliver parcels; returns what was tried, with its outcome."""
        located = [(parcel, self._located(parcel)) for parcel in parcels]
        found = self._read(located)
        ledger = Ledger()
        seen: set[Key] = set()
        units: list[Unit] = []
        for parcel, events in located:
            item = found.get(subscription_key(parcel.subscription))
            if item is None:
                log_line("its subscription is gone", subscription=parcel.subscription)
                continue
            unit = Unit(from_item(item), parcel, [], [])
            self._sort(unit, events, found, seen, ledger)
            units += [unit] if unit.events else []
        units = self._try_all(self._admitted(units))
        for unit in units:
            failing = health_key(unit.subscription.id) in found
            self._settle(unit, ledger, failing=failing)
        self.write(ledger)
        return units

    def _located(self, parcel: Parcel) -> list[tuple[str, Event | None]]:
        known = [(placed.place, placed.event) for placed in parcel.events]
        return [*known, *((place, self.find(place)) for place in parcel.places)]

    def _read(
        self, located: Iterable[tuple[Parcel, list[tuple[str, Event | None]]]]
    ) -> dict[Key, Item]:
        keys: list[Key] = []
        for parcel, events in located:
            name = parcel.subscription
            keys += [subscription_key(name), health_key(name)]
            keys += [row_key(place, name, parcel.replay) for place, _ in events]
        return self.rows.table.get_many(keys)

    def _sort(
        self,
        unit: Unit,
        events: Iterable[tuple[str, Event | None]],
        found: dict[Key, Item],
        seen: set[Key],
        ledger: Ledger,
    ) -> None:
        now = datetime.fromtimestamp(self.clock(), UTC)
        early: list[str] = []
        for place, event in events:
            row = self._row(unit, place, event, found)
            if row is not None and row.tries < unit.parcel.tries:
                early.append(place)
                continue
            if row is None or row.key in seen:
                ledger.count(unit.subscription, "repeated", int(not unit.parcel.tries))
                continue
            seen.add(row.key)
            if event is None:
                self._lost(unit, row, ledger)
            elif event.is_expired(now):
                ledger.rows.append(replace(row, status="expired", next_at=None))
                ledger.count(unit.subscription, "expired")
            elif unit.subscription.state != RUNNING:
                ledger.held.append(replace(row, status="held", next_at=None))
            else:
                unit.events.append(Placed(place, event))
                unit.rows.append(row)
        if early:
            # What comes next is sent before it is written down that it will come.
            put_off = unit.parcel.of(early, early=unit.parcel.early + 1)
            self.courier.send([put_off], 1)

    def _row(
        self, unit: Unit, place: str, event: Event | None, found: dict[Key, Item]
    ) -> Row | None:
        """Return the row to go on from, or None when somebody else has the event."""
        from chalicelib.subscriptions.rows import from_item as row_from_item

        parcel = unit.parcel
        item = found.get(row_key(place, parcel.subscription, parcel.replay))
        row = row_from_item(item) if item else self._new_row(parcel, place, event)
        if row.status in ENDS or row.tries > parcel.tries:
            return None
        if row.tries < parcel.tries and parcel.early >= _MOST_EARLY:
            # Whoever was to write it is surely dead.
            return replace(row, tries=parcel.tries)
        return row

    def _new_row(self, parcel: Parcel, place: str, event: Event | None) -> Row:
        return Row(
            place,
            parcel.subscription,
            event.type if event else "",
            event.id if event else f"evt_{place}",
            replay=parcel.replay,
        )

    def _lost(self, unit: Unit, row: Row, ledger: Ledger) -> None:
        attempt = self._attempt(
            Outcome(delivered=False, error="the event's retention has ended")
        )
        ledger.rows.append(replace(row.attempted(attempt), status="dead", next_at=None))
        count("EventsDeadLettered")
        ledger.count(unit.subscription, "dead")

    def _admitted(self, units: Iterable[Unit]) -> list[Unit]:
        """Leave out what must wait for its turn; it comes again then."""
        admitted = []
        for unit in units:
            rate = unit.subscription.rate_limit
            if rate is None or unit.parcel.reserved:
                admitted.append(unit)
                continue
            # As many as a second allows go together: a parcel is no licence to burst.
            for piece in _pieces(unit, max(int(rate), 1)):
                name, n = unit.subscription.id, len(piece.events)
                wait = self.throttle.wait_s(name, n, rate)
                if wait > _WAITED_S:
                    self._again(piece, wait, reserved=True)
                else:
                    time.sleep(wait)
                    admitted.append(piece)
        return admitted

    def _again(self, unit: Unit, delay_s: float, **changes: Any) -> None:
        places = [placed.place for placed in unit.events]
        self.courier.send([unit.parcel.of(places, **changes)], delay_s)

    def _try_all(self, admitted: list[Unit]) -> list[Unit]:
        until = time.monotonic() + WORK_SECONDS
        jobs: list[list[Unit]] = []
        for unit in admitted:
            pieces = list(_pieces(unit, unit.subscription.batch_size))
            # One after the other under a limit, and where order counts.
            limited = unit.subscription.concurrency is not None or unit.parcel.replay
            jobs += [pieces] if limited else [[piece] for piece in pieces]
        if len(jobs) == 1:  # no thread for the one event that there mostly is
            self._try(jobs[0], until)
        else:
            list(self._pool.map(lambda job: self._try(job, until), jobs))
        return [unit for job in jobs for unit in job]

    def _try(self, job: list[Unit], until: float) -> None:
        places = job[0].subscription.concurrency
        if places is None:
            self._try_each(job, until)
            return
        name, owner = job[0].subscription.id, uuid4().hex
        place = self.throttle.take_place(name, places, owner, _LEASE_SECONDS)
        if place is None:
            return
        try:
            self._try_each(job, until)
        finally:
            self.throttle.give_back(name, place, owner)

    def _try_each(self, job: list[Unit], until: float) -> None:
        for unit in job:
            if time.monotonic() < until:
                unit.outcome = self.sender.attempt(
                    unit.subscription, unit.events, unit.rows[0]
                )

    def _settle(self, unit: Unit, ledger: Ledger, *, failing: bool) -> None:
        outcome = unit.outcome
        if outcome is None:
            # Not its turn: soon again, at a moment that chance picks for each.
            self._again(unit, 1 + random.random(), reserved=True)  # noqa: S311
            return
        if outcome.delivered and failing:
            self.store.recovered(unit.subscription.id)
        rows = self.judge(unit.subscription, unit.rows, outcome, ledger)
        later = [row.place for row in rows if row.status == "retrying"]
        if later:
            delay = float(rows[0].next_at or 0) - self.clock()
            parcel = unit.parcel.of(later, tries=rows[0].tries, reserved=False)
            self.courier.send([parcel], max(delay, 0))

    def judge(
        self,
        subscription: Subscription,
        rows: Iterable[Row],
        outcome: Outcome,
        ledger: Ledger,
    ) -> list[Row]:
        """Enter into the ledger what an outcome means for its events."""
        observe("DeliveryDuration", outcome.duration_ms)
        if not outcome.delivered:
            self._mind(subscription, outcome)
        judged = [self._judged(subscription, row, outcome) for row in rows]
        for row in judged:
            (ledger.held if row.status == "held" else ledger.rows).append(row)
            if row.status in ENDS:
                ledger.count(subscription, row.status)
            self._tally(subscription, row)
        if not outcome.delivered:
            ledger.count(subscription, "failed", len(judged))
        return judged

    def _tally(self, subscription: Subscription, row: Row) -> None:
        self._measure(row)
        name = subscription.name or subscription.id
        if row.status == "delivered":
            # A replay brings what is old: how late it is says nothing.
            self.tally.delivered(name, row.type, None if row.replay else row.place)
        else:
            self.tally.failed(name, row.type)

    def _measure(self, row: Row) -> None:
        if row.status != "delivered":
            count("DeliveriesFailed")
            count("EventsDeadLettered", int(row.status == "dead"))
            return
        count("EventsDelivered")
        if not row.replay:
            lag_ms = self.clock() * 1000 - ulid.timestamp_ms(row.place)
            observe("DeliveryLag", max(lag_ms, 0))

    def _judged(self, subscription: Subscription, row: Row, outcome: Outcome) -> Row:
        tried = row.attempted(self._attempt(outcome))
        if outcome.delivered:
            return replace(tried, status="delivered", next_at=None)
        tried = replace(tried, tries=row.tries + 1)
        if outcome.gone:
            return replace(tried, status="held", next_at=None)
        if tried.tries >= subscription.attempts_allowed:
            return replace(tried, status="dead", next_at=None)
        wait = _wait_s(subscription, tried.tries, outcome)
        return replace(tried, status="retrying", next_at=self.clock() + wait)

    def _attempt(self, outcome: Outcome) -> Item:
        return {
            "at": moments.at(self.clock()),
            "status": outcome.status,
            "error": outcome.error,
            "duration_ms": outcome.duration_ms,
        }

    def _mind(self, subscription: Subscription, outcome: Outcome) -> None:
        error = str(outcome.error)
        if outcome.gone:
            self.disable(subscription.id, error)
            return
        since = self.store.failing_since(subscription.id, error)
        if self.clock() - since >= subscription.retry.disable_after_s:
            hours = subscription.retry.disable_after_s / 3600
            self.disable(subscription.id, f"no success in {hours:g} hours: {error}")

    def write(self, ledger: Ledger) -> None:
        """Write down what was entered."""
        self.rows.hold(ledger.held)
        self.rows.write([*ledger.rows, *ledger.held])
        if ledger.amounts:
            self.store.count(ledger.amounts, ledger.pages)


def _pieces(unit: Unit, size: int) -> Iterable[Unit]:
    for start in range(0, len(unit.events), size):
        end = start + size
        yield Unit(
            unit.subscription,
            unit.parcel,
            unit.events[start:end],
            unit.rows[start:end],
        )


def _wait_s(subscription: Subscription, tries: int, outcome: Outcome) -> float:
    jitter = subscription.retry.jitter
    planned = subscription.retry.schedule_s[tries - 1]
    spread = planned * random.uniform(1 - jitter, 1 + jitter)  # noqa: S311
    return max(spread, outcome.retry_after_s)
