"""The words of DOT."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from eventyard.core.errors import InvalidRequestError

#: What is read at most, in characters.
LONGEST: Final = 10_000_000

_NAME = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+"
_NUMBER = r"-?(?:\.\d++|\d++(?:\.\d*+)?)"
_TEXT = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_ID = f"(?:{_NAME}|{_NUMBER}|{_TEXT})"
_PAIR = re.compile(rf"({_ID})\s*+(?:=\s*+({_ID})\s*+)?[,;]?", re.DOTALL)
# A list of attributes is one word where it can be: four times as fast to read.
_TOKEN = re.compile(
    rf"""
    \s*+(?:
    (?P<name>{_NAME}|{_NUMBER})
  | (?P<text>{_TEXT})
  | (?P<arrow>->|--)
  | (?P<list>\[\s*+(?:{_ID}\s*+(?:=\s*+{_ID}\s*+)?(?:[,;]\s*+)?)*+\])
  | (?P<mark>[{{}}\[\];,:=+])
  | (?P<html><)
  | (?P<space>(?://[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)|\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_REMARK = re.compile(r"\s*+(#[^\n]*+)?")
_ANGLES = re.compile("[<>]")
_ESCAPED = re.compile(r'\\(?:(["\\])|\r?\n)')


class Token(NamedTuple):
    """
    A word of DOT, and where it stands.

    It is a `name`, a `text` (it was quoted), an `html` label, an `arrow`, a `mark`, a
    whole `list` of attributes (as it stands there), or the `end`.
    """

    kind: str
    text: str
    at: int


def tokens(dot: str) -> Iterator[Token]:
    """Yield the words; raises InvalidRequestError at what is none, with its line."""
    at, end = 0, len(dot)
    while at < end:
        found = _TOKEN.match(dot, at)
        if found is None:
            at = _past_remark(dot, at)
            continue
        kind = found.lastgroup or ""
        start, at = found.span(kind)
        if kind == "text":
            yield Token(kind, unescaped(dot[start + 1 : at - 1]), start)
        elif kind == "html":
            at = _past_html(dot, start)
            yield Token(kind, "", start)
        elif kind != "space":
            yield Token(kind, dot[start:at], start)
    yield Token("end", "", end)


def _past_remark(dot: str, at: int) -> int:
    found = _REMARK.match(dot, at)
    start = at if found is None else found.start(1) if found[1] else found.end()
    begins = dot.rfind("\n", 0, start) + 1
    if found is not None and found[1] and not dot[begins:start].strip():
        return found.end()
    raise fault(dot, start, _unreadable(dot, start))


def _unreadable(dot: str, at: int) -> str:
    if dot[at] == '"':
        return "a text that does not end"
    if dot.startswith("/*", at):
        return "a comment that does not end"
    return f"{dot[at]!r}, which is no DOT"


def _past_html(dot: str, start: int) -> int:
    depth = 0
    for found in _ANGLES.finditer(dot, start):
        depth += 1 if found[0] == "<" else -1
        if depth == 0:
            return found.end()
    raise fault(dot, start, "a label in HTML that does not end")


def pairs(text: str, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a `list` whose names are wanted."""
    for name, value in _PAIR.findall(text, 1, len(text) - 1):
        plain = _plain(name)
        if plain in wanted:
            yield plain, _plain(value) if value else "true"


def _plain(word: str) -> str:
    return unescaped(word[1:-1]) if word[0] == '"' else word


def unescaped(text: str) -> str:
    """Return what a quoted text stands for."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: found[1] or "", text)


def fault(dot: str, at: int, what: str) -> InvalidRequestError:
    """Return the error that tells the line and what is wrong there."""
    line = dot.count("\n", 0, at) + 1
    return InvalidRequestError(
        f"This is not DOT: line {line} has {what}.", details={"line": line}
    )
