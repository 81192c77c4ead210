"""HTTP in: one module for each family of addresses, all of them named here."""

from __future__ import annotations

from typing import Final

from chalicelib.api import (
    archive,
    circles,
    clients,
    dead_letters,
    documents,
    events,
    graphs,
    jobs,
    keys,
    knowledge,
    memories,
    operations,
    pages,
    pulls,
    replays,
    requests,
    schedule,
    schemas,
    sources,
    stream,
    streams,
    subscriptions,
    tickets,
    traffic,
    webhooks,
    why,
)

#: What app.py registers, and what the documents describe, in this order.
FAMILIES: Final = (
    events,
    why,
    stream,
    schedule,
    requests,
    streams,
    schemas,
    subscriptions,
    dead_letters,
    replays,
    clients,
    sources,
    archive,
    graphs,
    traffic,
    pulls,
    webhooks,
    jobs,
    circles,
    memories,
    knowledge,
    operations,
    keys,
    tickets,
    documents,
    pages,
)
