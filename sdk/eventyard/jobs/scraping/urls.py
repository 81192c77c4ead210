"""Addresses of pages: one spelling for each, joined, told apart by site."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

#: Longer ones are traps, or sessions: nobody links to a page so.
MOST_URL: Final = 2_048
_PORTS: Final = {"http": 80, "https": 443}
_MOST_PORT: Final = 65_535
_MOST_HOST: Final = 253
#: Browsers drop these from the middle of an address, and more at its ends.
_DROPPED: Final = str.maketrans("", "", "\t\n\r")
_ENDS: Final = "".join(map(chr, range(33)))
_HAS_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_WEB: Final = re.compile(r"https?://[^/\\]", re.IGNORECASE)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
#: What ends like a number is an IPv4 address, in one of its many spellings.
_NUMBER_LAST: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
#: Spelled canonically already, but for dots, which are looked for apart.
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9_.~!$&'()*+,;=:@/-]*")
#: Canonical as it stands, and so are most: those need no second look.
_CANONICAL: Final = re.compile(
    rf"https?://(?![^/]{{254}})(?!xn--)(?:{_LABEL}\.(?!xn--))+[a-z]{{2,63}}"
    r"/(?:/(?!\.)|(?<!/)\.|[A-Za-z0-9_~!$&'()*+,;=:@-])*"
    r"(?:\?[A-Za-z0-9_.~!$&'()*+,;=:@/?%-]+)?"
)
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_IN_PATH: Final = "/%!$&'()*+,;=:@"
_IN_QUERY: Final = _IN_PATH + "?[]{}|\\^`"


class Origin(NamedTuple):
    """What a site is: pages of one origin belong together."""

    scheme: str
    host: str
    port: int


def canonical(url: str) -> str | None:
    """
    Return the one spelling of an address; None if it leads to no page.

    Pages are at http and https, without a user's name, in at most 2,048 characters.
    The query stays as it is, but for what no request may hold.
    """
    return _spelled(_cleaned(url))


def _cleaned(url: str) -> str:
    if url.isprintable() and " " not in url:
        return url
    return url.strip(_ENDS).translate(_DROPPED)


def _spelled(url: str) -> str | None:
    if len(url) > MOST_URL or not _WEB.match(url):
        return None
    url = url.partition("#")[0]
    return url if _CANONICAL.fullmatch(url) else _canonical(url)


def _canonical(url: str) -> str | None:
    try:
        parts = urlsplit(_with_slashes(url))
        host = _host(parts.hostname or "")
        port = parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc or port == 0:
        return None
    place = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    query = f"?{_query(parts.query)}" if parts.query else ""
    made = f"{parts.scheme}://{host}{place}{_path(parts.path)}{query}"
    return made if len(made) <= MOST_URL else None


def join(base: str, href: str) -> str | None:
    """Return where a reference on a page leads; None if that is no page."""
    href = _cleaned(href)
    if len(href) > MOST_URL:
        return None
    if _HAS_SCHEME.match(href):
        return _spelled(href)
    return _spelled(_joined(base, _with_slashes(href)))


def _joined(base: str, href: str) -> str:
    # Not the standard library's: that one drops empty steps of a path.
    host = base.index("/", len("https://"))
    page = base.partition("?")[0]
    if href.startswith("//"):
        return base[: base.index("/")] + href
    if href.startswith("/"):
        return base[:host] + href
    if href.startswith("?"):
        return page + href
    if not href or href.startswith("#"):
        return base
    return page[: page.rindex("/") + 1] + href


def origin(url: str) -> Origin:
    """Return the origin of a canonical address."""
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    return Origin(parts.scheme, parts.hostname or "", port)


def place(url: str) -> str:
    """Return host and port of a canonical address, as it spells them."""
    return urlsplit(url).netloc


def is_within(url: str, site: Origin) -> bool:
    """Tell whether an address belongs to a site; https of an http site does."""
    found = origin(url)
    return found == site or (
        found.host == site.host
        and site[::2] == ("http", _PORTS["http"])
        and found[::2] == ("https", _PORTS["https"])
    )


def upgraded(url: str, site: Origin) -> str:
    """Return an address of a site that moved to https as https, any other as it is."""
    if site.scheme == "https" and origin(url) == ("http", site.host, _PORTS["http"]):
        secure = f"https{url[4:]}"
        return secure if is_within(secure, site) else url
    return url


def _with_slashes(url: str) -> str:
    # Browsers take a backslash for a slash, up to the query.
    if "\\" not in url:
        return url
    cut = min((at for mark in "?#" if (at := url.find(mark)) >= 0), default=len(url))
    return url[:cut].replace("\\", "/") + url[cut:]


def _host(host: str) -> str:
    """Return a host's name; raises ValueError for what is none."""
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host).compressed}]" if "%" not in host else ""
    if not host.isascii() or "%" in host or "xn--" in host:
        host = _to_ascii(unquote(host, errors="strict"))
    host = host.removesuffix(".")
    if len(host) > _MOST_HOST or not _HOST.fullmatch(host):
        return ""
    if _NUMBER_LAST.fullmatch(host):
        return str(ipaddress.IPv4Address(host))
    return host


def _to_ascii(host: str) -> str:
    # The codec of the standard library writes "ß" as "ss", which is another host.
    import idna

    host = idna.uts46_remap(host, std3_rules=False, transitional=False)
    return ".".join(
        label if label.isascii() else idna.alabel(label).decode()
        for label in host.split(".")
    )


def _path(path: str) -> str:
    if not _PLAIN_PATH.fullmatch(path):
        path = quote(_ESCAPE.sub(_escape, path), safe=_IN_PATH, errors="replace")
    return _without_dots(path) if "/." in path else path or "/"


def _escape(found: re.Match[str]) -> str:
    if found[1] is None:
        return "%25"
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _without_dots(path: str) -> str:
    kept: list[str] = []
    steps = path.split("/")[1:]
    for step in steps:
        if step == "..":
            del kept[-1:]
        elif step != ".":
            kept.append(step)
    if steps[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _query(query: str) -> str:
    return quote(query, safe=_IN_QUERY, errors="replace")
