"""Why? Each subscription that wanted an event, and why the others did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.subscriptions.dispatch import View, is_own
from chalicelib.subscriptions.model import OWN, RUNNING, Subscription, covered
from chalicelib.subscriptions.rows import Row, Rows
from chalicelib.subscriptions.service import describe
from chalicelib.subscriptions.store import SubscriptionStore
from chalicelib.wire import Placed
from eventyard.core import moments
from eventyard.core.explain import explain

#: How many that did not match are listed; all are counted.
MOST_UNMATCHED: Final = 200


#: What was asked for at the time of an event is not kept, only what is asked for now.
_CHANGED: Final = (
    "it fits what the subscription asks for now; if that was changed after the event, "
    "it may have been left out"
)


@dataclass(slots=True)
class Tracer:
    """Puts together what the rows say with what the filters say now."""

    store: SubscriptionStore
    rows: Rows
    view: View

    def trace(self, placed: Placed, allowed: Sequence[str] | None) -> Item:
        """
        Tell of each subscription whether it got an event, and of each other why not.

        Only those whose patterns are within the `allowed` ones.
        """
        rows: dict[str, list[Row]] = {}
        for row in self.rows.of_event(placed.place):
            rows.setdefault(row.subscription, []).append(row)
        view = self.view(placed.event)
        matched: list[Item] = []
        unmatched: list[Item] = []
        for subscription in self.store.all():
            own = rows.pop(subscription.id, [])
            if covered(subscription.topics, allowed) is not None:
                continue
            reason = self._why_not(subscription, placed, view)
            if own or reason is None:
                matched += _deliveries(subscription, own)
            else:
                unmatched.append({**_head(subscription), "reason": reason})
        matched += [_removed(row) for own in rows.values() for row in own]
        return {
            "matched": matched,
            "unmatched": unmatched[:MOST_UNMATCHED],
            "unmatched_count": len(unmatched),
        }

    def _why_not(
        self, subscription: Subscription, placed: Placed, view: Mapping[str, Any]
    ) -> Item | None:
        event = placed.event
        miss = explain(subscription.topics, subscription.filter, event.type, view)
        if miss is not None:
            return miss.to_dict()
        if event.target not in (None, subscription.name, subscription.id):
            return _reason(
                {"target": event.target}, f"the event is for {event.target} alone"
            )
        if is_own(event.type) and not subscription.names_own:
            return _reason(
                {"topics": list(subscription.topics)},
                f"the platform's own events go to who names {OWN}.* in topics",
            )
        if placed.place < subscription.since:
            return _reason(
                {"since": subscription.created_at},
                "the event is older than what the subscription asks for",
            )
        return None


def _reason(condition: Item, message: str) -> Item:
    return {"condition": condition, "message": message, "found": None}


def _head(subscription: Subscription) -> Item:
    told = describe(subscription)
    return {
        "subscription": subscription.id,
        "name": subscription.name,
        "topics": told["topics"],
        "filter": told["filter"],
        "target": told["target"]["type"],
    }


def _deliveries(subscription: Subscription, rows: Iterable[Row]) -> list[Item]:
    head = _head(subscription)
    shown = [{**head, **_outcome(row)} for row in rows]
    if shown:
        return shown
    running = subscription.state == RUNNING
    status = "queued" if running else "waiting"
    note = _CHANGED if subscription.revision > 1 else None
    if not running:
        note = f"the subscription is {subscription.state}"
    return [
        {
            **head,
            "outcome": status,
            "note": note,
            "attempts": [],
            "next_attempt_at": None,
            "replay": None,
            "dead_letter": None,
        }
    ]


def _removed(row: Row) -> Item:
    head: Item = {
        "subscription": row.subscription,
        "name": None,
        "topics": [],
        "filter": {},
        "target": "removed",
    }
    return {**head, **_outcome(row)}


def _outcome(row: Row) -> Item:
    at = row.next_at
    return {
        "outcome": row.status,
        "note": None,
        "attempts": list(row.attempts),
        "next_attempt_at": None if at is None else moments.at(at),
        "replay": row.replay,
        "dead_letter": row.id if row.status == "dead" else None,
    }
