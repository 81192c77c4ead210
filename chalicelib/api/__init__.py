"""HTTP in: one module for each family of addresses, all of them named here."""

from __future__ import annotations

from typing import Final

from chalicelib.api import (
    documents,
    events,
    keys,
    operations,
    pages,
    schedule,
    subscriptions,
)

#: What app.py registers, and what the documents describe, in this order.
FAMILIES: Final = (events, schedule, subscriptions, operations, keys, documents, pages)
