from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping import robots
from eventyard.jobs.scraping.robots import Robots, answered, unanswered

AGENT = "EventyardScraper/0.1 (+https://example.com/)"
SITE = "https://example.com"


def rules(text: str, status: int = 200) -> Robots:
    return answered(AGENT, status, text.encode())


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /private", "/private/x", False),
        ("User-agent: *\nDisallow: /private", "/public", True),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: *\nDisallow: /", "/", False),
        ("User-agent: *\nDisallow: /\nAllow: /a", "/a/b", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf?x", True),
        ("User-agent: *\nDisallow: /*?sort=", "/a?sort=x", False),
        ("User-agent: *\nDisallow: /ä", "/%C3%A4", False),
        ("User-agent: *\nDisallow: /%7Eada", "/~ada", False),
        ("User-agent: otherbot\nDisallow: /", "/x", True),
        (
            "User-agent: *\nDisallow: /\n\nUser-agent: eventyardscraper\nAllow: /",
            "/x",
            True,
        ),
        (
            "User-agent: EventyardScraper\nDisallow: /x\n\nUser-agent: *\nDisallow:",
            "/x",
            False,
        ),
        ("user-agent:a\nuser-agent:eventyardscraper\ndisallow:/x", "/x", False),
        ("\ufeffUser-agent: *\nDisallow: /x", "/x", False),
        ("User-agent: *\r\nDisallow: /x\r\n", "/x", False),
        ("User-agent: *\rDisallow: /x\r", "/x", False),
        ("# a comment\nUser-agent: * # all\nDisallow: /x # this", "/x", False),
        ("<html><body>Not found</body></html>", "/x", True),
        ("", "/x", True),
        ("\0\0\0", "/x", True),
    ],
)
def test_rules_are_kept(text, path, allowed):
    assert rules(text).allows(SITE + path) is allowed


@pytest.mark.parametrize("status", [301, 302, 308, 400, 401, 403, 404, 410, 418, 451])
def test_where_there_is_no_file_all_is_allowed(status):
    found = rules("User-agent: *\nDisallow: /", status)
    assert found.allows(f"{SITE}/x")
    assert found.unreachable is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
def test_where_the_server_fails_nothing_is_allowed(status):
    found = rules("User-agent: *\nAllow: /", status)
    assert not found.allows(f"{SITE}/x")
    assert found.unreachable == f"robots.txt: HTTP {status}"
    assert found.delay_s == 0
    assert found.sitemaps == []


def test_where_nobody_answers_nothing_is_allowed():
    found = unanswered(AGENT, "no answer within 10 s")
    assert not found.allows(f"{SITE}/x")
    assert found.unreachable == "robots.txt: no answer within 10 s"


@pytest.mark.parametrize(
    ("line", "delay_s"),
    [
        ("Crawl-delay: 2", 2),
        ("Crawl-delay: 0.5", 0.5),
        ("Request-rate: 1/5", 5),
        ("Request-rate: 10/1m", 6),
        ("Crawl-delay: 3\nRequest-rate: 1/2", 3),
        ("Crawl-delay: 86400", robots.LONGEST_DELAY_S),
        ("Crawl-delay: -1", 0),
        ("Crawl-delay: soon", 0),
        ("Crawl-delay: inf", 0),
        ("Crawl-delay: nan", 0),
        ("Request-rate: 0/5", 0),
        ("", 0),
    ],
)
def test_pauses_are_kept_as_the_host_wishes(line, delay_s):
    assert rules(f"User-agent: *\nDisallow: /x\n{line}").delay_s == delay_s


def test_pauses_of_others_are_none_of_ours():
    text = "User-agent: otherbot\nCrawl-delay: 9\n\nUser-agent: *\nCrawl-delay: 1"
    assert rules(text).delay_s == 1


def test_sitemaps_are_listed_each_once_and_canonical():
    text = """Sitemap: https://example.com/a.xml
    sitemap: HTTPS://EXAMPLE.com:443/a.xml
    User-agent: x
    Disallow: /
    Sitemap: https://other.example/b.xml.gz
    Sitemap: /relative.xml
    Sitemap: ftp://example.com/c.xml"""
    assert rules(text).sitemaps == [
        "https://example.com/a.xml",
        "https://other.example/b.xml.gz",
    ]
    many = "\n".join(f"Sitemap: https://example.com/{n}" for n in range(1_000))
    assert len(rules(many).sitemaps) == 50


def test_of_a_very_long_file_whole_lines_of_its_beginning_count():
    filler = "Disallow: /filler\n" * (robots.MOST_BYTES // 18 - 2)
    # Cut here, the last line would forbid everything.
    text = f"User-agent: *\nDisallow: /x\n{filler}Disallow: /only-this-one-page-of-ours"
    found = rules(text + "\nDisallow: /behind\n" * 10)
    assert not found.allows(f"{SITE}/x")
    assert found.allows(f"{SITE}/behind")
    assert found.allows(f"{SITE}/onl")


def test_very_long_lines_are_left_out():
    text = "User-agent: *\nDisallow: /" + "*a" * 100_000 + "\nDisallow: /x"
    found = rules(text)
    assert not found.allows(f"{SITE}/x")
    assert found.allows(f"{SITE}/{'a' * 1_000}")


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (AGENT, "eventyardscraper"),
        ("my-bot", "my-bot"),
        ("Mozilla/5.0 (compatible)", "mozilla"),
        ("", "*"),
        ("5bot", "*"),
    ],
)
def test_a_robot_is_called_by_its_product(agent, name):
    assert robots.product(agent) == name


@given(st.binary() | st.text().map(str.encode), st.integers(100, 599))
def test_no_file_makes_reading_fail_and_what_is_kept_is_read_back(body, status):
    found = answered(AGENT, status, body)
    kept = Robots.from_dict(json.loads(json.dumps(found.to_dict())))
    assert kept == found
    assert kept.allows(f"{SITE}/x") == found.allows(f"{SITE}/x")
    assert 0 <= kept.delay_s <= robots.LONGEST_DELAY_S
    assert kept.sitemaps == found.sitemaps


def test_what_is_kept_is_small():
    text = "User-agent: *\n" + "".join(f"Disallow: /page-{n}\n" for n in range(20_000))
    assert len(json.dumps(rules(text).to_dict())) < len(text) / 3
