"""Webhook deliveries: each taken once, and not let go before its work is done."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.pulls.github import Delivery
from chalicelib.table import Table, ThrottledError
from eventyard.core import moments
from eventyard.core.errors import ConflictError, NotFoundError, UnavailableError
from eventyard.core.event import Event

OPEN: Final = "deliveries#open"
DONE: Final = "deliveries#done"
DEAD: Final = "deliveries#dead"
_KEPT_SECONDS: Final = 30 * 86_400
#: So long the queue has before the schedule takes up what it left.
_GRACE_S: Final = 60.0
_FIRST_DELAY_S: Final = 2.0
_LONGEST_DELAY_S: Final = 900.0
MOST_ATTEMPTS: Final = 8
_TAKEN_UP_A_TICK: Final = 200
#: With more than so many messages the queue is behind.
_BUSY: Final = 10
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery: its place in the log, and whether it was known."""

    place: str
    known: bool
    #: Known, and its work is done.
    done: bool = False


@dataclass(slots=True)
class Deliveries:
    """
    The deliveries of GitHub: by identity, so that each is taken once, and by place.

    One transaction holds a delivery's identity, its row in what is open, and the
    commit in the log: there is none without the others. A row leaves what is open
    when its work is done, or when it was tried too often: then it waits, with the
    reason, for somebody to try it again.
    """

    table: Table
    new_key: Callable[[], str]
    #: What appending a commit writes: its key, its events, and who appends.
    log_item: Callable[[str, Sequence[Event], str], Item]
    #: Asks for the work on places of the log to be done.
    send: Callable[[Sequence[str]], None]
    #: How much of what was asked for waits to be begun.
    backlog: Callable[[], int]
    clock: Callable[[], float] = time.time

    def take(self, delivery: Delivery, event: Event, facts: Mapping[str, Any]) -> Taken:
        """
        Append an event to the log, unless its delivery was taken before: one call.

        One that was, and whose work is not done, is worked on again. `facts` are what
        is shown of it. Raises UnavailableError when the table is too busy.
        """
        for _ in range(_TRIES):
            key = self.new_key()
            event.id = f"evt_{key}"
            try:
                taken = self.table.put_all_new(self._items(delivery, key, event, facts))
            except ThrottledError:  # the same delivery comes twice at this very moment
                continue
            return self._known(delivery) if taken else Taken(key, known=False)
        raise UnavailableError("The deliveries are being written; try again.")

    def _items(
        self, delivery: Delivery, key: str, event: Event, facts: Mapping[str, Any]
    ) -> list[Item]:
        now = self.clock()
        pk, sk = _identity(delivery)
        ttl = int(now) + _KEPT_SECONDS
        row = {
            "pk": OPEN,
            "sk": key,
            "processed": False,
            "attempts": 0,
            "received": now,
            "due": now + _GRACE_S,
            "event": delivery.event,
            "delivery": delivery.id,
            "topic": event.type,
            **facts,
        }
        return [
            {"pk": pk, "sk": sk, "place": key, "ttl": ttl},
            row,
            self.log_item(key, [event], "github"),
        ]

    def _known(self, delivery: Delivery) -> Taken:
        found = self.table.get(*_identity(delivery))
        if found is None:
            raise UnavailableError("This delivery is being forgotten; try again.")
        place = str(found["place"])
        waiting = self.table.get_many([(OPEN, place), (DEAD, place)])
        if not waiting:
            return Taken(place, known=True, done=True)
        if (DEAD, place) in waiting:
            self._reopen(waiting[DEAD, place])
        self.send([place])
        return Taken(place, known=True)

    def open_among(self, places: Iterable[str]) -> dict[str, Item]:
        """Return the rows of those places whose work is not done: one call."""
        found = self.table.get_many((OPEN, place) for place in places)
        return {place: row for (_, place), row in found.items()}

    def finish(self, rows: Iterable[Item]) -> None:
        """Note that the work of deliveries is done: one call for each 12."""
        rows = list(rows)
        ttl = int(self.clock()) + _KEPT_SECONDS
        done = [
            {**_told(row), "pk": DONE, "processed": True, "ttl": ttl} for row in rows
        ]
        self.table.delete_many([(OPEN, row["sk"]) for row in rows], beside=done)

    def fail(self, row: Item, reason: str) -> None:
        """Note why the work could not be done; the schedule tries again."""
        changes = {"reason": reason[:500], "due": self._later(int(row["attempts"]))}
        self.table.set(OPEN, row["sk"], changes)

    def _later(self, attempts: int) -> float:
        delay = min(_FIRST_DELAY_S * (1 << attempts), _LONGEST_DELAY_S)
        return self.clock() + delay * random.uniform(0.75, 1.25)  # noqa: S311

    def take_up(self) -> int:
        """
        Send on what was left, oldest first; bury what was tried too often.

        The minute schedule calls it. Returns how many were sent on. While the queue
        itself is behind, nothing is left: it only waits.
        """
        now = self.clock()
        late = (row for row in self.table.query(OPEN) if float(row["due"]) <= now)
        due = list(islice(late, _TAKEN_UP_A_TICK))
        if not due or self.backlog() > _BUSY:
            return 0
        sent = [row["sk"] for row in due if self._counts(row)]
        if sent:
            self.send(sent)
        return len(sent)

    def _counts(self, row: Item) -> bool:
        attempts = int(row["attempts"]) + 1
        if attempts > MOST_ATTEMPTS:
            self._bury(row)
            return False
        changes = {"attempts": attempts, "due": self._later(attempts) + _GRACE_S / 2}
        # Two ticks at once: one of them counts.
        return self.table.set(
            OPEN, row["sk"], changes, only_if={"attempts": row["attempts"]}
        )

    def _bury(self, row: Item) -> None:
        reason = row.get("reason") or "it was begun again and again, and never ended"
        ttl = int(self.clock()) + _KEPT_SECONDS
        dead = {**row, "pk": DEAD, "reason": reason, "ttl": ttl}
        self.table.move((OPEN, row["sk"]), dead)

    def retry(self, place: str) -> None:
        """
        Try a delivery again that was given up, or one that still waits.

        Raises NotFoundError, or ConflictError when its work is done.
        """
        found = self.table.get_many((pk, place) for pk in (OPEN, DEAD, DONE))
        if (DEAD, place) in found:
            self._reopen(found[DEAD, place])
        elif (DONE, place) in found:
            raise ConflictError(f"The work of {place} is done.")
        elif not found:
            raise NotFoundError(f"There is no delivery {place}.")
        self.send([place])

    def _reopen(self, row: Item) -> None:
        fresh = {
            **_told(row),
            "pk": OPEN,
            "attempts": 0,
            "due": self._later(0) + _GRACE_S,
        }
        self.table.move((DEAD, row["sk"]), {**fresh, "processed": False})

    def all(
        self, state: str, cursor: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """Return a page of deliveries in a state, newest first, and where it goes on."""
        return self.table.newest(f"deliveries#{state}", cursor, limit)


def shown(row: Item) -> dict[str, Any]:
    """Return what is told of a delivery."""
    return {
        "id": row["sk"],
        "state": row["pk"].partition("#")[2],
        "event": row["event"],
        "action": row.get("action"),
        "repository": row.get("repository"),
        "delivery": row["delivery"],
        "event_id": f"evt_{row['sk']}",
        "processed": row["processed"],
        "attempts": int(row["attempts"]),
        "received_at": moments.at(float(row["received"])),
        "reason": row.get("reason"),
    }


def _told(row: Item) -> Item:
    return {name: row[name] for name in row if name not in ("due", "reason", "ttl")}


def _identity(delivery: Delivery) -> tuple[str, str]:
    # An id can be sent with another body, and only the body is signed: whoever does
    # that must not make the true one look known.
    name = f"delivery#{delivery.hook}#{delivery.event}#{delivery.id}"
    return name, delivery.digest
