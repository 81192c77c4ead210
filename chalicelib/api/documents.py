"""`/openapi.json` and `/asyncapi.json`, and `/docs` and `/redoc` to read them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._files import WEB, answer_file, answer_text
from eventyard.core.wire import dumps

routes = Routes(__name__)
_KNOWN: Final = "What the caller has already (If-None-Match) is what there is."
_DOCUMENT: Final[dict[str, Any]] = {
    "answer": "documents.Document",
    "also": {304: _KNOWN},
}
_PAGE: Final[dict[str, Any]] = {"media": "text/html", "also": {304: _KNOWN}}
_JSON: Final = {"Content-Type": "application/json"}
#: Both write styles into the page as they run.
_INLINE: Final = "'unsafe-inline'"


@routes.get("/openapi.json", **_DOCUMENT)
def openapi(call: Call) -> Response:
    """Describe every address, as OpenAPI 3.1."""
    return answer_text(call, _openapi(), _JSON)


@routes.get("/asyncapi.json", **_DOCUMENT)
def asyncapi(call: Call) -> Response:
    """Describe the live channels and their messages, as AsyncAPI 3.0."""
    return answer_text(call, _asyncapi(call.platform.settings.live_url), _JSON)


@routes.get("/docs", **_PAGE)
def docs(call: Call) -> Response:
    """Show the addresses in Swagger UI, where they can be tried out."""
    return answer_file(call, WEB / "docs.html", style_src=_INLINE)


@routes.get("/redoc", **_PAGE)
def redoc(call: Call) -> Response:
    """Show the addresses in ReDoc, to read and to print."""
    # Its search runs in a worker, which it makes of a text.
    return answer_file(call, WEB / "redoc.html", style_src=_INLINE, worker_src="blob:")


@lru_cache(maxsize=1)
def _openapi() -> str:
    from chalicelib.api import FAMILIES
    from chalicelib.api._openapi import document

    return dumps(document(FAMILIES))


@lru_cache(maxsize=4)
def _asyncapi(live_url: str) -> str:
    from chalicelib.api._asyncapi import document

    return dumps(document(live_url))
