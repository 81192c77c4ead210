"""Sitemaps: which pages a site lists, after sitemaps.org."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from eventyard.jobs.scraping import urls
from eventyard.jobs.scraping.unpacking import is_gzip, unpack

#: What one sitemap may have, packed or not.
MOST_BYTES: Final = 50_000_000
MOST_ENTRIES: Final = 50_000
#: Where addresses stand: in `urlset`, `url`, `loc`.
_DEPTH: Final = 3
_MOST_DEPTH: Final = 10
#: One address comes in so many pieces at most; longer ones are cut.
_MOST_PARTS: Final = 100
_LISTS: Final = {"url": "pages", "sitemap": "sitemaps"}


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What a sitemap lists, in its order, each once; addresses are canonical."""

    pages: tuple[str, ...] = ()
    #: An index lists more of its kind.
    sitemaps: tuple[str, ...] = ()
    #: Why it was not read to its end.
    error: str | None = None


def read(body: bytes, url: str, most: int = MOST_ENTRIES) -> Sitemap:
    """
    Read a sitemap, an index of such, or a text with an address in each line.

    What stands before something that is wrong counts. Raises FetchError where it
    cannot be unpacked.
    """
    if is_gzip(body):
        body = unpack(body, "gzip", MOST_BYTES)
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return _Reader(url, most).read(body)
    lines = body.decode("utf-8-sig", "replace").split()[:most]
    return Sitemap(tuple(_canonical(url, lines)))


def _canonical(base: str, found: list[str]) -> Iterator[str]:
    yield from dict.fromkeys(filter(None, (urls.join(base, one) for one in found)))


class _EndedError(Exception):
    """Nothing behind this is read."""


@dataclass(slots=True)
class _Reader:
    """Follows the elements of a document that may be cut, broken or hostile."""

    url: str
    most: int
    found: dict[str, list[str]] = field(
        default_factory=lambda: {"pages": [], "sitemaps": []}
    )
    path: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def read(self, body: bytes) -> Sitemap:
        error = None
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        # Who declares entities wants them to be expanded: no sitemap needs that.
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(body, True)
        except _EndedError as ended:
            error = str(ended)
        except expat.ExpatError as wrong:
            error = str(wrong)
        pages, more = (_canonical(self.url, self.found[k]) for k in self.found)
        return Sitemap(tuple(pages), tuple(more), error)

    def _start(self, name: str, _: Any) -> None:
        if len(self.path) > _MOST_DEPTH:
            raise _EndedError("it is too deep")
        self.path.append(name.rpartition(":")[2] if len(self.path) < _DEPTH else name)
        self.text = []

    def _end(self, _: str) -> None:
        kind = _LISTS.get(self.path[-2]) if len(self.path) == _DEPTH else None
        if kind and self.path[-1] == "loc":
            self.found[kind].append("".join(self.text).strip())
            if sum(map(len, self.found.values())) >= self.most:
                raise _EndedError(f"it has more than {self.most} entries")
        self.path.pop()

    def _characters(self, text: str) -> None:
        if self.path and self.path[-1] == "loc" and len(self.text) < _MOST_PARTS:
            self.text.append(text)

    def _refuse(self, *_: Any) -> None:
        raise _EndedError("it declares a document type")
