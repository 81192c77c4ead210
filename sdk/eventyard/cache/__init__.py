"""A cache in Redis for what is dear to make; without Redis all goes on without it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventyard.cache.config import CacheConfig
    from eventyard.cache.manager import CacheManager

__all__ = ["CacheConfig", "CacheManager"]

_ELSEWHERE = {
    "CacheConfig": "eventyard.cache.config",
    "CacheManager": "eventyard.cache.manager",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
