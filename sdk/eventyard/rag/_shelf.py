"""The vectors of one space in this process: blocks that are done, and the newest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventyard.rag.model import Wish
from eventyard.rag.spaces import InvalidMemoryError
from eventyard.rag.vectors import Block, Entry, Hit, nearest, normalised, pack

_BLOCK: Final = 4_096
#: With so many gone, blocks are made anew without them.
_MOST_GONE: Final = 512


@dataclass
class Shelf:
    """Adds, forgets and finds vectors; all of them have one length."""

    name: str
    dimension: int
    _done: list[Block] = field(default_factory=list)
    _newest: list[Entry] = field(default_factory=list)
    _last: Block | None = None
    _gone: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(len(block.ids) for block in self._blocks()) - len(self._gone)

    def add(self, name: str, vector: Sequence[float], labels: tuple[str, ...]) -> None:
        """Keep a vector; raises InvalidMemoryError where it has another length."""
        self._newest.append(Entry(name, pack(self.direction(vector)), labels))
        self._last = None
        if len(self._newest) == _BLOCK:
            self._done.append(Block.of(self.dimension, self._newest))
            self._newest.clear()

    def direction(self, vector: Sequence[float]) -> list[float]:
        """Return a vector's direction; raises InvalidMemoryError."""
        check_dimension(self.name, self.dimension, len(vector))
        return normalised(vector)

    def forget(self, name: str) -> None:
        """Find a vector no more."""
        self._gone.add(name)
        if len(self._gone) >= _MOST_GONE:
            self._tidy()

    def _tidy(self) -> None:
        left = [
            entry
            for block in self._blocks()
            for entry in block.entries()
            if entry.id not in self._gone
        ]
        whole = len(left) - len(left) % _BLOCK
        self._done = [
            Block.of(self.dimension, left[at : at + _BLOCK])
            for at in range(0, whole, _BLOCK)
        ]
        self._newest, self._last = left[whole:], None
        self._gone.clear()

    def nearest(self, vector: Sequence[float], wish: Wish) -> list[Hit]:
        """Return what is near enough, the nearest first."""
        return nearest(
            self._blocks(),
            self.direction(vector),
            wish.limit,
            threshold=wish.threshold,
            groups=wish.labels,
            without=self._gone,
        )

    def _blocks(self) -> Iterator[Block]:
        yield from self._done
        if self._last is None:
            self._last = Block.of(self.dimension, self._newest)
        yield self._last


def check_dimension(space: str, held: int, given: int) -> None:
    """Raise InvalidMemoryError unless a vector is as long as those of its space."""
    if held != given:
        raise InvalidMemoryError(
            f"The vectors of {space} have {held} numbers, and this one has {given}: one "
            "space takes the vectors of one model.",
            code="wrong_dimension",
            details={"space": space, "dimension": held, "given": given},
        )
