"""The verbs of knowledge: what everybody may look up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.memories.access import WRITE
from chalicelib.memories.means import Means
from chalicelib.memories.model import Vector, knowledge_item, knowledge_of
from chalicelib.memories.service import listed, looked_after
from chalicelib.memories.store import Claim, Kept, is_looked_after
from eventyard.core.errors import NotFoundError
from eventyard.rag.model import KNOWLEDGE_PREFIX, KnowledgeResult, NewKnowledge, Wish
from eventyard.rag.spaces import KNOWLEDGE
from eventyard.rag.tell import Told

ADDED: Final = "knowledge.added"
CHANGED: Final = "knowledge.changed"
FORGOTTEN: Final = "knowledge.forgotten"


@dataclass(slots=True)
class KnowledgeService(Means):
    """What people and agents do with knowledge; it is one space, for all."""

    def add(
        self,
        knowledge: NewKnowledge,
        vector: Vector | None,
        by: Principal,
        claim: Claim | None = None,
    ) -> tuple[KnowledgeResult, bool]:
        """
        Keep a piece of knowledge; tell whether it was done now.

        Raises InvalidMemoryError, PermissionDeniedError, and what the store raises.
        """
        self._check(knowledge, by)
        kept = self._kept(knowledge, vector)
        told = _told(ADDED, kept.item)
        with looked_after([kept], self.compact):
            ids, fresh = self.store.add([kept], [told], by.id, claim)
        return knowledge_of(kept.item) if fresh else self.get(ids[0]), fresh

    def _check(self, knowledge: NewKnowledge, by: Principal) -> None:
        if knowledge.author_agent_id is not None:
            self.access.require(by, WRITE, knowledge.author_agent_id)

    def _kept(self, knowledge: NewKnowledge, vector: Vector | None) -> Kept:
        made = vector or self.vectoriser.vectors([knowledge.text])[0]
        # Its id is made when the vector is there: it must not be old when it is kept.
        place = self.store.new_key()
        item = knowledge_item(place, knowledge, made, self.store.clock())
        return Kept(item, made)

    def change(
        self,
        knowledge_id: str,
        knowledge: NewKnowledge,
        vector: Vector | None,
        by: Principal,
    ) -> KnowledgeResult:
        """Put another content in the place of one; raises NotFoundError, ConflictError."""
        self._check(knowledge, by)
        old = self._found(knowledge_id)
        kept = self._kept(knowledge, vector)
        kept.item["id"] = knowledge_id
        # Its vector is another one: the old version is forgotten with its own.
        gone = self.store.gone(old, self.keep_s)
        told = _told(CHANGED, kept.item)
        with looked_after([kept], self.compact):
            self.store.add([kept], [told], by.id, beside=gone)
        return knowledge_of(kept.item)

    def search(self, vector: Vector, wish: Wish) -> list[KnowledgeResult]:
        """Return the knowledge that fits, the best first."""
        found = self.searcher.search([KNOWLEDGE], vector, wish)
        return [knowledge_of(row, similarity) for row, similarity in found.rows]

    def get(self, knowledge_id: str) -> KnowledgeResult:
        """Return a piece of knowledge; raises NotFoundError."""
        return knowledge_of(self._found(knowledge_id))

    def _found(self, knowledge_id: str) -> Item:
        found = self.store.locate(knowledge_id, KNOWLEDGE_PREFIX)
        if found is None:
            raise NotFoundError(f"There is no knowledge {knowledge_id:.60}.")
        return found[0]

    def forget(self, knowledge_id: str, by: Principal) -> None:
        """Forget a piece of knowledge; raises NotFoundError."""
        row = self._found(knowledge_id)
        if not self.store.forget(row, _told(FORGOTTEN, row), by.id, self.keep_s):
            raise NotFoundError(f"There is no knowledge {knowledge_id:.60}.")
        if is_looked_after(row["sk"]):
            self.compact(KNOWLEDGE)

    def page(
        self, wish: Wish, cursor: str | None
    ) -> tuple[list[KnowledgeResult], str | None]:
        """Return the knowledge that fits, the newest first, and where it goes on."""
        rows, further = listed(self.store, [KNOWLEDGE], wish, cursor)
        return [knowledge_of(row) for row in rows], further

    def count(self, wish: Wish) -> int:
        """Count the knowledge of a category and a project."""
        return self.searcher.count(KNOWLEDGE, wish.labels)


def _told(kind: str, item: Item) -> Told:
    data = {
        "knowledge_id": item["id"],
        "title": item["key"],
        "category": item.get("kind"),
    }
    attributes = {
        "project_id": item.get("project_id"),
        "source_agent_id": item.get("agent_id"),
    }
    return kind, data, {n: v for n, v in attributes.items() if v is not None}
