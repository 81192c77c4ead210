"""What sitemaps list, however they are written."""

from __future__ import annotations

import gzip
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping.fetching import FetchError
from eventyard.jobs.scraping.sitemaps import Sitemap, read

URL = "https://example.com/sitemap.xml"
SET = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</urlset>'


def entry(url: str) -> str:
    return f"<url><loc>{url}</loc><lastmod>2026-01-01</lastmod></url>"


def listed(text: str) -> tuple[str, ...]:
    return read(text.encode(), URL).pages


def test_pages_are_listed_in_their_order_each_once() -> None:
    text = SET.format(entry("https://example.com/b") + entry("/a") * 2)

    found = read(b"<?xml version='1.0' encoding='UTF-8'?>" + text.encode(), URL)

    assert found == Sitemap(("https://example.com/b", "https://example.com/a"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (" \n https://example.com/a \n", "https://example.com/a"),
        ("https://example.com/?a=1&amp;b=2", "https://example.com/?a=1&b=2"),
        ("<![CDATA[https://example.com/?a&b]]>", "https://example.com/?a&b"),
        ("HTTPS://Example.COM:443/x#y", "https://example.com/x"),
        ("https://example.com/&#x6f;ne", "https://example.com/one"),
    ],
)
def test_addresses_are_read_as_they_are_meant(written: str, meant: str) -> None:
    assert listed(SET.format(entry(written))) == (meant,)


def test_an_index_lists_sitemaps() -> None:
    text = (
        "<s:sitemapindex xmlns:s='http://www.sitemaps.org/schemas/sitemap/0.9'>"
        "<s:sitemap><s:loc>/one.xml.gz</s:loc></s:sitemap></s:sitemapindex>"
    )

    assert read(text.encode(), URL).sitemaps == ("https://example.com/one.xml.gz",)


def test_addresses_of_pictures_are_no_pages() -> None:
    picture = "<image:image><image:loc>/a.png</image:loc></image:image>"
    text = f"<urlset xmlns:image='i'><url><loc>/a</loc>{picture}</url></urlset>"

    assert listed(text) == ("https://example.com/a",)


def test_packed_sitemaps_are_unpacked_whatever_their_headers_say() -> None:
    packed = gzip.compress(SET.format(entry("/a")).encode())

    assert read(packed, URL).pages == ("https://example.com/a",)
    with pytest.raises(FetchError, match="more than"):
        read(gzip.compress(bytes(50_000_001)), URL)


def test_a_text_has_an_address_in_each_line() -> None:
    text = "\ufeffhttps://example.com/a\r\n/b\n\nmailto:a@b.de\n"

    assert listed(text) == ("https://example.com/a", "https://example.com/b")


def test_what_stands_before_a_fault_counts() -> None:
    found = read(SET.format(entry("/a") + "<url><loc>/b</url>").encode(), URL)

    assert found.pages == ("https://example.com/a",)
    assert found.error is not None
    assert "mismatched tag" in found.error


def test_entities_are_not_expanded() -> None:
    lol = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>"

    found = read((lol + SET.format(entry("/&b;"))).encode(), URL)

    assert found == Sitemap(error="it declares a document type")


def test_no_more_is_read_than_is_asked_for() -> None:
    found = read(SET.format("".join(map(entry, "abcdef"))).encode(), URL, most=3)

    assert len(found.pages) == 3
    assert found.error == "it has more than 3 entries"
    assert len(read(b"a\nb\nc\nd", URL, most=3).pages) == 3


def test_deep_documents_end_early() -> None:
    assert read(b"<a>" * 100_000, URL).error == "it is too deep"


def test_a_long_address_costs_no_more_than_a_short_one() -> None:
    long = "x" * 3_000_000

    assert listed(SET.format(entry(f"/{long}") + entry("/a"))) == (
        "https://example.com/a",
    )


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    with suppress(FetchError):
        read(body, URL)
        read(b"<" + body, URL)
