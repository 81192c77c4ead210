"""SVG made harmless: what is not known to be harmless is left out."""

from __future__ import annotations

import re
from typing import Any, Final
from xml.parsers import expat

from eventyard.core.errors import InvalidRequestError, PayloadTooLargeError

#: Changes whenever what is let through does: what was cleaned before is cleaned anew.
VERSION: Final = 1
#: The most bytes an SVG may have: a drawing of 5,000 nodes has some five million.
LIMIT: Final = 20_000_000
#: How deep elements may lie in each other.
_DEEPEST: Final = 128
#: Attributes up to this many characters are likely to come again.
_SHORT: Final = 32


class _Spaces:
    SVG: Final = "http://www.w3.org/2000/svg"
    XLINK: Final = "http://www.w3.org/1999/xlink"
    XML: Final = "http://www.w3.org/XML/1998/namespace"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ELEMENTS: Final = _words("""
    svg g a title desc defs path polygon polyline rect circle ellipse line text tspan
    linearGradient radialGradient stop clipPath
""")
#: Attributes that hold words, which nothing interprets.
_WORDS: Final = frozenset({"id", "class", "role", "aria-label", "aria-hidden"})
#: Attributes that are CSS properties as well, and may stand in `style`.
_PROPERTIES: Final = _words("""
    alignment-baseline baseline-shift clip-path clip-rule color display
    dominant-baseline fill fill-opacity fill-rule font-family font-size font-stretch
    font-style font-variant font-weight letter-spacing opacity stop-color stop-opacity
    stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin
    stroke-miterlimit stroke-opacity stroke-width text-anchor text-decoration
    visibility word-spacing
""")
_GEOMETRY: Final = _words("""
    clipPathUnits cx cy d dx dy fx fy gradientTransform gradientUnits height
    lengthAdjust offset points preserveAspectRatio r rotate rx ry spreadMethod
    textLength transform version viewBox width x x1 x2 y y1 y2
""")
_VALUES: Final = _PROPERTIES | _GEOMETRY
#: What a value may be made of; a colon or an @ would be another language already.
_VALUE: Final = re.compile(r"[\w\s.,;#%()+\-'/]*")
#: The only references: to something in the same drawing.
_LOCAL: Final = re.compile(r"#[^\s()'\"\\<>]+")
_LOCAL_URL: Final = re.compile(rf"url\(\s*(['\"]?){_LOCAL.pattern}\1\s*\)")
_CALL: Final = re.compile(r"([^\s,;()]*)\s*\(")
_CALLS: Final = _words(
    "matrix translate translatex translatey scale rotate skewx skewy rgb rgba hsl hsla"
)


_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
#: Line breaks in an attribute are read again as spaces unless they are written so.
_QUOTED: Final = _TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


class UnsafeSvgError(InvalidRequestError):
    """The SVG cannot be read, so it cannot be made harmless."""

    code = "invalid_svg"


def sanitise(svg: str) -> str:
    """
    Return the drawing with nothing in it that runs, loads or leads elsewhere.

    Whole elements are left out with what they hold, attributes by themselves. Raises
    UnsafeSvgError for what is no SVG or declares entities, PayloadTooLargeError above
    `LIMIT` bytes.
    """
    try:
        raw = svg.encode()
    except UnicodeEncodeError as error:
        raise UnsafeSvgError("The SVG holds text that UTF-8 cannot carry.") from error
    if len(raw) > LIMIT:
        raise PayloadTooLargeError(
            f"An SVG may have {LIMIT} bytes, not {len(raw)}.",
            details={"limit": LIMIT, "bytes": len(raw)},
        )
    return _Cleaner().clean(raw)


