from __future__ import annotations

from urllib.parse import urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventyard.jobs.scraping import urls
from eventyard.jobs.scraping.urls import Origin, canonical, join

_WORDS = """http https :// // / \\ . .. ./ ../ a B.de b.de/ a.html /a/.b ä ß.de 日本.jp
xn--mller-kva [::1] 127.0.0.1 :80 :443 :8080 : ? ?a=b # % %2e %2F %zz %41 & = ; @ + ~ |"""
_PIECES = st.sampled_from([*_WORDS.split(), "\t", " ", "\x00", "\ud800", "\u3000"])
_STEPS = st.sampled_from(["a", "b.html", ".", "..", "...", ".a"])
addresses = st.lists(_PIECES, max_size=8).map("".join)
whole = addresses.map("http://".__add__) | addresses.map("https://b.de/".__add__)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://example.com:/", "http://example.com/"),
        ("http://example.com./a", "http://example.com/a"),
        ("  http://example.com/a\n", "http://example.com/a"),
        ("http://exam\tple.com/\na", "http://example.com/a"),
        ("http://example.com/a#part", "http://example.com/a"),
        ("http://example.com/#", "http://example.com/"),
        ("http://example.com/a/./b/../c/", "http://example.com/a/c/"),
        ("http://example.com/a/..", "http://example.com/"),
        ("http://example.com/../../a", "http://example.com/a"),
        ("http://example.com/a/%2E%2e/b", "http://example.com/b"),
        ("http://example.com/%7eada/%41", "http://example.com/~ada/A"),
        ("http://example.com/a%2fb", "http://example.com/a%2Fb"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://example.com/a b", "http://example.com/a%20b"),
        ("http://example.com/ä", "http://example.com/%C3%A4"),
        ("http://example.com/a//b", "http://example.com/a//b"),
        ("http://example.com\\a\\b?c\\d", "http://example.com/a/b?c\\d"),
        ("http://example.com/?B=2&a=1&a=%7e", "http://example.com/?B=2&a=1&a=%7e"),
        ("http://example.com/?q=ä ö", "http://example.com/?q=%C3%A4%20%C3%B6"),
        ("http://example.com/?", "http://example.com/"),
        ("http://example.com?a=/../b", "http://example.com/?a=/../b"),
        ("http://ex%61mple.com/", "http://example.com/"),
        ("http://Müller.de/", "http://xn--mller-kva.de/"),
        ("http://xn--MLLER-KVA.de/", "http://xn--mller-kva.de/"),
        ("http://日本語。jp/", "http://xn--wgv71a119e.jp/"),
        # The codec of the standard library would lead to fass.de.
        ("http://faß.de/", "http://xn--fa-hia.de/"),
        ("http://\uff11\uff12\uff17.0.0.1/", "http://127.0.0.1/"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
        ("http://a_b.example/", "http://a_b.example/"),
    ],
)
def test_an_address_has_one_spelling(written, meant):
    assert canonical(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "mailto:ada@example.com",
        "tel:+49301234567",
        "javascript:alert(1)",
        "JavaScript://example.com/%0aalert(1)",
        "data:text/html,<a href=x>",
        "ftp://example.com/file",
        "file:///etc/passwd",
        "blob:https://example.com/1",
        "/relative",
        "http:",
        "http:/example.com",
        "http:///example.com",
        "http://",
        "http://ada:secret@example.com/",
        "http://ada@example.com/",
        "http://@example.com/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:port/",
        "http://exa mple.com/",
        "http://example..com/",
        "http://-example.com/",
        "http://exam%2Fple.com/",
        "http://exam<ple.com/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://256.1.1.1/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 130 + "com/",
        "http://example.com/" + "a" * 2_048,
        # Short as written, long as sent.
        "http://example.com/" + "ä" * 1_000,
    ],
)
def test_what_is_no_page_has_no_address(written):
    assert canonical(written) is None


