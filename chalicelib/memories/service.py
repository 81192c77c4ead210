"""The verbs of memories: remember, recall, forget, look, count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.memories.access import READ, WRITE
from chalicelib.memories.means import Means
from chalicelib.memories.model import (
    Space,
    SpaceFullError,
    Vector,
    fits,
    memory_item,
    memory_of,
)
from chalicelib.memories.store import (
    Claim,
    Kept,
    MemoryStore,
    is_forgotten,
    is_looked_after,
)
from chalicelib.telemetry import log_error
from eventyard.core import moments, ulid
from eventyard.core.errors import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from eventyard.rag.model import (
    MEMORY_TYPES,
    PREFIX,
    MemoryResult,
    NewMemory,
    RecallResult,
    Wish,
)
from eventyard.rag.spaces import KNOWLEDGE, Name, Reader
from eventyard.rag.tell import FORGOTTEN, RECALLED, created

#: So many are remembered at once: all or none of them.
AT_ONCE: Final = 40
_MOST_SPACES: Final = 10
#: A page of a list looks at so many rows; where few of them fit it has fewer.
_LOOKED_AT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A memory that is to be kept; with a vector of the caller's own, or without."""

    memory: NewMemory
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: in words, or by a vector of the caller's own."""

    text: str | None
    vector: Vector | None
    wish: Wish
    update_access: bool = True


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was found, where it was looked for, and where not, for another model."""

    results: list[RecallResult]
    searched: list[str]
    skipped: list[Space]


@dataclass(slots=True)
class MemoryService(Means):
    """What agents do with memories."""

    def remember(
        self, wanted: Sequence[Wanted], by: Principal, claim: Claim | None = None
    ) -> tuple[list[str], bool]:
        """
        Remember, all or none; return the ids, and whether it was done now.

        Raises InvalidMemoryError, PermissionDeniedError, and what the store raises.
        """
        if not 0 < len(wanted) <= AT_ONCE:
            raise InvalidRequestError(f"1 to {AT_ONCE} memories at once, please.")
        memories = [one.memory for one in wanted]
        self._check_places(memories, by)
        vectors = self._vectors(wanted)
        # One behind the other: lists have them in the order in which they were sent.
        first, now = self.store.new_key(), self._now()
        kept = [
            Kept(memory_item(ulid.add(first, n), memory, vector, now), vector)
            for n, (memory, vector) in enumerate(zip(memories, vectors, strict=True))
        ]
        told = [
            created(one.item["id"], memory)
            for one, memory in zip(kept, memories, strict=True)
        ]
        with looked_after(kept, self.compact):
            return self.store.add(kept, told, by.id, claim)

    def _check_places(self, memories: Sequence[NewMemory], by: Principal) -> None:
        places = {(m.agent_id, m.scope, m.scope_id): m for m in memories}
        for memory in places.values():
            self.access.require_write(
                by, memory.agent_id, memory.scope, memory.scope_id
            )
        if len({memory.space for memory in memories}) > _MOST_SPACES:
            raise InvalidRequestError(f"At most {_MOST_SPACES} spaces at once, please.")

    def _vectors(self, wanted: Sequence[Wanted]) -> list[Vector]:
        texts = [one.memory.content for one in wanted if one.vector is None]
        made = iter(self.vectoriser.vectors(texts))
        return [one.vector or next(made) for one in wanted]

    def recall(self, agent_id: Name, question: Question, by: Principal) -> Recalled:
        """
        Return what an agent knows that fits, the best first.

        Raises InvalidMemoryError, PermissionDeniedError, NoVectorsError.
        """
        self.access.require(by, READ, agent_id)
        reader = self.access.reader(agent_id)
        vector = self.vector(question)
        found = self.searcher.search(reader.spaces, vector, question.wish)
        results = [
            memory_of(row).recalled(similarity) for row, similarity in found.rows
        ]
        if question.update_access:
            self._note(agent_id, results, by)
        return Recalled(results, found.searched, found.skipped)

    def vector(self, question: Question) -> Vector:
        """Return the vector of a question."""
        if question.vector is not None:
            return question.vector
        return self.vectoriser.vectors([question.text or ""])[0]

    def _note(
        self, agent_id: Name, results: Sequence[RecallResult], by: Principal
    ) -> None:
        # Not the question: others listen, and it may be nobody's business.
        data = {"memory_ids": [one.id for one in results], "count": len(results)}
        told = (RECALLED, data, {"source_agent_id": agent_id})
        places = [one.id.removeprefix(PREFIX) for one in results]
        try:
            self.store.note_uses(places, told, by.id, moments.at(self._now()))
        except UnavailableError as error:
            # Who asks is answered, whoever else counts the same at this moment.
            log_error("a recall was not counted", error, agent=str(agent_id))

    def get(
        self, memory_id: str, by: Principal, agent_id: Name | None = None
    ) -> MemoryResult:
        """Return a memory; raises NotFoundError, also where one may not read it."""
        row, used = self._found(memory_id)
        if not self.access.may_read(by, row["space"], agent_id):
            raise _missing(memory_id)
        return memory_of(row, used)

    def kept(self, memory_id: str) -> MemoryResult:
        """Return a memory to who has just had it kept; raises NotFoundError."""
        return memory_of(*self._found(memory_id))

    def _found(self, memory_id: str) -> tuple[Item, Item]:
        found = self.store.locate(memory_id, PREFIX)
        if found is None:
            raise _missing(memory_id)
        return found

    def forget(
        self, memory_id: str, by: Principal, agent_id: Name | None = None
    ) -> MemoryResult:
        """
        Forget a memory: for the agent that it is of, or a caller who speaks for it.

        Raises NotFoundError, PermissionDeniedError.
        """
        row, used = self._found(memory_id)
        memory = memory_of(row, used)
        if not self.access.speaks_for(by, WRITE, memory.agent_id):
            raise _missing(memory_id)
        if agent_id is not None and str(agent_id) != str(memory.agent_id):
            raise PermissionDeniedError(
                f"{memory_id} is of another agent than {agent_id}."
            )
        scope, scope_id = memory.scope, memory.scope_id
        data = {"memory_id": memory_id, "scope": scope, "scope_id": scope_id}
        placed = {f"{scope}_id": scope_id} if scope in ("circle", "project") else {}
        told = (FORGOTTEN, data, {"source_agent_id": memory.agent_id, **placed})
        if not self.store.forget(row, told, by.id, self.keep_s):
            raise _missing(memory_id)
        if is_looked_after(row["sk"]):
            self.compact(row["space"])
        return memory

    def page(
        self, agent_id: Name, by: Principal, wish: Wish, cursor: str | None
    ) -> tuple[list[MemoryResult], str | None]:
        """Return what an agent knows, the newest first, and where it goes on."""
        self.access.require(by, READ, agent_id)
        spaces = self.access.reader(agent_id).spaces
        rows, further = listed(self.store, spaces, wish, cursor)
        used = self.store.uses(row["id"].removeprefix(PREFIX) for row in rows)
        return [
            memory_of(row, used.get(row["id"].removeprefix(PREFIX))) for row in rows
        ], further

    def stats(self, agent_id: Name, by: Principal) -> dict[str, Any]:
        """Count an agent's own memories by their types, and those that it shares."""
        self.access.require(by, READ, agent_id)
        reader = self.access.reader(agent_id)
        return {"memories": self._own(reader), "spaces": self.counts(reader.spaces)}

    def _own(self, reader: Reader) -> dict[str, Any]:
        each = [Wish(kind=kind).labels for kind in MEMORY_TYPES]
        counts = self.searcher.counts(reader.spaces[0], each)
        types = {kind: n for kind, n in zip(MEMORY_TYPES, counts, strict=True) if n}
        return {"total": sum(counts), "by_type": types}

    def counts(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Count what is in spaces."""
        spaces, gone = self.store.spaces(names)
        return [self._count(spaces[n], gone[n]) for n in names if n in spaces]

    def _count(self, space: Space, gone: set[str]) -> dict[str, Any]:
        fields = ("sk", "forgotten_at")
        tail = self.store.behind(space.name, space.until, fields=fields)
        fresh = sum(1 for row in tail if not is_forgotten(row))
        done = space.total - sum(1 for one in gone if one <= space.until)
        return {
            "space": space.name,
            "count": max(done, 0) + fresh,
            "limit": space.most,
            "dimension": space.dimension,
            "model": space.model,
        }

    def spaces(self, by: Principal) -> list[dict[str, Any]]:
        """List the spaces that a caller may read."""
        return [
            {
                "space": space.name,
                "dimension": space.dimension,
                "model": space.model,
                "limit": space.most,
            }
            for space in self.store.all_spaces()
            if space.name == KNOWLEDGE or self.access.may_read(by, space.name, None)
        ]

    def _now(self) -> float:
        return self.store.clock()


@contextmanager
def looked_after(
    kept: Sequence[Kept], compact: Callable[[str], object]
) -> Iterator[None]:
    """Have spaces compacted: now and then as they grow, and those that are full."""
    try:
        yield
    except SpaceFullError as error:
        compact(error.details["space"])
        raise
    for space in {one.space for one in kept if is_looked_after(one.item["sk"])}:
        compact(space)


def listed(
    store: MemoryStore, spaces: Sequence[str], wish: Wish, cursor: str | None
) -> tuple[list[Item], str | None]:
    """Return rows of spaces that fit, the newest first, and where they go on."""
    parts = [store.newest(space, cursor) for space in spaces]
    every = merge(*parts, key=lambda row: row["sk"], reverse=True)
    fresh = (row for row in every if row["sk"] != cursor)
    found: list[Item] = []
    last: str | None = None
    for row in islice(fresh, _LOOKED_AT):
        if len(found) == wish.limit:
            return found, last
        last = row["sk"]
        if not is_forgotten(row) and fits(row, wish.labels):
            found.append(row)
    return found, None if _is_over(fresh) else last


def _is_over(rows: Iterator[Item]) -> bool:
    return next(rows, None) is None


def _missing(memory_id: str) -> NotFoundError:
    return NotFoundError(f"There is no memory {memory_id:.60}.")
