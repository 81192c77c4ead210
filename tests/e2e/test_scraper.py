"""A site with everything that crawlers meet, crawled on the running platform."""

from __future__ import annotations

import csv
import io
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.running import RunningPlatform, wait_until
from tests.site import FINE, ODD, PAGES, Site

_OVER = ("completed", "failed", "cancelled")
#: The lease of a worker that died, and the schedule that looks for such.
_TAKEN_UP_S = 90


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    made = RunningPlatform(
        tmp_path_factory.mktemp("scraping"),
        EVENTYARD_ALLOW_PRIVATE_HOSTS="127.0.0.1",
        EVENTYARD_SCRAPER_GAP_MS="0",
        EVENTYARD_REDACTION_KEY="a-key-of-sixteen",
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def outside() -> Iterator[Site]:
    with Site() as made:
        yield made


@pytest.fixture
def site(outside: Site) -> Iterator[Site]:
    with Site(outside.origin) as made:
        yield made
        made.going.set()


@pytest.fixture(scope="module")
def bereft(platform: RunningPlatform) -> Iterator[tuple[Site, str]]:
    """A site in mid-crawl whose worker is dead; the others go on meanwhile."""
    with Site() as made:
        made.odd, made.wait_s = False, 0.02
        job_id = submit(platform, made, max_pages=1_000)
        wait_until(lambda: len(set(made.asked)) > PAGES // 3, what="a third of a crawl")
        made.going.clear()
        assert platform.kill_worker("work-scraping")
        made.going.set()
        yield made, job_id


def submit(platform: RunningPlatform, site: Site, **asked: Any) -> str:
    # One page never answers; the others are given time on a busy machine.
    timeout_s = 3 if site.odd else 30
    body = {"url": f"{site.origin}/", "timeout_s": timeout_s, **asked}
    status, told = platform.request("POST", "/api/scrapers/submit", body)
    assert (status, told["success"]) == (202, True), told
    return str(told["job_id"])


def job_of(platform: RunningPlatform, job_id: str) -> Any:
    return platform.get(f"/api/scrapers/jobs/{job_id}")


def ended(platform: RunningPlatform, job_id: str, seconds: float = 60) -> Any:
    def over() -> Any:
        job = job_of(platform, job_id)
        return job if job["status"] in _OVER else None

    return wait_until(over, seconds, f"the end of {job_id}")


def rows_of(platform: RunningPlatform, job_id: str) -> dict[str, Any]:
    found, cursor = [], ""
    while cursor is not None:
        address = f"/api/scrapers/jobs/{job_id}/results?limit=100{cursor}"
        page = platform.get(address)
        found += page["results_by_url"]
        cursor = page["cursor"] and f"&cursor={page['cursor']}"
    assert len({row["url"] for row in found}) == len(found)
    return {row["url"]: row for row in found}


def kinds(platform: RunningPlatform, job_id: str) -> list[str]:
    """What the log was told of a job, but for its progress."""
    told = platform.logged("eventyard.job.*").values()
    own = [one for one in told if one["payload"]["job_id"] == job_id]
    named = [one["type"].rpartition(".")[2] for one in own]
    return sorted(kind for kind in named if kind != "progress")


@pytest.mark.usefixtures("bereft")
def test_other_scrapes_go_on_while_a_worker_is_dead(
    platform: RunningPlatform, site: Site
) -> None:
    assert ended(platform, submit(platform, site, max_pages=2))["status"] == "completed"


def test_a_site_is_crawled_whole_and_nothing_outside_the_rules_is_asked_for(
    platform: RunningPlatform, site: Site, outside: Site
) -> None:
    job_id = submit(platform, site, max_pages=1_000)

    job = ended(platform, job_id)

    at = site.origin
    pages = {f"{at}/p/{n}" for n in range(PAGES)}
    fine = {f"{at}{path}" for path in ("/", *FINE, "/p/3?a=1&b=2")}
    result = job["result"]
    assert set(result["crawled"]) == pages | fine
    wrong = {url.removeprefix(at): error for url, error in result["errors"].items()}
    assert {path: error[: len(ODD[path])] for path, error in wrong.items()} == ODD
    assert outside.requests == []
    assert "/private/x" not in site.asked
    rows = rows_of(platform, job_id)
    assert set(rows) == {*result["crawled"], *result["errors"]}
    assert rows[f"{at}/hostile"]["title"] == '"><script>alert(1)</script>'
    assert rows[f"{at}/p/7"]["emails"] == ["office@example.com", "person7@example.com"]
    assert kinds(platform, job_id) == ["completed", "started", "submitted"]


def test_rows_are_to_be_had_as_a_table(platform: RunningPlatform, site: Site) -> None:
    job_id = submit(platform, site, max_pages=3)
    ended(platform, job_id)

    address = f"{platform.address}/api/scrapers/jobs/{job_id}/results?format=csv"
    with urllib.request.urlopen(address) as answer:
        table = list(csv.DictReader(io.StringIO(answer.read().decode())))

    good = [row for row in table if not row["error"]]
    assert len(good) == 3
    assert {row["status"] for row in good} == {"200"}
    assert all("office@example.com" in row["emails"] for row in good)


def test_a_scrape_is_cancelled_while_it_waits(
    platform: RunningPlatform, site: Site
) -> None:
    platform.connect("work-scraping", enabled=False)
    try:
        job_id = submit(platform, site)
        address = f"/api/scrapers/jobs/{job_id}"
        first = platform.request("DELETE", address)
        again = platform.request("DELETE", address)
    finally:
        platform.connect("work-scraping", enabled=True)

    assert (first[0], first[1]["status"]) == (200, "cancelled")
    assert (again[0], again[1]["success"]) == (200, True)
    assert kinds(platform, job_id) == ["cancelled", "submitted"]
    assert site.requests == []


def test_a_scrape_is_cancelled_while_it_runs_and_keeps_what_it_has(
    platform: RunningPlatform, site: Site
) -> None:
    site.odd, site.wait_s = False, 0.05
    job_id = submit(platform, site, max_pages=200)
    wait_until(lambda: rows_of(platform, job_id), what="the first rows")

    status, told = platform.request("DELETE", f"/api/scrapers/jobs/{job_id}")
    job = ended(platform, job_id)

    assert (status, told["success"]) == (200, True)
    assert job["status"] == "cancelled"
    assert 0 < len(rows_of(platform, job_id)) < 200
    assert 0 < job["progress"] < 1
    assert kinds(platform, job_id) == ["cancelled", "started", "submitted"]


def test_a_scrape_that_has_ended_is_not_cancelled(
    platform: RunningPlatform, site: Site
) -> None:
    job_id = submit(platform, site, max_pages=1)
    ended(platform, job_id)

    status, told = platform.request("DELETE", f"/api/scrapers/jobs/{job_id}")

    assert (status, told["success"]) == (409, False)
    assert "completed" in told["error"]


def test_a_scrape_that_makes_no_sense_is_refused_and_nothing_is_queued(
    platform: RunningPlatform,
) -> None:
    for wrong in ({"url": "http://169.254.169.254/"}, {"url": "x"}, {"max_pages": 0}):
        body = {"url": "https://example.com", **wrong}
        status, told = platform.request("POST", "/api/scrapers/submit", body)
        assert (status, told["success"], told["job_id"]) == (400, False, None), told
    assert platform.request("GET", "/api/scrapers/jobs/job_none")[0] == 404


def test_a_second_run_tells_the_difference_and_asks_only_for_what_changed(
    platform: RunningPlatform, site: Site
) -> None:
    site.odd = False
    first = submit(platform, site, max_pages=300)
    assert ended(platform, first)["result"]["difference"] is None
    site.texts["/p/199"] = "<title>Other</title><a href='/fresh'>x</a>"
    site.texts["/fresh"] = "<title>Fresh</title>"

    second = ended(platform, submit(platform, site, max_pages=300, compare_with=first))

    changes = second["result"]["difference"]
    assert changes["added"] == [f"{site.origin}/fresh"]
    assert changes["changed"] == [f"{site.origin}/p/199"]
    assert (changes["removed_count"], changes["unchanged_count"]) == (0, PAGES)
    asked = [r for r in site.requests if "if-none-match" in r.headers]
    assert len(asked) == PAGES + 1


def test_a_scrape_is_repeated_until_the_next_one_is_cancelled(
    platform: RunningPlatform, site: Site
) -> None:
    first = submit(platform, site, max_pages=1, repeat_every_s=3_600)
    ended(platform, first)

    def following() -> Any:
        jobs = platform.get("/api/scrapers/jobs?limit=200")["jobs"]
        return next((job for job in jobs if job["previous_job_id"] == first), None)

    second = wait_until(following, what="the next run")
    status, _ = platform.request("DELETE", f"/api/scrapers/jobs/{second['job_id']}")

    assert (second["status"], second["data"]["max_pages"]) == ("pending", 1)
    assert second["next_try_at"] > second["created_at"]
    assert status == 200
    assert job_of(platform, second["job_id"])["status"] == "cancelled"


def test_contacts_are_hashed_with_the_key_of_the_platform(
    platform: RunningPlatform, site: Site
) -> None:
    job_id = submit(platform, site, max_pages=1, redact="hash")

    told = str(ended(platform, job_id)) + str(rows_of(platform, job_id))

    assert "office@example.com" not in told
    assert "email:" in told


@pytest.mark.soak
def test_a_crawl_whose_worker_died_ends_with_no_page_lost_or_doubled(
    platform: RunningPlatform, bereft: tuple[Site, str]
) -> None:
    site, job_id = bereft

    job = ended(platform, job_id, _TAKEN_UP_S)

    pages = {f"{site.origin}/p/{n}" for n in range(PAGES)}
    assert job["status"] == "completed"
    assert job["attempts"] == 2
    crawled = job["result"]["crawled"]
    assert set(crawled) == {f"{site.origin}/", *pages}
    assert len(crawled) == PAGES + 1
    assert set(rows_of(platform, job_id)) == set(crawled)
    assert kinds(platform, job_id).count("completed") == 1


@pytest.mark.soak
def test_a_crawl_outlives_a_worker_that_dies_twice(
    platform: RunningPlatform, site: Site
) -> None:
    site.odd, site.wait_s = False, 0.02
    job_id = submit(platform, site, max_pages=1_000)
    for share in (4, 2):
        wait_until(
            lambda share=share: len(set(site.asked)) > PAGES // share,
            _TAKEN_UP_S,
            "the next part of the crawl",
        )
        assert platform.kill_worker("work-scraping")

    job = ended(platform, job_id, _TAKEN_UP_S)

    assert (job["status"], job["attempts"]) == ("completed", 3)
    assert set(rows_of(platform, job_id)) == set(job["result"]["crawled"])
    assert len(job["result"]["crawled"]) == PAGES + 1
