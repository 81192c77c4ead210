"""What a page says: its links, its text, and what it tells of itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from eventyard.jobs.scraping import markup, urls
from eventyard.jobs.scraping.decoding import decode
from eventyard.jobs.scraping.structured import json_ld
from eventyard.jobs.scraping.visible import text_of

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

#: What is read of a page; behind it, it goes on without us.
MOST_BYTES: Final = 5_000_000
MOST_LINKS: Final = 5_000
_MOST_METAS: Final = 500
_MOST_PROPERTIES: Final = 50
_MOST_CHARACTERS: Final = 1_000
_MOST_CONTACTS: Final = 500
_CONTACT: Final = re.compile(r"\s*(?:mailto|tel|callto|sms):", re.IGNORECASE)
_REFRESH: Final = re.compile(
    r"\s*[0-9.]*\s*[;,]\s*url\s*=\s*[\"']?([^\"']+)", re.IGNORECASE
)
#: What headers may say, to all or to one: `otherbot: noindex, nofollow`.
_DIRECTIVES: Final = re.compile(r"\s*(?:([a-z0-9_-]+)\s*:)?([^:]*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read; addresses are canonical."""

    title: str | None
    description: str | None
    #: Where the page says that it belongs.
    canonical: str | None
    #: What may be followed, in the order of the page, each once.
    links: tuple[str, ...]
    #: How many pages it refers to, those that must not be followed too.
    links_count: int
    #: The text that its readers see, a line for each block.
    text: str
    #: `mailto:` and `tel:` links, as they stand.
    contacts: tuple[str, ...]
    json_ld: list[dict[str, Any]]
    open_graph: dict[str, str]
    encoding: str
    #: Whether it may be kept, and its links followed, as it says itself.
    index: bool = True
    follow: bool = True
    #: Whether it was too large to be read to its end.
    cut: bool = False

    @property
    def hash(self) -> str:
        """Return what changes when something that readers see changes."""
        seen = "\0".join((self.title or "", self.description or "", self.text))
        return hashlib.sha256(seen.encode("utf-8", "replace")).hexdigest()


def read(
    body: bytes,
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    agent: str = "eventyardscraper",
) -> Page:
    """
    Read a page that came from an address; no bytes make this fail.

    Names of headers are in lower case. `agent` is by what name the page may address
    its robots.
    """
    told = headers or {}
    text, encoding = decode(body[:MOST_BYTES], told.get("content-type", ""))
    pieces, cut = markup.pieces(text)
    found = _Found(url, agent.lower())
    found.obey(told.get("x-robots-tag", ""))
    for piece in pieces:
        found.take(piece)
    return found.page(encoding, cut=cut or len(body) > MOST_BYTES)


@dataclass(slots=True)
class _Found:
    """What was found by now, in one piece of a page after the other."""

    url: str
    agent: str
    base: str = ""
    title: str | None = None
    canonical: str | None = None
    metas: dict[str, str] = field(default_factory=dict)
    directives: set[str] = field(default_factory=set)
    #: Whether a link may be followed.
    links: dict[str, bool] = field(default_factory=dict)
    contacts: dict[str, None] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)

    def take(self, piece: str) -> None:
        from selectolax.lexbor import LexborHTMLParser

        # What is for those who run no scripts stays out of the rest of the page.
        tree = LexborHTMLParser(piece, scripting=True)
        for node in tree.css("base[href]")[:1] if not self.base else ():
            self.base = urls.join(self.url, _get(node, "href")) or ""
        self.title = self.title or _title(tree.css("title"))
        self._take_head(tree)
        self._take_links(tree)
        for node in tree.css("noscript"):
            inside = node.text()
            if "<a" in inside:
                self._take_links(LexborHTMLParser(inside))
        self.scripts += _scripts(tree)
        self.texts.append(text_of(tree))

    def _take_head(self, tree: LexborHTMLParser) -> None:
        for node in tree.css("meta")[:_MOST_METAS]:
            self._meta(node)
        for node in tree.css("link[rel][href]")[:_MOST_METAS]:
            if "canonical" in _get(node, "rel").lower().split():
                self.canonical = self.canonical or self._join(_get(node, "href"))

    def _take_links(self, tree: LexborHTMLParser) -> None:
        for node in tree.css("a[href],area[href]"):
            named = node.attributes
            self._link(named.get("href") or "", named.get("rel") or "")

    def _meta(self, node: LexborNode) -> None:
        content = _get(node, "content")
        names = (_get(node, "property"), _get(node, "name"))
        for name in filter(None, (name.strip().lower() for name in names)):
            if name in ("robots", self.agent):
                self.directives |= _words(content)
            self.metas.setdefault(name, content)
        if _get(node, "http-equiv").strip().lower() == "refresh":
            refresh = _REFRESH.match(content[: urls.MOST_URL])
            self._link(refresh[1] if refresh else "", "")

    def _link(self, href: str, rel: str) -> None:
        if _CONTACT.match(href):
            if len(self.contacts) < _MOST_CONTACTS:
                self.contacts[href.strip()[:_MOST_CHARACTERS]] = None
        elif href and len(self.links) < MOST_LINKS:
            url = self._join(href)
            if url is not None:
                follow = not rel or "nofollow" not in rel.lower().split()
                self.links[url] = self.links.get(url, False) or follow

    def _join(self, href: str) -> str | None:
        return urls.join(self.base or self.url, href)

    def obey(self, header: str) -> None:
        """Note what a header says to all robots, or to this one."""
        whom = ""
        for part in header.split(","):
            found = _DIRECTIVES.match(part)
            if found is None or (found[1] or "").lower() == "unavailable_after":
                continue
            whom = (found[1] or whom).lower()
            if whom in ("", self.agent):
                self.directives |= _words(found[2])

    def page(self, encoding: str, *, cut: bool) -> Page:
        stay = self.directives & {"nofollow", "none"}
        return Page(
            title=self.title,
            description=_short(self.metas.get("description", "")),
            canonical=self.canonical,
            links=tuple(url for url, follow in self.links.items() if follow),
            links_count=len(self.links),
            text="\n".join(filter(None, self.texts)),
            contacts=tuple(self.contacts),
            json_ld=json_ld(self.scripts),
            open_graph=dict(self._open_graph()),
            encoding=encoding,
            index=not self.directives & {"noindex", "none"},
            follow=not stay,
            cut=cut,
        )

    def _open_graph(self) -> Iterator[tuple[str, str]]:
        named = (name for name in self.metas if name.startswith("og:"))
        for _, name in zip(range(_MOST_PROPERTIES), named, strict=False):
            yield name[3:_MOST_CHARACTERS], _short(self.metas[name]) or ""


def _title(nodes: Iterable[LexborNode]) -> str | None:
    # Drawings have titles too.
    own = (node for node in nodes if node.parent and node.parent.tag != "svg")
    return next(filter(None, (_short(node.text()) for node in own)), None)


def _scripts(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css("script[type]"):
        kind = _get(node, "type").partition(";")[0].strip().lower()
        if kind == "application/ld+json":
            yield node.text()


def _get(node: LexborNode, name: str) -> str:
    return node.attributes.get(name) or ""


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


def _short(text: str) -> str | None:
    return " ".join(text[: _MOST_CHARACTERS * 4].split())[:_MOST_CHARACTERS] or None
