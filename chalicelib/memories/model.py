"""How memories and knowledge are kept, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from eventyard.core import moments
from eventyard.core.errors import ConflictError
from eventyard.rag.model import (
    KNOWLEDGE_PREFIX,
    PREFIX,
    KnowledgeResult,
    MemoryResult,
    NewKnowledge,
    NewMemory,
    labels_of,
)
from eventyard.rag.spaces import KNOWLEDGE, InvalidMemoryError
from eventyard.rag.vectors import Entry, normalised, pack

SPACES: Final = "memory-spaces"
GONE: Final = "memory-gone"
#: What a search needs of a row, and no more.
SEARCHED: Final = ("sk", "vector", "kind", "tags", "project_id", "forgotten_at")
#: So many numbers do the vectors of a space have at most, all in all: 131,072 vectors
#: of 256 numbers, 10,922 of 3,072. What is searched must fit the memory of a function.
MOST_NUMBERS: Final = 2**25

Key = tuple[str, str]


class SpaceFullError(ConflictError):
    """A space has no room for more."""

    code = "space_full"


@dataclass(frozen=True, slots=True)
class Vector:
    """A direction, and which model it is of."""

    numbers: tuple[float, ...]
    model: str

    @classmethod
    def of(cls, numbers: Any, model: str) -> Vector:
        """Make one of any numbers; raises InvalidMemoryError."""
        return cls(tuple(normalised(numbers)), model)

    @property
    def dimension(self) -> int:
        """Return how many numbers it has."""
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of vectors: how many, and the ids of the first and the last."""

    name: str
    count: int
    first: str
    last: str

    def to_item(self) -> Item:
        """Return what is stored of it."""
        return {
            "name": self.name,
            "count": self.count,
            "first": self.first,
            "last": self.last,
        }


@dataclass(frozen=True, slots=True)
class Space:
    """What shares vectors of one model: which files they are in, and up to where."""

    name: str
    dimension: int
    model: str
    version: int = 0
    segments: tuple[Segment, ...] = ()
    #: Rows up to here are in the segments.
    until: str = ""
    #: Files that were left, and when, in Unix seconds.
    dropped: tuple[tuple[str, float], ...] = ()
    #: Somebody counted too many rows behind the segments; compacting counts anew.
    full: bool = False

    @property
    def total(self) -> int:
        """Return how many vectors are in the segments."""
        return sum(segment.count for segment in self.segments)

    @property
    def most(self) -> int:
        """Return how many vectors it may have."""
        return MOST_NUMBERS // self.dimension

    @classmethod
    def read(cls, item: Item) -> Space:
        """Read one as it is stored."""
        return cls(
            name=item["sk"],
            dimension=item["dimension"],
            model=item["model"],
            version=item["version"],
            segments=tuple(Segment(**one) for one in item["segments"]),
            until=item["until"],
            dropped=tuple((name, at) for name, at in item["dropped"]),
            full=item.get("full", False),
        )

    def to_item(self) -> Item:
        """Return what is stored of it."""
        return {
            "pk": SPACES,
            "sk": self.name,
            "dimension": self.dimension,
            "model": self.model,
            "version": self.version,
            "segments": [segment.to_item() for segment in self.segments],
            "until": self.until,
            "dropped": [list(one) for one in self.dropped],
        }

    def check(self, vector: Vector) -> None:
        """Raise InvalidMemoryError unless a vector is of the model of the others."""
        if (self.dimension, self.model) == (vector.dimension, vector.model):
            return
        raise InvalidMemoryError(
            f"The vectors of {self.name} have {self.dimension} numbers and are of "
            f"{self.model}; this one has {vector.dimension} and is of {vector.model}. "
            "One space takes the vectors of one model.",
            code="wrong_dimension",
            details={
                "space": self.name,
                "dimension": self.dimension,
                "model": self.model,
                "given": vector.dimension,
                "given_model": vector.model,
            },
        )

    def room(self, gone: Iterable[str]) -> int:
        """Return how many more vectors there may be, with those that are forgotten."""
        return self.most - self.total + sum(1 for one in gone if one <= self.until)

    def check_room(self, more: int, gone: Iterable[str] = (), tail: int = 0) -> None:
        """Raise SpaceFullError unless there is room for more behind a tail."""
        room = self.room(gone)
        if self.full or room < tail + more:
            raise SpaceFullError(
                f"{self.name} has {self.most - room + tail} vectors of "
                f"{self.dimension} numbers, and may have {self.most}: forget some, use "
                "smaller vectors, or another space.",
                details={"space": self.name, "limit": self.most},
            )