class _Cleaner:
    """Reads one document, and writes as it goes what may stay."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._open: list[str] = []
        #: How deep the present element lies in one that is left out; 0: in none.
        self._left_out = 0
        #: Whether the last start tag still lacks its end.
        self._unfinished = False
        self._has_links = False
        self._known: dict[tuple[str, ...], str] = {}

    def clean(self, raw: bytes) -> str:
        self._has_links = b"xlink" in raw
        parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse_entity
        try:
            parser.Parse(raw, True)
        except expat.ExpatError as error:
            raise UnsafeSvgError(f"The SVG is not well-formed: {error}.") from error
        return "".join(self._written)

    def _start(self, name: str, attributes: list[str]) -> None:
        if self._left_out or not self._may_stay(name):
            self._left_out += 1
            return
        if len(self._open) >= _DEEPEST:
            raise UnsafeSvgError(f"The SVG is nested deeper than {_DEEPEST} levels.")
        self._finish_tag()
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        kept = "".join([self._attribute(key, value) for key, value in pairs])
        spaces = "" if self._open else self._declarations(name)
        local = name.rpartition(" ")[2]
        self._open.append(local)
        self._written.append(f"<{local}{spaces}{kept}")
        self._unfinished = True

    def _attribute(self, *pair: str) -> str:
        # Colours and fonts come again and again: looking them up halves the time.
        known = self._known.get(pair)
        if known is None:
            known = _attribute(*pair)
            if len(pair[1]) < _SHORT:
                self._known[pair] = known
        return known

    def _declarations(self, name: str) -> str:
        if name.startswith(_Spaces.SVG):
            return f' xmlns="{_Spaces.SVG}" xmlns:xlink="{_Spaces.XLINK}"'
        # A prefix that is used must be declared, also where nothing else is.
        return f' xmlns:xlink="{_Spaces.XLINK}"' if self._has_links else ""

    def _may_stay(self, name: str) -> bool:
        space, _, local = name.rpartition(" ")
        known = space in (_Spaces.SVG, "") and local in _ELEMENTS
        if not self._open and not (known and local == "svg"):
            raise UnsafeSvgError("The drawing is no SVG: its first element is not svg.")
        return known

    def _end(self, _: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        local = self._open.pop()
        self._written.append("/>" if self._unfinished else f"</{local}>")
        self._unfinished = False

    def _text(self, text: str) -> None:
        if not self._left_out:
            self._finish_tag()
            self._written.append(text.translate(_TEXT))

    def _finish_tag(self) -> None:
        if self._unfinished:
            self._written.append(">")
            self._unfinished = False

    def _refuse_entity(self, *_: Any) -> None:
        raise UnsafeSvgError("The SVG declares entities, which none needs.")


def _attribute(name: str, value: str) -> str:
    space, _, local = name.rpartition(" ")
    kept = _kept(space, local, value)
    if kept is None:
        return ""
    prefix = {_Spaces.XLINK: "xlink:", _Spaces.XML: "xml:"}.get(space, "")
    return f' {prefix}{local}="{kept.translate(_QUOTED)}"'


def _kept(space: str, local: str, value: str) -> str | None:
    if (space, local) == ("", "style"):
        return _style(value)
    return value if _may_have(space, local, value) else None


def _may_have(space: str, local: str, value: str) -> bool:
    match space, local:
        case (("" | _Spaces.XLINK), "href"):
            return _LOCAL.fullmatch(value) is not None
        case _Spaces.XLINK, "title":
            return True
        case _Spaces.XML, "space":
            return value in ("preserve", "default")
        case "", _:
            return local in _WORDS or (local in _VALUES and _is_harmless(value))
    return False


def _style(text: str) -> str | None:
    kept = []
    for declaration in text.split(";"):
        name, colon, value = (part.strip() for part in declaration.partition(":"))
        if colon and name in _PROPERTIES and ";" not in value and _is_harmless(value):
            kept.append(f"{name}:{value}")
    return ";".join(kept) or None


def _is_harmless(value: str) -> bool:
    rest = _LOCAL_URL.sub("", value)
    return _VALUE.fullmatch(rest) is not None and all(
        name.lower() in _CALLS for name in _CALL.findall(rest)
    )
