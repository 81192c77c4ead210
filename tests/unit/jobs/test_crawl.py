"""A crawl meets pages breadth first, each once, and goes on where it was."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping.crawl import Crawl

HOST = "https://example.com"


def site(crawl: Crawl, links: dict[str, list[str]], limit: int = 10_000) -> list[str]:
    """Crawl a site whose pages link so; return what was asked for."""
    asked = []
    while limit and (step := crawl.take()):
        limit -= 1
        asked.append(step.url)
        if step.url in links:
            crawl.page(step, step.url, links[step.url])
        else:
            crawl.failed(step, "HTTP 404")
    return asked


def begun(max_pages: int = 100, **more: Any) -> Crawl:
    crawl = Crawl(max_pages, **more)
    crawl.add([f"{HOST}/"])
    return crawl


def test_pages_come_breadth_first() -> None:
    links = {"/": ["/a", "/b"], "/a": ["/c"], "/b": ["/d", "/a"], "/c": [], "/d": []}
    crawl = begun()

    asked = site(crawl, whole(links))

    assert asked == [f"{HOST}{path}" for path in ("/", "/a", "/b", "/c", "/d")]
    assert crawl.crawled == asked


def whole(links: dict[str, list[str]]) -> dict[str, list[str]]:
    return {f"{HOST}{k}": [f"{HOST}{one}" for one in v] for k, v in links.items()}


def test_failures_do_not_count_for_the_pages_that_are_wanted() -> None:
    crawl = begun(2)

    asked = site(crawl, whole({"/": ["/no", "/nope", "/a", "/b"], "/a": [], "/b": []}))

    assert asked[-1] == f"{HOST}/a"
    assert crawl.crawled == [f"{HOST}/", f"{HOST}/a"]
    assert crawl.errors == {f"{HOST}/no": "HTTP 404", f"{HOST}/nope": "HTTP 404"}


def test_no_more_is_asked_for_at_a_time_than_is_wanted() -> None:
    crawl = begun(3)
    step = crawl.take()
    assert step is not None
    crawl.page(step, step.url, [f"{HOST}/{n}" for n in range(9)])

    assert [crawl.take() is not None for _ in range(4)] == [True, True, False, False]


def test_a_trap_of_links_is_met_three_times_as_often_as_pages_are_wanted() -> None:
    crawl = begun(10)
    step = crawl.take()
    assert step is not None

    crawl.page(step, step.url, [f"{HOST}/{n}" for n in range(1_000)])

    assert len(crawl.met) == 30


def test_the_site_is_where_the_start_leads() -> None:
    crawl = begun()
    step = crawl.take()
    assert step is not None

    crawl.page(
        step,
        "http://www.example.com/",
        ["http://www.example.com/a", f"{HOST}/b", "http://www.example.com:8080/c"],
    )

    assert crawl.take() == ("http://www.example.com/a", 1)
    assert crawl.take() is None


def test_https_of_the_same_host_belongs_to_a_site_and_http_is_upgraded() -> None:
    crawl = begun()
    step = crawl.take()
    assert step is not None

    crawl.page(step, step.url, ["http://example.com/a", "http://example.com:81/b"])

    assert crawl.take() == (f"{HOST}/a", 1)
    assert crawl.take() is None


def test_other_sites_belong_to_a_crawl_that_is_not_bound_to_one() -> None:
    crawl = begun(same_origin_only=False)
    step = crawl.take()
    assert step is not None

    crawl.page(step, step.url, ["https://other.example/a"])

    assert crawl.take() == ("https://other.example/a", 1)


def test_a_redirect_to_a_page_that_was_met_is_no_page_of_its_own() -> None:
    crawl = begun()
    first = crawl.take()
    assert first is not None
    crawl.page(first, first.url, [f"{HOST}/old", f"{HOST}/new"])
    old, new = crawl.take(), crawl.take()
    assert old is not None
    assert new is not None

    assert not crawl.page(old, f"{HOST}/new", [])
    assert crawl.page(new, f"{HOST}/new", [])
    assert crawl.crawled == [f"{HOST}/", f"{HOST}/new"]


def test_what_must_not_be_asked_for_is_counted_apart() -> None:
    crawl = begun()
    step = crawl.take()
    assert step is not None

    crawl.skip(step, "robots.txt forbids it")

    assert crawl.skipped == 1
    assert crawl.errors == {f"{HOST}/": "robots.txt forbids it"}


def test_what_was_asked_for_and_not_told_is_asked_for_again() -> None:
    crawl = begun()
    step = crawl.take()
    assert step is not None
    crawl.page(step, step.url, [f"{HOST}/{n}" for n in "abc"])
    crawl.take()
    crawl.take()

    again = Crawl.from_dict(json.loads(json.dumps(crawl.to_dict())))

    assert [again.take(), again.take()] == [(f"{HOST}/a", 1), (f"{HOST}/b", 1)]


@given(
    st.dictionaries(
        st.integers(0, 15), st.lists(st.integers(0, 20), max_size=6), max_size=16
    ),
    st.integers(1, 12),
    st.lists(st.integers(0, 5), max_size=8),
)
def test_a_crawl_cut_anywhere_comes_to_what_a_whole_one_does(
    links: dict[int, list[int]], max_pages: int, cuts: list[int]
) -> None:
    named = {
        f"{HOST}/{k or ''}": [f"{HOST}/{n or ''}" for n in v] for k, v in links.items()
    }
    one = begun(max_pages)
    site(one, named)

    other = begun(max_pages)
    for cut in cuts:
        site(other, named, cut)
        other.take()
        other = Crawl.from_dict(json.loads(json.dumps(other.to_dict())))
    site(other, named)

    assert other.crawled == one.crawled
    assert other.errors == one.errors
    assert len(set(one.crawled)) == len(one.crawled) <= max_pages
