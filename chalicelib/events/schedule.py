"""Events that are to be delivered later: kept apart from the log until they are due."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.events.agenda import Agenda
from chalicelib.events.chores import LONGEST_DELAY
from chalicelib.events.claims import ABANDONED_SECONDS, KEY_SECONDS
from chalicelib.events.publication import Draft, Published, digest_of
from chalicelib.events.scheduled import (
    PREFIX,
    SPAN_MS,
    Scheduled,
    commit_key,
    due_event,
    follows_from_ttl,
    id_key,
    index_row,
    keep,
    members_of,
    place_of,
    read_cursor,
    span_key,
    told_of,
    waiting_in,
    write_cursor,
)
from chalicelib.events.service import EventService
from chalicelib.table import Table
from chalicelib.telemetry import log_error
from eventyard.core import ulid
from eventyard.core.errors import (
    ConflictError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from eventyard.core.event import Event
from eventyard.core.wire import dumps

#: How far ahead an event may be scheduled.
MOST_DAYS: Final = 366
_DAY_MS: Final = 86_400_000
#: What is due later than SQS can wait is looked at again so long before.
_AHEAD_MS: Final = 600_000
#: The queue has so long before the agenda steps in for it.
_GRACE_MS: Final = 5_000
_ATTEMPTS: Final = 5
_READ_AT_ONCE: Final = 10
_PAGE_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class SchedulePage:
    """Waiting events, soonest first; `cursor` continues."""

    events: list[Scheduled]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a publisher asks for; `digest` tells a retry from another call."""

    drafts: Sequence[Draft]
    by: str
    idempotency_key: str | None
    at_ms: int
    digest: str


