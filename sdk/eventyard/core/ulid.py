"""
ULIDs: sortable identifiers of 48 bits of time (ms) and 80 random bits.

The events of one commit carry consecutive ULIDs, and stores group a commit by the
18 characters they share. So that counting never carries out of the last 8
characters (40 bits), a new ULID has the top bit of those cleared: up to 2**39 can
be added to it.
"""

from __future__ import annotations

import os
import re
import time

#: How many leading characters the ULIDs of one commit share.
SHARED = 18

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_BASE32 = str.maketrans(_ALPHABET, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -10, -10)
_RANDOM_BYTES = 10
_RANDOM_BITS = 8 * _RANDOM_BYTES
_NO_CARRY = ~(1 << 39)
_FORM = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_ulid(now_ms: int | None = None, entropy: bytes | None = None) -> str:
    """Make a ULID of a moment (ms since 1970, default now) and 10 random bytes."""
    moment = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    noise = os.urandom(_RANDOM_BYTES) if entropy is None else entropy
    if len(noise) != _RANDOM_BYTES:
        raise ValueError(f"entropy must be {_RANDOM_BYTES} bytes, not {len(noise)}")
    return _encode(moment << _RANDOM_BITS | int.from_bytes(noise) & _NO_CARRY)


def add(ulid: str, n: int) -> str:
    """Return the ULID that stands `n` places after `ulid`."""
    return _encode(_decode(ulid) + n)


def timestamp_ms(ulid: str) -> int:
    """Return the moment of a ULID in milliseconds since 1970."""
    return _decode(ulid) >> _RANDOM_BITS


def floor(ms: int) -> str:
    """Return the lowest ULID of a millisecond, to start a range at."""
    return _encode(ms << _RANDOM_BITS)


def to_bytes(ulid: str) -> bytes:
    """Return the 16 bytes of a ULID: six of time, ten random ones."""
    return _decode(ulid).to_bytes(16)


def is_ulid(text: str) -> bool:
    """Tell whether `text` is a ULID in its one canonical, upper-case form."""
    return _FORM.fullmatch(text) is not None


def _encode(number: int) -> str:
    if not 0 <= number < 1 << 128:
        raise ValueError("a ULID holds 128 bits, no more and nothing negative")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def _decode(ulid: str) -> int:
    if not is_ulid(ulid):
        raise ValueError(f"not a ULID: {ulid!r:.40}")
    return int(ulid.translate(_TO_BASE32), 32)
