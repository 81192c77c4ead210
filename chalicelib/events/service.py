"""What can be done with events: publish them, find them, count them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.events.claims import Claim, Claims
from chalicelib.events.log import Commit, EventLog, time_key
from chalicelib.events.publication import (
    PREFIX,
    Draft,
    Published,
    Vet,
    Warnings,
    accept_all,
    digest_of,
    is_reply,
    named,
    published,
)
from chalicelib.telemetry import accepting, count, observe
from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    UnavailableError,
    ValidationError,
)
from eventyard.core.event import Event
from eventyard.core.wire import dumps

#: The most events one commit may hold.
MAX_EVENTS: Final = 100
#: What headers, tags and attributes of one event may weigh, in bytes of JSON.
MAX_ENVELOPE: Final = 32_000
#: What the address of a payload kept elsewhere may have, in characters.
MAX_ADDRESS: Final = 2_048
#: The most bytes of events in one page: Lambda answers with at most 6 MB.
_PAGE_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the log, newest first; `cursor` continues it."""

    events: list[Event]
    cursor: str | None


@dataclass(slots=True)
class EventService:
    """Publishing and reading, over the log and the claims."""

    log: EventLog
    claims: Claims
    #: Takes drafts that have a `deliver_at`, with who published them and which key.
    later: Callable[[Sequence[Draft], str, str | None], list[Published]]
    #: Takes drafts that answer a request, with who published them.
    answer: Callable[[Sequence[Draft], str], list[Published]]
    #: Holds events against the schemas of their topics.
    vet: Vet = accept_all
    #: How many commits one listing looks at before it answers with a cursor.
    looked_at: int = 2_000

    def publish(
        self,
        drafts: Sequence[Draft],
        *,
        by: str,
        idempotency_key: str | None = None,
        vetted: bool = False,
    ) -> list[Published]:
        """
        Append one commit: all of the events, or none.

        One AWS call, unless there is an idempotency key, an event with an id of its
        own, or a payload over 200 KB. A retry with the same key or the same ids
        answers with what the first call made, also when that one died on its way.
        What was `vetted` when it was accepted is not held against schemas again.

        Raises InvalidRequestError, PayloadTooLargeError, ValidationError when an
        enforced schema is violated, or ConflictError when the key was used for
        something else.
        """
        self.check(drafts)
        warned = () if vetted else self._vetted(drafts, by, idempotency_key)
        began = time.perf_counter()
        with accepting([draft.event for draft in drafts]):
            told = self._accept(drafts, by, idempotency_key)
        observe("AcceptDuration", (time.perf_counter() - began) * 1000)
        if not any(warned):
            return told
        return [replace(t, warnings=w) for t, w in zip(told, warned, strict=True)]

    def _accept(
        self, drafts: Sequence[Draft], by: str, idempotency_key: str | None
    ) -> list[Published]:
        if any(is_reply(draft.event.type) for draft in drafts):
            return self.answer(drafts, by)
        if any(draft.deliver_at for draft in drafts):
            return self.later(drafts, by, idempotency_key)
        key = self.log.new_key()
        if idempotency_key is not None:
            return self._publish_keyed(drafts, by, idempotency_key, key)
        return self._commit(drafts, by, key)

    def admit(self, drafts: Sequence[Draft]) -> None:
        """Raise InvalidRequestError unless these may be a commit, by schemas too."""
        self.check(drafts)
        self.vet([draft.event for draft in drafts])

    def _vetted(
        self, drafts: Sequence[Draft], by: str, idempotency_key: str | None
    ) -> Sequence[Warnings]:
        try:
            return self.vet([draft.event for draft in drafts])
        except ValidationError:
            # A retry is answered as its first call was, whatever schema came since.
            if idempotency_key and self.claims.find_key(by, idempotency_key):
                return [()] * len(drafts)
            raise

    def check(self, drafts: Sequence[Draft]) -> None:
        """Raise InvalidRequestError unless these may be a commit."""
        if not 1 <= len(drafts) <= MAX_EVENTS:
            raise InvalidRequestError(
                f"A commit has 1 to {MAX_EVENTS} events, not {len(drafts)}.",
                details={"limit": MAX_EVENTS, "events": len(drafts)},
            )
        for draft in drafts:
            self._check_event(draft.event)

    def _check_event(self, event: Event) -> None:
        if event.dataref is not None:
            self._check_dataref(event.dataref)
        # Every other field is bounded by itself.
        open_fields = [event.headers, event.tags, event.attributes]
        if any(open_fields) and len(dumps(open_fields).encode()) > MAX_ENVELOPE:
            raise PayloadTooLargeError(
                "headers, tags and attributes of one event may have "
                f"{MAX_ENVELOPE} bytes of JSON together."
            )

    def _check_dataref(self, address: str) -> None:
        fault = ""
        if self.log.blobs.holds(address):
            fault = "dataref: this address is the platform's own."
        elif len(address) > MAX_ADDRESS:
            fault = f"dataref must have at most {MAX_ADDRESS} characters"
        if fault:
            raise ValidationError(fault, details={"field": "dataref"})

    def _commit(
        self, drafts: Sequence[Draft], by: str, key: str, *, again: bool = False
    ) -> list[Published]:
        if any(draft.own_id for draft in drafts):
            return self._publish_named(drafts, by, key)
        return self._append(key, named(drafts, key), by, again=again)

    def _append(
        self, key: str, events: Sequence[Event], by: str, *, again: bool = False
    ) -> list[Published]:
        if self.log.append(key, events, by):
            count("EventsAccepted", len(events))
            return [published(event, deduplicated=again) for event in events]
        commit = self.log.get(key)
        if commit is None:
            raise UnavailableError("The log refused a commit that it does not hold.")
        return [published(event, deduplicated=True) for event in commit.events]

    def _publish_keyed(
        self, drafts: Sequence[Draft], by: str, idempotency_key: str, key: str
    ) -> list[Published]:
        claim = self.claims.take_key(by, idempotency_key, key, digest_of(drafts))
        if claim.digest != digest_of(drafts):
            raise ConflictError(
                "This Idempotency-Key was used for other events.",
                code="idempotency_key_reused",
            )
        if claim.mine:
            return self._commit(drafts, by, key)
        commit = self.log.get(claim.commit)
        if commit is not None:
            return self._told_again(drafts, commit)
        return self._finish(claim, drafts, by, key)

    def _told_again(self, drafts: Sequence[Draft], commit: Commit) -> list[Published]:
        given = (p.event for p in commit.placed() if p.event.id == PREFIX + p.place)
        events = [
            self._known(draft.event, commit) if draft.own_id else next(given)
            for draft in drafts
        ]
        return [published(event, deduplicated=True) for event in events]

    def _known(self, event: Event, commit: Commit) -> Event:
        # What had been published before the commit of its call is not in that commit.
        found = _find_in(commit, event)
        return found or self._find(event.id, event.source or "") or event

    def _finish(
        self, claim: Claim, drafts: Sequence[Draft], by: str, key: str
    ) -> list[Published]:
        # The first call died between claim and commit, or is still between them:
        # the same commit key lets only one of the two append. Once it is surely
        # dead, a new key puts the events where readers by cursor still look.
        if not self.claims.is_abandoned(claim):
            return self._commit(drafts, by, claim.commit, again=True)
        if self.claims.take_over(claim, key, claim.digest):
            return self._commit(drafts, by, key)
        raise _busy("these events")

    def _publish_named(
        self, drafts: Sequence[Draft], by: str, key: str
    ) -> list[Published]:
        plan = _Plan(key, digest_of(drafts))
        for index, draft in enumerate(drafts):
            self._place(plan, index, draft)
        told = dict(plan.known)
        if plan.to_append:
            events = named([drafts[index] for index in plan.to_append], plan.key)
            appended = self._append(plan.key, events, by, again=plan.key != key)
            told |= zip(plan.to_append, appended, strict=True)
        return [told[plan.repeats.get(index, index)] for index in range(len(drafts))]

    def _place(self, plan: _Plan, index: int, draft: Draft) -> None:
        event = draft.event
        if not draft.own_id:
            plan.to_append.append(index)
            return
        name = (event.source or "", event.id)
        if name in plan.seen:
            plan.repeats[index] = plan.seen[name]
            return
        plan.seen[name] = index
        claim = self.claims.take_id(*name, plan.key, plan.digest)
        if claim.mine or not self._is_known(plan, index, event, claim):
            plan.claimed = True
            plan.to_append.append(index)

    def _is_known(self, plan: _Plan, index: int, event: Event, claim: Claim) -> bool:
        commit = self.log.get(claim.commit)
        found = _find_in(commit, event)
        if found is not None:
            plan.known[index] = published(found, deduplicated=True)
        elif commit is None and not self.claims.is_abandoned(claim):
            plan.resume(claim, event.id)
        elif not self.claims.take_over(claim, plan.key, plan.digest):
            raise _busy(event.id)
        return found is not None

    def get(self, event_id: str, source: str | None = None) -> Event:
        """
        Return the event with this id, whole.

        An id that its sender chose is unique within a source; without `source`
        the newest is taken. Raises NotFoundError.
        """
        return self.log.whole(self.locate(event_id, source).event)

    def locate(self, event_id: str, source: str | None = None) -> Placed:
        """Return an event with its place in the log; raises NotFoundError."""
        found = self._locate(event_id, source)
        if found is None:
            raise _unknown(event_id)
        return found

    def _find(self, event_id: str, source: str | None) -> Event | None:
        found = self._locate(event_id, source)
        return found.event if found else None

    def _locate(self, event_id: str, source: str | None) -> Placed | None:
        position = event_id.removeprefix(PREFIX)
        if event_id.startswith(PREFIX) and ulid.is_ulid(position):
            found = self.log.find(position)
            if found is not None and found.id == event_id:
                return Placed(position, found)
        for commit_key in sorted(self.claims.commits_of(event_id, source))[::-1]:
            commit = self.log.get(commit_key)
            for placed in commit.placed() if commit else ():
                event = placed.event
                if event.id == event_id and source in (None, event.source or ""):
                    return placed
        return None

    def page(
        self,
        wanted: Callable[[Mapping[str, Any]], bool],
        *,
        since_ms: int,
        until_ms: int | None,
        limit: int,
        cursor: str | None,
    ) -> Page:
        """
        Return events newest first, those whose view is wanted.

        A page may be shorter than `limit`, even empty, and still have a cursor: a
        listing looks at a bounded stretch of the log at a time.
        """
        last_ms = self.log.now_ms() + 1000 if until_ms is None else until_ms
        before = cursor or time_key(last_ms + 1)
        page: list[Event] = []
        size = 0
        for place, event in self._newest(before, since_ms):
            if event is None:
                return Page(page, place)
            whole = self.log.fetched(event)
            if not wanted(whole.view()):
                continue
            size += len(whole.to_json())
            if page and size > _PAGE_BYTES:
                return Page(page, ulid.add(place, 1))
            page.append(whole)
            if len(page) == limit:
                return Page(page, place)
        return Page(page, None)

    def _newest(self, before: str, since_ms: int) -> Iterator[tuple[str, Event | None]]:
        # A place without an event ends the walk: this is as far as one call looks.
        commits = self.log.backward(before, since_ms)
        for looked_at, commit in enumerate(commits, start=1):
            for placed in reversed(commit.placed()):
                place = placed.place
                if place < before and ulid.timestamp_ms(place) >= since_ms:
                    yield place, placed.event
            if looked_at == self.looked_at:
                yield commit.key, None


