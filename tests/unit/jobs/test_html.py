from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping import html
from eventyard.jobs.scraping.urls import canonical
from tests.unit.jobs import hostile

URL = "https://example.com/a/page"
_SNIPPETS = """<html> <head> <body> <title> </title> <base href="b/"> <base href=//other.example>
<a href=x> <a href="mailto:ada@example.com"> <a href='/y#z' rel=nofollow> </a> <p> </p>
<div hidden> </div> <br> <table> <tr> <td> </table> <script> </script> <!-- --> <svg>
<script type="application/ld+json"> {"@type":"Person"} [ ] { } , <meta name=robots
content=noindex> <meta charset=utf-16> <meta property="og:title" content=x> <template>
</template> <select> <option> <style> &amp; &#0; &#xD800; &nbsp; <![CDATA[ ]]> <b> <i>
</b> <form> <frameset> <plaintext> <textarea> <noscript> <math> < > " ' = /"""
markup = st.lists(
    st.sampled_from([*_SNIPPETS.split(" "), "\0", "\ufffe", "é", "x"]), max_size=30
).map("".join)


def read(text: str, url: str = URL, **headers: str) -> html.Page:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return html.read(text.encode(), url, named)


def test_a_page_is_read():
    page = read(
        """<!doctype html><html><head><title> Our
        team </title><meta name="Description" content="Who  we are">
        <link rel="canonical" href="/team">
        <meta property="og:title" content="Team"><meta property="og:type" content="website">
        <script type="application/ld+json">{"@type": "Organization"}</script></head>
        <body><h1>Team</h1><p>Ada &amp; Bo</p><a href="/jobs#open">Jobs</a>
        <a href="mailto:ada@example.com">mail</a> <a href="tel:+49301234567">call</a>"""
    )
    assert page.title == "Our team"
    assert page.description == "Who we are"
    assert page.canonical == "https://example.com/team"
    assert page.links == ("https://example.com/jobs",)
    assert page.links_count == 1
    assert page.text == "Team\nAda & Bo\nJobs mail call"
    assert page.contacts == ("mailto:ada@example.com", "tel:+49301234567")
    assert page.json_ld == [{"@type": "Organization"}]
    assert page.open_graph == {"title": "Team", "type": "website"}
    assert page.encoding == "utf-8"
    assert (page.index, page.follow, page.cut) == (True, True, False)


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("<a href=x>", "https://example.com/a/x"),
        ("<a href='x'>", "https://example.com/a/x"),
        ('<A HREF = "x">', "https://example.com/a/x"),
        ('<a class="y" href="x" id=z>', "https://example.com/a/x"),
        ('<a href=" x ">', "https://example.com/a/x"),
        ('<a href="x\n">', "https://example.com/a/x"),
        ('<a href="?a=1&amp;b=2">', "https://example.com/a/page?a=1&b=2"),
        ('<a href="?a=1&b=2">', "https://example.com/a/page?a=1&b=2"),
        ('<a href="/x#part">', "https://example.com/x"),
        ('<a href="#part">', URL),
        ('<a href="">', None),
        ("<a href>", None),
        ("<a>", None),
        ('<a href="//other.example/x">', "https://other.example/x"),
        ('<map><area href="x"></map>', "https://example.com/a/x"),
        ('<svg><a href="x"/></svg>', "https://example.com/a/x"),
        ('<noscript><a href="x"></a></noscript>', "https://example.com/a/x"),
        ('<meta http-equiv="Refresh" content="0; URL=x">', "https://example.com/a/x"),
        ("<meta http-equiv=refresh content=\"5;url='x'\">", "https://example.com/a/x"),
        ('<meta http-equiv="refresh" content="5">', None),
        ('<a href="mailto:ada@example.com">', None),
        ('<a href="javascript:alert(1)">', None),
        ('<a href="data:text/html,x">', None),
        ('<a href="http://ada:secret@example.com/">', None),
        ('<link rel="stylesheet" href="x.css">', None),
        ('<script src="x.js"></script>', None),
        ('<img src="x.png">', None),
        ('<form action="x"></form>', None),
        ('<template><a href="x"></a></template>', None),
        ('<!-- <a href="x"> -->', None),
        ('<script>"<a href=x>"</script>', None),
        ('<textarea><a href="x"></textarea>', None),
        ('<p title="<a href=x>">', None),
    ],
)
def test_links_are_what_html_says_they_are(link, leads_to):
    assert read(link).links == ((leads_to,) if leads_to else ())