def space_key(space: str) -> Key:
    """Return where a space is kept."""
    return SPACES, space


def gone_key(space: str) -> Key:
    """Return where it is kept what of a space's segments was forgotten."""
    return GONE, space


def row_key(space: str, place: str) -> Key:
    """Return where a memory is kept: with those of its space, by age."""
    return f"memories#{space}", place


def place_key(ulid: str) -> Key:
    """Return where it is kept where a memory is, and how often it was used."""
    return f"memory#{ulid}", "at"


def memory_item(place: str, memory: NewMemory, vector: Vector, now: float) -> Item:
    """Return what is stored of a memory."""
    pk, sk = row_key(memory.space, place)
    return {
        "pk": pk,
        "sk": sk,
        "space": memory.space,
        "id": PREFIX + place,
        "agent_id": memory.agent_id,
        "key": memory.name,
        "content": memory.content,
        "kind": memory.memory_type,
        "tags": list(memory.tags),
        "importance": memory.importance,
        "scope": memory.scope,
        "scope_id": memory.scope_id,
        "source_type": memory.source_type,
        "source_id": memory.source_id,
        "created_at": moments.at(now),
        "vector": pack(vector.numbers),
    }


def knowledge_item(
    place: str, knowledge: NewKnowledge, vector: Vector, now: float
) -> Item:
    """Return what is stored of a piece of knowledge."""
    pk, sk = row_key(KNOWLEDGE, place)
    return {
        "pk": pk,
        "sk": sk,
        "space": KNOWLEDGE,
        "id": KNOWLEDGE_PREFIX + place,
        "key": knowledge.title,
        "content": knowledge.content,
        "kind": knowledge.category,
        "project_id": knowledge.project_id,
        "tags": list(knowledge.tags),
        "source_url": knowledge.source_url,
        "agent_id": knowledge.author_agent_id,
        "created_at": moments.at(now),
        "vector": pack(vector.numbers),
    }


def memory_of(item: Item, used: Item | None = None) -> MemoryResult:
    """Return a memory as it is shown; `used` is how often it was."""
    used = used or {}
    return MemoryResult(
        id=item["id"],
        agent_id=item["agent_id"],
        key=item["key"],
        value=item["content"],
        memory_type=item["kind"],
        tags=tuple(item["tags"]),
        importance=item["importance"],
        scope=item["scope"],
        scope_id=item.get("scope_id"),
        source_type=item.get("source_type"),
        source_id=item.get("source_id"),
        created_at=item["created_at"],
        access_count=int(used.get("uses", 0)),
        last_accessed_at=used.get("used_at"),
    )


def knowledge_of(item: Item, similarity: float | None = None) -> KnowledgeResult:
    """Return a piece of knowledge as it is shown."""
    return KnowledgeResult(
        id=item["id"],
        title=item["key"],
        content=item["content"],
        category=item.get("kind"),
        project_id=item.get("project_id"),
        tags=tuple(item["tags"]),
        source_url=item.get("source_url"),
        author_agent_id=item.get("agent_id"),
        created_at=item["created_at"],
        similarity=similarity,
    )


def entry_of(item: Item) -> Entry:
    """Return what a search looks at."""
    labels = labels_of(item.get("kind"), item["tags"], item.get("project_id"))
    return Entry(item["sk"], item["vector"], labels)


def fits(item: Item, groups: Sequence[Sequence[str]]) -> bool:
    """Tell whether a row has a label of each group."""
    labels = set(labels_of(item.get("kind"), item["tags"], item.get("project_id")))
    return all(labels.intersection(group) for group in groups)
