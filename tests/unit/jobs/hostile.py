"""Markup that takes parsers of HTML minutes, or all memory; each about `size` bytes."""

from __future__ import annotations

from collections.abc import Callable


def _times(text: str, size: int) -> str:
    return text * (size // len(text))


def _numbered(form: str, size: int) -> str:
    return "".join(form % n for n in range(size // (len(form) + 4)))


PAGES: dict[str, Callable[[int], str]] = {
    "nested blocks": lambda size: _times("<div>", size),
    "nested lists": lambda size: _times("<ul><li>", size),
    "nested tables": lambda size: _times("<table><tr><td>", size),
    "ends of what never began": lambda size: (
        _times("<div>", size // 2) + _times("</p>", size // 2)
    ),
    "emphasis that stays open": lambda size: _numbered("<font size=%d>", size),
    "emphasis before tables": lambda size: _numbered("<table><font size=%d>", size),
    "emphasis without an end of its tag": lambda size: _times("<p a='<b c='", size),
    "links within links": lambda size: (
        _times("<a href=x><div>", size // 2) + _times("</a>", size // 2)
    ),
    "one tag with many attributes": lambda size: f"<p {_numbered('a%d=1 ', size)}>",
    "attributes without spaces": lambda size: "<p " + _numbered('a%d=""', size) + ">",
    "attributes with slashes": lambda size: f"<p {_numbered('a%d/', size)}>",
    "attributes behind a tag in a value": lambda size: (
        f'<p x="<" y=">" {_numbered("a%d=1 ", size)}>'
    ),
    "many tags with other attributes": lambda size: _numbered("<p a%d=1>x</p>", size),
    "bodies that add attributes": lambda size: _numbered("<body a%d=1>", size),
    "bodies with many attributes": lambda size: _times(
        f"<body {_numbered('a%d ', 2_000)}>", size
    ),
    "attributes again and again": lambda size: (
        f"<p {_times(_numbered('a%d ', 90_000), size)}>"
    ),
    "names of tags": lambda size: _numbered("<a%d>", size),
    "the beginnings of tags": lambda size: _times("<a", size),
    "the beginnings of comments": lambda size: _times("<!--", size),
    "templates": lambda size: _times("<template>", size),
    "drawings": lambda size: _times("<svg><g>", size),
    "nothing but brackets": lambda size: _times("<", size),
    "nothing but ampersands": lambda size: _times("&", size),
    "null bytes": lambda size: _times("\0", size),
    "spaces within a tag": lambda size: f"<p{_times(' ', size)}",
    "hidden within hidden": lambda size: _times("<div hidden>", size),
    "an attribute of everything": lambda size: f'<p title="{_times("x", size)}">',
    "words": lambda size: _times("x ", size),
    "one word": lambda size: _times("x", size),
    "scripts": lambda size: _times("<script>", size),
    "bases and titles": lambda size: _times("<base href=x><title>x</title>", size),
    "metas": lambda size: _numbered('<meta property="og:x%d" content="x">', size),
    "refreshes": lambda size: _times(
        '<meta http-equiv=refresh content="0;url=x">', size
    ),
    "links": lambda size: _numbered("<a href=/%d>", size),
    "deep JSON": lambda size: (
        '<script type="application/ld+json">' + _times("[", size) + "</script>"
    ),
    "commas in JSON": lambda size: (
        '<script type="application/ld+json">{"a":[1' + _times(",", size) + "</script>"
    ),
    "addresses": lambda size: _times("a@", size),
    "one long address": lambda size: _times("a.", size) + "@" + _times("b.", size),
    "digits": lambda size: _times("1", size),
    "digits and signs": lambda size: _times("+1 (-) ", size),
    "digits and dots": lambda size: _times("1.", size),
}
