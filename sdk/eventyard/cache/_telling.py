"""What telemetry is told, where somebody set it up."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

#: The parts of keys that say what is kept; all else is "generic".
_KINDS: Final = {
    "embedding": "embedding",
    "rag": "rag",
    "circle": "circle_context",
    "llm": "llm",
}


def metrics() -> Any:
    """Return the metrics of caches, or None where nobody measures."""
    telemetry = sys.modules.get("eventyard.telemetry")
    # Whoever never imported it cannot have set it up.
    if telemetry is None or not telemetry.is_enabled():
        return None
    return import_module("eventyard.telemetry.metrics").cache_metrics


def kind_of(key: str, prefix: str) -> str:
    """Return what kind of thing a key is for."""
    if not key.startswith(prefix):
        return "generic"
    return _KINDS.get(key[len(prefix) :].partition(":")[0], "generic")
