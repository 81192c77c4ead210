"""
Hostile markup made harmless before it is parsed.

A parser of HTML takes time with the square of how deep elements lie in each other, of
how many names of attributes there are, and of how many ways to emphasise stay open:
500 KB can cost minutes, or all memory. Sound pages are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

#: Of so many tags even the worst are parsed in a quarter of a second.
MOST_TAGS: Final = 10_000
MOST_PIECES: Final = 10
#: With fewer tags than this nothing that they do takes long,
_FEW_TAGS: Final = 2_000
#: nor with the attributes that fit into so many characters, or so many of them.
_SMALL: Final = 65_536
_MOST_NAMES: Final = 15_000
_MOST_BODIES: Final = 8
_VALUE: Final = r"(?:\"[^\"]*+\"|'[^']*+'|(?![\"'])[^\s>]++)?"
#: Attributes as parsers read them; nothing is looked at twice.
_ATTRIBUTE: Final = rf"[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+{_VALUE})?"
_TAG: Final = re.compile(rf"<[a-z][^\s/>]*+(?:{_ATTRIBUTE})*+", re.IGNORECASE)
_NAME: Final = re.compile(r"<[a-z][a-z0-9-]{0,30}+(?=[\s/]|$)", re.IGNORECASE)
#: What is read of attributes: all others may go.
_READ: Final = re.compile(
    r"[\s\"'/](?:href|rel|name|property|content|type|charset|http-equiv|hidden)"
    rf"(?:\s*+=\s*+{_VALUE})?(?![^\s/\"'])",
    re.IGNORECASE,
)
#: Those that stay open behind the end of what they are in, three of a kind; kinds
#: differ by attributes.
_EMPHASIS: Final = re.compile(
    r"<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/])[^>]*+>?",
    re.IGNORECASE,
)
_CELL: Final = re.compile(r"<(?=t[dhr][\s>])", re.IGNORECASE)
#: Each adds its attributes to those of the first.
_BODY: Final = re.compile(r"<(?:body|html)(?=[\s/>])", re.IGNORECASE)


def pieces(text: str) -> tuple[list[str], bool]:
    """
    Return a page in pieces that are quick to parse, and whether some of it is left out.

    All but the largest pages are one piece.
    """
    if len(text) > _SMALL and _is_crowded(text):
        text = _TAG.sub(_shortened, text)
    if text.count("<") > _FEW_TAGS:
        text = _EMPHASIS.sub(r"<\1>", text)
    if len(_BODY.findall(text)) > _MOST_BODIES:
        text = _BODY.sub("<div", text)
    found = list(_cut(text))
    return found[:MOST_PIECES], len(found) > MOST_PIECES


def _is_crowded(text: str) -> bool:
    """Tell whether tags hold many words, whatever those are."""
    tags = _TAG.findall(text)
    if len(set(_words(" ".join(tags)))) > _MOST_NAMES:
        return True
    long = (tag for tag in tags if len(tag) > _SMALL)
    return any(len(_words(tag)) > _MOST_NAMES for tag in long)


def _words(text: str) -> list[str]:
    for mark in "/\"'":
        text = text.replace(mark, " ")
    return text.split()


def _shortened(found: re.Match[str]) -> str:
    tag = found[0]
    name = _NAME.match(tag)
    if name is None:
        return tag if len(tag) < len("<blockquote") else "<x"
    kept = "".join(f" {one[1:]}" for one in _READ.findall(tag, name.end())[:20])
    return name[0] + kept


def _cut(text: str) -> Iterator[str]:
    """Cut before a tag; all beyond the last piece that counts is one more."""
    if text.count("<") <= MOST_TAGS:
        yield text
        return
    parts = text.split("<", MOST_TAGS * MOST_PIECES + 1)
    yield "<".join(parts[:MOST_TAGS])
    for start in range(MOST_TAGS, len(parts), MOST_TAGS):
        piece = "<".join(("", *parts[start : start + MOST_TAGS]))
        # The table that they are in began before, and cells alone are nothing.
        yield _CELL.sub("<br><", piece)
