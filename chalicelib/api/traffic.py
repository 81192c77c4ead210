"""`/api/graph/traffic`: what flows along the edges of a graph."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._graphs import PLAIN
from chalicelib.api._parameters import Parameter
from chalicelib.graphs.content import Place
from chalicelib.graphs.names import DEFAULT_PROJECT, DEFAULT_REF, TYPES

routes = Routes(__name__, PLAIN)
READ: Final = "graph:read"
_WINDOWS: Final = {
    "5m": 300,
    "15m": 900,
    "1h": 3_600,
    "6h": 21_600,
    "24h": 86_400,
    "7d": 604_800,
}
_WINDOW: Final = Parameter(
    "window", "How far back it looks.", default="15m", choices=tuple(_WINDOWS)
)
_PROJECT: Final = Parameter("project", "Whose code.", default=DEFAULT_PROJECT)
_REF: Final = Parameter("ref", "Which branch or tag of it.", default=DEFAULT_REF)
_TYPE: Final = Parameter(
    "type", "Which type of graph has the code.", default="complete", choices=TYPES
)


@routes.get(
    "/api/graph/traffic",
    scope=READ,
    query=(_WINDOW, _PROJECT, _REF, _TYPE),
    answer="traffic.Traffic",
)
def show_traffic(call: Call) -> Any:
    """Tell what was published and delivered of late, edge by edge, beside the code."""
    from chalicelib.graphs.overlay import lay_over

    seconds = _WINDOWS[call.take(_WINDOW)]
    place = Place(call.take(_PROJECT), call.take(_REF), call.take(_TYPE))
    overlay = call.platform.graphs.overlays.of(place)
    return lay_over(overlay, call.platform.traffic.window(seconds), seconds)
