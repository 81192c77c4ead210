"""What telemetry is told, where somebody set it up."""

from __future__ import annotations

from typing import Final

from eventyard.telemetry.metrics import cache_metrics

#: The parts of keys that say what is kept; all else is "generic".
_KINDS: Final = {
    "embedding": "embedding",
    "rag": "rag",
    "circle": "circle_context",
    "llm": "llm",
}


def looked(key: str, prefix: str, *, found: bool) -> None:
    """Tell that somebody looked for a key."""
    if found:
        cache_metrics.record_cache_hit(_kind_of(key, prefix))
    else:
        cache_metrics.record_cache_miss(_kind_of(key, prefix))


def took(operation: str, took_ms: float, key: str, prefix: str) -> None:
    """Tell how long something took."""
    cache_metrics.record_cache_operation(operation, took_ms, _kind_of(key, prefix))


def _kind_of(key: str, prefix: str) -> str:
    if not key.startswith(prefix):
        return "generic"
    return _KINDS.get(key[len(prefix) :].partition(":")[0], "generic")
