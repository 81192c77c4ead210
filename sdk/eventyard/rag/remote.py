"""Memories on a platform: the methods of a VectorStore, over HTTP."""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

from eventyard.core.errors import (
    ConnectionError,  # noqa: A004 - its name there
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from eventyard.core.jsontext import dumps, loads
from eventyard.rag.model import (
    KnowledgeResult,
    MemoryResult,
    NewKnowledge,
    NewMemory,
    RecallResult,
    Wish,
)
from eventyard.rag.spaces import Name, Reader
from eventyard.transports._faults import fault_of

_TIMEOUT_S: Final = 30.0
_FIRST_FAILURE: Final = 300
_CONNECTIONS: Final = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}
_BASE: Final = "/api/v1/memories"
#: So many does a platform take at once.
AT_ONCE: Final = 40
_PAGE: Final = 100


class PlatformStore:
    """
    Keeps memories on a platform; made by `VectorStore.connect`.

    Each call is one request. Which circles and projects an agent is in, the platform
    knows by itself. Raises the errors that the platform answers with, or
    ConnectionError.
    """

    is_remote = True

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        address = url or os.environ.get("EVENTYARD_URL") or "http://localhost:5555"
        parts = urlsplit(address)
        if parts.scheme not in _CONNECTIONS or not parts.hostname:
            raise InvalidRequestError(f"{address!r} is no address of a platform.")
        self.url = address.rstrip("/")
        self._key = api_key or os.environ.get("EVENTYARD_API_KEY") or ""

    # Memories

    def add_memory(
        self, memory: NewMemory, embedding: Sequence[float], model: str = ""
    ) -> str:
        """Keep a memory with its vector; return its id."""
        return self.add_memories([memory], [embedding], model)[0]

    def add_memories(
        self,
        memories: Sequence[NewMemory],
        embeddings: Sequence[Sequence[float]],
        model: str = "",
    ) -> list[str]:
        """Keep memories with their vectors, forty at a time all or none."""
        wanted = [
            {**asdict(memory), "embedding": list(vector), "embedding_model": model}
            for memory, vector in zip(memories, embeddings, strict=True)
        ]
        found: list[str] = []
        for start in range(0, len(wanted), AT_ONCE):
            part = {"memories": wanted[start : start + AT_ONCE]}
            found += self._ask("POST", "/batch", part)["ids"]
        return found

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
        wish = wish or Wish()
        if not wish.limit:
            return []
        told = self._ask(
            "POST",
            "/recall",
            {
                "agent_id": reader.agent_id,
                "embedding": list(embedding),
                "embedding_model": model,
                "limit": wish.limit,
                "threshold": wish.threshold,
                "memory_type": wish.kind,
                "tags": list(wish.tags),
                "update_access": update_access,
            },
        )
        return [RecallResult(**_named(RecallResult, one)) for one in told["results"]]

    def get_memory(self, memory_id: str) -> MemoryResult | None:
        """Return a memory; None when there is none, or it was forgotten."""
        try:
            told = self._ask("GET", f"/{quote(memory_id, safe='')}")
        except NotFoundError:
            return None
        return MemoryResult(**_named(MemoryResult, told["memory"]))

    def list_memories(self, reader: Reader, limit: int = 100) -> list[MemoryResult]:
        """Return what an agent knows, the newest first."""
        rows = self._listed("", "memories", limit, {"agent": reader.agent_id})
        return [MemoryResult(**_named(MemoryResult, one)) for one in rows]

    def forget_memory(
        self, memory_id: str, agent_id: Name | None = None
    ) -> MemoryResult | None:
        """Forget a memory, if it is this agent's; return it, or None."""
        found = self.get_memory(memory_id)
        if found is None:
            return None
        query = "" if agent_id is None else "?" + urlencode({"agent": agent_id})
        try:
            self._ask("DELETE", f"/{quote(memory_id, safe='')}{query}")
        except (NotFoundError, PermissionDeniedError):
            return None
        return found

    def count_memories(self, agent_id: Name) -> dict[str, Any]:
        """Count an agent's own memories, by their types."""
        told = self._ask("GET", "/stats?" + urlencode({"agent": agent_id}))
        return dict(told["memories"])

    # Knowledge

    def add_knowledge(
        self, knowledge: NewKnowledge, embedding: Sequence[float], model: str = ""
    ) -> str:
        """Keep a piece of knowledge; return its id."""
        more = {"embedding": list(embedding), "embedding_model": model}
        told = self._ask("POST", "/knowledge", {**asdict(knowledge), **more})
        return str(told["knowledge"]["id"])

    def search_knowledge(
        self, embedding: Sequence[float], wish: Wish | None = None, model: str = ""
    ) -> list[KnowledgeResult]:
        """Return the knowledge that is near, the nearest first."""
        wish = wish or Wish()
        if not wish.limit:
            return []
        told = self._ask(
            "POST",
            "/knowledge/search",
            {
                "embedding": list(embedding),
                "embedding_model": model,
                "limit": wish.limit,
                "threshold": wish.threshold,
                "category": wish.kind,
                "tags": list(wish.tags),
                "project_id": wish.project_id,
            },
        )
        return [_knowledge(one) for one in told["results"]]

    def get_knowledge(self, knowledge_id: str) -> KnowledgeResult | None:
        """Return a piece of knowledge, or None."""
        try:
            told = self._ask("GET", f"/knowledge/{quote(knowledge_id, safe='')}")
        except NotFoundError:
            return None
        return _knowledge(told["knowledge"])

    def list_knowledge(
        self,
        limit: int = 100,
        *,
        category: str | None = None,
        project_id: Name | None = None,
    ) -> list[KnowledgeResult]:
        """Return the knowledge of a category and a project, the newest first."""
        query = {"category": category, "project": project_id}
        return [
            _knowledge(one)
            for one in self._listed("/knowledge", "knowledge", limit, query)
        ]

    def count_knowledge(
        self, *, category: str | None = None, project_id: Name | None = None
    ) -> int:
        """Count the knowledge of a category and a project."""
        query = _query({"category": category, "project": project_id})
        return int(self._ask("GET", f"/stats?{query}")["knowledge"]["total"])

    def forget_knowledge(self, knowledge_id: str) -> bool:
        """Forget a piece of knowledge; tell whether there was one."""
        try:
            self._ask("DELETE", f"/knowledge/{quote(knowledge_id, safe='')}")
        except NotFoundError:
            return False
        return True

    def close(self) -> None:
        """Do nothing: each call has a connection of its own."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def _listed(
        self, path: str, name: str, limit: int, query: Mapping[str, Any]
    ) -> list[Any]:
        found: list[Any] = []
        cursor: str | None = None
        while len(found) < limit and (cursor or not found):
            page = {"limit": min(limit - len(found), _PAGE), "cursor": cursor}
            told = self._ask("GET", f"{path}?{_query({**query, **page})}")
            found += told[name]
            cursor = told["cursor"]
            if cursor is None:
                break
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        parts = urlsplit(self.url)
        connect = _CONNECTIONS[parts.scheme]
        connection = connect(str(parts.hostname), parts.port, timeout=_TIMEOUT_S)
        sent = None if body is None else dumps(body).encode()
        try:
            connection.request(
                method, f"{parts.path}{_BASE}{path}", sent, self._headers()
            )
            answer = connection.getresponse()
            status, read = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(
                f"{self.url} does not answer: {type(error).__name__}. Does it run?"
            ) from error
        finally:
            connection.close()
        if status >= _FIRST_FAILURE:
            raise _fault(status, read)
        return loads(read)

    def _headers(self) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"Content-Type": "application/json", **key}


def _fault(status: int, body: bytes) -> EventRouterError:
    return fault_of(status, body)


def _query(told: Mapping[str, Any]) -> str:
    return urlencode({name: one for name, one in told.items() if one is not None})


def _named(kind: Any, told: Mapping[str, Any]) -> dict[str, Any]:
    # A later platform may tell more than is known here.
    return {name: told[name] for name in kind.__dataclass_fields__ if name in told}


def _knowledge(told: Mapping[str, Any]) -> KnowledgeResult:
    return KnowledgeResult(**_named(KnowledgeResult, told))
