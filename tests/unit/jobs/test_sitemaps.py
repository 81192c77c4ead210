from __future__ import annotations

import gzip
import zlib

import pytest
from eventyard.jobs.scraping import sitemaps
from eventyard.jobs.scraping.sitemaps import Sitemap, read
from eventyard.jobs.scraping.urls import canonical
from hypothesis import given
from hypothesis import strategies as st

_SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
PAGES = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset {_SPACE}>
  <url><loc>https://example.com/a?x=1&amp;y=2</loc><lastmod>2024-01-01</lastmod></url>
  <url><loc> HTTPS://Example.com/b#part
  </loc></url>
  <url><loc>https://example.com/b</loc></url>
  <url><loc><![CDATA[https://example.com/c]]></loc></url>
  <url><loc>mailto:ada@example.com</loc></url>
  <url><image:image xmlns:image="x"><image:loc>https://example.com/i.png</image:loc></image:image></url>
</urlset>"""
URLS = (
    "https://example.com/a?x=1&y=2",
    "https://example.com/b",
    "https://example.com/c",
)


def test_the_pages_of_a_sitemap_are_canonical_and_there_once():
    assert read(PAGES.encode()) == Sitemap(pages=URLS)


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(PAGES.encode()),
        b"\xef\xbb\xbf" + PAGES.encode(),
        b"\n  " + PAGES.partition("?>")[2].encode(),
        PAGES.replace("UTF-8", "UTF-16").encode("utf-16"),
        PAGES.replace(_SPACE, "").encode(),
        PAGES.replace(_SPACE, _SPACE.replace("xmlns", "xmlns:s"))
        .replace("<url", "<s:url")
        .replace("</url", "</s:url")
        .replace("<loc", "<s:loc")
        .replace("</loc", "</s:loc")
        .encode(),
    ],
)
def test_a_sitemap_may_be_written_in_many_ways(body):
    assert read(body).pages == URLS


def test_an_index_names_sitemaps():
    body = f"""<sitemapindex {_SPACE}>
    <sitemap><loc>https://example.com/1.xml.gz</loc></sitemap>
    <sitemap><loc>https://example.com/2.xml</loc></sitemap></sitemapindex>"""
    assert read(body.encode()) == Sitemap(
        sitemaps=("https://example.com/1.xml.gz", "https://example.com/2.xml")
    )


def test_a_sitemap_may_be_a_plain_list():
    body = b"\xef\xbb\xbfhttps://example.com/a\r\n\r\nno page\nhttps://example.com/b\n"
    assert read(body).pages == ("https://example.com/a", "https://example.com/b")


@pytest.mark.parametrize(
    "body",
    [
        PAGES[: PAGES.index("<url><loc><!")].encode(),
        PAGES.replace("<url><loc><!", "<broken><loc><!").encode(),
        gzip.compress(PAGES.encode())[:-12],
        PAGES.replace("<url><loc><!", "<url>&undefined;<loc><!").encode(),
    ],
)
def test_what_stands_before_the_fault_counts(body):
    assert read(body).pages[:2] == URLS[:2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"<",
        b"<html><body><a href=https://example.com/>x</a></body></html>",
        b"<rss><channel><item><link>https://example.com/</link></item></channel></rss>",
        b"\x1f\x8b",
        gzip.compress(b""),
        b"<url>" * 10_000,
        b'<?xml version="1.0" encoding="no-such"?><urlset/>',
    ],
)
def test_what_is_no_sitemap_names_nothing(body):
    assert read(body) == Sitemap()


def test_entities_of_a_files_own_are_not_expanded():
    bomb = '<!DOCTYPE x [<!ENTITY a "https://example.com/">' + "".join(
        f'<!ENTITY b{n} "{"&a;" * 100}">' for n in range(100)
    )
    assert read(f"{bomb}]>{PAGES}".encode()) == Sitemap()
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    assert read((outside + "<urlset><url><loc>&a;</loc></url></urlset>").encode()) == (
        Sitemap()
    )


def test_a_packed_bomb_is_opened_no_further_than_allowed():
    packing = zlib.compressobj(wbits=31)
    bomb = packing.compress(PAGES[: -len("</urlset>")].encode())
    bomb += b"".join(packing.compress(b" " * 1_000_000) for _ in range(200))
    assert read(bomb + packing.flush()).pages == URLS


def test_only_so_many_pages_are_read():
    many = "".join(
        f"<url><loc>https://example.com/{n}</loc></url>" for n in range(60_000)
    )
    assert len(read(f"<urlset>{many}</urlset>".encode()).pages) == sitemaps.MOST_URLS
    lines = "\n".join(f"https://example.com/{n}" for n in range(60_000))
    assert len(read(lines.encode()).pages) == sitemaps.MOST_URLS


def test_a_very_long_address_is_none():
    assert read(
        f"<urlset><url><loc>https://a.de/{'a' * 9_000_000}</loc></url>".encode()
    ) == (Sitemap())


_PIECES = """<urlset> </urlset> <url> </url> <loc> </loc> <sitemap> https://a.de/b &amp; &x;
<![CDATA[ ]]> <!-- --> <?xml ?> <!DOCTYPE x [ ]> < > é"""


@given(
    st.binary()
    | st.lists(st.sampled_from(_PIECES.split())).map("".join).map(str.encode)
)
def test_no_bytes_make_reading_fail(body):
    for given_body in (body, gzip.compress(body), b"\x1f\x8b" + body):
        found = read(given_body)
        for url in (*found.pages, *found.sitemaps):
            assert canonical(url) == url
