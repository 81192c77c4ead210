"""Reads code for its event flow: who publishes what, and who listens."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventyard.scanner.analyzer import EventFlowAnalyzer
    from eventyard.scanner.flow import EventFlowScanner
    from eventyard.scanner.storage import (
        GraphData,
        GraphStorage,
        get_storage,
        reset_storage,
    )
    from eventyard.scanner.trees import (
        generate_hierarchical_tree,
        generate_simplified_tree,
    )

__all__ = [
    "EventFlowAnalyzer",
    "EventFlowScanner",
    "GraphData",
    "GraphStorage",
    "generate_hierarchical_tree",
    "generate_simplified_tree",
    "get_storage",
    "reset_storage",
]

_WHERE = {
    "EventFlowAnalyzer": "analyzer",
    "EventFlowScanner": "flow",
    "generate_hierarchical_tree": "trees",
    "generate_simplified_tree": "trees",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: who keeps graphs need not load what reads code.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_WHERE.get(name, 'storage')}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
