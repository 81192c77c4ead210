"""Event streams: what happened to one thing, versioned, without a gap, for good."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.events.claims import Claims
from chalicelib.events.log import EventLog
from chalicelib.events.publication import Draft, digest_of, is_reply, named
from chalicelib.table import Table, ThrottledError
from eventyard.core import moments
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    UnavailableError,
)
from eventyard.core.event import Event
from eventyard.core.wire import dumps, loads

#: What one append may weigh: it is in two items of one transaction.
APPEND_LIMIT: Final = 200_000
#: What the state of a snapshot may weigh.
STATE_LIMIT: Final = 350_000
#: So many types of events one stream may have: whoever reads it must see all of them.
MOST_TYPES: Final = 200
_NAME: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,128}")
_LAST: Final = 10**12 - 1
_ATTEMPTS: Final = 12
_PAGE_BYTES: Final = 4_000_000
_SNAPSHOT: Final = "snapshot"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream ends: its version (0: not there), and what it is made of."""

    stream_id: str
    version: int
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Appended:
    """What one append made; `repeated` when an earlier call with the key did."""

    stream_id: str
    events: tuple[Event, ...]
    repeated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the shape the HTTP interface answers with."""
        told = {
            "stream_id": self.stream_id,
            "version": self.events[-1].version,
            "events": [
                {
                    "event_id": event.id,
                    "version": event.version,
                    "timestamp": event.to_dict()["timestamp"],
                }
                for event in self.events
            ],
        }
        return {**told, "deduplicated": True} if self.repeated else told


@dataclass(frozen=True, slots=True)
class StreamPage:
    """A stretch of a stream, oldest first; `next_version` continues it."""

    events: list[Event]
    next_version: int | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be appended, by whom, and at which version the stream must be."""

    drafts: Sequence[Draft]
    by: str
    expected: int | None = None
    idempotency_key: str | None = None


