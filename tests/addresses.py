"""Addresses of the interface as tests walk through them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from chalicelib.api._endpoint import Address

#: `/api/v1/<family>/...`, and one family for what lies above.
_DEPTH = 3


def name_of(address: Address) -> str:
    """Return what a test calls an address."""
    return f"{address.method} {address.path}"


def by_family(addresses: Iterable[Address]) -> Any:
    """Have a test run once for each family, with its `addresses`."""
    families: dict[str, list[Address]] = defaultdict(list)
    for address in addresses:
        parts = address.path.strip("/").split("/")
        families["/".join(parts[:_DEPTH]) if len(parts) >= _DEPTH else "top"].append(
            address
        )
    return pytest.mark.parametrize("addresses", families.values(), ids=families)