def test_links_are_joined_with_the_base_of_the_page():
    page = read('<base href="/b/"><base href="/c/"><a href="x"><a href="/y">')
    assert page.links == ("https://example.com/b/x", "https://example.com/y")
    away = read('<base href="//other.example/b/"><a href="x">')
    assert away.links == ("https://other.example/b/x",)
    bad = read('<base href="javascript:x"><a href="x">')
    assert bad.links == ("https://example.com/a/x",)


def test_each_link_counts_once():
    page = read('<a href="x"><a href="./x#a"><a href="../a/x"><a href="y">')
    assert page.links == ("https://example.com/a/x", "https://example.com/a/y")
    assert page.links_count == 2


def test_links_that_must_not_be_followed_count_and_are_not_followed():
    page = read('<a href=x rel="noopener NoFollow"><a href=y rel=author>')
    assert page.links == ("https://example.com/a/y",)
    assert page.links_count == 2
    # Once with and once without: somebody vouches for it.
    both = read("<a href=x rel=nofollow></a><a href=x></a><a href=x rel=nofollow>")
    assert both.links == ("https://example.com/a/x",)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one<p>two", "one\ntwo"),
        ("one<br>two", "one\ntwo"),
        ("in<b>f</b>o@example.com", "info@example.com"),
        ("one\n  two\t three", "one two three"),
        ("<p>030\n123</p>", "030 123"),
        ("<pre>030\n040</pre>", "030\n040"),
        ("<pre><code>a\nb</code></pre>", "a\nb"),
        ("a&nbsp;b", "a b"),
        ("<table><tr><td>1<td>2<tr><td>3</table>", "1\n2\n3"),
        ("<div>a<div>b</div>c</div>d", "a\nb\nc\nd"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        ("<span>a</span><span>b</span>", "ab"),
        ("a<script>x</script>b", "a\nb"),
        ("<style>x</style>b", "b"),
        ("<noscript>x</noscript>b", "b"),
        ("a<noscript><p>x</noscript>b", "a\nb"),
        ("<template>x</template>b", "b"),
        ("<p hidden>x<b>y</b></p>b", "b"),
        ('<p style="color:red; DISPLAY:none">x</p>b', "b"),
        ('<p style="visibility: hidden">x</p>b', "b"),
        ("<div hidden><p hidden>x</p>y</div>b", "b"),
        ("<textarea>x</textarea>b", "b"),
        ("<select><option>x</select>b", "b"),
        ("<!-- x -->b", "b"),
        ("<svg><text>x</text></svg>b", "b"),
        ("a<!-- x -->b", "ab"),
        ("<head><title>x</title></head>b", "b"),
        ("&lt;b&gt;", "<b>"),
        ("a\0b", "ab"),
        ("", ""),
        ("<frameset><frame src=x></frameset>", ""),
    ],
)
def test_the_text_is_what_readers_see(markup, text):
    assert read(markup).text == text


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>a</title>", "a"),
        ("<title></title><title>b</title>", "b"),
        ("<title>a &amp; b</title>", "a & b"),
        ("<title>a <b>b</title>", "a <b>b"),
        ("<svg><title>drawing</title></svg>", None),
        ("<noscript><img src=x></noscript><title>a</title>", "a"),
        ("<body><title>late</title>", "late"),
        ("", None),
    ],
)
def test_the_title_is_the_first_of_the_page(head, title):
    assert read(head).title == title


def test_long_titles_and_descriptions_are_cut():
    page = read(
        f"<title>{'a' * 5_000}</title><meta name=description content={'b' * 5_000}>"
    )
    assert page.title == "a" * 1_000
    assert page.description == "b" * 1_000


@pytest.mark.parametrize(
    ("head", "header", "index", "follow"),
    [
        ('<meta name="robots" content="noindex">', "", False, True),
        ('<meta name="ROBOTS" content="NoFollow">', "", True, False),
        ('<meta name="robots" content="noindex, nofollow">', "", False, False),
        ('<meta name="robots" content="none">', "", False, False),
        ('<meta name="robots" content="index,follow">', "", True, True),
        ('<meta name="eventyardscraper" content="nofollow">', "", True, False),
        ('<meta name="otherbot" content="none">', "", True, True),
        ("", "noindex", False, True),
        ("", "nofollow, noindex", False, False),
        ("", "otherbot: noindex, nofollow", True, True),
        ("", "EventyardScraper: noindex, otherbot: nofollow", False, True),
        ("", "unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", False, True),
        ("", ":::,,", True, True),
    ],
)
def test_a_page_says_what_robots_may_do(head, header, index, follow):
    page = read(head, x_robots_tag=header)
    assert (page.index, page.follow) == (index, follow)


