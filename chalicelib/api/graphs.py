"""`/api/graph` and `/graph`: event-flow graphs, pushed by scanners and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api import _graphs as answers
from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._graphs import PICTURE, PLAIN
from chalicelib.api._parameters import CURSOR, Parameter, limit
from chalicelib.graphs.names import DEFAULT_PROJECT, DEFAULT_REF, TYPES
from eventyard.core.errors import InvalidRequestError, PayloadTooLargeError

if TYPE_CHECKING:
    from chalicelib.graphs.content import Place
    from chalicelib.graphs.store import Version

routes = Routes(__name__, PLAIN)
READ: Final = "graph:read"
WRITE: Final = "graph:write"
_GRAPH: Final = "/api/graph"
_ONE: Final = _GRAPH + "/{graph_type}"
_PROJECT: Final = Parameter("project", "Whose graph.", default=DEFAULT_PROJECT)
_REF: Final = Parameter("ref", "Of which branch or tag.", default=DEFAULT_REF)
_VERSION: Final = Parameter(
    "version", "Which version; by default the newest.", "integer", highest=999_999_999
)
_WHICH: Final = (_PROJECT, _REF, _VERSION)
_TYPE: Final = Parameter("type", "Which type of graph.", default="complete")
_FORMAT: Final = Parameter(
    "format",
    "`dot`, `svg` (as it was pushed), `json`, `mermaid`, `asyncapi` or `text`.",
    default="dot",
)
_DRAWN: Final = Parameter("format", "As what.", default="svg", choices=("svg", "dot"))
_LIMIT: Final = limit(50, highest=100)
_NAMESPACES: Final = Parameter(
    "namespaces", "Events of these only; all without.", many=True
)
_HIDE_FAILED: Final = Parameter("hide_failed", "`1` leaves failed events out.")
_HIDE_REJECTED: Final = Parameter("hide_rejected", "`1` leaves rejected events out.")
_BASE: Final = Parameter(
    "base",
    "The older version; by default the one before `head`.",
    "integer",
    highest=999_999_999,
)
_HEAD: Final = Parameter(
    "head", "The newer version; by default the newest.", "integer", highest=999_999_999
)
_BASE_REF: Final = Parameter("base_ref", "The branch or tag of the older version.")
_EVENT: Final = Parameter("event", "The name of an event.", default="")
_KNOWN: Final = "What the caller has already (If-None-Match) is what there is."
_ELSEWHERE: Final = "It is too large for an answer: `Location` has it for a while."
_TOO_LARGE: Final = "The graph is too large to be drawn by the server."
_NONE: Final = "There is no such graph, or no such version of it."


@routes.post(
    _GRAPH,
    scope=WRITE,
    body="graphs.NewGraph",
    answer="graphs.Pushed",
    status=201,
    also={404: "There is no such upload, or it was taken already."},
)
def push_graph(call: Call) -> Any:
    """Keep a graph as the newest version, unless it is that already."""
    return call.platform.graphs.service.push(_body(call), call.principal)


def _body(call: Call) -> Any:
    try:
        return call.json() if call.request.raw_body else None
    except PayloadTooLargeError as error:
        raise PayloadTooLargeError(
            f"{error} POST /api/graph/uploads tells where to put a larger one.",
            details=error.details,
        ) from None


@routes.post(
    _GRAPH + "/uploads",
    scope=WRITE,
    body="graphs.NewUpload",
    answer="graphs.Upload",
    status=201,
)
def start_upload(call: Call) -> Any:
    """Tell where to PUT the body of a push that is too large for a request."""
    from chalicelib.api.shapes.graphs import NewUpload

    return call.platform.graphs.service.uploads.start(call.body(NewUpload).size)


@routes.get(
    _GRAPH + "/status", scope=READ, query=(_PROJECT, _REF), answer="graphs.GraphStatus"
)
def graph_status(call: Call) -> Any:
    """Tell which graphs there are."""
    return call.platform.graphs.service.status(call.take(_PROJECT), call.take(_REF))


@routes.get(_GRAPH + "/projects", scope=READ, answer="graphs.Projects")
def list_graph_projects(call: Call) -> Any:
    """List the projects and their refs."""
    return {"projects": call.platform.graphs.service.projects()}


@routes.get(
    _GRAPH + "/diff",
    scope=READ,
    query=(_TYPE, _PROJECT, _REF, _BASE, _HEAD, _BASE_REF),
    answer="graphs.GraphDiff",
    also={404: _NONE},
)
def diff_graphs(call: Call) -> Any:
    """Tell what is different between two versions."""
    from chalicelib.graphs.compare import diff

    service = call.platform.graphs.service
    place = _place(call, call.take(_TYPE))
    base, head, base_ref = map(call.take, (_BASE, _HEAD, _BASE_REF))
    return diff(service, place, base, head, base_ref)


@routes.get(
    _GRAPH + "/analysis",
    scope=READ,
    query=(_TYPE, *_WHICH),
    answer="graphs.Analysis",
    also={404: _NONE},
)
def analyse_graph(call: Call) -> Any:
    """Tell what is odd about a graph, and how its events lead to each other."""
    from chalicelib.graphs.compare import analysis

    return analysis(call.platform.graphs.service, _found(call, call.take(_TYPE)))


@routes.get(
    _GRAPH + "/impact",
    scope=READ,
    query=(_EVENT, _TYPE, *_WHICH),
    answer="graphs.Impact",
    also={404: "There is no such graph, or no such event in it."},
)
def graph_impact(call: Call) -> Any:
    """Tell whom a change of an event concerns."""
    from chalicelib.graphs.compare import impact

    if not (event := call.take(_EVENT)):
        raise InvalidRequestError("event must name one of the events of the graph.")
    version = _found(call, call.take(_TYPE))
    return impact(call.platform.graphs.service, version, event)


@routes.post(
    _GRAPH + "/filtered/{graph_type}",
    scope=READ,
    query=_WHICH,
    body="graphs.Filter",
    media="image/svg+xml",
    also={307: _ELSEWHERE, 404: _NONE, 422: _TOO_LARGE},
)
def filter_graph(call: Call, graph_type: str) -> Response:
    """Draw a part of a graph: agents, too, are of the namespaces only."""
    from chalicelib.api.shapes.graphs import Filter
    from chalicelib.graphs.service import Filters

    wish = call.body(Filter)
    namespaces = None if wish.namespaces is None else tuple(wish.namespaces)
    filters = Filters(namespaces, False, False, tuple(wish.keywords or ()), True)
    version = _found(call, graph_type)
    return answers.drawing(call, version, filters, PLAIN)


@routes.get(
    _ONE,
    scope=READ,
    query=(_FORMAT, *_WHICH),
    answer="graphs.Graph",
    media=answers.TEXTS,
    also={304: _KNOWN, 307: _ELSEWHERE, 404: _NONE},
)
def get_graph(call: Call, graph_type: str) -> Response:
    """Read a graph as it was pushed, or in another language."""
    return answers.content(call, _found(call, graph_type), call.take(_FORMAT))


@routes.get(
    _ONE + "/versions",
    scope=READ,
    query=(_PROJECT, _REF, _LIMIT, CURSOR),
    answer="graphs.GraphVersions",
    also={404: _NONE},
)
def list_graph_versions(call: Call, graph_type: str) -> Any:
    """List the versions of a graph, newest first."""
    from chalicelib.graphs.service import shown

    service = call.platform.graphs.service
    head = service.find(_place(call, graph_type))
    before = _number(call.take(CURSOR))
    page, cursor = service.store.versions(head.place, call.take(_LIMIT), before)
    return {
        "versions": [shown(version) for version in page],
        "cursor": None if cursor is None else str(cursor),
    }


def _number(cursor: str | None) -> int | None:
    if not cursor:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:  # noqa: PLR2004
        raise InvalidRequestError("cursor must be one that a page brought.")
    return int(cursor)


@routes.delete(
    _ONE,
    scope=WRITE,
    query=(_PROJECT, _REF),
    answer="graphs.Cleared",
    also={404: _NONE},
)
def delete_graph(call: Call, graph_type: str) -> Any:
    """Delete all versions of a graph."""
    service = call.platform.graphs.service
    place = service.find(_place(call, graph_type)).place
    service.delete(place.project, place.ref, [place.type], call.principal)
    message = f'Graph "{graph_type}" cleared from cache'
    return {"status": "success", "message": message}


@routes.delete(_GRAPH, scope=WRITE, query=(_PROJECT, _REF), answer="graphs.Cleared")
def delete_graphs(call: Call) -> Any:
    """Delete all versions of all graphs of a ref."""
    place = _place(call, "")
    service = call.platform.graphs.service
    service.delete(place.project, place.ref, TYPES, call.principal)
    return {"status": "success", "message": "All graphs cleared from cache"}


@routes.get(
    "/graph/{graph_type}",
    scope=READ,
    query=(_NAMESPACES, _HIDE_FAILED, _HIDE_REJECTED, *_WHICH, _DRAWN),
    media=("image/svg+xml", "text/plain"),
    also={304: _KNOWN, 307: _ELSEWHERE, 404: _NONE, 422: _TOO_LARGE},
    faults=PICTURE,
)
def draw_graph(call: Call, graph_type: str) -> Response:
    """Draw a graph, or a part of it; what goes wrong is a picture as well."""
    from chalicelib.graphs.service import Filters

    namespaces = tuple(sorted({n for n in call.take(_NAMESPACES) if n}))
    filters = Filters(
        namespaces=namespaces or None,
        hide_failed=call.take(_HIDE_FAILED) == "1",
        hide_rejected=call.take(_HIDE_REJECTED) == "1",
    )
    version = _found(call, graph_type)
    if call.take(_DRAWN) == "dot":
        return answers.part(call, version, filters)
    return answers.drawing(call, version, filters, PICTURE)


def _place(call: Call, graph_type: str) -> Place:
    from chalicelib.graphs.content import Place

    return Place(call.take(_PROJECT), call.take(_REF), graph_type)


def _found(call: Call, graph_type: str) -> Version:
    service = call.platform.graphs.service
    return service.find(_place(call, graph_type), call.take(_VERSION))
