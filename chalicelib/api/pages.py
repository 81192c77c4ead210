"""The pages and what they are made of, under a strict content security policy."""

from __future__ import annotations

import re
from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._files import WEB, answer_file, answer_page
from eventyard.core.errors import NotFoundError

routes = Routes(__name__)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-zA-Z]+)?\.(css|js|svg|txt)")
_KNOWN: Final = "What the caller has already (If-None-Match) is what there is."
_PAGE: Final[dict[str, Any]] = {"media": "text/html", "also": {304: _KNOWN}}

#: A worker runs under the policy of its own file: so WebAssembly runs there and in no page.
_WIDER: Final = {"flowworker.js": {"script_src": "'wasm-unsafe-eval'"}}


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
    return answer_page(call)


@routes.get("/events", **_PAGE)
@routes.get("/events/{event_id}", **_PAGE)
def events_page(call: Call, event_id: str = "") -> Response:
    """Show the log to a browser, and of one event where it went."""
    return answer_page(call, event_id)


@routes.get("/flow", **_PAGE)
def flow_page(call: Call) -> Response:
    """Show a browser who publishes what to whom, and what moves there now."""
    return answer_page(call)


@routes.get("/pulls", **_PAGE)
@routes.get("/pulls/{owner}/{name}/{number}", **_PAGE)
def pulls_page(
    call: Call, owner: str = "", name: str = "", number: str = ""
) -> Response:
    """Show a browser the pull requests by how far they are, and one of them whole."""
    return answer_page(call, owner, name, number)


@routes.get("/jobs", **_PAGE)
@routes.get("/jobs/{job_id}", **_PAGE)
def jobs_page(call: Call, job_id: str = "") -> Response:
    """Show a browser what is done and what waits; `new` is the form for one more."""
    return answer_page(call, job_id)


@routes.get("/circles", **_PAGE)
@routes.get("/circles/{circle}", **_PAGE)
def circles_page(call: Call, circle: str = "") -> Response:
    """Show a browser who works together, and on what; `new` is the form for one more."""
    return answer_page(call, circle)


@routes.get("/memories", **_PAGE)
@routes.get("/memories/{memory_id}", **_PAGE)
def memories_page(call: Call, memory_id: str = "") -> Response:
    """Show a browser what agents remember; `new` is the form for one more."""
    return answer_page(call, memory_id)


@routes.get("/subscriptions", **_PAGE)
@routes.get("/subscriptions/{subscription_id}", **_PAGE)
def subscriptions_page(call: Call, subscription_id: str = "") -> Response:
    """Show a browser who wants which events; `new` is the form for one more."""
    return answer_page(call, subscription_id)


@routes.get("/dead-letters", **_PAGE)
@routes.get("/dead-letters/{dead_id}", **_PAGE)
def dead_letters_page(call: Call, dead_id: str = "") -> Response:
    """Show a browser what could not be delivered, and let it be sent again."""
    return answer_page(call, dead_id)


@routes.get("/replays", **_PAGE)
@routes.get("/replays/{replay_id}", **_PAGE)
def replays_page(call: Call, replay_id: str = "") -> Response:
    """Show a browser what is delivered again; `new` is the form for one more."""
    return answer_page(call, replay_id)


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
    return answer_file(call, path, **_WIDER.get(name, {}))