@pytest.mark.parametrize(
    ("href", "leads_to"),
    [
        ("b", "https://example.com/a/b"),
        ("./b", "https://example.com/a/b"),
        ("../b", "https://example.com/b"),
        ("../../../b", "https://example.com/b"),
        ("/b", "https://example.com/b"),
        ("//other.example/b", "https://other.example/b"),
        ("\\\\other.example\\b", "https://other.example/b"),
        ("?c=d", "https://example.com/a/page?c=d"),
        ("#part", "https://example.com/a/page?q=1"),
        ("", "https://example.com/a/page?q=1"),
        (" b ", "https://example.com/a/b"),
        ("b\n/c", "https://example.com/a/b/c"),
        ("http://example.com/b", "http://example.com/b"),
        (
            "b?x=http://other.example/",
            "https://example.com/a/b?x=http://other.example/",
        ),
        ("mailto:ada@example.com", None),
        ("tel:110", None),
        ("javascript:void(0)", None),
        (" java\nscript:void(0)", None),
        ("data:,x", None),
        ("//ada:secret@example.com/", None),
        ("http://[", None),
        ("//[", None),
        ("a" * 3_000, None),
    ],
)
def test_a_reference_is_joined_with_its_page(href, leads_to):
    assert join("https://example.com/a/page?q=1", href) == leads_to


@given(whole)
@example("http://b.de/%2%65")
@example("http://b.de//..//..//a")
@example("http://b.de/a/%2e%2e%2fb")
def test_a_canonical_address_stays_as_it_is(written):
    found = canonical(written)
    if found is not None:
        assert canonical(found) == found
        assert found.isascii()
        assert found.isprintable()
        assert " " not in found
        assert len(found) <= urls.MOST_URL


@given(whole, whole | addresses)
def test_joining_with_any_base_changes_no_canonical_address(base, written):
    found = canonical(written)
    base = canonical(base) or "http://example.com/"
    if found is not None:
        assert join(base, found) == found


@given(whole, addresses)
def test_whatever_a_page_refers_to_is_canonical_or_nothing(base, href):
    base = canonical(base) or "http://example.com/"
    found = join(base, href)
    assert found is None or canonical(found) == found


@given(st.sampled_from(["", "/"]), st.lists(_STEPS), st.sampled_from(["", "?a=/.."]))
def test_references_are_joined_as_the_standard_library_does(lead, steps, query):
    base, href = "http://example.com/a/b/c.html?d=e/f", lead + "/".join(steps) + query
    assert join(base, href) == canonical(urljoin(base, href))


@given(whole)
def test_what_counts_as_canonical_is(written):
    if urls._CANONICAL.fullmatch(written):
        assert urls._canonical(written) == written


@given(st.text())
def test_no_text_breaks_the_reading_of_addresses(text):
    assert canonical(f"http://{text}") is None or canonical(f"http://{text}")
    join("http://example.com/", text)


@given(whole)
def test_a_canonical_address_means_the_same_place_to_the_caller(written):
    from chalicelib.outbound import _parse

    found = canonical(written)
    if found is not None:
        parts = _parse(found)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        assert urls.origin(found) == (parts.scheme, parts.hostname, port)


def test_pages_belong_to_a_site_by_scheme_host_and_port():
    site = Origin("https", "example.com", 443)
    assert urls.is_within("https://example.com/a", site)
    assert not urls.is_within("https://www.example.com/", site)
    assert not urls.is_within("https://example.com:8443/", site)
    assert not urls.is_within("https://example.com.evil.example/", site)
    assert not urls.is_within("http://example.com/", site)


def test_https_of_an_http_site_belongs_to_it_at_the_usual_ports():
    site = Origin("http", "example.com", 80)
    assert urls.is_within("https://example.com/", site)
    assert not urls.is_within("https://www.example.com/", site)
    assert not urls.is_within("https://example.com:8443/", site)
    other = Origin("http", "example.com", 8080)
    assert not urls.is_within("https://example.com/", other)
    assert not urls.is_within("https://example.com:8080/", other)


def test_http_links_of_a_site_at_https_are_taken_for_https():
    site = Origin("https", "example.com", 443)
    assert urls.upgraded("http://example.com/a?b", site) == "https://example.com/a?b"
    for url in (
        "http://other.example/",
        "http://example.com:8080/",
        "https://example.com/",
    ):
        assert urls.upgraded(url, site) == url
    plain = Origin("http", "example.com", 80)
    assert urls.upgraded("http://example.com/", plain) == "http://example.com/"


def test_the_place_of_an_address_is_its_host_and_port():
    assert urls.place("http://example.com:8080/a?b=//c") == "example.com:8080"
    assert urls.place("https://[::1]/") == "[::1]"
