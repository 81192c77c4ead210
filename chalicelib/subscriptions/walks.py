"""Walks: going through a stretch of the log for one subscription, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.subscriptions.courier import Parcel, parcels_of
from chalicelib.subscriptions.delivery import Deliverer
from chalicelib.subscriptions.dispatch import View, wants
from chalicelib.subscriptions.model import RUNNING, Subscription, covered
from chalicelib.subscriptions.service import SCOPE, Tell
from chalicelib.subscriptions.store import from_item, row_key
from chalicelib.table import Table
from chalicelib.telemetry import log as log_line
from chalicelib.wire import Placed, progress
from eventyard.core import moments, ulid
from eventyard.core.errors import ConflictError, NotFoundError
from eventyard.core.filters import compile_filter
from eventyard.core.matching import Matcher
from eventyard.core.wire import dumps, loads

_PARTITION: Final = "walk"
#: One step takes about so long, or so many events; the next step is another chore.
_STEP_SECONDS: Final = 15.0
_PAGE: Final = 20
#: A dry run counts for at most so long.
_COUNT_SECONDS: Final = 15.0
_TTL_SECONDS: Final = 30 * 86_400
Wanted = Callable[[Placed], bool]


class Commits(Protocol):
    """A commit, as far as a walk must know."""

    def placed(self) -> list[Placed]:
        """Return each event with its place."""
        ...


@dataclass(slots=True)
class Walks:
    """
    Catches subscriptions up, and replays.

    The position is written after what stands before it was handed on, by a
    conditional write: a step that is done twice goes on once. A crash repeats at
    most a page, which whoever delivers recognises.
    """

    table: Table
    deliverer: Deliverer
    through: Callable[[str, str], Iterable[Commits]]
    view: View
    #: Leaves a chore to the queue.
    later: Callable[[Item], None]
    tell: Tell
    clock: Callable[[], float] = time.time

    def begin(self, subscription: Subscription, after: str, until: str) -> Item:
        """Deliver what a subscription wants of the log between two places."""
        return self._start("catch_up", subscription, after, until, {})

    def replay(
        self, subscription: Subscription, wish: Mapping[str, Any], by: Principal
    ) -> Item:
        """
        Deliver events again, in their order, marked as a replay.

        `wish` has the places `after` and `until`, and maybe `topics` and `filter`,
        which narrow what the subscription wants itself. Raises ConflictError unless
        the subscription runs, and SubscriptionError on a bad pattern or filter.
        """
        if subscription.state != RUNNING:
            raise ConflictError(
                f"{subscription.id} is {subscription.state}; resume it first."
            )
        narrowed = {name: wish[name] for name in ("topics", "filter") if name in wish}
        _narrow(narrowed, self.view)  # what makes no sense is refused now
        row = self._start(
            "replay", subscription, wish["after"], wish["until"], narrowed
        )
        self.tell("replay.started", by, show(row))
        return row

    def _start(
        self,
        kind: str,
        subscription: Subscription,
        after: str,
        until: str,
        narrowed: Mapping[str, Any],
    ) -> Item:
        row = {
            "pk": _PARTITION,
            "sk": f"{'rpl' if kind == 'replay' else 'cup'}_{ulid.new_ulid()}",
            "kind": kind,
            "subscription": subscription.id,
            "after": after,
            "until": until,
            "position": after,
            "narrowed": dumps(dict(narrowed)),
            "state": RUNNING,
            "scanned": 0,
            "matched": 0,
            "created_at": self.clock(),
            "ttl": int(self.clock()) + _TTL_SECONDS,
        }
        self.table.put(row)
        self.later({"kind": "walk", "id": row["sk"]})
        return row

    def get(self, walk_id: str) -> Item:
        """Read a walk; raises NotFoundError."""
        row = self.table.get(_PARTITION, walk_id)
        if row is None:
            raise NotFoundError(f"There is no replay {walk_id}.")
        return row

    def all(self, cursor: str | None, limit: int) -> tuple[list[Item], str | None]:
        """Return a page of walks, the newest first."""
        return self.table.newest(_PARTITION, cursor, limit)

    def visible(self, rows: Iterable[Item], by: Principal) -> list[Item]:
        """Return the walks of subscriptions that the caller may see."""
        every = list(rows)
        allowed = by.topics(SCOPE)
        if allowed is None:
            return every
        keys = {row_key(row["subscription"]) for row in every}
        seen = {
            sk
            for (_, sk), item in self.table.get_many(keys).items()
            if covered(from_item(item).topics, allowed) is None
        }
        return [row for row in every if row["subscription"] in seen]

    def cancel(self, walk_id: str, by: Principal) -> Item:
        """Stop a walk at its next page; ConflictError when it has ended."""
        if not self._end(self.get(walk_id), "CANCELLED", None):
            state = self.get(walk_id)["state"]
            raise ConflictError(f"{walk_id} has ended: it is {state}.")
        self.tell("replay.cancelled", by, {"id": walk_id})
        return self.get(walk_id)

    def count(self, subscription: Subscription, wish: Mapping[str, Any]) -> Item:
        """Count what a replay would deliver; `complete` unless it took too long."""
        wanted = self._wanted(subscription, wish, replay=True)
        deadline = time.monotonic() + _COUNT_SECONDS
        scanned = matched = 0
        for placed in self._events(wish["after"], wish["until"]):
            scanned += 1
            matched += wanted(placed)
            if time.monotonic() > deadline:
                return {"scanned": scanned, "matched": matched, "complete": False}
        return {"scanned": scanned, "matched": matched, "complete": True}

    def step(self, chore: Item) -> None:
        """Do one step of a walk, and leave the next one to the queue."""
        row = self.table.get(_PARTITION, chore["id"])
        if row is None or row["state"] != RUNNING:
            return
        try:
            subscription = self.deliverer.store.get(row["subscription"])
        except NotFoundError:
            self._end(row, "CANCELLED", "its subscription is gone")
            return
        if subscription.state != RUNNING:
            self._end(row, "CANCELLED", f"the subscription is {subscription.state}")
            return
        if row["kind"] == "catch_up":
            self._release(subscription)
        self._walk(row, subscription)
        self.deliverer.tally.flush()

    def _walk(self, row: Item, subscription: Subscription) -> None:
        deadline = time.monotonic() + _STEP_SECONDS
        wanted = self._wanted(
            subscription, loads(row["narrowed"]), replay=row["kind"] == "replay"
        )
        for page in _pages(self._events(row["position"], row["until"])):
            chosen = [placed for placed in page if wanted(placed)]
            self._hand_on(row, subscription, chosen)
            row = self._advance(row, page, chosen)
            if row["state"] != RUNNING:
                return
            if time.monotonic() > deadline:
                self.later({"kind": "walk", "id": row["sk"]})
                return
        self._end(row, "DONE", None)

    def _wanted(
        self, subscription: Subscription, narrowed: Mapping[str, Any], *, replay: bool
    ) -> Wanted:
        own = wants(subscription, self.view, ever=replay)
        narrow = _narrow(narrowed, self.view)
        return lambda placed: own(placed) and narrow(placed)

    def _events(self, after: str, until: str) -> Iterator[Placed]:
        for commit in self.through(ulid.floor(ulid.timestamp_ms(after)), until):
            for placed in commit.placed():
                if after < placed.place <= until:
                    yield placed

    def _hand_on(
        self, row: Item, subscription: Subscription, chosen: Sequence[Placed]
    ) -> None:
        if not chosen:
            return
        if row["kind"] == "replay":
            parcel = Parcel(subscription.id, tuple(chosen), replay=row["sk"])
            self.deliverer.deliver([parcel])
            return
        grouped = {_group(placed): None for placed in chosen if _group(placed)}
        loose = [placed for placed in chosen if not _group(placed)]
        courier = self.deliverer.courier
        courier.send(parcels_of(subscription.id, loose))
        courier.send(Parcel(subscription.id, group=group) for group in grouped)
        self.deliverer.store.count_one(subscription, matched=len(chosen))

    def _advance(
        self, row: Item, page: Sequence[Placed], chosen: Sequence[Placed]
    ) -> Item:
        changes = {
            "position": page[-1].place,
            "scanned": row["scanned"] + len(page),
            "matched": row["matched"] + len(chosen),
        }
        before = {"position": row["position"], "state": RUNNING}
        if self.table.set(_PARTITION, row["sk"], changes, only_if=before):
            return {**row, **changes}
        log_line("a walk goes on elsewhere, or was cancelled", walk=row["sk"])
        return {**row, "state": "ELSEWHERE"}

    def _release(self, subscription: Subscription) -> None:
        """Send on what was held while the subscription did not run."""
        rows = self.deliverer.rows
        for items in _pages(rows.held(subscription.id)):
            for item in items:
                self.deliverer.courier.send([_freed(subscription.id, item)])
            rows.unhold(subscription.id, items)

    def _end(self, row: Item, state: str, reason: str | None) -> bool:
        changes = {"state": state, "ended_at": self.clock()}
        if reason:
            changes["reason"] = reason
        same = {"state": RUNNING}
        return self.table.set(_PARTITION, row["sk"], changes, only_if=same)


def show(row: Item) -> Item:
    """Return what people are told of a walk."""
    begun, end = ulid.timestamp_ms(row["after"]), ulid.timestamp_ms(row["until"])
    told = {
        "id": row["sk"],
        "kind": row["kind"],
        "subscription": row["subscription"],
        "state": row["state"],
        "reason": row.get("reason"),
        "from": moments.at(begun / 1000),
        "to": moments.at(end / 1000),
        "scanned": row["scanned"],
        "matched": row["matched"],
        "progress": 1.0 if row["state"] == "DONE" else progress(row),
        "created_at": moments.at(row["created_at"]),
        "ended_at": moments.at(row["ended_at"]) if "ended_at" in row else None,
    }
    return {**told, **loads(row["narrowed"])}


def _group(placed: Placed) -> str | None:
    group = placed.event.attributes.get("group")
    return group if isinstance(group, str) else None


def _freed(subscription_id: str, item: Item) -> Parcel:
    if "group" in item:
        return Parcel(subscription_id, group=item["group"])
    return Parcel(
        subscription_id,
        places=(item["place"],),
        tries=int(item["tries"]),
        replay=item.get("replay"),
    )


def _narrow(narrowed: Mapping[str, Any], view: View) -> Wanted:
    topics = narrowed.get("topics") or ["**"]
    passes = compile_filter(narrowed.get("filter"))
    matcher = Matcher([("all", topics, None)])

    def fits(placed: Placed) -> bool:
        seen = view(placed.event) if narrowed.get("filter") else {}
        return bool(matcher.match(placed.event.type, {})) and passes(seen)

    return fits


def _pages(items: Iterable[Any]) -> Iterator[list[Any]]:
    page: list[Any] = []
    for item in items:
        page.append(item)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page
