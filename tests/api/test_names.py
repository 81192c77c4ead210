"""Names and cursors that are none: refused or not found, and never a failure."""

from __future__ import annotations

import re

import pytest

from chalicelib.api import FAMILIES
from tests.addresses import by_family, name_of
from tests.contract import AnswersOnly, http_contract
from tests.http import Http

ADDRESSES = [address for family in FAMILIES for address in family.routes.addresses]
NAMED = [address for address in ADDRESSES if "{" in address.path]
LISTS = [
    address
    for address in ADDRESSES
    if "cursor" in [parameter.name for parameter in address.query]
    and "{" not in address.path
]
#: What is answered to a name before it is looked at.
BODY = {"type": "a.b", "payload": {}}


@pytest.fixture
def anything(http):
    """A caller who asks what no document allows."""
    return Http(http._client, AnswersOnly(http_contract().document))


@by_family(NAMED)
def test_a_name_longer_than_any_is_not_found(anything, addresses):
    for address in addresses:
        path = re.sub(r"{\w+}", "x" * 257, address.path)

        told = anything._call(address.method, path, BODY, {})

        assert told.status == 404, name_of(address)
        assert "of 257 characters" in told.fault()["message"], name_of(address)


@by_family(NAMED)
@pytest.mark.parametrize("name", ["~", "%20", "evt_", "%C3%A4%F0%9F%98%80", "a%2Fb"])
def test_a_name_of_nothing_is_no_failure(anything, addresses, name):
    for address in addresses:
        path = re.sub(r"{\w+}", name, address.path)

        told = anything._call(address.method, path, BODY, {})

        assert told.status < 500, name_of(address)


@pytest.mark.parametrize("cursor", ["", "~", "%20", "%C3%A4%F0%9F%98%80"])
def test_a_cursor_of_nothing_is_no_failure(anything, cursor):
    for address in LISTS:
        told = anything.get(f"{address.path}?wait=0&cursor={cursor}")

        assert told.status in (200, 400), name_of(address)


def test_a_cursor_longer_than_any_is_refused(anything):
    for address in LISTS:
        told = anything.get(f"{address.path}?wait=0&cursor={'9' * 20_000}")

        assert told.status == 400, name_of(address)
        # Addresses of job services tell what is wrong as a text.
        fault = told.json()["error"]
        assert "cursor" in (fault if isinstance(fault, str) else fault["message"])
