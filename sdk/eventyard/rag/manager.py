"""Remember and recall: memories of agents, shared as far as their scope goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.events import EventBus, EventType, event_bus
from eventyard.rag._answers import Answers
from eventyard.rag.embeddings import EmbeddingService
from eventyard.rag.embeddings import shared_cache as _shared_cache
from eventyard.rag.model import (
    DEFAULT_THRESHOLD,
    KnowledgeResult,
    NewKnowledge,
    NewMemory,
    RecallResult,
    Wish,
)
from eventyard.rag.remote import PlatformStore
from eventyard.rag.spaces import Name, Reader, space_of
from eventyard.rag.store import VectorStore
from eventyard.rag.tell import FORGOTTEN, created

_HEARD: Final = (EventType.MEMORY_CREATED, EventType.MEMORY_SHARED, FORGOTTEN)

Members = Callable[[Name], Iterable[Name]]
Done = TypeVar("Done")


class MemoryManager:
    """
    Remembers what agents say, and finds it again by what it means.

    An agent recalls its own memories, those of the circles and projects that it is in,
    and global ones. Every memory is told of on the bus. `async with` or `close()` ends
    what it listens to.

    Args:
        embedder: Makes vectors of texts.
        store: Where memories are kept.
        cache_manager: Keeps answers; forgotten for everybody concerned when anything
            changes, whoever told of it.
        circles_of: Returns the circles that an agent is an active member of. Without
            it nobody is in any.
        projects_of: Likewise the projects.
        bus: Where it tells and listens; that of the process unless another is given.
    """

    def __init__(
        self,
        embedder: EmbeddingService,
        store: VectorStore | PlatformStore,
        cache_manager: Any = None,
        *,
        circles_of: Members | None = None,
        projects_of: Members | None = None,
        bus: EventBus | None = None,
    ) -> None:
        self.embedder = embedder
        self.store = store
        self._answers = Answers(cache_manager)
        self._circles_of: Members = circles_of or _nobody
        self._projects_of: Members = projects_of or _nobody
        # A platform knows by itself where an agent is a member: without being told, one
        # cannot say here whom a change concerns.
        self._knows_spaces = not store.is_remote or circles_of is not None
        self._bus = event_bus if bus is None else bus
        self._listening: list[str] = []
        if cache_manager is not None:
            self._listening = [
                self._bus.subscribe(kind, self._heard, name="MemoryManager")
                for kind in _HEARD
            ]

    @classmethod
    def from_env(
        cls,
        dotenv_path: str | Path | None = None,
        *,
        circles_of: Members | None = None,
        projects_of: Members | None = None,
    ) -> Self:
        """Make one as the environment says: provider, platform and cache."""
        cache = _shared_cache(dotenv_path)
        embedder = EmbeddingService.from_env(None, dotenv_path, cache_manager=cache)
        return cls(
            embedder,
            VectorStore.from_env(dotenv_path),
            cache,
            circles_of=circles_of,
            projects_of=projects_of,
        )

    # Memories

    async def remember(
        self,
        agent_id: Name,
        content: str,
        memory_type: str = "fact",
        *,
        use_cache: bool = True,
        **more: Any,
    ) -> str:
        """
        Remember something; return its id.

        Args:
            agent_id: Whose memory it is.
            content: What is to be remembered.
            memory_type: fact, preference, context, decision, error, feedback, learning.
            use_cache: Whether the vector may be one that was made before.
            **more: `key`, `tags`, `importance` (0 to 1), `source_type`, `source_id`,
                `scope` (agent, circle, project, global) and its `scope_id`.

        Raises:
            InvalidMemoryError: a field does not hold what it may.
        """
        told = {"content": content, "memory_type": memory_type, **more}
        (name,) = await self.remember_batch(agent_id, [told], use_cache=use_cache)
        return name

    async def remember_batch(
        self,
        agent_id: Name,
        memories: Sequence[str | Mapping[str, Any]],
        *,
        use_cache: bool = True,
    ) -> list[str]:
        """
        Remember several, each a text or a mapping of what `remember` takes.

        Returns their ids. They are asked for at once, and each is told of.
        """
        wanted = [NewMemory.read(agent_id, told) for told in memories]
        if not wanted:
            return []
        contents = [memory.content for memory in wanted]
        vectors = await self.embedder.embed_batch(contents, use_cache)
        names: list[str] = await self._call(
            self.store.add_memories, wanted, vectors, self.embedder.label
        )
        for space in dict.fromkeys(memory.space for memory in wanted):
            self._answers.outdate(space)
        self.invalidate_cache(agent_id)
        for name, memory in zip(names, wanted, strict=True):
            await self._bus.publish(_event(*created(name, memory)))
        return names

    async def recall(  # noqa: PLR0913 - as callers know it
        self,
        agent_id: Name,
        query: str,
        memory_type: str | None = None,
        tags: Iterable[str] | None = None,
        limit: int = 10,
        threshold: float = DEFAULT_THRESHOLD,
        *,
        update_access: bool = True,
    ) -> list[RecallResult]:
        """
        Return what an agent knows that fits a question, the best first.

        Args:
            agent_id: Who asks.
            query: What is asked.
            memory_type: Of this type alone.
            tags: With any of these.
            limit: So many at most.
            threshold: How near they are at least: the cosine. Vectors of the local
                provider are farther apart than those of models: 0.3 is near for them.
            update_access: Whether it is counted with the memories that they were used.
        """
        wish = Wish(limit, threshold, memory_type, tuple(tags or ()))
        reader = self._reader(agent_id)
        variant = self._variant(wish, reader)
        found = self._answers.get(agent_id, query, variant)
        if found is None:
            found = await self._search(reader, query, wish, update_access)
            self._answers.keep(agent_id, query, variant, found)
        await self._tell_recalled(agent_id, found)
        return found

    async def _search(
        self,
        reader: Reader,
        query: str,
        wish: Wish,
        update_access: bool,  # noqa: FBT001
    ) -> list[RecallResult]:
        vector = await self.embedder.embed(query)
        return await self._call(
            self.store.search_memories,
            reader,
            vector,
            wish,
            update_access=update_access,
            model=self.embedder.label,
        )

    def _reader(self, agent_id: Name) -> Reader:
        circles, projects = self._circles_of(agent_id), self._projects_of(agent_id)
        return Reader(agent_id, tuple(circles), tuple(projects))

    def _variant(self, wish: Wish, reader: Reader) -> str | None:
        if not self._knows_spaces:
            return None
        return self._answers.variant(wish, reader.spaces, self.embedder.label)

    async def _tell_recalled(
        self, agent_id: Name, found: Sequence[RecallResult]
    ) -> None:
        # Not the question: others listen, and it may be nobody's business.
        data = {"memory_ids": [one.id for one in found], "count": len(found)}
        recalled = Event(EventType.MEMORY_RECALLED, data, source_agent_id=agent_id)
        await self._bus.publish(recalled)

    async def forget(self, memory_id: str, agent_id: Name | None = None) -> bool:
        """Forget a memory, if it is this agent's; tell whether there was one."""
        gone = await self._call(self.store.forget_memory, memory_id, agent_id)
        if gone is None:
            return False
        self._answers.outdate(gone.space)
        self.invalidate_cache(gone.agent_id)
        data = {"memory_id": memory_id, "scope": gone.scope, "scope_id": gone.scope_id}
        told = {"source_agent_id": gone.agent_id, **_placed(gone.scope, gone.scope_id)}
        await self._bus.publish(Event(FORGOTTEN, data, **told))
        return True

    def invalidate_cache(self, agent_id: Name) -> int:
        """Forget the answers that are kept for an agent; return how many they were."""
        return self._answers.forget(agent_id)

    async def _heard(self, event: Event) -> None:
        """Forget what is kept for those whom a change concerns, whoever made it."""
        data = event.data if isinstance(event.data, Mapping) else {}
        agent_id = event.source_agent_id
        if agent_id is not None:
            self.invalidate_cache(agent_id)
        for space in _spaces_of(event, data, agent_id):
            self._answers.outdate(space)

    # Knowledge

    async def add_knowledge(self, title: str, content: str, **more: Any) -> str:
        """
        Keep something that everybody may look up; return its id.

        Args:
            title: What it is called.
            content: What is known.
            **more: `category`, `project_id`, `tags`, `source_url`, `author_agent_id`.
        """
        knowledge = NewKnowledge(title, content, **more)
        vector = await self.embedder.embed(knowledge.text)
        label = self.embedder.label
        return await self._call(self.store.add_knowledge, knowledge, vector, label)

    async def search_knowledge(
        self,
        query: str,
        *,
        category: str | None = None,
        project_id: Name | None = None,
        tags: Iterable[str] | None = None,
        limit: int = 5,
        threshold: float = DEFAULT_THRESHOLD,
    ) -> list[KnowledgeResult]:
        """Return the knowledge that fits a question, the best first."""
        wish = Wish(limit, threshold, category, tuple(tags or ()), project_id)
        vector = await self.embedder.embed(query)
        label = self.embedder.label
        return await self._call(self.store.search_knowledge, vector, wish, label)

    async def list_knowledge(
        self,
        *,
        category: str | None = None,
        project_id: Name | None = None,
        limit: int = 100,
    ) -> list[KnowledgeResult]:
        """Return the knowledge of a category and a project, the newest first."""
        listed = self.store.list_knowledge
        return await self._call(listed, limit, category=category, project_id=project_id)

    async def count_knowledge(
        self, *, category: str | None = None, project_id: Name | None = None
    ) -> int:
        """Count the knowledge of a category and a project."""
        counted = self.store.count_knowledge
        return await self._call(counted, category=category, project_id=project_id)

    async def get_stats(self, agent_id: Name) -> dict[str, Any]:
        """Count an agent's memories, and what is kept of vectors."""
        return {
            "memories": await self._call(self.store.count_memories, agent_id),
            "embedding_cache": self.embedder.cache_stats(),
        }

    async def _call(self, call: Callable[..., Done], *args: Any, **more: Any) -> Done:
        # A platform takes its time: the loop has other things to do meanwhile.
        if self.store.is_remote:
            return await asyncio.to_thread(call, *args, **more)
        return call(*args, **more)

    def close(self) -> None:
        """End listening; again it changes nothing."""
        while self._listening:
            self._bus.unsubscribe(self._listening.pop())
        self.store.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End listening."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End listening."""
        self.close()


def _nobody(_: Name) -> tuple[Name, ...]:
    return ()


def _event(kind: str, data: Mapping[str, Any], attributes: Mapping[str, Any]) -> Event:
    return Event(kind, dict(data), **attributes)


def _placed(scope: str, scope_id: Name | None) -> dict[str, Any]:
    return {f"{scope}_id": scope_id} if scope in ("circle", "project") else {}


def _spaces_of(
    event: Event, data: Mapping[str, Any], agent_id: Name | None
) -> set[str]:
    """Return the spaces that an event tells a change of."""
    scope = str(data.get("scope"))
    places: list[tuple[str, Any]] = [
        ("circle", event.circle_id),
        ("project", event.project_id),
        ("agent", agent_id),
    ]
    if scope in ("circle", "project"):
        places.append((scope, data.get("scope_id")))
    found = {"global"} if scope == "global" else set()
    for kind, name in places:
        if name is not None:
            try:
                found.add(space_of(kind, name, name))
            except InvalidRequestError:  # whoever told of it may have told anything
                continue
    return found