def test_the_encoding_is_found_in_the_header_and_in_the_page():
    body = "<p>Łódź".encode("iso8859-2")
    named = {"content-type": "text/html; charset=iso-8859-2"}
    assert html.read(body, URL, named).text == "Łódź"
    said = b'<meta charset="iso-8859-2">' + body
    assert html.read(said, URL).text == "Łódź"
    assert html.read(b"\xff\xfe" + "<p>Łódź".encode("utf-16-le"), URL).text == "Łódź"


def test_the_hash_changes_with_what_readers_see():
    page = read("<title>a</title><p>b<script>nonce1</script>")
    same = read("<title>a</title><div>b</div><script>nonce2</script>")
    assert page.hash == same.hash
    for other in ("<title>c</title><p>b", "<title>a</title><p>c", "<p>a<p>b"):
        assert read(other).hash != page.hash


def test_what_lies_behind_five_megabytes_is_left_out():
    page = read("<a href=x>a</a>" + " " * html.MOST_BYTES + "<a href=y>b</a>")
    assert page.cut
    assert page.links == ("https://example.com/a/x",)


def test_a_large_page_is_read_to_its_end():
    rows = "".join(f"<tr><td><a href='/{n}'>{n}</a>" for n in range(4_000))
    page = read(
        f"<title>large</title><base href='/b/'><table>{rows}</table><a href=end>"
    )
    assert not page.cut
    assert page.title == "large"
    assert page.links_count == 4_001
    assert page.links[0] == "https://example.com/0"
    assert page.links[-1] == "https://example.com/b/end"
    assert page.text.split() == [str(n) for n in range(4_000)]


def test_a_page_of_very_many_tags_is_cut():
    page = read("<title>t</title>" + "<p>x" * 120_000)
    assert page.cut
    assert page.title == "t"
    assert 90_000 < len(page.text.split()) < 120_000


def test_only_so_many_links_are_kept():
    page = read("".join(f"<a href='/{n}'>" for n in range(6_000)))
    assert page.links_count == html.MOST_LINKS


@pytest.mark.parametrize("kind", hostile.PAGES)
def test_hostile_markup_hides_no_sound_link_before_it(kind):
    hidden = hostile.PAGES[kind](200_000)
    page = html.read(f"<a href=/first>x</a>{hidden}".encode(), URL)
    assert "https://example.com/first" in page.links


@pytest.mark.parametrize(
    "kind",
    [
        "nested blocks",
        "one tag with many attributes",
        "emphasis before tables",
        "attributes again and again",
        "bodies with many attributes",
    ],
)
def test_five_megabytes_of_hostile_markup_come_to_an_end(kind):
    # Minutes, or all memory, where nothing is done about it.
    page = html.read(hostile.PAGES[kind](5_000_000).encode(), URL)
    assert page.links == ()


@given(st.binary(), st.text())
def test_no_bytes_make_reading_fail(body, kind):
    html.read(body, URL, {"content-type": kind, "x-robots-tag": kind})


@given(markup, st.sampled_from([URL, "http://[::1]:8080/?q"]))
def test_whatever_is_written_links_are_canonical_and_texts_are_texts(text, url):
    page = html.read(text.encode("utf-8", "surrogatepass"), url)
    for link in page.links:
        assert canonical(link) == link
    page.text.encode()
    assert page.hash
    assert "\n\n" not in page.text


@given(markup, st.integers(1, 3))
def test_a_page_in_pieces_has_the_links_of_the_whole(text, tags):
    from eventyard.jobs.scraping import markup as bounds

    simple = "<a href=/1>a</a>" * 2 + "<p><a href=/2>b</a>" + text
    whole = html.read(simple.encode(), URL)
    before, bounds.MOST_TAGS = bounds.MOST_TAGS, tags
    try:
        parts = html.read(simple.encode(), URL)
    finally:
        bounds.MOST_TAGS = before
    assert set(parts.links[:2]) <= {*whole.links, "https://example.com/1"}
