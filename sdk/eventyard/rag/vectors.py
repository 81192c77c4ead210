"""Vectors as bytes, and which of many are the nearest; numpy where it is, else without."""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import hypot, isfinite
from typing import Any, Final

from eventyard.rag.spaces import InvalidMemoryError

#: More no model makes that is in use.
MOST_DIMENSION: Final = 4_096
LEAST_DIMENSION: Final = 8
#: Bytes of a number as it is packed.
WIDTH: Final = 2
#: Similarities are told to so many places: float16 holds no more.
_PLACES: Final = 4
#: What rounding changes at most, and some more.
_ROUNDING: Final = 2e-4


def normalised(vector: Any) -> list[float]:
    """Return a vector's direction; raises InvalidMemoryError where it has none."""
    if not isinstance(vector, Sequence) or isinstance(vector, str | bytes):
        raise InvalidMemoryError("A vector is a list of numbers.")
    if not LEAST_DIMENSION <= len(vector) <= MOST_DIMENSION:
        raise InvalidMemoryError(
            f"A vector has {LEAST_DIMENSION} to {MOST_DIMENSION} numbers, not "
            f"{len(vector)}.",
            details={"dimension": len(vector), "limit": MOST_DIMENSION},
        )
    if not all(type(one) in (int, float) and _fits(one) for one in vector):
        raise InvalidMemoryError("A vector has finite numbers and nothing else.")
    length = hypot(*vector)
    if not 0 < length < float("inf"):
        raise InvalidMemoryError("A vector of zeros has no direction.")
    return [one / length for one in vector]


def _fits(number: float) -> bool:
    return abs(number) < 1e300 and isfinite(number)  # noqa: PLR2004 - squares are finite


def pack(vector: Sequence[float]) -> bytes:
    """Return a vector as float16, two bytes a number."""
    return _format(len(vector)).pack(*vector)


def unpack(raw: bytes) -> tuple[float, ...]:
    """Read a vector that was packed."""
    return _format(len(raw) // WIDTH).unpack(raw)


@lru_cache(maxsize=16)
def _format(dimension: int) -> struct.Struct:
    return struct.Struct(f"<{dimension}e")


@dataclass(frozen=True, slots=True)
class Entry:
    """A vector with its id and the labels that filters find it by."""

    id: str
    raw: bytes
    labels: tuple[str, ...] = ()


@dataclass
class Block:
    """Vectors of one dimension, packed one behind the other; never changed."""

    dimension: int
    ids: Sequence[str]
    raw: bytes
    #: Which rows have a label, in their order.
    labels: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, dimension: int, entries: Iterable[Entry]) -> Block:
        """Make a block of entries."""
        found = list(entries)
        labels: dict[str, list[int]] = {}
        for row, entry in enumerate(found):
            for label in entry.labels:
                labels.setdefault(label, []).append(row)
        ids = [entry.id for entry in found]
        return cls(dimension, ids, b"".join(entry.raw for entry in found), labels)

    def entries(self) -> Iterator[Entry]:
        """Yield what it is made of."""
        labels: list[list[str]] = [[] for _ in self.ids]
        for label, rows in self.labels.items():
            for row in rows:
                labels[row].append(label)
        step = self.dimension * WIDTH
        for row, name in enumerate(self.ids):
            raw = self.raw[row * step : (row + 1) * step]
            yield Entry(name, raw, tuple(labels[row]))

    @property
    def bytes_held(self) -> int:
        """Return how much memory it takes, once it was searched."""
        return len(self.raw) * (3 if numpy() else 1) + len(self.ids) * 100

    @cached_property
    def matrix(self) -> Any:
        """Return the vectors as numpy takes them, in float32."""
        np = numpy()
        flat = np.frombuffer(self.raw, dtype="<f2").astype(np.float32)
        return flat.reshape(-1, self.dimension)

    def rows_with(self, groups: Sequence[Sequence[str]]) -> set[int] | None:
        """Return the rows with a label of each group; None: there is no group."""
        rows: set[int] | None = None
        for group in groups:
            found = {row for one in group for row in self.labels.get(one, ())}
            rows = found if rows is None else rows & found
        return rows


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """What is near, the nearest first."""

    distance: float
    id: str

    @property
    def similarity(self) -> float:
        """Return the cosine."""
        return -self.distance


def nearest(
    blocks: Iterable[Block],
    query: Sequence[float],
    limit: int,
    *,
    threshold: float = -1.0,
    groups: Sequence[Sequence[str]] = (),
    without: AbstractSet[str] = frozenset(),
) -> list[Hit]:
    """
    Return the nearest vectors, at most so many; of the same distance by their ids.

    `query` has length 1. `groups`: of each, one label is wanted. Ids in `without` are
    passed over.
    """
    if limit <= 0:
        return []
    search = _search_plainly if numpy() is None else _search
    most = limit + len(without)
    hits = [
        hit
        for block in blocks
        if block.ids
        for hit in search(block, query, most, threshold, block.rows_with(groups))
        if hit.id not in without
    ]
    return heapq.nsmallest(limit, hits)


def _search(
    block: Block,
    query: Sequence[float],
    most: int,
    threshold: float,
    rows: set[int] | None,
) -> Iterator[Hit]:
    np = numpy()
    near = block.matrix @ np.asarray(query, dtype=np.float32)
    if rows is not None:
        among = np.fromiter(rows, dtype=np.intp, count=len(rows))
        found = among[near[among] >= threshold - _ROUNDING]
    else:
        found = np.flatnonzero(near >= threshold - _ROUNDING)
    if len(found) > most:
        # All that may be as near as the last one: their ids decide among them.
        scores = near[found]
        last = np.partition(scores, len(found) - most)[len(found) - most]
        found = found[scores >= last - _ROUNDING]
    # Rounded as without numpy: both must give the same answer.
    told = near[found].astype(np.float64).round(_PLACES)
    wanted = told >= round(threshold, _PLACES)
    for row, score in zip(found[wanted].tolist(), told[wanted].tolist(), strict=True):
        yield Hit(-score, block.ids[row])


def _search_plainly(
    block: Block,
    query: Sequence[float],
    most: int,
    threshold: float,
    rows: set[int] | None,
) -> Iterator[Hit]:
    del most
    every = _format(block.dimension).iter_unpack(block.raw)
    for row, vector in enumerate(every):
        if rows is None or row in rows:
            score = round(sum(map(float.__mul__, vector, query)), _PLACES)
            if score >= round(threshold, _PLACES):
                yield Hit(-score, block.ids[row])


@lru_cache(maxsize=1)
def numpy() -> Any:
    """Return numpy, or None where it is not installed."""
    try:
        import numpy as np
    except ImportError:
        return None
    return np