@dataclass(slots=True)
class Schedule:
    """
    Keeps commits until they are due, and then publishes them under their own ids.

    A commit is one item with its state: `waiting`, `delivering`, then `delivered` or
    `cancelled`. Delivering twice is publishing the same ids twice, which is once.
    """

    table: Table
    events: EventService
    agenda: Agenda
    #: Leaves a chore to the queue, after so many seconds.
    send: Callable[[Item, int], None]

    def accept(
        self, drafts: Sequence[Draft], by: str, idempotency_key: str | None
    ) -> list[Published]:
        """
        Keep a commit until its moment; publish it when that is over.

        Raises InvalidRequestError, PayloadTooLargeError above 350 KB, or
        ConflictError when the key or an id stands for something else.
        """
        at_ms = self._moment(drafts)
        if idempotency_key is None and at_ms <= self._now_ms():
            at_once = [replace(draft, deliver_at=None) for draft in drafts]
            return self.events.publish(at_once, by=by, vetted=True)
        digest = hashlib.sha256(f"{at_ms}\n{digest_of(drafts)}".encode()).hexdigest()
        wish = _Wish(drafts, by, idempotency_key, at_ms, digest)
        commit, again = self._keep(self._key(wish), wish)
        if at_ms <= self._now_ms():
            self.deliver(commit["sk"])
            commit = self._commit(commit["sk"]) or commit
        return told_of(commit, deduplicated=again)

    def _now_ms(self) -> int:
        return self.events.log.now_ms()

    def _moment(self, drafts: Sequence[Draft]) -> int:
        given = {draft.deliver_at for draft in drafts}
        (moment, *others) = given
        if others or moment is None:
            raise _fault("must be the same for all events of a commit, or for none")
        at_ms = max(math.ceil(moment.timestamp() * 1000), 0)
        if at_ms > self._now_ms() + MOST_DAYS * _DAY_MS:
            raise _fault(f"must be within {MOST_DAYS} days")
        for draft in drafts:
            lapsed = draft.event.is_expired(moment)
            if lapsed and not follows_from_ttl(draft.event):
                raise _fault("must be before expires_at")
        return at_ms

    def _key(self, wish: _Wish) -> str:
        key = self.events.log.new_key()
        if wish.idempotency_key is not None:
            claim = self.events.claims.take_key(
                wish.by, wish.idempotency_key, key, wish.digest
            )
            if claim.digest != wish.digest:
                raise ConflictError(
                    "This Idempotency-Key was used for other events.",
                    code="idempotency_key_reused",
                )
            key = claim.commit
        # Without a key the first id of a call decides: a retry finds its first call.
        free = wish.idempotency_key is None
        for draft in wish.drafts:
            if draft.own_id:
                key = self._take_id(draft.event, key, wish.at_ms, may_join=free)
                free = False
        return key

    def _take_id(self, event: Event, key: str, at_ms: int, *, may_join: bool) -> str:
        holder = {
            "key": key,
            "taken_ms": self._now_ms(),
            "ttl": at_ms // 1000 + 2 * KEY_SECONDS,
        }
        row = {**id_key(event.id, event.source), **holder}
        if self.table.put_new(row):
            return key
        found = self.table.get(row["pk"], row["sk"]) or row
        held = self._is_held(found)
        if found["key"] == key or (may_join and held):
            return str(found["key"])
        only_if = {"key": found["key"]}
        if held or not self.table.set(row["pk"], row["sk"], holder, only_if=only_if):
            raise ConflictError(
                f"{event.id} is scheduled already, with other events; cancel it first.",
                details={"event_id": event.id},
            )
        return key

    def _is_held(self, row: Item) -> bool:
        commit = self._commit(row["key"])
        if commit is None:  # it is being written just now, or its writer died
            age_ms = self._now_ms() - int(row["taken_ms"])
            return age_ms < ABANDONED_SECONDS * 1000
        return commit["state"] in ("waiting", "delivering")

    def _keep(self, key: str, wish: _Wish) -> tuple[Item, bool]:
        commit = self._new_commit(key, wish)
        due_ms = self._due_ms(wish.at_ms)
        row = self.agenda.row("scheduled", key, due_ms, {"key": key})
        if not self.table.put_all_new([commit, index_row(commit), row]):
            self._announce(key, wish.at_ms)
            return commit, False
        there = self._commit(key)
        if there is None:
            raise UnavailableError("This commit cannot be scheduled just now.")
        if there["digest"] != wish.digest:
            raise ConflictError("An id of these events is scheduled with others.")
        return there, True

    def _new_commit(self, key: str, wish: _Wish) -> Item:
        return {
            **commit_key(key),
            "by": wish.by,
            "digest": wish.digest,
            "at_ms": wish.at_ms,
            "created_ms": self._now_ms(),
            "state": "waiting",
            "revision": 0,
            "events": keep(wish.drafts, key),
            "cancelled": [],
        }

    def _due_ms(self, at_ms: int) -> int:
        soon = at_ms - self._now_ms() <= LONGEST_DELAY * 1000
        return at_ms + _GRACE_MS if soon else at_ms - _AHEAD_MS

    def _announce(self, key: str, at_ms: int) -> None:
        delay = math.ceil((at_ms - self._now_ms()) / 1000)
        if not 0 < delay <= LONGEST_DELAY:
            return
        try:
            self.send({"kind": "scheduled", "key": key}, delay)
        except Exception as error:  # noqa: BLE001 - the agenda has it, a little later
            log_error("a scheduled commit is left to the agenda", error, commit=key)

    def deliver(self, key: str) -> None:
        """Publish a commit that is due; one that is not yet comes again in time."""
        commit = self._commit(key)
        if commit is None:
            return None
        if commit["at_ms"] > self._now_ms():
            due_ms = self._due_ms(commit["at_ms"])
            self.agenda.add("scheduled", key, due_ms, {"key": key})
            self._announce(key, commit["at_ms"])
            return None
        if commit["state"] == "waiting" and not self._change(commit, "delivering"):
            return self.deliver(key)  # something was cancelled just now
        if commit["state"] in ("waiting", "delivering"):
            self.events.publish(self._due(commit), by=commit["by"], vetted=True)
            self._change(self._commit(key) or commit, "delivered")
        self._unlist(commit)
        return None

    def _due(self, commit: Item) -> list[Draft]:
        now = datetime.fromtimestamp(self._now_ms() / 1000, UTC)
        left = (
            one for one in members_of(commit) if one.index not in commit["cancelled"]
        )
        return [Draft(due_event(one.fields, now), own_id=True) for one in left]

    def _change(self, commit: Item, state: str, **more: Any) -> bool:
        finished = state in ("delivered", "cancelled")
        until = self._now_ms() // 1000 + 2 * KEY_SECONDS
        return self.table.set(
            commit["pk"],
            commit["sk"],
            {
                "state": state,
                "revision": commit["revision"] + 1,
                # A retry with its key is told what became of it.
                **({"ttl": until} if finished else {}),
                **more,
            },
            only_if={"revision": commit["revision"]},
        )

    def _unlist(self, commit: Item) -> None:
        row = index_row(commit)
        self.table.delete(row["pk"], row["sk"])

    def _commit(self, key: str) -> Item | None:
        where = commit_key(key)
        return self.table.get(where["pk"], where["sk"])

    def get(self, event_id: str, source: str | None = None) -> Scheduled:
        """Return an event that waits; raise NotFoundError when none of this id does."""
        for commit in self._holding(event_id):
            for one in waiting_in(commit):
                if one.event_id == event_id and source in (None, one.source):
                    return one
        raise NotFoundError(
            f"There is no scheduled event {event_id}: it was published or cancelled, "
            "or never there.",
            details={"event_id": event_id},
        )

    def _holding(self, event_id: str) -> Iterator[Item]:
        place = event_id.removeprefix(PREFIX)
        if event_id.startswith(PREFIX) and ulid.is_ulid(place):
            yield from self.table.query(
                commit_key(place)["pk"], until=place, newest_first=True, limit=1
            )
        for row in self.table.query(id_key(event_id, None)["pk"]):
            commit = self._commit(row["key"])
            if commit is not None:
                yield commit

    def cancel(self, event_id: str, source: str | None = None) -> Scheduled:
        """
        Take one event out of its commit, for good; the others are delivered.

        Raises NotFoundError when it is gone, published or cancelled.
        """
        for _ in range(_ATTEMPTS):
            one = self.get(event_id, source)
            waiting = waiting_in(one.commit)
            left = [o for o in waiting if o.name != one.name]
            gone = one.commit["cancelled"] + [o.index for o in waiting if o not in left]
            state = "waiting" if left else "cancelled"
            if self._change(one.commit, state, cancelled=gone):
                if not left:
                    self._unlist(one.commit)
                return one
        raise UnavailableError("This commit is being changed just now; try again.")

    def page(
        self, visible: Callable[[str], bool], limit: int, cursor: str | None
    ) -> SchedulePage:
        """Return events that wait, soonest first, of the types that are visible."""
        page: list[Scheduled] = []
        size = 0
        after, skipped = read_cursor(cursor)
        for commit in self._soonest_first(after):
            start = skipped if place_of(commit) == after else 0
            for one in waiting_in(commit):
                if one.index < start or not visible(one.fields["type"]):
                    continue
                size += len(dumps(one.fields))
                if page and (size > _PAGE_BYTES or len(page) == limit):
                    return SchedulePage(page, write_cursor(one))
                page.append(one)
        return SchedulePage(page, None)

    def _soonest_first(self, start: str) -> Iterator[Item]:
        now = self._now_ms()
        # What an outage left is still there, and first.
        first = int(start[:13]) if start else now - SPAN_MS
        last = now + (MOST_DAYS + 1) * _DAY_MS
        for span in range(first // SPAN_MS, last // SPAN_MS + 1):
            found = self.table.query(span_key(span), after=start[:-1] or None)
            rows = [row for row in found if row["sk"] >= start]
            for at in range(0, len(rows), _READ_AT_ONCE):
                yield from self._commits(rows[at : at + _READ_AT_ONCE])

    def _commits(self, rows: Sequence[Item]) -> Iterator[Item]:
        keys = [commit_key(row["sk"].partition("#")[2]) for row in rows]
        wanted = [(key["pk"], key["sk"]) for key in keys]
        found = self.table.get_many(wanted)
        yield from (found[key] for key in wanted if key in found)


def _fault(what: str) -> ValidationError:
    return ValidationError(f"deliver_at {what}.", details={"field": "deliver_at"})
