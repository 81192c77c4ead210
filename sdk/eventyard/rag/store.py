"""Where memories and knowledge are kept: in this process, or on a platform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventyard.core import moments, ulid
from eventyard.rag._shelf import Shelf
from eventyard.rag.model import (
    KNOWLEDGE_PREFIX,
    PREFIX,
    KnowledgeResult,
    MemoryResult,
    NewKnowledge,
    NewMemory,
    RecallResult,
    Wish,
    labels_of,
)
from eventyard.rag.spaces import KNOWLEDGE, Name, Reader

if TYPE_CHECKING:
    from eventyard.rag.remote import PlatformStore


class VectorStore:
    """
    Keeps memories and knowledge in this process.

    `VectorStore.connect()` keeps them on a platform, with the same methods.
    """

    #: Whether a call may take a while: whoever must not wait calls from a thread.
    is_remote = False

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}
        self._memories: dict[str, MemoryResult] = {}
        self._knowledge: dict[str, KnowledgeResult] = {}

    @staticmethod
    def connect(url: str | None = None, api_key: str | None = None) -> PlatformStore:
        """
        Return a store on a platform; the same methods, and nothing is asked yet.

        Args:
            url: Its address; `EVENTYARD_URL`, or this machine.
            api_key: A key or a token; `EVENTYARD_API_KEY`.
        """
        from eventyard.rag.remote import PlatformStore

        return PlatformStore(url, api_key)

    @classmethod
    def from_env(
        cls, dotenv_path: str | Path | None = None
    ) -> VectorStore | PlatformStore:
        """Return the store of the platform in `EVENTYARD_URL`; without it, one here."""
        from eventyard.rag.embeddings import environment

        env = environment(dotenv_path)
        url = env.get("EVENTYARD_URL")
        return cls.connect(url, env.get("EVENTYARD_API_KEY")) if url else cls()

    # Memories

    def add_memory(
        self, memory: NewMemory, embedding: Sequence[float], model: str = ""
    ) -> str:
        """Keep a memory with its vector; return its id. Raises InvalidMemoryError."""
        return self.add_memories([memory], [embedding], model)[0]

    def add_memories(
        self,
        memories: Sequence[NewMemory],
        embeddings: Sequence[Sequence[float]],
        model: str = "",
    ) -> list[str]:
        """Keep memories with their vectors, all or none; return their ids."""
        del model  # in one process, one embedder
        pairs = list(zip(memories, embeddings, strict=True))
        lengths = {name: shelf.dimension for name, shelf in self._shelves.items()}
        for memory, vector in pairs:
            held = lengths.setdefault(memory.space, len(vector))
            # Looked at first, so that the last one's fault leaves none behind.
            Shelf(memory.space, held).direction(vector)
        return [self._add(memory, vector) for memory, vector in pairs]

    def _add(self, memory: NewMemory, vector: Sequence[float]) -> str:
        kept = MemoryResult(
            id=PREFIX + ulid.new_ulid(),
            agent_id=memory.agent_id,
            key=memory.name,
            value=memory.content,
            memory_type=memory.memory_type,
            tags=memory.tags,
            importance=memory.importance,
            scope=memory.scope,
            scope_id=memory.scope_id,
            source_type=memory.source_type,
            source_id=memory.source_id,
            created_at=_now(),
        )
        labels = labels_of(memory.memory_type, memory.tags)
        self._shelf(memory.space, vector).add(kept.id, vector, labels)
        self._memories[kept.id] = kept
        return kept.id

    def _shelf(self, space: str, vector: Sequence[float]) -> Shelf:
        return self._shelves.setdefault(space, Shelf(space, len(vector)))

    def search_memories(
        self,
        reader: Reader,
        embedding: Sequence[float],
        wish: Wish | None = None,
        *,
        update_access: bool = True,
        model: str = "",
    ) -> list[RecallResult]:
        """Return what an agent knows that is near, the nearest first."""
        del model
        wish = wish or Wish()
        hits = [
            hit
            for space in reader.spaces
            if space in self._shelves
            for hit in self._shelves[space].nearest(embedding, wish)
        ]
        best = sorted(hits)[: wish.limit]
        if update_access:
            self._touch(hit.id for hit in best)
        return [self._memories[hit.id].recalled(hit.similarity) for hit in best]

    def _touch(self, names: Iterable[str]) -> None:
        for name in names:
            old = self._memories[name]
            self._memories[name] = replace(
                old, access_count=old.access_count + 1, last_accessed_at=_now()
            )

    def get_memory(self, memory_id: str) -> MemoryResult | None:
        """Return a memory; None when there is none, or it was forgotten."""
        return self._memories.get(memory_id)

    def list_memories(self, reader: Reader, limit: int = 100) -> list[MemoryResult]:
        """Return what an agent knows, the newest first."""
        spaces = set(reader.spaces)
        newest = reversed(self._memories.values())
        return list(islice((one for one in newest if one.space in spaces), limit))

    def forget_memory(
        self, memory_id: str, agent_id: Name | None = None
    ) -> MemoryResult | None:
        """Forget a memory, if it is this agent's; return it, or None."""
        found = self._memories.get(memory_id)
        if found is None or (agent_id is not None and not _is_of(found, agent_id)):
            return None
        self._shelves[found.space].forget(memory_id)
        return self._memories.pop(memory_id)

    def count_memories(self, agent_id: Name) -> dict[str, Any]:
        """Count an agent's own memories, by their types."""
        types: dict[str, int] = {}
        for one in self._memories.values():
            if _is_of(one, agent_id):
                types[one.memory_type] = types.get(one.memory_type, 0) + 1
        return {"total": sum(types.values()), "by_type": types}

    # Knowledge

    def add_knowledge(
        self, knowledge: NewKnowledge, embedding: Sequence[float], model: str = ""
    ) -> str:
        """Keep a piece of knowledge; return its id. Raises InvalidMemoryError."""
        del model
        kept = KnowledgeResult(
            id=KNOWLEDGE_PREFIX + ulid.new_ulid(),
            title=knowledge.title,
            content=knowledge.content,
            category=knowledge.category,
            project_id=knowledge.project_id,
            tags=knowledge.tags,
            source_url=knowledge.source_url,
            author_agent_id=knowledge.author_agent_id,
            created_at=_now(),
        )
        labels = labels_of(kept.category, kept.tags, kept.project_id)
        self._shelf(KNOWLEDGE, embedding).add(kept.id, embedding, labels)
        self._knowledge[kept.id] = kept
        return kept.id

    def search_knowledge(
        self, embedding: Sequence[float], wish: Wish | None = None, model: str = ""
    ) -> list[KnowledgeResult]:
        """Return the knowledge that is near, the nearest first."""
        del model
        shelf = self._shelves.get(KNOWLEDGE)
        hits = shelf.nearest(embedding, wish or Wish()) if shelf else []
        return [
            replace(self._knowledge[hit.id], similarity=hit.similarity) for hit in hits
        ]

    def get_knowledge(self, knowledge_id: str) -> KnowledgeResult | None:
        """Return a piece of knowledge, or None."""
        return self._knowledge.get(knowledge_id)

    def list_knowledge(
        self,
        limit: int = 100,
        *,
        category: str | None = None,
        project_id: Name | None = None,
    ) -> list[KnowledgeResult]:
        """Return the knowledge of a category and a project, the newest first."""
        return list(islice(self._known(category, project_id), limit))

    def count_knowledge(
        self, *, category: str | None = None, project_id: Name | None = None
    ) -> int:
        """Count the knowledge of a category and a project."""
        return sum(1 for _ in self._known(category, project_id))

    def _known(
        self, category: str | None, project_id: Name | None
    ) -> Iterator[KnowledgeResult]:
        for one in reversed(self._knowledge.values()):
            placed = project_id is None or str(one.project_id) == str(project_id)
            if placed and category in (None, one.category):
                yield one

    def forget_knowledge(self, knowledge_id: str) -> bool:
        """Forget a piece of knowledge; tell whether there was one."""
        if self._knowledge.pop(knowledge_id, None) is None:
            return False
        self._shelves[KNOWLEDGE].forget(knowledge_id)
        return True

    def close(self) -> None:
        """Let go of connections, of which there are none here."""


def _is_of(memory: MemoryResult, agent_id: Name) -> bool:
    return str(memory.agent_id) == str(agent_id)


def _now() -> str:
    return moments.write(datetime.now(UTC))
