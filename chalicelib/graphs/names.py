"""What graphs are called; every function imports this, and so nothing else does here."""

from __future__ import annotations

from typing import Final

#: In the order in which messages name them.
TYPES: Final = ("simplified", "complete", "full-tree")
#: What a graph can be had as.
FORMATS: Final = ("dot", "svg", "json", "mermaid", "asyncapi", "text")
DEFAULT_PROJECT: Final = "default"
DEFAULT_REF: Final = "main"
