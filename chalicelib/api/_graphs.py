"""How graphs are answered with: tagged, as pictures, and what goes wrong as one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Faults, answer_json
from chalicelib.graphs.names import FORMATS
from eventyard.core.errors import InvalidRequestError
from eventyard.core.wire import dumps

if TYPE_CHECKING:
    from chalicelib.graphs.service import Filters
    from chalicelib.graphs.store import Version

_SVG: Final = "image/svg+xml"
_TEXT: Final = "text/plain"
_JSON: Final = "application/json"
_ASYNCAPI: Final = "application/vnd.aai.asyncapi+json"
_MEDIA: Final = {"svg": _SVG, "json": _JSON, "asyncapi": _ASYNCAPI}
#: What `format=` may answer with.
TEXTS: Final = (_TEXT, _SVG, _JSON, _ASYNCAPI)
#: A drawing opened by itself runs nothing, loads nothing, and is in no frame.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
#: Lambda answers with at most 6 MB, in which the body is a JSON string.
_MOST: Final = 5_500_000
#: No text below this grows beyond that: a character is at most 6 bytes of JSON.
_SURELY_SMALL: Final = _MOST // 6


def _write_plain(
    status: int, code: str, message: str, details: Mapping[str, Any] | None
) -> Response:
    del code, details
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004
    return answer_json({"error": message}, status, headers)


def _write_picture(
    status: int, code: str, message: str, details: Mapping[str, Any] | None
) -> Response:
    del details
    advice = (
        "Push one: eventyard scan --agents-dir agents --api-url <this address>"
        if status == 404  # noqa: PLR2004
        else f"{status} {code}"
    )
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004
    return Response(
        body=_picture(message, advice),
        status_code=status,
        headers={**_headers(_SVG), "Cache-Control": "no-store", **headers},
    )


PLAIN: Final = Faults(_write_plain, "graphs.GraphFault")
PICTURE: Final = Faults(_write_picture, None, _SVG)


def _picture(message: str, advice: str) -> str:
    from html import escape
    from textwrap import wrap

    # What XML cannot carry must not make the picture of an error one.
    plain = "".join(c if c.isprintable() else " " for c in message)
    lines = [(line, 18, "#b91c1c") for line in wrap(plain, 80)[:4]]
    lines.append((advice, 14, "#57534e"))
    drawn = (
        f'<text x="400" y="{160 + 30 * at}" font-size="{size}" fill="{colour}" '
        f'text-anchor="middle" font-family="sans-serif">{escape(line)}</text>'
        for at, (line, size, colour) in enumerate(lines)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="400" '
        'viewBox="0 0 800 400"><rect width="800" height="400" fill="#fafafa"/>'
        + "".join(drawn)
        + "</svg>"
    )


def content(call: Call, version: Version, wanted: str) -> Response:
    """Answer with a version in one of the formats; raises InvalidRequestError."""
    if wanted not in FORMATS:
        raise InvalidRequestError(
            f"Invalid format: {wanted[:60]}. Use dot, svg, or json"
        )
    service = call.platform.graphs.service

    def make() -> str:
        if wanted == "json":
            return dumps(service.record(version))
        if wanted == "asyncapi":
            return dumps(service.asyncapi(version))
        return service.read(version, wanted)

    media = _MEDIA.get(wanted, _TEXT)
    return _tagged(call, f"{version.etag}-{wanted}", media, make)


def part(call: Call, version: Version, filters: Filters) -> Response:
    """Answer with the DOT of a part of a version."""
    service = call.platform.graphs.service
    tag = f"{version.etag}-{_mark(filters)}-dot"
    return _tagged(call, tag, _TEXT, lambda: service.dot(version, filters))


def drawing(call: Call, version: Version, filters: Filters, faults: Faults) -> Response:
    """Answer with a drawing of a version; 422 when it is too large to be made."""
    from chalicelib.graphs import render, sanitise

    service = call.platform.graphs.service
    made_by = f"{render.VERSION}.{sanitise.VERSION}"
    tag = f"{version.etag}-{_mark(filters)}-{made_by}"
    try:
        return _tagged(call, tag, _SVG, lambda: service.picture(version, filters))
    except render.TooLargeError as error:
        return faults.write(422, error.code, str(error), None)
    except render.DrawingError as error:
        return faults.write(500, error.code, str(error), None)


def _mark(filters: Filters) -> str:
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:8] if filters else "all"


def _tagged(call: Call, tag: str, media: str, make: Callable[[], str]) -> Response:
    """Answer 304 to whoever has it; what is too large is fetched from the bucket."""
    headers = {**_headers(media), "Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    if _has(call, f'"{tag}"'):
        return Response(body="", status_code=304, headers=headers)
    text = make()
    if len(text) > _SURELY_SMALL and len(json.dumps(text)) > _MOST:
        place = call.platform.graphs.drawings.link(text, media, _suffix(media))
        return Response(
            body="", status_code=307, headers={**headers, "Location": place}
        )
    return Response(body=text, headers=headers)


def _has(call: Call, tag: str) -> bool:
    told = (call.header("if-none-match") or "").split(",")
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in told)


def _suffix(media: str) -> str:
    return ".svg" if media == _SVG else ".json" if media.endswith("json") else ".txt"


def _headers(media: str) -> dict[str, str | list[str]]:
    return {
        "Content-Type": f"{media}; charset=utf-8",
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
