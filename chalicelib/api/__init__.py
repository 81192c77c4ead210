"""HTTP in: one module for each family of addresses, all of them named here."""

from __future__ import annotations

from typing import Final

from chalicelib.api import (
    dead_letters,
    documents,
    events,
    keys,
    operations,
    pages,
    replays,
    schedule,
    schemas,
    streams,
    subscriptions,
    tickets,
    why,
)

#: What app.py registers, and what the documents describe, in this order.
FAMILIES: Final = (
    events,
    why,
    schedule,
    streams,
    schemas,
    subscriptions,
    dead_letters,
    replays,
    operations,
    keys,
    tickets,
    documents,
    pages,
)
