"""The words of DOT."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from eventyard.core.errors import InvalidRequestError

#: What is read at most, in characters.
LONGEST: Final = 10_000_000

_TOKEN = re.compile(
    r"""
    (?P<space>(?:\s++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)++)
  | (?P<name>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+
      |    -?(?:\.\d++|\d++(?:\.\d*+)?))
  | "(?P<text>[^"\\]*+(?:\\.[^"\\]*+)*+)"
  | (?P<arrow>->|--)
  | (?P<mark>[{}\[\];,:=+])
  | (?P<html><)
    """,
    re.VERBOSE | re.DOTALL,
)
_ANGLES = re.compile("[<>]")
_ESCAPED = re.compile(r'\\(?:(["\\])|\r?\n)')


class Token(NamedTuple):
    """A word of DOT: `name`, `text` (was quoted), `html`, `arrow`, `mark` or `end`."""

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
        start, at = at, found.end()
        if kind == "html":
            at = _past_html(dot, start)
            yield Token(kind, "", start)
        elif kind == "text":
            yield Token(kind, unescaped(found["text"]), start)
        elif kind != "space":
            yield Token(kind, found[0], start)
    yield Token("end", "", end)


def _past_remark(dot: str, at: int) -> int:
    begins = dot.rfind("\n", 0, at) + 1
    if dot[at] == "#" and not dot[begins:at].strip():
        end = dot.find("\n", at)
        return len(dot) if end < 0 else end
    raise fault(dot, at, _unreadable(dot, at))


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
