"""Compaction: rows behind a space's segments become segments, and what is gone goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from chalicelib.aws import Item
from chalicelib.memories.files import SegmentFiles
from chalicelib.memories.model import (
    SEARCHED,
    Segment,
    Space,
    entry_of,
    gone_key,
)
from chalicelib.memories.store import SETTLE_MS, MemoryStore, is_forgotten
from chalicelib.table import Put, Table
from eventyard.core import ulid
from eventyard.rag.vectors import WIDTH, Block, Entry

#: The vectors of one segment have so many bytes at most.
SEGMENT_BYTES: Final = 8_000_000
#: So many rows does one step take up; the next one goes on.
_STEP: Final = 20_000
#: With so many gone, the segments that they are in are written anew.
MOST_GONE: Final = 200


@dataclass(slots=True)
class Compactor:
    """Takes the rows of a space into segments; several at once do no harm."""

    table: Table
    store: MemoryStore
    files: SegmentFiles
    #: Leaves a chore to the queue.
    leave: Callable[[Item], object]
    clock: Callable[[], float] = time.time

    def run(self, chore: Item) -> int:
        """
        Do one step for a space; return how many rows were taken up.

        Rows that are younger than `settle_ms` of the chore are left: 60 s unless told.
        """
        name = str(chore["space"])
        spaces, gone = self.store.spaces([name])
        space = spaces.get(name)
        if space is None:
            return 0
        self.files.tidy(space)
        young = int(chore.get("settle_ms", SETTLE_MS))
        settled = ulid.floor(int(self.clock() * 1_000) - young)
        rows = list(
            islice(self.store.behind(name, space.until, settled, SEARCHED), _STEP)
        )
        if not rows and len(gone[name]) < MOST_GONE:
            return 0
        if self._advance(space, rows, gone[name]) and len(rows) == _STEP:
            self.leave(chore)
        return len(rows)

    def _advance(self, space: Space, rows: list[Item], gone: set[str]) -> bool:
        fresh = [entry_of(row) for row in rows if not is_forgotten(row)]
        left, entries, cleaned = self._taken(space, fresh, gone)
        # These are in no segment: nothing needs to be passed over for them.
        cleaned |= {row["sk"] for row in rows if is_forgotten(row)}
        written = [
            self.files.write(space.name, block)
            for block in _cut(space.dimension, entries)
        ]
        now = self.clock()
        kept = {segment.name for segment in left}
        dropped = [(s.name, now) for s in space.segments if s.name not in kept]
        new = replace(
            space,
            version=space.version + 1,
            segments=(*left, *written),
            until=rows[-1]["sk"] if rows else space.until,
            dropped=(*_recent(space.dropped, now), *dropped),
        )
        if self.table.write_all([Put(new.to_item(), only_if=_same(space))]):
            # Another one was faster: nobody knows of these files.
            self.files.remove(segment.name for segment in written)
            return False
        if cleaned:
            self.table.discard(*gone_key(space.name), ids=cleaned)
        return True

    def _taken(
        self, space: Space, fresh: list[Entry], gone: set[str]
    ) -> tuple[list[Segment], list[Entry], set[str]]:
        """Return which segments stay, what others and the new are, what is cleaned."""
        clean = len(gone) >= MOST_GONE
        merged = _merged(space, len(fresh))
        again = [s for s in space.segments if clean and _holds(s, gone)]
        taken = [s for s in space.segments if s in again or s in merged]
        left = [s for s in space.segments if s not in taken]
        old = [e for b in self.files.blocks(taken) for e in b.entries()]
        entries = [entry for entry in old if entry.id not in gone] + fresh
        entries.sort(key=lambda entry: entry.id)
        cleaned = {entry.id for entry in old}.intersection(gone)
        if clean:
            cleaned |= {one for one in gone if one <= space.until}
        return left, entries, cleaned


def _merged(space: Space, fresh: int) -> list[Segment]:
    """Return the last segments that are no larger than what is put to them."""
    # So each vector is written again a few times at most, whatever the number.
    whole = SEGMENT_BYTES // (space.dimension * WIDTH)
    found: list[Segment] = []
    size = fresh
    for segment in reversed(space.segments):
        if not fresh or segment.count > size or segment.count + size > whole:
            break
        found.append(segment)
        size += segment.count
    return found


def _holds(segment: Segment, gone: Iterable[str]) -> bool:
    return any(segment.first <= one <= segment.last for one in gone)


def _cut(dimension: int, entries: list[Entry]) -> Iterator[Block]:
    most = SEGMENT_BYTES // (dimension * WIDTH)
    for at in range(0, len(entries), most):
        yield Block.of(dimension, entries[at : at + most])


def _recent(
    dropped: Iterable[tuple[str, float]], now: float, kept_s: float = 3_600
) -> Iterator[tuple[str, float]]:
    return ((name, at) for name, at in dropped if now - at < kept_s)


def _same(space: Space) -> Item:
    return {"version": space.version}
