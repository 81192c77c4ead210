"""What is kept in this process: bounded, for a while, and never shared by mistake."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import Any, Final

#: Until when it holds, the value, how it is copied (None: it cannot change), whether
#: it was asked for since it was last passed over, its size, its tags.
Entry = list[Any]
UNTIL, VALUE, COPY, ASKED, SIZE, TAGS = range(6)
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class Near:
    """
    Entries by key.

    Who is to go is the oldest that nobody asked for since it was last passed over.
    Nothing is taken in while it is not `open`: others' changes would go unseen.
    """

    def __init__(self, most_entries: int, most_bytes: int, most_s: float) -> None:
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.open = False
        #: Goes up with all that is dropped: what was read before may be old.
        self.epoch = 0
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._most_s = most_s
        self._bytes = 0
        self._lock = Lock()

    def put(
        self,
        key: str,
        value: Any,
        size: int,
        ttl_s: float | None,
        *,
        epoch: int,
        tags: Iterable[str] = (),
    ) -> bool:
        """Keep a value, unless something was dropped since it was read."""
        lasts = self._most_s if ttl_s is None else min(ttl_s, self._most_s)
        entry = [monotonic() + lasts, value, _copier(value), False, size, (*tags,)]
        with self._lock:
            if not self.open or epoch != self.epoch or size > self._most_bytes:
                return False
            self._take(key)
            self.entries[key] = entry
            self._bytes += size
            self._make_room()
        return True

    def _make_room(self) -> None:
        while len(self.entries) > self._most_entries or self._bytes > self._most_bytes:
            key, entry = self.entries.popitem(last=False)
            if entry[ASKED] and entry[UNTIL] > monotonic():
                entry[ASKED] = False
                self.entries[key] = entry
            else:
                self._bytes -= entry[SIZE]

    def _take(self, key: str) -> bool:
        entry = self.entries.pop(key, None)
        if entry is None:
            return False
        self._bytes -= entry[SIZE]
        return bool(entry[UNTIL] > monotonic())

    def drop(self, keys: Iterable[str]) -> int:
        """Forget keys; returns how many there were."""
        with self._lock:
            self.epoch += 1
            return sum([self._take(key) for key in keys])

    def drop_like(self, pattern: str) -> int:
        """Forget the keys that a pattern of Redis's fits."""
        fits = glob(pattern).fullmatch
        return self.drop([key for key in self._known() if fits(key)])

    def drop_tag(self, tag: str) -> int:
        """Forget what was kept with a tag."""
        with self._lock:
            entries = [*self.entries.items()]
        return self.drop([key for key, entry in entries if tag in entry[TAGS]])

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.epoch += 1
            self.entries.clear()
            self._bytes = 0

    def begin_anew(self) -> None:
        """Forget everything, and whoever held the lock in the process of before."""
        self._lock = Lock()
        self.clear()

    def _known(self) -> list[str]:
        with self._lock:
            return [*self.entries]

    def figures(self) -> dict[str, int]:
        """Return how much is kept."""
        with self._lock:
            return {"entries": len(self.entries), "bytes": self._bytes}


def _copier(value: Any) -> Callable[[Any], Any] | None:
    """Return the cheapest way to hand out a value that nobody can spoil for others."""
    kind = type(value)
    if kind in _PLAIN:
        return None
    parts = value.values() if kind is dict else value
    if all(type(one) in _PLAIN for one in parts):
        return list.copy if kind is list else dict.copy
    return deep_copy


def deep_copy(value: Any) -> Any:
    """Copy a JSON value."""
    if type(value) is list:
        return [one if type(one) in _PLAIN else deep_copy(one) for one in value]
    return {
        name: one if type(one) in _PLAIN else deep_copy(one)
        for name, one in value.items()
    }


def glob(pattern: str) -> re.Pattern[str]:
    """Return a pattern of Redis's as a regular expression."""
    written, rest = "", pattern
    while rest:
        text, rest = _first(rest)
        written += text
    return re.compile(written, re.DOTALL)


def _first(pattern: str) -> tuple[str, str]:
    sign, rest = pattern[0], pattern[1:]
    if sign == "*":
        return ".*", rest.lstrip("*")
    if sign == "?":
        return ".", rest
    if sign == "\\" and rest:
        return re.escape(rest[0]), rest[1:]
    if sign == "[":
        return _choice(rest)
    return re.escape(sign), rest


def _choice(rest: str) -> tuple[str, str]:
    """Read what stands behind an opening bracket, up to and with the closing one."""
    inverted, parts = rest.startswith("^"), ""
    rest = rest.removeprefix("^")
    while rest and rest[0] != "]":
        if rest[0] == "\\" and len(rest) > 1:
            # What is escaped stands for itself, and begins no range.
            parts, rest = parts + re.escape(rest[1]), rest[2:]
        elif len(rest) > 2 and rest[1] == "-":  # noqa: PLR2004 - from, dash, to
            low, high = sorted((rest[0], rest[2]))
            parts, rest = f"{parts}{re.escape(low)}-{re.escape(high)}", rest[3:]
        else:
            parts, rest = parts + re.escape(rest[0]), rest[1:]
    if not parts:
        return ("." if inverted else "(?!)"), rest[1:]
    return f"[{'^' if inverted else ''}{parts}]", rest[1:]
