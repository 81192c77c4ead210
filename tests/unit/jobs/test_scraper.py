"""The scraper crawls a real site on loopback, over each way of asking."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.jobs.fetch import ThreadedWeb
from chalicelib.outbound import Guard
from eventyard.core.addresses import Allowances
from eventyard.core.errors import InvalidRequestError
from eventyard.jobs.errors import JobCancelled, JobPaused
from eventyard.jobs.memory import MemoryJob, perform
from eventyard.jobs.scraper import ScraperService
from eventyard.jobs.scraping.fetching import Web
from eventyard.jobs.scraping.service import Setup
from eventyard.jobs.web import AiohttpWeb
from tests.loopback import Reply
from tests.site import FINE, HTML, ODD, PAGES, Site

HOST = "127.0.0.1"
WAYS: dict[str, Callable[[], Web]] = {
    "threads": lambda: ThreadedWeb(Guard(HOST)),
    "aiohttp": lambda: AiohttpWeb(Allowances(HOST)),
}


@pytest.fixture(params=WAYS)
def scraper(request: pytest.FixtureRequest) -> ScraperService:
    return ScraperService(
        setup=Setup(web=WAYS[request.param], allowances=Allowances(HOST), gap_s=0)
    )


@pytest.fixture
def outside() -> Iterator[Site]:
    with Site() as made:
        yield made


@pytest.fixture
def site(outside: Site) -> Iterator[Site]:
    with Site(outside.origin) as made:
        yield made


def plain(gap_s: float = 0, **more: Any) -> ScraperService:
    setup = Setup(WAYS["aiohttp"], Allowances(HOST), gap_s=gap_s, **more)
    return ScraperService(setup=setup)


def scrape(
    service: ScraperService, site: Site, job: MemoryJob | None = None, **asked: Any
) -> dict[str, Any]:
    # One page never answers; the others are given time on a busy machine.
    timeout_s = 2 if site.odd else 30
    data = {"url": f"{site.origin}/", "timeout_s": timeout_s, **asked}
    return asyncio.run(perform(service, data, job))


def test_every_page_is_read_once_and_nothing_outside_the_rules_is_asked_for(
    scraper: ScraperService, site: Site, outside: Site
) -> None:
    job = MemoryJob({})

    result = scrape(scraper, site, job, max_pages=1_000)

    pages = {f"{site.origin}/p/{n}" for n in range(PAGES)}
    odd = {f"{site.origin}{path}" for path in ("/", *FINE, "/p/3?a=1&b=2")}
    assert set(result["crawled"]) == pages | odd
    assert len(set(result["crawled"])) == len(result["crawled"])
    wrong = {url.removeprefix(site.origin): e for url, e in result["errors"].items()}
    assert wrong.keys() == ODD.keys()
    assert {p: e[: len(ODD[p])] for p, e in wrong.items()} == ODD
    assert result["skipped_by_robots"] == 2
    assert outside.requests == []
    assert "/private/x" not in site.asked
    assert {path for path in site.asked if site.asked.count(path) > 1} <= {
        *("/busy", "/p/5", "/p/3"),
        *("/circle-a", "/circle-b"),
    }
    assert set(job.rows) == {*result["crawled"], *result["errors"]}
    assert set(job.kept.values()) == {1}


def test_pages_come_breadth_first_whatever_is_faster(site: Site) -> None:
    site.odd = False

    result = scrape(plain(), site, max_pages=40)

    expected = ["/", *(f"/p/{n}" for n in (1, 2, 3, *range(4, 13), 0, *range(13, 40)))]
    paths = [url.removeprefix(site.origin) for url in result["crawled"]]
    assert len(paths) == 40
    assert paths[:5] == expected[:5]
    assert [path for path in paths if path != "/p/0"] == [
        path for path in expected if path != "/p/0"
    ][:39]


def test_a_row_tells_what_the_page_does(site: Site) -> None:
    job = MemoryJob({})

    scrape(plain(), site, job, max_pages=2)

    row = job.rows[f"{site.origin}/p/1"]
    assert row["title"] == "Page 1"
    assert row["description"] == "About 1"
    assert row["open_graph"] == {"title": "Page 1"}
    assert row["emails"] == ["office@example.com", "person1@example.com"]
    assert (row["status"], row["depth"], row["error"]) == (200, 1, None)
    assert row["links_count"] == 4


def test_markup_that_means_harm_is_data(site: Site) -> None:
    site.texts["/"] = '<a href="/hostile">x</a>'
    job = MemoryJob({})

    result = scrape(plain(), site, job, max_pages=3)

    row = job.rows[f"{site.origin}/hostile"]
    assert row["title"] == '"><script>alert(1)</script>'
    assert row["emails"] == ["b@c.de", "hidden@example.com"]
    assert row["phones"] == ["+49301234567"]
    assert result["crawled"][2] == f"{site.origin}/p/1"


def test_only_so_many_pages_are_read(site: Site) -> None:
    site.odd = False

    result = scrape(plain(), site, max_pages=7)

    assert len(result["crawled"]) == 7
    assert len(site.asked) == 8


def test_a_start_that_cannot_be_reached_is_told(scraper: ScraperService) -> None:
    with Site() as closed:
        address = closed.origin

    result = asyncio.run(perform(scraper, {"url": address}, MemoryJob({})))

    assert result["crawled"] == []
    assert result["errors"] == {
        f"{address}/": "robots.txt: the connection was refused or failed"
    }


def test_a_name_that_does_not_exist_is_told(scraper: ScraperService) -> None:
    result = asyncio.run(perform(scraper, {"url": "http://nowhere.invalid"}))

    assert list(result["errors"].values()) == ["robots.txt: the name does not resolve"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_host_whose_rules_are_not_to_be_had_is_not_crawled(
    site: Site, status: int
) -> None:
    site.robots = Reply(status, b"", {"Retry-After": "0"})

    result = scrape(plain(), site)

    assert list(result["errors"].values()) == [f"robots.txt: HTTP {status}"]
    assert result["skipped_by_robots"] == 1
    assert set(site.asked) == {"/robots.txt"}


@pytest.mark.parametrize("status", [404, 403, 301])
def test_a_host_without_rules_allows_all(site: Site, status: int) -> None:
    site.robots = Reply(status, b"", {"Location": "/robots.txt"})

    assert scrape(plain(), site, max_pages=1)["crawled"] == [f"{site.origin}/"]


def test_a_robot_that_is_named_keeps_to_the_rules_for_it(site: Site) -> None:
    result = scrape(plain(agent="GreedyBot/2.0 (+https://example.com)"), site)

    assert list(result["errors"].values()) == ["robots.txt forbids it"]
    assert site.requests[0].headers["user-agent"].startswith("GreedyBot/2.0")


def test_requests_keep_the_gap_between_them(site: Site) -> None:
    scrape(plain(gap_s=0.1), site, max_pages=5)

    assert_apart(site, 0.1)


def test_a_job_may_ask_for_a_wider_gap_and_never_for_a_narrower_one(site: Site) -> None:
    scrape(plain(gap_s=0.1), site, max_pages=3, delay_s=0.2)
    assert_apart(site, 0.2)

    site.moments.clear()
    scrape(plain(gap_s=0.1), site, max_pages=3, delay_s=0)
    assert_apart(site, 0.1)


def test_the_gap_that_a_host_wishes_is_kept(site: Site) -> None:
    site.robots = Reply(200, b"User-agent: *\nCrawl-delay: 0.3")

    scrape(plain(gap_s=0), site, max_pages=3)

    site.moments[:] = site.moments[1:]
    assert_apart(site, 0.3)


def assert_apart(site: Site, gap_s: float) -> None:
    moments = [moment for _, moment in site.moments]
    assert len(moments) > 2
    # What is asked for on time may arrive late, and the next one not: the sum counts.
    assert moments[-1] - moments[0] > gap_s * (len(moments) - 1) * 0.9


def test_a_host_that_asks_for_time_is_given_it(site: Site) -> None:
    site.texts["/"] = '<a href="/busy">x</a>'

    result = scrape(plain(), site, max_pages=2)

    assert result["crawled"][1] == f"{site.origin}/busy"
    first, second = [moment for path, moment in site.moments if path == "/busy"]
    assert second - first >= 0.99


def test_a_long_wait_pauses_the_job_until_its_turn(site: Site) -> None:
    site.robots = Reply(503, b"", {"Retry-After": "60"})
    job = MemoryJob({})

    with pytest.raises(JobPaused) as paused:
        scrape(plain(), site, job)

    assert 55 < paused.value.after_s <= 60
    assert job.checkpoint is not None
    # Taken up too early it waits on, and asks for nothing.
    with pytest.raises(JobPaused):
        scrape(plain(), site, MemoryJob({}, checkpoint=job.checkpoint))
    assert site.asked == ["/robots.txt"]


def test_a_host_that_always_asks_for_time_is_given_up(site: Site) -> None:
    site.robots = Reply(503, b"", {"Retry-After": "60"})
    job, pauses = MemoryJob({}), 0
    while pauses < 20:
        try:
            result = scrape(plain(), site, job)
            break
        except JobPaused:
            pauses += 1
            # Its time has come.
            turns = job.checkpoint["hosts"]["turns"]
            job.checkpoint["hosts"]["turns"] = dict.fromkeys(turns, 0.0)
            job._turns.clear()

    assert pauses == 6
    assert list(result["errors"].values()) == ["robots.txt: HTTP 503"]


def test_a_wait_beyond_all_patience_is_not_begun(site: Site) -> None:
    site.texts["/"] = '<a href="/later">x</a>'
    site.gone.add("/later")
    site.robots = Reply(429, b"", {"Retry-After": "999999"})

    result = scrape(plain(), site)

    assert list(result["errors"].values()) == ["robots.txt: HTTP 429"]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://0x7f.2/",
        "http://2130706434/",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ],
)
def test_private_addresses_are_refused_when_they_are_submitted(address: str) -> None:
    valid, error = plain().validate_job_data(
        {**plain().job_defaults({}), "url": address}
    )

    assert not valid
    assert error is not None
    assert any(told in error for told in ("not a public", "metadata", "no page"))


@pytest.mark.parametrize("way", WAYS)
def test_a_name_is_checked_when_it_is_called(way: str) -> None:
    strict: dict[str, Callable[[], Web]] = {
        "threads": lambda: ThreadedWeb(Guard()),
        "aiohttp": lambda: AiohttpWeb(Allowances()),
    }
    with Site() as site:
        url = site.origin.replace(HOST, "localhost")
        service = ScraperService(setup=Setup(strict[way], gap_s=0))
        result = asyncio.run(perform(service, {"url": url}))

    assert "not a public address" in next(iter(result["errors"].values()))
    assert site.requests == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/", "http://169.254.169.254/latest"]
)
def test_each_redirect_is_checked_again(
    site: Site, outside: Site, way: str, target: str
) -> None:
    where = target.format(port=outside.origin.rpartition(":")[2])
    named = {
        "threads": lambda: ThreadedWeb(Guard("localhost")),
        "aiohttp": lambda: AiohttpWeb(Allowances("localhost")),
    }
    service = ScraperService(setup=Setup(named[way], gap_s=0))
    start = site.origin.replace(HOST, "localhost")
    site.answer = lambda request: (  # type: ignore[method-assign]
        site.robots
        if request.path == "/robots.txt"
        else Reply(302, b"", {"Location": where})
    )

    result = scrape(service, site, url=start, same_origin_only=False)

    assert result["crawled"] == []
    told = next(iter(result["errors"].values()))
    assert "address" in told
    assert outside.requests == []


def test_a_crawl_that_is_not_bound_to_its_site_leaves_it(
    site: Site, outside: Site
) -> None:
    site.texts["/"] = f'<a href="{outside.origin}/p/150">there</a>'

    result = scrape(plain(), site, same_origin_only=False, max_pages=2)

    assert result["crawled"] == [f"{site.origin}/", f"{outside.origin}/p/150"]
    assert outside.asked == ["/robots.txt", "/p/150"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.01)


def test_cancelling_stops_between_pages_and_keeps_what_came(site: Site) -> None:
    job = MemoryJob({})

    async def cancelled() -> None:
        asked = {"url": site.origin, "max_pages": 200}
        doing = asyncio.create_task(perform(plain(gap_s=0.02), asked, job))
        await until(lambda: len(job.rows) >= 10)
        job.cancel_requested = True
        await doing

    with pytest.raises(JobCancelled):
        asyncio.run(cancelled())

    assert 10 <= len(job.rows) < 100


def test_cancelling_does_not_wait_for_a_slow_page(scraper: ScraperService) -> None:
    with Site() as site:
        job = MemoryJob({})
        site.texts["/"] = '<a href="/slow">x</a>'

        async def cancelled() -> None:
            asked = {"url": site.origin, "timeout_s": 300}
            doing = asyncio.create_task(perform(scraper, asked, job))
            await until(lambda: "/slow" in site.asked)
            job.cancel_requested = True
            await doing

        with pytest.raises(JobCancelled):
            asyncio.run(asyncio.wait_for(cancelled(), 10))


def test_a_crawl_goes_on_from_its_checkpoint_and_loses_nothing(site: Site) -> None:
    site.odd = False
    whole = scrape(plain(), site, max_pages=60)
    job = Cut(pauses=5)

    while True:
        try:
            result = scrape(plain(), site, job, max_pages=60)
            break
        except JobPaused:
            job.left = job.pauses

    assert job.times == 6
    assert result["crawled"] == whole["crawled"]
    assert {**result, "pii_by_url": None} == {**whole, "pii_by_url": None}
    assert set(job.rows) == set(whole["crawled"])


class Cut(MemoryJob):
    """Has little time left, again and again."""

    def __init__(self, pauses: int) -> None:
        super().__init__({})
        self.pauses = self.left = pauses
        self.times = 1

    def seconds_left(self) -> float:
        if self.times > self.pauses:
            return math.inf
        self.left -= 1
        if self.left < 0:
            self.times += 1
            return 1.0
        return math.inf


def test_a_crash_costs_at_most_what_came_since_the_last_checkpoint(site: Site) -> None:
    site.odd = False
    job = MemoryJob({})
    site.gone.add("/p/20")
    first = scrape(plain(), site, job, max_pages=20)
    again = MemoryJob({}, checkpoint=job.checkpoint, rows=[*job.rows.values()])

    second = scrape(plain(), site, again, max_pages=20)

    assert second["crawled"] == first["crawled"]
    assert set(again.rows) == set(job.rows)


def test_a_recrawl_tells_what_changed_and_asks_only_for_what_did(site: Site) -> None:
    site.odd = False
    first = MemoryJob({})
    scrape(plain(), site, first, max_pages=300)
    site.texts["/p/7"] = "<title>Other</title><a href='/p/22'>x</a><p>new@example.com"
    site.gone.add("/p/199")
    site.texts["/p/50"] = "<title>Page</title><a href='/fresh'>x</a>"
    site.texts["/fresh"] = "<title>Fresh</title>"
    again = MemoryJob({})
    again.previous_job_id, again.others["before"] = "before", [*first.rows.values()]

    result = scrape(plain(), site, again, max_pages=300)

    changes = result["difference"]
    at = site.origin
    assert changes["added"] == [f"{at}/fresh"]
    assert changes["changed"] == [f"{at}/p/50", f"{at}/p/7"]
    # What those two led to before, nothing leads to now.
    assert f"{at}/p/199" in changes["removed"]
    assert changes["contacts_added"] == ["new@example.com"]
    assert again.rows[f"{at}/p/8"]["title"] == "Page 8"
    again_asked = [r for r in site.requests if "if-none-match" in r.headers]
    assert len(again_asked) > 150


def test_contacts_kept_in_clear_do_not_come_back_where_they_are_masked(
    site: Site,
) -> None:
    first = MemoryJob({})
    scrape(plain(), site, first, max_pages=3)
    again = MemoryJob({})
    again.others["before"] = [*first.rows.values()]

    asked = {"redact": "mask", "compare_with": "before"}
    result = scrape(plain(), site, again, max_pages=3, **asked)

    assert "person1@" not in str(again.rows) + str(result)
    # Compared as they are kept now: none is new, and none is gone.
    assert result["difference"]["contacts_added"] == []
    assert result["difference"]["contacts_removed"] == []
    assert again.rows[f"{site.origin}/p/1"]["emails"][0].startswith("o***@")


def test_contacts_that_were_masked_are_not_compared_with_those_that_are_not(
    site: Site,
) -> None:
    first, again = MemoryJob({}), MemoryJob({})
    scrape(plain(), site, first, max_pages=3, redact="mask")
    again.others["before"] = [*first.rows.values()]

    result = scrape(plain(), site, again, max_pages=3, compare_with="before")

    assert result["difference"]["unchanged_count"] == 3
    assert result["difference"]["contacts_added"] == []
    assert again.rows[f"{site.origin}/p/1"]["emails"][0] == "office@example.com"


def test_contacts_are_masked_or_hashed_before_anything_is_kept(site: Site) -> None:
    masked, hashed = MemoryJob({}), MemoryJob({})
    secret = plain(redaction_key=b"secret")

    one = scrape(plain(), site, masked, max_pages=3, redact="mask")
    two = scrape(secret, site, hashed, max_pages=3, redact="hash")

    for told in (one, two, masked.rows, hashed.rows):
        assert "office@example.com" not in str(told)
    assert one["pii_by_url"][f"{site.origin}/"]["emails"] == [
        "o***@example.com",
        "p***@example.com",
    ]
    assert two["pii_by_url"][f"{site.origin}/"]["emails"][0].startswith("email:")


def test_hashing_needs_a_key(site: Site) -> None:
    with pytest.raises(InvalidRequestError, match="EVENTYARD_REDACTION_KEY"):
        scrape(plain(), site, redact="hash")


def test_pages_come_from_the_sitemaps_that_a_site_names(site: Site) -> None:
    index = "<sitemapindex><sitemap><loc>/one.xml</loc></sitemap><sitemap><loc>/no.xml"
    index += "</loc></sitemap></sitemapindex>"
    off = "https://elsewhere.example/"
    paths = ("/p/9", "/p/8", "/private/x", off)
    listed = "".join(f"<url><loc>{path}</loc></url>" for path in paths)
    site.robots = Reply(200, site.robots.body + b"\nSitemap: " + at(site, "/index.xml"))
    site.texts |= {"/index.xml": index, "/one.xml": f"<urlset>{listed}</urlset>"}

    result = scrape(plain(), site, mode="sitemap")

    assert result["crawled"] == [f"{site.origin}/p/9", f"{site.origin}/p/8"]
    assert result["errors"] == {
        f"{site.origin}/no.xml": "HTTP 404",
        f"{site.origin}/private/x": "robots.txt forbids it",
    }


def at(site: Site, path: str) -> bytes:
    return f"{site.origin}{path}".encode()


def test_a_sitemap_may_be_the_start(site: Site) -> None:
    site.texts["/pages.txt"] = "\n".join(f"{site.origin}/p/{n}" for n in (3, 4))

    result = scrape(plain(), site, url=f"{site.origin}/pages.txt", mode="sitemap")

    assert result["crawled"] == [f"{site.origin}/p/3", f"{site.origin}/p/4"]


def test_a_site_without_sitemaps_says_so(site: Site) -> None:
    result = scrape(plain(), site, mode="sitemap")

    assert result["crawled"] == []
    assert result["errors"] == {f"{site.origin}/sitemap.xml": "HTTP 404"}


def test_a_page_that_asks_for_it_is_not_followed(site: Site) -> None:
    site.texts["/"] = '<meta name=robots content=nofollow><a href="/p/1">x</a>'

    assert scrape(plain(), site)["crawled"] == [f"{site.origin}/"]


def test_what_header_says_no_type_is_read(site: Site) -> None:
    site.answer = lambda request: (  # type: ignore[method-assign]
        Reply(404) if request.path == "/robots.txt" else Reply(200, b"<title>x</title>")
    )

    assert scrape(plain(), site)["pages"] == 1
    assert HTML


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"url": None}, "url is required"),
        ({"url": ""}, "url is required"),
        ({"url": 7}, "url is required"),
        ({"url": "ftp://example.com"}, "must begin with http"),
        ({"url": "example.com"}, "must begin with http"),
        ({"url": "http://"}, "leads to no page"),
        ({"url": "http://user:word@example.com/"}, "leads to no page"),
        ({"url": "http://example.com/" + "x" * 3_000}, "leads to no page"),
        ({"max_pages": 0}, "max_pages"),
        ({"max_pages": 1_001}, "max_pages"),
        ({"max_pages": True}, "max_pages"),
        ({"max_pages": 2.0}, "max_pages"),
        ({"max_pages": "3"}, "max_pages"),
        ({"timeout_s": 0.5}, "timeout_s"),
        ({"timeout_s": 301}, "timeout_s"),
        ({"timeout_s": math.nan}, "timeout_s"),
        ({"timeout_s": True}, "timeout_s"),
        ({"same_origin_only": 1}, "same_origin_only"),
        ({"same_origin_only": "yes"}, "same_origin_only"),
        ({"mode": "all"}, "mode"),
        ({"mode": []}, "mode"),
        ({"delay_s": -1}, "delay_s"),
        ({"delay_s": 61}, "delay_s"),
        ({"redact": True}, "redact"),
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": 366}, "retention_days"),
        ({"compare_with": 3}, "compare_with"),
        ({"compare_with": "x" * 65}, "compare_with"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(
    wrong: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidRequestError, match=told):
        plain().prepared({"url": "https://example.com", **wrong})


def test_what_is_not_said_has_its_usual_value() -> None:
    assert plain().prepared({"url": "https://example.com"}) == {
        "url": "https://example.com",
        "max_pages": 10,
        "timeout_s": 10,
        "same_origin_only": True,
        "mode": "crawl",
        "delay_s": 0,
        "redact": "none",
        "retention_days": None,
        "compare_with": None,
    }


def test_a_job_is_kept_as_long_as_it_says() -> None:
    assert plain().retention_s({"retention_days": 2}) == 2 * 86_400
    assert plain().retention_s({}) == 7 * 86_400
