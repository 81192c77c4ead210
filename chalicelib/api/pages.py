"""`/` and `/static`: the pages, under a strict content security policy."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes
from eventyard.core.errors import NotFoundError

routes = Routes(__name__)
_WEB: Final = Path(__file__).parent.parent / "web"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-zA-Z]+)?\.(css|js|svg|txt)")
_SOCKET: Final = re.compile(r"(wss?://[A-Za-z0-9.:\[\]-]+)(/.*)?")
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@routes.get("/")
def overview(call: Call) -> Any:
    """Show the page to a browser, and the state to everything else."""
    if "text/html" not in (call.header("accept") or ""):
        return {"name": "Eventyard", **call.platform.public_config()}
    return _serve(call, _WEB / "index.html")


@routes.get("/static/{name}")
def static(call: Call, name: str) -> Response:
    """Serve a style, a module or an image."""
    path = _WEB / "static" / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFoundError(f"There is no file {name}.")
    return _serve(call, path)


def _serve(call: Call, path: Path) -> Response:
    text, tag = _read(path)
    headers: dict[str, str | list[str]] = {
        "Cache-Control": "no-cache",  # ask each time; the tag makes that cheap
        "Content-Security-Policy": _policy(call.platform.settings.live_url),
        "Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8",
        "ETag": tag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    if call.header("if-none-match") == tag:
        return Response(body="", status_code=304, headers=headers)
    return Response(body=text, headers=headers)


@lru_cache(maxsize=64)
def _read(path: Path) -> tuple[str, str]:
    text = path.read_text()
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def _policy(live_url: str) -> str:
    # On AWS the socket has a host of its own; everywhere else it is this one.
    host = _SOCKET.fullmatch(live_url)
    socket = f" {host[1]}" if host else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' data:; connect-src 'self'{socket}; font-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
