"""Reading strangers' JSON: what is not of the kind that is asked for is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from eventyard.core import moments

_LONGEST_TEXT: Final = 300
_LONGEST_LINK: Final = 2_000
_HIGHEST: Final = 2**53
_MOST_DIGITS: Final = 10


def dig(value: Any, *path: str) -> Any:
    """Return what stands at a path of objects, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def text(value: Any) -> str | None:
    """Return a short text."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None


def clipped(value: Any, most: int) -> str | None:
    """Return a text, and of a long one the beginning, to so many bytes."""
    if not isinstance(value, str):
        return None
    kept = value.encode(errors="replace")
    return kept.decode() if len(kept) <= most else _cut(kept, most)


def _cut(kept: bytes, most: int) -> str:
    return kept[: most - 3].decode(errors="ignore") + "…"


def login(value: Any) -> str | None:
    """Return the name of a user object."""
    return text(dig(value, "login"))


def whole(value: Any) -> int | None:
    """Return a whole number from 0 on."""
    fits = isinstance(value, int) and not isinstance(value, bool)
    return value if fits and 0 <= value < _HIGHEST else None


def number(value: Any) -> int | None:
    """Return the number of a pull request."""
    found = whole(value)
    return found if found and len(str(found)) <= _MOST_DIGITS else None


def listed(value: Any) -> Sequence[Any]:
    """Return a list; one that is none is empty."""
    return value if isinstance(value, list) else ()


def link(value: Any) -> str | None:
    """Return an address of the web that a page may link to."""
    fits = isinstance(value, str) and len(value) <= _LONGEST_LINK
    return value if fits and value.startswith(("https://", "http://")) else None


def at(value: Any) -> str | None:
    """Return a moment as all moments here are written, so that texts compare."""
    try:
        if isinstance(value, str):
            return moments.write(moments.read(value))
        if isinstance(value, int) and not isinstance(value, bool):
            # `pushed_at` of a push is in Unix seconds.
            return moments.write(datetime.fromtimestamp(value, UTC))
    except (ValueError, OverflowError, OSError):
        pass
    return None
