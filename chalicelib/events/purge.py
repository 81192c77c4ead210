"""Purge: deleting what is older than some moment, for good."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.events.jobs import STEP_SECONDS, Jobs, is_over, is_planned, moment, show
from chalicelib.events.log import (
    DAY_MS,
    UNCHECKED_MS,
    EventLog,
    bucket_of,
    place_before,
    time_key,
)
from eventyard.core import moments, ulid
from eventyard.core.errors import ConflictError, InvalidRequestError

#: What is younger may still be on its way: relayed, delivered, claimed by a retry.
YOUNGEST_MS: Final = 15 * 60_000
KEPT_SECONDS: Final = 30 * 86_400
#: One piece of work has at most so many commits, or is looked for so long.
_PIECE: Final = 1_000
_LOOK_SECONDS: Final = STEP_SECONDS
#: Counting stops at so many commits, or after so long.
_COUNTED: Final = 100_000
_COUNT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Commits to delete: up to which place, which, and how many events they have."""

    end: str
    keys: list[tuple[str, str]]
    payloads: list[str]
    events: int


@dataclass(frozen=True, slots=True)
class Purges:
    """
    Deletes commits and their payloads, oldest first.

    What a piece of work deletes is counted when it is planned, so that the counts are
    right whether or not it is done twice.
    """

    jobs: Jobs
    log: EventLog
    tell: Callable[..., None]
    clock: Callable[[], float] = time.monotonic

    def stretch(self, older_than: str) -> tuple[str, str]:
        """
        Return the places of what is older than a duration (`30d`) or a moment.

        Raises InvalidRequestError for text that is neither, and for a moment within
        the last 15 minutes; ConflictError when the sweep is behind it.
        """
        now_ms = self.log.now_ms()
        before_ms = _moment_of(older_than, now_ms)
        if before_ms > now_ms - YOUNGEST_MS:
            raise _fault("what is younger than 15 minutes may still be on its way")
        self._check_swept(before_ms)
        oldest_ms = now_ms - (self.log.retention_days + 2) * DAY_MS
        after = time_key(min(oldest_ms, before_ms))
        return after, max(after, place_before(before_ms))

    def _check_swept(self, before_ms: int) -> None:
        checkpoint = self.log.directory.checkpoint()
        # Without one the log is new, and the sweep is about to begin there.
        unchecked_ms = self.log.now_ms() - UNCHECKED_MS
        swept_ms = int(checkpoint["until_ms"]) if checkpoint else unchecked_ms
        if before_ms > swept_ms:
            raise ConflictError(
                "What is not surely relayed and counted cannot be deleted: the sweep "
                f"has come to {moment(swept_ms)}. Purge what is older than that.",
                details={"swept_until": moment(swept_ms)},
            )

    def count(self, stretch: tuple[str, str]) -> Item:
        """Count what would be deleted; `at_least` when there is more than counted."""
        give_up = self.clock() + _COUNT_SECONDS
        commits = events = 0
        for item in self.log.items(*stretch, fields=("sk", "n")):
            if commits == _COUNTED or self.clock() > give_up:
                return {"commits": commits, "events": events, "at_least": True}
            commits += 1
            events += _count_of(item)
        return {"commits": commits, "events": events, "at_least": False}

    def start(self, stretch: tuple[str, str], by: Principal) -> Item:
        """Begin to delete."""
        counts = {"commits": 0, "events": 0, "piece_commits": 0, "piece_events": 0}
        row = self.jobs.start(stretch, counts, by)
        self.tell("purge.started", by, shown(row))
        return row

    def step(self, chore: Item) -> None:
        """Delete for some seconds, and leave the rest to the queue."""
        row = self.jobs.running(chore["id"])
        deadline = self.clock() + STEP_SECONDS
        while row is not None and not is_over(row):
            row = self._piece(row)
            if row is not None and not is_over(row) and self.clock() > deadline:
                self.jobs.go_on(row)
                return
        if row is not None:
            self._finish(row)

    def _piece(self, row: Item) -> Item | None:
        again = is_planned(row)
        piece = self._look(row["position"], row["ends" if again else "until"], again)
        planned: Item | None = row
        if not again:
            counts = {"piece_commits": len(piece.keys), "piece_events": piece.events}
            planned = self.jobs.plan(row, piece.end, counts)
        if planned is None:
            return None
        self._delete(piece)
        self._unlist(planned)
        return self.jobs.advance(
            planned,
            {
                "commits": planned["commits"] + planned["piece_commits"],
                "events": planned["events"] + planned["piece_events"],
            },
        )

    def _look(self, after: str, until: str, again: bool) -> Piece:  # noqa: FBT001
        give_up = self.clock() + _LOOK_SECONDS
        keys: list[tuple[str, str]] = []
        payloads: list[str] = []
        events = 0
        for item in self.log.items(after, until):
            keys.append((item["pk"], item["sk"]))
            payloads += self._payloads(item)
            events += _count_of(item)
            full = len(keys) >= _PIECE or self.clock() > give_up
            if full and not again and ulid.is_ulid(item["sk"]):
                return Piece(item["sk"], keys, payloads, events)
        return Piece(until, keys, payloads, events)

    def _payloads(self, item: Item) -> list[str]:
        key = item["sk"]
        if not ulid.is_ulid(key):
            return []
        places = [ulid.add(key, index) for index in range(_count_of(item))]
        if "blob" in item:
            return places  # the first of them is the commit itself
        text = str(item.get("events", ""))
        # An event may tell of the payload of another one: it is not this one's.
        return [place for place in places if self.log.blobs.address(place) in text]

    def _delete(self, piece: Piece) -> None:
        # Payloads first: only the commit knows which they are.
        self.log.blobs.remove(piece.payloads)
        self.log.table.delete_many(piece.keys)

    def _unlist(self, row: Item) -> None:
        first, end = (
            bucket_of(ulid.timestamp_ms(row[n])) for n in ("position", "ends")
        )
        self.log.directory.forget(first, end)

    def _finish(self, row: Item) -> None:
        by = Principal(row["by"]["id"], frozenset(), row["by"]["name"])
        told = {"id": row["sk"], "commits": row["commits"], "events": row["events"]}
        # Told before it is noted: a crash between the two tells it again, once.
        self.tell("purge.done", by, told, key=f"{row['sk']}.done")
        self.jobs.finish(row)


def shown(row: Item) -> dict[str, Any]:
    """Return what people are told of a purge."""
    return {
        **show(row),
        "older_than": older_than_of((row["after"], row["until"])),
        "commits": row["commits"],
        "events": row["events"],
    }


def older_than_of(stretch: tuple[str, str]) -> str:
    """Return the moment that all of a stretch is older than."""
    return moment(ulid.timestamp_ms(stretch[1]) + 1)


def _moment_of(older_than: str, now_ms: int) -> int:
    try:
        return now_ms - int(moments.duration(older_than).total_seconds() * 1000)
    except ValueError:
        pass
    try:
        return int(moments.read(older_than).timestamp() * 1000)
    except ValueError:
        told = (
            f"it is a duration such as 30d or 12h, or a time, not {older_than[:60]!r}"
        )
        raise _fault(told) from None


def _fault(what: str) -> InvalidRequestError:
    return InvalidRequestError(f"older_than: {what}.", details={"field": "older_than"})


def _count_of(item: Item) -> int:
    return int(item.get("n", 0))
