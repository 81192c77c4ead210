"""Services by name: made when they are asked for, and what they need is to be had."""

from __future__ import annotations

import pytest

from chalicelib.jobs.registry import QUEUES, SERVICES, Registry, queue_for
from eventyard.core.errors import NotFoundError, UnavailableError
from eventyard.jobs.base import is_name
from tests.jobservices import PATHS, Steps


def test_a_service_is_made_once_when_it_is_asked_for():
    registry = Registry(PATHS)

    assert registry.get("scraper") is registry.get("scraper")
    assert isinstance(registry.get("scraper"), Steps)
    assert registry.names == ("scraper", "mender")


def test_a_service_may_be_made_in_a_way_of_its_own():
    made = []

    def make(kind):
        made.append(kind)
        return kind()

    Registry(PATHS, {"scraper": make}).get("scraper")

    assert made == [Steps]


@pytest.mark.parametrize(
    "path", ["nowhere:Steps", "tests.jobservices:Nobody", "tests.jobservices:Mender"]
)
def test_a_service_that_is_not_here_says_so(path):
    with pytest.raises(UnavailableError, match="scraper is not here"):
        Registry({"scraper": path}).get("scraper")


@pytest.mark.parametrize("name", ["", "nobody", "../x", "x" * 5_000])
def test_a_name_of_none_is_not_found(name):
    with pytest.raises(NotFoundError):
        Registry(PATHS).get(name)


def test_what_a_service_needs_chooses_its_queue():
    assert queue_for(()) == "jobs"
    assert queue_for(("scraping",)) == "scraping"
    with pytest.raises(UnavailableError, match="gpu"):
        queue_for(("gpu",))
    assert QUEUES["jobs"] == ()


def test_every_service_has_a_name_that_fits_its_addresses():
    assert all(map(is_name, SERVICES))
