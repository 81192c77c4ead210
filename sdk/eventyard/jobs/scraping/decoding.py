"""From bytes to text: which encoding a page is in, as browsers decide it."""

from __future__ import annotations

import codecs
import re
from typing import Final

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
#: How far a page is searched for what it says itself.
_SEARCHED: Final = 4_096
_IN_HEADER: Final = re.compile(
    r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE
)
_IN_META: Final = re.compile(
    rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE
)
_IN_XML: Final = re.compile(
    rb"\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{1,40})"
)
#: Encodings of the web under all their names here; what else Python could decode
#: (zip, rot13, UTF-7) no page is in.
_NAMES: Final = (
    "utf-8 utf-16-le utf-16-be ibm866 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6"
    " iso8859-7 iso8859-8 iso8859-10 iso8859-13 iso8859-14 iso8859-15 iso8859-16 koi8-r"
    " koi8-u mac-roman mac-cyrillic cp874 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255"
    " cp1256 cp1257 cp1258 gb18030 big5hkscs euc_jp iso2022_jp cp932 cp949"
)
_KNOWN: Final = frozenset(codecs.lookup(name).name for name in _NAMES.split())
#: What pages say and what browsers take it for.
_MEANT: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
}


def decode(body: bytes, content_type: str = "") -> tuple[str, str]:
    """
    Return a page's text and the name of its encoding; what is broken is U+FFFD.

    Asked are: the mark at its beginning, the header, the page itself; without an
    answer it is UTF-8 if it can be, or else windows-1252.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace"), name
    found = _IN_HEADER.search(content_type)
    told = (encoding(found[1]) if found else None) or _told(body[:_SEARCHED])
    return (body.decode(told, "replace"), told) if told else _guessed(body)


def encoding(label: str) -> str | None:
    """Return Python's name for an encoding as a page names it; None: unknown."""
    try:
        name = codecs.lookup(label.strip().lower()).name
    except (LookupError, ValueError):
        return None
    name = _MEANT.get(name, name)
    return name if name in _KNOWN else None


def _told(head: bytes) -> str | None:
    found = _IN_META.search(head) or _IN_XML.match(head)
    name = encoding(found[1].decode("ascii")) if found else None
    # It could be read as ASCII: it is not in two bytes a letter, whatever it says.
    return "utf-8" if name and name.startswith("utf-16") else name


def _guessed(body: bytes) -> tuple[str, str]:
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError as error:
        # Cut within a letter at its very end, it was UTF-8 all the same.
        if error.start >= len(body) - 3 and error.start > 0:
            return body.decode("utf-8", "replace"), "utf-8"
    return body.decode("cp1252", "replace"), "cp1252"
