"""The append-only log of commits: its keys, its items, and how it is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.events.blobs import Blobs, MissingPayloadError
from chalicelib.table import Table
from chalicelib.telemetry import adopt, log_error
from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, PayloadTooLargeError
from eventyard.core.event import Event
from eventyard.core.wire import dumps, loads

#: A partition holds ten minutes: small enough to read whole, and few in a day.
BUCKET_MS: Final = 600_000
DAY_MS: Final = 86_400_000
#: The payload of an event above this goes to S3 by itself ...
PAYLOAD_LIMIT: Final = 200_000
#: ... a commit above this goes there whole (an item may have 400 KB) ...
INLINE_LIMIT: Final = 350_000
#: The sweep ticks from the first minute on: without its checkpoint the log is new,
#: and nothing in it is older than this.
UNCHECKED_MS: Final = 3_600_000
#: Up to so many buckets are read one by one, whether they hold anything or not.
_WALKED: Final = 6
_SHARD_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Commit:
    """What one publish call appended; `key` is the ULID of its first event."""

    key: str
    events: tuple[Event, ...]

    def placed(self) -> list[Placed]:
        """Return each event with its own place in the log."""
        return [
            Placed(ulid.add(self.key, index), event)
            for index, event in enumerate(self.events)
        ]


@dataclass(frozen=True)
class Written:
    """What the sweep needs to know of a commit: its key and its count of events."""

    key: str
    events: int


def bucket_of(ms: int) -> int:
    """Return the number of the ten-minute bucket that a moment falls into."""
    return ms // BUCKET_MS


def time_key(ms: int) -> str:
    """Return the place in the log before everything of that millisecond."""
    return ulid.floor(max(ms, 0))


def place_before(ms: int) -> str:
    """Return the last place that is older than a millisecond."""
    first = time_key(ms)
    return first if first == ulid.floor(0) else ulid.add(first, -1)


@dataclass
class EventLog:
    """
    Commits in DynamoDB, in partitions by time and shard, sorted by ULID.

    One append is one call. Large payloads rest in S3 and come back unasked.
    """

    table: Table
    blobs: Blobs
    shards: int
    retention_days: int
    clock: Callable[[], float] = time.time
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        """Attach the directory, which lives in the same table."""
        self.directory = Directory(self.table, self.retention_days)

    def now_ms(self) -> int:
        """Return the time in Unix milliseconds."""
        return int(self.clock() * 1000)

    def new_key(self) -> str:
        """Make the key of a commit that is about to be written."""
        return ulid.new_ulid(self.now_ms())

    def partition(self, key: str) -> str:
        """Return the partition of a commit or event by its ULID."""
        # The first random character is the same for all events of a commit.
        shard = _SHARD_ALPHABET.index(key[10]) % self.shards
        return _partition(bucket_of(ulid.timestamp_ms(key)), shard)

    def append(self, key: str, events: Sequence[Event], by: str) -> bool:
        """
        Write a commit; one call while its payloads are within 200 KB.

        Returns False, and writes nothing, when a commit of this key is there.
        """
        return self.table.put_new(self.item(key, events, by))

    def item(self, key: str, events: Sequence[Event], by: str) -> Item:
        """Return what `append` writes, for those who write it together with more."""
        # Also what is told of a request belongs to the trace of that request.
        adopt(events)
        return {
            "pk": self.partition(key),
            "sk": key,
            "n": len(events),
            "by": by,
            "ttl": int(self.clock()) + self.retention_days * 86_400,
            **self._body(key, events),
        }

    def _body(self, key: str, events: Sequence[Event]) -> Item:
        text = dumps([event.to_dict() for event in events])
        if _size(text) <= PAYLOAD_LIMIT:
            return {"events": text}
        stored = [self._store_large(ulid.add(key, i), e) for i, e in enumerate(events)]
        text = dumps([event.to_dict() for event in stored])
        if _size(text) <= INLINE_LIMIT:
            return {"events": text}
        return {"blob": self.blobs.put(key, text)}

    def _store_large(self, position: str, event: Event) -> Event:
        # What travels beside a payload counts too: a message has one limit for both.
        if _size(event.to_json()) <= PAYLOAD_LIMIT:
            return event
        if event.dataref is not None:
            raise PayloadTooLargeError(
                f"An event above {PAYLOAD_LIMIT} bytes cannot have a dataref of its own."
            )
        address = self.blobs.put(position, dumps(event.payload))
        return event.copy(payload=None, dataref=address)

    def decode(self, item: Item) -> Commit:
        """Read a commit from its item; payloads in S3 are left there."""
        if not ulid.is_ulid(item["sk"]):
            raise ValueError(f"{item['sk']!r:.60} is no key of a commit")
        text = item["events"] if "events" in item else self.blobs.get(item["blob"])
        return Commit(item["sk"], tuple(map(Event.from_dict, loads(text))))

    def whole(self, event: Event) -> Event:
        """Return the event with its payload fetched, should that rest in S3."""
        if not self.blobs.holds(event.dataref):
            return event
        payload = loads(self.blobs.get(str(event.dataref)))
        return event.copy(payload=payload, dataref=None)

    def fetched(self, event: Event) -> Event:
        """Return the event as whole as it still is."""
        # The bucket's retention may end a little earlier than the table's: whoever
        # asks for this one event is told, all others must not fail of it.
        try:
            return self.whole(event)
        except MissingPayloadError as error:
            log_error("a payload is missing", error, event=event.id)
            return event

    def get(self, key: str) -> Commit | None:
        """Read the commit of this key."""
        item = self.table.get(self.partition(key), key)
        return self.decode(item) if item else None

    def find(self, position: str) -> Event | None:
        """Read the event at this place in the log: one call."""
        for item in self._at(position):
            for placed in self.decode(item).placed():
                if placed.place == position:
                    return placed.event
        return None

    def holding(self, places: Iterable[str]) -> Iterator[Commit]:
        """Yield the commits that hold these places, oldest first: one call for each."""
        last = ""
        for place in sorted(places):
            if place > last:
                for commit in self._readable(self._at(place)):
                    last = ulid.add(commit.key, len(commit.events) - 1)
                    yield commit

    def _at(self, place: str) -> Iterator[Item]:
        return self.table.query(
            self.partition(place), until=place, newest_first=True, limit=1
        )

    def written(self, after: str, until: str) -> Iterator[Written]:
        """Yield the keys of the commits in a stretch of the log, bucket by bucket."""
        for partition in self._partitions(after, until):
            for item in self.table.query(
                partition, after=after, until=until, fields=("sk", "n")
            ):
                yield Written(item["sk"], item["n"])

    def forward(self, after: str, until: str) -> Iterator[Commit]:
        """Yield the commits after one place up to another, oldest first."""
        for bucket in self._holding(after, until):
            parts = [
                self.table.query(_partition(bucket, shard), after=after, until=until)
                for shard in range(self.shards)
            ]
            yield from self._readable(_merge(parts, newest_first=False))

    def read_each(self, keys: Iterable[str]) -> Iterator[Commit]:
        """Yield the commits of these keys that there are: one call for each."""
        for key in keys:
            item = self.table.get(self.partition(key), key)
            yield from self._readable([item] if item else [])

    def backward(self, before: str, since_ms: int) -> Iterator[Commit]:
        """Yield the commits up to a place, newest first, back to a moment."""
        newest = min(ulid.timestamp_ms(before), self.now_ms() + BUCKET_MS)
        for bucket in self.directory.newest_first(newest, since_ms, self.now_ms()):
            parts = [
                self.table.query(
                    _partition(bucket, shard), until=before, newest_first=True
                )
                for shard in range(self.shards)
            ]
            yield from self._readable(_merge(parts, newest_first=True))

    def through(self, after: str, until: str) -> Iterator[Commit]:
        """
        Yield the commits of any stretch of the log, however long, oldest first.

        Unlike `forward` it asks the directory where there are any.
        """
        yield from self._readable(self.items(after, until))

    def items(
        self, after: str, until: str, fields: Sequence[str] = ()
    ) -> Iterator[Item]:
        """
        Yield the items of any stretch of the log as they are stored, oldest first.

        Also those that cannot be read. `fields`, if any, must name `sk`.
        """
        now = self.now_ms()
        newest = min(ulid.timestamp_ms(until), now + BUCKET_MS)
        held = self.directory.newest_first(newest, ulid.timestamp_ms(after), now)
        for bucket in reversed(list(held)):
            parts = [
                self.table.query(
                    _partition(bucket, shard), after=after, until=until, fields=fields
                )
                for shard in range(self.shards)
            ]
            yield from _merge(parts, newest_first=False)

    def _readable(self, items: Iterable[Item]) -> Iterator[Commit]:
        # One commit that cannot be read must not hide all that came before it.
        for item in items:
            try:
                yield self.decode(item)
            except (EventRouterError, ValueError, KeyError, TypeError) as error:
                log_error("a commit cannot be read", error, commit=item["sk"])

    def _partitions(self, after: str, until: str) -> Iterator[str]:
        for bucket in self._buckets(after, until):
            for shard in range(self.shards):
                yield _partition(bucket, shard)

    def _holding(self, after: str, until: str) -> Sequence[int]:
        buckets = self._buckets(after, until)
        if len(buckets) <= _WALKED:
            return buckets
        # Most of a long past is empty: the directory tells what is not.
        newest, since = ulid.timestamp_ms(until), ulid.timestamp_ms(after)
        found = self.directory.newest_first(newest, since, self.now_ms())
        return list(found)[::-1]

    def _buckets(self, after: str, until: str) -> range:
        first = bucket_of(ulid.timestamp_ms(after))
        return range(first, bucket_of(ulid.timestamp_ms(until)) + 1)


@dataclass
class Directory:
    """
    Which buckets hold commits, so that nobody walks through empty ones.

    The sweep writes it behind itself: up to `checked_until` it is complete, later
    buckets must be looked at.
    """

    table: Table
    retention_days: int

    @cached_property
    def key(self) -> tuple[str, str]:
        """Return the key of the sweep's checkpoint."""
        return "checkpoint", "relay"

    def checkpoint(self) -> Item | None:
        """Read how far the sweep has come, and what it has counted."""
        return self.table.get(*self.key)

    def record(self, buckets: Iterable[int]) -> None:
        """Note that these buckets hold commits; noting twice changes nothing."""
        by_day: dict[int, set[str]] = {}
        for bucket in buckets:
            by_day.setdefault(bucket * BUCKET_MS // DAY_MS, set()).add(str(bucket))
        for day, members in by_day.items():
            self.table.add(*_day_key(day), buckets=members)

    def forget(self, first: int, end: int) -> None:
        """Unlist the buckets from one up to another, which stays: they are empty."""
        days = range(first * BUCKET_MS // DAY_MS, end * BUCKET_MS // DAY_MS + 1)
        for key, row in self.table.get_many(map(_day_key, days)).items():
            gone = {b for b in row.get("buckets", ()) if first <= int(b) < end}
            if gone:
                self.table.discard(*key, buckets=gone)

    def newest_first(self, newest_ms: int, since_ms: int, now_ms: int) -> Iterator[int]:
        """Yield the buckets that hold or may hold commits."""
        since_ms = max(since_ms, now_ms - (self.retention_days + 1) * DAY_MS)
        days = range(newest_ms // DAY_MS, since_ms // DAY_MS - 1, -1)
        found = self.table.get_many([self.key, *map(_day_key, days)])
        checked_ms = found.get(self.key, {}).get("until_ms", now_ms - UNCHECKED_MS)
        known = {
            int(bucket)
            for day in days
            for bucket in found.get(_day_key(day), {}).get("buckets", ())
        }
        oldest = bucket_of(since_ms)
        for bucket in range(bucket_of(newest_ms), oldest - 1, -1):
            if bucket in known or bucket >= bucket_of(checked_ms):
                yield bucket


def _day_key(day: int) -> tuple[str, str]:
    return "directory", f"{day:08d}"


def _partition(bucket: int, shard: int) -> str:
    return f"log#{bucket}#{shard}"


def _merge(parts: list[Iterator[Item]], *, newest_first: bool) -> Iterator[Item]:
    if len(parts) == 1:
        return parts[0]
    from heapq import merge

    return merge(*parts, key=_sort_key, reverse=newest_first)


def _sort_key(item: Item) -> Any:
    return item["sk"]


def _size(text: str) -> int:
    # Most text is ASCII, where the length needs no second copy.
    return len(text) if text.isascii() else len(text.encode())