class _Plan:
    """What a call with own ids appends, under which key, and what is known already."""

    def __init__(self, key: str, digest: str) -> None:
        self.key = key
        self.digest = digest
        self.seen: dict[tuple[str, str], int] = {}
        self.repeats: dict[int, int] = {}
        self.known: dict[int, Published] = {}
        self.to_append: list[int] = []
        self.claimed = False

    def resume(self, claim: Claim, event_id: str) -> None:
        """Go on under the key of a call that has not written its commit (yet)."""
        # Only the very same call may: another one would write a part of the commit
        # in its place, and the first one take that for the whole.
        same = claim.digest == self.digest
        if not same or (self.claimed and claim.commit != self.key):
            raise _busy(event_id)
        self.key = claim.commit


def _unknown(event_id: str) -> NotFoundError:
    return NotFoundError(
        f"There is no event {event_id}, or its retention has ended.",
        details={"event_id": event_id},
    )


def _busy(what: str) -> UnavailableError:
    return UnavailableError(
        f"Another call is publishing {what} just now; try again.",
    )


def _find_in(commit: Commit | None, wanted: Event) -> Event | None:
    same = (
        event
        for event in (commit.events if commit else ())
        if (event.id, event.source) == (wanted.id, wanted.source)
    )
    return next(same, None)
