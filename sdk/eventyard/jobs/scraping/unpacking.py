"""Bodies unpacked, so that a small one cannot become a large one."""

from __future__ import annotations

import zlib
from typing import Any, Final

from eventyard.jobs.scraping.fetching import FetchError

#: zlib's window, and: whether it is gzip or zlib, its first bytes tell.
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_BARE: Final = -zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """
    Return a body without its Content-Encoding: gzip, deflate, or none.

    Raises FetchError where it is something else, broken, or unpacks to more than
    `most` bytes.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _all_members(body, most)
        case "deflate":
            # Some send what the name says, and others what HTTP means by it.
            return _tried(body, most)
    raise FetchError(f"its encoding {encoding[:40]!r} cannot be read")


def is_gzip(body: bytes) -> bool:
    """Tell whether something is packed, whatever its headers say."""
    return body.startswith(_GZIP_MAGIC)


def _all_members(body: bytes, most: int) -> bytes:
    """Unpack one member after the other; what is behind them and none is left out."""
    found: list[bytes] = []
    left = most
    while not found or is_gzip(body):
        packed = zlib.decompressobj(_GZIP_OR_ZLIB)
        found.append(_one(packed, body, left, most))
        left -= len(found[-1])
        body = packed.unused_data
    return b"".join(found)


def _tried(body: bytes, most: int) -> bytes:
    try:
        return _one(zlib.decompressobj(_GZIP_OR_ZLIB), body, most, most)
    except BrokenError:
        return _one(zlib.decompressobj(_BARE), body, most, most)


class BrokenError(FetchError):
    """A body cannot be unpacked."""


def _one(packed: Any, body: bytes, left: int, most: int) -> bytes:
    try:
        found: bytes = packed.decompress(body, left + 1)
    except zlib.error as error:
        raise BrokenError(f"it cannot be unpacked: {error}") from None
    if len(found) > left:
        raise FetchError(f"it unpacks to more than {most} bytes")
    if not packed.eof:
        raise BrokenError("it is cut off")
    return found
