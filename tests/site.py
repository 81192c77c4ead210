"""A site on loopback to crawl: 200 pages, and everything that crawlers meet."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from functools import cache
from html import escape

from tests.loopback import Loopback, Reply, Request

PAGES = 200
HTML = {"Content-Type": "text/html; charset=utf-8"}
ROBOTS = """User-agent: *
Disallow: /private
Allow: /private/allowed

User-agent: greedybot
Disallow: /
"""
#: What the start links to besides pages, and what a crawl is to say of each.
ODD = {
    "/missing": "HTTP 404",
    "/report.pdf": "HTTP 200 / type application/pdf",
    "/huge": "the answer has more than 5000000 bytes",
    "/endless": "the answer has more than 5000000 bytes",
    "/bomb": "it unpacks to more than 5000000 bytes",
    "/circle-a": "HTTP 302: a redirect in a circle",
    "/chain/0": "more than 10 redirects",
    "/away": "HTTP 302: it leads off the site, to ",
    "/private/x": "robots.txt forbids it",
    "/quiet": "it asks not to be kept (noindex)",
    "/broken-gzip": "it cannot be unpacked",
    "/slow": "no answer within ",
}
#: Pages that are fine though they are odd.
FINE = ("/hostile", "/private/allowed", "/busy", "/latin", "/packed")
HOSTILE = (
    "<title>\"><script>alert(1)</script></title><base href='/deep/'>"
    '<a href="../p/1#part">one</a><a href=/p/2>two</a><a href="/p/3?a=1&amp;b=2">3</a>'
    '<a href="javascript:alert(1)">no</a><a href="mailto:Hidden@Example.com?cc=b@c.de">'
    '<a href="data:text/html,x">no</a><a href="ht&#9;tps://elsewhere.invalid/">off</a>'
    "<img src=logo@2x.png onerror=alert(1)><p>call 2024-01-15 10 or +49 30 1234567</p>"
    "<script>var x = 'not@seen.example.com'</script><style>a{}</style>"
    + "<div>"
    * 5_000
)


def children(n: int) -> list[int]:
    """Which pages a page leads to: a tree, three wide."""
    return [c for c in range(3 * n + 1, 3 * n + 4) if c < PAGES]


@cache
def body(n: int) -> bytes:
    links = "".join(f'<li><a href="/p/{c}#x">Page {c}</a>' for c in children(n))
    up = f'<a href="/p/{(n - 1) // 3}">up</a>' if n else ""
    words = " ".join(f"word{(n * 37 + i) % 500}" for i in range(600))
    return (
        f"<!doctype html><html><head><title>Page {n}</title>"
        f'<meta name=description content="About {n}"><meta property=og:title '
        f'content="Page {n}"></head><body><h1>Page {n}</h1><p>Write to '
        f"person{n}@example.com.</p><p>{words}</p><ul>{links}</ul>{up}"
        f'<a href="mailto:Office@Example.com">office</a></body></html>'
    ).encode()


@cache
def _bomb() -> bytes:
    # A gigabyte of nothing, in members of ten megabytes.
    return gzip.compress(bytes(10**7), 9) * 100


@cache
def _huge() -> bytes:
    return b"<p>" + b"x" * 50_000_000


class Site(Loopback):
    """The site; `moved` and `gone` change it, `outside` is what it links to besides."""

    def __init__(self, outside: str = "http://outside.invalid") -> None:
        super().__init__()
        self.outside = outside
        self.robots = Reply(200, ROBOTS.encode(), {"Content-Type": "text/plain"})
        #: Pages that say something else, and pages that are gone.
        self.texts: dict[str, str] = {}
        self.gone: set[str] = set()
        self.wait_s = 0.0
        self.odd = True
        self.busy = 1
        #: When each request came.
        self.moments: list[tuple[str, float]] = []
        #: Set while requests are to be answered; a test may hold them back.
        self.going = threading.Event()
        self.going.set()

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [request.path for request in self.requests]

    def answer(self, request: Request) -> Reply:
        self.moments.append((request.path, time.monotonic()))
        if request.path == "/robots.txt":
            return self.robots
        self.going.wait(30)
        time.sleep(self.wait_s)
        if request.path in self.gone:
            return Reply(404, b"gone", HTML)
        if request.path in self.texts:
            return Reply(200, self.texts[request.path].encode(), HTML)
        if request.path == "/":
            return self._conditional(request, self._start())
        if request.path.startswith("/p/"):
            n = request.path.removeprefix("/p/")
            found = n.isdigit() and int(n) < PAGES
            good = self._conditional(request, body(int(n))) if found else None
            return good or Reply(404, b"no such page", HTML)
        return self._odd(request)

    def _start(self) -> bytes:
        odd = (*ODD, *FINE, "/moved") if self.odd else ()
        links = "".join(f'<a href="{escape(path)}">{path}</a>' for path in odd)
        away = f'<a href="{self.outside}/off-site">off</a>' if self.odd else ""
        return body(0).replace(b"</body>", (links + away + "</body>").encode())

    def _conditional(self, request: Request, text: bytes) -> Reply:
        etag = f'"{zlib.crc32(text)}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(304, b"", {"ETag": etag})
        return Reply(200, text, {**HTML, "ETag": etag})

    def _odd(self, request: Request) -> Reply:
        path = request.path
        if path.startswith("/chain/"):
            n = int(path.removeprefix("/chain/"))
            return _moved(f"/chain/{n + 1}", 302)
        if path == "/away":
            return _moved(f"{self.outside}/away", 302)
        if path == "/slow":
            self.hang()
        if path == "/busy":
            return self._busy()
        return _odd_ones().get(path, Reply(404, b"nothing", HTML))

    def _busy(self) -> Reply:
        self.busy -= 1
        if self.busy >= 0:
            return Reply(503, b"busy", {"Retry-After": "1"})
        return Reply(200, b"<title>Not busy any more</title>", HTML)


def _moved(where: str, status: int) -> Reply:
    return Reply(status, b"", {"Location": where})


@cache
def _odd_ones() -> dict[str, Reply]:
    packed = {**HTML, "Content-Encoding": "gzip"}
    endless = {**HTML, "Transfer-Encoding": "identity", "Connection": "close"}
    noindex = b'<meta name="robots" content="noindex"><p>a@quiet.example.com'
    latin = {"Content-Type": "text/html; charset=iso-8859-1"}
    private = Reply(200, b"<title>Private</title>", HTML)
    return {
        "/moved": _moved("/p/5", 301),
        "/circle-a": _moved("/circle-b", 302),
        "/circle-b": _moved("/circle-a", 302),
        "/report.pdf": Reply(200, b"%PDF", {"Content-Type": "application/pdf"}),
        "/huge": Reply(200, _huge(), HTML),
        "/endless": Reply(200, _huge(), endless),
        "/bomb": Reply(200, _bomb(), packed),
        "/broken-gzip": Reply(200, b"no gzip", packed),
        "/packed": Reply(200, gzip.compress(b"<title>Packed</title>"), packed),
        "/quiet": Reply(200, noindex, HTML),
        "/hostile": Reply(200, HOSTILE.encode(), HTML),
        "/latin": Reply(200, "<title>Köln</title>".encode("latin-1"), latin),
        "/private/allowed": private,
        "/private/x": private,
    }
