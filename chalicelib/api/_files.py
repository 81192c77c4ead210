"""Texts that browsers keep: with a tag, so that asking again is cheap, and a policy."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from chalice.app import Response

from chalicelib.api._endpoint import Call

WEB: Final = Path(__file__).parent.parent / "web"
_SOCKET: Final = re.compile(r"(wss?://[A-Za-z0-9.:\[\]-]+)(/.*)?")
_LINK: Final = re.compile(r'(\b(?:href|src)=")')
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


def answer_file(call: Call, path: Path, **sources: str) -> Response:
    """Serve a file of chalicelib/web; `sources` widen its policy, as in `policy`."""
    return answer_text(call, _read(path), _headers(call, path, sources))


def answer_page(call: Call, *opened: str) -> Response:
    """
    Serve the one document of all pages, which reads from its address what to show.

    `opened` is what stands behind the page's own name, if anything does: the links of
    the document are relative, because gateways put a stage before every path.
    """
    path = WEB / "index.html"
    text = _read_deep(path, sum(map(bool, opened)))
    return answer_text(call, text, _headers(call, path, {}))


def _headers(call: Call, path: Path, sources: dict[str, str]) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy(call.platform.settings.live_url, **sources),
        "Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8",
    }


def answer_text(call: Call, text: str, headers: dict[str, str]) -> Response:
    """Serve a text, or 304 to whoever has it already."""
    tag = _tag(text)
    every: dict[str, str | list[str]] = {
        "Cache-Control": "no-cache",  # ask each time; the tag makes that cheap
        "ETag": tag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    if call.header("if-none-match") == tag:
        return Response(body="", status_code=304, headers=every)
    return Response(body=text, headers=every)


@lru_cache(maxsize=64)
def _read(path: Path) -> str:
    return path.read_text()


@lru_cache(maxsize=4)
def _read_deep(path: Path, depth: int) -> str:
    return _LINK.sub(r"\1" + "../" * depth, _read(path))


@lru_cache(maxsize=64)
def _tag(text: str) -> str:
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def policy(live_url: str, **sources: str) -> str:
    """
    Write a content security policy: everything of ours, nothing of anybody else's.

    `sources` add to what a directive allows: `style_src="'unsafe-inline'"`.
    """
    # On AWS the socket has a host of its own; everywhere else it is this one.
    host = _SOCKET.fullmatch(live_url)
    allowed = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'" + (f" {host[1]}" if host else ""),
        "font-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    for name, more in sources.items():
        directive = name.replace("_", "-")
        allowed[directive] = f"{allowed.get(directive, '')} {more}".strip()
    return "; ".join(f"{name} {value}" for name, value in allowed.items())
