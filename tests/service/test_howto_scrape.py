"""docs/howto/scrape-a-site.md, run from top to bottom against a site on loopback."""

from __future__ import annotations

from typing import Any

import pytest

from tests import howto
from tests.site import Site

_PAGE = "scrape-a-site"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Any:
    with Site() as made:
        made.odd = False
        yield made


def on(site: Site, block: str) -> str:
    return block.replace("https://example.com/", f"{site.origin}/")


def test_a_site_is_scraped_as_the_page_says(
    site: Site, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("EVENTYARD_ALLOW_PRIVATE_HOSTS", "127.0.0.1")
    http, pump = request.getfixturevalue("http"), request.getfixturevalue("pump")
    submit, listed, refused = howto.blocks(_PAGE, "console")

    howto.run(http, on(site, submit))
    pump.run()
    howto.run(http, listed)
    howto.run(http, refused)

    (job,) = http.get("/api/scrapers/jobs").json()["jobs"]
    assert len(job["result"]["crawled"]) == 5


def test_a_second_run_tells_what_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTYARD_ALLOW_PRIVATE_HOSTS", "127.0.0.1")
    scope: dict[str, Any] = {}

    for block in howto.blocks(_PAGE, "python"):
        exec(on(site, block), scope)

    assert scope["changes"]["unchanged_count"] == 20
    assert any("if-none-match" in one.headers for one in site.requests)
