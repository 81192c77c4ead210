"""Answers that are kept, and forgotten for everybody whom a change concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from eventyard.rag.model import RecallResult, Wish
from eventyard.rag.spaces import Name

#: Generations of spaces, kept beside the answers: see `variant`.
_GENERATION: Final = "rag:generation:"
#: Longer than any answer is kept; who finds none begins anew.
_GENERATION_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered, in a CacheManager; without one nothing is kept."""

    cache: Any

    def variant(self, wish: Wish, spaces: Sequence[str], model: str) -> str | None:
        """
        Return what an answer depends on besides agent and query; None: keep it not.

        With each space goes its generation, which changes with every memory of it: so
        what was kept for anybody who reads that space is found no more, also when it is
        written only after that.
        """
        if self.cache is None or not wish.is_plain:
            return None
        asked = f"{wish.limit}|{wish.threshold}|{model}"
        return "|".join((asked, *map(self._generation, spaces)))

    def get(
        self, agent_id: Name, query: str, variant: str | None
    ) -> list[RecallResult] | None:
        """Return what is kept, or None."""
        if variant is None:
            return None
        kept = self.cache.get_rag_results(agent_id, query, variant=variant)
        if not isinstance(kept, list):
            return None
        try:
            return [RecallResult(**one) for one in kept]
        except TypeError:  # of another version
            return None

    def keep(
        self,
        agent_id: Name,
        query: str,
        variant: str | None,
        found: Sequence[RecallResult],
    ) -> None:
        """Keep an answer, unless its variant is None."""
        if variant is not None:
            kept = [one.dict() for one in found]
            self.cache.set_rag_results(agent_id, query, kept, variant=variant)

    def outdate(self, space: str) -> str:
        """Have no answer found any more that a space is part of."""
        # One of its own each time: what was dropped never comes back as it was.
        fresh = uuid4().hex
        if self.cache is not None:
            self.cache.set(self._key(space), fresh, _GENERATION_S)
        return fresh

    def forget(self, agent_id: Name) -> int:
        """Forget the answers of an agent; return how many they were."""
        if self.cache is None:
            return 0
        return int(self.cache.invalidate_rag_results(agent_id) or 0)

    def _generation(self, space: str) -> str:
        return f"{space}={self.cache.get(self._key(space)) or self.outdate(space)}"

    def _key(self, space: str) -> str:
        config = getattr(self.cache, "config", None)
        prefix = getattr(config, "key_prefix", "gathering:")
        return f"{prefix}{_GENERATION}{space}"
