"""`/` and `/static`: the pages, under a strict content security policy."""

from __future__ import annotations

import re
from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._files import WEB, answer_file
from eventyard.core.errors import NotFoundError

routes = Routes(__name__)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-zA-Z]+)?\.(css|js|svg|txt)")
_KNOWN: Final = "What the caller has already (If-None-Match) is what there is."


@routes.get(
    "/",
    answer="operations.Overview",
    media=("application/json", "text/html"),
    also={304: _KNOWN},
)
def overview(call: Call) -> Any:
    """Show the page to a browser, and the state to everything else."""
    if "text/html" not in (call.header("accept") or ""):
        return {"name": "Eventyard", **call.platform.public_config()}
    return answer_file(call, WEB / "index.html")


@routes.get(
    "/static/{name}",
    media=("text/css", "text/javascript", "image/svg+xml", "text/plain"),
    also={304: _KNOWN},
)
def static(call: Call, name: str) -> Response:
    """Serve a style, a module or an image."""
    path = WEB / "static" / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFoundError(f"There is no file {name}.")
    return answer_file(call, path)
