"""The cache as callers know it: embeddings, recalled memories, contexts, answers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from eventyard.cache._far import Client
from eventyard.cache._making import AsyncMake, Make, Maker, Order
from eventyard.cache._store import Store
from eventyard.cache.config import CacheConfig
from eventyard.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from eventyard.cache._following import Follower, Members
    from eventyard.core.event import Event
    from eventyard.events import EventBus

_LOGGER = logging.getLogger("eventyard.cache")
AgentId = int | str


class Wishes(TypedDict, total=False):
    """How a value is had that may have to be made; times in seconds."""

    #: So long beyond its time the old value is handed out while a new one is made.
    stale: float
    tags: Iterable[str]
    #: How long a maker may take before another one begins.
    patience: float


class CacheManager:
    """
    Keeps JSON values in Redis for a while.

    Disabled, or while Redis is away: reading finds None, writing says False, removing
    counts 0, one warning is logged, and nothing raises. It comes back by itself. Safe
    among threads; also a context manager.
    """

    def __init__(self, config: CacheConfig | None = None) -> None:
        self.config = config or CacheConfig()
        self._store = store = Store(self.config)
        self._keys = store.keys
        self._maker = Maker(store)
        self._follower: Follower | None = None

    @classmethod
    def from_env(cls, dotenv_path: str | os.PathLike[str] | None = None) -> Self:
        """
        Return a cache as variables say (see `CacheConfig.from_env`).

        Variables that make no sense are warned of, and disable it.
        """
        try:
            return cls(CacheConfig.from_env(dotenv_path))
        except InvalidRequestError as error:
            _LOGGER.warning("%s", error)
            return cls(CacheConfig(enabled=False))

    @property
    def client(self) -> Client:
        """Return the connections to Redis, or None while there are none."""
        return self._store.far.client

    def is_enabled(self) -> bool:
        """Tell whether anything is kept at present."""
        far = self._store.far
        return self._store.near is not None or far.is_up or far.ask_again()

    def get(self, key: str) -> Any:
        """Return a value, or None."""
        return self._store.get(key)

    def set(
        self,
        key: str,
        value: Any,
        ttl: float | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> bool:
        """
        Keep a JSON value for `ttl` seconds, for ever with None or 0.

        What is kept with `tags` can be removed by any of them. Tells whether it is
        kept; a value that is no JSON is not.
        """
        return self._store.set(key, value, ttl, tags=tags)

    def delete(self, key: str) -> bool:
        """
        Remove a key; True also if there was none.

        While Redis is away that is False, and it is done before anything is read again.
        """
        return self._store.delete(key)

    def delete_pattern(self, pattern: str) -> int:
        """Remove the keys that a pattern (`*`, `?`, `[a-z]`) fits; returns how many."""
        return self._store.delete_pattern(pattern)

    def invalidate_tag(self, tag: str) -> int:
        """Remove what was kept with a tag; returns how many keys that were."""
        return self._store.invalidate_tag(tag)

    def clear_all(self) -> int:
        """Remove everything below the prefix; returns how many keys that were."""
        return self._store.clear_all()

    def get_or_set(
        self, key: str, make: Make, ttl: float | None = None, **wishes: Unpack[Wishes]
    ) -> Any:
        """
        Return a value, having it made where there is none.

        However many want it, in however many processes, one makes it and the others
        wait. What is removed while it is made is handed out and not kept. Errors of
        `make` are the caller's. Every value comes as JSON would bring it.

        Args:
            key: Of the entry.
            make: Called without anything for the value.
            ttl: In seconds; None or 0 for ever.
            wishes: `stale`: so many seconds beyond its time the old value is handed
                out while one new is made, 0 unless it says; `tags`; `patience`: how
                many seconds a maker may take before another one begins, 10 unless it
                says.
        """
        return self._maker.get(make, _order(key, ttl, **wishes))

    async def get_or_set_async(
        self,
        key: str,
        make: AsyncMake,
        ttl: float | None = None,
        **wishes: Unpack[Wishes],
    ) -> Any:
        """Do the same with a `make` that may be a coroutine function."""
        return await self._maker.get_async(make, _order(key, ttl, **wishes))

    def get_embedding(self, text: str, *, model: str = "") -> Any:
        """Return the vector of a text, or None."""
        return self._store.get(self._keys.embedding(text, model))

    def set_embedding(
        self,
        text: str,
        embedding: Iterable[float],
        ttl: float | None = None,
        *,
        model: str = "",
    ) -> bool:
        """Keep the vector that a model made of a text."""
        key = self._keys.embedding(text, model)
        return self.set(key, [*embedding], ttl or self.config.embedding_ttl)

    def get_rag_results(
        self, agent_id: AgentId, query: str, *, variant: str = ""
    ) -> Any:
        """Return what an agent recalled for a question, or None."""
        return self._store.get(self._keys.recall(agent_id, query, variant))

    def set_rag_results(
        self,
        agent_id: AgentId,
        query: str,
        results: Any,
        ttl: float | None = None,
        *,
        variant: str = "",
    ) -> bool:
        """
        Keep what an agent recalled for a question.

        `variant` is whatever else the answer depends on: limit, threshold, filters.
        """
        key = self._keys.recall(agent_id, query, variant)
        tags = [self._keys.recall_tag(agent_id)]
        return self.set(key, results, ttl or self.config.rag_results_ttl, tags=tags)

    def invalidate_rag_results(self, agent_id: AgentId) -> int:
        """Remove all that an agent recalled; returns how many keys that were."""
        return self._store.invalidate_tag(self._keys.recall_tag(agent_id))

    def invalidate_all_rag_results(self) -> int:
        """Remove all that anybody recalled; returns how many keys that were."""
        return self._store.delete_pattern(self._keys.any_recall)

    def get_circle_context(self, circle_id: AgentId) -> Any:
        """Return the context of a circle, or None."""
        return self._store.get(self._keys.circle(circle_id))

    def set_circle_context(
        self, circle_id: AgentId, context: Any, ttl: float | None = None
    ) -> bool:
        """Keep the context of a circle."""
        key = self._keys.circle(circle_id)
        return self.set(key, context, ttl or self.config.circle_context_ttl)

    def invalidate_circle_context(self, circle_id: AgentId) -> bool:
        """Remove the context of a circle."""
        return self._store.delete(self._keys.circle(circle_id))

    def get_llm_response(self, prompt_hash: str) -> Any:
        """Return what a model answered, or None."""
        return self._store.get(self._keys.answer(prompt_hash))

    def set_llm_response(
        self, prompt_hash: str, response: Any, ttl: float | None = None
    ) -> bool:
        """Keep what a model answered."""
        key = self._keys.answer(prompt_hash)
        return self.set(key, response, ttl or self.config.llm_response_ttl)

    def follow(
        self,
        bus: EventBus | None = None,
        *,
        members: Members | None = None,
        project_members: Members | None = None,
    ) -> None:
        """
        Remove what the events of a bus say is old, from now on; once, if asked twice.

        A new memory ends what its agent recalled, a shared one what all concerned did:
        `members(circle_id)` and `project_members(project_id)` return their agents;
        without them it is everybody. Events of circles and tasks end the context of
        their circle. Without a bus it is that of the process.
        """
        from eventyard.cache._following import Follower
        from eventyard.events import event_bus

        self.unfollow()
        self._follower = Follower(self, members, project_members)
        self._follower.begin(event_bus if bus is None else bus)

    def unfollow(self) -> None:
        """Heed events no longer."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.end()

    async def heed(self, event: Event) -> None:
        """
        Remove what an event says is old: a handler for whatever brings events.

        `await client.subscribe("memory.*", handler=cache.heed)`; whom it concerns is
        known from `follow`.
        """
        from eventyard.cache._following import Follower

        await (self._follower or Follower(self, None, None)).handle(event)

    def figures(self) -> dict[str, Any]:
        """
        Return how often this process found what it asked for; Redis is not asked.

        `enabled` is what was so when it was last asked; without it there is a `reason`.
        """
        store = self._store
        if store.near is None and not store.far.is_up:
            # What follows a colon is the library's word, and may say too much.
            reason = store.far.reason.partition(":")[0]
            return {"enabled": False, "reason": reason, **self._found()}
        near = {} if store.near is None else {"local": store.near.figures()}
        return {"enabled": True, **self._found(), **near}

    def _found(self) -> dict[str, Any]:
        hits, misses = self._store.hits, self._store.misses
        info = {"keyspace_hits": hits, "keyspace_misses": misses}
        return {
            "hits": hits,
            "misses": misses,
            "hit_rate": self._calculate_hit_rate(info),
        }

    def get_stats(self) -> dict[str, Any]:
        """Return what is kept, and how often this process found it."""
        store, config = self._store, self.config
        if not self.is_enabled():
            return {"enabled": False, "reason": store.far.reason}
        failed: Any = object()
        total = store.far.run(store.count, failed) if store.far.is_up else None
        if total is failed:
            return {"enabled": True, "error": store.far.reason or "Redis refuses"}
        near = {} if store.near is None else store.near.figures()
        return {
            "enabled": True,
            "host": config.host,
            "port": config.port,
            "db": config.db,
            "total_keys": near["entries"] if total is None else total,
            **self._found(),
            **({"local": near} if near else {}),
        }

    @staticmethod
    def _calculate_hit_rate(info: Mapping[str, Any]) -> float:
        hits = info.get("keyspace_hits", 0)
        asked = hits + info.get("keyspace_misses", 0)
        return round(100 * hits / asked, 2) if asked else 0.0

    def close(self) -> None:
        """End connections, threads and subscriptions; nothing is kept any more."""
        self.unfollow()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _order(
    key: str,
    ttl: float | None,
    *,
    stale: float = 0.0,
    tags: Iterable[str] = (),
    patience: float = 10.0,
) -> Order:
    return Order(key, ttl, stale, (*tags,), patience)
