"""Which rows are near a vector: segments, and the rows that are in none yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.memories.files import SegmentFiles, SegmentGoneError
from chalicelib.memories.model import SEARCHED, Space, Vector, entry_of, fits
from chalicelib.memories.store import MemoryStore, is_forgotten
from eventyard.rag.model import Wish
from eventyard.rag.vectors import Block, Hit, nearest

Groups = Sequence[Sequence[str]]
#: Rows that are in no segment yet: with so many, somebody is to make one.
LONG_TAIL: Final = 200
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Near:
    """A row, and how near it is."""

    hit: Hit
    row: Item


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that are near, the nearest first, and where nothing was looked for."""

    rows: list[tuple[Item, float]]
    searched: list[str]
    #: Spaces with vectors of another model.
    skipped: list[Space]


@dataclass(slots=True)
class Searcher:
    """Searches spaces; two processes find the same."""

    store: MemoryStore
    files: SegmentFiles
    #: Told of a space whose rows are many that are in no segment.
    compact: Callable[[str], object]

    def search(self, names: Sequence[str], vector: Vector, wish: Wish) -> Found:
        """
        Return what is near in these spaces.

        Raises InvalidMemoryError where all of them have vectors of another model.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._search(names, vector, wish)
            except SegmentGoneError:  # a space was compacted twice meanwhile
                continue
        return self._search(names, vector, wish)

    def _search(self, names: Sequence[str], vector: Vector, wish: Wish) -> Found:
        spaces, gone = self.store.spaces(names)
        fitting = [space for space in spaces.values() if _is_of(space, vector)]
        skipped = [space for space in spaces.values() if not _is_of(space, vector)]
        if skipped and not fitting:
            skipped[0].check(vector)
        found: list[Near] = []
        for space in fitting:
            found += self._near(space, vector, wish, gone[space.name])
        found.sort(key=lambda near: near.hit)
        rows = [(near.row, near.hit.similarity) for near in found[: wish.limit]]
        return Found(rows, [space.name for space in fitting], skipped)

    def _near(
        self, space: Space, vector: Vector, wish: Wish, gone: set[str]
    ) -> list[Near]:
        """Return the nearest rows of one space; each is read, so none is forgotten."""
        blocks = [self._tail(space), *self.files.blocks(space.segments)]
        without = set(gone)
        found: list[Near] = []
        while (wanted := wish.limit - len(found)) > 0:
            hits = nearest(
                blocks,
                vector.numbers,
                wanted,
                threshold=wish.threshold,
                groups=wish.labels,
                without=without,
            )
            rows = self.store.rows((space.name, hit.id) for hit in hits)
            for hit in hits:
                row = rows.get((space.name, hit.id))
                if row is not None and fits(row, wish.labels):
                    found.append(Near(hit, row))
            if len(hits) < wanted:
                break
            # Some of them were forgotten since: as many as those are looked for.
            without.update(hit.id for hit in hits)
        return found

    def count(self, name: str, groups: Groups) -> int:
        """Count the rows of a space with a label of each group."""
        return self.counts(name, [groups])[0]

    def counts(self, name: str, each: Sequence[Groups]) -> list[int]:
        """Count likewise for each of several sets of groups."""
        spaces, gone = self.store.spaces([name])
        if name not in spaces:
            return [0] * len(each)
        space, without = spaces[name], gone[name]
        blocks = [self._tail(space), *self.files.blocks(space.segments)]
        return [
            sum(_counted(block, groups, without) for block in blocks) for groups in each
        ]

    def _tail(self, space: Space) -> Block:
        rows = list(self.store.behind(space.name, space.until, fields=SEARCHED))
        if len(rows) >= LONG_TAIL:
            self.compact(space.name)
        fresh = (entry_of(row) for row in rows if not is_forgotten(row))
        return Block.of(space.dimension, fresh)


def _counted(block: Block, groups: Groups, gone: set[str]) -> int:
    rows = block.rows_with(groups)
    if not gone:
        return len(block.ids) if rows is None else len(rows)
    every = range(len(block.ids)) if rows is None else rows
    return sum(1 for row in every if block.ids[row] not in gone)


def _is_of(space: Space, vector: Vector) -> bool:
    return (space.dimension, space.model) == (vector.dimension, vector.model)