@dataclass(slots=True)
class Streams:
    """
    Streams as items of their own, each written together with its commit in the log.

    An item holds one append under its first version. Whoever appends writes the item
    after the newest one it has read, and only one can: so there is no gap, and no
    version twice.
    """

    table: Table
    log: EventLog
    claims: Claims
    #: Raises InvalidRequestError unless drafts may be a commit.
    check: Callable[[Sequence[Draft]], None]
    sleep: Callable[[float], None] = time.sleep

    def append(self, stream_id: str, wish: Wish) -> Appended:
        """
        Append events, all or none, to the stream and to the log in one transaction.

        Raises ConflictError with `expected` and `actual` when the stream is at
        another version, InvalidRequestError, PayloadTooLargeError, or
        UnavailableError when too many append at the same time.
        """
        _check_name(stream_id)
        self.check(wish.drafts)
        _check_fields(wish.drafts)
        digest = _digest(stream_id, wish)
        for attempt in range(_ATTEMPTS):
            done = self._told_before(wish, digest)
            done = done or self._try(self.head(stream_id), wish, digest)
            if done is not None:
                return done
            self.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))  # noqa: S311
        raise UnavailableError("Too many append to this stream just now; try again.")

    def _told_before(self, wish: Wish, digest: str) -> Appended | None:
        if wish.idempotency_key is None:
            return None
        claim = self.claims.find_key(wish.by, wish.idempotency_key)
        if claim is None:
            return None
        if claim["digest"] != digest:
            raise ConflictError(
                "This Idempotency-Key was used for other events.",
                code="idempotency_key_reused",
            )
        item = self.table.get(_partition(claim["stream_id"]), _sort(claim["first"]))
        if item is None:
            raise UnavailableError("This stream cannot be read just now.")
        return Appended(claim["stream_id"], _events(item), repeated=True)

    def _try(self, head: Head, wish: Wish, digest: str) -> Appended | None:
        if wish.expected not in (None, head.version):
            raise ConflictError(
                f"The stream is at version {head.version}, not {wish.expected}.",
                details={"expected": wish.expected, "actual": head.version},
            )
        key = self.log.new_key()
        events = _versioned(head, named(wish.drafts, key))
        items = [
            self._item(head, key, events, wish.by),
            self.log.item(key, events, wish.by),
        ]
        if wish.idempotency_key is not None:
            claim = self.claims.key_item(wish.by, wish.idempotency_key, key, digest)
            told = {"stream_id": head.stream_id, "first": head.version + 1}
            items.append({**claim, **told})
        try:
            taken = self.table.put_all_new(items)
        except ThrottledError:  # somebody else appends at this very moment
            return None
        return None if taken else Appended(head.stream_id, events, repeated=False)

    def _item(self, head: Head, key: str, events: Sequence[Event], by: str) -> Item:
        text = dumps([event.to_dict() for event in events])
        if len(text.encode()) > APPEND_LIMIT:
            raise PayloadTooLargeError(
                f"One append to a stream may have {APPEND_LIMIT} bytes.",
                details={"limit": APPEND_LIMIT},
            )
        types = head.types | {event.type for event in events}
        if len(types) > MOST_TYPES:
            raise InvalidRequestError(
                f"A stream has at most {MOST_TYPES} types of events."
            )
        return {
            "pk": _partition(head.stream_id),
            "sk": _sort(head.version + 1),
            "n": len(events),
            "types": types,
            "commit": key,
            "by": by,
            "events": text,
        }

    def head(self, stream_id: str) -> Head:
        """Return where a stream ends; version 0 when it is not there."""
        newest = self.table.query(
            _partition(stream_id),
            until=_sort(_LAST),
            newest_first=True,
            limit=1,
            fields=("sk", "n", "types"),
        )
        for item in newest:
            version = int(item["sk"]) + int(item["n"]) - 1
            return Head(stream_id, version, frozenset(item["types"]))
        return Head(stream_id, 0, frozenset())

    def existing(self, stream_id: str) -> Head:
        """Return where a stream ends; raise NotFoundError when it is not there."""
        head = self.head(_check_name(stream_id))
        if head.version == 0:
            raise NotFoundError(
                f"There is no stream {stream_id}.", details={"stream_id": stream_id}
            )
        return head

    def read(self, stream_id: str, first: int, last: int, limit: int) -> StreamPage:
        """Return the events of these versions, both included, oldest first."""
        page: list[Event] = []
        size = 0
        for event in self._from(stream_id, max(first, 1)):
            version = int(event.version or 0)
            if version > last:
                break
            size += len(event.to_json())
            if page and (len(page) == limit or size > _PAGE_BYTES):
                return StreamPage(page, version)
            page.append(event)
        return StreamPage(page, None)

    def _from(self, stream_id: str, first: int) -> Iterator[Event]:
        pk = _partition(stream_id)
        start = first
        # The item that holds a version may begin before it.
        for item in self.table.query(
            pk, until=_sort(first), newest_first=True, limit=1, fields=("sk",)
        ):
            start = int(item["sk"])
        for item in self.table.query(pk, after=_sort(start - 1), until=_sort(_LAST)):
            for event in _events(item):
                if int(event.version or 0) >= first:
                    yield event

    def snapshot(self, stream_id: str) -> Item | None:
        """Return the newest snapshot: `version`, `state` and when it was `taken_at`."""
        item = self.table.get(_partition(stream_id), _SNAPSHOT)
        if item is None:
            return None
        return {
            "stream_id": stream_id,
            "version": item["version"],
            "taken_at": moments.at(item["taken_ms"] / 1000),
            "state": loads(item["state"]),
        }

    def snapshot_version(self, stream_id: str) -> int | None:
        """Return the version of the newest snapshot."""
        rows = self.table.query(
            _partition(stream_id), after=_sort(_LAST), fields=("version",)
        )
        return next((int(row["version"]) for row in rows), None)

    def save_snapshot(self, head: Head, version: int, state: Any) -> None:
        """
        Keep what the events up to a version add up to, in the place of an older one.

        Raises ConflictError when the stream has not come so far, or when a newer one
        is there already, and PayloadTooLargeError.
        """
        if not 1 <= version <= head.version:
            raise ConflictError(
                f"The stream is at version {head.version}, not yet {version}.",
                details={"version": version, "actual": head.version},
            )
        text = dumps(state)
        if len(text.encode()) > STATE_LIMIT:
            raise PayloadTooLargeError(
                f"The state of a snapshot may have {STATE_LIMIT} bytes.",
                details={"limit": STATE_LIMIT},
            )
        fields = {"version": version, "state": text, "taken_ms": self.log.now_ms()}
        self._replace_snapshot(_partition(head.stream_id), fields)

    def _replace_snapshot(self, pk: str, fields: Item) -> None:
        for _ in range(_ATTEMPTS):
            there = self.table.get(pk, _SNAPSHOT)
            if there is None:
                if self.table.put_new({"pk": pk, "sk": _SNAPSHOT, **fields}):
                    return
                continue
            if there["version"] > fields["version"]:
                raise ConflictError(
                    f"There is a snapshot of version {there['version']} already.",
                    details={
                        "version": fields["version"],
                        "snapshot_version": there["version"],
                    },
                )
            same = {"version": there["version"], "taken_ms": there["taken_ms"]}
            if self.table.set(pk, _SNAPSHOT, fields, only_if=same):
                return
        raise UnavailableError("Too many take a snapshot just now; try again.")


def _check_name(stream_id: str) -> str:
    if not _NAME.fullmatch(stream_id):
        raise InvalidRequestError(
            "A stream's id has 1 to 128 letters, digits or any of . _ : @ -",
            details={"field": "stream_id"},
        )
    return stream_id


def _check_fields(drafts: Sequence[Draft]) -> None:
    for index, draft in enumerate(drafts):
        given = {
            "id": draft.own_id,
            "version": draft.event.version is not None,
            "stream_id": "stream_id" in draft.event.attributes,
            "deliver_at": draft.deliver_at is not None,
            "type": is_reply(draft.event.type),
        }
        for name in (name for name, is_there in given.items() if is_there):
            raise InvalidRequestError(
                f"{name}: an event of a stream gets its own, or can have none such.",
                details={"field": name, "index": index},
            )


def _versioned(head: Head, events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(
        event.copy(
            version=head.version + place,
            attributes={**event.attributes, "stream_id": head.stream_id},
        )
        for place, event in enumerate(events, start=1)
    )


def _digest(stream_id: str, wish: Wish) -> str:
    said = f"{stream_id}\n{wish.expected}\n{digest_of(wish.drafts)}"
    return hashlib.sha256(said.encode()).hexdigest()


def _events(item: Item) -> tuple[Event, ...]:
    return tuple(map(Event.from_dict, loads(item["events"])))


def _partition(stream_id: str) -> str:
    return f"stream#{stream_id}"


def _sort(version: int) -> str:
    return f"{version:012d}"
