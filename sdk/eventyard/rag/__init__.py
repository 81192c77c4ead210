"""
Memories: what agents know, found by what it means.

What is not needed yet is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eventyard.rag.embeddings import EmbeddingProvider, EmbeddingService
    from eventyard.rag.manager import MemoryManager
    from eventyard.rag.model import KnowledgeResult, MemoryResult, RecallResult
    from eventyard.rag.store import VectorStore

__all__ = [
    "EmbeddingProvider",
    "EmbeddingService",
    "KnowledgeResult",
    "MemoryManager",
    "MemoryResult",
    "RecallResult",
    "VectorStore",
]

_LATER: Final = {
    "EmbeddingProvider": "embeddings",
    "EmbeddingService": "embeddings",
    "KnowledgeResult": "model",
    "MemoryManager": "manager",
    "MemoryResult": "model",
    "RecallResult": "model",
    "VectorStore": "store",
}


def __getattr__(name: str) -> Any:
    """Load what was not needed until now."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
