"""Tickets: what a page shows in an address, where a key must not stand."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.auth import Principal, fingerprint
from chalicelib.aws import Item
from chalicelib.table import Table
from eventyard.core import moments
from eventyard.core.errors import AuthenticationError

#: How long a ticket may wait to be used.
SECONDS: Final = 60
_PREFIX: Final = "tkt_"
_PARTITION: Final = "ticket"


@dataclass(slots=True)
class TicketStore:
    """Tickets: each opens one live connection, with the scopes of who asked for it."""

    table: Table
    clock: Callable[[], float] = time.time

    def issue(self, principal: Principal) -> Item:
        """Return a new `ticket`, stored hashed, and when it `expires_at`."""
        ticket = _PREFIX + secrets.token_urlsafe(32)
        until = self.clock() + SECONDS
        if principal.until is not None:
            until = min(until, principal.until)
        self.table.put(
            {
                "pk": _PARTITION,
                "sk": fingerprint(ticket),
                "name": principal.name,
                "id": principal.id,
                "scopes": sorted(principal.scopes),
                "until": until,
                "ttl": int(until) + SECONDS,
            }
        )
        return {"ticket": ticket, "expires_at": moments.at(until)}

    def take(self, ticket: str) -> Principal:
        """
        Use a ticket up and return whom it stands for.

        Of two that show the same ticket one is let in. Raises AuthenticationError.
        """
        row = self.table.take(_PARTITION, fingerprint(ticket))
        if row is None or row["until"] <= self.clock():
            raise AuthenticationError(
                f"This ticket is unknown, was used, or is older than {SECONDS} "
                "seconds; POST /api/v1/tickets brings another."
            )
        return Principal(row["name"], frozenset(row["scopes"]), row["id"])
