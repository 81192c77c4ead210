"""`/api/v1/tickets`: what a browser opens a live connection with."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes

routes = Routes(__name__)
READ: Final = "events:subscribe"


@routes.post("/api/v1/tickets", scope=READ, answer="tickets.Ticket", status=201)
def issue_ticket(call: Call) -> Any:
    """Make a ticket: within a minute it opens one live connection as `?ticket=`."""
    return call.platform.tickets.issue(call.principal)
