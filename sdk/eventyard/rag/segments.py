"""Blocks of vectors as files: what they are written as, and read from."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any, Final

from eventyard.core.errors import EventRouterError
from eventyard.rag.vectors import MOST_DIMENSION, WIDTH, Block

_MAGIC: Final = b"EYM1"
_LENGTH: Final = struct.Struct("<I")


class BrokenSegmentError(EventRouterError):
    """A segment of vectors cannot be read."""

    code = "segment_broken"


def write(block: Block) -> bytes:
    """Write a block: a head in JSON, the vectors as they are, a checksum."""
    labels = {label: list(rows) for label, rows in block.labels.items()}
    told = {"dimension": block.dimension, "ids": list(block.ids), "labels": labels}
    head = json.dumps(told, separators=(",", ":")).encode()
    body = _MAGIC + _LENGTH.pack(len(head)) + head + block.raw
    return body + _LENGTH.pack(zlib.crc32(body))


def read(raw: bytes) -> Block:
    """Read a block; raises BrokenSegmentError."""
    start = len(_MAGIC) + _LENGTH.size
    if len(raw) < start + _LENGTH.size or raw[: len(_MAGIC)] != _MAGIC:
        raise BrokenSegmentError("This is no segment.")
    (told,) = _LENGTH.unpack(raw[-_LENGTH.size :])
    if zlib.crc32(memoryview(raw)[: -_LENGTH.size]) != told:
        raise BrokenSegmentError("This segment has another checksum than was written.")
    (length,) = _LENGTH.unpack(raw[len(_MAGIC) : start])
    try:
        return _block(json.loads(raw[start : start + length]), raw[start + length :])
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenSegmentError(f"This segment makes no sense: {error}.") from None


def _block(head: Any, rest: bytes) -> Block:
    dimension, ids = head["dimension"], head["ids"]
    vectors = rest[: -_LENGTH.size]
    if not 0 < dimension <= MOST_DIMENSION:
        raise ValueError(f"{dimension} numbers in a vector")
    if len(vectors) != len(ids) * dimension * WIDTH:
        raise ValueError(f"{len(vectors)} bytes for {len(ids)} vectors")
    return Block(dimension, ids, vectors, head["labels"])
