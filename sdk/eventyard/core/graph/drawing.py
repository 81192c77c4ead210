"""Event-flow graphs in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eventyard.core.errors import InvalidRequestError
from eventyard.core.graph._complete import draw_complete
from eventyard.core.graph._difference import draw_diff
from eventyard.core.graph._simplified import draw_simplified
from eventyard.core.graph._tree import draw_tree
from eventyard.core.graph.model import FlowModel
from eventyard.core.graph.style import PLAIN, Style

__all__ = ["GRAPH_TYPES", "Style", "draw", "draw_diff"]

_DRAWERS: Final[dict[str, Callable[[FlowModel, Style], str]]] = {
    "simplified": draw_simplified,
    "complete": draw_complete,
    "full-tree": draw_tree,
}
GRAPH_TYPES: Final = tuple(_DRAWERS)


def draw(model: FlowModel, graph_type: str, *, style: Style = PLAIN) -> str:
    """
    Draw a model as one of the three types.

    `simplified` is the flow without failures, rejections and tests, from START to
    END; `complete` is all of it, by namespace; `full-tree` is unrolled from where
    events enter. Nodes have the id `event:<name>` or `agent:<id>`, edges
    `pub:<agent>|<event>` or `sub:<event>|<agent>`; what stands repeatedly in a tree
    has `#2`, `#3` behind it. The same model gives the same text.

    Raises:
        InvalidRequestError: an unknown type, or more patterns than can be resolved.
    """
    drawer = _DRAWERS.get(graph_type)
    if drawer is None:
        raise InvalidRequestError(
            f"Invalid graph_type. Must be one of: {', '.join(GRAPH_TYPES)}"
        )
    return drawer(model, style)
